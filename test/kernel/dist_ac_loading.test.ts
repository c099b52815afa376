// Loading, unloading, and node lists that differ.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DistAcCluster,
  type DistAcNode,
  type ScriptedPeer,
  settle,
  TestApps,
} from '../support/dist_ac_cluster.js';

const distributed = '[{d1, 60, [a, {b, c}]}]';

/** A node `a` and a peer `b` that know each other. */
async function pair(
  cluster: DistAcCluster,
  apps: TestApps,
  list = distributed,
): Promise<[DistAcNode, ScriptedPeer]> {
  const node = await cluster.boot('a', { distributed: list, apps: [apps.app('d1'), apps.app('d9')] });
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  await peer.got('dist_ac_new_node');
  return [node, peer];
}

test('dist_ac 32: loading is told to every other node of the list', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  assert.equal(await node.load('d1'), 'ok');
  assert.equal(await peer.got('app_loaded'), '{dist_ac_app_loaded,a,d1,[a,{b,c}],true,false}');
});

test('dist_ac 32: load/2 says true to those it has heard from', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  peer.send(node, '{dist_ac_app_loaded, b, d9, [a, b, c], false, false}');
  await settle();
  assert.equal((await node.info()).dist_loaded, '[{{d9,b},[a,b,c],false}]');
  assert.equal(await node.load('d9', '{d9, 5, [a, b, c]}'), 'ok');
  assert.equal(await peer.got('d9,'), '{dist_ac_app_loaded,a,d9,[a,b,c],true,true}');
  const info = await node.info();
  assert.equal(info.dist_loaded, '[]');
  assert.match(info.appls, /\{appl,d9,undefined,5,\[a,b,c\],\[\{a,true\},\{b,false\},\{c,undefined\}\]\}/);
});

test('dist_ac 33, 34: an equal list is answered with our permission, in whatever order its tuples are', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  peer.send(node, '{dist_ac_app_loaded, b, d1, [a, {c, b}], true, false}');
  assert.equal(await peer.got('app_loaded'), '{dist_ac_app_loaded,a,d1,[a,{b,c}],true,true}');
  assert.match((await node.info()).appls, /\{b,true\}/);
  peer.send(node, '{dist_ac_app_loaded, b, d1, [a, {c, b}], false, true}');
  await settle();
  assert.equal(peer.count('app_loaded'), 1);
  assert.match((await node.info()).appls, /\{b,false\}/);
});

test('dist_ac 35: with another list we stay, say so, and refuse to start it (OTP: the node goes down)', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  peer.send(node, '{dist_ac_app_loaded, b, d1, [a, b], true, false}');
  await settle();
  assert.equal(await node.start('d1'), '{error,{distribution_mismatch,d1,b}}');
  assert.match(
    node.logs.join('\n'),
    /error dist_ac on node a@.*: Distribution mismatch for application "d1"/,
  );
  assert.equal(peer.count('app_loaded'), 0, 'our own list would end that node');
  cluster.crash(peer);
  assert.equal(await node.start('d1'), 'ok');
});

test('dist_ac 35: lists are compared in the introduction, before anybody is told anything that ends him', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('a', { distributed, apps: [new TestApps().app('d1')] });
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_new_node, 1, b, [{appl, d1, undefined, 60, [b, a], [{b, true}]}], []}');
  await peer.got('dist_ac_new_node');
  assert.equal(await node.start('d1'), '{error,{distribution_mismatch,d1,b}}');
  assert.equal(peer.count('app_loaded'), 0);
});

test('dist_ac 36: what is loaded elsewhere first is remembered, and its permission used at our own load', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  peer.send(node, '{dist_ac_app_loaded, b, d9, [a, b], false, false}');
  peer.send(node, '{dist_ac_app_stopped, nobody_knows_it}');
  await settle();
  assert.equal(await node.load('d9', '{d9, [a, b]}'), 'ok');
  assert.match((await node.info()).appls, /d9,undefined,0,\[a,b\],\[\{a,true\},\{b,false\}\]/);
});

test('dist_ac 37: unloading is told; a running application is not unloaded', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.unload('d1'), '{error,{running,d1}}');
  assert.equal(await node.stop('d1'), 'ok');
  assert.equal(await node.unload('d1'), 'ok');
  assert.equal(await peer.got('unloaded'), '{dist_ac_app_unloaded,a,d1}');
  assert.match((await node.info()).appls, /\{appl,d1,undefined,60,\[a,\{b,c\}\],\[\]\}/);
});

test('dist_ac 38: an application that a connected node has unloaded is not started', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await pair(cluster, new TestApps());
  peer.send(node, '{dist_ac_app_loaded, b, d1, [a, {b, c}], true, true}');
  peer.send(node, '{dist_ac_app_unloaded, b, d1}');
  await settle();
  assert.equal(await node.start('d1'), '{error,{app_not_loaded,d1,[b]}}');
  cluster.crash(peer);
  assert.equal(await node.start('d1'), 'ok');
});

test('dist_ac 39: a second load is an error', async () => {
  using cluster = new DistAcCluster();
  const [node] = await pair(cluster, new TestApps());
  assert.equal(await node.load('d1'), 'ok');
  assert.equal(await node.load('d1'), '{error,{already_loaded,d1}}');
  assert.equal(
    await node.load('d9', '{d9, infinity, [a]}'),
    '{error,{bad_distribution_spec,{d9,infinity,[a]}}}',
  );
  assert.equal(await node.load('d9', '{d9, 5, 7}'), '{error,{badarg,7}}');
});
