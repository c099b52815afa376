// Connected nodes with which a synchronisation got stuck.
//
// A connection that is lost in the middle can leave a connected node known and not synchronised, or the other way
// round, for good: the two sides do not mean the same. From a node that is so for long we part, so that it can come
// back as a new one.
import type { Process } from '../erts/process.js';
import type { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Peers } from './global_peers.js';

/** So many looks in a row find a node odd before we part from it. */
const ODD_TIMES = 3;

export interface OddNodesHost {
  readonly self: Process;
  readonly peers: Peers;
  /** False while there are no sessions at all. */
  connectAll(): boolean;
  /** Has `look` called after a while. */
  lookLater(): void;
  part(node: Atom): void;
}

export class OddNodes {
  readonly #host: OddNodesHost;
  /** Those seen, on which connection and how often in a row. */
  readonly #odd = new Map<Atom, { readonly connection: number; times: number }>();
  #looking = false;

  constructor(host: OddNodesHost) {
    this.#host = host;
  }

  /** Begins to look if a node is odd now and nobody looks yet. */
  watch(): void {
    const { peers } = this.#host;
    if (this.#looking || ![...peers.connections.keys()].some((node) => this.#isOdd(node))) return;
    this.#looking = true;
    this.#host.lookLater();
  }

  /** The connection to it has ended. */
  gone(node: Atom): void {
    this.#odd.delete(node);
  }

  /** One look at all connected nodes. */
  look(): void {
    for (const [node, connection] of this.#host.peers.connections) {
      const before = this.#odd.get(node);
      if (!this.#isOdd(node)) this.#odd.delete(node);
      else if (before?.connection !== connection) this.#odd.set(node, { connection, times: 1 });
      else if (++before.times >= ODD_TIMES) {
        this.#odd.delete(node);
        this.#part(node);
      }
    }
    this.#looking = false;
    this.watch();
  }

  #isOdd(node: Atom): boolean {
    const { peers } = this.#host;
    return this.#host.connectAll() && peers.known.has(node) !== peers.synced.has(node);
  }

  #part(node: Atom): void {
    const { self } = this.#host;
    const [own, peer] = [format(self.node), format(node)];
    const text = `'global' at node ${own} was not synchronised with node ${peer}; parting from it`;
    self.system.log('warning', text, { node: node.name });
    this.#host.part(node);
  }
}
