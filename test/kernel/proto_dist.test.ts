import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { names } from '../../src/dist/erl_epmd.js';
import { listen } from '../../src/dist/inet_tcp_dist.js';
import type { TlsOptions } from '../../src/dist/tls_options.js';
import { type Node, startNode } from '../../src/node.js';
import type { NodeOptions } from '../../src/node_options.js';
import { format } from '../../src/terms/format.js';
import { tlsFile } from '../support/tls_files.js';

const LOCAL = { host: '127.0.0.1' };

async function epmd(t: TestContext, addresses: readonly string[] = ['127.0.0.1']): Promise<number> {
  const server = await startEpmdServer({ port: 0, addresses });
  t.after(() => server.close());
  return server.port;
}

async function node(
  t: TestContext,
  options: Omit<NodeOptions, 'cookie'> & { cookie?: string },
): Promise<Node> {
  const started = await startNode({ listen: LOCAL, cookie: 'c', ...options });
  t.after(() => started.stop());
  return started;
}

const nodes = (of: Node, kind?: 'hidden'): string[] => of.netKernel.nodes(kind).map((each) => each.name);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

test('two nodes over TLS, each verifying the other', async (t) => {
  const port = await epmd(t);
  const side = (name: 'node.pem' | 'node2.pem') => ({
    certificates: [{ certfile: tlsFile(name) }],
    cacertfile: tlsFile('ca.pem'),
    verify: 'verify_peer' as const,
  });
  const tls: TlsOptions = {
    server: { ...side('node.pem'), failIfNoPeerCert: true },
    client: side('node2.pem'),
  };
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port }, tls });
  const b = await node(t, { name: 'b@127.0.0.1', epmd: { port }, tls });
  assert.equal(await a.connect('b@127.0.0.1'), true);
  assert.deepEqual(nodes(b), ['a@127.0.0.1']);
  const plain = await node(t, { name: 'plain@127.0.0.1', epmd: { port } });
  assert.equal(await plain.connect('a@127.0.0.1'), false);
  assert.equal(await a.connect('plain@127.0.0.1'), false);
});

test('of an allow list only what the certificate of a client is for counts', async (t) => {
  const port = await epmd(t);
  const tls = (certificate: 'node.pem' | 'elsewhere.pem' | 'dns_only.pem'): TlsOptions => {
    const own = { certificates: [{ certfile: tlsFile(certificate) }], cacertfile: tlsFile('ca.pem') };
    return { server: { ...own, verify: 'verify_peer' }, client: own };
  };
  const lines: string[] = [];
  const log = (_: unknown, text: string): void => void lines.push(text);
  const allow = ['b@127.0.0.1', 'c@127.0.0.1', 'd@elsewhere.example'];
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port }, tls: tls('node.pem'), allow, log });
  const b = await node(t, { name: 'b@127.0.0.1', epmd: { port }, tls: tls('node.pem') });
  const c = await node(t, { name: 'c@127.0.0.1', epmd: { port }, tls: tls('elsewhere.pem') });
  assert.equal(await b.connect('a@127.0.0.1'), true);
  assert.equal(await c.connect('a@127.0.0.1'), false);
  assert.ok(lines.some((line) => /not on the allow list, or its certificate is not for its host/.test(line)));
  const e = await node(t, { name: 'e@127.0.0.1', epmd: { port }, tls: tls('dns_only.pem') });
  assert.equal(await e.connect('a@127.0.0.1'), false);
  a.netKernel.allow(['e@127.0.0.1']);
  assert.equal(await e.connect('a@127.0.0.1'), true);
});

test('verify_client knows what is allowed later', async (t) => {
  const port = await epmd(t);
  const own = { certificates: [{ certfile: tlsFile('node.pem') }], cacertfile: tlsFile('ca.pem') };
  const elsewhere = { ...own, certificates: [{ certfile: tlsFile('elsewhere.pem') }] };
  const checking: TlsOptions = { server: { ...own, verify: 'verify_peer', verifyClient: true }, client: own };
  const lines: string[] = [];
  const log = (_: unknown, text: string): void => void lines.push(text);
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port }, tls: checking, allow: ['localhost'], log });
  const b = await node(t, { name: 'b@127.0.0.1', epmd: { port }, tls: { server: own, client: elsewhere } });
  assert.equal(await b.connect('a@127.0.0.1'), false);
  assert.match(lines.at(-1) ?? '', /which is no allowed host, nor its address/);
  a.netKernel.allow(['x@elsewhere.example']);
  assert.equal(await b.connect('a@127.0.0.1'), false);
  assert.match(lines.at(-1) ?? '', /not on the allow list/);
});

test('IPv6, with EPMD on ::1', async (t) => {
  const port = await epmd(t, ['::1']);
  const listen = { family: 6, host: '::1' } as const;
  const a = await node(t, { name: 'a@::1', epmd: { port }, listen });
  await node(t, { name: 'b@::1', epmd: { port }, listen });
  assert.deepEqual((await names({ port, family: 6 })).map((one) => one.name).sort(), ['a', 'b']);
  assert.equal(await a.connect('b@::1'), true);
});

/** A port that is free on every address of loopback that the test uses. */
async function freePort(): Promise<number> {
  const listener = await listen(LOCAL);
  listener.close();
  return listener.port;
}

test('one port for all nodes: no EPMD is asked, whether there is one or not', async (t) => {
  const fixedPort = await freePort();
  const lines: string[] = [];
  const a = await node(t, {
    name: 'a@127.0.0.1',
    fixedPort,
    epmd: { port: await freePort(), start: false },
    log: (_, text) => void lines.push(text),
  });
  assert.ok(
    lines.some((line) => /cannot reach EPMD at .* nodes find each other at port \d+ without it$/.test(line)),
  );
  const port = await epmd(t);
  const b = await node(t, { name: 'b@127.0.0.2', fixedPort, epmd: { port }, listen: { host: '127.0.0.2' } });
  assert.deepEqual(await names({ port }), [{ name: 'b', port: fixedPort }]);
  assert.equal(await a.connect('b@127.0.0.2'), true);
  const c = await node(t, { name: 'c@127.0.0.3', fixedPort, epmd: false, listen: { host: '127.0.0.3' } });
  assert.equal(await c.connect('b@127.0.0.2'), true);
  assert.ok(nodes(b).includes('c@127.0.0.3'));
});

test('a start asks EPMD once, with a request: what connects and says nothing is a fault in its log', async (t) => {
  const requests: string[] = [];
  const server = createServer((socket) => {
    requests.push('');
    socket.on('data', (chunk) => {
      requests[0] += chunk.toString('latin1');
      socket.write(Buffer.from([118, 0, 0, 0, 0, 7]));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port } });
  assert.equal(a.system.creation, 7);
  assert.equal(requests.length, 1);
  assert.match(requests[0] ?? '', /^..x/s);
  await a.stop();
});

test('listening without TLS where others can connect is told, but not by a node that does not come up', async (t) => {
  const port = await epmd(t);
  const lines: string[] = [];
  const options = {
    name: 'a@127.0.0.1',
    epmd: { port },
    listen: {},
    log: (_: unknown, text: string) => void lines.push(text),
  };
  await node(t, options);
  assert.equal(lines.filter((line) => /^listening on 0\.0\.0\.0:\d+ without TLS/.test(line)).length, 1);
  lines.length = 0;
  await assert.rejects(node(t, options), { code: 'duplicate_name' });
  assert.deepEqual(lines, []);
});

test('without EPMD and without a port nobody is found', async (t) => {
  const lines: string[] = [];
  const a = await node(t, { name: 'a@127.0.0.1', epmd: false, log: (_, text) => void lines.push(text) });
  assert.equal(await a.connect('b@127.0.0.1'), false);
  assert.ok(lines.some((line) => line.includes('without EPMD all nodes listen at fixedPort: set it')));
});

test('a node that does not listen is hidden, and registers nowhere', async (t) => {
  const port = await epmd(t);
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port } });
  const dialler = await node(t, { name: 'd@127.0.0.1', epmd: { port }, listen: false });
  assert.equal(await dialler.connect('a@127.0.0.1'), true);
  assert.deepEqual([nodes(a), nodes(a, 'hidden')], [[], ['d@127.0.0.1']]);
  assert.deepEqual(
    (await names({ port })).map((one) => one.name),
    ['a'],
  );
});

test('a node without a name is given one, and ends when whoever gave it is gone', async (t) => {
  const port = await epmd(t);
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port } });
  const nameless = { name: 'undefined@127.0.0.1', epmd: { port }, nameFrom: 'a@127.0.0.1' };
  const first = await node(t, nameless);
  assert.match(first.name.name, /^[0-9A-Z]+@127\.0\.0\.1$/);
  assert.deepEqual(nodes(a, 'hidden'), [first.name.name]);
  assert.deepEqual(nodes(first, 'hidden'), ['a@127.0.0.1']);

  const fatal = once(first.events, 'fatal');
  a.netKernel.disconnect(first.name);
  const [reason] = await fatal;
  assert.equal(format(reason), "{nodedown,'a@127.0.0.1'}");
  await once(first.events, 'stopped');

  const second = await node(t, nameless);
  assert.equal(second.name, first.name);
  assert.equal(second.system.creation, first.system.creation + 1);
  await assert.rejects(node(t, { ...nameless, nameFrom: 'nobody@127.0.0.1' }), { code: 'unknown_name' });
  await assert.rejects(node(t, { name: 'undefined@127.0.0.1', epmd: { port } }), { code: 'bad_name' });
});

test('after EPMD is gone nodes stay connected, and a new one learns their names', async (t) => {
  const first = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'] });
  const { port } = first;
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port } });
  const b = await node(t, { name: 'b@127.0.0.1', epmd: { port } });
  assert.equal(await a.connect('b@127.0.0.1'), true);
  first.close();
  const second = await startEpmdServer({ port, addresses: ['127.0.0.1'] });
  t.after(() => second.close());
  while ((await names({ port })).length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  await until(() => nodes(b).length === 1);
});

test('a name that is taken, and a port range that is used up, end the start with nothing left behind', async (t) => {
  const port = await epmd(t);
  const a = await node(t, { name: 'a@127.0.0.1', epmd: { port } });
  await assert.rejects(node(t, { name: 'a@127.0.0.1', epmd: { port } }), {
    code: 'duplicate_name',
    message: /^the name a is taken: .* which answers; stop that node or choose another name$/,
  });
  const taken = (await names({ port }))[0]?.port ?? 0;
  await assert.rejects(
    node(t, { name: 'b@127.0.0.1', epmd: { port }, listen: { ...LOCAL, portMin: taken } }),
    /it is in use: choose others with inet_dist_listen_min/,
  );
  assert.deepEqual(
    (await names({ port })).map((one) => one.name),
    ['a'],
  );
  assert.equal(a.name.name, 'a@127.0.0.1');
});
