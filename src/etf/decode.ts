// The external term format, read: `decode` for stand-alone terms, `decodeFrom` for those behind a frame's header.
import { inflateSync } from 'node:zlib';
import { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';
import { LocalTerm } from '../terms/record.js';
import type { Term } from '../terms/term.js';
import { DEFAULT_LIMITS, type DecodeContext, type DecodeLimits, refuse } from './decode_context.js';
import { decodeWhole } from './decode_term.js';
import * as tags from './tags.js';

export type { DecodeContext, DecodeLimits } from './decode_context.js';

export interface DecodeOptions {
  /** As `binary_to_term(_, [safe])`: atoms that do not exist yet and funs are refused with the code `unsafe`. */
  readonly safe?: boolean;
  /** Refuse bytes behind the term, which are otherwise ignored as by `binary_to_term/1`. */
  readonly strict?: boolean;
  readonly limits?: Partial<DecodeLimits>;
}

/** The term in the bytes that `term_to_binary` made. Throws `DecodeError` for anything else. Binaries are copied. */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): Term {
  const { term, used } = decodeUsed(bytes, options);
  if (options.strict === true && used < bytes.length) {
    throw new DecodeError('trailing_bytes', `${bytes.length - used} bytes follow the term`, used);
  }
  return term;
}

/** As {@link decode}, with the number of bytes that the term took (`binary_to_term(_, [used])`). */
export function decodeUsed(bytes: Uint8Array, options: DecodeOptions = {}): { term: Term; used: number } {
  const reader = new Reader(bytes);
  const context = { safe: options.safe, limits: { ...DEFAULT_LIMITS, ...options.limits } };
  const magic = reader.u8();
  if (magic !== tags.VERSION_MAGIC) {
    throw new DecodeError('bad_tag', `a term begins with ${tags.VERSION_MAGIC}, not with ${magic}`, 0, magic);
  }
  if (reader.bytes[1] === tags.COMPRESSED) return inflated(reader, context);
  return { term: standAlone(reader, context), used: reader.offset };
}

/** The term at the reader's place, without the leading 131; the reader stands behind it afterwards. */
export function decodeFrom(reader: Reader, context: DecodeContext): Term {
  return decodeWhole(reader, context);
}

/** A local term has no length of its own: it is all that is left. */
function standAlone(reader: Reader, context: DecodeContext): Term {
  if (reader.bytes[reader.offset] !== tags.LOCAL_EXT) return decodeWhole(reader, context);
  reader.u8();
  return new LocalTerm(new Uint8Array(reader.rest()));
}

/** `80, size u32, zlib stream`: the size is a promise that is checked, and a bound for inflating. */
function inflated(reader: Reader, context: DecodeContext): { term: Term; used: number } {
  reader.u8();
  const size = reader.u32();
  const limit = (context.limits ?? DEFAULT_LIMITS).inflatedBytes;
  if (size > limit) {
    throw refuse(
      reader,
      `a compressed term of ${size} bytes, at most ${limit}`,
      tags.COMPRESSED,
      'too_large',
    );
  }
  const { buffer, used } = inflate(reader, size);
  const inner = new Reader(buffer);
  const term = standAlone(inner, context);
  return { term, used: reader.offset + used };
}

function inflate(reader: Reader, size: number): { buffer: Buffer; used: number } {
  try {
    const result = inflateSync(reader.bytes.subarray(reader.offset), {
      maxOutputLength: Math.max(size, 1),
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (result.buffer.length === size) return { buffer: result.buffer, used: result.engine.bytesWritten };
  } catch {
    throw refuse(reader, `a zlib stream that does not inflate to ${size} bytes`, tags.COMPRESSED);
  }
  throw refuse(reader, `a zlib stream that inflates to less than ${size} bytes`, tags.COMPRESSED);
}
