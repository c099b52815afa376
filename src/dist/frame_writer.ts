// What a connection writes: terms encoded into frames, frames collected into one write for each turn of the event
// loop, large messages cut into pieces between which others pass.
//
// A message is encoded when it is sent, so the order of encoding, of the atom cache and of writing is one. A large
// one is encoded whole and its first piece takes its place in the order; the others follow as the socket takes
// them, in turns with those of other processes. Before anything else of the same process is written, and before
// what comes from nobody in particular, they are all put in line: signals of one process never pass each other.
import type { Duplex } from 'node:stream';
import { Writer } from '../bytes/writer.js';
import { type EncodeContext, encodeInto } from '../etf/encode.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import type { Tuple } from '../terms/tuple.js';
import type { Capabilities } from './control.js';
import {
  DIST_FRAG_CONT,
  DIST_FRAG_HEADER,
  DIST_HEADER,
  OutCache,
  PASS_THROUGH,
  VERSION_MAGIC,
} from './dist_header.js';
import { FRAGMENT_SIZE } from './fragment.js';
import type { TaughtAtoms } from './taught_atoms.js';

/** Bodies up to this size are copied behind their header, larger ones are handed to the socket as they are. */
const COPY_LIMIT = 16384;
/** Pieces of large messages are written while less than this waits in the socket: a megabyte leaves in one write. */
const LARGE_WATERMARK = 2 ** 20 + FRAGMENT_SIZE / 2;
/** A scratch buffer that grew larger is not kept. */
const SCRATCH_LIMIT = 2 ** 23;
const SCRATCH_SIZE = 65536;
const TICK = Buffer.alloc(4);

/** The rest of a message in pieces: what `parts` hold from byte `offset` of the first one. */
interface Large {
  readonly sequence: bigint;
  readonly parts: Buffer[];
  offset: number;
  fragment: bigint;
}

/** The next `count` bytes of a message, taken out of its parts. */
function takeBytes(large: Pick<Large, 'parts' | 'offset'>, count: number): Buffer[] {
  const taken: Buffer[] = [];
  let missing = count;
  while (missing > 0) {
    const part = large.parts[0];
    if (part === undefined) break;
    const piece = part.subarray(large.offset, large.offset + missing);
    taken.push(piece);
    missing -= piece.length;
    large.offset += piece.length;
    if (large.offset === part.length) {
      large.parts.shift();
      large.offset = 0;
    }
  }
  return taken;
}

function lengthOf(parts: readonly Buffer[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

export interface WriteLimits {
  /** More than this waiting, and senders are told that the connection is busy. */
  readonly busyLimit: number;
  /** What may be written while it is busy (by those who are exempt) before the connection is given up. */
  readonly hardLimit: number;
}

export class FrameWriter {
  /** Bytes given to the connection since it began: supervision of ticks compares it. */
  written = 0;
  readonly #socket: Duplex;
  readonly #can: Capabilities;
  readonly #limits: WriteLimits;
  readonly #overflow: () => void;
  readonly #cache: OutCache | undefined;
  readonly #context: EncodeContext;
  #scratch = new Writer(SCRATCH_SIZE, COPY_LIMIT);
  readonly #out = new Writer(SCRATCH_SIZE);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  readonly #large = new Map<string, Large>();
  #largeBytes = 0;
  #sequences = 0n;
  #whileBusy = 0;
  #scheduled = false;
  #drained: (() => void)[] = [];

  /**
   * `overflow` is called when more than `hardLimit` waits that was written while the connection was busy; `taught` counts
   * the atoms that the peer learns.
   */
  constructor(
    socket: Duplex,
    can: Capabilities,
    limits: WriteLimits,
    overflow: () => void,
    taught?: TaughtAtoms,
  ) {
    this.#socket = socket;
    this.#can = can;
    this.#limits = limits;
    this.#overflow = overflow;
    const cache = can.atomCache ? new OutCache((value) => taught?.note(value)) : undefined;
    this.#cache = cache;
    this.#context = { atomRef: cache === undefined ? undefined : (a) => cache.reference(a), v4nc: can.v4nc };
    socket.on('drain', () => this.flush());
  }

  /** Bytes that wait to be taken by the operating system. */
  get queued(): number {
    return this.#out.length + this.#chunkBytes + this.#largeBytes + this.#socket.writableLength;
  }

  get busy(): boolean {
    return this.queued > this.#limits.busyLimit;
  }

  /** Resolves when the connection is not busy, or is gone. */
  drained(): Promise<void> {
    if (!this.busy || this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Lets those go who wait in `drained`. */
  release(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  /**
   * Writes one message. `sender` is whose signal it is; undefined puts it behind everything. Throws (and writes
   * nothing) what the encoder throws.
   */
  write(sender: Pid | undefined, control: Tuple, payload?: Term): void {
    if (this.#large.size > 0) this.#finish(sender);
    const before = this.written;
    const wasBusy = this.busy;
    if (this.#can.header) this.#writeWithHeader(sender, control, payload);
    else this.#writePassThrough(control, payload);
    this.#schedule();
    if (!wasBusy) this.#whileBusy = 0;
    else {
      this.#whileBusy += this.written - before;
      // a peer that keeps reading takes any amount in time: what waits now counts, too
      if (this.#whileBusy > this.#limits.hardLimit && this.queued > this.#limits.hardLimit) this.#overflow();
    }
  }

  tick(): void {
    this.#out.bytes(TICK);
    this.written += TICK.length;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Hands everything to the socket that it should hold now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#socket.destroyed) return;
    if (this.#large.size > 0) this.#writePieces();
    this.#cut();
    const chunks = this.#chunks;
    if (chunks.length > 0) {
      this.#chunks = [];
      this.#chunkBytes = 0;
      if (chunks.length === 1) this.#socket.write(chunks[0] as Buffer);
      else {
        this.#socket.cork();
        for (const chunk of chunks) this.#socket.write(chunk);
        this.#socket.uncork();
      }
    }
    if (this.#drained.length > 0 && !this.busy) this.release();
  }

  /** Puts everything in line, as the last thing before the connection is closed in good order. */
  finish(): void {
    for (const large of this.#large.values()) while (!this.#writePiece(large));
    this.#large.clear();
    this.flush();
  }

  // --- frames -------------------------------------------------------------------------------------------------

  #writeWithHeader(sender: Pid | undefined, control: Tuple, payload: Term | undefined): void {
    const scratch = this.#scratch;
    let controlBytes: number;
    this.#cache?.begin();
    try {
      encodeInto(scratch, control, this.#context);
      controlBytes = scratch.length;
      if (payload !== undefined) encodeInto(scratch, payload, this.#context);
    } catch (error) {
      this.#cache?.abort();
      scratch.truncate(0);
      throw error;
    }
    const length = scratch.length;
    const body = this.#takeScratch();
    if (payload !== undefined && length > FRAGMENT_SIZE && this.#can.fragments && sender !== undefined) {
      this.#beginLarge(sender, body, length, controlBytes);
      return;
    }
    const start = this.#beginFrame();
    this.#out.u8(VERSION_MAGIC);
    this.#out.u8(DIST_HEADER);
    this.#writeReferences();
    this.#endFrame(start, body);
  }

  #writePassThrough(control: Tuple, payload: Term | undefined): void {
    const scratch = this.#scratch;
    try {
      scratch.u8(VERSION_MAGIC);
      encodeInto(scratch, control, this.#context);
      if (payload !== undefined) {
        scratch.u8(VERSION_MAGIC);
        encodeInto(scratch, payload, this.#context);
      }
    } catch (error) {
      scratch.truncate(0);
      throw error;
    }
    const start = this.#beginFrame();
    this.#out.u8(PASS_THROUGH);
    this.#endFrame(start, this.#takeScratch());
  }

  #takeScratch(): Buffer[] {
    const parts = this.#scratch.takeParts();
    if (this.#scratch.buffer.length > SCRATCH_LIMIT) this.#scratch = new Writer(SCRATCH_SIZE, COPY_LIMIT);
    return parts;
  }

  /** The position of the length of a frame, which `endFrame` fills in. */
  #beginFrame(): number {
    const start = this.#out.length;
    this.#out.u32(0);
    return start;
  }

  #endFrame(start: number, body: readonly Buffer[]): void {
    const length = this.#out.length - start - 4 + lengthOf(body);
    this.#out.patchU32(start, length);
    this.written += length + 4;
    for (const part of body) {
      if (part.length < COPY_LIMIT) this.#out.bytes(part);
      else {
        this.#cut();
        this.#add(part);
      }
    }
  }

  #writeReferences(): void {
    if (this.#cache === undefined) this.#out.u8(0);
    else this.#cache.write(this.#out);
  }

  /** Ends the chunk that small frames are collected in. */
  #cut(): void {
    if (this.#out.length > 0) this.#add(this.#out.take());
  }

  #add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
  }

  // --- pieces -------------------------------------------------------------------------------------------------

  #beginLarge(sender: Pid, parts: Buffer[], length: number, controlBytes: number): void {
    const first = Math.max(FRAGMENT_SIZE, controlBytes);
    const further = Math.max(0, Math.ceil((length - first) / FRAGMENT_SIZE));
    const sequence = ++this.#sequences;
    const large: Large = { sequence, parts, offset: 0, fragment: BigInt(further) };
    const start = this.#beginFrame();
    this.#pieceHeader(DIST_FRAG_HEADER, sequence, BigInt(further + 1));
    this.#writeReferences();
    this.#endFrame(start, takeBytes(large, first));
    if (further === 0) return;
    this.#large.set(sender.key, large);
    this.#largeBytes += length - first;
  }

  /** Puts the rest of that process's message in line; of all messages if it is not known whose signal follows. */
  #finish(sender: Pid | undefined): void {
    for (const [key, large] of this.#large) {
      if (sender !== undefined && sender.key !== key) continue;
      while (!this.#writePiece(large));
      this.#large.delete(key);
    }
  }

  /** As many pieces as the socket should hold now, one of each message in turn. */
  #writePieces(): void {
    while (this.#large.size > 0) {
      for (const [key, large] of this.#large) {
        if (this.#socket.writableLength + this.#chunkBytes + this.#out.length >= LARGE_WATERMARK) return;
        if (this.#writePiece(large)) this.#large.delete(key);
      }
    }
  }

  /** True: that was the last one. */
  #writePiece(large: Large): boolean {
    const piece = takeBytes(large, FRAGMENT_SIZE);
    const start = this.#beginFrame();
    this.#pieceHeader(DIST_FRAG_CONT, large.sequence, large.fragment);
    this.#endFrame(start, piece);
    large.fragment--;
    this.#largeBytes -= lengthOf(piece);
    return large.fragment === 0n;
  }

  #pieceHeader(tag: number, sequence: bigint, fragment: bigint): void {
    this.#out.u8(VERSION_MAGIC);
    this.#out.u8(tag);
    this.#out.u64(sequence);
    this.#out.u64(fragment);
  }
}
