import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { inspect } from '../../src/cli/inspect_frames.js';
import { inspectMain } from '../../src/cli/inspect_main.js';
import { encode } from '../../src/etf/encode.js';
import { atom } from '../../src/terms/atom.js';
import { map } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import { Pid } from '../../src/terms/pid.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { arbitraryTerm } from '../support/arbitrary_term.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const lines = (bytes: Buffer): string[] => inspect(bytes).text.trimEnd().split('\n');

test('a term is a tree of offsets, tags and values', () => {
  const node = atom('a@b');
  const term = tuple(
    new Pid(node, 1, 2, 3),
    new Reference(node, 4, [1, 2, 3]),
    map([-5, float(2)], [tuple(), []]),
    -5n * 2n ** 70n,
  );
  assert.deepEqual(lines(encode(term)), [
    '     0  131 VERSION_MAGIC',
    '     1  104 SMALL_TUPLE_EXT arity=4',
    '     3    88 NEW_PID_EXT id=1 serial=2 creation=3',
    '     4      119 SMALL_ATOM_UTF8_EXT len=3 atom="a@b"',
    '    21    90 NEWER_REFERENCE_EXT len=3 creation=4 id=1,2,3',
    '    24      119 SMALL_ATOM_UTF8_EXT len=3 atom="a@b"',
    '    45    116 MAP_EXT arity=2',
    '    50      98 INTEGER_EXT -5',
    '    55      70 NEW_FLOAT_EXT 2.0',
    '    64      104 SMALL_TUPLE_EXT arity=0',
    '    66      106 NIL_EXT',
    '    67    110 SMALL_BIG_EXT n=10 sign=1 value=-5902958103587056517120',
  ]);
});

test('of damaged bytes it shows what can be read, and where they broke', () => {
  assert.deepEqual(lines(hex('83 68 03 61 01 ff')), [
    '     0  131 VERSION_MAGIC',
    '     1  104 SMALL_TUPLE_EXT …',
    '     3    97 SMALL_INTEGER_EXT 1',
    '     5    255 unknown tag …',
    '   !!!  Unable to read tag 255 (at offset 6)',
  ]);
  assert.match(inspect(hex('83 6d 000000ff 01')).text, /255 bytes are announced, 1 are left \(at offset 6\)/);
  assert.match(inspect(hex('83 68 02 61 01')).text, /the input ends inside the term \(at offset 5\)/);
  assert.match(inspect(hex('83 50 00000005 0000')).text, /the zlib stream is damaged/);
  assert.match(inspect(hex('00')).text, /no term \(131\) and no frame/);
  assert.match(inspect(Buffer.concat([hex('83'), Buffer.alloc(5000, hex('6801'))])).text, /nested deeper/);
});

test('every term has a tree, whole or cut', () => {
  fc.assert(
    fc.property(arbitraryTerm(), fc.nat(), (term: Term, at) => {
      const bytes = encode(term);
      const { text, whole } = inspect(bytes);
      assert.ok(whole, text);
      assert.ok(!inspect(bytes.subarray(0, at % bytes.length)).whole);
    }),
    { numRuns: 60 },
  );
});

test('a stream of frames shares its atom cache', () => {
  const stream = hex(
    `00000000 00000010 83 44 01 08 05 02 6162 68 01 52 00 68 01 61 05 0000 0007 83 44 01 00 05 52 00 0000`,
  );
  const text = inspect(stream).text;
  assert.match(text, /tick/);
  assert.match(text, /131, 68 header, 1 atoms: 0=ab/);
  assert.match(text, /82 ATOM_CACHE_REF 0 ab/);
  assert.match(text, /payload:/);
});

test('a stream may begin with any number of ticks, and end anywhere', () => {
  const ticks = inspect(Buffer.alloc(400_000));
  assert.ok(ticks.whole);
  assert.equal(ticks.text.split('\n').filter((line) => line.endsWith('tick')).length, 100_000);
  assert.match(inspect(hex('00000000 000000')).text, /0 {2}tick\n.*the input ends inside/s);
  assert.match(inspect(hex('00000000 00000005 83 44')).text, /0 {2}tick\n.*frame of 5 bytes\n/s);
});

test('pieces of a long message are put together', () => {
  const first = hex('83 45 0000000000000001 0000000000000002 00 68 01 61 01 68 02 61');
  const second = hex('83 46 0000000000000001 0000000000000001 07 61 08');
  const framed = [first, second].map((frame) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    return Buffer.concat([length, frame]);
  });
  const { text, whole } = inspect(Buffer.concat(framed));
  assert.ok(whole, text);
  assert.match(text, /131, 69 piece 2 of message 1, 0 atoms/);
  assert.match(text, /131, 70 piece 1 of message 1/);
  assert.match(text, /97 SMALL_INTEGER_EXT 8/);
});

test('of a compressed term that ends early, or is larger than it says, that is told', () => {
  const compressed = (size: number, inner: Buffer): Buffer => {
    const head = Buffer.of(131, 80, 0, 0, 0, 0);
    head.writeUInt32BE(size, 2);
    return Buffer.concat([head, deflateSync(inner)]);
  };
  const list = encode(Array.from({ length: 300 }, (_, i) => i * 1000)).subarray(1);
  const whole = compressed(list.length, list);
  assert.equal(inspect(whole).whole, true);
  const cut = inspect(whole.subarray(0, -100));
  assert.equal(cut.whole, false);
  assert.match(cut.text, /98 INTEGER_EXT 3000\n/);
  assert.match(cut.text, new RegExp(`bytes inflated, ${list.length} were announced`));
  assert.match(inspect(compressed(10, list)).text, /more than the 10 announced bytes come out of it/);
  const large = 100 * 2 ** 20;
  assert.match(inspect(compressed(large, Buffer.alloc(large))).text, /not shown: more than 67108864 bytes/);
  const damaged = Buffer.from(whole);
  damaged[8] = 255;
  assert.match(inspect(damaged).text, /the zlib stream is damaged/);
});

test('hex, base64, Erlang text, files and standard input are read', () => {
  const outcomes: string[] = [];
  const output = {
    out: (text: string): void => void outcomes.push(text),
    err: (text: string): void => void outcomes.push(text),
  };
  const bytes = encode(7);
  for (const argv of [
    [bytes.toString('hex')],
    ['83 61 07'],
    [bytes.toString('base64')],
    ['83:61:07'],
    ['0x83', '0x61', '0x07'],
    ['<<131,97,7>>'],
    ['[131, 97, 7].'],
    ['131,97,7'],
    ['-'],
  ]) {
    assert.equal(
      inspectMain(argv, output, () => bytes),
      0,
    );
  }
  assert.equal(new Set(outcomes).size, 1);
  assert.equal(inspectMain(['/no/such file'], output), 1);
  assert.match(outcomes.at(-1) as string, /no file, no hex, no base64/);
  assert.equal(inspectMain(['131,97,256'], output), 1);
  assert.equal(inspectMain([''], output), 1);
  assert.match(outcomes.at(-1) as string, /: an empty word is no file/);
  assert.equal(inspectMain([import.meta.dirname], output), 1);
  assert.match(outcomes.at(-1) as string, /^otpnode inspect: cannot read .*directory/);
  assert.equal(
    inspectMain(['-'], output, () => Buffer.alloc(0)),
    1,
  );
  assert.match(outcomes.at(-1) as string, /the input is empty/);
  assert.equal(inspectMain(['--help'], output), 0);
});
