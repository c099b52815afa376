// The codec against bytes that a real erl made (interop/vectors/make.ts).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DecodeError } from '../../src/errors.js';
import { decode } from '../../src/etf/decode.js';
import { encode } from '../../src/etf/encode.js';
import { format } from '../../src/terms/format.js';
import { compare, equals } from '../../src/terms/order.js';
import type { Term } from '../../src/terms/term.js';

interface Vectors {
  readonly otp: number;
  readonly terms: readonly { readonly source: string; readonly hex: string; readonly text?: string }[];
  readonly accepted: readonly { readonly hex: string; readonly read: string }[];
  readonly refused: readonly { readonly hex: string }[];
  readonly sorted: readonly string[];
}

const vectors = JSON.parse(readFileSync('test/etf/vectors.json', 'utf8')) as Vectors;
const read = (hex: string): Term => decode(Buffer.from(hex, 'hex'), { strict: true });
const written = (term: Term): string => encode(term).toString('hex');

test(`etf 1, 3-7, 10, 12: terms of OTP ${vectors.otp} are read and written as there`, () => {
  for (const { source, hex, text } of vectors.terms) {
    const term = read(hex);
    assert.equal(written(term), hex, source);
    assert.ok(equals(term, read(hex)), source);
    if (text !== undefined) assert.equal(format(term, { style: 'tw' }), text, source);
  }
});

test('etf 2-8, 11: what only decoders meet is read, and written in the new forms', () => {
  for (const { hex, read: other } of vectors.accepted) {
    assert.equal(written(read(hex)), other, hex);
  }
});

test('etf 2, 5-8, 11-14: what erl refuses is refused', () => {
  for (const { hex } of vectors.refused) assert.throws(() => read(hex), DecodeError, hex);
});

test('etf 18: terms are sorted as by lists:sort/1', () => {
  const sorted = vectors.sorted.map(read);
  for (let i = 1; i < sorted.length; i++) {
    assert.ok(compare(sorted[i - 1] as Term, sorted[i] as Term) <= 0, `${vectors.sorted[i]}`);
  }
});
