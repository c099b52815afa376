// Binaries as Erlang source: `<<1, 2:4, "text"/utf8, 1.5:32/float-little>>`. Values are literals (`eval_bits`).
import { BitString } from '../terms/binary.js';
import { Float } from '../terms/number.js';
import type { Term } from '../terms/term.js';
import type { Token } from './erl_scan.js';

/** Whoever writes a larger literal means something else. */
const MAX_BITS = 8 * 0x100000;
const MAX_NESTING = 64;

interface Segment {
  readonly values: readonly Term[];
  type: 'integer' | 'float' | 'binary' | 'utf8' | 'utf16' | 'utf32';
  unit: number;
  size: number | undefined;
  little: boolean;
}

/** Reads the segments up to `>>`, from the token after `<<`. `unexpected` makes the error of a token: `bad` says why no
 * literal can have it, without `bad` it is out of place. */
export function parseBinary(
  tokens: readonly Token[],
  start: number,
  unexpected: (index: number, bad?: string) => Error,
  nesting = 0,
): { value: Uint8Array | BitString; next: number } {
  const bits = new Bits();
  let next = start;
  const is = (text: string): boolean => tokens[next]?.kind === 'symbol' && tokens[next]?.text === text;

  const value = (): readonly Term[] => {
    const negative = is('-');
    if (negative || is('+')) next++;
    const token = tokens[next];
    if (token?.kind === 'string') {
      next++;
      return Array.from(token.text, (c) => c.codePointAt(0) as number);
    }
    if (token?.kind === 'integer' || token?.kind === 'float' || token?.kind === 'char') {
      next++;
      return [negative ? negate(token.value) : token.value];
    }
    if (is('<<') && nesting < MAX_NESTING) {
      const inner = parseBinary(tokens, next + 1, unexpected, nesting + 1);
      next = inner.next;
      return [inner.value];
    }
    throw unexpected(next, 'no literal that a binary can hold');
  };

  const size = (): number | undefined => {
    if (!is(':')) return undefined;
    const token = tokens[++next];
    if (token?.kind !== 'integer' || typeof token.value !== 'number') throw unexpected(next, 'no size');
    next++;
    return token.value;
  };

  const types = (segment: Segment): void => {
    if (!is('/')) return;
    do {
      next++;
      const token = tokens[next];
      if (token?.kind !== 'atom' || !applyType(segment, token.text))
        throw unexpected(next, 'no type of a segment');
      next++;
      if (token.text === 'unit') {
        const unit = size();
        if (unit === undefined || unit < 1 || unit > 256) throw unexpected(next - 1, 'no unit (1 to 256)');
        segment.unit = unit;
      }
    } while (is('-'));
  };

  if (is('>>')) return { value: bits.value(), next: next + 1 };
  for (;;) {
    const at = next;
    const segment: Segment = { values: value(), type: 'integer', unit: 0, size: undefined, little: false };
    segment.size = size();
    types(segment);
    if (!segment.values.every((item) => bits.add(item, segment)))
      throw unexpected(at, 'no value for its segment');
    if (is('>>')) return { value: bits.value(), next: next + 1 };
    if (!is(',')) throw unexpected(next);
    next++;
  }
}

function negate(value: Term): Term {
  return value instanceof Float ? new Float(-value.value) : -BigInt(value as number | bigint);
}

function applyType(segment: Segment, name: string): boolean {
  switch (name) {
    case 'integer':
    case 'float':
    case 'utf8':
    case 'utf16':
    case 'utf32':
    case 'binary':
      segment.type = name;
      return true;
    case 'bytes':
      segment.type = 'binary';
      return true;
    case 'bitstring':
    case 'bits':
      segment.type = 'binary';
      segment.unit = 1;
      return true;
    case 'little':
    case 'native':
      segment.little = true;
      return true;
    case 'big':
      segment.little = false;
      return true;
    default:
      return name === 'signed' || name === 'unsigned' || name === 'unit';
  }
}

/** Bits appended one segment at a time. */
class Bits {
  readonly #bytes: number[] = [];
  #partial = 0;
  #used = 0;

  /** Appends a value as its segment says; false if the value is not of the segment's type. */
  add(value: Term, segment: Segment): boolean {
    const { type, little } = segment;
    if (value instanceof Uint8Array || value instanceof BitString) return this.#addBinary(value, segment);
    if (type === 'binary') return false;
    if (type === 'float') {
      const size = (segment.size ?? 64) * (segment.unit || 1);
      const bytes = floatBytes(value instanceof Float ? value.value : Number(value), size);
      return bytes !== undefined && this.#addBytes(little ? bytes.reverse() : bytes);
    }
    if (typeof value !== 'number' && typeof value !== 'bigint') return false;
    if (type !== 'integer') {
      const bytes = utf(Number(value), type, little);
      return bytes !== undefined && segment.size === undefined && this.#addBytes(bytes);
    }
    return this.#addInteger(BigInt(value), (segment.size ?? 8) * (segment.unit || 1), little);
  }

  value(): Uint8Array | BitString {
    const bytes = Uint8Array.from(this.#used === 0 ? this.#bytes : [...this.#bytes, this.#partial]);
    return this.#used === 0 ? bytes : new BitString(bytes, this.#used);
  }

  #addBinary(value: Uint8Array | BitString, { type, size, unit }: Segment): boolean {
    if (type !== 'binary') return false;
    const bytes = value instanceof BitString ? value.bytes : value;
    const length = value instanceof BitString ? (bytes.length - 1) * 8 + value.bits : bytes.length * 8;
    const wanted = size === undefined ? length : size * (unit || 8);
    if (wanted > length || (size === undefined && unit !== 1 && length % 8 !== 0)) return false;
    for (let at = 0; at < wanted; at += 8) {
      const count = Math.min(8, wanted - at);
      this.#push((bytes[at / 8] as number) >> (8 - count), count);
    }
    return true;
  }

  #addInteger(value: bigint, size: number, little: boolean): boolean {
    if (size > MAX_BITS - 8 * this.#bytes.length) return false;
    const rest = size % 8;
    const whole = BigInt(size - rest);
    const bits = BigInt.asUintN(size, value);
    if (!little) {
      this.#push(Number(bits >> whole), rest);
      return this.#addBytes(bytesOf(BigInt.asUintN(size - rest, bits), size - rest));
    }
    this.#addBytes(bytesOf(BigInt.asUintN(size - rest, bits), size - rest).reverse());
    this.#push(Number(bits >> whole), rest);
    return true;
  }

  #addBytes(bytes: Iterable<number>): boolean {
    for (const byte of bytes) this.#push(byte, 8);
    return true;
  }

  /** Appends the lowest `count` (0 to 8) bits. `#partial` holds the bits of an unfinished byte at its top. */
  #push(value: number, count: number): void {
    const window = (this.#partial << 8) | ((value & ((1 << count) - 1)) << (16 - this.#used - count));
    this.#used += count;
    if (this.#used < 8) this.#partial = window >> 8;
    else {
      this.#bytes.push(window >> 8);
      this.#used -= 8;
      this.#partial = window & 255;
    }
  }
}

/** An unsigned integer as so many bits, a multiple of 8, first the most significant ones. */
function bytesOf(value: bigint, size: number): number[] {
  const hex = value.toString(16).padStart(size / 4, '0');
  return Array.from({ length: size / 8 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function floatBytes(value: number, size: number): Uint8Array | undefined {
  const view = new DataView(new ArrayBuffer(8));
  if (size === 64) view.setFloat64(0, value);
  else if (size === 32 && Number.isFinite(Math.fround(value))) view.setFloat32(0, value);
  else return undefined;
  return new Uint8Array(view.buffer, 0, size / 8);
}

function utf(
  code: number,
  type: 'utf8' | 'utf16' | 'utf32' | 'float' | 'binary',
  little: boolean,
): Uint8Array | undefined {
  if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  const text = String.fromCodePoint(code);
  if (type === 'utf8') return new TextEncoder().encode(text);
  const units = type === 'utf16' ? Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)) : [code];
  const view = new DataView(new ArrayBuffer(type === 'utf16' ? 2 * units.length : 4));
  units.forEach((unit, i) => {
    if (type === 'utf16') view.setUint16(2 * i, unit, little);
    else view.setUint32(0, unit, little);
  });
  return new Uint8Array(view.buffer);
}
