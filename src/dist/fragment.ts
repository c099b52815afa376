// Messages over 64 KiB travel in pieces, so that those of other processes can pass between them (distribution
// protocol, "Distribution header for fragmented messages"; OTP: dist.c).
//
// The number of a piece counts down to 1. The sequence names the message among those under way in one direction;
// 0 would mean "not fragmented". The control message is whole in the first piece, the payload is cut anywhere.
import { Gathered } from '../bytes/gathered.js';
import { DecodeError } from '../errors.js';

/** Data bytes in each piece that we send, as BEAM does. */
export const FRAGMENT_SIZE = 65536;

/** What a peer can make us keep. */
export interface FragmentLimits {
  /** Messages under way at a time. */
  readonly sequences: number;
  /** Bytes of memory for all of them. */
  readonly bytes: number;
}

export const FRAGMENT_LIMITS: FragmentLimits = { sequences: 16384, bytes: 2 ** 30 };

const MAX_COUNT = 2n ** 32n;
/** While little is held, room is made for so many times the first piece, at most for what is announced. */
const AHEAD = 64;

interface Partial<T> {
  readonly sequence: bigint;
  readonly start: T;
  readonly startBytes: number;
  readonly payload: Gathered;
  next: bigint;
}

/** A message that is whole: what `begin` was given, and its payload. */
export interface Whole<T> {
  readonly start: T;
  readonly payload: Buffer;
}

/** Puts copies of the peer's pieces together. What breaks the order or a limit throws `DecodeError`. */
export class Assembler<T> {
  readonly #limits: FragmentLimits;
  readonly #open = new Map<bigint, Partial<T>>();
  #bytes = 0;
  /** The message whose piece is coming, and how many bytes of the piece are missing. */
  #current: Partial<T> | undefined;
  #missing = 0;

  constructor(limits: FragmentLimits = FRAGMENT_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes held for messages that are not whole. */
  get buffered(): number {
    return this.#bytes;
  }

  /**
   * The first piece: `start` is what its header and control message were, of `startBytes` bytes. The message, if
   * that was all of it: its payload is then `piece` itself.
   */
  begin(
    sequence: bigint,
    fragment: bigint,
    start: T,
    startBytes: number,
    piece: Buffer,
  ): Whole<T> | undefined {
    if (this.#open.has(sequence)) throw broken(`message ${sequence} is begun twice`);
    if (fragment === 1n) return { start, payload: piece };
    if (sequence === 0n) throw broken('a message in pieces has sequence 0');
    if (fragment === 0n || fragment > MAX_COUNT) throw broken(`${fragment} pieces are announced`);
    if (this.#open.size >= this.#limits.sequences) {
      throw new DecodeError(
        'too_large',
        `more than ${this.#limits.sequences} messages in pieces at a time`,
        0,
      );
    }
    const payload = new Gathered(FRAGMENT_SIZE * Number(fragment));
    const partial: Partial<T> = { sequence, start, startBytes, payload, next: fragment - 1n };
    this.#charge(startBytes);
    const roomy = this.#bytes + piece.length * AHEAD <= this.#limits.bytes / 2;
    this.#keep(payload, piece, roomy ? AHEAD : 1);
    this.#open.set(sequence, partial);
    return undefined;
  }

  /** A further piece. The message, if that was the last one. */
  add(sequence: bigint, fragment: bigint, piece: Buffer): Whole<T> | undefined {
    this.open(sequence, fragment, piece.length);
    return this.more(piece);
  }

  /** A further piece of `length` bytes begins: before anything else `more` takes them, in parts of any size. */
  open(sequence: bigint, fragment: bigint, length: number): void {
    const partial = this.#open.get(sequence);
    if (partial === undefined) throw broken(`a piece of message ${sequence}, which was not begun`);
    if (fragment !== partial.next) {
      throw broken(`piece ${fragment} of message ${sequence} where ${partial.next} was expected`);
    }
    partial.next--;
    this.#current = partial;
    this.#missing = length;
  }

  /** Bytes that are missing of the piece that is open. */
  get missing(): number {
    return this.#missing;
  }

  /** The next bytes of the piece that is open, not more than are missing. The message, if they were its last ones. */
  more(part: Buffer): Whole<T> | undefined {
    const partial = this.#current as Partial<T>;
    this.#keep(partial.payload, part, 2);
    this.#missing -= part.length;
    if (this.#missing > 0) return undefined;
    this.#current = undefined;
    if (partial.next > 0n) return undefined;
    this.#open.delete(partial.sequence);
    this.#bytes -= partial.startBytes + partial.payload.capacity;
    return { start: partial.start, payload: partial.payload.bytes };
  }

  #keep(payload: Gathered, piece: Buffer, ahead: number): void {
    const before = payload.capacity;
    payload.add(piece, ahead);
    this.#charge(payload.capacity - before);
  }

  #charge(cost: number): void {
    if (this.#bytes + cost > this.#limits.bytes) {
      throw new DecodeError('too_large', `more than ${this.#limits.bytes} bytes of messages in pieces`, 0);
    }
    this.#bytes += cost;
  }
}

function broken(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}
