// What `otpnode inspect` shows of bytes: a stand-alone term, one frame of a connection, or a stream of frames.
//
//   131 term            131, 80: compressed
//   131, 68 D …         frame with a header; 69 E, 70 F: the pieces of a long message
//   112, 131 …          frame without header (neither atom cache nor fragments)
//   length u32, frame   a stream of frames, with one atom cache for all; length 0 is a tick
import { constants, inflateSync } from 'node:zlib';
import { Reader } from '../bytes/reader.js';
import {
  DIST_FRAG_CONT,
  DIST_FRAG_HEADER,
  DIST_HEADER,
  InCache,
  PASS_THROUGH,
  type References,
} from '../dist/dist_header.js';
import { Assembler } from '../dist/fragment.js';
import { OtpnodeError } from '../errors.js';
import { COMPRESSED, VERSION_MAGIC } from '../etf/tags.js';
import { formatAtom } from '../terms/format.js';
import { termTree } from './inspect.js';

const MAX_INFLATED = 64 * 1024 * 1024;

/** The tree of the bytes, line by line; what is damaged is shown as far as it can be read, with where it broke. */
export function inspect(input: Buffer): { readonly text: string; readonly whole: boolean } {
  const inspection = new Inspection();
  if (isStream(input)) inspection.stream(input);
  else if (isFrame(input)) inspection.frame(input, 0);
  else inspection.standAlone(input);
  return { text: `${inspection.lines.join('\n')}\n`, whole: inspection.whole };
}

/** 131, 70 is a float too, of exactly ten bytes. */
function isFrame(bytes: Buffer): boolean {
  if (bytes[0] === PASS_THROUGH) return bytes[1] === VERSION_MAGIC;
  if (bytes[0] !== VERSION_MAGIC) return false;
  if (bytes[1] === DIST_FRAG_CONT) return bytes.length >= 18;
  return bytes[1] === DIST_HEADER || bytes[1] === DIST_FRAG_HEADER;
}

/** Ticks, then a frame or what there is of one. */
function isStream(bytes: Buffer): boolean {
  let at = 0;
  while (bytes.length - at >= 4 && bytes.readUInt32BE(at) === 0) at += 4;
  const left = bytes.length - at;
  if (left < 4) return at > 0;
  if (bytes[at] === VERSION_MAGIC) return false;
  return left === 4 || bytes[at + 4] === VERSION_MAGIC || bytes[at + 4] === PASS_THROUGH;
}

class Inspection {
  readonly lines: string[] = [];
  whole = true;
  readonly #cache = new InCache();
  readonly #pieces = new Assembler<References>();

  stream(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.length - at < 4 ? undefined : bytes.readUInt32BE(at);
      if (length === undefined || bytes.length - at - 4 < length) {
        this.#line(at, length === undefined ? 'a length' : `a frame of ${length} bytes`);
        if (length !== undefined) this.frame(bytes.subarray(at + 4), at + 4);
        this.#broken(`the input ends inside of it, ${bytes.length - at} bytes further`);
        return;
      }
      this.#line(at, length === 0 ? 'tick' : `a frame of ${length} bytes`);
      if (length > 0) this.frame(bytes.subarray(at + 4, at + 4 + length), at + 4);
      at += 4 + length;
    }
  }

  frame(bytes: Buffer, base: number): void {
    try {
      if (bytes[0] === PASS_THROUGH) this.#passThrough(bytes, base);
      else if (isFrame(bytes)) this.#withHeader(bytes, base);
      else this.#broken(`a frame begins with 112, or 131 and 68, 69 or 70 (at offset ${base})`);
    } catch (error) {
      if (!(error instanceof OtpnodeError)) throw error;
      this.#broken(error.message);
    }
  }

  standAlone(bytes: Buffer): void {
    if (bytes[0] !== VERSION_MAGIC) {
      const [first] = bytes;
      this.#broken(
        first === undefined
          ? 'the input is empty'
          : `no term (131) and no frame of a connection begins with ${first}`,
      );
    } else if (bytes[1] === COMPRESSED) this.#compressed(bytes);
    else {
      this.#line(0, '131 VERSION_MAGIC');
      this.#rest(bytes, this.#term(bytes, 1, [], 0));
    }
  }

  #compressed(bytes: Buffer): void {
    if (bytes.length < 6) {
      this.#broken('the input ends inside the size of a compressed term');
      return;
    }
    const size = bytes.readUInt32BE(2);
    this.#line(
      0,
      `131 VERSION_MAGIC, 80 compressed, ${size} bytes; offsets below are those of the inflated bytes`,
    );
    const inner = this.#inflated(bytes.subarray(6), size);
    if (inner === undefined) return;
    const end = this.#term(inner, 0, [], 0);
    if (inner.length !== size) this.#broken(`${inner.length} bytes inflated, ${size} were announced`);
    this.#rest(inner, end);
  }

  /** What comes out of a zlib stream; of one that ends early what there is. */
  #inflated(stream: Buffer, size: number): Buffer | undefined {
    try {
      return inflateSync(stream, {
        maxOutputLength: Math.min(size + 1, MAX_INFLATED),
        finishFlush: constants.Z_SYNC_FLUSH,
      });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ERR_BUFFER_TOO_LARGE') this.#broken(`the zlib stream is damaged: ${message}`);
      else if (size < MAX_INFLATED) this.#broken(`more than the ${size} announced bytes come out of it`);
      else this.#broken(`it is not shown: more than ${MAX_INFLATED} bytes come out of it`);
      return undefined;
    }
  }

  /** `112, 131 control, 131 payload`. */
  #passThrough(bytes: Buffer, base: number): void {
    this.#line(base, '112 pass through; control message:');
    const end = this.#term(bytes, 2, [], base);
    if (end === undefined || end >= bytes.length) return;
    this.#line(base + end, 'payload:');
    if (bytes[end] !== VERSION_MAGIC) this.#broken(`131 is missing (at offset ${base + end})`);
    else this.#rest(bytes, this.#term(bytes, end + 1, [], base), base);
  }

  #withHeader(bytes: Buffer, base: number): void {
    const reader = new Reader(bytes, 2);
    const kind = bytes[1];
    if (kind === DIST_HEADER) {
      const references = this.#references(reader, base, '131, 68 header');
      this.#messages(bytes, reader.offset, references, base);
      return;
    }
    const sequence = reader.u64();
    const fragment = reader.u64();
    const name = `131, ${kind} piece ${fragment} of message ${sequence}`;
    if (kind === DIST_FRAG_CONT) {
      this.#line(base, name);
      this.#assembled(this.#pieces.add(sequence, fragment, reader.rest()));
      return;
    }
    const references = this.#references(reader, base, name);
    this.#line(base + reader.offset, 'control message:');
    const end = this.#term(bytes, reader.offset, references, base);
    if (end !== undefined) {
      this.#assembled(this.#pieces.begin(sequence, fragment, references, end, bytes.subarray(end)));
    }
  }

  #assembled(message: { start: References; payload: Buffer } | undefined): void {
    if (message === undefined) return;
    this.#line(0, 'payload of all pieces; offsets below begin with it:');
    this.#rest(message.payload, this.#term(message.payload, 0, message.start, 0));
  }

  #references(reader: Reader, base: number, name: string): References {
    const references = this.#cache.read(reader);
    const atoms = references.map((atom, i) => `${i}=${formatAtom(atom)}`).join(' ');
    this.#line(base, `${name}, ${references.length} atoms${atoms === '' ? '' : `: ${atoms}`}`);
    return references;
  }

  #messages(bytes: Buffer, start: number, references: References, base: number): void {
    this.#line(base + start, 'control message:');
    const end = this.#term(bytes, start, references, base);
    if (end === undefined || end >= bytes.length) return;
    this.#line(base + end, 'payload:');
    this.#rest(bytes, this.#term(bytes, end, references, base), base);
  }

  /** Where the term ends; undefined if it is damaged. */
  #term(bytes: Buffer, start: number, references: References, base: number): number | undefined {
    const tree = termTree(bytes, start, (index) => references[index], base);
    for (const line of tree.lines) this.lines.push(line);
    if (tree.fault === undefined) return tree.end;
    this.#broken(tree.fault);
    return undefined;
  }

  #rest(bytes: Buffer, end: number | undefined, base = 0): void {
    if (end !== undefined && end < bytes.length) {
      this.#line(base + end, `${bytes.length - end} bytes behind the term`);
    }
  }

  #line(offset: number, text: string): void {
    this.lines.push(`${String(offset).padStart(6)}  ${text}`);
  }

  #broken(text: string): void {
    this.whole = false;
    this.lines.push(`   !!!  ${text}`);
  }
}
