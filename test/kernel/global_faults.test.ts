// Nodes that die, freeze or are cut off in the middle of a synchronisation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GlobalOptions } from '../../src/kernel/global.js';
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, idle, settled } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

type Three = [GlobalNode, GlobalNode, GlobalNode];

/**
 * `c` joins `a` and `b`; at the signal of that number between `c` and them something happens. False: the join
 * needs fewer signals.
 */
async function joinAndDisturb(
  step: number,
  disturb: (cluster: GlobalCluster, c: GlobalNode) => void,
  order: string,
  options: Partial<GlobalOptions> = {},
): Promise<{ happened: boolean; cluster: GlobalCluster; nodes: Three }> {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes(order, options)) as Three;
  const [a, b, c] = nodes;
  // On a machine that stood still for longer than the limit they have parted, and here nobody dials again by itself.
  const stayJoined = (x: GlobalNode, y: GlobalNode): void => {
    if (!x.system.nodes().includes(y.system.node)) cluster.join(x, y);
  };
  await a.global.registerName(a.self, atom('ours'), idle(a).pid);
  await c.global.registerName(c.self, atom('his'), idle(c).pid);
  const twoInSync = (): boolean => {
    stayJoined(a, b);
    return settled([a, b]);
  };
  await eventually('two are in sync', twoInSync);
  let signals = 0;
  let happened = false;
  cluster.onSignal = (from, to) => {
    if (from !== c.system && to !== c.system) return;
    if (++signals !== step) return;
    happened = true;
    disturb(cluster, c);
  };
  const happenedOrInSync = (): boolean => {
    if (happened) return true;
    stayJoined(a, b);
    stayJoined(a, c);
    return happened || settled(nodes);
  };
  await eventually('it happened, or all are in sync', happenedOrInSync);
  return { happened, cluster, nodes };
}

/** Both orders of names: the one that joins has the smallest or the greatest, so that each side begins. */
const ORDERS = ['a b c', 'b c a'];

test('a node dies in any step of joining: the others stay one, and names can be registered (global 12, 24)', async () => {
  for (const order of ORDERS) {
    let steps = 0;
    for (let step = 1; ; step += 3) {
      const { happened, nodes } = await joinAndDisturb(step, (cluster, c) => cluster.kill(c.system), order);
      if (!happened) break;
      steps++;
      const [a, b] = nodes;
      await eventually(`step ${step}: the others agree`, () => settled([a, b]));
      assert.equal(await a.global.registerName(a.self, atom('new'), idle(a).pid), true);
      assert.equal(b.global.whereisName(atom('his')), undefined);
      assert.deepEqual(b.global.registeredNames().length, 2);
    }
    assert.ok(steps > 7, `${steps} steps`);
  }
});

test('a connection is lost in any step of joining and comes back: all end in sync (global 10, 12)', async () => {
  for (const order of ORDERS) {
    for (let step = 1; ; step += 5) {
      const { happened, cluster, nodes } = await joinAndDisturb(
        step,
        (net, c) => {
          for (const other of c.system.channels()) void other.close(atom('connection_closed'));
          void net;
        },
        order,
      );
      if (!happened) break;
      const [a, b, c] = nodes;
      // it may have come back by itself already: a name, or a node told of, is reason enough to connect
      cluster.onSignal = () => {};
      await eventually(
        `step ${step}: all agree`,
        () => {
          // nobody dials again by itself
          if (c.system.nodes().length === 0) cluster.join(b, c);
          return settled(nodes);
        },
        10_000,
      );
      assert.equal(a.global.registeredNames().length, 2);
    }
  }
});

test('a node freezes in any step of joining: nobody waits longer than the limit, thawed it joins (global 23)', async () => {
  for (const order of ORDERS) {
    for (let step = 2; ; step += 4) {
      const freeze = (cluster: GlobalCluster, c: GlobalNode): void => cluster.freeze(c.system);
      const frozen = await joinAndDisturb(step, freeze, order, { sessionLimitMs: 2000 });
      if (!frozen.happened) break;
      const [a, b, c] = frozen.nodes;
      const name = tuple(atom('while'), step);
      // Once they know c, they wait for it as BEAM nodes do, until its connection is down.
      const known = (): boolean => [a, b].some((node) => node.global.knownNodes().includes(c.system.node));
      let registered = false;
      void b.global.registerName(b.self, name, idle(b).pid).then(() => {
        registered = true;
      });
      await eventually(`step ${step}: it is registered`, () => registered || known());
      frozen.cluster.thaw(c.system);
      await eventually(
        `step ${step}: all agree`,
        () => settled(frozen.nodes) || c.system.nodes().length === 0,
        20_000,
      );
      if (c.system.nodes().length > 0) assert.ok(settled(frozen.nodes));
    }
  }
});

test('whoever holds the lock of a registration dies: the next one gets it', async () => {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b c')) as Three;
  const [a, b, c] = nodes;
  cluster.join(a, b);
  cluster.join(b, c);
  await eventually('all are in sync', () => settled(nodes));
  let signals = 0;
  cluster.onSignal = (from) => {
    if (from === c.system && ++signals === 5) cluster.kill(c.system);
  };
  void c.global.registerName(c.self, atom('x'), idle(c).pid).catch(() => {});
  await eventually('it is dead', () => a.system.nodes().length === 1);
  assert.equal(await a.global.registerName(a.self, atom('x'), idle(a).pid), true);
  await eventually('the others agree', () => settled([a, b]));
});
