import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../src/errors.js';
import { pattern, term } from '../../src/syntax/template.js';
import { atom } from '../../src/terms/atom.js';
import { binary, charlist } from '../../src/terms/binary.js';
import { ImproperList } from '../../src/terms/list.js';
import { map } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';

const [a, b, cal] = ['a', 'b', 'cal'].map((name) => atom(name)) as [
  ReturnType<typeof atom>,
  ReturnType<typeof atom>,
  ReturnType<typeof atom>,
];
const PID = new Pid(atom('n@h'), 1, 2, 3);

test('a template is a term in the syntax of Erlang', () => {
  assert.deepEqual(term`{cal, ${1}, ${float(2)}}`, tuple(cal, 1, float(2)));
  assert.deepEqual(term`[a, 'b' | ${PID}]`, new ImproperList([a, b], PID));
  assert.deepEqual(term`[a | ${[b]}]`, [a, b]);
  assert.deepEqual(term`#{a => ${tuple(a)}, ${b} => "x"}`, map([a, tuple(a)], [b, charlist('x')]));
  assert.deepEqual(term`<<"hi">>`, binary('hi'));
  assert.equal(term`true`, true);
});

test('a template that is no term is refused where it is wrong', () => {
  assert.throws(() => term`{a, `, ConfigError);
  assert.throws(() => term`{a, X}`, ConfigError);
});

test('each place in the source has its own values', () => {
  const make = (x: number) => term`{a, ${x}}`;
  assert.deepEqual([make(1), make(2)], [tuple(a, 1), tuple(a, 2)]);
});

test('a pattern binds its variables', () => {
  const match = pattern<'X' | 'Y'>`{cal, X, Y}`;
  assert.deepEqual(match(tuple(cal, 1, a)), { X: 1, Y: a });
  assert.equal(match(tuple(cal, 1)), undefined);
  assert.equal(match(tuple(a, 1, 2)), undefined);
  assert.equal(match(cal), undefined);
});

test('a variable that stands twice is the same term twice, _ is anything', () => {
  const twice = pattern`{X, X, _}`;
  assert.deepEqual(twice(tuple(PID, new Pid(atom('n@h'), 1, 2, 3), 5)), { X: PID });
  assert.equal(twice(tuple(1, float(1), 5)), undefined);
});

test('a value in a pattern is that very term', () => {
  assert.deepEqual(pattern`{${PID}, N}`(tuple(new Pid(atom('n@h'), 1, 2, 3), 7)), { N: 7 });
  assert.equal(pattern`{${a}, N}`(tuple(b, 7)), undefined);
});

test('lists are matched with their tails', () => {
  assert.deepEqual(pattern`[H | T]`([1, 2, 3]), { H: 1, T: [2, 3] });
  assert.deepEqual(pattern`[H | T]`(new ImproperList([1, 2], a)), { H: 1, T: new ImproperList([2], a) });
  assert.deepEqual(pattern`[alias | Ref]`(new ImproperList([atom('alias')], PID)), { Ref: PID });
  assert.equal(pattern`[A, B]`([1, 2, 3]), undefined);
  assert.equal(pattern`[A]`([]), undefined);
  assert.deepEqual(pattern`[]`([]), {});
});

test('maps are matched by the keys that are named', () => {
  const value = map([a, 1], [binary('k'), tuple(b, 2)]);
  assert.deepEqual(pattern`#{<<"k">> => {b, N}}`(value), { N: 2 });
  assert.deepEqual(pattern`#{${a} => N}`(value), { N: 1 });
  assert.equal(pattern`#{c => _}`(value), undefined);
  assert.deepEqual(pattern`#{}`(value), {});
  assert.equal(pattern`#{}`([]), undefined);
  assert.throws(() => pattern`#{K => 1}`, /must be a constant/);
});
