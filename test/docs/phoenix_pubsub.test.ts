import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PhoenixPubSub } from '../../docs/examples/phoenix_pubsub.js';
import { atom, binary, type Node, startNode, type Term, tuple } from '../../src/index.js';
import { eventually } from '../support/memory_cluster.js';

function node(name: string): Promise<Node> {
  return startNode({ name: `${name}@127.0.0.1`, cookie: 'C', epmd: false, fixedPort: 1, listen: false });
}

test('the example of Phoenix.PubSub dispatches by topic, and what workers are sent', async () => {
  await using alone = await node('pubsub');
  const service = await PhoenixPubSub.start(alone, 'MyApp.PubSub', 2);
  const seen: Term[] = [];
  const failing = service.subscribe('t', () => {
    throw new Error('no');
  });
  const subscription = service.subscribe('t', (message) => seen.push(message));
  service.broadcast('t', 1);
  service.broadcast('u', 2);
  const [second] = ['Elixir.MyApp.PubSub.Adapter_2'].map((name) => atom(name)) as [ReturnType<typeof atom>];
  const forward = (topic: Term, message: Term): Term =>
    tuple(atom('forward_to_local'), topic, message, atom('Elixir.Phoenix.PubSub'));
  await eventually('the workers run', () => alone.system.whereis(second) !== undefined);
  for (const junk of [7, atom('x'), forward(atom('t'), 3), tuple(atom('forward_to_local'))]) {
    alone.client.send(second, junk);
  }
  alone.client.send(second, forward(binary('t'), 4));
  await eventually('it came', () => seen.length === 2);
  assert.deepEqual(seen, [1, 4]);
  const scope = await alone.pg.scope(atom('Elixir.Phoenix.PubSub'));
  assert.equal(scope.whichLocalGroups().length, 2);
  failing[Symbol.dispose]();
  subscription[Symbol.dispose]();
  service.broadcast('t', 5);
  assert.equal(seen.length, 2);
});
