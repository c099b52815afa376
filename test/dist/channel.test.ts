// Two systems joined by real channels, over every header mode and set of flags; ticks, back-pressure and the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as flag from '../../src/dist/dflags.js';
import { EncodeError } from '../../src/errors.js';
import { System } from '../../src/erts/system.js';
import * as gen from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { FakeClock } from '../support/fake_clock.js';
import { eventually } from '../support/memory_cluster.js';
import { inProcess, same } from '../support/process.js';
import { join, loggedSystem, ScriptedPeer } from '../support/wire.js';

const without = (...bits: bigint[]): bigint => bits.reduce((flags, bit) => flags & ~bit, flag.DEFAULT_DFLAGS);

const modes: [string, bigint][] = [
  ['all flags', flag.DEFAULT_DFLAGS],
  ['atom cache without fragments', without(flag.DFLAG_FRAGMENTS)],
  ['fragments without atom cache', without(flag.DFLAG_DIST_HDR_ATOM_CACHE)],
  ['neither', without(flag.DFLAG_FRAGMENTS, flag.DFLAG_DIST_HDR_ATOM_CACHE)],
  ['OTP 23.0', without(flag.DFLAG_UNLINK_ID, flag.DFLAG_V4_NC, flag.DFLAG_ALIAS, flag.DFLAG_ALTACT_SIG)],
  ['no optional form', without(flag.DFLAG_SEND_SENDER, flag.DFLAG_EXIT_PAYLOAD, flag.DFLAG_ALTACT_SIG)],
];

function pair(flags?: bigint, options = {}) {
  const a = loggedSystem('a@127.0.0.1', 10);
  const b = loggedSystem('b@127.0.0.1', 20);
  return {
    a: a.system,
    b: b.system,
    linesA: a.lines,
    linesB: b.lines,
    joined: join(a.system, b.system, flags, options),
  };
}

/** A process that only collects. */
const idle = (system: System, name?: string) =>
  system.spawn(() => new Promise(() => {}), name === undefined ? {} : { name: atom(name) });

/** A term of about that many bytes that holds atoms of all kinds. */
const large = (bytes: number): Term =>
  tuple(atom('large'), new Uint8Array(bytes).fill(7), [atom('x'.repeat(255)), atom('ünï'), true, atom('')]);

for (const [name, flags] of modes) {
  test(`${name}: messages of all sizes arrive whole and in order`, async () => {
    const { a, b, joined } = pair(flags);
    const [from, to] = [idle(a), idle(b, 'receiver')];
    const sent: Term[] = [1, 70_000, 3, 65_536, 500_000, 0, 131_072].map(large);
    for (const [i, message] of sent.entries()) {
      if (i % 2 === 0) a.send(from.pid, to.pid, message);
      else a.send(from.pid, tuple(atom('receiver'), b.node), message);
    }
    await eventually('all messages', () => to.mailbox.size === sent.length);
    for (const message of sent) assert.ok(equals(to.poll() as Term, message));
    assert.ok(joined.a.open && joined.b.open);
  });

  test(`${name}: links, exits, monitors and unlinks work`, async () => {
    const { a, b } = pair(flags);
    const [local, remote, watched] = [idle(a), idle(b), idle(b, 'watched')];
    local.trapExit = true;
    local.link(remote.pid);
    const byName = local.monitor(tuple(atom('watched'), b.node));
    await eventually('the link', () => remote.remoteLinks.size === 1);
    local.unlink(remote.pid);
    await eventually('the unlink', () => remote.remoteLinks.size === 0 && local.remoteLinks.size === 0);
    local.link(remote.pid);
    await eventually('the link', () => remote.remoteLinks.size === 1);
    remote.end(tuple(atom('why'), 1));
    watched.end(atom('done'));
    await eventually('exit and DOWN', () => local.mailbox.size === 2);
    assert.ok(equals(local.poll() as Term, tuple(atom('EXIT'), remote.pid, tuple(atom('why'), 1))));
    const item = tuple(atom('watched'), b.node);
    assert.ok(equals(local.poll() as Term, tuple(atom('DOWN'), byName, atom('process'), item, atom('done'))));
  });

  test(`${name}: exit/2, aliases and spawn requests work`, async () => {
    const { a, b } = pair(flags);
    b.remoteMain = (_m, _f, args) => (self) => self.send(args[0] as Pid, self.pid);
    const [local, remote] = [idle(a), idle(b)];
    remote.trapExit = true;
    local.exitSignal(remote.pid, atom('stop'));
    await eventually('the signal', () => remote.mailbox.size === 1);
    remote.send(local.alias(), atom('by_alias'));
    const ref = local.spawnRequest(b.node, atom('m'), atom('f'), [local.pid], { monitor: true });
    const expected = (flags & flag.DFLAG_ALIAS) === 0n ? 3 : 4;
    await eventually('alias, reply, message, DOWN', () => local.mailbox.size === expected);
    if (expected === 4) assert.equal(local.poll(), atom('by_alias'));
    const [reply, message, down] = [local.poll(), local.poll(), local.poll()] as Tuple[];
    assert.ok(equals(reply?.elements[1] as Term, ref) && reply?.elements[2] === atom('ok'));
    assert.ok(equals(reply?.elements[3] as Term, message as unknown as Term));
    assert.equal(down?.elements[4], atom('normal'));
  });
}

test('400 atoms in one message pass the cache', async () => {
  const { a, b } = pair();
  const to = idle(b);
  const message = Array.from({ length: 400 }, (_, i) => atom(`many${i}`));
  for (let i = 0; i < 3; i++) a.send(idle(a).pid, to.pid, message);
  await eventually('the messages', () => to.mailbox.size === 3);
  for (let i = 0; i < 3; i++) assert.ok(equals(to.poll() as Term, message));
});

test('small messages of others pass between the pieces of a large one, those of its sender do not', async () => {
  const { a, b, joined } = pair();
  const [big, small, to] = [idle(a), idle(a), idle(b)];
  const [stream] = joined.streams;
  stream.stalled = [];
  a.send(big.pid, to.pid, tuple(atom('big'), new Uint8Array(8_000_000)));
  await new Promise((resolve) => setImmediate(resolve));
  a.send(small.pid, to.pid, atom('small'));
  const release = (): void => {
    const waiting = stream.stalled ?? [];
    stream.stalled = undefined;
    for (const go of waiting) go();
  };
  release();
  await eventually('both', () => to.mailbox.size === 2);
  assert.equal(to.poll(), atom('small'));
  to.poll();

  a.send(big.pid, to.pid, tuple(atom('big'), new Uint8Array(8_000_000)));
  a.send(small.pid, to.pid, atom('small'));
  a.send(big.pid, to.pid, atom('after'));
  big.end(atom('normal'));
  await eventually('all three', () => to.mailbox.size === 3);
  const order = [to.poll(), to.poll(), to.poll()].map((m) =>
    m instanceof Tuple ? 'big' : (m as { name: string }).name,
  );
  assert.ok(order.indexOf('big') < order.indexOf('after'), order.join());
});

test('a message of a megabyte leaves in one write', async () => {
  const { a, b, joined } = pair();
  const [from, to] = [idle(a), idle(b)];
  const [stream] = joined.streams;
  stream.stalled = [];
  a.send(from.pid, to.pid, new Uint8Array(2 ** 20));
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(stream.writableLength > 2 ** 20, `${stream.writableLength} bytes`);
  assert.equal(joined.a.queued, stream.writableLength);
});

test('the report of a monitor by name comes after all that the process had sent', async () => {
  const { a, b } = pair();
  const [sender, to] = [idle(a, 'sender'), idle(b)];
  to.monitor(tuple(atom('sender'), a.node));
  await eventually('the monitor', () => sender.remoteWatchers.size === 1);
  a.send(sender.pid, to.pid, tuple(atom('big'), new Uint8Array(3_000_000)));
  sender.end(atom('normal'));
  await eventually('both', () => to.mailbox.size === 2);
  assert.equal((to.poll() as Tuple).elements[0], atom('big'));
});

test('a message that cannot be encoded throws, writes nothing, and leaves the cache in step', async () => {
  const { a, b } = pair();
  const [from, to] = [idle(a), idle(b)];
  const bad = [atom('fresh1'), atom('fresh2'), 'text' as unknown as Term];
  assert.throws(() => from.send(to.pid, bad), EncodeError);
  from.send(to.pid, [atom('fresh2'), atom('fresh1')]);
  await eventually('the message', () => to.mailbox.size === 1);
  assert.deepEqual(to.poll(), [atom('fresh2'), atom('fresh1')]);
});

const WIDE = new Pid(atom('c@127.0.0.1'), 2 ** 31, 2 ** 31, 5);

test('a wide pid in a message ends the connection to a peer that cannot read it, not who sends it', async () => {
  const { a, b, joined } = pair(without(flag.DFLAG_V4_NC));
  const closed: string[] = [];
  const { onClosed } = joined.a;
  joined.a.onClosed = (channel, reason, text) => {
    closed.push(text);
    onClosed(channel, reason, text);
  };
  const server = a.spawn(
    async (self) => {
      for (;;) {
        const { from, request } = gen.parseCall((await self.next()) as Term) ?? {};
        if (from !== undefined) gen.reply(self, from, request === atom('wide') ? WIDE : (request as Term));
      }
    },
    { name: atom('server') },
  );
  await inProcess(b, async (self) => {
    const to = tuple(atom('server'), a.node);
    assert.equal(await gen.call(self, to, 1), 1);
    const begun = [gen.sendRequest(self, to, atom('wide')), gen.sendRequest(self, to, 2)];
    for (const request of begun) {
      const response = await gen.receiveResponse(self, request);
      same('error' in response ? response.error : 0, tuple(atom('nodedown'), a.node));
    }
  });
  assert.ok(server.alive);
  assert.deepEqual(closed, [
    'a message cannot be sent: a pid of more than 28 bits cannot be sent to a node older than OTP 24',
  ]);
});

test('a wide pid as an exit reason is replaced for a peer that cannot read it', async () => {
  const { a, b, linesA } = pair(without(flag.DFLAG_V4_NC));
  const wide = WIDE;
  const [local, remote] = [idle(a), idle(b)];
  remote.trapExit = true;
  remote.link(local.pid);
  remote.monitor(local.pid);
  await eventually('the link', () => local.remoteLinks.size === 1 && local.remoteWatchers.size === 1);
  local.end(wide);
  await eventually('exit and DOWN', () => remote.mailbox.size === 2);
  assert.equal(linesA.filter(({ level }) => level === 'warning').length, 2);
});

test('nothing is sent to processes of an earlier incarnation that the peer would not take', () => {
  const { system } = loggedSystem('here@127.0.0.1');
  const peer = new ScriptedPeer(system, { creation: 77 });
  const local = idle(system);
  const old = new Pid(peer.node, 1, 1, 76);
  peer.channel.exit(local.pid, old, atom('why'));
  peer.channel.unlink(1n, local.pid, old);
  peer.channel.unlinkAck(1n, local.pid, old);
  assert.equal(peer.channel.queued, 0);
});

test('references of the atom cache are never written unless it was negotiated', async () => {
  const { system } = loggedSystem('here@127.0.0.1');
  const peer = new ScriptedPeer(system, { flags: without(flag.DFLAG_DIST_HDR_ATOM_CACHE) });
  const bytes: Buffer[] = [];
  peer.stream.on('data', (chunk: Buffer) => bytes.push(chunk));
  system.send(idle(system).pid, new Pid(peer.node, 1, 0, peer.creation), [atom('a'), atom('b')]);
  await eventually('a frame', () => bytes.length > 0);
  assert.deepEqual([...Buffer.concat(bytes).subarray(4, 7)], [131, 68, 0]);
});

// --- frames in pieces of the stream ---------------------------------------------------------------------------

test('frames are read however the stream is cut', async () => {
  for (const size of [1, 2, 3, 5, 7, 1000]) {
    const { a, b, joined } = pair();
    const [from, to] = [idle(a), idle(b)];
    const { other } = joined.streams[0];
    const push = other.push.bind(other);
    other.push = (chunk: Buffer | null) => {
      if (chunk === null) return push(null);
      for (let at = 0; at < chunk.length; at += size) push(chunk.subarray(at, at + size));
      return true;
    };
    for (let i = 0; i < 20; i++) a.send(from.pid, to.pid, tuple(i, new Uint8Array(i * 50)));
    joined.a.close(atom('disconnect'));
    await eventually(`all messages in pieces of ${size}`, () => to.mailbox.size === 20);
    for (let i = 0; i < 20; i++) assert.equal((to.poll() as Tuple).elements[0], i);
  }
});

test('a frame over the limit closes the connection with a line that says so', async () => {
  const { system, lines } = loggedSystem('here@127.0.0.1');
  const peer = new ScriptedPeer(system, { channel: { maxFrameBytes: 1000 } });
  peer.stream.write(Buffer.from([0, 0, 4, 0]));
  await eventually('the end', () => !peer.channel.open);
  assert.match(lines[0]?.text ?? '', /a frame of 1024 bytes is over the limit of 1000/);
});

// --- ticks ----------------------------------------------------------------------------------------------------

function ticking() {
  const clock = new FakeClock();
  const system = new System({ node: atom('here@127.0.0.1'), creation: 1, clock });
  const reasons: Term[] = [];
  system.nodeListeners.add((event) => event.type === 'down' && reasons.push(event.reason));
  const peer = new ScriptedPeer(system, { channel: { ticktimeMs: 60_000, tickIntensity: 4 } });
  return { clock, system, peer, reasons };
}

test('a tick is written in every interval without traffic', async () => {
  const { clock, peer } = ticking();
  for (let i = 0; i < 3; i++) {
    clock.advance(15_000);
    peer.stream.write(Buffer.alloc(4));
    await eventually('a tick', () => peer.ticks > i);
  }
  assert.equal(peer.ticks, 3);
});

test('an incoming tick is answered when nothing else was said since the last one', async () => {
  const { clock, peer } = ticking();
  for (let i = 1; i <= 3; i++) {
    clock.advance(1000);
    peer.stream.write(Buffer.alloc(4));
    await eventually('an answer', () => peer.ticks === i);
  }
});

test('two nodes do not keep answering each other', async () => {
  const { a, joined } = pair();
  a.send(idle(a).pid, tuple(atom('nobody'), atom('b@127.0.0.1')), 1);
  joined.streams[0].write(Buffer.alloc(4));
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(joined.b.traffic.written <= 8, `${joined.b.traffic.written} bytes`);
});

test('a peer that says nothing for the ticktime is given up, one that ticks is not', async () => {
  const { clock, peer, reasons } = ticking();
  for (let i = 0; i < 8; i++) {
    clock.advance(15_000);
    peer.stream.write(Buffer.alloc(4));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(peer.channel.open);
  for (let i = 0; i < 5; i++) clock.advance(15_000);
  assert.equal(peer.channel.open, false);
  assert.deepEqual(reasons, [atom('net_tick_timeout')]);
});

// --- back-pressure --------------------------------------------------------------------------------------------

test('over the limit senders are refused, until it is drained', async () => {
  const { a, b, joined } = pair(undefined, { busyLimit: 100_000 });
  const [from, to] = [idle(a), idle(b)];
  const [stream] = joined.streams;
  stream.stalled = [];
  from.send(to.pid, new Uint8Array(200_000));
  assert.throws(() => from.send(to.pid, 1), { code: 'busy_dist_port' });
  const drained = from.sendAndDrain(to.pid, atom('later'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(to.mailbox.size, 0);
  const waiting = stream.stalled;
  stream.stalled = undefined;
  for (const go of waiting) go();
  await drained;
  await eventually('both', () => to.mailbox.size === 2);
});

test('those who are exempt are not refused, up to a limit that ends the connection', async () => {
  const { a, b, joined } = pair(undefined, { busyLimit: 1000, hardLimit: 50_000 });
  const [from, to] = [idle(a), idle(b)];
  from.asyncDist = true;
  joined.streams[0].stalled = [];
  from.send(to.pid, new Uint8Array(1_000_000));
  for (let i = 0; i < 40; i++) from.send(to.pid, new Uint8Array(1000));
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(joined.a.open, 'what one message takes does not count');
  for (let i = 0; i < 20; i++) from.send(to.pid, new Uint8Array(1000));
  assert.ok(joined.a.open, 'not in the middle of a send');
  await eventually('the end', () => !joined.a.open);
  await assert.doesNotReject(from.sendAndDrain(to.pid, 1));
});

test('a connection that is busy all the time stays as long as the peer reads', async () => {
  const { a, b, joined } = pair(undefined, { busyLimit: 1000, hardLimit: 50_000 });
  const [from, to] = [idle(a), idle(b)];
  const [stream] = joined.streams;
  from.asyncDist = true;
  stream.stalled = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) from.send(to.pid, new Uint8Array(1000));
    const waiting = stream.stalled;
    stream.stalled = [];
    for (const go of waiting) go();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(joined.a.open);
  for (const go of stream.stalled) go();
  stream.stalled = undefined;
  await eventually('all of it', () => to.mailbox.size === 400);
});

// --- the end --------------------------------------------------------------------------------------------------

test('when a connection is lost, links, monitors and requests end with noconnection before the nodedown', async () => {
  const { a, b, joined } = pair();
  const events: string[] = [];
  const [local, remote] = [idle(a), idle(b)];
  local.trapExit = true;
  local.link(remote.pid);
  local.monitor(remote.pid);
  b.remoteMain = () => () => new Promise(() => {});
  joined.streams[0].stalled = [];
  local.spawnRequest(b.node, atom('m'), atom('f'), []);
  a.nodeListeners.add((event) => events.push(`${event.type} with ${local.mailbox.size} messages`));
  joined.streams[1].destroy();
  await eventually('nodedown', () => events.length === 1);
  assert.deepEqual(events, ['down with 3 messages']);
  for (let i = 0; i < 3; i++) {
    assert.equal((local.poll() as Tuple).elements.at(-1), atom('noconnection'));
  }
});

test('what was sent before an orderly close still arrives', async () => {
  const { a, b, joined } = pair();
  const to = idle(b);
  a.send(idle(a).pid, to.pid, new Uint8Array(3_000_000));
  a.send(idle(a).pid, to.pid, atom('last'));
  joined.a.close(atom('disconnect'));
  await eventually('both', () => to.mailbox.size === 2);
  await eventually('the end of the other side', () => !joined.b.open);
});

test('nothing is delivered from a connection that was closed while its chunk was read', async () => {
  const { system } = loggedSystem('here@127.0.0.1');
  const peer = new ScriptedPeer(system);
  const to = idle(system);
  const from = new Pid(peer.node, 1, 0, peer.creation);
  peer.stream.cork();
  peer.say(tuple(22, from, to.pid), 1);
  peer.frame([9]);
  peer.say(tuple(22, from, to.pid), 2);
  peer.stream.uncork();
  await eventually('the end', () => !peer.channel.open);
  assert.equal(to.mailbox.size, 1);
});

test('without spawn requests one is answered here with notsup', () => {
  const { a, b } = pair(without(flag.DFLAG_SPAWN));
  const local = idle(a);
  const ref = local.spawnRequest(b.node, atom('m'), atom('f'), []);
  assert.ok(equals(local.poll() as Term, tuple(atom('spawn_reply'), ref, atom('error'), atom('notsup'))));
  assert.ok(ref instanceof Reference);
});
