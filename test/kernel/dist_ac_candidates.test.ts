// A permission taken while others have not started the application, applications that run behind a node that ranks
// higher, and calls that wait for a lock: in OTP each of them can wait for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Place } from '../../src/kernel/dist_ac_circles.js';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
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

const IDLE = { started: false, waits: false };
const WAITS = { started: true, waits: true };
const BUSY = { started: true, waits: false };

/** Node b with the application, and peers a and c that have it loaded. */
async function withPeers(
  cluster: DistAcCluster,
  apps: TestApps,
  list: string,
  options: BootOptions,
): Promise<[DistAcNode, ScriptedPeer, ScriptedPeer]> {
  const all = { distributed: `[{d1, 1000, ${list}}]`, apps: [apps.app('d1')], ...options };
  const node = await cluster.boot('b', all);
  return [node, await introduce(cluster, node, 'a'), await introduce(cluster, node, 'c')];
}

const about = (peer: ScriptedPeer, text: string): string[] =>
  peer.received.filter((message) => message.includes(text));

test('a permission taken here: whoever has not started it is not to take it over, nor waited for', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const candidates = { a: IDLE, c: BUSY };
  const [node, a, c] = await withPeers(cluster, apps, '[b, a, c]', { candidates });
  assert.equal(await node.start('d1'), 'ok');
  const permitted = node.permit('d1', false);
  await c.got('{dist_ac_new_permission,b,d1,false,true}');
  assert.deepEqual(about(c, 'permission'), [
    '{dist_ac_new_permission,a,d1,false,false}',
    '{dist_ac_new_permission,b,d1,false,true}',
  ]);
  assert.equal(await a.got('permission'), '{dist_ac_new_permission,b,d1,false,false}');
  c.send(node, '{dist_ac_app_started, c, d1, ok}');
  assert.equal(await permitted, 'ok');
  // and a may run it as before
  await c.got('{dist_ac_new_permission,a,d1,true,false}');
});

test('a permission taken here that nobody else has started is stopped at once', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, a] = await withPeers(cluster, apps, '[b, a, c]', { candidates: { a: IDLE, c: IDLE } });
  assert.equal(await node.start('d1'), 'ok');
  const before = cluster.clock.now();
  assert.equal(await node.permit('d1', false), 'ok');
  assert.ok(cluster.clock.now() - before < 4000);
  assert.equal(node.runs('d1'), false);
  await a.got('{dist_ac_app_stopped,d1}');
});

test('dist_ac 86: not started here nor anywhere else: the caller there is answered, and it stops there', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const candidates = { c: { started: false, waits: true } };
  const [node, a, c] = await withPeers(cluster, apps, '[a, b, c]', { candidates });
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  a.send(node, '{dist_ac_new_permission, a, d1, false, true}');
  assert.equal(await a.got('app_started', 10_000), '{dist_ac_app_started,b,d1,{error,{not_started,d1}}}');
  // c took it for its own to start, and waits for us
  await c.got('dist_ac_app_stopped', 10_000);
  assert.deepEqual(about(c, 'app_st'), [
    '{dist_ac_app_started,b,d1,ok}',
    '{dist_ac_app_started,a,d1,ok}',
    '{dist_ac_app_stopped,d1}',
  ]);
  assert.deepEqual(apps.events, []);
  assert.match(
    node.logs.join('\n'),
    /d1 may not run on a@127\.0\.0\.1 any more, and nobody else has started it/,
  );
});

test('dist_ac 86: not started here, a node that waits for us is told to go on without us', async () => {
  using cluster = new DistAcCluster();
  const [node, a, c] = await withPeers(cluster, new TestApps(), '[a, b, c]', { candidates: { c: WAITS } });
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  a.send(node, '{dist_ac_new_permission, a, d1, false, true}');
  await c.got('dist_ac_new_permission', 10_000);
  const told = c.received.filter((message) => /started|permission/.test(message));
  assert.deepEqual(told, [
    '{dist_ac_app_started,b,d1,ok}',
    '{dist_ac_app_started,a,d1,ok}',
    '{dist_ac_new_permission,b,d1,false,true}',
  ]);
  assert.equal(a.count('app_started'), 0);
  c.send(node, '{dist_ac_app_started, c, d1, ok}');
  await c.got('{dist_ac_new_permission,b,d1,true,false}');
});

test('dist_ac 86: started here, we do not wait for a node that has not started it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, a] = await withPeers(cluster, apps, '[a, c, b]', { candidates: { c: IDLE } });
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  a.send(node, '{dist_ac_new_permission, a, d1, false, true}');
  await a.got('{dist_ac_app_started,b,d1,ok}', 10_000);
  assert.deepEqual(apps.events, ['b start d1 {takeover,a}']);
});

for (const [says, candidates] of [
  ['says that it has started it', { c: BUSY }],
  ['says nothing', {}],
] as const) {
  test(`a node that ${says} is left the time to take it over, however slowly`, async () => {
    using cluster = new DistAcCluster();
    const apps = new TestApps();
    const [node, a, c] = await withPeers(cluster, apps, '[a, c, b]', { candidates });
    a.send(node, '{dist_ac_app_started, a, d1, ok}');
    await settle();
    assert.equal(await node.start('d1'), 'ok');
    a.send(node, '{dist_ac_new_permission, a, d1, false, true}');
    await cluster.pass(25_000);
    assert.equal(a.count('app_started') + c.count('app_started') + c.count('permission'), 0);
    c.send(node, '{dist_ac_app_started, c, d1, ok}');
    await eventually('a standby of c', () => node.listed('running') === '[{d1,{distributed,c}}]');
    assert.deepEqual(apps.events, []);
  });
}

test('while it runs behind a node that ranks higher, the others are asked whether they wait', async () => {
  using cluster = new DistAcCluster();
  const seen: string[] = [];
  const openWaits = (nodes: string, [place]: readonly Place[]): void => {
    seen.push(`${nodes} ${place?.app.name} at ${place?.at.name}`);
  };
  const [node, a] = await withPeers(cluster, new TestApps(), '[a, c, b]', { openWaits });
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  await cluster.pass(12_000);
  assert.deepEqual(seen, [], 'it runs where it has to');
  assert.equal(await node.takeover('d1'), 'ok');
  await eventually('c is asked', () => seen.length > 1, 10_000);
  assert.equal(seen[0], '[c] d1 at b@127.0.0.1');
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  await eventually('a runs it', () => node.listed('running') === '[{d1,{distributed,a}}]');
  const asked = seen.length;
  await cluster.pass(12_000);
  assert.ok(seen.length <= asked + 1, 'nobody is asked any more');
});

test('a call that cannot get the lock goes on without it in the end (OTP tries for ever)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, a] = await withPeers(cluster, apps, '[a, b, c]', {});
  a.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  const lock = tuple(atom('dist_ac'), a.distAc.pid);
  a.system.spawn(async (self) => {
    await a.global.setLock(self, lock, [node.system.node]);
    await self.next();
  });
  await eventually('a has the lock', () => node.global.lockHolders(atom('dist_ac')).length === 1);
  const taken = node.takeover('d1');
  a.send(node, '{dist_ac_weight, d1, 1, a}');
  assert.equal(await taken, 'ok');
  assert.match(node.logs.join('\n'), /the lock for takeovers and permissions was not free for 30 s/);
  assert.ok(node.runs('d1'));
});
