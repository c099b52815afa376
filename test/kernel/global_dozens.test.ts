// Dozens of nodes that join, register names and leave at once, in one Node.js process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { assertAgreed, GlobalCluster, type GlobalNode, idle, settled } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const SIZE = 30;
const PATIENCE_MS = 60_000;

/** Every node joins the first or one of those before it. */
async function joining(
  cluster: GlobalCluster,
  letter: string,
  size: number,
  to?: GlobalNode,
): Promise<GlobalNode[]> {
  const names = Array.from({ length: size }, (_, i) => `${letter}${String(i).padStart(2, '0')}`);
  const nodes = await cluster.nodes(names.join(' '));
  for (const [i, node] of nodes.entries()) {
    const seed = to ?? nodes[i % 3 === 0 ? 0 : i >> 1];
    if (seed !== undefined && seed !== node) cluster.join(seed, node);
  }
  return nodes;
}

function registered(node: GlobalNode, name: Term): Promise<boolean> {
  return node.global.registerName(node.self, name, idle(node).pid);
}

/** The nodes with which the name server of a node has a synchronisation under way. */
async function sessions(node: GlobalNode): Promise<Term[]> {
  const asked = new Promise<Term>((resolve) => {
    node.system.spawn(async (self) => resolve(await call(self, atom('global_name_server'), atom('info'))));
  });
  return ((await asked) as Tuple).elements[4] as Term[];
}

async function assertAtRest(nodes: readonly GlobalNode[]): Promise<void> {
  assertAgreed(nodes);
  for (const node of nodes) {
    assert.deepEqual(await sessions(node), [], `sessions of ${node.system.node.name}`);
    assert.equal(node.system.nodes().length, nodes.length - 1, `nodes of ${node.system.node.name}`);
  }
}

test('thirty nodes join at once and register names, one of them wanted by all (global 3, 7, 19)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await joining(cluster, 'n', SIZE);
  const own = nodes.map((node, i) => registered(node, i));
  const wanted = nodes.map((node) => registered(node, atom('wanted')));
  assert.deepEqual(new Set(await Promise.all(own)), new Set([true]));
  await Promise.all(wanted); // of those not joined yet several may get it
  await eventually('all agree', () => settled(nodes), PATIENCE_MS);
  await assertAtRest(nodes);
  assert.equal(nodes[0]?.global.registeredNames().length, SIZE + 1);
  const logs = nodes.flatMap((node) => node.logs).filter((line) => !/Name conflict terminating/.test(line));
  assert.deepEqual(logs, []);
});

test('of thirty nodes ten die while all join, and ten others come (global 3, 8, 19)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await joining(cluster, 'n', SIZE);
  const [hub] = nodes as [GlobalNode];
  const names = nodes.map((node, i) => registered(node, i));
  await eventually(
    'half of them are together',
    () => hub.global.knownNodes().length >= SIZE / 2,
    PATIENCE_MS,
  );
  // those by way of which nobody comes who stays
  const dying = nodes.slice(-SIZE / 3);
  for (const node of dying) cluster.kill(node.system);
  const late = await joining(cluster, 'z', SIZE / 3, hub);
  const lateNames = late.map((node, i) => registered(node, tuple(atom('late'), i)));
  const staying = [...nodes.filter((node) => !dying.includes(node)), ...late];
  await Promise.all([...names, ...lateNames].filter((_, i) => !dying.includes(nodes[i] as GlobalNode)));
  await eventually('those that stay agree', () => settled(staying), PATIENCE_MS);
  await assertAtRest(staying);
  assert.equal(hub.global.registeredNames().length, SIZE);
  // as BEAM nodes would say, of those that are dead and of nobody else
  const ofTheDead = /(failed to connect to|requested disconnect from node) 'n2\d@127.0.0.1'( in order|$)/;
  const logs = staying.flatMap((node) => node.logs).filter((line) => !ofTheDead.test(line));
  assert.deepEqual(logs, []);
});

test('of thirty nodes ten leave at once, in order, and come back as new ones (global 13, 19)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await joining(cluster, 'n', SIZE);
  await eventually('all are together', () => settled(nodes), PATIENCE_MS);
  await Promise.all(nodes.map((node, i) => registered(node, i)));
  const leaving = nodes.filter((_, i) => i % 3 === 1);
  const staying = nodes.filter((node) => !leaving.includes(node));
  await Promise.all(leaving.map((node) => node.global.disconnect()));
  await eventually('the others agree', () => settled(staying), PATIENCE_MS);
  await assertAtRest(staying);
  assert.equal(staying[0]?.global.registeredNames().length, staying.length);
  for (const node of leaving) assert.deepEqual(node.system.nodes(), []);
  for (const node of leaving) cluster.join(staying[0] as GlobalNode, node);
  await eventually('all are together again', () => settled(nodes), PATIENCE_MS);
  await assertAtRest(nodes);
  assert.equal(nodes[0]?.global.registeredNames().length, SIZE);
  assert.deepEqual(
    nodes.flatMap((node) => node.logs),
    [],
  );
});

test('two nodes that join a network by way of two of its nodes are not in the way of each other for ever (global 7)', async () => {
  for (let i = 0; i < 20; i++) {
    const cluster = new GlobalCluster();
    const network = await cluster.nodes('a b c d');
    for (const node of network.slice(1)) cluster.join(network[0] as GlobalNode, node);
    await eventually('the network is there', () => settled(network));
    // at the same moment, and so at every pause that is as long for one as for the other
    const late = await cluster.nodes('x y');
    for (const [k, node] of late.entries()) cluster.join(network[k] as GlobalNode, node);
    const all = [...network, ...late];
    const before = cluster.clock.now();
    await eventually('all are together', () => settled(all) || cluster.clock.now() - before > 60_000);
    assert.ok(settled(all), 'within a minute of the clock');
    assertAgreed(all);
  }
});
