// Messages over 64 KiB travel in pieces, so that those of other processes can pass between them (distribution
// protocol, "Distribution header for fragmented messages"; OTP: dist.c).
//
// The number of a piece counts down to 1. The sequence names the message among those under way in one direction;
// 0 would mean "not fragmented". The control message is whole in the first piece, the payload is cut anywhere.
import { DecodeError } from '../errors.js';

/** Data bytes in each piece that we send, as BEAM does. */
export const FRAGMENT_SIZE = 65536;

/** What a peer can make us keep. */
export interface FragmentLimits {
  /** Messages under way at a time. */
  readonly sequences: number;
  /** Bytes of all of them, with what keeping a piece costs. */
  readonly bytes: number;
}

export const FRAGMENT_LIMITS: FragmentLimits = { sequences: 16384, bytes: 2 ** 30 };

const MAX_COUNT = 2n ** 32n;
/** What keeping one piece costs beside its bytes. */
const PIECE_COST = 128;
/** Smaller pieces are copied, so that they do not hold the whole chunk that was read from the socket. */
const SMALL_PIECE = 16384;

interface Partial<T> {
  readonly start: T;
  readonly pieces: Buffer[];
  next: bigint;
  bytes: number;
}

/** A message that is whole: what `begin` was given, and its payload. */
export interface Whole<T> {
  readonly start: T;
  readonly payload: Buffer;
}

/** Puts the peer's pieces together. What breaks the order or a limit throws `DecodeError`. */
export class Assembler<T> {
  readonly #limits: FragmentLimits;
  readonly #open = new Map<bigint, Partial<T>>();
  #bytes = 0;

  constructor(limits: FragmentLimits = FRAGMENT_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes kept for messages that are not whole. */
  get buffered(): number {
    return this.#bytes;
  }

  /**
   * The first piece, in one or more parts: `start` is what its header and control message were, of `startBytes`
   * bytes. The message, if that was all of it.
   */
  begin(
    sequence: bigint,
    fragment: bigint,
    start: T,
    startBytes: number,
    ...piece: Buffer[]
  ): Whole<T> | undefined {
    if (fragment === 1n) {
      if (this.#open.has(sequence)) throw broken(`message ${sequence} is begun twice`);
      return { start, payload: joined(piece) };
    }
    if (sequence === 0n) throw broken('a message in pieces has sequence 0');
    if (fragment === 0n || fragment > MAX_COUNT) throw broken(`${fragment} pieces are announced`);
    if (this.#open.has(sequence)) throw broken(`message ${sequence} is begun twice`);
    if (this.#open.size >= this.#limits.sequences) {
      throw new DecodeError(
        'too_large',
        `more than ${this.#limits.sequences} messages in pieces at a time`,
        0,
      );
    }
    const partial: Partial<T> = { start, pieces: [], next: fragment - 1n, bytes: 0 };
    this.#charge(partial, startBytes);
    this.#open.set(sequence, partial);
    for (const part of piece) this.#keep(partial, part);
    return undefined;
  }

  /** A further piece, in one or more parts. The message, if that was the last one. */
  add(sequence: bigint, fragment: bigint, ...piece: Buffer[]): Whole<T> | undefined {
    const partial = this.#open.get(sequence);
    if (partial === undefined) throw broken(`a piece of message ${sequence}, which was not begun`);
    if (fragment !== partial.next) {
      throw broken(`piece ${fragment} of message ${sequence} where ${partial.next} was expected`);
    }
    if (fragment > 1n) {
      partial.next--;
      for (const part of piece) this.#keep(partial, part);
      return undefined;
    }
    this.#open.delete(sequence);
    this.#bytes -= partial.bytes;
    partial.pieces.push(...piece);
    return { start: partial.start, payload: joined(partial.pieces) };
  }

  #keep(partial: Partial<T>, part: Buffer): void {
    this.#charge(partial, part.length + PIECE_COST);
    partial.pieces.push(part.length < SMALL_PIECE ? Buffer.from(part) : part);
  }

  #charge(partial: Partial<T>, cost: number): void {
    if (this.#bytes + cost > this.#limits.bytes) {
      throw new DecodeError('too_large', `more than ${this.#limits.bytes} bytes of messages in pieces`, 0);
    }
    this.#bytes += cost;
    partial.bytes += cost;
  }
}

function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

function broken(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}
