// Whatever a peer sends ends in signals or in one closed connection: never in an exception, never in more than one
// line in the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_DFLAGS, DFLAG_DIST_HDR_ATOM_CACHE, DFLAG_FRAGMENTS } from '../../src/dist/dflags.js';
import type { System } from '../../src/erts/system.js';
import { atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';
import { duplexPair, loggedSystem, openChannel, ScriptedPeer } from '../support/wire.js';

const PASS_THROUGH = DEFAULT_DFLAGS & ~DFLAG_FRAGMENTS & ~DFLAG_DIST_HDR_ATOM_CACHE;

/** The bytes of a session in which a bit of everything is said to a process of `here`. */
async function session(flags: bigint): Promise<Buffer> {
  const { system } = loggedSystem('peer@127.0.0.1', 77);
  const [ours, theirs] = duplexPair();
  const chunks: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => chunks.push(chunk));
  const here = atom('here@127.0.0.1');
  const channel = openChannel(system, ours, here, 1000, flags);
  const to = new Pid(here, 1, 0, 1000);
  const local = system.spawn(() => {});
  local.link(to);
  const ref = local.monitor(to);
  local.monitor(tuple(atom('local'), here));
  local.send(to, tuple(atom('hello'), [1, true, 300], new Uint8Array(20)));
  local.send(tuple(atom('local'), here), [atom('a'), atom('b')]);
  local.demonitor(ref);
  local.unlink(to);
  local.spawnRequest(here, atom('m'), atom('f'), [1, atom('x')], { link: true, monitor: true });
  local.exitSignal(to, atom('normal'));
  local.send(to, new Uint8Array(70_000));
  channel.close(atom('disconnect'));
  await new Promise((resolve) => theirs.once('end', resolve));
  return Buffer.concat(chunks);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Plays bytes to a fresh node; fails if anything but a closed connection comes of it. */
async function play(bytes: Buffer, flags: bigint): Promise<void> {
  const { system, lines } = loggedSystem('here@127.0.0.1', 1000);
  populate(system);
  const peer = new ScriptedPeer(system, { flags });
  peer.stream.write(bytes);
  await new Promise((resolve) => setImmediate(resolve));
  const errors = lines.filter(({ text }) => text.startsWith('connection to'));
  assert.ok(
    errors.every(({ text }) => !text.includes('internal error')),
    errors[0]?.text,
  );
  assert.ok(errors.length <= 1);
  assert.equal(peer.channel.open, errors.length === 0);
  peer.channel.close(atom('disconnect'));
}

function populate(system: System): void {
  const local = system.spawn(() => new Promise(() => {}), { name: atom('local') });
  local.trapExit = true;
}

for (const [name, flags] of [
  ['headers', DEFAULT_DFLAGS],
  ['pass-through', PASS_THROUGH],
] as const) {
  test(`${name}: a session with any byte changed ends in signals or in a closed connection`, async () => {
    const bytes = await session(flags);
    assert.ok(bytes.length > 70_000);
    await play(bytes, flags);
    const last = bytes.length - 4500;
    for (const i of [...range(0, 500), ...range(last - 30, last + 30)]) {
      const flipped = Buffer.from(bytes);
      flipped[i] = i % 2 === 0 ? (bytes[i] as number) ^ (1 << (i % 8)) : 255 - (bytes[i] as number);
      await play(flipped, flags);
    }
  });

  test(`${name}: random frames end in signals or in a closed connection`, async () => {
    const start = flags === PASS_THROUGH ? [112, 131] : [131, 68];
    const body = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.constantFrom(0, 68, 69, 70, 131), body, async (begun, tag, rest) => {
        const frame = Buffer.from([...(begun ? start : [131, tag]), ...rest]);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(frame.length);
        await play(Buffer.concat([length, frame]), flags);
      }),
      { numRuns: 300 },
    );
  });
}
