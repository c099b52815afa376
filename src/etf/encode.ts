// The external term format, written: `encode` for stand-alone terms, `encodeInto` for those behind a frame's header.
import { deflateSync } from 'node:zlib';
import { Writer } from '../bytes/writer.js';
import { BadArg } from '../errors.js';
import { LocalTerm } from '../terms/record.js';
import type { Term } from '../terms/term.js';
import type { EncodeContext } from './encode_context.js';
import { encodeTerm } from './encode_term.js';
import * as tags from './tags.js';

export type { EncodeContext } from './encode_context.js';

export interface EncodeOptions {
  /** As `term_to_binary(_, [{minor_version, N}])`: 2 by default; 1 has Latin-1 atoms, 0 floats as text too. */
  readonly minorVersion?: 0 | 1 | 2;
  /** Compress with zlib where that is smaller; a level from 0 to 9, or true for 6. */
  readonly compressed?: boolean | number;
  /** Equal maps give equal bytes: their keys are sorted. */
  readonly deterministic?: boolean;
}

/** The bytes that `binary_to_term/1` reads. Throws `EncodeError` if there is no term in `term`. */
export function encode(term: Term, options: EncodeOptions = {}): Buffer {
  const { minorVersion = 2, compressed = false, deterministic = false } = options;
  const writer = new Writer(256);
  writer.u8(tags.VERSION_MAGIC);
  if (term instanceof LocalTerm) {
    writer.u8(tags.LOCAL_EXT);
    writer.bytes(term.bytes);
    return writer.take();
  }
  encodeTerm(writer, term, {
    v4nc: true,
    latin1Atoms: minorVersion < 2,
    textFloats: minorVersion < 1,
    deterministic,
  });
  const plain = writer.take();
  return compressed === false ? plain : compress(plain, compressed === true ? 6 : compressed);
}

/** Writes `term` without the leading 131. If it throws, the writer holds what it held before. */
export function encodeInto(writer: Writer, term: Term, context: EncodeContext): void {
  const start = writer.length;
  try {
    encodeTerm(writer, term, context);
  } catch (error) {
    writer.truncate(start);
    throw error;
  }
}

/** `131, 80, size u32, zlib stream`, unless that is longer. */
function compress(plain: Buffer, level: number): Buffer {
  if (!Number.isInteger(level) || level < 0 || level > 9) {
    throw new BadArg(`a compression level is 0 to 9, not ${level}`);
  }
  const body = plain.subarray(1);
  const packed = deflateSync(body, { level });
  if (packed.length + 5 >= body.length) return plain;
  const head = Buffer.alloc(6);
  head[0] = tags.VERSION_MAGIC;
  head[1] = tags.COMPRESSED;
  head.writeUInt32BE(body.length, 2);
  return Buffer.concat([head, packed]);
}
