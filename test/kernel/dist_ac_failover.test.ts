// What happens when the node that runs an application dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DistAcCluster,
  type DistAcNode,
  introduce,
  type ScriptedPeer,
  settle,
  TestApps,
} from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

/** A standby `b` of an application that runs on a peer `a`. */
async function standby(
  cluster: DistAcCluster,
  apps: TestApps,
  distributed: string,
  permissions?: string,
): Promise<[DistAcNode, ScriptedPeer]> {
  const node = await cluster.boot('b', {
    distributed,
    apps: [apps.app('d1'), apps.app('phased', { startPhases: [] })],
    ...(permissions === undefined ? {} : { permissions }),
  });
  const peer = await introduce(cluster, node, 'a');
  for (const app of ['d1', 'phased']) peer.send(node, `{dist_ac_app_started, a, ${app}, ok}`);
  await settle();
  return [node, peer];
}

/** The peer `a`, back after its death and running `d1` again. */
async function returned(cluster: DistAcCluster, node: DistAcNode): Promise<ScriptedPeer> {
  const back = await introduce(cluster, node, 'a');
  back.send(node, '{dist_ac_app_started, a, d1, ok}');
  return back;
}

const at = (node: DistAcNode, app: string): boolean => node.runs(app);

test('dist_ac 64: after the restart time the standby starts it: normal, with start phases as failover', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 1000, [a, b]}, {phased, 1000, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.start('phased'), 'ok');
  const began = cluster.clock.now();
  cluster.crash(peer);
  assert.match((await node.info()).appls, /\{appl,d1,\{failover,a\},/);
  assert.equal(node.listed('running'), '[{phased,{distributed,a}},{d1,{distributed,a}}]');
  await eventually('both run', () => at(node, 'd1') && at(node, 'phased'));
  assert.ok(cluster.clock.now() - began >= 980);
  assert.deepEqual(apps.events, ['b start phased {failover,a}', 'b start d1 normal']);
});

test('dist_ac 65: with infinity nothing is started; the node that returns has its standby again', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, infinity, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await cluster.pass(400);
  assert.match((await node.info()).appls, /\{failover,a\},infinity/);
  await returned(cluster, node);
  await settle();
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  assert.match((await node.info()).appls, /\{distributed,a\},infinity/);
  assert.deepEqual(apps.events, []);
});

test('dist_ac 66: back and started before the time is over, the failover does not take place', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 10000, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await returned(cluster, node);
  await cluster.pass(12_000);
  assert.deepEqual(apps.events, []);
});

test('each death has a restart time of its own (in OTP the first timer is never cancelled)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 10000, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  const back = await returned(cluster, node);
  await cluster.pass(6000);
  const began = cluster.clock.now();
  cluster.crash(back);
  await eventually('it runs', () => at(node, 'd1'));
  assert.ok(cluster.clock.now() - began >= 9900);
});

test('dist_ac 67: without permission it is started but does not run', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await standby(cluster, new TestApps(), '[{d1, [a, b]}]', '[{d1, false}]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  cluster.crash(peer);
  await eventually('not running', () => node.listed('running') === '[]');
  assert.equal(node.listed('started'), '[{d1,temporary}]');
  assert.match((await node.info()).appls, /\{appl,d1,undefined,/);
});

test('dist_ac 68: the next of the list is waited for, and when it dies, too, we start it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 100, [a, c, b]}]');
  const next = await introduce(cluster, node, 'c');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await cluster.pass(600);
  assert.deepEqual(apps.events, []);
  cluster.crash(next);
  await eventually('it runs', () => at(node, 'd1'));
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('dist_ac 68: a node that answers introductions and weights although it waits for another one', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await standby(cluster, new TestApps(), '[{d1, 100, [a, c, b]}]');
  const next = await introduce(cluster, node, 'c');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await cluster.pass(400);
  const back = await introduce(cluster, node, 'a');
  back.send(node, '{dist_ac_weight, d1, 3, a}');
  await back.got('dist_ac_weight');
  next.send(node, '{dist_ac_app_started, c, d1, ok}');
  await eventually('standby', () => node.listed('running') === '[{d1,{distributed,c}}]');
});

test('dist_ac 69: inside a tuple the weights are exchanged and one starts it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, 100, [a, {b, c}]}]', apps: [apps.app('d1')], weight: 6 };
  const [a, b, c] = (await cluster.bootAll('a b c', options)) as [DistAcNode, DistAcNode, DistAcNode];
  assert.deepEqual(await Promise.all([a, b, c].map((node) => node.start('d1'))), ['ok', 'ok', 'ok']);
  cluster.crash(a);
  await eventually('b runs it', () => at(b, 'd1'));
  await eventually('c knows', () => c.listed('running') === '[{d1,{distributed,b}}]');
  assert.deepEqual(apps.events.slice(1), ['b start d1 normal']);
});

test('dist_ac 70: if the failover fails where we wait for it, we start it (OTP gives up)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 100, [a, c, b]}]');
  const next = await introduce(cluster, node, 'c');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await cluster.pass(400);
  next.send(node, '{dist_ac_app_started, c, d1, {error, broken}}');
  await eventually('it runs', () => at(node, 'd1'));
});

test('dist_ac 72: after "it stopped" the death of the node starts nothing', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  peer.send(node, '{dist_ac_app_stopped, d1}');
  await settle();
  cluster.crash(peer);
  await cluster.pass(400);
  assert.deepEqual(apps.events, []);
});

test('dist_ac 73: several applications with one list and time are all started', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 100, [a, b]}, {phased, 100, [a, b]}]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.start('phased'), 'ok');
  cluster.crash(peer);
  await eventually('both run', () => at(node, 'd1') && at(node, 'phased'));
});

test('a node is told one weight at a time: of two that it has not used yet, OTP finds only the latter', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const lists = '[{d1, 100, [a, {b, c}]}, {phased, 100, [a, {b, c}]}]';
  const [node, a] = await standby(cluster, apps, lists);
  const c = await introduce(cluster, node, 'c');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.start('phased'), 'ok');
  cluster.crash(a);
  // its own decisions come later: so far it keeps what it is told
  assert.match(await c.got('dist_ac_weight'), /^\{dist_ac_weight,phased,/);
  await cluster.pass(1_000);
  assert.equal(c.count('dist_ac_weight'), 1);
  c.send(node, '{dist_ac_weight, phased, 99, c}');
  await c.got('{dist_ac_weight,d1,');
  c.send(node, '{dist_ac_weight, d1, 99, c}');
  await eventually('both run', () => at(node, 'd1') && at(node, 'phased'));
  assert.equal(c.count('dist_ac_weight'), 2);
});

for (const lists of ['[a, {b, c}]', '[a, b, c]']) {
  test(`dist_ac 99: two applications in one tuple or in crossed lists fail over, where OTP deadlocks: ${lists}`, async () => {
    using cluster = new DistAcCluster();
    const apps = new TestApps();
    const crossed = lists.includes('{') ? lists : '[a, c, b]';
    const options = {
      distributed: `[{d1, 100, ${lists}}, {d2, 100, ${crossed}}, {d3, 100, ${lists}}]`,
      apps: ['d1', 'd2', 'd3'].map((name) => apps.app(name)),
    };
    const nodes = (await cluster.bootAll('a b c', options)) as [DistAcNode, DistAcNode, DistAcNode];
    const [a, b, c] = nodes;
    for (const app of ['d1', 'd2', 'd3']) await Promise.all(nodes.map((node) => node.start(app)));
    cluster.crash(a);
    for (const app of ['d1', 'd2', 'd3']) {
      await eventually(`${app} runs`, () => at(b, app) !== at(c, app));
    }
  });
}

test('dist_ac 74: the death of the node we take over from does not end the takeover', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let go!: () => void;
  apps.held.set('b d1', new Promise<void>((resolve) => (go = resolve)));
  const [node, peer] = await standby(cluster, apps, '[{d1, 100, [b, a]}]');
  const other = await introduce(cluster, node, 'c');
  const started = node.start('d1');
  await settle();
  cluster.crash(peer);
  await cluster.pass(400);
  go();
  assert.equal(await started, 'ok');
  assert.deepEqual(apps.events, ['b start d1 {takeover,a}']);
  assert.equal(await other.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
});

test('the death of a node that nobody waits for is seen while any node is waited for (OTP swallows it)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[{d1, 100, [a, b]}, {phased, [c, d]}]');
  const other = await introduce(cluster, node, 'c');
  other.send(node, '{dist_ac_app_stopped, phased}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  const waiting = node.start('phased');
  await settle();
  cluster.crash(peer);
  await eventually('failed over', () => at(node, 'd1'));
  other.send(node, '{dist_ac_app_started, c, phased, ok}');
  assert.equal(await waiting, 'ok');
});
