// The process `global_name_server`: tables of locks and names, the synchronisation with other nodes, and the prevention
// of overlapping partitions (OTP: global.erl; its opening comments tell the algorithms).
//
// It answers every message at once and never waits. What takes time runs elsewhere: the locker takes locks for
// synchronisations, the registrar changes the tables of all nodes, a resolver settles conflicts of names.
//
// Left out: versions of the protocol below 5 (OTP R10 and earlier), tracing.

import { KILL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import type { NodeEvent } from '../erts/system.js';
import { type From, reply } from '../stdlib/gen.js';
import type { GenServer, Step } from '../stdlib/gen_server.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { type Answer, type CallHost, Calls } from './global_calls.js';
import { NameChanges } from './global_changes.js';
import type { GroupConfig } from './global_group_config.js';
import { stateToTerm } from './global_info.js';
import { isUp, Locker, SESSION_LIMIT_MS } from './global_locker.js';
import { GLOBAL, LockTable } from './global_locks.js';
import {
  GLOBAL_NAME_SERVER,
  inSync,
  type NameEntry,
  type PeerMessage,
  readCast,
  readInfo,
} from './global_messages.js';
import { NameTable } from './global_names.js';
import { OddNodes } from './global_odd_nodes.js';
import { Partitions } from './global_partitions.js';
import { Peers } from './global_peers.js';
import { Registrar } from './global_registrar.js';
import { exchangeNames, type Resolution, type Resolvers } from './global_resolve.js';
import { type SessionHost, Sessions } from './global_sessions.js';
import { NodeWaiters } from './global_waiters.js';
import { LocalEvents } from './local_events.js';

export interface NameServerOptions {
  /** Whether nodes form one network in which all know all; false: no sessions at all. */
  readonly connectAll: boolean;
  /** Whether islands that overlap are torn apart (`prevent_overlapping_partitions`). */
  readonly preventOverlappingPartitions: boolean;
  /** Which nodes share names with this one (`global_groups`). */
  readonly groups: GroupConfig;
  /** How often connecting to a node that somebody told of is tried again (`global_connect_retries`). */
  readonly connectRetries: number;
  /** How long a session may hold the lock. */
  readonly sessionLimitMs?: number;
  readonly resolvers: Resolvers;
  /** Asked when a process of another node has been granted a lock: the answer waits for the promise. */
  holdSetLock(id: Tuple, pid: Pid): Promise<unknown> | undefined;
  /** Asked when a process of another node gives a lock back: the answer waits for the promise. */
  holdDelLock(id: Tuple, pid: Pid): Promise<unknown> | undefined;
  disconnect(node: Atom): void;
  /** Connects to a node if need be; resolves to whether it is connected. */
  connect(node: Atom): Promise<boolean>;
}

type OwnEvent =
  | {
      readonly type: 'up' | 'group_up' | 'group_down';
      readonly node: Atom;
      readonly connectionId: number;
    }
  | { readonly type: 'down'; readonly node: Atom }
  | { readonly type: 'extra_down'; readonly node: Atom }
  | { readonly type: 'lock_is_set'; readonly node: Atom; readonly tag: number; readonly lockId: Tuple }
  | { readonly type: 'look_for_odd' }
  | { readonly type: 'expired'; readonly node: Atom; readonly tag: number }
  | { readonly type: 'lock_grows_old'; readonly node: Atom; readonly tag: number; readonly pid: Pid }
  | {
      readonly type: 'exchange_ops';
      readonly node: Atom;
      readonly tag: number;
      readonly resolution: Resolution;
    };

/** Why a node is gone: its connection is, or it was given up on purpose, or it does not matter. */
type Gone = 'disconnected' | 'remove_connection' | 'ignore_node';

const GEN_CAST = atom('$gen_cast');
const GLOBAL_GROUP = atom('global_group');
const DISCONNECT_NODE = atom('disconnect_node');
const DOWN = atom('DOWN');
const EXIT = atom('EXIT');
const UNDEFINED = atom('undefined');

export class NameServer implements GenServer<undefined> {
  readonly module: Atom = GLOBAL as Atom;
  readonly options: NameServerOptions;
  readonly #events = new LocalEvents<OwnEvent>();
  /** Who waits until nodes are synchronised with us, and until they are gone. */
  readonly #syncers = new NodeWaiters();
  readonly #leaving = new NodeWaiters();
  /** Connected nodes that share no names with us, says `global_group`: nobody waits for them. */
  readonly #excluded = new Set<Atom>();
  /** Set by `init`, before anything else can be called. */
  self!: Process;
  locks!: LockTable;
  names!: NameTable;
  peers!: Peers;
  locker!: Locker;
  registrar!: Registrar;
  #sessions!: Sessions;
  #changes!: NameChanges;
  #calls!: Calls;
  #partitions!: Partitions;
  #oddNodes!: OddNodes;
  /** From `prepareShutdown` on connections end without a word. */
  #shuttingDown = false;
  readonly #limitMs: number;

  constructor(options: NameServerOptions) {
    this.options = options;
    this.#limitMs = options.sessionLimitMs ?? SESSION_LIMIT_MS;
  }

  // --- the start -------------------------------------------------------------------------------------------

  init(self: Process): { state: undefined } {
    const { system } = self;
    self.trapExit = true;
    self.asyncDist = true;
    this.self = self;
    const watcher = {
      monitor: (pid: Pid): Reference => self.monitor(pid),
      demonitor: (ref: Reference): void => self.demonitor(ref, { flush: true }),
    };
    this.locks = new LockTable(watcher);
    this.names = new NameTable(watcher);
    this.peers = new Peers(system.node);
    const listener = {
      isReachable: (node: Atom): boolean => this.peers.coming.has(node) || isUp(system, node),
      lockIsSet: (node: Atom, tag: number, lockId: Tuple): void =>
        this.#post({ type: 'lock_is_set', node, tag, lockId }),
      expired: (node: Atom, tag: number): void => this.#post({ type: 'expired', node, tag }),
    };
    this.locker = new Locker(system, this.locks, listener, this.#limitMs);
    this.registrar = new Registrar(system, this.locks, () => [...this.peers.known.keys()]);
    const helpers = [this.locker.process, this.registrar.process];
    for (const helper of helpers) self.link(helper.pid);
    self.signal.addEventListener('abort', () => {
      system.nodeListeners.delete(this.#nodeEvent);
      for (const helper of helpers) helper.exitArrived(self.pid, KILL, 'exit2');
    });
    this.#sessions = new Sessions(this.#sessionHost());
    this.#changes = new NameChanges(self, this.locks, this.names);
    this.#calls = new Calls(this.#callHost());
    this.#partitions = new Partitions(self, this.peers, {
      send: (node, message) => this.#send(node, message),
      disconnect: (node) => this.options.disconnect(node),
      gone: (node) => this.#gone(node, 'remove_connection'),
      isParticipant: (node) => this.options.groups.isParticipant(node),
      isMember: (node) => this.options.groups.isMember(node),
      exclude: (node) => this.#exclude(node),
    });
    this.#oddNodes = new OddNodes({
      self,
      peers: this.peers,
      connectAll: () => this.#connectAll,
      lookLater: () => this.#events.postAfter(self, this.#limitMs, { type: 'look_for_odd' }),
      part: (node) => this.#partitions.part(node),
    });
    for (const channel of system.channels()) {
      if (channel.visible) this.peers.connections.set(channel.node, channel.connectionId);
    }
    system.nodeListeners.add(this.#nodeEvent);
    return { state: undefined };
  }

  /** Nodeups and nodedowns take their place among the messages: after the old connection's, before the new one's. */
  readonly #nodeEvent = (event: NodeEvent): void => {
    const { node, channel } = event;
    if (!channel.visible) return;
    this.#post(
      event.type === 'up' ? { type: 'up', node, connectionId: channel.connectionId } : { type: 'down', node },
    );
  };

  #post(event: OwnEvent): void {
    this.#events.post(this.self, event);
  }

  /** From now on connections that are lost are nobody's concern: the node is stopping. */
  prepareShutdown(): void {
    this.#shuttingDown = true;
  }

  get #connectAll(): boolean {
    return this.options.connectAll && !this.#shuttingDown;
  }

  get #prevents(): boolean {
    return this.#connectAll && this.options.preventOverlappingPartitions;
  }

  // --- what calls and sessions need ------------------------------------------------------------------------------------

  #callHost(): CallHost {
    const { self, locks, names, peers, locker, options } = this;
    return {
      self,
      locks,
      names,
      peers,
      locker,
      changes: this.#changes,
      tagOf: (node) => this.#sessions.tagOf(node),
      // The other locker has to get on with it, or nobody here can register a name.
      sessionLocked: (node, tag, pid) =>
        this.#events.postAfter(self, this.#limitMs, { type: 'lock_grows_old', node, tag, pid }),
      options,
      sync: (nodes) => this.sync(nodes),
      disconnectAll: () => this.disconnectAll(),
      formatState: () => this.formatState(),
    };
  }

  #sessionHost(): SessionHost {
    const { self, peers, names, locker } = this;
    return {
      self,
      peers,
      names,
      locker,
      cast: (node, message) => this.#send(node, tuple(GEN_CAST, message)),
      send: (node, message) => this.#send(node, message),
      disconnect: (node) => this.options.disconnect(node),
      resolve: (node, tag, theirs) => this.#resolve(node, tag, theirs),
      syncOther: (node) => this.#syncOther(node),
      doOps: (ops, external, lock) => this.#changes.doOps(ops, external, lock),
      tellSynced: (node) => this.#syncers.tell(node),
      dropResources: (node) => this.#dropResources(node),
    };
  }

  /** Without a connection the message is lost: nothing here is worth connecting again for. */
  #send(node: Atom, message: Term): void {
    if (this.self.system.findEntry(node)?.channel !== undefined) {
      this.self.send(tuple(GLOBAL_NAME_SERVER, node), message);
    }
  }

  #resolve(node: Atom, tag: number, theirs: readonly NameEntry[]): Process {
    return this.self.system.spawn(async (resolver) => {
      const { resolvers } = this.options;
      const resolution = await exchangeNames(
        resolver,
        theirs,
        node,
        this.names,
        resolvers,
        this.#limitMs / 2,
      );
      this.#post({ type: 'exchange_ops', node, tag, resolution });
    });
  }

  /** Connects to a node that somebody told of, and tells it that it has our names. */
  #syncOther(node: Atom): void {
    const { coming } = this.peers;
    coming.add(node);
    this.self.system.spawn(async (self) => {
      for (let tries = 0; tries <= this.options.connectRetries; tries++) {
        if ((await this.options.connect(node)) || isUp(self.system, node)) {
          coming.delete(node);
          this.#send(node, tuple(GEN_CAST, inSync(self.node)));
          return;
        }
      }
      coming.delete(node);
      const [own, other] = [format(self.node), format(node)];
      self.system.log('warning', `'global' at ${own} failed to connect to ${other}`);
      this.#post({ type: 'extra_down', node });
    });
  }

  #dropResources(node: Atom): void {
    this.locks.nodeGone(node);
    this.names.nodeGone(node);
  }

  // --- calls ---------------------------------------------------------------------------------------------------

  handleCall(request: Term, from: From, state: undefined): Step<undefined> {
    const answer = this.#guarded(() => this.#call(request, from));
    return typeof answer === 'object' ? { state, reply: answer.reply } : { state };
  }

  #call(request: Term, from: From): Answer {
    const answer = this.#calls.handle(request, from);
    if (answer === undefined) {
      this.#unexpected(`handle_call(${format(request)}, {${format(from.pid)}, ${format(from.tag)}}, _)`);
    }
    return answer;
  }

  /** The state in the shape of OTP's record, for `info` and `sys:get_state`. */
  formatState(): Term {
    return stateToTerm(this, this.#sessions.nodes(), this.#syncers.size);
  }

  // --- casts, messages, events -----------------------------------------------------------------------------------

  handleCast(message: Term, state: undefined): Step<undefined> {
    this.#guarded(() => {
      const read = readCast(message);
      if (read === undefined) this.#unexpected(`handle_cast(${format(message)}, _)`);
      else this.#peerMessage(read);
      this.#oddNodes.watch();
    });
    return { state };
  }

  handleInfo(message: Term, state: undefined): Step<undefined> {
    const event = this.#events.of(message);
    if (event !== undefined) {
      this.#guarded(() => this.#ownEvent(event));
      this.#oddNodes.watch();
    } else if (this.#partitions.handled(message)) return { state };
    else if (isTagged(message, DOWN, 5)) this.#down(message.elements[1] as Term);
    else if (isTagged(message, EXIT, 3)) return this.#exit(message, state);
    else {
      this.#guarded(() => {
        const read = readInfo(message);
        if (read === undefined) this.#unexpected(`handle_info(${format(message)}, _)`);
        else this.#peerMessage(read);
      });
    }
    return { state };
  }

  #down(ref: Term): void {
    if (!(ref instanceof Reference)) return;
    this.locks.down(ref);
    this.names.down(ref);
  }

  /** Without locker or registrar there is no global; the exits of external processes do not matter. */
  #exit(message: Tuple, state: undefined): Step<undefined> {
    const from = message.elements[1];
    if (!(from instanceof Pid)) return { state };
    if (from.key === this.locker.process.pid.key) return { state, stop: tuple(atom('locker_died'), message) };
    if (from.key === this.registrar.process.pid.key) {
      return { state, stop: tuple(atom('registrar_died'), message) };
    }
    return { state };
  }

  #peerMessage(message: PeerMessage): void {
    switch (message.type) {
      case 'init_connect':
        if (this.#connectAll) this.#sessions.initConnect(message);
        return;
      case 'bad_version':
        this.self.system.log(
          'info',
          `Illegal global protocol version ${format(message.version)} Node: ${format(message.node)}`,
        );
        return;
      case 'init_connect_ack':
        this.#sessions.initConnectAck(message.node, message.receiverTag, message.senderTag);
        break;
      case 'cancel_connect':
        this.#sessions.cancelConnect(message.node, message.tag);
        break;
      case 'lock_set':
        this.#sessions.lockSet(message.message);
        break;
      case 'exchange':
        this.#sessions.exchange(message.node, message.names, message.tag);
        break;
      case 'resolved':
        this.#sessions.resolved(message.node, message.result, message.tag);
        break;
      case 'new_nodes':
        this.#sessions.newNodes(message);
        break;
      case 'in_sync':
        this.#sessions.inSync(message.node);
        break;
      case 'lost_connection':
        if (this.#prevents) this.#partitions.lostConnection(message);
        return;
      case 'remove_connection':
        this.#partitions.removeConnection(message.node);
        break;
      case 'whereis':
        this.#whereis(message.name, message.from);
        break;
      case 'obsolete':
    }
  }

  #ownEvent(event: OwnEvent): void {
    if (event.type === 'look_for_odd') {
      this.#oddNodes.look();
      return;
    }
    const { node } = event;
    switch (event.type) {
      case 'up':
        this.#up(node, event.connectionId);
        return;
      case 'group_up':
        if (this.peers.connections.get(node) !== event.connectionId) return;
        this.#excluded.delete(node);
        this.#begin(node);
        return;
      case 'group_down':
        this.#groupDown(node, event.connectionId);
        return;
      case 'down':
        this.#gone(node, this.#ofInterest(node));
        this.peers.connections.delete(node);
        this.#excluded.delete(node);
        this.#oddNodes.gone(node);
        this.names.registrarGone(node);
        this.#leaving.tell(node);
        return;
      case 'extra_down':
        // it may have connected to us meanwhile
        if (isUp(this.self.system, node)) this.#send(node, tuple(GEN_CAST, inSync(this.self.node)));
        else this.#gone(node, this.#ofInterest(node));
        return;
      case 'lock_is_set':
        this.#sessions.lockIsSet(node, event.tag, event.lockId);
        break;
      case 'lock_grows_old':
        if (this.locks.isHeldBy(GLOBAL, event.pid)) this.#sessions.expired(node, event.tag, this.#limitMs);
        break;
      case 'expired':
        this.#sessions.expired(node, event.tag, this.#limitMs);
        break;
      case 'exchange_ops':
        this.#sessions.exchangeOps(node, event.tag, event.resolution);
        break;
    }
  }

  #whereis(name: Term, from: Term): void {
    if (!(from instanceof Tuple) || from.elements.length !== 2) return;
    const [pid, tag] = from.elements as [Term, Term];
    if (pid instanceof Pid) reply(this.self, { pid, tag }, this.whereis(name) ?? UNDEFINED);
  }

  /** The process of a name; one of ours that has ended has none. */
  whereis(name: Term): Pid | undefined {
    const pid = this.names.get(name)?.pid;
    if (pid?.node === this.self.node && this.self.system.process(pid) === undefined) return undefined;
    return pid;
  }

  // --- nodes that come ---------------------------------------------------------------------------------------

  #up(node: Atom, connectionId: number): void {
    const { peers } = this;
    peers.connections.set(node, connectionId);
    // with groups, `global_group` finds out first whether it shares names
    if (!this.options.groups.configured) this.#begin(node);
  }

  #begin(node: Atom): void {
    const { peers } = this;
    if (!this.#connectAll) return;
    // Given up while its connection was being made: it does not know that yet.
    if (peers.removing.has(node)) this.#partitions.part(node);
    else this.#sessions.begin(node);
  }

  /** See `Global.groupNodeup`. */
  groupNodeup(node: Atom, connectionId: number): void {
    this.#post({ type: 'group_up', node, connectionId });
  }

  /** See `Global.groupNodedown`. */
  groupNodedown(node: Atom, connectionId: number): void {
    this.#post({ type: 'group_down', node, connectionId });
  }

  // --- nodes that go -------------------------------------------------------------------------------------------

  /** The others of our group want to know of the loss of a node, unless it is of no group of ours. */
  #ofInterest(node: Atom): Gone {
    return this.options.groups.isParticipant(node) ? 'disconnected' : 'ignore_node';
  }

  /** The connection stays, so that neither locks nor names end by themselves. */
  #groupDown(node: Atom, connectionId: number): void {
    if (this.peers.connections.get(node) !== connectionId) return;
    this.#excluded.add(node);
    this.#dropResources(node);
    this.#gone(node, this.options.groups.isMember(node) ? 'disconnected' : 'ignore_node');
  }

  #gone(node: Atom, why: Gone): void {
    const { peers, locker } = this;
    this.#sessions.gone(node);
    locker.removeFromKnown(node);
    if (why === 'remove_connection') this.#markRemoving(node);
    else if (!peers.removing.delete(node) && why === 'disconnected' && this.#prevents) {
      this.#partitions.tellLost(node);
    }
    peers.pending.delete(node);
    peers.known.delete(node);
    peers.synced.delete(node);
    peers.coming.delete(node);
    if (why !== 'remove_connection') this.#syncers.tell(node);
  }

  /** A member of our group is given up: it stays connected, and `global_group` is told. */
  #exclude(node: Atom): void {
    this.#gone(node, 'ignore_node');
    this.self.system.whereis(GLOBAL_GROUP)?.deliver(tuple(DISCONNECT_NODE, node));
  }

  /** Only where there is, or is about to be, a connection whose end has to be passed over in silence. */
  #markRemoving(node: Atom): void {
    const entry = this.self.system.findEntry(node);
    if (entry?.channel !== undefined || entry?.pending !== undefined) this.peers.removing.add(node);
  }

  /** Closes all connections that global knows of, without making the others part from one another. */
  async disconnectAll(): Promise<Atom[]> {
    const nodes = [...this.peers.connections.keys()];
    const gone = this.#leaving.wait(nodes);
    for (const node of nodes) {
      this.#gone(node, 'remove_connection');
      this.options.disconnect(node);
    }
    await gone;
    return nodes;
  }

  /** Resolves when each of these nodes is synchronised with us, or down. */
  sync(nodes: readonly Atom[]): Promise<void> {
    const { synced } = this.peers;
    const missing = nodes.filter(
      (node) => node !== this.self.node && !synced.has(node) && !this.#excluded.has(node),
    );
    for (const node of missing) {
      void this.options.connect(node).then((up) => {
        if (!up) this.#syncers.tell(node);
      });
    }
    return this.#syncers.wait(missing);
  }

  // --- robustness ------------------------------------------------------------------------------------------------

  /** Nothing that a peer sends may end this process: a mistake of ours is logged. */
  #guarded<T>(handle: () => T): T | undefined {
    try {
      return handle();
    } catch (error) {
      this.self.system.log('error', 'global_name_server could not handle a message', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return undefined;
    }
  }

  #unexpected(what: string): void {
    const text = what.length > 1000 ? `${what.slice(0, 1000)}...` : what;
    this.self.system.log('warning', `The global_name_server received an unexpected message:\n${text}`);
  }
}
