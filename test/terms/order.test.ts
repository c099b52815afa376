import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { compare, equals, keyOf } from '../../src/terms/order.js';
import { Reference } from '../../src/terms/reference.js';

test('references that differ by zero words at the end are one reference, as in Erlang', () => {
  const short = new Reference(atom('a@b'), 7, [4]);
  const padded = new Reference(atom('a@b'), 7, [4, 0, 0]);
  assert.ok(equals(short, padded));
  assert.equal(compare(short, padded), 0);
  assert.equal(keyOf(short), keyOf(padded));
  assert.ok(!equals(short, new Reference(atom('a@b'), 7, [4, 0, 1])));
});
