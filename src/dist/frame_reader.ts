// What a connection reads: the stream cut into frames, their headers, pieces put together, terms decoded.
import { Gathered } from '../bytes/gathered.js';
import { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';
import { type DecodeContext, decodeFrom } from '../etf/decode.js';
import type { Term } from '../terms/term.js';
import type { Capabilities } from './control.js';
import type { Payload } from './control_arrived.js';
import {
  DIST_FRAG_CONT,
  DIST_FRAG_HEADER,
  DIST_HEADER,
  InCache,
  PASS_THROUGH,
  type References,
  VERSION_MAGIC,
} from './dist_header.js';
import { Assembler, FRAGMENT_LIMITS, type FragmentLimits, type Whole } from './fragment.js';
import { LARGE, largeMessageRead } from './young_memory.js';

export interface ReadLimits {
  /** A longer frame closes the connection. Some of hundreds of megabytes are legal. */
  readonly maxFrameBytes: number;
  readonly fragments?: FragmentLimits;
}

/** Room for a frame is made for so many times what has come of it, at most for what its length says. */
const AHEAD = 16;

/** The control message of a message in pieces, with the atoms that its payload refers to. */
interface Start {
  readonly references: References;
  readonly control: Term;
}

export class FrameReader implements Payload {
  /** Bytes read since the connection began: supervision of the peer compares it. */
  received = 0;
  readonly #can: Capabilities;
  readonly #maxFrameBytes: number;
  readonly #arrived: (control: Term, payload: Payload) => void;
  readonly #tick: () => void;
  readonly #cache = new InCache();
  readonly #pieces: Assembler<Start>;
  #references: References = [];
  /** Of a frame that is not read again: large binaries may be views of it. */
  readonly #owned: DecodeContext;
  /** Of a frame in memory that is used again. */
  readonly #borrowed: DecodeContext;
  #context: DecodeContext;
  #payload: Reader | undefined;
  #stopped = false;
  /** Where the frame is that was read last. */
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** What has come of a frame that is not complete, its length in front. */
  #kept: Gathered | undefined;
  #needed = 4;

  constructor(
    can: Capabilities,
    limits: ReadLimits,
    arrived: (control: Term, payload: Payload) => void,
    tick: () => void,
  ) {
    this.#can = can;
    this.#maxFrameBytes = limits.maxFrameBytes;
    this.#arrived = arrived;
    this.#tick = tick;
    this.#pieces = new Assembler(limits.fragments ?? FRAGMENT_LIMITS);
    const atomRef: DecodeContext['atomRef'] = (index) => this.#references[index];
    this.#owned = { atomRef, views: true };
    this.#borrowed = { atomRef };
    this.#context = this.#borrowed;
  }

  /** The frame that was read last, for the log. */
  get frame(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Memory for what is not complete yet: the frame that is coming, and messages in pieces. */
  get held(): number {
    return (this.#kept?.capacity ?? 0) + this.#pieces.buffered;
  }

  /** Nothing more is read. */
  stop(): void {
    this.#stopped = true;
    this.#kept = undefined;
  }

  /**
   * Takes what was read from the socket and delivers all that is complete. `chunk` may be written to again
   * afterwards. Throws `DecodeError`.
   */
  push(chunk: Buffer): void {
    this.received += chunk.length;
    let at = 0;
    while (this.#kept !== undefined) {
      const missing = this.#needed - this.#kept.length;
      const taken = chunk.subarray(at, at + missing);
      this.#kept.add(taken, AHEAD);
      at += taken.length;
      if (taken.length < missing) return;
      this.#completed(this.#kept);
      if (this.#stopped) return;
    }
    while (chunk.length - at >= 4) {
      const length = this.#checked(chunk.readUInt32BE(at));
      if (chunk.length - at - 4 < length) break;
      this.#read(chunk, at + 4, at + 4 + length, this.#borrowed);
      if (this.#stopped) return;
      at += length + 4;
    }
    const rest = chunk.subarray(at);
    if (rest.length > 0) this.#keep(rest);
  }

  /** The term behind the control message being delivered. */
  decode(): Term {
    const reader = this.#payload;
    if (reader === undefined || reader.remaining === 0) {
      throw new DecodeError('truncated', 'the term behind the control message is missing', 0);
    }
    if (!this.#can.header && reader.u8() !== VERSION_MAGIC) {
      throw new DecodeError('bad_value', 'the term behind the control message lacks its version', 0);
    }
    return decodeFrom(reader, this.#context);
  }

  /** The beginning of a frame, of its length alone if that is not all there. */
  #keep(part: Buffer): void {
    this.#needed = part.length < 4 ? 4 : part.readUInt32BE(0) + 4;
    this.#kept = new Gathered(this.#needed);
    this.#kept.add(part, AHEAD);
  }

  /** What was needed is there: the length of a frame, or the frame. */
  #completed({ bytes }: Gathered): void {
    if (bytes.length === 4 && this.#checked(bytes.readUInt32BE(0)) > 0) {
      this.#keep(bytes);
      return;
    }
    this.#kept = undefined;
    this.#read(bytes, 4, bytes.length, this.#owned);
  }

  #checked(length: number): number {
    if (length <= this.#maxFrameBytes) return length;
    throw new DecodeError(
      'too_large',
      `a frame of ${length} bytes is over the limit of ${this.#maxFrameBytes} (maxFrameBytes)`,
      0,
    );
  }

  #read(bytes: Buffer, start: number, end: number, context: DecodeContext): void {
    if (start === end) {
      this.#tick();
      return;
    }
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#context = context;
    const reader = new Reader(bytes, start, end);
    if (this.#can.header) this.#readWithHeader(reader);
    else this.#readPassThrough(reader);
  }

  #readWithHeader(reader: Reader): void {
    if (reader.u8() !== VERSION_MAGIC) throw bad('a frame does not begin with a distribution header');
    const tag = reader.u8();
    if (tag === DIST_HEADER) {
      this.#references = this.#cache.read(reader);
      this.#deliver(decodeFrom(reader, this.#context), reader);
    } else if (tag === DIST_FRAG_HEADER && this.#can.fragments) this.#readFirstPiece(reader);
    else if (tag === DIST_FRAG_CONT && this.#can.fragments) this.#readFurtherPiece(reader);
    else throw new DecodeError('bad_tag', `unknown distribution header ${tag}`, 1, tag);
  }

  #readPassThrough(reader: Reader): void {
    if (reader.u8() !== PASS_THROUGH) throw bad('a frame does not begin with 112');
    if (reader.u8() !== VERSION_MAGIC) throw bad('the control message lacks its version');
    this.#deliver(decodeFrom(reader, this.#context), reader);
  }

  #readFirstPiece(reader: Reader): void {
    const sequence = reader.u64();
    const fragment = reader.u64();
    const began = reader.offset;
    this.#references = this.#cache.read(reader);
    const start = { references: this.#references, control: decodeFrom(reader, this.#context) };
    const startBytes = reader.offset - began;
    this.#deliverWhole(this.#pieces.begin(sequence, fragment, start, startBytes, reader.rest()));
  }

  #readFurtherPiece(reader: Reader): void {
    const sequence = reader.u64();
    const fragment = reader.u64();
    this.#context = this.#owned;
    this.#deliverWhole(this.#pieces.add(sequence, fragment, reader.rest()));
  }

  #deliverWhole(whole: Whole<Start> | undefined): void {
    if (whole === undefined) return;
    this.#references = whole.start.references;
    this.#deliver(whole.start.control, new Reader(whole.payload));
  }

  #deliver(control: Term, payload: Reader): void {
    this.#payload = payload;
    const bytes = payload.remaining;
    this.#arrived(control, this);
    if (bytes >= LARGE) largeMessageRead(bytes);
  }
}

function bad(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}
