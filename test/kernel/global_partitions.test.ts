// Networks that are torn: which islands remain, what is told to whom.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LostConnections } from '../../src/kernel/global_partitions.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, settled } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';
import { ScriptedPeer } from '../support/scripted_peer.js';

type Four = [GlobalNode, GlobalNode, GlobalNode, GlobalNode];

async function network(
  names: string,
  preventOverlappingPartitions = true,
): Promise<{ cluster: GlobalCluster; nodes: GlobalNode[] }> {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes(names, { preventOverlappingPartitions });
  for (const node of nodes.slice(1)) cluster.join(nodes[0] as GlobalNode, node);
  await eventually('all are in sync', () => settled(nodes));
  return { cluster, nodes };
}

/** The connected nodes of each, by their short names. */
function islands(nodes: readonly GlobalNode[]): string[] {
  return nodes.map(({ system }) =>
    [system.node, ...system.nodes()]
      .map((node) => node.name.replace(/@.*/, ''))
      .sort()
      .join(''),
  );
}

test('one lost connection: the others part from both its ends, and only they log it (global 13, 14)', async () => {
  const { cluster, nodes } = await network('a b c d');
  const [a, b, c, d] = nodes as Four;
  cluster.cut(a.system, b.system);
  await eventually('islands', () => islands(nodes).join() === 'a,b,cd,cd');
  await eventually('c and d stay in sync', () => settled([c, d]));
  for (const node of nodes) {
    for (const line of node.logs) assert.match(line, /^warning 'global' at node '.' ?|prevent overlapping/);
  }
  assert.ok(c.logs.some((line) => /requested disconnect from|disconnected/.test(line)));
  cluster.heal(a.system, b.system);
  cluster.join(a, c);
  cluster.join(b, c);
  await eventually('all are in sync again', () => settled(nodes));
});

test('without prevention only the lost connection is lost, and all stay known to the others (global 13)', async () => {
  const { cluster, nodes } = await network('a b c d', false);
  const [a, b, c, d] = nodes as Four;
  cluster.cut(a.system, b.system);
  await eventually('they see it', () => !a.global.knownNodes().includes(b.system.node));
  await eventually('islands overlap', () => islands(nodes).join() === 'acd,bcd,abcd,abcd');
  for (const node of [c, d]) assert.equal(node.global.knownNodes().length, 3);
  assert.deepEqual(
    nodes.flatMap((node) => node.logs),
    [],
  );
});

test('a split into two halves leaves two islands that join again (global 13, 14)', async () => {
  const { cluster, nodes } = await network('a b c d');
  const [a, b, c, d] = nodes as Four;
  for (const left of [a, b]) for (const right of [c, d]) cluster.cut(left.system, right.system);
  await eventually('islands', () =>
    ['ab,ab,cd,cd', 'a,b,c,d', 'ab,ab,c,d', 'a,b,cd,cd'].includes(islands(nodes).join()),
  );
  for (const left of [a, b]) for (const right of [c, d]) cluster.heal(left.system, right.system);
  cluster.join(a, b);
  cluster.join(c, d);
  cluster.join(a, d);
  await eventually('all are in sync again', () => settled(nodes));
});

test('a node that stops, or dies, does not part the others from one another (global 15)', async () => {
  const { cluster, nodes } = await network('a b c d');
  const [a, b, c, d] = nodes as Four;
  cluster.kill(a.system);
  await eventually('three remain', () => islands([b, c, d]).join() === 'bcd,bcd,bcd');
  await eventually('three are in sync', () => settled([b, c, d]));
  b.global.prepareShutdown();
  let told = 0;
  cluster.onSignal = (from) => {
    if (from === b.system) told++;
  };
  for (const channel of b.system.channels()) channel.close(atom('shutdown'));
  await eventually('two remain', () => islands([c, d]).join() === 'cd,cd');
  await eventually('two are in sync', () => settled([c, d]));
  assert.equal(told, 0, 'a node that stops tells nothing');
});

test('disconnect leaves the network, and the network stays one', async () => {
  const { nodes } = await network('a b c d');
  const [a, b, c, d] = nodes as Four;
  assert.equal((await a.global.disconnect()).length, 3);
  assert.deepEqual(a.system.nodes(), []);
  await eventually('three remain', () => islands([b, c, d]).join() === 'bcd,bcd,bcd' && settled([b, c, d]));
  assert.deepEqual(a.logs, []);
});

test('a report is told on once; one about us makes us part from who sent it (global 13)', async () => {
  const cluster = new GlobalCluster();
  const us = await cluster.node('us');
  const peers = ['p', 'q', 'r'].map((name) => new ScriptedPeer(cluster, name));
  const [p, q, r] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer];
  for (const peer of peers) cluster.connect(us.system, peer.system);
  const known = peers.map((peer): Term => tuple(peer.system.node, 8));
  p.cast(us.system.node, atom('new_nodes'), p.system.node, [], [], known, []);
  await eventually('they are known', () => us.global.knownNodes().length === 3);
  const report = [p.system.node, 2 ** 40, 7, q.system.node];
  const lost = atom('lost_connection');
  p.info(us.system.node, lost, ...report);
  assert.deepEqual((await r.expect('lost_connection')).slice(1), report);
  await q.expect('lost_connection');
  assert.deepEqual((await q.expect('remove_connection')).slice(1), [us.system.node]);
  assert.match(
    us.logs.join(),
    /^warning 'global' at node 'us@127.0.0.1' requested disconnect from node 'q@127.0.0.1' in order to prevent overlapping partitions$/,
  );
  assert.deepEqual(us.global.knownNodes().length, 2);
  assert.ok(us.global.isRemoving(q.system.node));
  r.info(us.system.node, lost, ...report);
  r.info(us.system.node, lost, p.system.node, 2 ** 40, 6, q.system.node);
  r.info(us.system.node, lost, r.system.node, 1, 1, us.system.node);
  await r.expect('remove_connection');
  assert.ok(!p.was('remove_connection') && !q.was('lost_connection'));
  // the nodedown of a node that is being removed is told to nobody
  p.received.length = 0;
  us.system.distEntry(q.system.node).channel?.close(atom('disconnect'));
  await eventually('it is gone', () => !us.global.isRemoving(q.system.node));
  p.info(us.system.node, atom('remove_connection'), p.system.node);
  await eventually('p is gone', () => !us.system.nodes().includes(p.system.node));
  assert.ok(!p.was('lost_connection') && !r.was('lost_connection'));
});

test('reports are remembered for an hour, by pair and incarnation', () => {
  let now = 0;
  const lost = new LostConnections({ now: () => now, setTimeout: () => 0, clearTimeout: () => {} });
  const [a, b] = [atom('a'), atom('b')];
  assert.ok(lost.note(a, b, 1, 5));
  assert.ok(!lost.note(a, b, 1, 5));
  assert.ok(!lost.note(a, b, 1, -(2n ** 60n)));
  assert.ok(lost.note(a, b, 1, 6));
  assert.ok(lost.note(b, a, 1, 6));
  assert.ok(lost.note(a, b, 2n ** 60n, 1));
  assert.ok(!lost.note(a, b, 2n ** 60n, 1));
  now += 60 * 60 * 1000;
  assert.ok(lost.note(a, b, 2n ** 60n, 1));
});
