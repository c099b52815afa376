import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallError, ErlangError } from '../../src/errors.js';
import type { System } from '../../src/erts/system.js';
import { Client } from '../../src/kernel/client.js';
import { CodeServer } from '../../src/kernel/code.js';
import { serve } from '../../src/kernel/erpc_server.js';
import { start } from '../../src/stdlib/gen_server.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok, same } from '../support/process.js';

const ECHO = atom('echo');
const NEVER = atom('never');

async function echo(system: System): Promise<void> {
  await inProcess(system, (self) =>
    ok(
      start<number>(
        self,
        {
          init: () => ({ state: 0 }),
          handleCall: (request, _from, state) => (request === NEVER ? { state } : { state, reply: request }),
          handleCast: (_message, state) => ({ state: state + 1 }),
        },
        [],
        { name: ECHO },
      ),
    ),
  );
}

async function failure(promise: Promise<Term>): Promise<CallError> {
  return promise.then(
    () => assert.fail('was to fail'),
    (error: unknown) => {
      assert.ok(error instanceof CallError, String(error));
      return error;
    },
  );
}

async function pair(): Promise<{
  cluster: MemoryCluster;
  a: System;
  b: System;
  client: Client;
}> {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  await echo(a);
  await echo(b);
  return { cluster, a, b, client: new Client(a) };
}

test('plain code calls servers here and elsewhere, all through one process', async () => {
  const { a, b, client } = await pair();
  const before = a.processes().length;
  const answers = await Promise.all(
    [...Array(200).keys()].map((i) => client.call(i % 2 === 0 ? ECHO : tuple(ECHO, b.node), i)),
  );
  assert.deepEqual(answers, [...Array(200).keys()]);
  assert.equal(a.processes().length, before + 1);
  assert.equal(client.pending, 0);
  const all = await client.multiCall([a.node, atom('gone@127.0.0.1'), b.node], ECHO, 5);
  assert.deepEqual(all, {
    replies: [
      [a.node, 5],
      [b.node, 5],
    ],
    bad: [atom('gone@127.0.0.1')],
  });
});

test('a call that fails tells node, server, time and whether the request was sent', async () => {
  const { cluster, a, b, client } = await pair();
  assert.equal(await client.call(tuple(ECHO, b.node), 1), 1); // connected
  const late = await failure(client.call(tuple(ECHO, b.node), NEVER, { timeoutMs: 20 }));
  assert.equal(late.code, 'timeout');
  assert.equal(late.node, b.node.name);
  assert.equal(late.server, "{echo,'b@127.0.0.1'}");
  assert.ok(late.elapsedMs >= 19 && late.sent);
  const gone = await failure(client.call(tuple(ECHO, atom('gone@127.0.0.1')), 1));
  assert.equal(gone.code, 'nodedown');
  assert.equal(gone.sent, false);
  assert.equal((await failure(client.call(tuple(atom('nobody'), b.node), 1))).code, 'noproc');
  const nobody = await failure(client.call(atom('nobody'), 1));
  assert.deepEqual([nobody.code, nobody.sent], ['noproc', false]);
  const lost = failure(client.call(tuple(ECHO, b.node), NEVER));
  setImmediate(() => cluster.cut(a, b));
  assert.equal((await lost).code, 'nodedown');
  assert.equal(client.pending, 0);
});

test('an AbortSignal gives a call up, before and after it is sent', async () => {
  const { client } = await pair();
  const cause = new Error('enough');
  const before = await failure(client.call(ECHO, 1, { signal: AbortSignal.abort(cause) }));
  assert.equal(before.code, 'aborted');
  assert.equal(before.sent, false);
  assert.equal(before.cause, cause);
  const controller = new AbortController();
  const after = failure(client.call(ECHO, NEVER, { signal: controller.signal }));
  controller.abort(cause);
  assert.equal((await after).sent, true);
  assert.equal(client.pending, 0);
});

test('a client whose process was ended fails what waits and goes on with a new one', async () => {
  const { a, client } = await pair();
  const waiting = failure(client.call(ECHO, NEVER));
  await eventually('the call waits', () => client.pending === 1);
  const asking = a.processes().find((p) => p.initialCall[0].name === 'otpnode_client');
  assert.ok(asking !== undefined);
  asking.exitArrived(asking.pid, atom('kill'), 'exit2');
  assert.equal((await waiting).reason, atom('killed'));
  assert.equal(await client.call(ECHO, 3), 3);
});

test('functions are called by erpc, and throw what they threw', async () => {
  const { b, client } = await pair();
  const code = new CodeServer();
  code.define('m', 'f', 1, ([x]) => x as Term);
  serve(b, code);
  const f = (fun: string, timeoutMs?: number): Promise<Term> =>
    client.apply(b.node, atom('m'), atom(fun), [1], timeoutMs === undefined ? {} : { timeoutMs });
  assert.equal(await f('f'), 1);
  await assert.rejects(f('g'), (error) => {
    assert.ok(error instanceof ErlangError);
    same(error.reason, tuple(atom('exception'), atom('undef'), [tuple(atom('m'), atom('g'), [1], [])]));
    return true;
  });
  const gone = await failure(client.apply(atom('gone@127.0.0.1'), atom('m'), atom('f'), [1]));
  assert.equal(gone.code, 'nodedown');
  assert.equal(gone.server, 'm:f/1');
});
