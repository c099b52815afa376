// After a torn network, and between nodes that were never introduced: who is told what, by scripted peers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BootOptions,
  DistAcCluster,
  type DistAcNode,
  introduce,
  type ScriptedPeer,
  settle,
  TestApps,
} from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const LIST = '[{d1, 0, [a, b, c]}]';

/** `b`, which heals, with peers `a` and `c`; the connection to `a` is lost and there again. */
async function tornFromA(
  cluster: DistAcCluster,
  runsAt: 'a' | 'b',
  options: BootOptions = {},
): Promise<{ b: DistAcNode; a: ScriptedPeer; c: ScriptedPeer }> {
  const apps = new TestApps();
  const b = await cluster.boot('b', {
    distributed: LIST,
    apps: [apps.app('d1')],
    heal: 'rejoin',
    ...options,
  });
  const [a, c] = [await introduce(cluster, b, 'a'), await introduce(cluster, b, 'c')];
  // whoever runs it, it is not b's turn yet
  a.send(b, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await b.start('d1'), 'ok');
  cluster.cut(a.system, b.system);
  await eventually('b fails over', () => b.runs('d1'));
  a.received.length = 0;
  c.received.length = 0;
  cluster.heal(a.system, b.system);
  cluster.connect(a.system, b.system);
  await a.got('{dist_ac_new_node,1,b,');
  const id = runsAt === 'a' ? 'local' : 'undefined';
  const started = runsAt === 'a' ? '[{a, d1}]' : '[]';
  a.send(b, `{dist_ac_new_node, 1, a, [{appl, d1, ${id}, 0, [a, b, c], [{a, true}]}], ${started}}`);
  return { b, a, c };
}

test('a node that is back without a restart is introduced at once; the lower side stops, and says where it runs', async () => {
  using cluster = new DistAcCluster();
  const { b, a, c } = await tornFromA(cluster, 'a');
  await eventually('b has stopped', () => !b.runs('d1'));
  await c.got('{dist_ac_app_started,a,d1,ok}');
  assert.equal(a.count('dist_ac_app_started'), 0);
  assert.equal(b.listed('running'), '[{d1,{distributed,a}}]');
  const said = b.logs.filter((line) =>
    /warning d1 ran on b@\S+ and on a@\S+, which did not know of each other/.test(line),
  );
  assert.equal(said.length, 1);
});

test('a third node that runs it as well is told by the standby where it goes on', async () => {
  using cluster = new DistAcCluster();
  const { b, a, c } = await tornFromA(cluster, 'a');
  await eventually('b has stopped', () => !b.runs('d1'));
  cluster.cut(c.system, b.system);
  await settle();
  c.received.length = 0;
  cluster.heal(c.system, b.system);
  cluster.connect(c.system, b.system);
  await c.got('{dist_ac_new_node,1,b,');
  c.send(b, '{dist_ac_new_node, 1, c, [{appl, d1, local, 0, [a, b, c], [{c, true}]}], [{c, d1}]}');
  await c.got('{dist_ac_app_started,a,d1,ok}');
  assert.equal(a.count('dist_ac_app_started'), 0);
  assert.equal(b.listed('running'), '[{d1,{distributed,a}}]');
});

test('a node that is back and does not run it is told that it runs here', async () => {
  using cluster = new DistAcCluster();
  const { b, a } = await tornFromA(cluster, 'b');
  assert.equal(await a.got('dist_ac_app_started'), '{dist_ac_app_started,b,d1,ok}');
  assert.ok(b.runs('d1'));
});

test('with `off`, the default, a node that is back is not introduced', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const b = await cluster.boot('b', { distributed: LIST, apps: [apps.app('d1')] });
  const a = await introduce(cluster, b, 'a');
  cluster.cut(a.system, b.system);
  await settle();
  a.received.length = 0;
  cluster.heal(a.system, b.system);
  cluster.connect(a.system, b.system);
  await eventually('it says so', () => b.logs.some((line) => /warning a@\S+ is back after/.test(line)));
  await settle();
  assert.deepEqual(a.received, []);
});

/** `a` runs it; `b`, never introduced, loads it and is told. */
async function loadsUnaware(cluster: DistAcCluster): Promise<{ a: DistAcNode; b: ScriptedPeer }> {
  const apps = new TestApps();
  const a = await cluster.boot('a', { distributed: LIST, apps: [apps.app('d1')] });
  assert.equal(await a.start('d1'), 'ok');
  const b = await cluster.peer('b');
  cluster.connect(b.system, a.system);
  b.send(a, '{dist_ac_app_loaded, b, d1, [a, b, c], true, false}');
  await b.got('dist_ac_app_started');
  return { a, b };
}

test('a node that was never introduced and loads what runs here is introduced, and told', async () => {
  using cluster = new DistAcCluster();
  const { b } = await loadsUnaware(cluster);
  assert.deepEqual(
    b.received.map((message) => message.replace(/,.*/, '')),
    ['{dist_ac_app_loaded', '{dist_ac_new_node', '{dist_ac_app_started'],
  );
});

/** `a` runs it; `b`, never introduced, answers that it is at a start of its own. */
async function startsUnaware(cluster: DistAcCluster): Promise<{ a: DistAcNode; b: ScriptedPeer }> {
  const { a, b } = await loadsUnaware(cluster);
  b.send(a, '{dist_ac_new_node, 1, b, [{appl, d1, run_waiting, 0, [a, b, c], [{b, true}]}], []}');
  await settle();
  b.received.length = 0;
  return { a, b };
}

test('what a never introduced node of lower rank was starting then is no takeover: it is told to stop', async () => {
  using cluster = new DistAcCluster();
  const { a, b } = await startsUnaware(cluster);
  b.send(a, '{dist_ac_app_started, b, d1, ok}');
  assert.equal(await b.got('dist_ac_app_started'), '{dist_ac_app_started,a,d1,ok}');
  assert.equal(a.runs('d1'), true);
  // that was the start; what it announces later is a takeover by hand
  b.send(a, '{dist_ac_app_started, b, d1, ok}');
  await eventually('a has stopped', () => !a.runs('d1'));
});

test('when the start of a never introduced node fails, its next announcement is a takeover', async () => {
  using cluster = new DistAcCluster();
  const { a, b } = await startsUnaware(cluster);
  b.send(a, '{dist_ac_app_started, b, d1, {error, already_started}}');
  await settle();
  b.send(a, '{dist_ac_app_started, b, d1, ok}');
  await eventually('a has stopped', () => !a.runs('d1'));
});
