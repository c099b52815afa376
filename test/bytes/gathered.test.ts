import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gathered } from '../../src/bytes/gathered.js';

test('parts are copied one behind the other, more than expected, too', () => {
  const gathered = new Gathered(4);
  const part = Buffer.from('abc');
  gathered.add(part);
  part.fill(0);
  gathered.add(Buffer.from('def'));
  assert.equal(gathered.bytes.toString(), 'abcdef');
  assert.equal(gathered.length, 6);
});

test('room is made for what is expected, but only some times of what has come', () => {
  const gathered = new Gathered(1000);
  gathered.add(Buffer.alloc(10), 16);
  assert.equal(gathered.capacity, 160);
  gathered.add(Buffer.alloc(200), 16);
  assert.equal(gathered.capacity, 1000);
});
