// Starting, and the choice by weight.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import {
  type BootOptions,
  DistAcCluster,
  type DistAcNode,
  type ScriptedPeer,
  settle,
  short,
  TestApps,
} from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

/** A node `b` and a peer `p` (played as `a` or `c`) that know each other and have the application loaded. */
async function withPeer(
  cluster: DistAcCluster,
  apps: TestApps,
  list: string,
  peerName = 'a',
  options: BootOptions = {},
): Promise<[DistAcNode, ScriptedPeer]> {
  const node = await cluster.boot('b', { distributed: list, apps: [apps.app('d1')], ...options });
  return [node, await join(cluster, node, peerName)];
}

async function join(cluster: DistAcCluster, node: DistAcNode, name: string): Promise<ScriptedPeer> {
  const peer = await cluster.peer(name);
  cluster.connect(peer.system, node.system);
  peer.send(node, `{dist_ac_new_node, 1, ${name}, [{appl, d1, undefined, 60, any, [{${name}, true}]}], []}`);
  await peer.got('dist_ac_new_node');
  return peer;
}

test('dist_ac 40: the first of the list starts it without waiting, and tells all it knows', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [b, a]}]');
  const outsider = await join(cluster, node, 'd');
  assert.equal(await node.start('d1'), 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
  assert.equal(await peer.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
  assert.equal(await outsider.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
  assert.match((await node.info()).appls, /\{appl,d1,local,/);
});

test('dist_ac 41: behind a node that has not started it the caller waits for its announcement', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [a, b]}]');
  const started = node.start('d1');
  await settle();
  assert.match(node.listed('starting'), /^\[\{d1,temporary,normal,/);
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal(node.listed('started'), '[{d1,temporary}]');
  assert.deepEqual(apps.events, []);
});

test('dist_ac 42: its error is the error of our caller', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, b]}]');
  const started = node.start('d1');
  await settle();
  peer.send(node, '{dist_ac_app_started, a, d1, {error, broken}}');
  assert.equal(await started, '{error,{a,broken}}');
  assert.equal(node.listed('running'), '[]');
});

test('dist_ac 43: if it dies instead, the next one starts it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, 5000, [a, b]}]');
  const started = node.start('d1');
  await settle();
  cluster.crash(peer);
  assert.equal(await started, 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('dist_ac 44: where it is known to run already the caller does not wait', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, b]}]');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal((await node.info()).remote_started, '[{a,d1}]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal((await node.info()).remote_started, '[]');
});

test('dist_ac 45: the higher node takes it over from the lower one', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [b, a]}]');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  assert.deepEqual(apps.events, ['b start d1 {takeover,a}']);
  assert.equal(await peer.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
});

test('dist_ac 46: inside a tuple it is not moved', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [{b, a}]}]');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal(peer.count('weight'), 0);
});

test('dist_ac 47: with a lower node running it we do not wait for a higher one (OTP does)', async () => {
  using cluster = new DistAcCluster();
  const [node] = await withPeer(cluster, new TestApps(), '[{d1, [a, b, c]}]');
  const lower = await join(cluster, node, 'c');
  lower.send(node, '{dist_ac_app_started, c, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,c}}]');
});

test('dist_ac 48: concurrent starts give one instance and one result to all', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, [a, b]}]', apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  const results = await Promise.all([a.start('d1'), a.start('d1'), a.start('d1'), b.start('d1')]);
  assert.deepEqual(results, ['ok', 'ok', 'ok', 'ok']);
  assert.deepEqual(apps.events, ['a start d1 normal']);
});

test('dist_ac 49: a standby counts as started, but it runs nothing', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, b]}]');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.start('d1'), '{error,{already_started,d1}}');
  assert.equal(await node.run((self) => node.application.ensureStarted(self, atom('d1'))), 'ok');
  assert.equal(node.runs('d1'), false);
});

test('dist_ac 50: a dependency that runs elsewhere is there', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [a, b]}]', 'a', {
    apps: [apps.app('d1'), apps.app('needs_d1', { applications: ['d1'] })],
  });
  assert.equal(await node.start('needs_d1'), '{error,{not_started,d1}}');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.start('needs_d1'), 'ok');
});

test('dist_ac 51: a node outside the list waits for anybody', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, c]}]');
  const started = node.start('d1');
  await settle();
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
});

test('dist_ac 52: where nobody may run it, the start is ok and nothing runs', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = {
    distributed: '[{d1, [a, b]}]',
    permissions: '[{d1, false}]',
    apps: [apps.app('d1')],
  };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  assert.deepEqual(await Promise.all([a.start('d1'), b.start('d1')]), ['ok', 'ok']);
  assert.deepEqual(apps.events, []);
  assert.equal(a.listed('running'), '[]');
  assert.equal(a.listed('started'), '[{d1,temporary}]');
});

test('dist_ac 53: while another node holds the lock, a start is tried again every 100 ms', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node] = await withPeer(cluster, apps, '[{d1, [b, a]}]');
  const lock = tuple(atom('dist_ac'), atom('sync_dacs'));
  assert.ok(node.global.localLock(node.self, lock));
  const started = node.start('d1');
  await cluster.pass(600);
  assert.deepEqual(apps.events, []);
  node.global.localUnlock(node.self, lock);
  assert.equal(await started, 'ok');
});

test('D18: a lock that our own node does not give back is waited for 5 s: we start it all the same', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node] = await withPeer(cluster, apps, '[{d1, [b, a]}]');
  assert.ok(node.global.localLock(node.self, tuple(atom('dist_ac'), node.self.pid)));
  const began = cluster.clock.now();
  assert.equal(await node.start('d1'), 'ok');
  assert.ok(cluster.clock.now() - began >= 5000);
  assert.deepEqual(apps.events, ['b start d1 normal']);
  assert.match(node.logs.join('\n'), /b@127.0.0.1 has held the lock for starts for 5 s; starting d1 without/);
});

test('D18: a node that does not give the lock back is waited for 5 s and then passed over', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [a, b]}]');
  assert.ok(node.global.localLock(peer.self, tuple(atom('dist_ac'), peer.self.pid)));
  const began = cluster.clock.now();
  assert.equal(await node.start('d1'), 'ok');
  assert.ok(cluster.clock.now() - began >= 5000);
  assert.deepEqual(apps.events, ['b start d1 normal']);
  assert.match(node.logs.join('\n'), /a@127.0.0.1 has held the lock for starts for 5 s; starting d1 without/);
});

test('D18: a node that was passed over counts again when it has given the lock back', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [a, b]}]');
  const { global } = node;
  const lock = tuple(atom('dist_ac'), peer.distAc.pid);
  const holder = peer.system.spawn(async (self) => {
    await peer.global.setLock(self, lock, [node.system.node]);
    await self.next();
  });
  await eventually('a holds the lock', () => global.lockHolders(atom('dist_ac')).length === 1);
  const started = node.start('d1');
  assert.equal(await started, 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
  holder.end(atom('normal'));
  await eventually('the lock is free', () => global.lockHolders(atom('dist_ac')).length === 0);
  assert.equal(await node.stop('d1'), 'ok');
  const again = node.start('d1');
  await settle();
  assert.match(node.listed('starting'), /^\[\{d1,/);
  assert.deepEqual(apps.events.slice(1), ['b prep_stop d1', 'b stop d1']);
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await again, 'ok');
});

test('dist_ac 54: a decision leaves no lock anywhere', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [b, a]}]');
  assert.equal(await node.start('d1'), 'ok');
  const locks = [...node.global.locks(), ...peer.global.locks()].map(short);
  assert.deepEqual(
    locks.filter((lock) => lock.includes('dist_ac')),
    [],
  );
});

// --- weights ----------------------------------------------------------------------------------------------------

test('dist_ac 55: the lower weight starts it, on both nodes by the same figures', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options: BootOptions = {
    distributed: '[{d1, [{a, b}]}]',
    apps: [apps.app('d1')],
    timeoutMs: 'infinity',
  };
  const a = await cluster.begin('a', { ...options, mandatory: ['b'], weight: 3 });
  const b = await cluster.begin('b', { ...options, mandatory: ['a'], weight: 2 });
  assert.deepEqual([await a.booted, await b.booted], [undefined, undefined]);
  assert.deepEqual(await Promise.all([a.start('d1'), b.start('d1')]), ['ok', 'ok']);
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('dist_ac 56: of equal weights the smaller name starts it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, [{b, a}]}]', apps: [apps.app('d1')], weight: 6 };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  assert.deepEqual(await Promise.all([b.start('d1'), a.start('d1')]), ['ok', 'ok']);
  assert.deepEqual(apps.events, ['a start d1 normal']);
});

test('dist_ac 57: the weights of all permitted nodes of the list are asked for and waited for', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, a] = await withPeer(cluster, apps, '[{d1, [{b, a}, c]}]', 'a', { weight: 4 });
  const c = await join(cluster, node, 'c');
  const started = node.start('d1');
  assert.equal(await a.got('weight'), '{dist_ac_weight,d1,4,b}');
  assert.equal(await c.got('weight'), '{dist_ac_weight,d1,4,b}');
  a.send(node, '{dist_ac_weight, d1, 5, a}');
  await settle();
  assert.deepEqual(apps.events, []);
  c.send(node, '{dist_ac_weight, d1, 1, c}');
  assert.equal(await started, 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('dist_ac 58: asked before we start it we answer at once (OTP when it starts), and keep to the figure', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let weight = 6;
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [{b, a}]}]', 'a', {
    get weight() {
      return weight;
    },
  });
  peer.send(node, '{dist_ac_weight, d1, 7, a}');
  assert.equal(await peer.got('weight'), '{dist_ac_weight,d1,6,b}');
  weight = 9;
  assert.equal(await node.start('d1'), 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal'], 'by 6 against 7');
  assert.equal(peer.count('weight'), 1);
});

test('dist_ac 58: the announcement of another node ends our own open decision', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [{b, a}]}]');
  const started = node.start('d1');
  await peer.got('weight');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
});

test('dist_ac 59: a standby and the one that runs it answer at once, and keep to the figure', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let weight = 6;
  const options = {
    get weight() {
      return weight;
    },
  };
  const [node, peer] = await withPeer(cluster, apps, '[{d1, 5000, [a, {b, c}]}]', 'a', options);
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.start('d1'), 'ok');
  const c = await join(cluster, node, 'c');
  c.send(node, '{dist_ac_weight, d1, 6, c}');
  assert.equal(await c.got('weight'), '{dist_ac_weight,d1,6,b}');
  weight = 9;
  c.send(node, '{dist_ac_weight, d1, 6, c}');
  await settle();
  assert.equal(c.count('{dist_ac_weight,d1,6,b}'), 2);
  assert.equal((await node.info()).tmp_weights, '[{d1,6}]');
  c.send(node, '{dist_ac_app_started, c, d1, ok}');
  await settle();
  assert.equal((await node.info()).tmp_weights, '[]');
});

test('dist_ac 60: while we are starting it we answer 0', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let go!: () => void;
  apps.held.set('b d1', new Promise<void>((resolve) => (go = resolve)));
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [b, a]}]');
  const started = node.start('d1');
  await eventually('it is being started', () => node.listed('starting') !== '[]');
  await settle();
  peer.send(node, '{dist_ac_weight, d1, 6, a}');
  assert.equal(await peer.got('weight'), '{dist_ac_weight,d1,0,b}');
  go();
  assert.equal(await started, 'ok');
});

test('dist_ac 61: a node that we wait for gets our weight when it asks', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, b]}]', 'a', { weight: 8 });
  const started = node.start('d1');
  await settle();
  peer.send(node, '{dist_ac_weight, d1, 6, a}');
  assert.equal(await peer.got('weight'), '{dist_ac_weight,d1,8,b}');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
});

test('dist_ac 62: without the weight of a node that dies the choice goes on', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await withPeer(cluster, apps, '[{d1, [{b, a}]}]');
  const started = node.start('d1');
  await peer.got('weight');
  cluster.crash(peer);
  assert.equal(await started, 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('weights that answer answers end after a while', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await withPeer(cluster, new TestApps(), '[{d1, [a, b]}]');
  const started = node.start('d1');
  await settle();
  for (let i = 0; i < 200; i++) peer.send(node, '{dist_ac_weight, d1, 6, a}');
  await settle();
  assert.ok(peer.count('weight') < 200);
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
});
