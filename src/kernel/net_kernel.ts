// Connections to other nodes: who dials, who is let in, which attempt wins, who is told (OTP: net_kernel.erl).
//
// One record per node that is connected or about to be:
//   pending      somebody's attempt is in its handshake, ours or the peer's
//   up           the connection works
//   up_pending   it works as far as we know, and the peer is making a new one: it returned before we noticed
// When both dial, the attempt of the greater name goes on: the greater refuses the other's with `nok`, the lesser
// gives up its own and answers `ok_simultaneous`. The cookie is checked in every case before anything is replaced.
import {
  Channel,
  type ChannelOptions,
  DEFAULT_TICK_INTENSITY,
  DEFAULT_TICKTIME_MS,
} from '../dist/channel.js';
import type { DistSocket } from '../dist/dist_socket.js';
import {
  type Candidate,
  type GivenName,
  type Handshake,
  handshakeOtherStarted,
  handshakeWeStarted,
  NET_SETUPTIME_MS,
  type Verdict,
} from '../dist/dist_util.js';
import { AllowList, hostProblem, type NameMode, splitNode } from '../dist/node_name.js';
import { HandshakeError, OtpnodeError } from '../errors.js';
import type { DistEntry } from '../erts/dist_entry.js';
import type { LogLevel } from '../erts/log.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import { formatAtom } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { DynamicNames } from './dynamic_names.js';
import type { NodeInfo } from './net_kernel_info.js';
import { NodeMonitor } from './node_monitor.js';
import { type NodeKind, nodesOf } from './nodes.js';
import { Ticktime } from './ticktime.js';

export interface NetKernelOptions {
  /** Finds a node and connects to it, up to but not including the handshake. Rejects with an `OtpnodeError`. */
  readonly dial: (node: Atom) => Promise<DistSocket>;
  /** The cookie for a node. */
  readonly cookie: (node: Atom) => string;
  /** Our `DFLAG_*` bits. */
  readonly flags: bigint;
  /** Whether that node sees us (`net_kernel:publish_on_node/1`), if `flags` say that we are visible. */
  readonly visibleTo?: (node: Atom) => boolean;
  readonly nameMode: NameMode;
  /** Only these nodes may connect (`net_kernel:allow/1`); all by default. */
  readonly allowed?: AllowList;
  /** Whether a signal to a node that is not connected connects it: `once` until it was lost (`dist_auto_connect`). */
  readonly autoConnect?: 'always' | 'once' | 'never' | undefined;
  /** Time of each step of setting up a connection (`net_setuptime`). */
  readonly setupTimeMs?: number | undefined;
  readonly channel?: ChannelOptions;
}

/** One try to connect, ours or the peer's. */
class Attempt {
  readonly by: 'us' | 'peer';
  /** Once there is one. */
  socket: DistSocket | undefined;
  /** Ours was refused with `nok`: the peer's own is expected to come. */
  refused = false;
  abandoned = false;

  constructor(by: 'us' | 'peer', socket?: DistSocket) {
    this.by = by;
    this.socket = socket;
  }

  abandon(): void {
    this.abandoned = true;
    this.socket?.close();
  }
}

type Waiting = ((connected: boolean) => void)[];

type Connection =
  | { readonly state: 'pending'; readonly attempt: Attempt; readonly waiting: Waiting }
  | { readonly state: 'up'; readonly channel: Channel }
  | {
      readonly state: 'up_pending';
      readonly channel: Channel;
      readonly attempt: Attempt;
      readonly waiting: Waiting;
    };

const CONNECTION_CLOSED = atom('connection_closed');
const DISCONNECT = atom('disconnect');
const NET_TICK_TIMEOUT = atom('net_tick_timeout');
const KILLED = atom('killed');
/** Ends of attempts that are part of ordinary life: two at a time; of the peers' also those that come to nothing. */
const ORDINARY: ReadonlySet<string> = new Set(['nok', 'alive']);
const ORDINARY_INCOMING: ReadonlySet<string> = new Set([...ORDINARY, 'closed', 'timeout']);

export class NetKernel {
  readonly system: System;
  readonly #options: NetKernelOptions;
  readonly #connections = new Map<Atom, Connection>();
  /** Lost once, with `dist_auto_connect once`: not connected again unless asked to explicitly. */
  readonly #barred = new Set<Atom>();
  readonly #monitor: NodeMonitor;
  readonly #names = new DynamicNames();
  /** The peers' attempts that are in their handshake, also those that have not told their name yet. */
  readonly #incoming = new Set<Attempt>();
  readonly #allowed: AllowList;
  /** `net_kernel:get_net_ticktime/0`, `set_net_ticktime/2`. */
  readonly ticktime: Ticktime;
  #connectionIds = 0;
  #stopped = false;

  constructor(system: System, options: NetKernelOptions) {
    this.system = system;
    this.#options = options;
    this.#allowed = options.allowed ?? new AllowList();
    const { ticktimeMs, tickIntensity } = options.channel ?? {};
    this.ticktime = new Ticktime(
      system.clock,
      ticktimeMs ?? DEFAULT_TICKTIME_MS,
      tickIntensity ?? DEFAULT_TICK_INTENSITY,
      {
        apply: (ms) => this.#eachChannel((channel) => channel.setTicktime(ms)),
        tick: () => this.#eachChannel((channel) => channel.tick()),
      },
    );
    this.#monitor = new NodeMonitor(system);
    system.connector = (entry) => this.#autoConnect(entry);
  }

  // --- asked for by this node ---------------------------------------------------------------------------------

  /** `net_kernel:connect_node/1`: whether the node is connected now, dialling it if it was not. */
  connectNode(node: Atom): Promise<boolean> {
    if (node === this.system.node) return Promise.resolve(true);
    const known = this.#connections.get(node);
    if (known?.state === 'up') return Promise.resolve(true);
    return new Promise((resolve) => {
      if (known !== undefined) known.waiting.push(resolve);
      else if (!this.#mayDial(node)) resolve(false);
      else void this.#dial(node, [resolve]);
    });
  }

  /** `erlang:disconnect_node/1`: false if it was not connected. The nodedown has been delivered on return. */
  disconnect(node: Atom): boolean {
    const known = this.#connections.get(node);
    if (known === undefined || known.state === 'pending') return false;
    known.channel.close(DISCONNECT);
    return true;
  }

  /** `net_kernel:allow/1`: from now on only these nodes (also hosts, and names with an `@` behind) may connect. */
  allow(nodes: readonly string[]): void {
    this.#allowed.add(nodes);
  }

  /** `net_kernel:monitor_nodes/2`: `ok` or OTP's error; options as a list or a map of terms. */
  monitorNodes(self: Process, flag: boolean, options?: Term): Term {
    return this.#monitor.monitorNodes(self, flag, options);
  }

  /** `erlang:monitor_node/2`: a message `{nodedown, Node}` when the node is lost, or cannot be connected. */
  monitorNode(self: Process, node: Atom, flag: boolean): void {
    this.#monitor.monitorNode(self, node, flag);
    if (flag && this.system.connectedEntry(node) === undefined) this.#monitor.connectionFailed(node);
  }

  /** `nodes/1`: those of that kind. */
  nodes(kind: NodeKind = 'visible'): Atom[] {
    return nodesOf(this.system, [kind]);
  }

  /** Whether nodes have long or short names. */
  get nameMode(): NameMode {
    return this.#options.nameMode;
  }

  /** The nodes that are connected or being connected. */
  connectionNodes(): Atom[] {
    return [...this.#connections.keys()];
  }

  /** `net_kernel:node_info/1`; undefined: neither connected nor being connected. */
  nodeInfo(node: Atom): NodeInfo | undefined {
    const known = this.#connections.get(node);
    if (known === undefined) return undefined;
    if (known.state === 'pending') return { state: 'pending', type: 'normal', in: 0, out: 0 };
    const { visible, traffic } = known.channel;
    return { state: 'up', type: visible ? 'normal' : 'hidden', in: traffic.received, out: traffic.written };
  }

  /** Closes all connections and lets nobody in any more. */
  stop(): void {
    this.#stopped = true;
    this.ticktime.stop();
    for (const attempt of this.#incoming) attempt.abandon();
    for (const [node, known] of [...this.#connections]) {
      if (known.state !== 'up') {
        known.attempt.abandon();
        this.#failed(node, known.attempt);
      }
      if (known.state !== 'pending') known.channel.close(DISCONNECT, 'this node stops');
    }
  }

  // --- dialling -----------------------------------------------------------------------------------------------

  /** A signal needs a node that is not connected. */
  #autoConnect(entry: DistEntry): boolean {
    const { node } = entry;
    if (this.#connections.has(node)) return true;
    const { autoConnect = 'always' } = this.#options;
    if (autoConnect === 'never' || this.#barred.has(node) || !this.#mayDial(node)) return false;
    void this.#dial(node, []);
    return true;
  }

  #mayDial(node: Atom): boolean {
    if (this.#stopped || node === this.system.node) return false;
    const host = splitNode(node.name)?.host;
    const problem =
      host === undefined
        ? `${node.name} is no node name: it has the form name@host`
        : hostProblem(host, this.#options.nameMode);
    if (problem === undefined) return true;
    this.#log('error', `cannot connect to node ${node.name}: ${problem}`, node);
    return false;
  }

  async #dial(node: Atom, waiting: Waiting): Promise<void> {
    const attempt = new Attempt('us');
    this.#connections.set(node, { state: 'pending', attempt, waiting });
    try {
      const socket = await this.#options.dial(node);
      attempt.socket = socket;
      if (attempt.abandoned) {
        socket.close();
        return;
      }
      const handshake = await handshakeWeStarted(socket, {
        ...this.#side(),
        node,
        isPending: () => this.#connections.get(node)?.state === 'pending' && !attempt.abandoned,
      });
      this.#completed(attempt, socket, handshake);
    } catch (error) {
      this.#dialFailed(node, attempt, error);
    }
  }

  #dialFailed(node: Atom, attempt: Attempt, error: unknown): void {
    attempt.socket?.close();
    if (attempt.abandoned) return;
    if (error instanceof HandshakeError && error.code === 'nok') {
      attempt.refused = true;
      this.system.clock.setTimeout(() => this.#failed(node, attempt), this.#setupTimeMs, true);
      return;
    }
    const text = error instanceof OtpnodeError ? error.message : `internal error: ${String(error)}`;
    const loud = error instanceof HandshakeError && !ORDINARY.has(error.code);
    this.#log(loud || !(error instanceof OtpnodeError) ? 'error' : 'info', text, node);
    this.#failed(node, attempt);
  }

  // --- letting in ---------------------------------------------------------------------------------------------

  /** Somebody connected: shakes hands and, if all is well, makes it a connection. Never rejects. */
  async accept(socket: DistSocket): Promise<void> {
    const attempt = new Attempt('peer', socket);
    let node: Atom | undefined;
    this.#incoming.add(attempt);
    try {
      const handshake = await handshakeOtherStarted(socket, {
        ...this.#side(),
        accept: (peer) => {
          const verdict = this.#verdict(peer, attempt);
          if (verdict !== 'nok' && verdict !== 'close' && verdict !== 'not_allowed') node = peer.node;
          return verdict;
        },
        nameClient: (host) => {
          const given = this.#nameClient(host, attempt);
          node = given?.node;
          return given;
        },
      });
      this.#completed(attempt, socket, handshake);
    } catch (error) {
      socket.close();
      if (attempt.abandoned) return;
      const text = error instanceof OtpnodeError ? error.message : `internal error: ${String(error)}`;
      const loud = !(error instanceof HandshakeError && ORDINARY_INCOMING.has(error.code));
      this.#log(loud ? 'error' : 'info', text, node);
      if (node !== undefined) this.#failed(node, attempt);
    } finally {
      this.#incoming.delete(attempt);
    }
  }

  #verdict(peer: Candidate, attempt: Attempt): Verdict {
    const { node } = peer;
    if (this.#stopped) return 'close';
    if (!this.#isAllowed(node.name, attempt)) return 'not_allowed';
    const known = this.#connections.get(node);
    switch (known?.state) {
      case undefined:
        this.#connections.set(node, { state: 'pending', attempt, waiting: [] });
        return 'ok';
      case 'pending':
        if (this.system.node.name > node.name && this.#goesOn(known.attempt)) return 'nok';
        known.attempt.abandon();
        this.#connections.set(node, { state: 'pending', attempt, waiting: known.waiting });
        return 'ok_simultaneous';
      case 'up':
        this.#connections.set(node, { state: 'up_pending', channel: known.channel, attempt, waiting: [] });
        return 'alive';
      case 'up_pending':
        return 'close';
    }
  }

  #isAllowed(node: string, { socket }: Attempt): boolean {
    return this.#allowed.has(node, socket?.certified);
  }

  /** Whether an attempt is worth insisting on: not while it looks the peer up, nor after the peer refused it. */
  #goesOn(attempt: Attempt): boolean {
    return attempt.socket !== undefined && !attempt.refused;
  }

  #nameClient(host: string, attempt: Attempt): GivenName | undefined {
    if (this.#stopped) return undefined;
    if (!this.#isAllowed(host, attempt)) return undefined;
    const given = this.#names.give(host, (node) => this.#connections.has(node));
    this.#connections.set(given.node, { state: 'pending', attempt, waiting: [] });
    return given;
  }

  // --- a connection's life ------------------------------------------------------------------------------------

  /** Makes a completed handshake the connection of its node, if its attempt still counts. */
  #completed(attempt: Attempt, socket: DistSocket, handshake: Handshake): void {
    const { node } = handshake;
    const before = this.#connections.get(node);
    if (this.#stopped || before === undefined || before.state === 'up' || before.attempt !== attempt) {
      socket.close();
      return;
    }
    // the old connection's nodedown comes before the new one's nodeup
    if (before.state === 'up_pending') before.channel.close(CONNECTION_CLOSED, 'the node connected anew');
    this.#up(socket, handshake, before.waiting);
  }

  /** The connection works from here on. */
  #up(socket: DistSocket, handshake: Handshake, waiting: Waiting): void {
    const { node } = handshake;
    const { socket: raw, rest } = socket.handOver();
    const channel = new Channel(this.system, raw, handshake, ++this.#connectionIds, {
      ...this.#options.channel,
      ticktimeMs: this.ticktime.ms,
    });
    channel.onClosed = (_, reason, text) => this.#closed(channel, reason, text);
    this.#connections.set(node, { state: 'up', channel });
    this.#barred.delete(node);
    this.#log('info', `node ${node.name} is up (${channel.visible ? 'visible' : 'hidden'})`, node);
    this.system.connectionUp(channel);
    channel.start(rest);
    for (const resolve of waiting) resolve(true);
  }

  /** Takes over a connection whose handshake was made before this node had its name: the peer gave it. */
  adopt(socket: DistSocket, handshake: Handshake): void {
    this.#up(socket, handshake, []);
  }

  #closed(channel: Channel, reason: Term, text: string): void {
    const { node } = channel;
    const known = this.#connections.get(node);
    if (known === undefined || known.state === 'pending' || known.channel !== channel) return;
    if (known.state === 'up_pending') {
      this.#connections.set(node, { state: 'pending', attempt: known.attempt, waiting: known.waiting });
    } else {
      this.#connections.delete(node);
      this.#names.release(node);
      if (this.#options.autoConnect === 'once') this.#barred.add(node);
    }
    if (reason === NET_TICK_TIMEOUT) {
      // in BEAM's words, which operators look for
      const words = `** Node ${formatAtom(node)} not responding **\n** Removing (timedout) connection **`;
      this.system.log('error', words, { node: node.name, reason: text });
    } else this.#log(reason === KILLED ? 'error' : 'info', `node ${node.name} is down: ${text}`, node);
    this.system.connectionDown(channel, reason);
  }

  /** An attempt came to nothing. */
  #failed(node: Atom, attempt: Attempt): void {
    const known = this.#connections.get(node);
    if (known === undefined || known.state === 'up' || known.attempt !== attempt) return;
    if (known.state === 'up_pending') {
      this.#connections.set(node, { state: 'up', channel: known.channel });
      for (const resolve of known.waiting) resolve(true);
      return;
    }
    // whoever waited for the peer's attempt gets one of our own
    if (attempt.by === 'peer' && known.waiting.length > 0 && this.#mayDial(node)) {
      void this.#dial(node, known.waiting);
      return;
    }
    this.#connections.delete(node);
    this.#names.release(node);
    this.system.connectionFailed(node);
    this.#monitor.connectionFailed(node);
    for (const resolve of known.waiting) resolve(false);
  }

  #eachChannel(act: (channel: Channel) => void): void {
    for (const known of this.#connections.values()) if (known.state !== 'pending') act(known.channel);
  }

  get #setupTimeMs(): number {
    return this.#options.setupTimeMs ?? NET_SETUPTIME_MS;
  }

  /** What both roles of a handshake are told of us. */
  #side() {
    const { visibleTo } = this.#options;
    return {
      ourName: this.system.node.name,
      flags: this.#options.flags,
      ...(visibleTo === undefined ? {} : { visibleTo }),
      creation: this.system.creation,
      cookie: this.#options.cookie,
      setupTimeMs: this.#setupTimeMs,
      clock: this.system.clock,
    };
  }

  #log(level: LogLevel, text: string, node: Atom | undefined): void {
    this.system.log(level, text, node === undefined ? {} : { node: node.name });
  }
}
