import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError } from '../../src/errors.js';
import { Client } from '../../src/kernel/client.js';
import { CodeServer } from '../../src/kernel/code.js';
import * as erpc from '../../src/kernel/erpc.js';
import { serve } from '../../src/kernel/erpc_server.js';
import * as rpc from '../../src/kernel/rpc.js';
import { task } from '../../src/kernel/task.js';
import * as gen from '../../src/stdlib/gen.js';
import { start } from '../../src/stdlib/gen_server.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { exitOf, inProcess, ok } from '../support/process.js';

const SILENT = atom('silent');

/** Node b has a server that never answers, and a function that never returns. */
async function pair() {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  await inProcess(b, (self) =>
    ok(
      start<null>(
        self,
        { init: () => ({ state: null }), handleCall: (_request, _from, state) => ({ state }) },
        [],
        { name: SILENT },
      ),
    ),
  );
  const code = new CodeServer();
  code.define('m', 'never', 0, () => new Promise<Term>(() => {}));
  serve(b, code);
  return { a, b, server: tuple(SILENT, b.node) };
}

test('calls of processes are given up by a signal, and leave nothing behind', async () => {
  const { a, b, server } = await pair();
  await inProcess(a, async (self) => {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = (): Promise<Term>[] => [exitOf(gen.call(self, server, 1, { signal, timeoutMs: 60_000 }))];
    const first = calls();
    await eventually('it waits', () => self.waiting);
    controller.abort();
    assert.equal(
      format(await (first[0] as Promise<Term>)),
      "{aborted,{gen_server,call,[{silent,'b@127.0.0.1'},1,60000]}}",
    );
    assert.match(format(await (calls()[0] as Promise<Term>)), /^{aborted/);
    await assert.rejects(erpc.call(self, b.node, atom('m'), atom('never'), [], { signal }), (error) => {
      assert.ok(error instanceof ErlangError);
      assert.equal(format(error.reason), '{erpc,aborted}');
      return true;
    });
    const badrpc = await rpc.call(self, b.node, atom('m'), atom('never'), [], { signal });
    assert.equal(format(badrpc), '{badrpc,aborted}');
    const many = await rpc.multicall(self, atom('m'), atom('never'), [], { nodes: [b.node], signal });
    assert.deepEqual(many, { results: [], bad: [b.node] });
    const servers = await gen.multiCall(self, [b.node], SILENT, 1, { signal });
    assert.deepEqual(servers, { replies: [], bad: [b.node] });
    assert.equal(self.mailbox.size, 0);
    assert.equal(self.monitoredItems().length, 0);
  });
});

test('a signal that is aborted later does not disturb a call that is over', async () => {
  const { a } = await pair();
  await inProcess(a, async (self) => {
    const controller = new AbortController();
    const echo = await ok(
      start<null>(
        self,
        { init: () => ({ state: null }), handleCall: (reply, _from, state) => ({ state, reply }) },
        [],
      ),
    );
    assert.equal(await gen.call(self, echo, 7, { signal: controller.signal }), 7);
    controller.abort();
    assert.equal(self.mailbox.size, 0);
  });
});

test('one signal gives up any number of calls, and Node.js has nothing to warn of', async () => {
  const warnings: string[] = [];
  const warned = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', warned);
  const { a, server } = await pair();
  const client = new Client(a);
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: 50 }, () => client.call(server, 1, { signal }));
  const tasks = Array.from({ length: 50 }, () =>
    task(a, (self) => gen.call(self, server, 1, { signal }), { signal }),
  );
  // those that Node.js makes are of another kind than those of a controller
  const derived = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  calls.push(...Array.from({ length: 50 }, () => client.call(server, 1, { signal: derived })));
  await eventually('they wait', () => client.pending === 100);
  const soon = AbortSignal.timeout(20);
  calls.push(...Array.from({ length: 50 }, () => client.call(server, 1, { signal: soon })));
  const settled = Promise.allSettled([...calls, ...tasks]);
  controller.abort();
  assert.ok((await settled).every((each) => each.status === 'rejected'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
});
