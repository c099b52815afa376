import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilities } from '../../src/dist/control.js';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import { FrameReader } from '../../src/dist/frame_reader.js';
import { atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { turnsAwake } from '../support/turns.js';
import { duplexPair, loggedSystem, openChannel } from '../support/wire.js';

const HEAD_BYTES = 22;

/** A binary in which every place differs from its neighbours. */
const pattern = (length: number, from: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (from + i * 7 + (i >> 8)) & 255);

const SENT = [pattern(200_000, 1), pattern(150_000, 2), pattern(65_536, 3)];

/** What a connection writes when as many processes send these binaries, their pieces in turns, with a tick before. */
async function written(): Promise<Buffer> {
  const { system } = loggedSystem('peer@127.0.0.1', 77);
  const [ours, theirs] = duplexPair();
  const chunks: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => chunks.push(chunk));
  const here = atom('here@127.0.0.1');
  const channel = openChannel(system, ours, here, 1000, DEFAULT_DFLAGS);
  channel.tick();
  for (const binary of SENT) system.spawn(() => {}).send(new Pid(here, 1, 0, 1000), binary);
  channel.close(atom('disconnect'));
  await new Promise((resolve) => theirs.once('end', resolve));
  return Buffer.concat(chunks);
}

/** Where the frames of further pieces begin. */
function furtherPieces(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at) + 4)
    if (bytes[at + 5] === 70) found.push(at);
  return found;
}

function reader(): { reader: FrameReader; received: Term[]; ticks: () => number } {
  const received: Term[] = [];
  let ticks = 0;
  const made = new FrameReader(
    capabilities(DEFAULT_DFLAGS),
    { maxFrameBytes: 2 ** 20 },
    (_control, payload) => received.push(payload.decode()),
    () => ticks++,
  );
  return { reader: made, received, ticks: () => ticks };
}

/** Reads it cut at those places, each part in memory that is written again afterwards. */
function readCut(bytes: Buffer, cuts: readonly number[]): void {
  const { reader: to, received, ticks } = reader();
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(from, cut));
    if (chunk.length > 0) to.push(chunk);
    chunk.fill(0xee);
    from = cut;
  }
  const byLength = (a: Term, b: Term): number => (b as Uint8Array).length - (a as Uint8Array).length;
  assert.deepEqual(received.sort(byLength), SENT, `cut at ${cuts.slice(0, 10).join()}`);
  assert.equal(ticks(), 1);
  assert.equal(to.received, bytes.length);
}

test('messages in pieces are read wherever the stream is cut in the head of a piece or near it', async () => {
  const bytes = await written();
  const pieces = furtherPieces(bytes);
  assert.equal(pieces.length, 6);
  for (const piece of pieces) {
    for (let i = -3; i <= HEAD_BYTES + 3; i++) {
      readCut(bytes, [piece + i]);
      readCut(
        bytes,
        [piece, piece + i].sort((a, b) => a - b),
      );
    }
  }
});

test('messages in pieces are read from parts of any size', async () => {
  const bytes = await written();
  for (const size of [1, HEAD_BYTES - 1, HEAD_BYTES, 1448, 65_558, 65_559, 262_144]) {
    const cuts: number[] = [];
    for (let at = size; at < bytes.length; at += size) cuts.push(at);
    readCut(bytes, cuts);
  }
});

test('a piece that breaks the order is refused when its head is there', async () => {
  const bytes = await written();
  const { reader: to } = reader();
  const [first = 0, second = 0] = furtherPieces(bytes);
  to.push(bytes.subarray(0, first));
  const again = Buffer.from(bytes.subarray(first, first + HEAD_BYTES + 10));
  again.writeBigUInt64BE(99n, 14);
  assert.ok(second > first + HEAD_BYTES + 10);
  assert.throws(() => to.push(again), /piece 99 of message/);
  assert.equal(to.frame.length, HEAD_BYTES - 4);
});

test('the event loop waits awake for the rest of a large message, and sleeps when it is there', async () => {
  const bytes = await written();
  const { reader: to, received } = reader();
  to.push(bytes.subarray(0, 100_000));
  assert.ok((await turnsAwake()) >= 50);
  to.push(bytes.subarray(100_000));
  assert.equal(received.length, SENT.length);
  assert.equal(await turnsAwake(), 0);
  const { reader: ended } = reader();
  ended.push(bytes.subarray(0, 100_000));
  ended.stop();
  assert.ok((await turnsAwake()) <= 1);
});
