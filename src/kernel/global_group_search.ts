// Looking for names in other global groups: one of their nodes is asked (OTP: global_search.erl).
//
//   {'$gen_cast', {find_name, Pid, Name}} -> global_group    <- {find_name_res, Pid | undefined}
//   {'$gen_cast', {registered_names, Pid}} -> global_group   <- {registered_names_res, Names}
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { cast } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import { equals } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import type { GroupConfig } from './global_group_config.js';

/** The tables of the own group. */
export interface SearchedGlobal {
  whereisName(name: Term): Pid | undefined;
  registeredNames(): Term[];
}

const GLOBAL_GROUP = atom('global_group');
const FIND_NAME = atom('find_name');
const FIND_NAME_RES = atom('find_name_res');
const REGISTERED_NAMES = atom('registered_names');
const REGISTERED_NAMES_RES = atom('registered_names_res');
const NODE = atom('node');
const BADARG = atom('badarg');
const DOWN = atom('DOWN');

/** Global names of all groups. `where` is `{group, Name}` or `{node, Node}`, which means that node's group. */
export class GroupSearch {
  readonly #system: System;
  readonly #config: GroupConfig;
  readonly #global: SearchedGlobal;

  constructor(system: System, config: GroupConfig, global: SearchedGlobal) {
    this.#system = system;
    this.#config = config;
    this.#global = global;
  }

  /** `whereis_name/1,2`: the process of a name, in the own group first, then in the others as configured. */
  async whereisName(name: Term, where?: Tuple): Promise<Pid | undefined> {
    const own = where === undefined || this.#isOwn(where) ? this.#global.whereisName(name) : undefined;
    if (own !== undefined) return own;
    for (const nodes of this.#nodesOf(where)) {
      const request = (asker: Pid): Term => tuple(FIND_NAME, asker, name);
      const found = await askGroup(this.#system, nodes, request, FIND_NAME_RES);
      if (found instanceof Pid) return found;
    }
    return undefined;
  }

  /** `registered_names/1`. */
  async registeredNames(where: Tuple): Promise<Term[]> {
    if (this.#isOwn(where)) return this.#global.registeredNames();
    const nodes = this.#nodesOf(where).flat();
    const request = (asker: Pid): Term => tuple(REGISTERED_NAMES, asker);
    const names = await askGroup(this.#system, nodes, request, REGISTERED_NAMES_RES);
    return Array.isArray(names) ? [...(names as readonly Term[])] : [];
  }

  /** `send/2,3`: the process that got the message, or `{badarg, {Name, Message}}`. */
  async send(from: Pid, name: Term, message: Term, where?: Tuple): Promise<Term> {
    const pid = await this.whereisName(name, where);
    if (pid === undefined) return tuple(BADARG, tuple(name, message));
    this.#system.send(from, pid, message);
    return pid;
  }

  #isOwn(where: Tuple): boolean {
    const [kind, which] = where.elements;
    return which === (kind === NODE ? this.#system.node : this.#config.name);
  }

  /** The groups to be asked, each as its nodes. */
  #nodesOf(where: Tuple | undefined): (readonly Atom[])[] {
    const { others } = this.#config;
    if (where === undefined) return others.map((group) => group.nodes);
    const [kind, which] = where.elements;
    if (this.#isOwn(where)) return [];
    if (kind === NODE) return [[which as Atom]];
    return others.filter((group) => group.name === which).map((group) => group.nodes);
  }
}

/** What the first of these nodes that can be asked answers; undefined if none can. Connects to them. */
function askGroup(
  system: System,
  nodes: readonly Atom[],
  request: (asker: Pid) => Term,
  answer: Atom,
): Promise<Term | undefined> {
  return new Promise((resolve) => {
    const asker = system.spawn(async (self) => {
      for (const node of nodes) {
        const found = await ask(self, node, request(self.pid), answer);
        if (found === undefined) continue;
        resolve(found);
        return;
      }
    });
    asker.signal.addEventListener('abort', () => resolve(undefined));
  });
}

/** The node's answer; undefined if it is down or has no `global_group`. */
async function ask(self: Process, node: Atom, request: Term, answer: Atom): Promise<Term | undefined> {
  const server = tuple(GLOBAL_GROUP, node);
  const ref = self.monitor(server);
  cast(self, server, request);
  const got = await self.receive((message) => {
    if (isTagged(message, answer, 2)) return { found: message.elements[1] as Term };
    return isTagged(message, DOWN, 5) && equals(message.elements[1] as Term, ref) ? {} : undefined;
  });
  self.demonitor(ref, { flush: true });
  return got !== undefined && 'found' in got ? got.found : undefined;
}
