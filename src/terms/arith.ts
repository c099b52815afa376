// Arithmetic with Erlang's rules: integers are exact at any size, an integer and a float give a float, and what is no
// number, a division by zero or a float out of range is `badarith`, never NaN or an infinity.
import { ErlangError } from '../errors.js';
import { atom } from './atom.js';
import { Float, integer, isInteger } from './number.js';
import type { Term } from './term.js';

const BADARITH = atom('badarith');

type Integer = number | bigint;

function badarith(): ErlangError {
  return new ErlangError(BADARITH, [], 'an error in an arithmetic expression');
}

/** The value of a float, or the float nearest to an integer. */
function floatOf(term: Term): number {
  if (term instanceof Float) return term.value;
  if (!isInteger(term)) throw badarith();
  return Number(term);
}

function floatResult(value: number): Float {
  if (!Number.isFinite(value)) throw badarith();
  return new Float(value);
}

/** Both operands as integers; `badarith` if one is none. */
function integers(a: Term, b: Term): readonly [Integer, Integer] {
  if (!isInteger(a) || !isInteger(b)) throw badarith();
  return [a, b];
}

/** `A + B`. */
export function add(a: Term, b: Term): Term {
  if (!isInteger(a) || !isInteger(b)) return floatResult(floatOf(a) + floatOf(b));
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b;
  return integer(BigInt(a) + BigInt(b));
}

/** `A - B`. */
export function subtract(a: Term, b: Term): Term {
  if (!isInteger(a) || !isInteger(b)) return floatResult(floatOf(a) - floatOf(b));
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a - b)) return a - b;
  return integer(BigInt(a) - BigInt(b));
}

/** `A * B`. */
export function multiply(a: Term, b: Term): Term {
  if (!isInteger(a) || !isInteger(b)) return floatResult(floatOf(a) * floatOf(b));
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a * b)) return a * b + 0;
  return integer(BigInt(a) * BigInt(b));
}

/** `A / B`: always a float. */
export function divide(a: Term, b: Term): Term {
  const divisor = floatOf(b);
  if (divisor === 0 || !Number.isFinite(divisor)) throw badarith();
  const dividend = floatOf(a);
  if (!Number.isFinite(dividend)) throw badarith();
  return floatResult(dividend / divisor);
}

/** `A div B`: integers only, truncated towards zero. */
export function div(a: Term, b: Term): Term {
  const [x, y] = integers(a, b);
  if (y === 0) throw badarith();
  if (typeof x === 'number' && typeof y === 'number') return (x - (x % y)) / y + 0;
  return integer(BigInt(x) / BigInt(y));
}

/** `A rem B`: integers only, with the sign of `A`. */
export function rem(a: Term, b: Term): Term {
  const [x, y] = integers(a, b);
  if (y === 0) throw badarith();
  if (typeof x === 'number' && typeof y === 'number') return (x % y) + 0;
  return integer(BigInt(x) % BigInt(y));
}

/** `-A`. */
export function negate(a: Term): Term {
  if (a instanceof Float) return new Float(-a.value);
  if (!isInteger(a)) throw badarith();
  return typeof a === 'number' ? 0 - a : integer(-a);
}

/** `abs(A)`. */
export function abs(a: Term): Term {
  if (a instanceof Float) return new Float(Math.abs(a.value));
  if (!isInteger(a)) throw badarith();
  return typeof a === 'number' ? Math.abs(a) : integer(a < 0n ? -a : a);
}
