// Integers are JavaScript numbers within ±(2^53-1) and bigints outside, floats are `Float`: 1 and 1.0 stay different.
import { BadArg } from '../errors.js';
import type { Term } from './term.js';

/** An Erlang float. `float(1)` is `1.0`. Never NaN or infinite. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** The Erlang float of that value; `BadArg` for NaN and the infinities, which Erlang does not have. */
export function float(value: number): Float {
  if (!Number.isFinite(value)) throw new BadArg(`${value} is no Erlang float`, 'badarith');
  return new Float(value);
}

/** Erlang's `is_integer/1`. */
export function isInteger(term: Term | undefined): term is number | bigint {
  return typeof term === 'number' || typeof term === 'bigint';
}

/** An integer of any size in its one representation: `number` within ±(2^53-1), else `bigint`. -0 becomes 0. */
export function integer(value: bigint | number): number | bigint {
  if (typeof value === 'bigint') {
    return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
  }
  if (!Number.isInteger(value)) throw new BadArg(`${value} is no integer: use float(${value})`);
  return Number.isSafeInteger(value) ? value + 0 : BigInt(value);
}
