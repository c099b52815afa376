import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError } from '../../src/errors.js';
import { abs, add, div, divide, multiply, negate, rem, subtract } from '../../src/terms/arith.js';
import { atom } from '../../src/terms/atom.js';
import { binary } from '../../src/terms/binary.js';
import { float } from '../../src/terms/number.js';
import type { Term } from '../../src/terms/term.js';

const MAX = 2 ** 53 - 1;

const CASES: readonly (readonly [string, () => Term, Term])[] = [
  ['1 + 2 = 3', () => add(1, 2), 3],
  ['1 + 2.0 = 3.0', () => add(1, float(2)), float(3)],
  ['2^53-1 + 1 = 2^53', () => add(MAX, 1), 2n ** 53n],
  ['2^53-1 + 3 is exact', () => add(MAX, 3), 2n ** 53n + 2n],
  ['2^70 + 1 is exact', () => add(2n ** 70n, 1), 2n ** 70n + 1n],
  ['2^70 + 1.0 is a float', () => add(2n ** 70n, float(1)), float(2 ** 70)],
  ['2^53 - 1 fits a number again', () => subtract(2n ** 53n, 1), MAX],
  ['1 - 1.0 = 0.0', () => subtract(1, float(1)), float(0)],
  ['3037000500 squared is exact', () => multiply(3037000500, 3037000500), 9223372037000250000n],
  ['0 * -5 is 0, not -0', () => multiply(0, -5), 0],
  ['0.0 * -5 = -0.0', () => multiply(float(0), -5), float(-0)],
  ['4 / 2 = 2.0', () => divide(4, 2), float(2)],
  ['2^70 / 2 = 2.0^69', () => divide(2n ** 70n, 2), float(2 ** 69)],
  ['-7 div 2 = -3', () => div(-7, 2), -3],
  ['2^53-1 div 2 is exact', () => div(MAX, 2), (MAX - 1) / 2],
  ['2^70 div 3 is exact', () => div(2n ** 70n, 3), 2n ** 70n / 3n],
  ['-1 div 2 is 0, not -0', () => div(-1, 2), 0],
  ['-7 rem 2 = -1', () => rem(-7, 2), -1],
  ['-4 rem 2 is 0, not -0', () => rem(-4, 2), 0],
  ['2^70 rem 1000 = 424', () => rem(2n ** 70n, 1000), 424],
  ['-(0) is 0, not -0', () => negate(0), 0],
  ['-(0.0) = -0.0', () => negate(float(0)), float(-0)],
  ['abs(-2^70) = 2^70', () => abs(-(2n ** 70n)), 2n ** 70n],
  ['abs(-1.5) = 1.5', () => abs(float(-1.5)), float(1.5)],
];

for (const [name, run, result] of CASES) {
  test(name, () => assert.deepEqual(run(), result));
}

const BAD: readonly (readonly [string, () => Term])[] = [
  ['a + 1', () => add(atom('a'), 1)],
  ['1 + <<"a">>', () => add(1, binary('a'))],
  ['[] * 2.0', () => multiply([], float(2))],
  ['true - 1', () => subtract(true, 1)],
  ['1 / 0', () => divide(1, 0)],
  ['1 / 0.0', () => divide(1, float(0))],
  ['1 div 0', () => div(1, 0)],
  ['2^70 rem 0', () => rem(2n ** 70n, 0)],
  ['1.0 div 2', () => div(float(1), 2)],
  ['1.0e308 * 10', () => multiply(float(1e308), 10)],
  ['2^2000 + 1.0', () => add(2n ** 2000n, float(1))],
  ['2^2000 / 2^1999', () => divide(2n ** 2000n, 2n ** 1999n)],
];

for (const [name, run] of BAD) {
  test(`${name} is badarith`, () => {
    assert.throws(run, (error) => error instanceof ErlangError && error.reason === atom('badarith'));
  });
}
