import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallError, ErlangError } from '../../src/errors.js';
import { Client } from '../../src/kernel/client.js';
import { AgentProtocol, message, request, typedClient } from '../../src/kernel/typed_client.js';
import { start } from '../../src/stdlib/gen_server.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import * as read from '../../src/terms/read.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok } from '../support/process.js';

const COUNTER = atom('counter');

const Counter = {
  add: request((n: number) => tuple(atom('add'), n), read.integer),
  name: request((n: number) => tuple(atom('name'), n), read.text),
  fetch: request((key: string) => tuple(atom('fetch'), atom(key)), read.result(read.integer)),
  wait: request(() => atom('wait'), read.ok),
  reset: message(() => atom('reset')),
};

/** A counter on node b, and a typed client of it on node a. */
async function counter() {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  await inProcess(b, (self) =>
    ok(
      start<number>(
        self,
        {
          init: () => ({ state: 0 }),
          handleCall(asked, _from, state) {
            const asText = format(asked);
            if (asText === 'wait') return { state };
            if (asText === '{fetch,one}') return { state, reply: tuple(atom('ok'), 1) };
            if (asText.startsWith('{fetch')) return { state, reply: tuple(atom('error'), atom('not_found')) };
            const added = state + Number(/\d+/.exec(asText)?.[0]);
            return { state: added, reply: added };
          },
          handleCast: () => ({ state: 0 }),
        },
        [],
        { name: COUNTER },
      ),
    ),
  );
  return { b, client: typedClient(new Client(a), tuple(COUNTER, b.node), Counter) };
}

test('a typed client calls, casts, and reads what comes back', async () => {
  const { client } = await counter();
  const sum: number = await client.add(1);
  assert.equal(sum, 1);
  assert.equal(await client.add(2), 3);
  client.reset();
  assert.equal(await client.add(5), 5);
  assert.equal(await client.fetch('one'), 1);
  await assert.rejects(client.fetch('two'), (error) => {
    assert.ok(error instanceof ErlangError);
    assert.equal(error.reason, atom('not_found'));
    return true;
  });
});

test('a reply that is not as agreed is an error that tells which', async () => {
  const { b, client } = await counter();
  await assert.rejects(client.name(7), (error) => {
    assert.ok(error instanceof CallError);
    assert.deepEqual([error.code, error.reason, error.node, error.sent], ['bad_reply', 7, b.node.name, true]);
    assert.match(error.message, /{counter,'b@127.0.0.1'} on b@127.0.0.1 .* a text was expected, 7 came/);
    return true;
  });
});

test('limits are given to a client, and hold for all of its calls', async () => {
  const { client } = await counter();
  await assert.rejects(client.with({ timeoutMs: 10 }).wait(), { code: 'timeout' });
  const controller = new AbortController();
  const bound = client.with({ timeoutMs: 60_000 }).with({ signal: controller.signal });
  const waiting = bound.wait();
  controller.abort();
  await assert.rejects(waiting, { code: 'aborted' });
  await assert.rejects(bound.add(1), { code: 'aborted', sent: false });
});

test('an Elixir agent is asked by functions of its own node', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const got: string[] = [];
  const agent = await inProcess(b, (self) =>
    ok(
      start<null>(
        self,
        {
          init: () => ({ state: null }),
          handleCall: (asked, _from, state) => {
            got.push(format(asked));
            return { state, reply: got.length === 1 ? 7 : atom('ok') };
          },
          handleCast: (cast, state) => {
            got.push(format(cast));
            return { state };
          },
        },
        [],
      ),
    ),
  );
  const client = typedClient(new Client(a), agent, AgentProtocol);
  const [module, get, put] = [atom('Elixir.Map'), atom('get'), atom('put')];
  assert.equal(await client.get(module, get, [atom('k')]), 7);
  await client.update(module, put, [atom('k'), 8]);
  client.cast(module, put, [atom('k'), 9]);
  await client.getAndUpdate(module, atom('pop'), [atom('k')]);
  assert.deepEqual(got, [
    "{get,{'Elixir.Map',get,[k]}}",
    "{update,{'Elixir.Map',put,[k,8]}}",
    "{cast,{'Elixir.Map',put,[k,9]}}",
    "{get_and_update,{'Elixir.Map',pop,[k]}}",
  ]);
});

test('what a reply is may be anything that readers read', () => {
  const reply: Term = tuple(atom('ok'), 1);
  const typed: number = read.result(read.integer)(reply);
  assert.equal(typed, 1);
});
