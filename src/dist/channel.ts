// One live connection to a node: what the runtime says to it becomes frames, what it says becomes signals here.
//
// It begins where the handshake ended, with the socket and the bytes that came behind the last message. It always
// reads, never blocks a sender, supervises the peer by ticks, and ends once, with the reason of the nodedown. What
// is wrong in the peer's bytes ends this connection and nothing else.
import type { Duplex } from 'node:stream';
import { BadArg, EncodeError, OtpnodeError } from '../errors.js';
import type { DistChannel, Watched } from '../erts/dist_entry.js';
import * as signal from '../erts/signal.js';
import { spawnReplyArrived } from '../erts/spawn_request.js';
import type { System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import type { Tuple } from '../terms/tuple.js';
import * as control from './control.js';
import { controlArrived } from './control_arrived.js';
import type { Handshake } from './dist_util.js';
import { FrameReader, type ReadLimits } from './frame_reader.js';
import { FrameWriter, type WriteLimits } from './frame_writer.js';
import { MANY_ATOMS, TaughtAtoms } from './taught_atoms.js';

export interface ChannelOptions extends Partial<ReadLimits>, Partial<WriteLimits> {
  /** Time without a sign of life after which the peer is given up (`net_ticktime`). */
  readonly ticktimeMs?: number;
  /** Into how many intervals it is divided (`net_tickintensity`). */
  readonly tickIntensity?: number;
}

export const DEFAULT_TICKTIME_MS = 60_000;
export const DEFAULT_TICK_INTENSITY = 4;
const LIMITS: ReadLimits & WriteLimits = {
  maxFrameBytes: 2 ** 30,
  busyLimit: 2 ** 20,
  hardLimit: 2 ** 28,
};
/** How long the peer may take to read the rest and close, after we closed in good order. */
const LINGER_MS = 1000;
/** Ticks are answered at most so often. */
const ANSWER_GAP_MS = 200;
/** Bytes of a malformed frame that are logged. */
const LOGGED_BYTES = 64;

const CONNECTION_CLOSED = atom('connection_closed');
const KILLED = atom('killed');
const NET_TICK_TIMEOUT = atom('net_tick_timeout');
const NOTSUP = atom('notsup');
const UNENCODABLE = atom('unencodable_reason');

export class Channel implements DistChannel {
  readonly node: Atom;
  readonly creation: number;
  readonly flags: bigint;
  readonly visible: boolean;
  readonly connectionId: number;
  /** Called once, when the connection is closed. */
  onClosed: (channel: Channel, reason: Term, text: string) => void = () => {};
  readonly #system: System;
  readonly #socket: Duplex;
  readonly #can: control.Capabilities;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  #open = true;
  /** Something could not be said to the peer: nothing that follows may be, until the connection is closed. */
  #mute = false;
  #tickIntervalMs: number;
  readonly #tickIntensity: number;
  #timer: unknown;
  #silentIntervals = 0;
  #lastReceived = 0;
  #lastWritten = 0;
  /** What was written, and when, as the last tick came. */
  #writtenAtTick = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(
    system: System,
    socket: Duplex,
    peer: Pick<Handshake, 'node' | 'creation' | 'flags' | 'visible'>,
    connectionId: number,
    options: ChannelOptions = {},
  ) {
    this.node = peer.node;
    this.creation = peer.creation;
    this.flags = peer.flags;
    this.visible = peer.visible;
    this.connectionId = connectionId;
    this.#system = system;
    this.#socket = socket;
    this.#can = control.capabilities(peer.flags);
    const limits = { ...LIMITS, ...options };
    const overflow = (): void => this.#overflow(limits.hardLimit);
    const taught = new TaughtAtoms((sample) => this.#manyAtoms(sample));
    this.#writer = new FrameWriter(socket, this.#can, limits, overflow, taught);
    this.#reader = new FrameReader(
      this.#can,
      limits,
      (message, payload) => controlArrived(system, this, message, payload),
      () => this.#tickArrived(),
    );
    this.#tickIntensity = options.tickIntensity ?? DEFAULT_TICK_INTENSITY;
    this.#tickIntervalMs = (options.ticktimeMs ?? DEFAULT_TICKTIME_MS) / this.#tickIntensity;
  }

  get open(): boolean {
    return this.#open;
  }

  get busy(): boolean {
    return this.#writer.busy;
  }

  drained(): Promise<void> {
    return this.#writer.drained();
  }

  /** Bytes waiting to be written. */
  get queued(): number {
    return this.#writer.queued;
  }

  /** Bytes read and written so far. */
  get traffic(): { readonly received: number; readonly written: number } {
    return { received: this.#reader.received, written: this.#writer.written };
  }

  /** Begins to deliver: first `rest`, the bytes that the handshake did not use. Call it after the nodeup. */
  start(rest: Buffer): void {
    if (!this.#open) return;
    const socket = this.#socket;
    socket.on('error', () => {}); // 'close' follows and tells
    socket.on('end', () => this.close(CONNECTION_CLOSED, 'the peer closed the connection'));
    socket.on('close', () => this.close(CONNECTION_CLOSED, 'the connection was lost'));
    this.#tickLater();
    if (rest.length > 0) this.#read(rest);
    if (!this.#open) return;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.resume();
    if (socket.destroyed) this.close(CONNECTION_CLOSED, 'the connection was lost');
  }

  close(reason: Term, text = 'we disconnected'): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reader.stop();
    this.#system.clock.clearTimeout(this.#timer);
    this.#endSocket(reason !== KILLED && reason !== NET_TICK_TIMEOUT && reason !== CONNECTION_CLOSED);
    this.#writer.release();
    this.onClosed(this, reason, text);
  }

  /** What was sent before an orderly close still leaves, within a limit. */
  #endSocket(orderly: boolean): void {
    const socket = this.#socket;
    if (!orderly || socket.destroyed) {
      socket.destroy();
      return;
    }
    this.#writer.finish();
    socket.end();
    // goes on reading until the peer closes: to close with bytes unread would take back what it has not read yet
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  #manyAtoms(sample: string): void {
    this.#system.log(
      'warning',
      `node ${this.node.name} has been sent ${MANY_ATOMS} different atoms on this connection, lately ` +
        `${JSON.stringify(sample.slice(0, 100))}: it keeps each for ever and ends when its table of atoms is full; ` +
        'send binaries where texts vary',
      { node: this.node.name },
    );
  }

  #overflow(limit: number): void {
    this.#closeSoon(`more than ${limit} bytes wait for the peer to read them (limits.hardLimit)`);
  }

  /** Later: whoever sends now must not see processes end in the middle of it. */
  #closeSoon(text: string): void {
    setImmediate(() => this.close(KILLED, text));
  }

  // --- reading ------------------------------------------------------------------------------------------------

  #read(chunk: Buffer): void {
    if (!this.#open) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      const why = error instanceof OtpnodeError ? error.message : `internal error: ${String(error)}`;
      const { frame } = this.#reader;
      this.#system.log('error', `connection to ${this.node.name}: malformed message from the peer: ${why}`, {
        node: this.node.name,
        bytes: frame.length,
        frame: frame.subarray(0, LOGGED_BYTES).toString('hex'),
      });
      this.close(KILLED, `malformed message: ${why}`);
    }
  }

  // --- ticks --------------------------------------------------------------------------------------------------

  /** Changes the ticktime; the next interval begins now. */
  setTicktime(ticktimeMs: number): void {
    this.#tickIntervalMs = ticktimeMs / this.#tickIntensity;
    if (!this.#open) return;
    this.#system.clock.clearTimeout(this.#timer);
    this.#tickLater();
  }

  /** A tick out of turn. */
  tick(): void {
    if (this.#open) this.#writer.tick();
  }

  /** A peer with a shorter ticktime than ours lives on what we answer, if we have nothing else to say. */
  #tickArrived(): void {
    const now = this.#system.clock.now();
    if (this.#writer.written === this.#writtenAtTick && now - this.#answeredAt >= ANSWER_GAP_MS) {
      this.#writer.tick();
      this.#answeredAt = now;
    }
    this.#writtenAtTick = this.#writer.written;
  }

  #tickLater(): void {
    // the socket keeps the process alive, not its supervision
    this.#timer = this.#system.clock.setTimeout(() => this.#interval(), this.#tickIntervalMs, true);
  }

  #interval(): void {
    const { received } = this.#reader;
    const { written, queued } = this.#writer;
    const silent = received === this.#lastReceived;
    this.#silentIntervals = silent ? this.#silentIntervals + 1 : 0;
    if (this.#silentIntervals >= this.#tickIntensity) {
      const seconds = (this.#tickIntervalMs * this.#tickIntensity) / 1000;
      this.close(NET_TICK_TIMEOUT, `no tick for ${seconds} s`);
      return;
    }
    const idle = written === this.#lastWritten || (!this.visible && silent);
    if (idle && queued === 0) this.#writer.tick();
    this.#lastReceived = received;
    this.#lastWritten = this.#writer.written;
    this.#tickLater();
  }

  // --- signals ------------------------------------------------------------------------------------------------

  send(from: Pid, to: Pid, message: Term): void {
    this.#write(from, control.send(this.#can, from, to), message);
  }

  regSend(from: Pid, name: Atom, message: Term): void {
    this.#write(from, control.regSend(from, name), message);
  }

  aliasSend(from: Pid, alias: Reference, message: Term): void {
    const said = control.aliasSend(this.#can, from, alias);
    if (said !== undefined) this.#write(from, said, message);
  }

  link(from: Pid, to: Pid): void {
    this.#write(from, control.link(from, to));
  }

  unlink(id: bigint, from: Pid, to: Pid): void {
    if (to.creation === this.creation) this.#write(from, control.unlink(this.#can, id, from, to));
    // nobody acknowledges the old form: the link is gone at once
    if (!this.#can.unlinkId) signal.unlinkAckArrived(this.#system, id, to, from);
  }

  unlinkAck(id: bigint, from: Pid, to: Pid): void {
    if (to.creation === this.creation) this.#write(from, control.unlinkAck(id, from, to));
  }

  exit(from: Pid, to: Pid, reason: Term): void {
    // a peer closes the connection for an exit to a process of its earlier incarnation
    if (to.creation !== this.creation) return;
    this.#withReason(from, reason, (r) =>
      this.#can.exitPayload
        ? this.#writeOrThrow(from, control.payloadExit(from, to), r)
        : this.#writeOrThrow(from, control.exit(from, to, r)),
    );
  }

  exit2(from: Pid, to: Pid, reason: Term): void {
    if (this.#can.exitPayload) this.#write(from, control.payloadExit2(from, to), reason);
    else this.#write(from, control.exit2(from, to, reason));
  }

  monitor(watcher: Pid, watched: Watched, ref: Reference): void {
    if (this.#can.monitor) this.#write(watcher, control.monitor(watcher, watched, ref));
  }

  demonitor(watcher: Pid, watched: Watched, ref: Reference): void {
    if (this.#can.monitor) this.#write(watcher, control.demonitor(watcher, watched, ref));
  }

  monitorExit(watched: Watched | boolean, watcher: Pid, ref: Reference, reason: Term): void {
    if (!this.#can.monitor) return;
    // by name: whose process it was is not known here, so it goes behind everything
    const sender = typeof watched === 'object' && 'serial' in watched ? watched : undefined;
    this.#withReason(watcher, reason, (r) =>
      this.#can.exitPayload
        ? this.#writeOrThrow(sender, control.payloadMonitorExit(watched, watcher, ref), r)
        : this.#writeOrThrow(sender, control.monitorExit(watched, watcher, ref, r)),
    );
  }

  groupLeader(leader: Pid, to: Pid): void {
    this.#write(undefined, control.groupLeader(leader, to));
  }

  spawnRequest(
    ref: Reference,
    from: Pid,
    leader: Pid,
    mfa: readonly [Atom, Atom],
    args: readonly Term[],
    options: readonly Term[],
  ): void {
    if (this.#can.spawn) {
      // the leader may be of a third node, with a pid that this peer cannot read
      const known = this.#can.v4nc || isNarrow(leader) ? leader : from;
      this.#write(from, control.spawnRequest(ref, from, known, mfa, args.length, options), args);
    } else spawnReplyArrived(this.#system, this.node, ref, 0, NOTSUP);
  }

  spawnReply(ref: Reference, to: Pid, flags: number, result: Pid | Atom): void {
    const sender = 'serial' in result ? result : undefined;
    this.#write(sender, control.spawnReply(ref, to, flags, result));
  }

  /**
   * A pid, port or reference of a third node can be wider than an old peer reads. A BEAM node sends it, and the peer
   * closes the connection; here we do: a message that is only left out would be waited for in vain.
   */
  #write(sender: Pid | undefined, said: Tuple, payload?: Term): void {
    try {
      this.#writeOrThrow(sender, said, payload);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#mute = true;
      this.#closeSoon(`a message cannot be sent: ${error.message}`);
    }
  }

  #writeOrThrow(sender: Pid | undefined, said: Tuple, payload?: Term): void {
    if (this.#open && !this.#mute) this.#writer.write(sender, said, payload);
  }

  /** A process must end even if its reason is something that this peer cannot be told. */
  #withReason(who: Pid, reason: Term, write: (reason: Term) => void): void {
    try {
      write(reason);
    } catch (error) {
      if (!(error instanceof EncodeError || error instanceof BadArg)) throw error;
      this.#system.log('warning', `an exit reason cannot be sent to ${this.node.name}: ${error.message}`, {
        node: this.node.name,
        process: who.key,
      });
      write(UNENCODABLE);
    }
  }
}

function isUnreadable(error: unknown): error is EncodeError {
  return error instanceof EncodeError && error.code === 'unsupported_by_peer';
}

/** Whether a pid fits what every release reads. */
function isNarrow(pid: Pid): boolean {
  return pid.number < 2 ** 15 && pid.serial < 2 ** 13;
}
