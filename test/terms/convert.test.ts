import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { binary, charlist } from '../../src/terms/binary.js';
import { from, toJs } from '../../src/terms/convert.js';
import { ImproperList } from '../../src/terms/list.js';
import { map } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import { equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';

const a = atom('a');
const PID = new Pid(atom('n@h'), 1, 2, 3);

const FROM: readonly (readonly [string, unknown, Term])[] = [
  ['a string', 'ä', binary('ä')],
  ['an integer', 5, 5],
  ['minus zero', -0, 0],
  ['a number that may be inexact', 2 ** 60, float(2 ** 60)],
  ['a large bigint', 2n ** 60n, 2n ** 60n],
  ['a small bigint', 5n, 5],
  ['a fraction', 1.5, float(1.5)],
  ['null', null, atom('nil')],
  ['a boolean', true, true],
  [
    'an object',
    { a: 1, b: { c: [] }, d: undefined },
    map([binary('a'), 1], [binary('b'), map([binary('c'), []])]),
  ],
  ['an array', ['x', [1.5]], [binary('x'), [float(1.5)]]],
  ['a Map', new Map<unknown, unknown>([[1, 'x']]), map([1, binary('x')])],
  ['a term', { pid: PID, t: tuple(a) }, map([binary('pid'), PID], [binary('t'), tuple(a)])],
];

for (const [name, value, term] of FROM) {
  test(`from: ${name}`, () => assert.ok(equals(from(value), term)));
}

test('from: strings, keys and null by option', () => {
  assert.deepEqual(from('x', { strings: 'charlist' }), charlist('x'));
  assert.equal(from('a', { strings: 'atom' }), a);
  assert.equal(from('true', { strings: 'atom' }), true);
  assert.ok(equals(from({ a: null }, { keys: 'atom', null: atom('null') }), map([a, atom('null')])));
});

test('from: what has no term is refused with its place', () => {
  assert.throws(() => from({ list: [1, undefined] }), /undefined has no term \(at \["list"\]\[1\]\)/);
  assert.throws(() => from(new Date()), /class Date/);
  assert.throws(() => from(() => 1), /a function has no term/);
  assert.throws(() => from([Number.NaN]), { code: 'badarith' });
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  assert.throws(() => from(cyclic), /contains itself/);
});

test('toJs: by its rules', () => {
  const js = (term: Term, options = {}): unknown => toJs(term, options);
  assert.equal(js(binary('ä')), 'ä');
  assert.deepEqual(js(Uint8Array.of(255)), Uint8Array.of(255));
  assert.equal(js(float(2)), 2);
  assert.equal(js(2n ** 70n), 2n ** 70n);
  assert.equal(js(a), 'a');
  assert.equal(js(atom('undefined')), null);
  assert.equal(js(PID), PID);
  assert.deepEqual(js(tuple(a, [1, true])), ['a', [1, true]]);
  assert.deepEqual(
    { ...(js(map([a, 1], [binary('b'), map()])) as object) },
    { a: 1, b: Object.create(null) },
  );
});

test('toJs: options', () => {
  const t = tuple(1);
  assert.equal(toJs(t, { tuples: 'keep' }), t);
  assert.equal(toJs(a, { atoms: 'keep' }), a);
  assert.deepEqual(toJs(binary('x'), { binaries: 'bytes' }), binary('x'));
  assert.deepEqual(toJs(map([1, a]), { maps: 'map' }), new Map([[1, 'a']]));
});

test('toJs: what would be lost is refused', () => {
  assert.throws(() => toJs(map([1, a])), /key 1 is no text/);
  assert.throws(() => toJs(map([a, 1], [binary('a'), 2])), /two keys/);
  assert.throws(() => toJs(new ImproperList([a], a)), /improper/);
  let deep: Term = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assert.throws(() => toJs(deep), /nested deeper/);
});

test('a key of a peer means nothing but itself', () => {
  const made = toJs(map([binary('__proto__'), map([binary('x'), 1])])) as Record<string, unknown>;
  assert.deepEqual(Object.keys(made), ['__proto__']);
  assert.equal(Object.getPrototypeOf(made), null);
});

test('JSON-like values come back as they were', () => {
  const value = { a: [1, 2.5, 'x', null, true], 'b c': { d: '' } };
  assert.equal(JSON.stringify(toJs(from(value))), JSON.stringify(value));
});
