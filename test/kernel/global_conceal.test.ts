// A name that moves to a node whose code registers it as if it were free.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, idle, settled } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

type Three = [GlobalNode, GlobalNode, GlobalNode];
const NAME = atom('x');

/** `b` and `c` know each other, `b` has the name; `a` is alone, or with them. */
async function setting(
  joined: boolean,
): Promise<{ cluster: GlobalCluster; nodes: Three; pid: GlobalNode['self'] }> {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b c')) as Three;
  const [a, b, c] = nodes;
  cluster.join(b, c);
  if (joined) cluster.join(a, b);
  await eventually('they are in sync', () => settled(joined ? nodes : [b, c]));
  const pid = idle(b);
  await b.global.registerName(b.self, NAME, pid.pid);
  return { cluster, nodes, pid };
}

for (const joined of [false, true]) {
  test(`a name is hidden from a node that ${joined ? 'knows it already' : 'joins'}, moves there, and has no gap elsewhere`, async () => {
    const { cluster, nodes, pid } = await setting(joined);
    const [a, b, c] = nodes;
    let gaps = 0;
    cluster.onSignal = () => {
      if (c.global.whereisName(NAME) === undefined || b.global.whereisName(NAME) === undefined) gaps++;
    };
    if (!joined) cluster.join(a, b);
    const hidden = b.global.conceal(a.system.node, pid.pid, 30_000);
    assert.equal(await hidden.dropped, true);
    await eventually('all are in sync', () => nodes.every((node) => node.global.syncedNodes().length === 2));
    assert.equal(a.global.whereisName(NAME), undefined);
    assert.equal(c.global.whereisName(NAME)?.key, pid.pid.key);
    const next = idle(a);
    assert.equal(await a.global.registerName(a.self, NAME, next.pid), true);
    for (const node of nodes) assert.equal(node.global.whereisName(NAME)?.key, next.pid.key);
    await hidden.reveal();
    for (const node of nodes) assert.equal(node.global.whereisName(NAME)?.key, next.pid.key);
    assert.equal(gaps, 0);
    assert.ok(b.system.process(pid.pid));
  });
}

test('revealed without having moved, the name is told again', async () => {
  const { nodes, pid } = await setting(true);
  const [a, b] = nodes;
  const hidden = b.global.conceal(a.system.node, pid.pid, 10_000);
  assert.equal(await hidden.dropped, true);
  assert.equal(a.global.whereisName(NAME), undefined);
  await hidden.reveal();
  assert.equal(a.global.whereisName(NAME)?.key, pid.pid.key);
  await eventually('all agree', () => settled(nodes));
  b.self.exitSignal(pid.pid, atom('kill'));
  await eventually('it is gone', () => nodes.every((node) => node.global.whereisName(NAME) === undefined));
});

test('other watchers see nothing of it, and the end of the process is told to all', async () => {
  const { cluster, nodes, pid } = await setting(true);
  const [a, b] = nodes;
  const heard: string[] = [];
  const watcher = a.system.spawn(async (self) => {
    self.monitor(pid.pid);
    heard.push('watching');
    await self.next();
    heard.push('down');
  });
  await eventually('it watches', () => heard.length === 1);
  const hidden = b.global.conceal(a.system.node, pid.pid, 10_000);
  assert.equal(await hidden.dropped, true);
  assert.deepEqual(heard, ['watching']);
  const late = a.system.spawn(async (self) => {
    self.monitor(pid.pid);
    heard.push('watching too');
    await self.next();
    heard.push('down too');
  });
  await eventually('it watches', () => heard.length === 2);
  b.self.exitSignal(pid.pid, atom('kill'));
  await eventually('both hear of it', () => heard.includes('down') && heard.includes('down too'));
  void watcher;
  void late;
  await hidden.reveal();
  cluster.kill(a.system);
});

test('a node that is down, or does not come, is given up', async () => {
  const { cluster, nodes, pid } = await setting(true);
  const [a, b] = nodes;
  assert.equal(await b.global.conceal(atom('nobody@127.0.0.1'), pid.pid, 1000).dropped, false);
  cluster.freeze(a.system);
  const hidden = b.global.conceal(a.system.node, pid.pid, 1000);
  assert.equal(await hidden.dropped, false);
  cluster.thaw(a.system);
  cluster.kill(a.system);
  await hidden.reveal();
});

test('the answer to a lock given back can be held, while the lock is free at once', async () => {
  const { nodes } = await setting(true);
  const [a, b] = nodes;
  const id = tuple(atom('dist_ac'), atom('sync_dacs'));
  let release: (value?: unknown) => void = () => {};
  const held: unknown[] = [];
  b.global.holdDelLock = (lock, pid) => {
    held.push(lock.elements[1], pid.node);
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  assert.equal(await a.global.setLock(a.self, id), true);
  let answered = false;
  const gaveBack = a.global.delLock(a.self, id).then(() => {
    answered = true;
  });
  await eventually('it is held', () => held.length === 2);
  assert.deepEqual(held, [atom('sync_dacs'), a.system.node]);
  assert.deepEqual(b.global.locks(), []);
  await call(idle(a), tuple(atom('global_name_server'), b.system.node), atom('get_known'));
  assert.equal(answered, false);
  release();
  await gaveBack;
});
