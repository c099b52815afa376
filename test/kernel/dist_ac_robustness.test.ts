// Strange peers, torn networks, and the end of a node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import {
  DistAcCluster,
  type DistAcNode,
  introduce,
  settle,
  short,
  TestApps,
  terms,
} from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const distributed = '[{d1, 200, [a, b]}]';

test('dist_ac 95: a lock ends with the process or the node that held it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  const lock = tuple(atom('dist_ac'), atom('sync_dacs'));
  const holder = peer.system.spawn(() => new Promise(() => {}));
  assert.ok(await peer.global.setLock(holder, lock, [node.system.node], 0));
  const started = node.start('d1');
  await settle();
  assert.deepEqual(apps.events, []);
  holder.end(atom('killed'));
  assert.equal(await started, 'ok');
});

test('dist_ac 96: the nodedown of the old incarnation comes before the introduction of the new one', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  // A restart time that no slow machine gets to.
  const options = { distributed: '[{d1, 60000, [a, b]}]', apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('d1'), b.start('d1')]);
  cluster.crash(a);
  const back = await cluster.boot('a', { ...options, optional: ['b'], timeoutMs: 'infinity' });
  assert.match((await b.info()).appls, /\{failover,a\}/);
  assert.equal((await b.info()).known, '[a,b]');
  assert.equal(await back.start('d1'), 'ok');
  await eventually('b is its standby', () => b.listed('running') === '[{d1,{distributed,a}}]');
  assert.deepEqual(apps.events, ['a start d1 normal', 'a start d1 normal']);
});

test('dist_ac 97: messages of a node that was not introduced do no harm', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', { distributed, apps: [new TestApps().app('d1')] });
  const peer = await cluster.peer('d');
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_app_started, d, d1, ok}');
  peer.send(node, '{dist_ac_app_stopped, d1}');
  peer.send(node, '{dist_ac_weight, d1, 1, d}');
  await peer.got('dist_ac_weight');
  assert.equal(await node.start('d1'), 'ok');
});

test('dist_ac 98: unknown messages and calls do no harm', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', { distributed, apps: [new TestApps().app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  for (const message of [
    'hello',
    '{dist_ac_new_thing, 1}',
    '{dist_ac_timer, x, y, z}',
    '[1, 2]',
    '{go, away}',
  ]) {
    node.distAc().deliver(terms(message));
  }
  for (const tag of ['ac_application_run', 'ac_application_stopped', 'ac_start_application_req']) {
    node.distAc().deliver(terms(`{${tag}, unknown, ok}`));
  }
  peer.send(node, '{dist_ac_sync_pid, c, c}');
  await settle();
  assert.ok(node.distAc().alive);
  assert.match((await node.info()).known, /a/);
});

test('what dist_ac tells itself cannot come from another node, and its calls are answered', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [a, b]}]', apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  const started = node.start('d1');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
  peer.send(node, '{nodedown, a, 1}');
  peer.send(node, '{dist_ac_timer, restart, d1, 1}');
  await settle();
  assert.match((await node.info()).known, /a/);
  assert.deepEqual(apps.events, []);
  for (const [name, request] of [
    ['dist_ac', '{takeover_application, d1, temporary}'],
    ['application_controller', '{stop_application, d1}'],
  ] as const) {
    const answer = await new Promise<Term>((resolve) => {
      peer.system.spawn(async (self) => {
        resolve(await call(self, tuple(atom(name), node.system.node), terms(request)));
      });
    });
    assert.equal(format(answer), '{error,not_allowed}');
  }
});

test('dist_ac 99: a node that waits for another one answers introductions, weights and locks', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', { distributed, apps: [new TestApps().app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  const started = node.start('d1');
  await settle();
  const late = await introduce(cluster, node, 'c');
  late.send(node, '{dist_ac_weight, d1, 1, c}');
  await late.got('dist_ac_weight');
  const lock = tuple(atom('dist_ac'), late.distAc.pid);
  assert.ok(await late.global.setLock(late.self, lock, [node.system.node], 0));
  await late.global.delLock(late.self, lock, [node.system.node]);
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await started, 'ok');
});

test('a boot that waits for an answer gives its lock back, and goes on without in the end', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('a');
  const node = await cluster.begin('b', { distributed, optional: ['a'], timeoutMs: 'infinity' });
  await peer.got('new_node');
  const locked = (): boolean => peer.global.locks().some((lock) => short(lock).includes('sync_dacs'));
  await eventually('the lock is free', () => !locked());
  assert.equal(await node.booted, undefined);
  assert.match(node.logs.join('\n'), /a@127.0.0.1 did not answer our introduction/);
  peer.send(node, '{dist_ac_new_node, 1, a, [{appl, d1, local, 200, [a, b], [{a, true}]}], [{a, d1}]}');
  await settle();
  const info = await node.info();
  assert.equal(info.known, '[a,b]');
  assert.equal(info.remote_started, '[{a,d1}]');
  assert.equal(peer.count('new_node'), 1);
});

test('dist_ac 100: changed node lists move nothing', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed, apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('d1'), b.start('d1')]);
  for (const node of [a, b]) assert.equal(await node.changeDistribution('[{d1, [b, a]}, {d9, [a]}]'), 'ok');
  await settle();
  assert.ok(a.runs('d1'));
  assert.match((await a.info()).appls, /^\[\{appl,d1,local,0,\[b,a\],/);
  cluster.crash(a);
  await eventually('the new time counts', () => b.runs('d1'));
});

test('dist_ac 101: after a torn network both sides keep what they run', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed, apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('d1'), b.start('d1')]);
  cluster.cut(a.system, b.system);
  await eventually('both run it', () => a.runs('d1') && b.runs('d1'));
  cluster.heal(a.system, b.system);
  cluster.connect(a.system, b.system);
  await cluster.pass(2_000);
  assert.ok(a.runs('d1') && b.runs('d1'));
  assert.equal((await a.info()).known, '[a]');
  assert.match(a.logs.join('\n'), /warning b@127.0.0.1 is back after the connection was lost.*\(here: d1\)/);
});

for (const healing of ['a', 'b', 'a b']) {
  test(`dist_ac 101: with heal: 'rejoin' on ${healing} the node that ranks higher keeps it`, async () => {
    using cluster = new DistAcCluster();
    const apps = new TestApps();
    const options = { distributed, apps: [apps.app('d1')], timeoutMs: 'infinity' } as const;
    const boot = (name: string, other: string): Promise<DistAcNode> =>
      cluster.begin(name, {
        ...options,
        mandatory: [other],
        heal: healing.includes(name) ? 'rejoin' : 'off',
      });
    const [a, b] = [await boot('a', 'b'), await boot('b', 'a')];
    assert.deepEqual([await a.booted, await b.booted], [undefined, undefined]);
    await Promise.all([a.start('d1'), b.start('d1')]);
    cluster.cut(a.system, b.system);
    await eventually('both run it', () => a.runs('d1') && b.runs('d1'));
    cluster.heal(a.system, b.system);
    // nobody connects them but who heals
    await eventually('one runs it', () => a.runs('d1') && !b.runs('d1'));
    await eventually('b is its standby', () => b.listed('running') === '[{d1,{distributed,a}}]');
    const infos = await Promise.all([a.info(), b.info()]);
    assert.deepEqual(
      infos.map((info) => info.known),
      ['[b,a]', '[a,b]'],
    );
    cluster.crash(a);
    await eventually('b fails over', () => b.runs('d1'));
  });
}

test('dist_ac 102: a node that stops in good order stops its applications first, and says nothing', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b] = (await cluster.bootAll('a b', {
    distributed,
    apps: [apps.app('d1'), apps.app('local')],
  })) as [DistAcNode, DistAcNode];
  const peer = await introduce(cluster, a, 'd');
  await Promise.all([a.start('d1'), b.start('d1')]);
  await a.start('local');
  await cluster.shutDown(a);
  assert.deepEqual(apps.events.slice(2), [
    'a prep_stop local',
    'a stop local',
    'a prep_stop d1',
    'a stop d1',
  ]);
  await eventually('b runs it', () => b.runs('d1'));
  assert.equal(peer.count('app_stopped'), 0);
});

test('D9: what a node has told goes with it when it dies', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', { distributed: '[{d1, [a, b]}]' });
  const peer = await introduce(cluster, node, 'a');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  peer.send(node, '{dist_ac_weight, d1, 3, a}');
  await settle();
  const told = await node.info();
  assert.equal(told.remote_started, '[{a,d1}]');
  assert.equal(told.tmp_locals, '[{d1,3,a}]');
  cluster.crash(peer);
  await settle();
  const { known, dist_loaded, remote_started, tmp_locals } = await node.info();
  assert.deepEqual(
    { known, dist_loaded, remote_started, tmp_locals },
    {
      known: '[b]',
      dist_loaded: '[]',
      remote_started: '[]',
      tmp_locals: '[]',
    },
  );
});
