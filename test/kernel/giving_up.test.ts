// What is waited for by plain code can be given up: by a signal, or after a time.
import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CallError } from '../../src/errors.js';
import { connecting } from '../../src/kernel/using.js';
import { type Node, startNode } from '../../src/node.js';
import { atom } from '../../src/terms/atom.js';

/** A node whose EPMD accepts connections and never answers; `asked` resolves with its next connection. */
async function lonely(t: TestContext): Promise<{ node: Node; asked: () => Promise<unknown> }> {
  const sockets = new Set<Socket>();
  const epmd: Server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => epmd.listen(0, '127.0.0.1', resolve));
  const { port } = epmd.address() as AddressInfo;
  const node = await startNode({
    name: 'a@127.0.0.1',
    cookie: 'c',
    listen: false,
    epmd: { port, start: false },
  });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await node.stop();
    await new Promise((resolve) => epmd.close(resolve));
  });
  return { node, asked: () => new Promise((resolve) => epmd.once('connection', resolve)) };
}

test('connect, names and world are given up by a signal, before and while they wait', async (t) => {
  const { node, asked } = await lonely(t);
  const ways: [string, (signal: AbortSignal) => Promise<unknown>][] = [
    ['net_kernel:connect_node/1', (signal) => node.connect('b@127.0.0.1', { signal })],
    ['net_kernel:connect_node/1', (signal) => connecting(node, 'c@127.0.0.1', { signal })],
    ['net_adm:names/1', (signal) => node.netAdm.names('127.0.0.1', { signal })],
    ['net_adm:names/1', (signal) => node.netAdm.world(['127.0.0.1'], { signal })],
  ];
  for (const [server, way] of ways) {
    const why = new Error('not needed any more');
    const before = await failure(way(AbortSignal.abort(why)));
    assert.deepEqual([before.code, before.sent, before.cause], ['aborted', false, why], server);
    const stop = new AbortController();
    const waits = asked();
    const given = failure(way(stop.signal));
    await waits;
    stop.abort(why);
    const error = await given;
    assert.deepEqual(
      [error.code, error.sent, error.cause, error.server],
      ['aborted', true, why, server],
      server,
    );
  }
});

test('connect is given up after a time; the error tells the node and how long it took', async (t) => {
  const { node } = await lonely(t);
  const error = await failure(node.connect('b@127.0.0.1', { timeoutMs: 20 }));
  assert.deepEqual([error.code, error.node, error.reason], ['timeout', 'b@127.0.0.1', atom('timeout')]);
  assert.match(
    error.message,
    /^waiting for net_kernel:connect_node\/1 on b@127\.0\.0\.1 was given up after \d+ ms: timeout; it goes on$/,
  );
});

test('applications and global too; what is done in time leaves nothing behind', async (t) => {
  const { node } = await lonely(t);
  const stop = new AbortController();
  const { signal } = stop;
  await node.application.start({ spec: { name: 'quick' } }, 'temporary', { signal });
  const slow = { spec: { name: 'slow' }, start: () => new Promise<never>(() => {}) };
  const starting = failure(node.application.start(slow, 'temporary', { signal }));
  await node.global.sync([], { signal });
  stop.abort();
  assert.deepEqual(
    [(await starting).code, (await starting).server],
    ['aborted', 'application_controller (start slow)'],
  );
  await node.application.stop('quick');
  for (const given of [
    node.global.sync([], { signal }),
    node.global.disconnect({ signal }),
    node.application.stop('quick', { signal }),
    node.application.permit('quick', true, { signal }),
    node.application.setEnv('quick', 'k', 1, { signal }),
  ]) {
    assert.equal((await failure(given)).code, 'aborted');
  }
});

async function failure(promise: Promise<unknown>): Promise<CallError> {
  const error = await promise.then(
    (value) => assert.fail(`it resolved to ${String(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CallError, String(error));
  return error;
}
