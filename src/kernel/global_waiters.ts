// Who waits until something is true of each of some nodes.
import type { Atom } from '../terms/atom.js';

interface Waiter {
  readonly nodes: Set<Atom>;
  readonly done: () => void;
}

export class NodeWaiters {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves when `tell` was called for each of these nodes. */
  wait(nodes: readonly Atom[]): Promise<void> {
    if (nodes.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#waiters.add({ nodes: new Set(nodes), done });
    });
  }

  tell(node: Atom): void {
    for (const waiter of this.#waiters) {
      if (!waiter.nodes.delete(node) || waiter.nodes.size > 0) continue;
      this.#waiters.delete(waiter);
      waiter.done();
    }
  }
}
