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
import { stateToTerm } from './global_info.js';
import { Locker, SESSION_LIMIT_MS } from './global_locker.js';
import { GLOBAL, LockTable } from './global_locks.js';
import { Membership, type MembershipHost } from './global_membership.js';
import {
  GLOBAL_NAME_SERVER,
  type NameEntry,
  type PeerMessage,
  readCast,
  readInfo,
} from './global_messages.js';
import { NameTable } from './global_names.js';
import { OddNodes } from './global_odd_nodes.js';
import type { NameServerOptions } from './global_options.js';
import { Partitions } from './global_partitions.js';
import { Peers } from './global_peers.js';
import { Registrar } from './global_registrar.js';
import { exchangeNames, type Resolution } from './global_resolve.js';
import { type SessionHost, Sessions } from './global_sessions.js';
import { LocalEvents } from './local_events.js';

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

const GEN_CAST = atom('$gen_cast');
const DOWN = atom('DOWN');
const EXIT = atom('EXIT');
const UNDEFINED = atom('undefined');

export class NameServer implements GenServer<undefined> {
  readonly module: Atom = GLOBAL as Atom;
  readonly options: NameServerOptions;
  readonly #events = new LocalEvents<OwnEvent>();
  /** Set by `init`, before anything else can be called. */
  self!: Process;
  locks!: LockTable;
  names!: NameTable;
  peers!: Peers;
  locker!: Locker;
  registrar!: Registrar;
  #membership!: Membership;
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
      isReachable: (node: Atom): boolean => this.peers.coming.has(node) || system.isUp(node),
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
    this.#membership = new Membership(this.#membershipHost());
    this.#sessions = new Sessions(this.#sessionHost());
    this.#changes = new NameChanges(self, this.locks, this.names);
    this.#calls = new Calls(this.#callHost());
    this.#partitions = new Partitions(self, this.peers, {
      send: (node, message) => this.#send(node, message),
      disconnect: (node) => this.options.disconnect(node),
      gone: (node) => this.#membership.gone(node, 'remove_connection'),
      isParticipant: (node) => this.options.groups.isParticipant(node),
      isMember: (node) => this.options.groups.isMember(node),
      exclude: (node) => this.#membership.exclude(node),
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

  // --- what its parts need of it ------------------------------------------------------------------------------------

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

  #membershipHost(): MembershipHost {
    const { self, peers, locker, options } = this;
    return {
      self,
      peers,
      locker,
      options,
      connectAll: () => this.#connectAll,
      prevents: () => this.#prevents,
      send: (node, message) => this.#send(node, message),
      beginSession: (node) => this.#sessions.begin(node),
      endSession: (node) => this.#sessions.gone(node),
      part: (node) => this.#partitions.part(node),
      tellLost: (node) => this.#partitions.tellLost(node),
      dropResources: (node) => this.#dropResources(node),
      notReached: (node) => this.#post({ type: 'extra_down', node }),
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
      syncOther: (node) => this.#membership.syncOther(node),
      doOps: (ops, external, lock) => this.#changes.doOps(ops, external, lock),
      tellSynced: (node) => this.#membership.tellSynced(node),
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
    return stateToTerm(this, this.#sessions.nodes(), this.#membership.syncers);
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
        this.#membership.up(node, event.connectionId);
        return;
      case 'group_up':
        this.#membership.groupUp(node, event.connectionId);
        return;
      case 'group_down':
        this.#membership.groupDown(node, event.connectionId);
        return;
      case 'down':
        this.#membership.down(node);
        this.#oddNodes.gone(node);
        this.names.registrarGone(node);
        return;
      case 'extra_down':
        this.#membership.notReached(node);
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

  /** See `Global.groupNodeup`. */
  groupNodeup(node: Atom, connectionId: number): void {
    this.#post({ type: 'group_up', node, connectionId });
  }

  /** See `Global.groupNodedown`. */
  groupNodedown(node: Atom, connectionId: number): void {
    this.#post({ type: 'group_down', node, connectionId });
  }

  /** See `Global.disconnect`. */
  disconnectAll(): Promise<Atom[]> {
    return this.#membership.disconnectAll();
  }

  /** See `Membership.sync`. */
  sync(nodes: readonly Atom[]): Promise<void> {
    return this.#membership.sync(nodes);
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
