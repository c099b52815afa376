// One name server of ours against a peer whose every message is scripted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Atom, atom } from '../../src/terms/atom.js';
import { ExportFun } from '../../src/terms/fun.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, idle } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';
import { introduction, ScriptedPeer } from '../support/scripted_peer.js';

const METHOD = new ExportFun(atom('global'), atom('random_exit_name'), 3);
const EXCHANGE = atom('exchange');
const RESOLVED = atom('resolved');
const INSERT = atom('insert');
const UNUSED = atom('unused');

async function pair(
  options: { sessionLimitMs?: number } = {},
): Promise<{ cluster: GlobalCluster; us: GlobalNode; peer: ScriptedPeer; own: Atom }> {
  const cluster = new GlobalCluster();
  const us = await cluster.node('us', options);
  const peer = new ScriptedPeer(cluster, 'peer');
  cluster.connect(us.system, peer.system);
  return { cluster, us, peer, own: us.system.node };
}

/** Brings a session of that version up to where both hold the lock; gives our tag. */
async function locked(peer: ScriptedPeer, own: Atom, version: Term[], hisTag: Term): Promise<Term> {
  const { tag, locker } = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, ...version);
  const number = Math.min(version[0] as number, 8);
  if (number === 8) {
    const ack = await peer.expect('init_connect_ack');
    assert.deepEqual(ack.slice(1), [own, hisTag, tag]);
    peer.info(own, atom('init_connect_ack'), peer.system.node, tag, hisTag);
  }
  if (number < 6) {
    await eventually('our locker tells his', () => peer.toLocker.length > 0);
    assert.ok(peer.toLocker[0] instanceof Tuple && peer.toLocker[0].elements.length === 4);
    peer.server.send(locker, tuple(atom('lock_set'), peer.locker.pid, true, []));
    return tag;
  }
  const told = await peer.expect('lock_set');
  assert.deepEqual(told.slice(1), [locker, true, [], ...(number === 8 ? [hisTag] : [])]);
  const mine = [atom('lock_set'), peer.locker.pid, true, []];
  peer.cast(own, ...mine, ...(number === 8 ? [tag] : []));
  return tag;
}

for (const [what, version] of [
  ['5', [5, 77]],
  ['6', [6, 77]],
  ['7', [7, 77]],
  ['8', [8, 77]],
  ['9, of the future, with a longer tuple', [9, 77, atom('more')]],
] as const) {
  test(`a session with a peer of version ${what} (global 5)`, async () => {
    const { us, peer, own } = await pair();
    const mine = idle(us);
    await us.global.registerName(us.self, atom('mine'), mine.pid);
    const tag = await locked(peer, own, [...version], 77);
    const exchange = await peer.expect('exchange');
    assert.deepEqual(exchange.slice(1), [own, [tuple(atom('mine'), mine.pid, METHOD)], [], 77]);
    const his = tuple(atom('his'), peer.server.pid, METHOD);
    peer.cast(own, EXCHANGE, peer.system.node, [his], [], tag);
    const resolved = await peer.expect('resolved');
    assert.deepEqual(resolved.slice(1), [own, [], [], UNUSED, [], 77]);
    const op = tuple(INSERT, tuple(atom('more'), peer.locker.pid, METHOD));
    peer.cast(own, RESOLVED, peer.system.node, [op], [], UNUSED, [], tag);
    await eventually('we are in sync', () => us.global.syncedNodes().includes(peer.system.node));
    assert.equal(us.global.whereisName(atom('his'))?.key, peer.server.pid.key);
    assert.equal(us.global.whereisName(atom('more'))?.key, peer.locker.pid.key);
    await eventually('the lock is given back', () => us.global.locks().length === 0);
    assert.deepEqual(us.logs, []);
  });
}

test('exchange and resolved may come before our side is ready for them', async () => {
  const { us, peer, own } = await pair();
  const { tag } = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, 8, 5);
  peer.cast(own, EXCHANGE, peer.system.node, [], [], tag);
  peer.cast(own, RESOLVED, peer.system.node, [], [], UNUSED, [], tag);
  const lockSet = await peer.expect('lock_set');
  assert.equal(lockSet[2], true);
  peer.cast(own, atom('lock_set'), peer.locker.pid, true, [], tag);
  await eventually('we are in sync', () => us.global.syncedNodes().includes(peer.system.node));
});

test('an answer with an old tag is ignored, one of false gives the lock back and tries again (global 10)', async () => {
  const { us, peer, own } = await pair();
  const { tag } = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, 8, 5);
  await peer.expect('lock_set');
  peer.cast(own, atom('lock_set'), peer.locker.pid, true, [], 123456);
  peer.cast(own, atom('lock_set'), peer.locker.pid, false, [], tag);
  await eventually('the lock is given back', () => us.global.locks().length === 0);
  await peer.expect('lock_set');
  assert.ok(!peer.was('exchange'));
});

test('messages with wrong tags, late, or twice change nothing (global 10)', async () => {
  const { us, peer, own } = await pair();
  peer.cast(own, EXCHANGE, peer.system.node, [], [], 999);
  peer.cast(own, RESOLVED, peer.system.node, [], [], UNUSED, [], 999);
  peer.info(own, atom('cancel_connect'), peer.system.node, 999);
  const tag = await locked(peer, own, [8, 5], 5);
  peer.cast(own, EXCHANGE, peer.system.node, [], [], 999);
  peer.cast(own, EXCHANGE, peer.system.node, [], [], tag);
  peer.cast(own, EXCHANGE, peer.system.node, [], [], tag);
  peer.cast(own, RESOLVED, peer.system.node, [], [], UNUSED, [], tag);
  peer.cast(own, RESOLVED, peer.system.node, [], [], UNUSED, [], tag);
  await eventually('we are in sync', () => us.global.syncedNodes().includes(peer.system.node));
  peer.cast(own, EXCHANGE, peer.system.node, [], [], tag);
  peer.info(own, atom('cancel_connect'), peer.system.node, tag);
  peer.cast(own, atom('in_sync'), peer.system.node, true);
  await peer.expect('resolved');
  assert.ok(!peer.was('resolved') && !peer.was('cancel_connect'));
  await eventually('no lock is left', () => us.global.locks().length === 0);
  assert.ok(us.global.syncedNodes().includes(peer.system.node));
});

test('an acknowledgement with a wrong tag cancels and begins again (global 11)', async () => {
  const { peer, own } = await pair();
  const first = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, 8, 5);
  await peer.expect('init_connect_ack');
  peer.info(own, atom('init_connect_ack'), peer.system.node, first.tag, 6);
  const cancels = [await peer.expect('cancel_connect'), await peer.expect('cancel_connect')];
  assert.deepEqual(cancels.map((cancel) => cancel[2]).sort(), [5, 6]);
  const second = introduction(await peer.expect('init_connect'));
  assert.notEqual(second.tag, first.tag);
});

test('cancel_connect with the current tag begins again, and that ends in sync (global 10, 11)', async () => {
  const { us, peer, own } = await pair();
  const first = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, 8, 5);
  await peer.expect('init_connect_ack');
  await peer.expect('lock_set');
  peer.info(own, atom('cancel_connect'), peer.system.node, first.tag);
  const tag = await locked(peer, own, [8, 6], 6);
  assert.notEqual(tag, first.tag);
  peer.cast(own, EXCHANGE, peer.system.node, [], [], tag);
  peer.cast(own, RESOLVED, peer.system.node, [], [], UNUSED, [], tag);
  await eventually('we are in sync', () => us.global.syncedNodes().includes(peer.system.node));
});

test('a second introduction in one session: cancelled and begun again, or disconnected below 8', async () => {
  const { peer, own } = await pair();
  await peer.expect('init_connect');
  peer.initConnect(own, 8, 5);
  peer.initConnect(own, 8, 6);
  assert.deepEqual((await peer.expect('cancel_connect')).slice(1), [own, 6]);
  await peer.expect('init_connect');
  const old = await pair();
  await old.peer.expect('init_connect');
  old.peer.initConnect(old.own, 7, 5);
  old.peer.initConnect(old.own, 7, 6);
  await eventually('it is disconnected', () => old.us.system.nodes().length === 0);
  assert.match(old.us.logs.join(), /out of sync connection attempt from old version 7 node 'peer@127.0.0.1'/);
});

test('version 4 and less are refused', async () => {
  const { us, peer, own } = await pair();
  peer.initConnect(own, 4, 5);
  await eventually('it is logged', () => us.logs.join().includes('Illegal global protocol version {4,5}'));
  assert.ok(!peer.was('init_connect_ack'));
});

test('who is asked locks its own partition and answers; unknown lockers get false', async () => {
  const { us, peer, own } = await pair();
  const { tag, locker } = introduction(await peer.expect('init_connect'));
  peer.initConnect(own, 8, 5);
  peer.cast(own, atom('lock_set'), peer.locker.pid, true, [], tag);
  await eventually('it holds the lock', () => us.global.locks().length === 1);
  const lock = us.global.locks()[0] as Tuple;
  assert.deepEqual(lock.elements[0], atom('global'));
  assert.equal((lock.elements[1] as Term[]).length, 2);
  assert.deepEqual((await peer.expect('lock_set')).slice(1), [locker, true, [], 5]);
  await peer.expect('exchange');
  const other = await pair();
  other.peer.cast(other.own, atom('lock_set'), other.peer.locker.pid, true, []);
  await eventually('false comes', () => other.peer.toLocker.length > 0);
  assert.equal((other.peer.toLocker[0] as Tuple).elements[2], false);
});

test('a peer that stalls while the lock is held: begun again once, then disconnected (global 23)', async () => {
  const { us, peer, own } = await pair({ sessionLimitMs: 2000 });
  await peer.expect('init_connect');
  peer.initConnect(own, 8, 5);
  await peer.expect('lock_set');
  assert.deepEqual((await peer.expect('cancel_connect')).slice(1), [own, 5]);
  await eventually('the lock is given back', () => us.global.locks().length === 0);
  await peer.expect('init_connect');
  assert.equal(us.system.nodes().length, 1);
  peer.initConnect(own, 8, 6);
  await peer.expect('lock_set');
  await eventually('it is disconnected', () => us.system.nodes().length === 0);
  await eventually('no lock is left', () => us.global.locks().length === 0);
  assert.equal(await us.global.registerName(us.self, atom('x'), us.self.pid), true);
});

test('a peer that does not answer lock calls blocks nobody for longer than the limit (global 23)', async () => {
  const { us, peer, own } = await pair({ sessionLimitMs: 2000 });
  peer.answersLocks = false;
  await peer.expect('init_connect');
  peer.initConnect(own, 8, 5);
  await peer.expect('cancel_connect');
  assert.equal(await us.global.registerName(us.self, atom('x'), us.self.pid), true);
});

test('malformed messages are logged and change nothing', async () => {
  const { us, peer, own } = await pair();
  await peer.expect('init_connect');
  const node = peer.system.node;
  for (const bad of [
    [atom('init_connect'), tuple(8, 1), node, tuple(atom('locker'), 1, [], us.self.pid)],
    [atom('init_connect'), tuple(8, 1), 17, atom('x')],
    [atom('lock_set'), atom('nopid'), true, [], 1],
    [EXCHANGE, node, atom('nolist'), [], 1],
    [EXCHANGE, node, [tuple(1, 2)], [], 1],
    [RESOLVED, node, [tuple(atom('explode'), 1)], [], UNUSED, [], 1],
    [atom('new_nodes'), node, [], [], [17], []],
    [atom('in_sync'), 1, true],
    [atom('whatever')],
  ]) {
    peer.cast(own, ...(bad as Term[]));
    peer.info(own, ...(bad as Term[]));
  }
  peer.info(own, atom('lost_connection'), node, atom('a'), 1, node);
  peer.info(own, atom('remove_connection'));
  await eventually('all are logged', () => us.logs.length === 20);
  assert.ok(us.logs.every((line) => line.includes('received an unexpected message')));
  assert.equal(await us.global.registerName(us.self, atom('x'), us.self.pid), true);
});
