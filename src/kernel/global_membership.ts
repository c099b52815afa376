// Who shares names with this node: nodes come, are synchronised with, and go.
//
// A nodeup begins a session (with `global_groups` only when `global_group` has found out that names are shared). A node is
// gone when its connection is, when it was given up so that partitions do not overlap, or when it is of no group of
// ours; only the first is told to the others.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { Locker } from './global_locker.js';
import { inSync } from './global_messages.js';
import type { NameServerOptions } from './global_options.js';
import type { Peers } from './global_peers.js';
import { NodeWaiters } from './global_waiters.js';

/** What this needs of the name server. */
export interface MembershipHost {
  readonly self: Process;
  readonly peers: Peers;
  readonly locker: Locker;
  readonly options: Pick<NameServerOptions, 'groups' | 'connectRetries' | 'connect' | 'disconnect'>;
  /** Whether there are sessions at all. */
  connectAll(): boolean;
  /** Whether partitions that overlap are torn apart. */
  prevents(): boolean;
  /** Sends a plain message to the name server of a node, if it is connected. */
  send(node: Atom, message: Term): void;
  beginSession(node: Atom): void;
  endSession(node: Atom): void;
  /** Parts from a node, and has it part from us. */
  part(node: Atom): void;
  /** Tells the others that we lost a node. */
  tellLost(node: Atom): void;
  /** Drops the locks and names of a node. */
  dropResources(node: Atom): void;
  /** Has `notReached` called, in order with what else happens. */
  notReached(node: Atom): void;
}

/** Why a node is gone: its connection is, or it was given up on purpose, or it does not matter. */
type Gone = 'disconnected' | 'remove_connection' | 'ignore_node';

const GEN_CAST = atom('$gen_cast');
const GLOBAL_GROUP = atom('global_group');
const DISCONNECT_NODE = atom('disconnect_node');

export class Membership {
  readonly #host: MembershipHost;
  /** Who waits until nodes are synchronised with us, and until they are gone. */
  readonly #syncers = new NodeWaiters();
  readonly #leaving = new NodeWaiters();
  /** Connected nodes that share no names with us, says `global_group`: nobody waits for them. */
  readonly #excluded = new Set<Atom>();

  constructor(host: MembershipHost) {
    this.#host = host;
  }

  /** How many wait in `sync`. */
  get syncers(): number {
    return this.#syncers.size;
  }

  // --- nodes that come ---------------------------------------------------------------------------------------

  /** A node is connected. */
  up(node: Atom, connectionId: number): void {
    const { peers, options } = this.#host;
    peers.connections.set(node, connectionId);
    // with groups, `global_group` finds out first whether it shares names
    if (!options.groups.configured) this.#begin(node);
  }

  /** `global_group` has found that it shares names. */
  groupUp(node: Atom, connectionId: number): void {
    if (this.#host.peers.connections.get(node) !== connectionId) return;
    this.#excluded.delete(node);
    this.#begin(node);
  }

  #begin(node: Atom): void {
    if (!this.#host.connectAll()) return;
    // Given up while its connection was being made: it does not know that yet.
    if (this.#host.peers.removing.has(node)) this.#host.part(node);
    else this.#host.beginSession(node);
  }

  /** It has the same names as we. */
  tellSynced(node: Atom): void {
    this.#syncers.tell(node);
  }

  /** Connects to a node that somebody told of, and tells it that it has our names. */
  syncOther(node: Atom): void {
    const { self: server, peers, options } = this.#host;
    const { coming } = peers;
    coming.add(node);
    server.system.spawn(async (self) => {
      for (let tries = 0; tries <= options.connectRetries; tries++) {
        if ((await options.connect(node)) || self.system.isUp(node)) {
          coming.delete(node);
          this.#host.send(node, tuple(GEN_CAST, inSync(self.node)));
          return;
        }
      }
      coming.delete(node);
      const [own, other] = [format(self.node), format(node)];
      self.system.log('warning', `'global' at ${own} failed to connect to ${other}`);
      this.#host.notReached(node);
    });
  }

  /** It could not be connected; but it may have connected to us meanwhile. */
  notReached(node: Atom): void {
    const { self } = this.#host;
    if (self.system.isUp(node)) this.#host.send(node, tuple(GEN_CAST, inSync(self.node)));
    else this.gone(node, this.#ofInterest(node));
  }

  // --- nodes that go -----------------------------------------------------------------------------------------

  /** The connection to a node has ended. */
  down(node: Atom): void {
    this.gone(node, this.#ofInterest(node));
    this.#host.peers.connections.delete(node);
    this.#excluded.delete(node);
    this.#leaving.tell(node);
  }

  /** The others of our group want to know of the loss of a node, unless it is of no group of ours. */
  #ofInterest(node: Atom): Gone {
    return this.#host.options.groups.isParticipant(node) ? 'disconnected' : 'ignore_node';
  }

  /** `global_group` says that it shares no names. The connection stays, so that neither locks nor names end by themselves. */
  groupDown(node: Atom, connectionId: number): void {
    if (this.#host.peers.connections.get(node) !== connectionId) return;
    this.#excluded.add(node);
    this.#host.dropResources(node);
    this.gone(node, this.#host.options.groups.isMember(node) ? 'disconnected' : 'ignore_node');
  }

  /** It shares no names with us from now on. */
  gone(node: Atom, why: Gone): void {
    const { peers, locker } = this.#host;
    this.#host.endSession(node);
    locker.removeFromKnown(node);
    if (why === 'remove_connection') this.#markRemoving(node);
    else if (!peers.removing.delete(node) && why === 'disconnected' && this.#host.prevents()) {
      this.#host.tellLost(node);
    }
    peers.pending.delete(node);
    peers.known.delete(node);
    peers.synced.delete(node);
    peers.coming.delete(node);
    if (why !== 'remove_connection') this.#syncers.tell(node);
  }

  /** A member of our group is given up: it stays connected, and `global_group` is told. */
  exclude(node: Atom): void {
    this.gone(node, 'ignore_node');
    this.#host.self.system.whereis(GLOBAL_GROUP)?.deliver(tuple(DISCONNECT_NODE, node));
  }

  /** Only where there is, or is about to be, a connection whose end has to be passed over in silence. */
  #markRemoving(node: Atom): void {
    const entry = this.#host.self.system.findEntry(node);
    if (entry?.channel !== undefined || entry?.pending !== undefined) this.#host.peers.removing.add(node);
  }

  /** Closes all connections that global knows of, without making the others part from one another. */
  async disconnectAll(): Promise<Atom[]> {
    const nodes = [...this.#host.peers.connections.keys()];
    const gone = this.#leaving.wait(nodes);
    for (const node of nodes) {
      this.gone(node, 'remove_connection');
      this.#host.options.disconnect(node);
    }
    await gone;
    return nodes;
  }

  /** Resolves when each of these nodes is synchronised with us, or down. */
  sync(nodes: readonly Atom[]): Promise<void> {
    const { synced } = this.#host.peers;
    const missing = nodes.filter(
      (node) => node !== this.#host.self.node && !synced.has(node) && !this.#excluded.has(node),
    );
    for (const node of missing) {
      void this.#host.options.connect(node).then((up) => {
        if (!up) this.#syncers.tell(node);
      });
    }
    return this.#syncers.wait(missing);
  }
}
