// The names of an application that another node is about to take over (deviation D16).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../src/erts/process.js';
import { ApplicationTables } from '../../src/kernel/application_tables.js';
import { NameHandovers } from '../../src/kernel/name_handover.js';
import { atom } from '../../src/terms/atom.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, idle, settled } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const NAME = atom('server');
const APP = atom('d1');

interface Setting {
  readonly nodes: readonly [GlobalNode, GlobalNode, GlobalNode];
  readonly handovers: NameHandovers;
  /** The application's process, on b. */
  readonly server: Process;
  /** Takeover and permit by hand on a begin with this lock, which a process of a takes on all nodes. */
  readonly lock: Tuple;
}

/** `a`, `b` and `c` know each other; the application with its name runs on `b`. */
async function setting(): Promise<Setting> {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b c')) as [GlobalNode, GlobalNode, GlobalNode];
  const [a, b, c] = nodes;
  cluster.join(a, b);
  cluster.join(b, c);
  await eventually('they are in sync', () => settled(nodes));
  const server = idle(b);
  await b.global.registerName(b.self, NAME, server.pid);
  const tables = new ApplicationTables();
  server.groupLeader = b.self.pid; // the master of the application
  tables.masters.set(APP, b.self.pid);
  const handovers = new NameHandovers(b.system, {
    global: b.global,
    tables,
    movable: (node) => (node === a.system.node ? [APP] : []),
  });
  return { nodes, handovers, server, lock: tuple(atom('dist_ac'), a.self.pid) };
}

const seenFrom = ({ nodes }: Setting): boolean[] =>
  nodes.map((node) => node.global.whereisName(NAME) !== undefined);

test('a takeover by hand finds the names free on its node, and on no other', async () => {
  const playing = await setting();
  const { nodes, handovers, server, lock } = playing;
  const [a, b, c] = nodes;
  assert.equal(await a.global.setLock(a.self, lock), true);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
  const next = idle(a);
  assert.equal(await a.global.registerName(a.self, NAME, next.pid), true);
  handovers.announced(APP, a.system.node, false);
  b.self.exitSignal(server.pid, atom('kill'));
  await a.global.delLock(a.self, lock);
  for (const node of [a, b, c]) assert.equal(node.global.whereisName(NAME)?.key, next.pid.key);
});

test('a permit by hand that moves nothing gives the names back with its lock', async () => {
  const playing = await setting();
  const [a] = playing.nodes;
  assert.equal(await a.global.setLock(a.self, playing.lock), true);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
  await a.global.delLock(a.self, playing.lock);
  await eventually('the name is back', () => seenFrom(playing).every((seen) => seen));
});

test('a lock of a node that is not in the list, or for something else, hides nothing', async () => {
  const playing = await setting();
  const [a, , c] = playing.nodes;
  assert.equal(await c.global.setLock(c.self, tuple(atom('dist_ac'), c.self.pid)), true);
  assert.deepEqual(seenFrom(playing), [true, true, true]);
  assert.equal(await a.global.setLock(a.self, tuple(atom('other'), a.self.pid)), true);
  assert.deepEqual(seenFrom(playing), [true, true, true]);
});

test('an expected node that fails, or announces nothing in time, gets the names back', async () => {
  const playing = await setting();
  const { nodes, handovers } = playing;
  await handovers.expect(APP, nodes[0].system.node);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
  handovers.announced(APP, nodes[0].system.node, true);
  await eventually('the name is back', () => seenFrom(playing).every((seen) => seen));
  await handovers.expect(APP, nodes[0].system.node);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
  await eventually('the name is back', () => seenFrom(playing).every((seen) => seen));
});

test('a node that is expected twice and announces nothing gets the names back, too', async () => {
  const playing = await setting();
  const { nodes, handovers } = playing;
  const [a] = nodes;
  await handovers.expect(APP, a.system.node);
  await handovers.expect(APP, a.system.node);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
  handovers.announced(APP, a.system.node, true);
  await eventually('the name is back', () => seenFrom(playing).every((seen) => seen));
  // it stays: nobody tells a that the process has ended
  await a.global.sync();
  assert.equal(await a.global.setLock(a.self, tuple(atom('other'), a.self.pid)), true);
  assert.deepEqual(seenFrom(playing), [true, true, true]);
});

test('the answer to a lock given back waits until the names are gone there', async () => {
  const playing = await setting();
  const { nodes, handovers } = playing;
  const [a] = nodes;
  const introduction = tuple(atom('dist_ac'), atom('sync_dacs'));
  assert.equal(await a.global.setLock(a.self, introduction), true);
  void handovers.expect(APP, a.system.node);
  await a.global.delLock(a.self, introduction);
  assert.deepEqual(seenFrom(playing), [false, true, true]);
});
