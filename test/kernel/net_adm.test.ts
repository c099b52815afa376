import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { ConfigError } from '../../src/errors.js';
import { NetAdm } from '../../src/kernel/net_adm.js';
import { type Node, startNode } from '../../src/node.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';

/** Two nodes that share an EPMD; the cookie of the second may differ. */
async function pair(t: TestContext, cookie = 'c'): Promise<{ a: Node; b: Node; port: number }> {
  const epmd = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'] });
  t.after(() => epmd.close());
  const start = async (name: string, secret: string): Promise<Node> => {
    const listen = { host: '127.0.0.1' };
    const node = await startNode({
      name: `${name}@127.0.0.1`,
      cookie: secret,
      epmd: { port: epmd.port },
      listen,
    });
    t.after(() => node.stop());
    return node;
  };
  return { a: await start('a', 'c'), b: await start('b', cookie), port: epmd.port };
}

test('ping connects a node that lets us in; names and world find it', async (t) => {
  const { a, b } = await pair(t);
  assert.deepEqual((await a.netAdm.names('127.0.0.1')).map(({ name }) => name).sort(), ['a', 'b']);
  assert.equal(await a.netAdm.ping('b@127.0.0.1'), true);
  assert.equal(await a.netAdm.ping(a.name), true);
  assert.equal(await a.netAdm.ping('gone@127.0.0.1'), false);
  a.netKernel.disconnect(b.name);
  assert.deepEqual((await a.netAdm.world(['127.0.0.1'])).map((node) => node.name).sort(), [
    'a@127.0.0.1',
    'b@127.0.0.1',
  ]);
  assert.deepEqual(a.netKernel.nodes(), [b.name]);
  await assert.rejects(a.netAdm.ping(b.name, { signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('a node with another cookie does not answer a ping', async (t) => {
  const { a } = await pair(t, 'other');
  assert.equal(await a.netAdm.ping('b@127.0.0.1'), false);
  assert.deepEqual(await a.netAdm.world(['127.0.0.1']), [a.name]);
});

test('hosts are read from .hosts.erlang in the first folder that has one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'otpnode-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { a, port } = await pair(t);
  const netAdm = new NetAdm(a.system, {
    epmd: { port },
    shortNames: false,
    hostFileFolders: [join(folder, 'none'), folder],
    disconnect: () => {},
  });
  assert.equal(netAdm.hostFile(), undefined);
  await assert.rejects(netAdm.world(), ConfigError);
  writeFileSync(join(folder, '.hosts.erlang'), "'127.0.0.1'.\n'nowhere.invalid'.\n");
  assert.deepEqual(netAdm.hostFile(), ['127.0.0.1', 'nowhere.invalid']);
  assert.equal((await netAdm.world()).length, 2);
  writeFileSync(join(folder, '.hosts.erlang'), '"127.0.0.1".');
  assert.throws(() => netAdm.hostFile(), ConfigError);
});

test('net_kernel and net_adm tell other nodes of connections and names', async (t) => {
  const { a, b } = await pair(t);
  const ask = async (module: string, fun: string, ...args: Term[]): Promise<string> =>
    format(await a.client.apply(b.name, atom(module), atom(fun), args));
  const info = await ask('net_kernel', 'node_info', a.name);
  assert.match(
    info,
    /^\{ok,\[\{owner,<[^>]+>\},\{state,up\},\{address,\{net_address,undefined,"127.0.0.1",tcp,inet\}\},\{type,normal\},\{in,\d+\},\{out,\d+\}\]\}$/,
  );
  assert.equal(await ask('net_kernel', 'node_info', atom('x@y')), '{error,bad_node}');
  assert.equal(await ask('net_kernel', 'node_info', a.name, atom('type')), '{ok,normal}');
  assert.equal(await ask('net_kernel', 'node_info', a.name, atom('x')), '{error,invalid_key}');
  assert.match(await ask('net_kernel', 'nodes_info'), /^\{ok,\[\{'a@127.0.0.1',\[\{owner/);
  assert.equal(await ask('net_kernel', 'longnames'), 'true');
  assert.match(await ask('net_kernel', 'get_state'), /name => 'b@127.0.0.1'/);
  assert.match(await ask('net_adm', 'names'), /^\{ok,\[\{"\w",\d+\},\{"\w",\d+\}\]\}$/);
  assert.equal(b.netKernel.nodeInfo(a.name)?.state, 'up');
});
