// Numbers as Erlang source: 42, 1_000, 16#ff, 3.14, 1.0e-3, and the based floats of OTP 28 (2#0.101#e8).

import { Float, integer } from '../terms/number.js';
import type { Term } from '../terms/term.js';
import { syntaxError } from './position.js';

interface Scanned {
  readonly kind: 'integer' | 'float';
  readonly value: Term;
  readonly end: number;
}

const DECIMAL = /(\d+(?:_\d+)*)(\.\d+(?:_\d+)*(?:[eE][+-]?(?:\d+(?:_\d+)*)?)?)?/y;
const BASED =
  /#([0-9A-Za-z]*(?:_[0-9A-Za-z]+)*)(?:\.([0-9A-Za-z]+(?:_[0-9A-Za-z]+)*)(?:#[eE]([+-]?\d+(?:_\d+)*))?)?/y;

/** The number that begins at `offset`, where a digit stands. */
export function scanNumber(text: string, offset: number): Scanned {
  DECIMAL.lastIndex = offset;
  const [all, whole = '0', fraction] = DECIMAL.exec(text) ?? ['0'];
  const end = offset + all.length;
  if (fraction !== undefined) return decimalFloat(text, offset, all);
  if (text[end] === '#') return based(text, offset, Number(plain(whole)), end);
  return { kind: 'integer', value: integer(BigInt(plain(whole))), end };
}

function plain(digits: string): string {
  return digits.replaceAll('_', '');
}

function decimalFloat(text: string, offset: number, literal: string): Scanned {
  const value = /[eE][+-]?$/.test(literal) ? Number.NaN : Number(plain(literal));
  if (!Number.isFinite(value)) throw syntaxError(text, offset, 'illegal float');
  return { kind: 'float', value: new Float(value), end: offset + literal.length };
}

function based(text: string, offset: number, base: number, hash: number): Scanned {
  if (base < 2 || base > 36) throw syntaxError(text, offset, `illegal base '${base}'`);
  BASED.lastIndex = hash;
  const [, whole = '', fraction, exponent] = BASED.exec(text) ?? [];
  const valid = leading(whole, base);
  if (valid === '') throw syntaxError(text, offset, 'illegal integer');
  if (valid.length < whole.length || fraction === undefined || leading(fraction, base) !== fraction) {
    return { kind: 'integer', value: integer(digits(plain(valid), base)), end: hash + 1 + valid.length };
  }
  const value = basedFloat(base, plain(whole), plain(fraction), Number(plain(exponent ?? '0')));
  if (!Number.isFinite(value)) throw syntaxError(text, offset, 'illegal float');
  return { kind: 'float', value: new Float(value), end: BASED.lastIndex };
}

/** The longest beginning of `literal` whose digits are of that base. */
function leading(literal: string, base: number): string {
  const highest = base <= 10 ? `[0-${base - 1}]` : `[0-9a-${String.fromCharCode(86 + base)}]`;
  return new RegExp(`^(?:${highest}+(?:_${highest}+)*)?`, 'i').exec(literal)?.[0] ?? '';
}

function digits(literal: string, base: number): bigint {
  if (base === 10) return BigInt(literal);
  if (base === 16) return BigInt(`0x${literal}`);
  let value = 0n;
  for (const digit of literal) value = value * BigInt(base) + BigInt(Number.parseInt(digit, 36));
  return value;
}

function basedFloat(base: number, whole: string, fraction: string, exponent: number): number {
  const mantissa = digits(whole + fraction, base);
  return Number(mantissa) * base ** (exponent - fraction.length);
}
