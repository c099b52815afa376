// What a connection reads: the stream cut into frames, their headers, pieces put together, terms decoded.
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

export interface ReadLimits {
  /** A longer frame closes the connection. Some of hundreds of megabytes are legal. */
  readonly maxFrameBytes: number;
  readonly fragments?: FragmentLimits;
}

/** A chunk is joined to those before it at the latest when there are so many, so that small ones cost little. */
const MAX_KEPT_CHUNKS = 1024;
/** Length, 131, 69 or 70, sequence, fragment. */
const PIECE_HEADER = 22;

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
  readonly #context: DecodeContext;
  #payload: Reader | undefined;
  #stopped = false;
  /** Where the frame is that was read last. */
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Parts of a frame that is not complete, its length in front. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
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
    this.#context = { atomRef: (index) => this.#references[index], views: true };
  }

  /** The frame that was read last, for the log. */
  get frame(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Nothing more is read. */
  stop(): void {
    this.#stopped = true;
    this.#kept = [];
    this.#keptBytes = 0;
  }

  /** Takes what was read from the socket and delivers all that is complete. Throws `DecodeError`. */
  push(chunk: Buffer): void {
    this.received += chunk.length;
    let at = 0;
    while (this.#keptBytes > 0) {
      const missing = this.#needed - this.#keptBytes;
      const taken = chunk.subarray(at, at + missing);
      this.#keep(taken);
      at += taken.length;
      if (taken.length < missing) return;
      this.#completed();
      if (this.#stopped) return;
    }
    while (chunk.length - at >= 4) {
      const length = this.#checked(chunk.readUInt32BE(at));
      if (chunk.length - at - 4 < length) {
        this.#needed = length + 4;
        break;
      }
      this.#read(chunk, at + 4, at + 4 + length);
      if (this.#stopped) return;
      at += length + 4;
    }
    if (at === chunk.length) return;
    if (chunk.length - at < 4) this.#needed = 4;
    this.#keep(chunk.subarray(at));
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

  #keep(part: Buffer): void {
    if (this.#kept.length >= MAX_KEPT_CHUNKS) this.#kept = [Buffer.concat(this.#kept)];
    this.#kept.push(part);
    this.#keptBytes += part.length;
  }

  /** What was needed is there: the length of a frame, or the frame. */
  #completed(): void {
    const kept = this.#kept;
    if (this.#needed === 4) {
      const bytes = Buffer.concat(kept);
      const length = this.#checked(bytes.readUInt32BE(0));
      if (length > 0) {
        this.#kept = [bytes];
        this.#needed = length + 4;
        return;
      }
    }
    this.#kept = [];
    this.#keptBytes = 0;
    this.#needed = 4;
    if (this.#readPiece(kept as [Buffer, ...Buffer[]])) return;
    const bytes = Buffer.concat(kept);
    this.#read(bytes, 4, bytes.length);
  }

  /** A piece of a large message is not joined here, but once with the others. False: it is no such frame. */
  #readPiece([first, ...more]: readonly [Buffer, ...Buffer[]]): boolean {
    if (!this.#can.fragments || first.length < PIECE_HEADER || first[4] !== VERSION_MAGIC) return false;
    this.#remember(first, 4, first.length);
    const reader = new Reader(first, 6);
    if (first[5] === DIST_FRAG_CONT) this.#readFurtherPiece(reader, more);
    else if (first[5] === DIST_FRAG_HEADER) return this.#readFirstPiece(reader, more);
    else return false;
    return true;
  }

  #remember(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  #checked(length: number): number {
    if (length <= this.#maxFrameBytes) return length;
    throw new DecodeError(
      'too_large',
      `a frame of ${length} bytes is over the limit of ${this.#maxFrameBytes} (maxFrameBytes)`,
      0,
    );
  }

  #read(bytes: Buffer, start: number, end: number): void {
    if (start === end) {
      this.#tick();
      return;
    }
    const reader = new Reader(bytes, start, end);
    this.#remember(bytes, start, end);
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

  /** `more` is what follows the reader's bytes. False: the control message goes on there, join them first. */
  #readFirstPiece(reader: Reader, more: readonly Buffer[] = []): boolean {
    const sequence = reader.u64();
    const fragment = reader.u64();
    const began = reader.offset;
    let references: References;
    let control: Term;
    try {
      references = this.#cache.read(reader); // changes nothing if it is read once more
      this.#references = references;
      control = decodeFrom(reader, this.#context);
    } catch (error) {
      if (more.length > 0 && error instanceof DecodeError && error.code === 'truncated') return false;
      throw error;
    }
    const startBytes = reader.offset - began;
    this.#deliverWhole(
      this.#pieces.begin(sequence, fragment, { references, control }, startBytes, reader.rest(), ...more),
    );
    return true;
  }

  /** `more` is what follows the reader's bytes. */
  #readFurtherPiece(reader: Reader, more: readonly Buffer[] = []): void {
    const sequence = reader.u64();
    const fragment = reader.u64();
    this.#deliverWhole(this.#pieces.add(sequence, fragment, reader.rest(), ...more));
  }

  #deliverWhole(whole: Whole<Start> | undefined): void {
    if (whole === undefined) return;
    this.#references = whole.start.references;
    this.#deliver(whole.start.control, new Reader(whole.payload));
  }

  #deliver(control: Term, payload: Reader): void {
    this.#payload = payload;
    this.#arrived(control, this);
  }
}

function bad(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}
