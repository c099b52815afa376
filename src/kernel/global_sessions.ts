// The synchronisation of two name servers that meet (OTP: global.erl, "Connection algorithm").
//
// Us and a peer A, both at once:
//   nodeup(A)               init_connect ->                        each has made a tag for this session
//   <- init_connect         init_connect_ack ->                    both lockers know of each other now
//   the lockers set the lock in both partitions, then
//                           exchange ->                            all our names
//   <- exchange             resolved ->                            what A has to do, and whom we know
//   <- resolved             new_nodes -> our old partition         then the lock is given back
//                           in_sync -> everybody whom A knows
// `exchange` may come before our lock is set, and `resolved` before our own half is resolved: they are kept.
// A message with another tag belongs to a session that is over.
//
// The name server never waits: a session is a record of what came and what is missing.
import { KILL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import type { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { equals } from '../terms/order.js';
import type { Term } from '../terms/term.js';
import type { Tuple } from '../terms/tuple.js';
import type { Locker } from './global_locker.js';
import {
  cancelConnect,
  exchange,
  initConnect,
  initConnectAck,
  type LockSet,
  type NameEntry,
  type NodeVersion,
  newNodes,
  nodesToTerm,
  type Op,
  type PeerMessage,
  PROTOCOL_VERSION,
  type Resolved,
  resolved,
  VERIFIED_CONNECT,
} from './global_messages.js';
import type { NameTable } from './global_names.js';
import type { Peers } from './global_peers.js';
import type { Resolution } from './global_resolve.js';

/** A synchronisation that goes on. */
interface Session {
  readonly node: Atom;
  /** Tells this session from earlier and later ones with that node. */
  readonly myTag: number;
  /** From its `init_connect`. */
  hisTag: Term | undefined;
  /** The smaller of his version and ours; 0 before its `init_connect`. */
  version: number;
  /** Set when both sides hold the lock. */
  lockId: Tuple | undefined;
  /** The peer's names, when they came. */
  names: readonly NameEntry[] | undefined;
  /** Compares names; one at most. */
  resolver: Process | undefined;
  /** Our half of the resolution, when it is done: `resolved` was sent. */
  ops: readonly Op[] | undefined;
  /** The peer's half, when it came. */
  result: Resolved | undefined;
}

type InitConnect = Extract<PeerMessage, { type: 'init_connect' }>;
type NewNodes = Extract<PeerMessage, { type: 'new_nodes' }>;

/** What a session needs of the name server. */
export interface SessionHost {
  readonly self: Process;
  readonly peers: Peers;
  readonly names: NameTable;
  readonly locker: Locker;
  /** Casts to the name server of a node, if it is connected. */
  cast(node: Atom, message: Term): void;
  /** Sends a plain message to the name server of a node, if it is connected. */
  send(node: Atom, message: Term): void;
  disconnect(node: Atom): void;
  /** Starts comparing the peer's names with ours; `done` is told by way of the name server's mailbox. */
  resolve(node: Atom, tag: number, names: readonly NameEntry[]): Process;
  /** Connects to a node, then tells it `in_sync`. */
  syncOther(node: Atom): void;
  /** Does the operations; `lock` is the identity of the lock under which they were agreed on. */
  doOps(ops: readonly Op[], external: Resolved['external'], lock: Term | undefined): void;
  /** Somebody may wait for these nodes to be synchronised. */
  tellSynced(node: Atom): void;
  /** Locks and names of that node's processes go. */
  dropResources(node: Atom): void;
}

export class Sessions {
  readonly #host: SessionHost;
  readonly #sessions = new Map<Atom, Session>();
  /** `init_connect`s that came while there was no session. */
  readonly #early = new Map<Atom, InitConnect>();
  /** Sessions in a row that ran into the limit of time. */
  readonly #expiries = new Map<Atom, number>();
  #tags = 0;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** The nodes with a session, for `info`. */
  nodes(): { readonly node: Atom; readonly tag: number }[] {
    return [...this.#sessions.values()].map(({ node, myTag }) => ({ node, tag: myTag }));
  }

  /** Our tag of the session with a node, if one goes on. */
  tagOf(node: Atom): number | undefined {
    return this.#sessions.get(node)?.myTag;
  }

  #current(node: Atom, tag: Term): Session | undefined {
    const session = this.#sessions.get(node);
    return session?.myTag === tag ? session : undefined;
  }

  // --- 1, 2, 3: the introduction -------------------------------------------------------------------------------

  /** A node came up: makes us known to it, unless it is known already or being synchronised with. */
  begin(node: Atom): void {
    const { peers, locker, self } = this.#host;
    if (peers.known.has(node) || this.#sessions.has(node)) return;
    const session: Session = {
      node,
      myTag: ++this.#tags,
      hisTag: undefined,
      version: 0,
      lockId: undefined,
      names: undefined,
      resolver: undefined,
      ops: undefined,
      result: undefined,
    };
    this.#sessions.set(node, session);
    this.#host.cast(node, initConnect(session.myTag, self.node, peers.known, locker.process.pid));
    const early = this.#early.get(node);
    if (early === undefined) return;
    this.#early.delete(node);
    this.initConnect(early);
  }

  initConnect(message: InitConnect): void {
    const { peers, self, locker } = this.#host;
    const { node, tag } = message;
    if (!peers.connections.has(node)) return;
    if (peers.pending.has(node)) {
      this.#outOfStep(message);
      return;
    }
    const session = this.#sessions.get(node);
    if (session === undefined) {
      this.#early.set(node, message);
      if (peers.known.get(node) === 0) peers.known.set(node, message.version);
      return;
    }
    session.hisTag = tag;
    session.version = Math.min(message.version, PROTOCOL_VERSION);
    const { myTag, version } = session;
    locker.add({ node, locker: message.locker, version, myTag, hisTag: tag });
    if (version >= VERIFIED_CONNECT) this.#host.send(node, initConnectAck(self.node, tag, myTag));
    peers.pending.set(node, message.version);
  }

  /** A second `init_connect` in one session: the two sides do not mean the same one. */
  #outOfStep(message: InitConnect): void {
    const { self } = this.#host;
    const { node } = message;
    if (message.version < VERIFIED_CONNECT) {
      const [own, peer] = [format(self.node), format(node)];
      self.system.log(
        'error',
        `'global' at node ${own} got an out of sync connection attempt from old version ` +
          `${message.version} node ${peer}. Disconnecting from it.`,
      );
      this.#host.disconnect(node);
      return;
    }
    this.#host.send(node, cancelConnect(self.node, message.tag));
    this.restart(node);
  }

  initConnectAck(node: Atom, receiverTag: Term, senderTag: Term): void {
    const session = this.#sessions.get(node);
    if (session?.myTag === receiverTag && session.hisTag !== undefined) {
      if (equals(session.hisTag, senderTag)) return;
    }
    this.#host.send(node, cancelConnect(this.#host.self.node, senderTag));
    this.restart(node);
  }

  cancelConnect(node: Atom, tag: Term): void {
    if (this.#current(node, tag) === undefined) return;
    this.#host.peers.pending.delete(node); // it knows: no cancel_connect in return
    this.restart(node);
  }

  /** Drops the session and begins a new one, if there was one. */
  restart(node: Atom): void {
    const session = this.#sessions.get(node);
    this.cancel(node, session?.myTag);
    this.reset(node);
    this.#host.peers.pending.delete(node);
    if (session === undefined) return;
    this.#host.dropResources(node);
    this.begin(node);
  }

  /** Ends what locker and resolver do for the session with that tag, and tells the peer if it takes part in it. */
  cancel(node: Atom, tag: Term | undefined, before: { node: Atom; message: Term }[] = []): void {
    if (tag === undefined) return;
    const { locker, peers, self } = this.#host;
    locker.cancel(node, tag, before);
    const session = this.#current(node, tag);
    if (session === undefined) return;
    if (session.hisTag !== undefined && (peers.pending.get(node) ?? 0) >= VERIFIED_CONNECT) {
      this.#host.send(node, cancelConnect(self.node, session.hisTag));
    }
    if (session.resolver !== undefined) self.exitSignal(session.resolver.pid, KILL);
  }

  /** Forgets the session. */
  reset(node: Atom): void {
    this.#sessions.delete(node);
    this.#early.delete(node);
  }

  /** The node is gone, or treated as if it were. */
  gone(node: Atom): void {
    this.cancel(node, this.#sessions.get(node)?.myTag);
    this.reset(node);
    this.#expiries.delete(node);
  }

  // --- 4, 5, 6: locked, names exchanged --------------------------------------------------------------------------

  /** The other locker has told: ours wants to know, if it is about the session that goes on. */
  lockSet(message: LockSet): void {
    const { node } = message.locker;
    if (message.tag === undefined || this.#current(node, message.tag) !== undefined) {
      this.#host.locker.lockSet(message);
    }
  }

  lockIsSet(node: Atom, tag: number, lockId: Tuple): void {
    const session = this.#current(node, tag);
    if (session === undefined) {
      this.cancel(node, tag);
      return;
    }
    session.lockId = lockId;
    const { self, names } = this.#host;
    this.#host.cast(node, exchange(self.node, names.toTerms(), session.hisTag as Term));
    this.#resolveIfReady(session);
  }

  exchange(node: Atom, names: readonly NameEntry[], tag: Term): void {
    const session = this.#current(node, tag);
    if (session === undefined) {
      this.cancel(node, tag);
      return;
    }
    session.names ??= names;
    this.#resolveIfReady(session);
  }

  #resolveIfReady(session: Session): void {
    if (session.lockId === undefined || session.names === undefined || session.resolver !== undefined) return;
    session.resolver = this.#host.resolve(session.node, session.myTag, session.names);
  }

  /** Our resolver is done. */
  exchangeOps(node: Atom, tag: number, resolution: Resolution): void {
    const session = this.#current(node, tag);
    if (session === undefined) {
      this.cancel(node, tag);
      return;
    }
    const { peers, names, self } = this.#host;
    const known = nodesToTerm(peers.knownNodes(), peers.versionOf(node));
    const external = names.externalToTerms();
    this.#host.cast(node, resolved(self.node, resolution.resolved, known, external, session.hisTag as Term));
    session.ops = resolution.ops;
    this.#finishIfReady(session);
  }

  resolved(node: Atom, result: Resolved, tag: Term): void {
    const session = this.#current(node, tag);
    if (session === undefined) {
      this.cancel(node, tag);
      return;
    }
    session.result ??= result;
    this.#finishIfReady(session);
  }

  // --- 7: one partition ------------------------------------------------------------------------------------------

  #finishIfReady(session: Session): void {
    const { ops, result, node, lockId } = session;
    if (ops === undefined || result === undefined || lockId === undefined) return;
    const { peers, self, locker } = this.#host;
    const all = [...ops, ...result.ops];
    const before = peers.knownNodes();
    const nodes = this.#withVersions([{ node, version: 0 }, ...result.known]);
    const others = result.known.map((other) => other.node).filter((other) => other !== self.node);
    for (const other of others) this.#host.syncOther(other);
    this.#host.doOps(all, result.external, lockId);
    this.#host.tellSynced(node);
    for (const other of others) this.#settled(other, []);
    const casts = before.map((old) => {
      const joined = nodesToTerm(nodes, old.version);
      const message = newNodes(self.node, all, result.external, joined, session.version, lockId);
      return { node: old.node, message };
    });
    this.#settled(node, casts);
    locker.addToKnown(peers.addToKnown(nodes));
    peers.synced.add(node);
    this.#expiries.delete(node);
  }

  /** The session with a node is over because it is of our partition now. */
  #settled(node: Atom, before: { node: Atom; message: Term }[]): void {
    this.#host.peers.pending.delete(node);
    this.cancel(node, this.#sessions.get(node)?.myTag, before);
    this.reset(node);
  }

  #withVersions(nodes: readonly NodeVersion[]): NodeVersion[] {
    return nodes.map(({ node, version }) => ({
      node,
      version: version === 0 ? this.#host.peers.versionOf(node) : version,
    }));
  }

  // --- 8, 9: told by others ------------------------------------------------------------------------------------

  newNodes(message: NewNodes): void {
    const { peers, locker } = this.#host;
    const added = peers.addToKnown(message.nodes);
    for (const node of added) this.#host.syncOther(node);
    this.#host.doOps(message.ops, message.external, message.lock);
    locker.addToKnown(added);
  }

  inSync(node: Atom): void {
    const { peers } = this.#host;
    if (!peers.connections.has(node)) return;
    this.#host.tellSynced(node);
    peers.synced.add(node);
    this.#settled(node, []);
  }

  // --- too long ----------------------------------------------------------------------------------------------------

  /**
   * The session held the lock for longer than the limit, and everybody waits. The first time it is cancelled and
   * begun again, which heals whatever froze for a while; where that cannot be told to the peer, or did not
   * help, the peer is disconnected.
   */
  expired(node: Atom, tag: number, limitMs: number): void {
    const session = this.#current(node, tag);
    if (session === undefined) return;
    const { self } = this.#host;
    const times = (this.#expiries.get(node) ?? 0) + 1;
    this.#expiries.set(node, times);
    const again = times === 1 && session.version >= VERIFIED_CONNECT && session.ops === undefined;
    self.system.log(
      'warning',
      `'global' at node ${format(self.node)} could not synchronise with node ${format(node)} within ` +
        `${limitMs} ms; ${again ? 'it begins again' : 'disconnecting from it'}`,
      { node: node.name },
    );
    if (again) this.restart(node);
    else {
      this.cancel(node, tag);
      this.reset(node);
      this.#host.disconnect(node);
    }
  }
}
