import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as netConnect, Socket } from 'node:net';
import type { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { handshakeOtherStarted, handshakeWeStarted } from '../../src/dist/dist_util.js';
import { connect, listen } from '../../src/dist/inet_tcp_dist.js';
import { Gate, isOnOwnNetwork } from '../../src/dist/listener.js';
import { atom } from '../../src/terms/atom.js';
import { firstFrame, side } from '../support/first_frame.js';

const LOOPBACK = '127.0.0.1';

test('a handshake over TCP, and the first frames in the same segment as the ack', async () => {
  const listener = await listen({ host: LOOPBACK });
  const incoming = new Promise<DistSocket>((resolve) => listener.accept(resolve));
  const dialled = await connect(LOOPBACK, listener.port);
  const accepted = await incoming;
  const { received } = await firstFrame(dialled, accepted, () => {});
  assert.equal(received, 'first frame');
  listener.close();
});

test('a handshake whose every byte comes alone', async () => {
  const listener = await listen({ host: LOOPBACK });
  const incoming = new Promise<DistSocket>((resolve) => listener.accept(resolve));
  // A proxy that passes on single bytes, each in its own turn.
  const proxy = createServer(async (near) => {
    const far = netConnect(listener.port, LOOPBACK);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      to.setNoDelay(true);
      void (async () => {
        for await (const chunk of from) {
          for (const byte of chunk as Buffer) {
            to.write(Buffer.of(byte));
            await new Promise(setImmediate);
          }
        }
        to.end();
      })();
    }
  }).listen(0, LOOPBACK);
  await once(proxy, 'listening');
  const dialled = await connect(LOOPBACK, (proxy.address() as AddressInfo).port);
  const answered = incoming.then((socket) =>
    handshakeOtherStarted(socket, { ...side, ourName: 'b@h', accept: () => 'ok' }),
  );
  const result = await handshakeWeStarted(dialled, { ...side, ourName: 'a@h', node: atom('b@h') });
  assert.equal(result.node.name, 'b@h');
  assert.equal((await answered).node.name, 'a@h');
  dialled.close();
  (await incoming).close();
  proxy.close();
  listener.close();
});

test('what connects before the node is ready is held, unread, and served afterwards', async () => {
  const listener = await listen({ host: LOOPBACK });
  const dialled = await connect(LOOPBACK, listener.port);
  dialled.send(Buffer.from('early'));
  await new Promise(setImmediate);
  const first = await new Promise<DistSocket>((resolve) => listener.accept(resolve));
  assert.equal((await first.recv()).toString(), 'early');
  dialled.close();
  first.close();
  listener.close();
});

test('connections over the limit of handshakes are closed', async () => {
  const listener = await listen({ host: LOOPBACK, maxHandshakes: 1 });
  const first = await connect(LOOPBACK, listener.port);
  const second = await connect(LOOPBACK, listener.port);
  await assert.rejects(second.recv(), { code: 'closed' });
  first.close();
  listener.close();
});

test("with check_ip only addresses of this machine's networks are let in", async () => {
  const interfaces = {
    eth0: [
      { cidr: '192.0.2.7/24', family: 'IPv4' },
      { cidr: '2001:db8::7/64', family: 'IPv6' },
    ],
  } as unknown as ReturnType<typeof networkInterfaces>;
  const own = ['192.0.2.200', '2001:db8::1', '127.0.0.1', '192.0.3.1', '2001:db8:1::1', ''].map((address) =>
    isOnOwnNetwork(address, interfaces),
  );
  assert.deepEqual(own, [true, true, false, false, false, false]);

  const lines: string[] = [];
  const log = (_: unknown, text: string): void => void lines.push(text);
  const listener = await listen({ host: LOOPBACK, checkIp: true, log });
  const incoming = new Promise<DistSocket>((resolve) => listener.accept(resolve));
  await connect(LOOPBACK, listener.port);
  (await incoming).close();
  listener.close();
  const stranger = new Socket();
  Object.defineProperty(stranger, 'remoteAddress', { value: '203.0.113.5' });
  assert.equal(new Gate({ checkIp: true, log }).admit(stranger), false);
  assert.equal(stranger.destroyed, true);
  assert.match(
    lines.at(-1) ?? '',
    /from 203\.0\.113\.5:\d+ rejected: its address is on none of the networks/,
  );
});

test('a message longer than any of the handshake is refused before it is read', async () => {
  const listener = await listen({ host: LOOPBACK });
  const incoming = new Promise<DistSocket>((resolve) => listener.accept(resolve));
  const raw = netConnect(listener.port, LOOPBACK);
  raw.write(Buffer.from('ffff', 'hex'));
  const accepted = await incoming;
  await assert.rejects(accepted.recv(), { code: 'too_large' });
  raw.destroy();
  accepted.close();
  listener.close();
});

test('the first free port of the range is taken, and a full range is an error that says so', async () => {
  const first = await listen({ host: LOOPBACK });
  const next = await listen({ host: LOOPBACK, portMin: first.port, portMax: first.port + 20 });
  assert.ok(next.port > first.port && next.port <= first.port + 20);
  await assert.rejects(listen({ host: LOOPBACK, portMin: first.port }), {
    code: 'unreachable',
    message: /is in use: choose others with inet_dist_listen_min/,
  });
  first.close();
  next.close();
});

test('an IPv6 listener and an IPv6 connection', async () => {
  const listener = await listen({ family: 6, host: '::1' });
  const incoming = new Promise<DistSocket>((resolve) => listener.accept(resolve));
  const dialled = await connect('::1', listener.port, { family: 6 });
  assert.match(dialled.address, /^\[::1\]:\d+$/);
  dialled.close();
  (await incoming).close();
  listener.close();
});

test('nobody there: an error with the address, at once', async () => {
  const listener = await listen({ host: LOOPBACK });
  listener.close();
  await assert.rejects(connect(LOOPBACK, listener.port), { name: 'ConnectionError', code: 'unreachable' });
});
