// Binaries are Uint8Arrays, bitstrings with a partial last byte have a class; text goes in and out as UTF-8.
import { BadArg } from '../errors.js';
import { ImproperList } from './list.js';
import type { Term } from './term.js';

/** A bitstring whose last byte uses only the top `bits` (1..7) bits; the unused ones are 0. */
export class BitString {
  readonly bytes: Uint8Array;
  readonly bits: number;
  constructor(bytes: Uint8Array, bits: number) {
    this.bytes = bytes;
    this.bits = bits;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 binary of a text, as Elixir's `"text"`. */
export function binary(value: string): Uint8Array {
  return encoder.encode(value);
}

/** The list of code points of a text, as Erlang's `"text"`. */
export function charlist(value: string): readonly number[] {
  return Array.from(value, (c) => c.codePointAt(0) as number);
}

/** The text of chardata: a UTF-8 binary, a list of code points, or any nesting of both. `BadArg` if it is none. */
export function text(data: Term): string {
  if (data instanceof Uint8Array) return decode(data);
  let out = '';
  const stack: Term[] = [data];
  while (stack.length > 0) {
    const item = stack.pop() as Term;
    if (typeof item === 'number') out += codePoint(item);
    else if (item instanceof Uint8Array) out += decode(item);
    else if (item instanceof ImproperList) {
      stack.push(item.tail);
      for (let i = item.items.length - 1; i >= 0; i--) stack.push(item.items[i] as Term);
    } else if (Array.isArray(item)) {
      for (let i = item.length - 1; i >= 0; i--) stack.push((item as readonly Term[])[i] as Term);
    } else throw new BadArg('text() takes a binary, a list of code points, or a nesting of both');
  }
  return out;
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new BadArg('text() takes UTF-8: this binary is none');
  }
}

function codePoint(value: number): string {
  if (value < 0 || value > 0x10ffff || !Number.isInteger(value) || (value >= 0xd800 && value <= 0xdfff)) {
    throw new BadArg(`${value} is no Unicode code point`);
  }
  return String.fromCodePoint(value);
}
