import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import { allInSync, assertAgreed, GlobalCluster, idle } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

test('two nodes synchronise with each other (global 7)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes('a b');
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const before = idle(a);
  assert.equal(await a.global.registerName(a.self, atom('early'), before.pid), true);
  cluster.join(a, b);
  await Promise.all([a.global.sync(), b.global.sync()]);
  assert.ok(allInSync(nodes));
  await eventually('no lock is left', () => nodes.every((node) => node.global.locks().length === 0));
  assert.equal(b.global.whereisName(atom('early'))?.key, before.pid.key);
  assertAgreed(nodes);
  assert.deepEqual([...a.logs, ...b.logs], []);
});

test('a name is known everywhere and goes with its process and its node (global 4)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes('a b c');
  const [a, b, c] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];
  cluster.join(a, b);
  cluster.join(b, c);
  await eventually('all are in sync', () => allInSync(nodes), 8000);
  const worker = idle(a);
  const name = tuple(atom('n'), 1);
  assert.equal(await b.global.registerName(b.self, name, worker.pid), true);
  assert.equal(await c.global.registerName(c.self, name, c.self.pid), false);
  for (const node of nodes) assert.equal(node.global.whereisName(name)?.key, worker.pid.key);
  a.self.exitSignal(worker.pid, atom('kill'));
  await eventually('the name is gone', () =>
    nodes.every((node) => node.global.whereisName(name) === undefined),
  );
  assert.equal(await c.global.registerName(c.self, name, c.self.pid), true);
  cluster.kill(c.system);
  await eventually('the name is gone', () => [a, b].every((n) => n.global.whereisName(name) === undefined));
  assert.ok(allInSync([a, b]));
});
