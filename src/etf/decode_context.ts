// What a decoder is told beside the bytes, its limits, and how it refuses.
import type { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';
import type { Atom } from '../terms/atom.js';

/** What a term of a peer may cost at most. Claimed sizes are checked against the bytes left before anything is allocated. */
export interface DecodeLimits {
  /** Levels of nesting. */
  readonly depth: number;
  /** Bytes of one integer's magnitude. */
  readonly integerBytes: number;
  /** Bytes of a compressed term after inflating. */
  readonly inflatedBytes: number;
}

export const DEFAULT_LIMITS: DecodeLimits = {
  depth: 2_000_000,
  integerBytes: 8 * 1024 * 1024,
  inflatedBytes: 256 * 1024 * 1024,
};

export interface DecodeContext {
  /** In a frame of a connection: the atom of a cache reference, undefined if the header has no such reference. */
  readonly atomRef?: ((index: number) => Atom | boolean | undefined) | undefined;
  /** As `binary_to_term(_, [safe])`: atoms that do not exist yet and funs are refused. */
  readonly safe?: boolean | undefined;
  /** A binary that is a large part of the input's memory may be a view of it: only if that is never written again. */
  readonly views?: boolean | undefined;
  readonly limits?: DecodeLimits | undefined;
}

/**
 * Decodes the data behind one tag. `depth` counts the levels around the term, `owed` the terms that must still come
 * behind it: each takes a byte at least, so that nested claims cannot add up to more than the input.
 */
export type TagDecoder<T> = (reader: Reader, context: DecodeContext, depth: number, owed: number) => T;

/** The error for a value that the format does not allow; the offset is where the reader stands. */
export function refuse(
  reader: Reader,
  message: string,
  tag?: number,
  code: DecodeError['code'] = 'bad_value',
): DecodeError {
  return new DecodeError(code, `${message} (at offset ${reader.offset})`, reader.offset, tag);
}

/** Throws unless the bytes left can hold `count` more terms beside those owed to the terms around. */
export function claim(reader: Reader, count: number, owed: number): void {
  if (count > reader.end - reader.offset - owed) {
    throw refuse(
      reader,
      `${count} terms are announced, ${reader.end - reader.offset} bytes are left`,
      undefined,
      'truncated',
    );
  }
}
