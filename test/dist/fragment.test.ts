import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler, FRAGMENT_LIMITS } from '../../src/dist/fragment.js';
import { DecodeError } from '../../src/errors.js';

const bytes = (text: string): Buffer => Buffer.from(text);

test('a message in one piece is whole at once', () => {
  const whole = new Assembler<string>().begin(0n, 1n, 'start', 0, bytes('abc'));
  assert.equal(whole?.start, 'start');
  assert.equal(whole?.payload.toString(), 'abc');
});

test('interleaved messages come out whole, each when its last piece is there', () => {
  const assembler = new Assembler<string>();
  assert.equal(assembler.begin(7n, 3n, 'first', 0, bytes('ab')), undefined);
  assert.equal(assembler.begin(9n, 2n, 'second', 0, bytes('xy')), undefined);
  assert.equal(assembler.add(7n, 2n, bytes('c')), undefined);
  assert.equal(assembler.add(9n, 1n, bytes('z'))?.payload.toString(), 'xyz');
  assert.equal(assembler.add(7n, 1n, bytes('d'))?.payload.toString(), 'abcd');
  assert.equal(assembler.buffered, 0);
});

test('a sequence can be used again when its message is whole', () => {
  const assembler = new Assembler<number>();
  for (let i = 0; i < 3; i++) {
    assembler.begin(5n, 2n, i, 0, bytes('a'));
    assert.equal(assembler.add(5n, 1n, bytes('b'))?.start, i);
  }
});

test('a kept piece is not a view of what was read', () => {
  const assembler = new Assembler<string>();
  const chunk = bytes('abcd');
  assembler.begin(1n, 2n, '', 0, chunk.subarray(0, 2));
  chunk.fill(0);
  assert.equal(assembler.add(1n, 1n, bytes('z'))?.payload.toString(), 'abz');
});

test('a piece is taken in parts of any size', () => {
  const assembler = new Assembler<string>();
  assembler.begin(1n, 3n, 'start', 0, bytes('ab'));
  assembler.open(1n, 2n, 4);
  assert.equal(assembler.missing, 4);
  assert.equal(assembler.more(bytes('c')), undefined);
  assert.equal(assembler.missing, 3);
  assert.equal(assembler.more(bytes('def')), undefined);
  assert.equal(assembler.missing, 0);
  assembler.open(1n, 1n, 2);
  assert.equal(assembler.more(bytes('g')), undefined);
  assert.equal(assembler.more(bytes('h'))?.payload.toString(), 'abcdefgh');
  assert.equal(assembler.buffered, 0);
});

test('a message of some megabytes has room from its first piece on: nothing of it is copied twice', () => {
  const assembler = new Assembler<string>();
  assembler.begin(1n, 17n, '', 0, Buffer.alloc(65_000));
  assert.equal(assembler.buffered, 17 * 65_536);
});

const broken: [string, (assembler: Assembler<string>) => void][] = [
  ['a piece that was not begun', (a) => a.add(4n, 1n, bytes('x'))],
  ['a piece left out', (a) => a.add(1n, 3n, bytes('x'))],
  ['a piece twice', (a) => [a.add(1n, 4n, bytes('x')), a.add(1n, 4n, bytes('x'))]],
  ['a second beginning', (a) => a.begin(1n, 5n, '', 0, bytes('x'))],
  ['a second beginning in one piece', (a) => a.begin(1n, 1n, '', 0, bytes('x'))],
  ['no piece announced', (a) => a.begin(2n, 0n, '', 0, bytes('x'))],
  ['more pieces than can be', (a) => a.begin(2n, 2n ** 32n + 1n, '', 0, bytes('x'))],
  ['pieces of sequence 0', (a) => a.begin(0n, 2n, '', 0, bytes('x'))],
];
for (const [what, send] of broken) {
  test(`${what} is refused`, () => {
    const assembler = new Assembler<string>();
    assembler.begin(1n, 5n, '', 0, bytes('x'));
    assert.throws(() => send(assembler), DecodeError);
  });
}

test('messages under way and their bytes are limited', () => {
  const few = new Assembler<string>({ ...FRAGMENT_LIMITS, sequences: 2 });
  few.begin(1n, 2n, '', 0, bytes('x'));
  few.begin(2n, 2n, '', 0, bytes('x'));
  assert.throws(() => few.begin(3n, 2n, '', 0, bytes('x')), { code: 'too_large' });

  const small = new Assembler<string>({ ...FRAGMENT_LIMITS, bytes: 1000 });
  small.begin(1n, 2n ** 32n, '', 0, Buffer.alloc(500));
  assert.throws(() => small.add(1n, 2n ** 32n - 1n, Buffer.alloc(501)), { code: 'too_large' });

  const parts = new Assembler<string>({ ...FRAGMENT_LIMITS, bytes: 1000 });
  parts.begin(1n, 2n ** 32n, '', 0, Buffer.alloc(500));
  parts.open(1n, 2n ** 32n - 1n, 65_536);
  assert.throws(() => parts.more(Buffer.alloc(501)), { code: 'too_large' });

  const starts = new Assembler<string>({ ...FRAGMENT_LIMITS, bytes: 1000 });
  starts.begin(1n, 2n, 'control', 600, bytes('x'));
  assert.throws(() => starts.begin(2n, 2n, 'control', 600, bytes('x')), { code: 'too_large' });
  starts.add(1n, 1n, bytes('x'));
  assert.equal(starts.buffered, 0);
});
