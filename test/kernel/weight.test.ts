// What a node counts when the nodes of one tuple choose among themselves: 6, as an interactive Elixir node has, plus the
// user's applications that run here, or what the user says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { loadConfig, type Node, type NodeOptions, startNode } from '../../src/index.js';

const A = 'weight-a@127.0.0.1';
const B = 'weight-b@127.0.0.1';

/** Two nodes that share the application `d1` in one tuple; `before` runs before they start it. Who runs it. */
async function chosen(
  ofA: Pick<NodeOptions, 'weight'>,
  before: (a: Node) => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  const epmd = await startEpmdServer({ port: 0 });
  const start = (name: string, other: string, more: Pick<NodeOptions, 'weight'>): Promise<Node> => {
    const lists = ['distributed', `[{d1, 1000, [{'${A}', '${B}'}]}]`, 'sync_nodes_timeout', '20000'];
    const words = [...lists, 'sync_nodes_mandatory', `['${other}']`];
    return startNode({
      name,
      cookie: 'C',
      epmd: { port: epmd.port, start: false },
      listen: { host: '127.0.0.1' },
      config: loadConfig({ flags: [{ application: 'kernel', words }] }),
      ...more,
    });
  };
  const nodes = await Promise.all([start(A, B, ofA), start(B, A, {})]);
  try {
    await before(nodes[0]);
    await Promise.all(nodes.map((node) => node.application.start({ spec: { name: 'd1' } })));
    const running = nodes.filter((node) => node.application.which().some(({ name }) => name === 'd1'));
    return running.map((node) => node.name.name).join();
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await epmd.close();
  }
}

test('of equal weights the smaller name runs it', async () => {
  assert.equal(await chosen({}), A);
});

test('the base is 6: less than that goes first, more than that last', async () => {
  assert.equal(await chosen({ weight: 6 }), A);
  assert.equal(await chosen({ weight: 7 }), B);
});

test("the user's applications that run here count", async () => {
  const start = (node: Node): Promise<void> => node.application.start({ spec: { name: 'another' } });
  assert.equal(await chosen({}, start), B);
});

test('a function is given how many they are, and asked once for a decision', async () => {
  const asked: number[] = [];
  const weight = (running: number): number => {
    asked.push(running);
    return 5 + running;
  };
  const start = (node: Node): Promise<void> => node.application.start({ spec: { name: 'another' } });
  assert.equal(await chosen({ weight }, start), A);
  assert.deepEqual(asked, [1]);
});
