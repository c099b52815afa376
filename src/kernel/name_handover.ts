// Lets a node that ranks higher take an application over although its code registers `{global, Name}` as usual.
//
// Such code finds the name taken if it starts after global has told that node of it, and then the takeover fails. So
// from the introduction of such a node until its announcement the global names of the application are hidden from
// that node alone (global_conceal.ts): its registration then finds the name free, and replaces it everywhere without
// a gap. It also waits for our answer to the lock of its introduction before it decides about any start: that
// answer is held until the names have come there with global's synchronisation and are dropped again. Without an
// announcement within a while the names are told to it again.
import type { System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
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
  timer: unknown;
}

export class NameHandovers {
  readonly #system: System;
  readonly #global: Global;
  readonly #tables: ApplicationTables;
  #open: readonly Handover[] = [];

  constructor(system: System, global: Global, tables: ApplicationTables) {
    this.#system = system;
    this.#global = global;
    this.#tables = tables;
    global.holdDelLock = (id, pid) => this.#hold(id, pid);
    system.nodeListeners.add((event) => {
      if (event.type === 'down') for (const open of this.#of(event.node)) this.#forget(open);
    });
  }

  /** That node may start the application soon, which runs here now. */
  expect(app: Atom, node: Atom): void {
    for (const open of this.#of(node)) if (open.app === app) this.#forget(open);
    const pids = this.#global.namedHere().filter((pid) => this.#belongs(pid, app));
    if (pids.length === 0) return;
    const concealments = pids.map((pid) => this.#global.conceal(node, pid, DROPPED_WITHIN_MS));
    const open: Handover = { app, node, concealments, timer: undefined };
    open.timer = this.#system.clock.setTimeout(() => this.#end(open), ANNOUNCED_WITHIN_MS);
    this.#open = [...this.#open, open];
  }

  /** That node has announced the application, or that its start failed. */
  announced(app: Atom, node: Atom, failed: boolean): void {
    for (const open of this.#of(node)) {
      if (open.app !== app) continue;
      if (failed) this.#end(open);
      else this.#afterStop(open);
    }
  }

  #belongs(pid: Pid, app: Atom): boolean {
    return this.#tables.applicationOf(this.#system.process(pid)?.groupLeader) === app;
  }

  #of(node: Atom): readonly Handover[] {
    return this.#open.filter((open) => open.node === node);
  }

  /** The answer to the end of an introduction: when the names are absent there. */
  #hold(id: Tuple, pid: Pid): Promise<unknown> | undefined {
    const open = id.elements[0] === DIST_AC ? this.#of(pid.node) : [];
    if (open.length === 0) return undefined;
    return Promise.all(open.flatMap(({ concealments }) => concealments.map(({ dropped }) => dropped)));
  }

  /** The names are that node's now: ours end with our instance. What does not end gets its names back. */
  #afterStop(open: Handover): void {
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
