// The codec against bytes written down by hand, and at the limits of size and depth.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '../../src/bytes/reader.js';
import { Writer } from '../../src/bytes/writer.js';
import { DecodeError, EncodeError } from '../../src/errors.js';
import { decode, decodeFrom, decodeUsed } from '../../src/etf/decode.js';
import { encode, encodeInto } from '../../src/etf/encode.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { BitString, binary, charlist } from '../../src/terms/binary.js';
import { OpaqueFun } from '../../src/terms/fun.js';
import { ImproperList } from '../../src/terms/list.js';
import { map, TermMap } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import { compare, equals, exactCompare, keyOf } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import { Port } from '../../src/terms/port.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';

const OK = atom('ok');
const NODE = atom('n@h');
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const CANONICAL: readonly (readonly [string, Term, string])[] = [
  ['a byte', 255, '83 61 ff'],
  ['a negative integer', -1, '83 62 ffffffff'],
  ['-2^31', -(2 ** 31), '83 62 80000000'],
  ['2^31', 2 ** 31, '83 6e 04 00 00000080'],
  ['-2^53+1', -(2 ** 53) + 1, '83 6e 07 01 ffffffffffff1f'],
  ['2^64', 2n ** 64n, '83 6e 09 00 000000000000000001'],
  ['a float', float(1), '83 46 3ff0000000000000'],
  ['the empty list', [], '83 6a'],
  ['a list of bytes', [1, 2], '83 6b 0002 0102'],
  ['a list', [1, 256], '83 6c 00000002 6101 6200000100 6a'],
  ['an improper list', new ImproperList([OK], 1), '83 6c 00000001 77026f6b 6101'],
  ['a tuple', tuple(OK, true), '83 68 02 77026f6b 770474727565'],
  ['a binary', binary('hi'), '83 6d 00000002 6869'],
  ['a bitstring', new BitString(Uint8Array.of(0xa0), 3), '83 4d 00000001 03 a0'],
  ['an atom beyond ASCII', atom('ünï'), '83 77 05 c3bc6ec3af'],
  ['a map', map([OK, 1]), '83 74 00000001 77026f6b 6101'],
  ['a pid', new Pid(NODE, 1, 2, 3), '83 58 77036e4068 00000001 00000002 00000003'],
  ['a reference', new Reference(NODE, 3, [1, 2]), '83 5a 0002 77036e4068 00000003 00000001 00000002'],
  ['a port', new Port(NODE, 5n, 3), '83 78 77036e4068 0000000000000005 00000003'],
];

for (const [name, term, bytes] of CANONICAL) {
  test(`${name} is written and read as the BEAM does`, () => {
    assert.equal(encode(term).toString('hex'), hex(bytes).toString('hex'));
    assert.deepEqual(decode(hex(bytes)), term);
  });
}

const nested = (depth: number, wrap: (inner: Term) => Term): Term => {
  let term: Term = [];
  for (let i = 0; i < depth; i++) term = wrap(term);
  return term;
};

const WRAPS: readonly (readonly [string, (inner: Term) => Term])[] = [
  ['lists', (inner) => [inner]],
  ['tuples', (inner) => tuple(inner)],
  ['improper lists', (inner) => new ImproperList([inner], OK)],
  ['maps by value', (inner) => map([OK, inner])],
];

for (const [name, wrap] of WRAPS) {
  test(`etf 4: ${name} nested 100,000 deep are written, read, compared and hashed`, () => {
    const term = nested(100_000, wrap);
    const bytes = encode(term);
    const back = decode(bytes);
    assert.ok(encode(back).equals(bytes));
    assert.ok(equals(term, back));
    assert.equal(compare(term, back), 0);
    assert.equal(keyOf(term), keyOf(back));
  });
}

test('maps nested as keys cost no more than their size', () => {
  const term = nested(20_000, (inner) => map([inner, 1]));
  const back = decode(encode(term));
  assert.equal(exactCompare(term, back), 0);
});

test('a list whose tail is a list again is one list, in linear time', () => {
  const count = 300_000;
  const cell = hex('6c 00000001 6101');
  const chain = Buffer.concat([hex('83'), ...Array<Buffer>(count).fill(cell), hex('6b 0001 02')]);
  const list = decode(chain) as readonly Term[];
  assert.equal(list.length, count + 1);
  assert.equal(list.at(-1), 2);
});

test('etf 4: lists of 65535 and 65536 bytes, and of a million integers', () => {
  for (const [length, tag] of [
    [65535, 107],
    [65536, 108],
    [1_000_000, 108],
  ] as const) {
    const list = new Array<number>(length).fill(7);
    const bytes = encode(list);
    assert.equal(bytes[1], tag);
    assert.deepEqual(decode(bytes), list);
  }
});

test('etf 9: terms nested deeper than the limit are refused', () => {
  for (const depth of [1, 2, 100, 300]) {
    const limits = { depth };
    for (const [name, wrap] of WRAPS) {
      const term = nested(depth, wrap);
      assert.ok(equals(decode(encode(term), { limits: { depth: depth + 1 } }), term), name);
      assert.throws(() => decode(encode(wrap(wrap(term))), { limits }), { code: 'too_large' }, name);
    }
  }
});

test('local terms are opaque, and nowhere but alone', () => {
  const bytes = hex('83 79 04efcd14 68 02 58 6a 0000000a 00000000 00000000 77 01 61');
  const local = decode(bytes);
  assert.ok(encode(local).equals(bytes));
  assert.throws(() => encode([local]), { code: 'not_a_term' });
  assert.throws(() => encodeInto(new Writer(), local, { v4nc: true }), { code: 'not_a_term' });
  assert.throws(() => decode(hex('83 68 01 79 04efcd14 6a')), DecodeError);
});

test('etf 14: a claimed size beyond the input is refused before anything is allocated', () => {
  for (const tag of [105, 108, 109, 111, 116, 77, 67, 112]) {
    const bytes = Buffer.concat([Buffer.from([131, tag, 255, 255, 255, 255]), Buffer.alloc(14)]);
    assert.throws(() => decode(bytes), DecodeError, `tag ${tag}`);
  }
  const many = Buffer.concat([hex('83'), ...Array<Buffer>(1000).fill(hex('69 000007ff'))]);
  assert.throws(() => decode(many), { code: 'truncated' });
});

test('etf 2: what may not be is refused', () => {
  for (const bad of [
    '83 75 00',
    '83 52 00',
    '83 83 61 01',
    '83 49 00000001',
    '83 00',
    '82 61 01',
    '83',
    '',
  ]) {
    assert.throws(() => decode(hex(bad)), DecodeError, bad);
  }
  const frame = { atomRef: () => undefined };
  for (const bad of ['50 00000000', '79 00', '83 61 01', '52 00', '58 6a 00000001 00000002 00000003']) {
    assert.throws(() => decodeFrom(new Reader(hex(bad)), frame), DecodeError, bad);
  }
});

test('etf 13: a compressed term is inflated to the promised size only', () => {
  const term = charlist('a'.repeat(10_000));
  const packed = encode(term, { compressed: true });
  assert.ok(packed.length < 200);
  assert.deepEqual(decode(packed), term);
  assert.deepEqual(decodeUsed(Buffer.concat([packed, hex('0102')])).used, packed.length);
  for (const change of [-1, 1]) {
    const wrong = Buffer.from(packed);
    wrong.writeUInt32BE(wrong.readUInt32BE(2) + change, 2);
    assert.throws(() => decode(wrong), DecodeError);
  }
  const bomb = Buffer.from(packed);
  bomb.writeUInt32BE(0xffffffff, 2);
  assert.throws(() => decode(bomb), { code: 'too_large' });
});

test('etf 17: safe decoding refuses new atoms and funs', () => {
  const unheard = hex('83 77 0b 6e657665727365656e3132');
  assert.throws(() => decode(unheard, { safe: true }), { code: 'unsafe' });
  assert.equal((decode(unheard) as Atom).name, 'neverseen12');
  assert.throws(() => decode(hex('83 71 77026f6b 77026f6b 6101'), { safe: true }), { code: 'unsafe' });
});

test('bytes behind a term are ignored, or refused if asked', () => {
  assert.equal(decode(hex('83 61 01 00')), 1);
  assert.throws(() => decode(hex('83 61 01 00'), { strict: true }), { code: 'trailing_bytes', offset: 3 });
});

test('what is no term is refused with the cure', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ['text', /binary\(/],
    [undefined, /undefined/],
    [null, /nil/],
    [Number.NaN, /no Erlang number/],
    [1.5, /float\(1\.5\)/],
    [2 ** 60, /bigint/],
    [{}, /Object.*from\(/],
    [() => 1, /function/],
    [[1, 'x'], /binary\(/],
  ];
  for (const [value, text] of cases) {
    assert.throws(
      () => encode(value as Term),
      (error) => error instanceof EncodeError && error.code === 'not_a_term' && text.test(error.message),
    );
  }
});

test('a writer holds what it held before when a term cannot be written', () => {
  const writer = new Writer();
  writer.u8(1);
  assert.throws(() => encodeInto(writer, [OK, 'x'] as unknown as Term, { v4nc: true }), EncodeError);
  assert.deepEqual([...writer.take()], [1]);
});

test('distribution 12: what a peer without V4_NC cannot read fails here', () => {
  const write = (term: Term): Buffer => {
    const writer = new Writer();
    encodeInto(writer, term, { v4nc: false });
    return writer.take();
  };
  for (const wide of [
    new Pid(NODE, 0x8000, 0, 1),
    new Pid(NODE, 1, 0x2000, 1),
    new Reference(NODE, 1, [1, 2, 3, 4]),
    new Port(NODE, 2n ** 28n, 1),
  ]) {
    assert.throws(() => write([wide]), { code: 'unsupported_by_peer' });
  }
  assert.equal(write(new Port(NODE, 5n, 3)).toString('hex'), '5977036e40680000000500000003');
});

test('atoms of a frame are references into its header', () => {
  const writer = new Writer();
  const refs = [OK, true, NODE];
  encodeInto(writer, tuple(OK, true, new Pid(NODE, 1, 2, 3), atom('x')), {
    v4nc: true,
    atomRef: (a) => refs.indexOf(a as Atom),
  });
  const bytes = writer.take();
  assert.equal(bytes.toString('hex'), '6804520052015852020000000100000002000000037701' + '78');
  const back = decodeFrom(new Reader(bytes), { atomRef: (index) => refs[index] });
  assert.ok(equals(back, tuple(OK, true, new Pid(NODE, 1, 2, 3), atom('x'))));
});

test('a small binary of a large frame is a copy, a large one a view', () => {
  const frame = Buffer.alloc(100_000);
  const small = hex('6d 00000003 010203');
  small.copy(frame);
  const reader = new Reader(frame);
  const copied = decodeFrom(reader, { views: true, atomRef: () => undefined }) as Uint8Array;
  assert.notEqual(copied.buffer, frame.buffer);
  frame[0] = 109;
  frame.writeUInt32BE(90_000, 1);
  const view = decodeFrom(new Reader(frame), { views: true, atomRef: () => undefined }) as Uint8Array;
  assert.equal(view.buffer, frame.buffer);
  assert.ok(!Buffer.isBuffer(view));
});

test('a fun is its fields and free variables; its size field is written anew and not trusted', () => {
  const fun = new OpaqueFun({
    arity: 1,
    uniq: new Uint8Array(16).fill(7),
    index: 2,
    module: atom('m'),
    oldIndex: 2,
    oldUniq: 123456,
    pid: new Pid(NODE, 1, 2, 3),
    free: [OK, tuple(1)],
  });
  const bytes = encode([fun, 1]);
  assert.equal(bytes.readUInt32BE(7), bytes.length - 7 - 3);
  bytes.writeUInt32BE(0xffff, 7);
  assert.deepEqual(decode(bytes), [fun, 1]);
});

test('etf 12: a map with the same key twice is refused, 1 and 1.0 are two keys', () => {
  assert.throws(() => decode(hex('83 74 00000002 6101 6101 6101 6102')), DecodeError);
  const two = decode(hex('83 74 00000002 6101 6101 463ff0000000000000 6102'));
  assert.equal((two as TermMap).get(float(1)), 2);
  assert.equal((two as TermMap).get(1), 1);
  const large = new TermMap(Array.from({ length: 1000 }, (_, i) => [new Tuple([i]), i] as const));
  const bytes = encode(large);
  assert.ok(equals(decode(bytes), large));
  const doubled = Buffer.concat([hex('83 74 00000010'), ...Array<Buffer>(16).fill(hex('680161016101'))]);
  assert.throws(() => decode(doubled), /same key twice/);
});

test('a port of a node called true comes back as it came', () => {
  const bytes = hex('83 78 770474727565 0000000001020304 0506070a');
  assert.deepEqual(Buffer.from(encode(decode(bytes))), bytes);
});
