// The parameter `global_groups` of kernel: which nodes share one table of global names, and who is visible to whom
// (OTP: global_group.erl, config_scan/2).
//
//   [{Group, Nodes} | {Group, normal | hidden, Nodes}]
// A node is in one group at most. Where groups are configured, a node in none of them shares names with nobody.
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { compare } from '../terms/order.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { erroneous } from './config_merge.js';

export type PublishType = 'normal' | 'hidden';

/** One group of `global_groups`. */
export interface GroupTuple {
  readonly name: Atom;
  readonly publish: PublishType;
  /** As configured. */
  readonly nodes: readonly Atom[];
}

const NORMAL = atom('normal');
const HIDDEN = atom('hidden');
const NO_NAME = atom('no_name');

/** The groups of `global_groups`; undefined if it is not set. Throws `ConfigError`. */
export function globalGroups(value: Term | undefined): readonly GroupTuple[] | undefined {
  if (value === undefined) return undefined;
  const expected = 'it takes a list of {Name, [Node]} and {Name, normal | hidden, [Node]}';
  if (!Array.isArray(value)) throw erroneous('global_groups', expected);
  const groups = (value as readonly Term[]).map((entry): GroupTuple => {
    const elements = entry instanceof Tuple ? entry.elements : [];
    const [name] = elements;
    const publish = elements.length === 3 ? elements[1] : NORMAL;
    const nodes = elements.at(-1);
    const good =
      (elements.length === 2 || elements.length === 3) &&
      (publish === NORMAL || publish === HIDDEN) &&
      Array.isArray(nodes) &&
      (nodes as readonly Term[]).every((node) => node instanceof Atom);
    if (!good || !(name instanceof Atom)) {
      throw erroneous('global_groups', `${format(entry, 200)} is wrong: ${expected}`);
    }
    return { name, publish: publish === HIDDEN ? 'hidden' : 'normal', nodes: nodes as readonly Atom[] };
  });
  return groups.length === 0 ? undefined : groups;
}

/** What `global_groups` means for one node. */
export class GroupConfig {
  readonly configured: boolean;
  /** The own group's name; `no_name` for a node in no group, undefined where there are none. */
  readonly name: Atom | undefined;
  readonly publish: PublishType;
  /** The nodes of the own group with this one, sorted; empty for a node in no group. */
  readonly ownNodes: readonly Atom[];
  readonly others: readonly GroupTuple[];
  readonly #members: ReadonlySet<Atom>;

  /** Throws `ConfigError` if `node` is in two groups. */
  constructor(node: Atom, groups: readonly GroupTuple[] | undefined) {
    const own = (groups ?? []).filter(({ nodes }) => nodes.includes(node));
    const [first, second] = own;
    if (first !== undefined && second !== undefined) {
      const both = `${first.name.name} and ${second.name.name}`;
      throw erroneous('global_groups', `${node.name} is in the groups ${both}: a node is in one at most`);
    }
    this.configured = groups !== undefined;
    this.name = first?.name ?? (this.configured ? NO_NAME : undefined);
    this.publish = first?.publish ?? 'normal';
    this.ownNodes = [...(first?.nodes ?? [])].sort(compare);
    this.others = (groups ?? []).filter((group) => group !== first);
    this.#members = new Set(this.ownNodes);
  }

  /** Whether a node is in the own group (`member/1`). */
  isMember(node: Atom): boolean {
    return this.#members.has(node);
  }

  /** Whether names may be shared with a node: all where there are no groups (`participant/1`). */
  isParticipant(node: Atom): boolean {
    return this.#members.size === 0 || this.#members.has(node);
  }

  /** Whether a node sees us, if we are hidden or not for all others (`publish/2`). */
  isVisibleTo(node: Atom, hidden: boolean): boolean {
    if (this.#members.size === 0) return !hidden;
    return (this.publish === 'normal' && !hidden) || this.#members.has(node);
  }
}
