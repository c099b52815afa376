// The registrar: changes the name tables of all known nodes under one lock (OTP: "the_registrar" of global.erl).
//
// One process per node does one change at a time. It never ends before its node does, so that a change reaches all
// nodes although whoever asked for it is gone.
import { Exit } from '../errors.js';
import { NOPROC } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { Atom } from '../terms/atom.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import { delLock, randomSleep, setLockOnce } from './global_lock_client.js';
import { theBoss, unexpected } from './global_locker.js';
import { GLOBAL, type LockTable } from './global_locks.js';
import { LocalEvents } from './local_events.js';

/** A change of the name tables of these nodes, which are locked. */
export type Work<T> = (self: Process, nodes: readonly Atom[]) => Promise<T>;

export class Registrar {
  readonly process: Process;
  readonly #events = new LocalEvents<(self: Process) => Promise<void>>();
  readonly #table: LockTable;
  readonly #known: () => readonly Atom[];
  /** Those who asked and were not answered yet. */
  readonly #waiting = new Set<(error: Exit) => void>();

  constructor(system: System, table: LockTable, known: () => readonly Atom[]) {
    this.#table = table;
    this.#known = known;
    this.process = system.spawn((self) => this.#loop(self));
    this.process.asyncDist = true;
    this.process.trapExit = true;
    this.process.signal.addEventListener('abort', () => {
      for (const reject of this.#waiting) reject(ended());
    });
  }

  /** Runs `work` while the lock `{global, Registrar}` is held on all known nodes and here. */
  run<T>(work: Work<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.process.alive) {
        reject(ended());
        return;
      }
      this.#waiting.add(reject);
      this.#events.post(this.process, async (self) => {
        try {
          resolve(await this.#locked(self, work));
        } catch (error) {
          reject(error);
        }
        this.#waiting.delete(reject);
      });
    });
  }

  async #loop(self: Process): Promise<void> {
    for (;;) {
      const message = await self.next();
      if (message === undefined) continue;
      const run = this.#events.of(message);
      if (run !== undefined) await run(self);
      else unexpected(self, 'register', message);
    }
  }

  async #locked<T>(self: Process, work: Work<T>): Promise<T> {
    const id = tuple(GLOBAL, self.pid);
    const nodes = await this.#lockKnown(self, id);
    try {
      // a node that is gone by now needs no change; asking it would connect it again
      return await work(
        self,
        nodes.filter((node) => self.system.isUp(node)),
      );
    } finally {
      const boss = theBoss(nodes);
      await delLock(
        self,
        id,
        nodes.filter((node) => node !== boss),
      );
      await delLock(self, id, [boss]);
    }
  }

  /** Locks the boss, then all known nodes and ourselves; again if more became known meanwhile. */
  async #lockKnown(self: Process, id: Tuple): Promise<readonly Atom[]> {
    for (let times = 0; ; times++) {
      const known = this.#known();
      const nodes = [self.node, ...known];
      const boss = theBoss(nodes);
      if ((await setLockOnce(self, this.#table, id, [boss])).set) {
        if ((await setLockOnce(self, this.#table, id, nodes)).set) {
          if (this.#known().every((node) => known.includes(node))) return nodes;
          await delLock(self, id, nodes);
        } else await delLock(self, id, [boss]);
      }
      await randomSleep(self, times);
    }
  }
}

function ended(): Exit {
  return new Exit(NOPROC, 'global has ended on this node');
}
