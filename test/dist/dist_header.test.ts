import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '../../src/bytes/reader.js';
import { Writer } from '../../src/bytes/writer.js';
import { CACHE_SLOTS, InCache, MAX_REFERENCES, OutCache } from '../../src/dist/dist_header.js';
import { DecodeError } from '../../src/errors.js';
import { type Atom, atom } from '../../src/terms/atom.js';

const read = (cache: InCache, bytes: readonly number[] | Buffer): readonly (Atom | boolean)[] =>
  cache.read(new Reader(Buffer.from(bytes)));

/** Sends one message with these atoms through both caches; what was read, and the bytes of the header. */
function pass(out: OutCache, into: InCache, atoms: readonly (Atom | boolean)[]) {
  const writer = new Writer();
  out.begin();
  const numbers = atoms.map((a) => out.reference(a));
  out.write(writer);
  const bytes = writer.take();
  const reader = new Reader(bytes);
  const references = into.read(reader);
  assert.equal(reader.remaining, 0);
  for (const [i, number] of numbers.entries()) {
    if (number >= 0) assert.equal(references[number], atoms[i]);
  }
  return { numbers, bytes };
}

const names = (prefix: string, count: number): Atom[] =>
  Array.from({ length: count }, (_, i) => atom(`${prefix}${i}`));

test('a header without references is one zero', () => {
  const out = new OutCache();
  const writer = new Writer();
  out.begin();
  out.write(writer);
  assert.deepEqual([...writer.take()], [0]);
  assert.deepEqual(read(new InCache(), [0]), []);
});

test('a new entry carries its text, a known one only its slot', () => {
  const [out, into] = [new OutCache(), new InCache()];
  assert.deepEqual([...pass(out, into, [atom('ok')]).bytes], [1, 0x08, 0, 2, 0x6f, 0x6b]);
  assert.deepEqual([...pass(out, into, [atom('ok')]).bytes], [1, 0x00, 0]);
});

test('the segment makes the slot, low half-byte first', () => {
  const cache = new InCache();
  // two new entries in segments 7 and 2, same index
  assert.deepEqual(read(cache, [2, 0xaf, 0x00, 5, 1, 0x61, 5, 1, 0x62]), [atom('a'), atom('b')]);
  // refer to both, the other way round
  assert.deepEqual(read(cache, [2, 0x72, 0x00, 5, 5]), [atom('b'), atom('a')]);
});

test('true and false are cached as booleans, the empty atom as any other', () => {
  const [out, into] = [new OutCache(), new InCache()];
  pass(out, into, [true, false, atom('')]);
  const { bytes } = pass(out, into, [false, atom(''), true]);
  assert.equal(bytes.length, 1 + 2 + 3);
});

test('an old entry of an empty slot is refused', () => {
  assert.throws(() => read(new InCache(), [1, 0x00, 9]), DecodeError);
});

test('a header that is cut anywhere is refused', () => {
  const whole = [2, 0x88, 0x00, 0, 2, 0x6f, 0x6b, 1, 1, 0x61];
  for (let end = 0; end < whole.length; end++) {
    assert.throws(() => read(new InCache(), whole.slice(0, end)), DecodeError, `cut at ${end}`);
  }
  assert.equal(read(new InCache(), whole).length, 2);
});

test('text that is not UTF-8, or longer than an atom, is refused', () => {
  assert.throws(() => read(new InCache(), [1, 0x08, 0, 1, 0xff]), DecodeError);
  const long = Buffer.concat([Buffer.from([1, 0x18, 0, 1, 0]), Buffer.alloc(256, 0x61)]);
  assert.throws(() => read(new InCache(), long), DecodeError);
});

test('long atoms make all lengths of a header two bytes', () => {
  const [out, into] = [new OutCache(), new InCache()];
  const long = atom('€'.repeat(255));
  pass(out, into, [atom('short'), long, atom('also')]);
  // known, but still long: the lengths of new ones stay two bytes
  pass(out, into, [long, atom('new')]);
  pass(out, into, [long]);
  pass(out, into, [atom('newer')]);
});

test('a header holds 255 references, further atoms are spelled out', () => {
  const { numbers } = pass(new OutCache(), new InCache(), names('x', 400));
  assert.equal(numbers.filter((n) => n >= 0).length, MAX_REFERENCES);
  assert.ok(numbers.slice(MAX_REFERENCES).every((n) => n === -1));
});

test('both caches stay in step while 20000 atoms pass through 2048 slots', () => {
  const [out, into] = [new OutCache(), new InCache()];
  for (let i = 0; i < 20_000; i += 100) pass(out, into, names(`m${i}_`, 100));
});

test('atoms in steady use keep their slots while others come and go', () => {
  const [out, into] = [new OutCache(), new InCache()];
  const steady = names('steady', 20);
  pass(out, into, steady);
  let told = 0;
  for (let i = 0; i < 200; i++) {
    const { bytes } = pass(out, into, [...steady, ...names(`once${i}_`, 50)]);
    if (bytes.includes('steady')) told++;
  }
  assert.equal(told, 0);
});

test('what a message that was given up would have introduced is introduced by the next', () => {
  const [out, into] = [new OutCache(), new InCache()];
  pass(out, into, [atom('known')]);
  out.begin();
  out.reference(atom('known'));
  out.reference(atom('fresh'));
  out.abort();
  assert.ok(pass(out, into, [atom('fresh'), atom('known')]).bytes.includes('fresh'));
});

test('a slot that was overwritten keeps its old atom for references already made', () => {
  const cache = new InCache();
  assert.deepEqual(read(cache, [2, 0x88, 0x00, 3, 1, 0x61, 3, 1, 0x62]), [atom('a'), atom('b')]);
  assert.deepEqual(read(cache, [1, 0x00, 3]), [atom('b')]);
  assert.equal(CACHE_SLOTS, 2048);
});
