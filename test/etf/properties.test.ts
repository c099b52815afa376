// Properties of the codec over random terms and damaged bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Reader } from '../../src/bytes/reader.js';
import { Writer } from '../../src/bytes/writer.js';
import { DecodeError } from '../../src/errors.js';
import { decode, decodeFrom, decodeUsed } from '../../src/etf/decode.js';
import { encode, encodeInto } from '../../src/etf/encode.js';
import type { Atom } from '../../src/terms/atom.js';
import { from, toJs } from '../../src/terms/convert.js';
import { format } from '../../src/terms/format.js';
import { compare, equals, exactCompare, keyOf } from '../../src/terms/order.js';
import type { Term } from '../../src/terms/term.js';
import { arbitraryTerm } from '../support/arbitrary_term.js';

const term = arbitraryTerm();
const runs = { numRuns: 400 };

/** What is read, or undefined after a DecodeError; any other error is a failure. */
function read(bytes: Uint8Array): Term | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

test('etf 1: what is written is read as the same term', () => {
  fc.assert(
    fc.property(term, (value) => {
      const back = decode(encode(value), { strict: true });
      assert.deepEqual(back, value);
      assert.ok(equals(back, value));
      assert.equal(keyOf(back), keyOf(value));
      assert.equal(exactCompare(back, value), 0);
      assert.equal(format(back), format(value));
      assert.ok(encode(back).equals(encode(value)));
    }),
    runs,
  );
});

test('every option of encode gives the same term back', () => {
  fc.assert(
    fc.property(term, (value) => {
      for (const options of [
        { minorVersion: 0 },
        { minorVersion: 1 },
        { compressed: 9 },
        { deterministic: true },
      ] as const) {
        assert.ok(equals(decode(encode(value, options)), value));
      }
    }),
    runs,
  );
});

test('atoms of a frame go through its header', () => {
  fc.assert(
    fc.property(term, (value) => {
      const table: (Atom | boolean)[] = [];
      const atomRef = (a: Atom | boolean): number => {
        const known = table.indexOf(a);
        return known >= 0 || table.length === 3 ? known : table.push(a) - 1;
      };
      const writer = new Writer(16);
      encodeInto(writer, value, { v4nc: true, atomRef });
      const bytes = writer.take();
      const context = { atomRef: (index: number) => table[index], views: true };
      assert.ok(equals(decodeFrom(new Reader(bytes), context), value));
    }),
    runs,
  );
});

test('etf 15: bytes cut anywhere are refused', () => {
  fc.assert(
    fc.property(term, (value) => {
      const bytes = encode(value);
      for (let end = 0; end < Math.min(bytes.length, 200); end++) {
        assert.equal(read(bytes.subarray(0, end)), undefined);
      }
      assert.equal(decodeUsed(bytes).used, bytes.length);
    }),
    { numRuns: 100 },
  );
});

test('etf 15: a damaged byte gives another term or a DecodeError', () => {
  fc.assert(
    fc.property(term, fc.nat(255), (value, change) => {
      const bytes = Buffer.from(encode(value));
      for (let i = 1; i < Math.min(bytes.length, 200); i++) {
        const old = bytes[i] as number;
        bytes[i] = old ^ (change || 1);
        const other = read(bytes);
        if (other !== undefined) assert.ok(equals(decode(encode(other)), other));
        bytes[i] = old;
      }
    }),
    { numRuns: 100 },
  );
});

test('etf 15: random bytes give a term or a DecodeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      read(Uint8Array.of(131, ...bytes));
    }),
    { numRuns: 2000 },
  );
});

test('the order is total, and equal terms have equal keys', () => {
  fc.assert(
    fc.property(term, term, term, (a, b, c) => {
      for (const order of [compare, exactCompare]) {
        assert.equal(Math.sign(order(a, b)) + Math.sign(order(b, a)), 0);
        if (order(a, b) <= 0 && order(b, c) <= 0) assert.ok(order(a, c) <= 0);
      }
      assert.equal(exactCompare(a, b) === 0, equals(a, b));
      assert.equal(keyOf(a) === keyOf(b), equals(a, b));
      if (equals(a, b)) assert.equal(compare(a, b), 0);
    }),
    runs,
  );
});

test('a text is cut at its limit', () => {
  fc.assert(
    fc.property(term, fc.nat(50), (value, limit) => {
      const whole = format(value);
      const cut = format(value, limit);
      if (whole.length <= limit) assert.equal(cut, whole);
      else assert.equal(cut.length, limit + 3);
    }),
    runs,
  );
});

test('JSON-like values come back from terms', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const plain = JSON.stringify(value);
      assert.equal(JSON.stringify(toJs(decode(encode(from(value))))), plain);
    }),
    runs,
  );
});
