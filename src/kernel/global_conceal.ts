// Hiding the global names of a process from one node, and from nobody else.
//
// For a takeover by a node whose code registers `{global, Name}` as usual: there the name must be free when it is
// looked up and when it is registered, while every other node goes on using it; the registration then replaces
// it everywhere at once. So that node's `global_name_server` is told `noproc` when it monitors the process, as if it
// had ended, and drops the name from its own table. Other watchers of the process see nothing of it.
//
// What is hidden too: a global lock that the process itself holds counts as given back on that node.
import { KILL, NOPROC } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import { endMonitors } from '../erts/signal.js';
import type { NodeEvent, System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged } from '../terms/tuple.js';
import { GLOBAL_NAME_SERVER } from './global_messages.js';
import type { Rpc } from './rpc.js';

/** What concealing needs of `global`. */
export interface ConcealHost {
  readonly rpc: Rpc;
  /** The global names of a process, by our table. */
  namesOf(pid: Pid): readonly Term[];
  /** Resolves when the node has the same names as we, or is down. */
  sync(node: Atom): Promise<void>;
  /** Tells the node that the process has these names, under the lock of registrations. */
  tellAgain(node: Atom, names: readonly Term[], pid: Pid): Promise<void>;
}

/** The names of a process are hidden from a node, until `reveal`. */
export interface Concealment {
  readonly node: Atom;
  readonly pid: Pid;
  /**
   * Resolves to true when the node is synchronised with us and has dropped the names, to false when that did not
   * come about in time, or the node is down. From then on the names are absent there.
   */
  readonly dropped: Promise<boolean>;
  /** Ends it. Names that the process still has are told to that node again. */
  reveal(): Promise<void>;
}

interface Hidden {
  readonly node: Atom;
  readonly pid: Pid;
  /** The node's `global_name_server`, once we know it. */
  server: Pid | undefined;
  active: boolean;
}

const ERLANG = atom('erlang');
const WHEREIS = atom('whereis');
const GLOBAL = atom('global');
const WHEREIS_NAME = atom('whereis_name');
const BADRPC = atom('badrpc');
/** Pauses between two looks whether the node has dropped the names. */
const LOOK_AGAIN_MS = 10;

export class Concealments {
  readonly #system: System;
  readonly #host: ConcealHost;
  readonly #hidden = new Set<Hidden>();

  constructor(system: System, host: ConcealHost) {
    this.#system = system;
    this.#host = host;
    system.hidesFrom = (watcher, watched) => this.#hides(watcher, watched);
    system.nodeListeners.add((event: NodeEvent) => {
      if (event.type === 'up') return;
      for (const hidden of this.#hidden) if (hidden.node === event.node) this.#forget(hidden);
    });
  }

  /** Hides all global names of a process of this node from another node; `dropped` gives up after `limitMs`. */
  conceal(node: Atom, pid: Pid, limitMs: number): Concealment {
    const hidden: Hidden = { node, pid, server: undefined, active: true };
    this.#hidden.add(hidden);
    const dropped = new Promise<boolean>((resolve) => {
      const worker = this.#system.spawn(async (self) => {
        const timer = self.system.clock.setTimeout(() => self.exitSignal(self.pid, KILL), limitMs);
        self.signal.addEventListener('abort', () => {
          self.system.clock.clearTimeout(timer);
          resolve(false);
        });
        await this.#hide(self, hidden, limitMs);
        resolve(await this.#untilDropped(self, hidden, limitMs));
      });
      worker.asyncDist = true;
    });
    return { node, pid, dropped, reveal: () => this.#reveal(hidden) };
  }

  #hides(watcher: Pid, watched: Process): boolean {
    for (const { server, pid } of this.#hidden) {
      if (server?.key === watcher.key && pid.key === watched.pid.key) return true;
    }
    return false;
  }

  /** Learns who the node's name server is, and ends the monitors that it has already. */
  async #hide(self: Process, hidden: Hidden, limitMs: number): Promise<void> {
    const { node, pid } = hidden;
    const server = await this.#host.rpc(self, node, ERLANG, WHEREIS, [GLOBAL_NAME_SERVER], limitMs);
    if (!(server instanceof Pid) || !hidden.active) return;
    hidden.server = server;
    const process = self.system.process(pid);
    if (process !== undefined) endMonitors(process, server, NOPROC);
  }

  async #untilDropped(self: Process, hidden: Hidden, limitMs: number): Promise<boolean> {
    const { node, pid } = hidden;
    if (hidden.server === undefined) return false;
    await this.#host.sync(node);
    while (hidden.active) {
      let there = false;
      for (const name of this.#host.namesOf(pid)) {
        const holder = await this.#host.rpc(self, node, GLOBAL, WHEREIS_NAME, [name], limitMs);
        if (isTagged(holder, BADRPC, 2)) return false;
        there ||= holder instanceof Pid && holder.key === pid.key;
      }
      if (!there) return true;
      await self.receive(() => undefined, LOOK_AGAIN_MS);
    }
    return false;
  }

  async #reveal(hidden: Hidden): Promise<void> {
    if (!hidden.active) return;
    this.#forget(hidden);
    const { node, pid } = hidden;
    const names = this.#host.namesOf(pid);
    if (names.length > 0 && this.#system.process(pid) !== undefined) {
      await this.#host.tellAgain(node, names, pid);
    }
  }

  #forget(hidden: Hidden): void {
    hidden.active = false;
    this.#hidden.delete(hidden);
  }
}
