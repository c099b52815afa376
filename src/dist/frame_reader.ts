// What a connection reads: the stream cut into frames, their headers, pieces put together, terms decoded.
import { Gathered } from '../bytes/gathered.js';
import { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';
import { type DecodeContext, decodeFrom } from '../etf/decode.js';
import type { Term } from '../terms/term.js';
import { Awake } from './awake.js';
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

/** `length u32, 131, 70, sequence u64, fragment u64`: what stands before the data of a further piece. */
const PIECE_HEAD = 22;

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
  readonly #awake = new Awake();
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
    this.#awake.rest();
  }

  /**
   * Takes what was read from the socket and delivers all that is complete. `chunk` may be written to again
   * afterwards. Throws `DecodeError`.
   */
  push(chunk: Buffer): void {
    this.received += chunk.length;
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      const missing = this.#missing;
      if (missing === 0) at = this.#readFrames(chunk, at);
      else {
        const part = chunk.subarray(at, at + missing);
        at += part.length;
        if (this.#kept === undefined) this.#deliverWhole(this.#pieces.more(part));
        else this.#keepMore(this.#kept, part);
      }
    }
    if (this.#expectsMuch) this.#awake.expect(chunk.length);
    else this.#awake.rest();
  }

  /** Whether a large message is on its way. */
  get #expectsMuch(): boolean {
    if (this.#stopped) return false;
    return this.#pieces.buffered > 0 || (this.#kept !== undefined && this.#kept.expected >= LARGE);
  }

  /** How many bytes are needed before anything else: of a piece, or of a frame. */
  get #missing(): number {
    return this.#kept === undefined ? this.#pieces.missing : this.#needed - this.#kept.length;
  }

  /** Delivers what is complete and keeps the rest. Returns where it stopped. */
  #readFrames(chunk: Buffer, from: number): number {
    let at = from;
    while (chunk.length - at >= 4) {
      const length = this.#checked(chunk.readUInt32BE(at));
      if (chunk.length - at - 4 < length) break;
      this.#read(chunk, at + 4, at + 4 + length, this.#borrowed);
      if (this.#stopped) return at;
      at += length + 4;
    }
    if (at < chunk.length) this.#keep(chunk.subarray(at));
    return chunk.length;
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

  /** The beginning of a frame: of its length, of what may be the head of a piece, or more. */
  #keep(part: Buffer): void {
    if (part.length >= PIECE_HEAD && this.#isFurtherPiece(part)) {
      this.#openPiece(part);
      return;
    }
    const whole = part.length < 4 ? 4 : this.#checked(part.readUInt32BE(0)) + 4;
    this.#needed = part.length < PIECE_HEAD ? Math.min(whole, PIECE_HEAD) : whole;
    this.#kept = new Gathered(whole);
    this.#kept.add(part, AHEAD);
  }

  #keepMore(kept: Gathered, part: Buffer): void {
    kept.add(part, AHEAD);
    if (kept.length < this.#needed) return;
    const { bytes } = kept;
    this.#kept = undefined;
    const whole = this.#checked(bytes.readUInt32BE(0)) + 4;
    if (bytes.length < whole) this.#keep(bytes);
    else this.#read(bytes, 4, whole, this.#owned);
  }

  #isFurtherPiece(part: Buffer): boolean {
    return this.#can.header && this.#can.fragments && part[4] === VERSION_MAGIC && part[5] === DIST_FRAG_CONT;
  }

  /** The beginning of a piece: its data go where the message is put together, as they come. */
  #openPiece(part: Buffer): void {
    this.#bytes = Buffer.from(part.subarray(0, PIECE_HEAD));
    this.#start = 4;
    this.#end = PIECE_HEAD;
    this.#context = this.#owned;
    const reader = new Reader(part);
    const length = reader.u32() + 4 - PIECE_HEAD;
    reader.u16();
    this.#pieces.open(reader.u64(), reader.u64(), length);
    this.#pieces.more(reader.rest());
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
