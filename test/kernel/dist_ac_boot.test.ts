// The boot: waiting for other nodes, and introductions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import { DistAcCluster, settle, short, TestApps } from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const distributed = '[{d1, 60, [a, b]}]';

test('dist_ac 9: without a time limit nobody is waited for', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.begin('a', { mandatory: ['b'] });
  assert.equal(await node.booted, undefined);
});

test('dist_ac 11: a mandatory node that does not come ends the boot, in the order of the configuration', async () => {
  using cluster = new DistAcCluster();
  await cluster.begin('b');
  const node = await cluster.begin('a', { mandatory: ['d', 'b', 'c'], optional: ['d'], timeoutMs: 500 });
  assert.equal(short((await node.booted) ?? false), '{mandatory_nodes_down,[d,c]}');
});

test('dist_ac 12: an optional node is waited for until the time is over, although all mandatory ones are up', async () => {
  using cluster = new DistAcCluster();
  await cluster.begin('b');
  const began = cluster.clock.now();
  const node = await cluster.begin('a', { mandatory: ['b'], optional: ['c'], timeoutMs: 1000 });
  assert.equal(await node.booted, undefined);
  const took = cluster.clock.now() - began;
  assert.ok(took >= 900, `it took ${took} ms`);
});

test('dist_ac 13: with all listed nodes up, itself among them, the boot goes on at once', async () => {
  using cluster = new DistAcCluster();
  await cluster.begin('b');
  const node = await cluster.begin('a', { mandatory: ['a', 'b'], optional: ['b'], timeoutMs: 60_000 });
  // the second b is not pinged up twice: it counts once for each place in the lists
  assert.equal(await node.booted, undefined);
});

test('dist_ac 14: a node that connects during the wait counts without a ping', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.begin('a', { mandatory: ['b'], timeoutMs: 'infinity' });
  await cluster.pass(400);
  const late = await cluster.node('b');
  cluster.connect(late.system, node.system);
  assert.equal(await node.booted, undefined);
});

test('dist_ac 15: a node that came and went during the wait counts as up', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.begin('a', { mandatory: ['b', 'c'], timeoutMs: 'infinity' });
  const b = await cluster.node('b');
  cluster.connect(b.system, node.system);
  await settle();
  cluster.cut(b.system, node.system);
  const c = await cluster.node('c');
  cluster.connect(c.system, node.system);
  assert.equal(await node.booted, undefined);
});

test('a node that never answers the ping holds up neither the next ping nor the end of the time', async () => {
  using cluster = new DistAcCluster();
  cluster.ping = (_system, node) =>
    node.name.startsWith('b@') ? new Promise(() => {}) : Promise.resolve(true);
  const node = await cluster.begin('a', { mandatory: ['b'], timeoutMs: 500 });
  assert.equal(short((await node.booted) ?? false), '{mandatory_nodes_down,[b]}');
});

test('dist_ac 16, 17: dist_ac is there from the beginning, with `distributed` or when asked for', async () => {
  using cluster = new DistAcCluster();
  const a = await cluster.begin('a', { distributed, mandatory: ['c'], timeoutMs: 'infinity' });
  assert.ok(a.distAc().alive);
  const b = await cluster.boot('b');
  assert.equal(b.distAc(), undefined);
  const d = await cluster.boot('d', { startDistAc: true });
  assert.equal((await d.info()).appls, '[]');
  await cluster.boot('c');
});

test('dist_ac 18, 23: the lock is taken before the introduction and given back after the answer', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  const introduction = await peer.got('dist_ac_new_node');
  assert.equal(introduction, '{dist_ac_new_node,1,a,[{appl,d1,undefined,60,[a,b],[{a,true}]}],[]}');
  const locked = (): boolean => peer.global.locks().some((lock) => short(lock).includes('sync_dacs'));
  assert.ok(locked());
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await node.booted, undefined);
  await eventually('the lock is free', () => !locked());
  assert.equal(peer.received.length, 1);
});

test('dist_ac 19: two nodes that boot hold the lock at once', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  assert.ok(peer.global.localLock(peer.self, tuple(atom('dist_ac'), atom('sync_dacs'))));
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await peer.got('dist_ac_new_node');
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await node.booted, undefined);
});

test('dist_ac 20: a lock for a start is waited for', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  const lock = tuple(atom('dist_ac'), peer.distAc.pid);
  assert.ok(peer.global.localLock(peer.self, lock));
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await cluster.pass(600);
  assert.equal(peer.received.length, 0);
  peer.global.localUnlock(peer.self, lock);
  await peer.got('dist_ac_new_node');
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await node.booted, undefined);
});

test('dist_ac 21: a node without dist_ac is neither introduced to nor waited for', async () => {
  using cluster = new DistAcCluster();
  await cluster.boot('b');
  const node = await cluster.boot('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  assert.equal((await node.info()).known, '[a]');
});

test('dist_ac 22: a node that goes down instead of answering is not waited for', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await peer.got('dist_ac_new_node');
  cluster.crash(peer);
  assert.equal(await node.booted, undefined);
  assert.equal((await node.info()).known, '[a]');
});

test('dist_ac 24: the answer tells what runs where, and the permission', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await peer.got('dist_ac_new_node');
  peer.send(node, '{dist_ac_new_node, 1, b, [{appl, d1, local, 60, [a, b], [{b, false}]}], [{b, d1}]}');
  assert.equal(await node.booted, undefined);
  const info = await node.info();
  assert.equal(info.remote_started, '[{b,d1}]');
  assert.equal(info.appls, '[{appl,d1,undefined,60,[a,b],[{a,true},{b,false}]}]');
  assert.equal(info.known, '[b,a]');
});

test('dist_ac 25: a start asked for during the introductions is decided after them', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', {
    distributed,
    optional: ['b'],
    timeoutMs: 'infinity',
    apps: [apps.app('d1')],
  });
  await peer.got('dist_ac_new_node');
  const started = node.start('d1');
  await settle();
  assert.deepEqual(apps.events, []);
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await started, 'ok');
});

test('a start asked for while other nodes are waited for is decided by dist_ac, too', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.begin('a', {
    distributed,
    mandatory: ['b'],
    timeoutMs: 'infinity',
    apps: [apps.app('d1')],
  });
  const started = node.start('d1');
  await settle();
  assert.deepEqual(apps.events, []);
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  await peer.got('dist_ac_new_node');
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await started, 'ok');
  await peer.got('{dist_ac_app_started,a,d1,ok}');
});

test('dist_ac 26, 27: an introduction is answered once, with the table and what runs here', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('a', {
    distributed: '[{d1, 60, [a, b]}, {d2, [a]}]',
    apps: [apps.app('d1'), apps.app('d2')],
  });
  assert.equal(await node.start('d1'), 'ok');
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_new_node, 1, b, [{appl, d1, undefined, 60, [a, b], [{b, true}]}], []}');
  assert.equal(
    await peer.got('dist_ac_new_node'),
    '{dist_ac_new_node,1,a,[{appl,d1,local,60,[a,b],[{a,true}]},{appl,d2,undefined,0,[a],[{a,true}]}],[{a,d1}]}',
  );
  await settle();
  assert.equal(peer.count('dist_ac_new_node'), 1);
  assert.equal((await node.info()).known, '[b,a]');
});

test('dist_ac 28: two introductions that cross need no answers', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await peer.got('dist_ac_new_node');
  peer.send(node, '{dist_ac_new_node, 1, b, [{appl, d1, undefined, 60, [a, b], [{b, true}]}], []}');
  assert.equal(await node.booted, undefined);
  await settle();
  assert.equal(peer.count('dist_ac_new_node'), 1);
});

test('dist_ac 29: an answer that was not asked for is ignored', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('a', { distributed });
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_new_node, 1, b, [], [{b, d1}]}');
  await settle();
  assert.equal((await node.info()).known, '[a]');
  assert.equal(peer.received.length, 0);
});

test('dist_ac 30: answers are not answered, however many come (OTP bounces them for ever)', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('a', { distributed });
  const peer = await cluster.peer('b');
  cluster.connect(peer.system, node.system);
  for (let i = 0; i < 10; i++) peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  await settle();
  assert.equal(peer.count('dist_ac_new_node'), 1);
  assert.equal((await node.info()).known, '[b,a]');
});

test('dist_ac 31: an introduction is answered as soon as we hold the lock, while our own are under way', async () => {
  using cluster = new DistAcCluster();
  const silent = await cluster.peer('c');
  const peer = await cluster.peer('b');
  const node = await cluster.begin('a', { distributed, mandatory: ['c', 'd'], timeoutMs: 'infinity' });
  cluster.connect(peer.system, node.system);
  peer.send(node, '{dist_ac_new_node, 1, b, [{appl, d1, undefined, 60, [a, b], [{b, true}]}], []}');
  await settle();
  // answered before we hold the lock, that node could start something that waits for us, with its lock set
  assert.equal(peer.received.length, 0);
  const last = await cluster.peer('d');
  cluster.connect(last.system, node.system);
  await silent.got('dist_ac_new_node');
  await peer.got('{dist_ac_new_node,1,a,');
  assert.equal((await node.info()).known, '[b,a]');
  for (const answering of [silent, last]) {
    await answering.got('dist_ac_new_node');
    const name = answering === silent ? 'c' : 'd';
    answering.send(node, `{dist_ac_new_node, 1, ${name}, [], []}`);
  }
  assert.equal(await node.booted, undefined);
  assert.equal(peer.count('dist_ac_new_node'), 1);
});

test('a lock that is never free does not stop the boot', async () => {
  using cluster = new DistAcCluster();
  const peer = await cluster.peer('b');
  assert.ok(peer.global.localLock(peer.self, tuple(atom('dist_ac'), peer.distAc.pid)));
  const node = await cluster.begin('a', { distributed, optional: ['b'], timeoutMs: 'infinity' });
  await peer.got('dist_ac_new_node', 10_000);
  peer.send(node, '{dist_ac_new_node, 1, b, [], []}');
  assert.equal(await node.booted, undefined);
});
