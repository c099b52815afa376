import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type EpmdOutput, epmdMain, parseEpmd } from '../../src/cli/epmd_main.js';
import { registerNode } from '../../src/dist/epmd_registration.js';
import { startEpmd } from '../../src/dist/epmd_start.js';
import { kill, names } from '../../src/dist/erl_epmd.js';

const LOCAL = ['127.0.0.1'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function daemon(t: TestContext): Promise<number> {
  const port = await freePort();
  const started = await startEpmd({ port, addresses: LOCAL });
  assert.equal(started.type, 'detached');
  t.after(() => {
    if (started.type === 'detached' && started.pid > 0) process.kill(started.pid);
  });
  return port;
}

test('a daemon listens once it is started, a second one gives way, and it serves ten thousand nodes', async (t) => {
  const port = await daemon(t);
  assert.deepEqual(await startEpmd({ port, addresses: LOCAL }), { type: 'already_running' });
  const nodes: { close(): void }[] = [];
  while (nodes.length < 10_000) {
    const some = Array.from({ length: 500 }, (_, i) => nodes.length + i);
    const register = (i: number) => registerNode({ name: `n${i}`, port: i + 1, epmd: { port } });
    nodes.push(...(await Promise.all(some.map(register))));
  }
  assert.equal((await names({ port })).length, 10_000);
  assert.equal(await kill({ port }), false);
  for (const node of nodes) node.close();
  while ((await names({ port })).length > 0) await new Promise(setImmediate);
});

test('a server inside this process ends with its close', async () => {
  const port = await freePort();
  const started = await startEpmd({ port, addresses: LOCAL, mode: 'in_process' });
  assert.equal(started.type, 'in_process');
  assert.deepEqual(await startEpmd({ port, addresses: LOCAL, mode: 'in_process' }), {
    type: 'already_running',
  });
  if (started.type === 'in_process') started.server.close();
  await assert.rejects(names({ port }), { code: 'unreachable' });
});

test('a port that something else has is an error, not a running epmd', async (t) => {
  const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await assert.rejects(startEpmd({ port, addresses: LOCAL, mode: 'in_process' }), /it is in use/);
  await assert.rejects(startEpmd({ port, addresses: LOCAL }), /it is in use, perhaps by another epmd/);
});

/** What a command prints, and its exit code. */
async function epmd(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const output: EpmdOutput = {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  };
  return { code: await epmdMain(argv, {}, output), ...said };
}

test('the commands print what those of BEAM print', async (t) => {
  const port = await daemon(t);
  const at = ['-port', String(port)];
  const node = await registerNode({ name: 'abc', port: 4321, epmd: { port } });
  t.after(() => node.close());
  const head = `epmd: up and running on port ${port} with data:\n`;
  assert.deepEqual(await epmd(...at, '-names'), { code: 0, out: `${head}name abc at port 4321\n`, err: '' });
  assert.match((await epmd(...at, '-dump')).out, /active name {5}<abc> at port 4321, fd = \d+\n$/);
  const refused = { code: 1, out: 'Killing not allowed - living nodes in database.\n', err: '' };
  assert.deepEqual(await epmd(...at, '-kill'), refused);
  assert.match(
    (await epmd(...at, '-stop', 'abc')).err,
    /^epmd: the running epmd was not started with -relaxed/,
  );
  assert.equal((await epmd(...at, '-started')).code, 0);
  assert.equal((await epmd(...at, '-daemon', '-address', '127.0.0.1')).code, 0);
  assert.match((await epmd(...at, '-address', '127.0.0.1')).err, /^epmd: one runs already on port \d+\n$/);
});

test('without an epmd the commands say so in one line', async () => {
  const at = ['-port', String(await freePort())];
  for (const command of ['-names', '-dump', '-kill']) {
    const { code, out, err } = await epmd(...at, command);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /^epmd: cannot reach EPMD at 127\.0\.0\.1:\d+: nothing listens there[^\n]*\n$/);
  }
  assert.equal((await epmd(...at, '-started')).code, 1);
});

test('words and variables are those of BEAM; what is wrong is named', async () => {
  const env = {
    ERL_EPMD_PORT: '5000',
    ERL_EPMD_ADDRESS: '10.0.0.1, ::1',
    ERL_EPMD_RELAXED_COMMAND_CHECK: '',
  };
  assert.deepEqual(parseEpmd(['-daemon', '-packet_timeout', '5'], env), {
    command: 'daemon',
    stopName: '',
    server: { port: 5000, addresses: ['10.0.0.1', '::1'], relaxedCommandCheck: true, packetTimeoutMs: 5000 },
  });
  assert.equal(parseEpmd(['--port', '6000', '--stop', 'x'], env).server.port, 6000);
  const wrong: readonly (readonly string[])[] = [
    ['-bogus'],
    ['names'],
    ['-port'],
    ['-port', '0x10'],
    ['-port', '70000'],
    ['-packet_timeout', '-1'],
  ];
  for (const words of wrong) {
    const { code, err } = await epmd(...words);
    assert.equal(code, 1);
    assert.match(err, /^epmd: .*(no option|needs a value|takes a number).*\nusage: /);
  }
  assert.match(
    (await epmd('-address', 'localhost')).err,
    /^epmd: "localhost" is no IP address to listen on\n$/,
  );
});
