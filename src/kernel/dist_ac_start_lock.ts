// When a start may be decided: while nobody synchronises, for then the nodes that take part do not change meanwhile.
import type { Process } from '../erts/process.js';
import type { Atom } from '../terms/atom.js';
import { tuple } from '../terms/tuple.js';
import { DIST_AC, type DistAcOptions } from './dist_ac_options.js';

/** For so long a start waits at most: who holds the lock may wait for this very start. */
const LOCK_WITHIN_MS = 5000;

export class StartLock {
  readonly #options: Pick<DistAcOptions, 'canLock' | 'lockHolders'>;
  /** Since when a start of ours waits for a lock that others hold. */
  #since: number | undefined;
  #stuck: ReadonlySet<Atom> = new Set();

  constructor(options: Pick<DistAcOptions, 'canLock' | 'lockHolders'>) {
    this.#options = options;
  }

  /**
   * Whether a start may be decided now; if not it is asked for again later. Who synchronises for long waits for somebody,
   * perhaps for us, and starts nothing before that is over: then we go on without.
   */
  lets(self: Process, app: Atom): boolean {
    const now = self.system.clock.now();
    const free = this.#options.canLock(tuple(DIST_AC, self.pid));
    const since = this.#since ?? now;
    if (!free && now - since < LOCK_WITHIN_MS) {
      this.#since = since;
      return false;
    }
    this.#since = undefined;
    if (!free) this.#goOnWithout(self, app);
    return true;
  }

  #goOnWithout(self: Process, app: Atom): void {
    const holders = this.#options.lockHolders?.() ?? [];
    this.#stuck = new Set(holders.filter((node) => node !== self.node));
    const names = holders.map((node) => node.name).join(', ');
    const text = `dist_ac: ${names} has held the lock for starts for ${LOCK_WITHIN_MS / 1000} s; starting ${app.name} without`;
    self.system.log('warning', text);
  }

  /** The other nodes that held the lock for too long, and still do. */
  stuck(): ReadonlySet<Atom> {
    if (this.#stuck.size > 0) {
      const holders = this.#options.lockHolders?.() ?? [];
      this.#stuck = new Set([...this.#stuck].filter((node) => holders.includes(node)));
    }
    return this.#stuck;
  }
}
