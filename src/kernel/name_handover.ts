// Lets another node take an application over although its code registers `{global, Name}` as usual.
//
// Such code finds the name taken if it starts after global has told that node of it, and then the takeover fails. So
// while a node is expected to start an application that runs here, until its announcement, the global names of the
// application are hidden from that node alone (global_conceal.ts): its registration then finds the name free, and
// replaces it everywhere without a gap. When a node is expected to:
//
// - It is introduced at its boot, or loads the application, and ranks higher. Before it decides about any start it
//   waits for our answer to the lock of its introduction, given back: that answer is held until the names have come
//   there with global's synchronisation and are dropped again.
// - Somebody there calls takeover or permit: that begins with a lock, whose grant is held in the same way.
// - The application may not run here any more, and that node is next.
//
// Without an announcement within a while the names are told to it again.
import type { System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Tuple } from '../terms/tuple.js';
import type { ApplicationTables } from './application_tables.js';
import type { Concealment, Global } from './global.js';

const DIST_AC = atom('dist_ac');

/** For so long an answer is held back at most. */
const DROPPED_WITHIN_MS = 4000;
/** A node that has not announced the application within this time is not about to start it. */
const ANNOUNCED_WITHIN_MS = 15_000;

interface Handover {
  readonly app: Atom;
  readonly node: Atom;
  readonly concealments: readonly Concealment[];
  /** Whose lock it is that makes us expect it. */
  by: Pid | undefined;
  timer: unknown;
}

export interface NameHandoverOptions {
  readonly global: Global;
  readonly tables: ApplicationTables;
  /** Applications that run here and may run on that node. */
  readonly movable: (node: Atom) => readonly Atom[];
}

export class NameHandovers {
  readonly #system: System;
  readonly #options: NameHandoverOptions;
  #open: readonly Handover[] = [];

  constructor(system: System, options: NameHandoverOptions) {
    this.#system = system;
    this.#options = options;
    options.global.holdSetLock = (id, pid) => this.#locked(id, pid);
    options.global.holdDelLock = (id, pid) => this.#unlocked(id, pid);
    system.nodeListeners.add((event) => {
      if (event.type === 'down') for (const open of this.#of(event.node)) this.#forget(open);
    });
  }

  /** That node may start the application soon, which runs here now. Resolves when it is ready for that. */
  async expect(app: Atom, node: Atom, by?: Pid): Promise<void> {
    const before = this.#of(node).filter((open) => open.app === app);
    for (const open of before) this.#forget(open);
    const { global } = this.#options;
    const pids = global.namedHere().filter((pid) => this.#belongs(pid, app));
    // what is hidden already has to be revealed with the rest
    const concealments = before.flatMap((open) => open.concealments);
    if (pids.length === 0) {
      for (const concealment of concealments) void concealment.reveal();
      return;
    }
    concealments.push(...pids.map((pid) => global.conceal(node, pid, DROPPED_WITHIN_MS)));
    const open: Handover = { app, node, concealments, by, timer: undefined };
    open.timer = this.#system.clock.setTimeout(() => this.#end(open), ANNOUNCED_WITHIN_MS);
    this.#open = [...this.#open, open];
    await dropped(open);
  }

  /** That node has announced the application, or that it will not start it. */
  announced(app: Atom, node: Atom, failed: boolean): void {
    for (const open of this.#of(node)) {
      if (open.app !== app) continue;
      if (failed) this.#end(open);
      else this.#afterStop(open);
    }
  }

  #belongs(pid: Pid, app: Atom): boolean {
    return this.#options.tables.applicationOf(this.#system.process(pid)?.groupLeader) === app;
  }

  #of(node: Atom): readonly Handover[] {
    return this.#open.filter((open) => open.node === node);
  }

  /** Takeover and permit lock `{dist_ac, Caller}`. */
  #locked(id: Tuple, pid: Pid): Promise<unknown> | undefined {
    const [resource, requester] = id.elements;
    if (resource !== DIST_AC || !(requester instanceof Pid) || requester.key !== pid.key) return undefined;
    const apps = this.#options.movable(pid.node);
    if (apps.length === 0) return undefined;
    return Promise.all(apps.map((app) => this.expect(app, pid.node, pid)));
  }

  /** The introduction of that node is over; or its takeover or permit is, and nothing was announced. */
  #unlocked(id: Tuple, pid: Pid): Promise<unknown> | undefined {
    if (id.elements[0] !== DIST_AC) return undefined;
    const open = this.#of(pid.node);
    const over = open.filter(({ by }) => by?.key === pid.key);
    for (const one of over) this.#end(one);
    const others = open.filter((one) => !over.includes(one));
    return others.length === 0 ? undefined : Promise.all(others.map(dropped));
  }

  /** The names are that node's now: ours end with our instance. What does not end gets its names back. */
  #afterStop(open: Handover): void {
    open.by = undefined;
    const living = open.concealments.flatMap(({ pid }) => this.#system.process(pid) ?? []);
    if (living.length === 0) this.#end(open);
    for (const process of living) {
      process.signal.addEventListener('abort', () => this.#end(open), { once: true });
    }
  }

  #end(open: Handover): void {
    if (!this.#open.includes(open)) return;
    this.#forget(open);
    for (const concealment of open.concealments) void concealment.reveal();
  }

  #forget(open: Handover): void {
    this.#system.clock.clearTimeout(open.timer);
    this.#open = this.#open.filter((other) => other !== open);
  }
}

function dropped(open: Handover): Promise<unknown> {
  return Promise.all(open.concealments.map((concealment) => concealment.dropped));
}
