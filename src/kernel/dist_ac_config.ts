// The kernel parameter `distributed` and the node list of `application:load/2` as dist_ac keeps them.
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { type Appl, nodeListFromTerm, type RestartTime } from './dist_ac_state.js';

const INFINITY = atom('infinity');
const DEFAULT = atom('default');
const BADARG = atom('badarg');
const BAD_DISTRIBUTION_SPEC = atom('bad_distribution_spec');

/** An entry `{App, Nodes}` or `{App, Time, Nodes}`; undefined for what OTP skips, such as a negative time. */
function distributedEntry(self: Atom, entry: Term, permission: (app: Atom) => boolean): Appl | undefined {
  if (!(entry instanceof Tuple)) return undefined;
  const { elements } = entry;
  const [name] = elements;
  const time = elements.length === 3 ? (elements[1] as Term) : 0;
  const nodes = nodeListFromTerm(elements.at(-1) as Term);
  const restartTime = restartTimeOf(time);
  if ((elements.length !== 2 && elements.length !== 3) || !(name instanceof Atom)) return undefined;
  if (nodes === undefined || restartTime === undefined) return undefined;
  return { name, id: 'undefined', restartTime, nodes, run: new Map([[self, permission(name)]]) };
}

function restartTimeOf(time: Term): RestartTime | undefined {
  if (time === INFINITY) return 'infinity';
  return typeof time === 'number' && time >= 0 ? time : undefined;
}

/** The list of `load/2`: the application with it, nothing for `default`, or OTP's error. */
export function distributionSpec(
  spec: Term,
  app: Atom,
): { readonly appl: Appl | undefined } | { readonly error: Term } {
  if (spec === DEFAULT) return { appl: undefined };
  const bad = { error: tuple(BAD_DISTRIBUTION_SPEC, spec) };
  if (!(spec instanceof Tuple) || spec.elements[0] !== app) return bad;
  const { elements } = spec;
  const time = elements.length === 3 ? (elements[1] as Term) : 0;
  if ((elements.length !== 2 && elements.length !== 3) || typeof time !== 'number' || time < 0) return bad;
  const nodes = nodeListFromTerm(elements.at(-1) as Term);
  if (nodes === undefined) return { error: tuple(BADARG, elements.at(-1) as Term) };
  return { appl: { name: app, id: 'undefined', restartTime: time, nodes, run: new Map() } };
}

/** All entries of a list `distributed`. */
export function distributedAppls(self: Atom, list: Term, permission: (app: Atom) => boolean): Appl[] {
  if (!Array.isArray(list)) return [];
  return (list as readonly Term[]).flatMap((entry) => distributedEntry(self, entry, permission) ?? []);
}
