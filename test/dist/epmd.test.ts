import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type EpmdServer, type EpmdServerOptions, startEpmdServer } from '../../src/dist/epmd.js';
import { EpmdNames } from '../../src/dist/epmd_names.js';
import { registerNode } from '../../src/dist/epmd_registration.js';
import { names } from '../../src/dist/erl_epmd.js';

async function epmd(t: TestContext, options: EpmdServerOptions = {}): Promise<EpmdServer> {
  const server = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'], ...options });
  t.after(() => server.close());
  return server;
}

/** All that the server answers to these bytes until it closes. */
function ask(port: number, ...chunks: (Buffer | string)[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const answer: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => answer.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(answer)));
    socket.on('error', reject);
    for (const chunk of chunks) socket.write(chunk);
  });
}

const request = (body: string | Buffer): Buffer => {
  const bytes = Buffer.from(body as string, 'latin1');
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
};
const alive2 = (name: string | Buffer, highest = 6, extra = '', more = ''): Buffer => {
  const bytes = Buffer.from(name as string);
  const head = Buffer.from([120, 0x12, 0x34, 77, 0, 0, highest, 0, 5, bytes.length >> 8, bytes.length & 255]);
  const tail = Buffer.from(`\0${String.fromCharCode(extra.length)}${extra}${more}`, 'latin1');
  return request(Buffer.concat([head, bytes, tail]));
};

test('requests that break a rule are closed without an answer', async (t) => {
  const { port } = await epmd(t);
  const bad: Buffer[] = [
    Buffer.from([0, 0]),
    Buffer.from([0x20, 0]),
    request('q'),
    request('z'),
    request('z\0'),
    request('za\0b'),
    Buffer.concat([request('n'), Buffer.of(1)]),
    request(Buffer.from([120, 0, 0, 77, 0, 0, 6, 0, 5, 0, 0, 0, 0])),
    request(Buffer.from([120, 0, 0, 77, 0, 0, 6, 0, 5, 0, 9, 97, 0, 0])),
    request(Buffer.from([120, 0, 0, 77, 0, 0, 6, 0, 5, 0, 1, 97, 0, 9])),
    request(Buffer.from([120, 0, 0, 77, 0, 0, 6, 0, 5, 0, 1, 0, 0, 0])),
    request('sabc'),
  ];
  for (const bytes of bad) assert.equal((await ask(port, bytes)).length, 0, bytes.toString('hex'));
  assert.deepEqual(await names({ port }), []);
});

/** Registers `abc` and returns the connection that keeps it. */
async function registered(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.write(alive2('abc'));
  const [answer] = await once(socket, 'data');
  assert.equal((answer as Buffer).length, 6);
  assert.equal((await names({ port })).length, 1);
  return socket;
}

test('a name is gone when its connection sends another byte, is half closed, or is reset', async (t) => {
  const { port } = await epmd(t);
  const ends: ((socket: Socket) => void)[] = [
    (socket) => socket.write('x'),
    (socket) => socket.end(),
    (socket) => socket.resetAndDestroy(),
  ];
  for (const end of ends) {
    const socket = await registered(port);
    const closed = once(socket, 'close');
    end(socket);
    await closed;
    while ((await names({ port })).length > 0) await new Promise(setImmediate);
  }
});

test('a refused registration answers 1 and 99, and the connection stays until the client closes it', async (t) => {
  const { port } = await epmd(t);
  const keep = connect(port, '127.0.0.1');
  t.after(() => keep.destroy());
  keep.write(alive2('abc'));
  await new Promise((resolve) => keep.once('data', resolve));
  const second = connect(port, '127.0.0.1');
  second.write(alive2('abc'));
  const answer = await new Promise<Buffer>((resolve) => second.once('data', resolve));
  assert.equal(answer.toString('hex'), '760100000063');
  second.destroy();
  const old = connect(port, '127.0.0.1');
  old.write(alive2('x'.repeat(256), 5));
  assert.equal(
    (await new Promise<Buffer>((resolve) => old.once('data', resolve))).toString('hex'),
    '79010063',
  );
  old.destroy();
  assert.deepEqual(await names({ port }), [{ name: 'abc', port: 0x1234 }]);
});

test('a node is told as it registered, its extra field included', async (t) => {
  const { port } = await epmd(t);
  const keep = connect(port, '127.0.0.1');
  t.after(() => keep.destroy());
  keep.write(alive2('abc', 6, 'xy', 'ignored'));
  await new Promise((resolve) => keep.once('data', resolve));
  const expected = '770012344d0000060005000361626300027879';
  assert.equal((await ask(port, request('zabc'))).toString('hex'), expected);
  assert.equal((await ask(port, request('zabc\0'))).toString('hex'), expected);
  assert.equal((await ask(port, request('zab'))).toString('hex'), '7701');
});

test('idle connections are closed, registered ones are not', async (t) => {
  const { port } = await epmd(t, { packetTimeoutMs: 30 });
  const node = await registerNode({ name: 'abc', port: 1, epmd: { port } });
  t.after(() => node.close());
  assert.equal((await ask(port, Buffer.of(0))).length, 0);
  assert.equal((await names({ port })).length, 1);
});

test('connections over the limit are closed', async (t) => {
  const { port } = await epmd(t, { maxConnections: 1 });
  const node = await registerNode({ name: 'abc', port: 1, epmd: { port } });
  t.after(() => node.close());
  assert.equal((await ask(port, request('n'))).length, 0);
});

test('a kill ends a server without nodes', async (t) => {
  const server = await epmd(t);
  assert.equal((await ask(server.port, request('k'))).toString(), 'OK');
  await server.ended;
});

test('a port that is in use, and an address that is none, are errors that say so', async (t) => {
  const { port } = await epmd(t);
  await assert.rejects(
    startEpmdServer({ port, addresses: ['127.0.0.1'] }),
    /it is in use, perhaps by another epmd/,
  );
  await assert.rejects(startEpmdServer({ port: 0, addresses: ['localhost'] }), { code: 'bad_option' });
});

const node = { port: 1, type: 77, protocol: 0, highest: 6, lowest: 5, extra: Buffer.alloc(0) };

test('creations begin with the time, grow by one for each start of a name, and skip 0 to 3', () => {
  let now = 1000;
  const table = new EpmdNames(() => now);
  assert.equal(table.register({ ...node, name: 'a', connection: 1 }), 1000);
  assert.equal(table.register({ ...node, name: 'a', connection: 2 }), undefined);
  table.unregister('a', 2);
  assert.equal(table.size, 1, 'only its own connection ends a registration');
  table.unregister('a', 1);
  assert.equal(table.register({ ...node, name: 'a', connection: 3 }), 1001);
  table.unregister('a');
  assert.equal(table.register({ ...node, name: 'a', connection: 4, highest: 5 }), (1002 % 3) + 1);
  now = 2 ** 32 - 1;
  assert.equal(table.register({ ...node, name: 'b', connection: 5 }), 2 ** 32 - 1);
  table.unregister('b');
  assert.equal(table.register({ ...node, name: 'b', connection: 6 }), 4);
});

test('a thousand names that were are remembered', () => {
  const table = new EpmdNames(() => 1000);
  for (let i = 0; i <= 1000; i++) {
    table.register({ ...node, name: `n${i}`, connection: i });
    table.unregister(`n${i}`);
  }
  assert.equal(table.unused().length, 1000);
  assert.equal(table.register({ ...node, name: 'n0', connection: 1 }), 1000, 'the oldest was forgotten');
  assert.equal(table.register({ ...node, name: 'n1000', connection: 2 }), 1001);
});
