// The memory that a message of 200 MB costs here, counted in bytes of buffers: no more than a small multiple of what has come
// is ever allocated for one that arrives, and one that is sent is not copied.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { capabilities } from '../../src/dist/control.js';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import { DIST_FRAG_CONT, DIST_FRAG_HEADER, DIST_HEADER, VERSION_MAGIC } from '../../src/dist/dist_header.js';
import { FRAGMENT_SIZE } from '../../src/dist/fragment.js';
import { FrameReader } from '../../src/dist/frame_reader.js';
import { FrameWriter } from '../../src/dist/frame_writer.js';
import { atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';
import { terms } from '../support/wire.js';

const SIZE = 200 * 2 ** 20;
const TO = new Pid(atom('here@127.0.0.1'), 1, 0, 1000);
const FROM = new Pid(atom('peer@127.0.0.1'), 1, 0, 77);
const CONTROL = terms(tuple(22, FROM, TO));
const DATA = Buffer.alloc(FRAGMENT_SIZE);

/** Bytes of buffers that are allocated from now on. */
function allocations(t: TestContext): () => number {
  let bytes = 0;
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const really = Buffer[name];
    t.mock.method(Buffer, name, (size: number) => {
      bytes += size;
      return really(size);
    });
  }
  return () => bytes;
}

/** A binary of that size, as far as its data. */
function binaryHead(size: number): Buffer {
  const head = Buffer.of(109, 0, 0, 0, 0);
  head.writeUInt32BE(size, 1);
  return head;
}

function frame(length: number, ...begins: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, ...begins]);
}

function pieceHead(tag: number, sequence: number, fragment: number): Buffer {
  const head = Buffer.alloc(18);
  head[0] = VERSION_MAGIC;
  head[1] = tag;
  head.writeBigUInt64BE(BigInt(sequence), 2);
  head.writeBigUInt64BE(BigInt(fragment), 10);
  return head;
}

/** A message in one frame, as a node sends it that has just connected. */
function* inOneFrame(size: number): Generator<Buffer> {
  const begins = Buffer.concat([Buffer.of(VERSION_MAGIC, DIST_HEADER, 0), CONTROL, binaryHead(size)]);
  yield frame(begins.length + size, begins);
  yield* data(size);
}

function* data(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= DATA.length) yield DATA.subarray(0, left);
}

/** Messages in pieces that take turns. */
function* inPieces(size: number, messages: number): Generator<Buffer> {
  const head = binaryHead(size);
  const count = Math.ceil(size / FRAGMENT_SIZE) + 1;
  for (let i = count; i > 0; i--) {
    for (let sequence = 1; sequence <= messages; sequence++) {
      if (i === count) {
        const begins = Buffer.concat([pieceHead(DIST_FRAG_HEADER, sequence, i), Buffer.of(0), CONTROL, head]);
        yield frame(begins.length, begins);
      } else {
        const part = DATA.subarray(0, size - (count - 1 - i) * FRAGMENT_SIZE);
        yield frame(18 + part.length, pieceHead(DIST_FRAG_CONT, sequence, i));
        yield part;
      }
    }
  }
}

/** Reads it all; the sizes of the binaries, and the most that was held. */
function read(chunks: Iterable<Buffer>): { sizes: number[]; mostHeld: number; heldAfterwards: number } {
  const sizes: number[] = [];
  let mostHeld = 0;
  const reader = new FrameReader(
    capabilities(DEFAULT_DFLAGS),
    { maxFrameBytes: 2 ** 30 },
    (_, payload) => sizes.push((payload.decode() as Uint8Array).length),
    () => {},
  );
  for (const chunk of chunks) {
    reader.push(chunk);
    mostHeld = Math.max(mostHeld, reader.held);
  }
  return { sizes, mostHeld, heldAfterwards: reader.held };
}

test('200 MB in one frame: held once, copied once', (t) => {
  const allocated = allocations(t);
  const { sizes, mostHeld, heldAfterwards } = read(inOneFrame(SIZE));
  assert.deepEqual(sizes, [SIZE]);
  assert.ok(mostHeld < SIZE * 1.01, `${mostHeld} bytes were held`);
  assert.equal(heldAfterwards, 0);
  assert.ok(allocated() < SIZE * 1.2, `${allocated()} bytes were allocated`);
});

test('200 MB in pieces: what is held is at most twice what has come, and never more than the message', (t) => {
  const allocated = allocations(t);
  const { sizes, mostHeld, heldAfterwards } = read(inPieces(SIZE, 1));
  assert.deepEqual(sizes, [SIZE]);
  assert.ok(mostHeld < SIZE * 1.01, `${mostHeld} bytes were held`);
  assert.equal(heldAfterwards, 0);
  // room that is doubled as pieces come: an announcement alone gets none
  assert.ok(allocated() < SIZE * 3, `${allocated()} bytes were allocated`);
});

test('ten messages of 20 MB whose pieces take turns are held once each', (t) => {
  const allocated = allocations(t);
  const { sizes, mostHeld, heldAfterwards } = read(inPieces(SIZE / 10, 10));
  assert.deepEqual(sizes, Array(10).fill(SIZE / 10));
  assert.ok(mostHeld < SIZE * 1.01, `${mostHeld} bytes were held`);
  assert.equal(heldAfterwards, 0);
  assert.ok(allocated() < SIZE * 3, `${allocated()} bytes were allocated`);
});

test('200 MB that are announced and do not come cost a small multiple of what came', (t) => {
  const allocated = allocations(t);
  const [first, second] = inOneFrame(SIZE);
  const some = [first as Buffer, second as Buffer];
  const { mostHeld } = read(some);
  assert.ok(mostHeld <= 16 * (some[0]?.length ?? 0) * 2 + 16 * DATA.length, `${mostHeld} bytes were held`);
  assert.ok(allocated() < 32 * DATA.length, `${allocated()} bytes were allocated`);
});

test('200 MB are sent without a copy, and little of it waits in the socket at a time', async (t) => {
  const payload = new Uint8Array(SIZE);
  let mostWaiting = 0;
  let arrived = 0;
  const slow = new Writable({
    write(chunk: Buffer, _, done) {
      arrived += chunk.length;
      mostWaiting = Math.max(mostWaiting, this.writableLength);
      setImmediate(done);
    },
  });
  const limits = { busyLimit: 2 ** 20, hardLimit: 2 ** 28 };
  const allocated = allocations(t);
  const writer = new FrameWriter(slow as never, capabilities(DEFAULT_DFLAGS), limits, () => assert.fail());
  writer.write(TO, tuple(22, TO, FROM), payload);
  assert.ok(writer.busy);
  await writer.drained();
  await new Promise((resolve) => slow.end(resolve));
  assert.equal(arrived, writer.written);
  assert.ok(arrived > SIZE);
  assert.ok(mostWaiting < 2 ** 20 + 2 * FRAGMENT_SIZE, `${mostWaiting} bytes waited in the socket`);
  assert.ok(allocated() < SIZE / 10, `${allocated()} bytes were allocated`);
});
