import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Writer } from '../../src/bytes/writer.js';

test('large values are given as they are, between the parts that were copied', () => {
  const writer = new Writer(64, 8);
  const large = Buffer.from('0123456789');
  writer.u32(0);
  writer.bytes(large);
  writer.u8(1);
  writer.bytes(Buffer.from('ab'));
  writer.bytes(large);
  assert.equal(writer.length, 4 + 10 + 1 + 2 + 10);
  writer.patchU32(0, 7);
  const parts = writer.takeParts();
  assert.equal(parts[1]?.buffer, large.buffer);
  assert.deepEqual(Buffer.concat(parts), Buffer.from('\0\0\0\x070123456789\x01ab0123456789', 'latin1'));
  assert.equal(writer.length, 0);
});

test('truncate drops what was not copied as well', () => {
  const writer = new Writer(64, 4);
  writer.u8(1);
  writer.bytes(Buffer.from('abcd'));
  const keep = writer.length;
  writer.u8(2);
  writer.bytes(Buffer.from('efgh'));
  writer.truncate(keep);
  assert.equal(writer.length, keep);
  writer.u8(3);
  assert.deepEqual(Buffer.concat(writer.takeParts()), Buffer.from('\x01abcd\x03', 'latin1'));
});

test('a patch behind an external value hits the bytes that were reserved for it', () => {
  const writer = new Writer(64, 4);
  writer.bytes(Buffer.from('abcd'));
  const at = writer.length;
  writer.u32(0);
  writer.bytes(Buffer.from('efgh'));
  writer.patchU32(at, 0x01020304);
  assert.deepEqual(Buffer.concat(writer.takeParts()), Buffer.from('abcd\x01\x02\x03\x04efgh', 'latin1'));
});
