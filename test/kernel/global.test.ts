// Networks of our nodes: names, locks and conflicts, in one Node.js process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exit } from '../../src/errors.js';
import { NOTIFY_ALL_NAME, RANDOM_EXIT_NAME, RANDOM_NOTIFY_NAME } from '../../src/kernel/global.js';
import { call } from '../../src/stdlib/gen.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { OpaqueFun } from '../../src/terms/fun.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import {
  allInSync,
  assertAgreed,
  connect,
  GlobalCluster,
  type GlobalNode,
  idle,
  settled,
} from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

type Two = [GlobalNode, GlobalNode];
type Three = [GlobalNode, GlobalNode, GlobalNode];
const KILL = atom('kill');

/** Nodes that know each other. */
async function network(names: string): Promise<{ cluster: GlobalCluster; nodes: GlobalNode[] }> {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes(names);
  for (const node of nodes.slice(1)) cluster.join(nodes[0] as GlobalNode, node);
  await eventually('all are in sync', () => settled(nodes));
  return { cluster, nodes };
}

test('two nodes synchronise with each other (global 7)', async () => {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b')) as Two;
  const [a, b] = nodes;
  const before = idle(a);
  assert.equal(await a.global.registerName(a.self, atom('early'), before.pid), true);
  cluster.join(a, b);
  await Promise.all([a.global.sync(), b.global.sync()]);
  assert.ok(allInSync(nodes));
  await eventually('no lock is left', () => settled(nodes));
  assert.equal(b.global.whereisName(atom('early'))?.key, before.pid.key);
  assert.deepEqual([...a.logs, ...b.logs], []);
});

test('joining a network through one member connects to all of it (global 8)', async () => {
  const { cluster, nodes } = await network('a b c');
  const late = await cluster.node('d');
  cluster.join(nodes[1] as GlobalNode, late);
  await eventually('all are in sync', () => settled([...nodes, late]));
  assert.deepEqual(late.system.nodes().length, 3);
});

test('who was told of a node and still connects to it locks it and tells it of others (global 7, 8)', async () => {
  const cluster = new GlobalCluster();
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  // a and d take long to connect to each other
  const slow = (self: () => GlobalNode, other: string) => ({
    connect: async (node: Atom): Promise<boolean> => {
      if (node.name.startsWith(other)) await gate;
      return connect(self().system, node);
    },
  });
  const a: GlobalNode = await cluster.node(
    'a',
    slow(() => a, 'd'),
  );
  const d: GlobalNode = await cluster.node(
    'd',
    slow(() => d, 'a'),
  );
  const [b, c] = (await cluster.nodes('b c')) as Two;
  cluster.join(a, b);
  await eventually('a and b are in sync', () => settled([a, b]));
  cluster.join(b, d);
  await eventually('a knows d', () => a.global.knownNodes().includes(d.system.node));
  const worker = idle(c);
  assert.equal(await c.global.registerName(c.self, atom('of_c'), worker.pid), true);
  assert.equal(a.system.findEntry(d.system.node)?.channel, undefined);
  cluster.join(a, c);
  await eventually('d knows c', () => d.global.knownNodes().includes(c.system.node));
  assert.equal(d.global.whereisName(atom('of_c'))?.key, worker.pid.key);
  open();
  await eventually('all are in sync', () => settled([a, b, c, d]));
});

test('a name is known everywhere and goes with its process and its node (global 4)', async () => {
  const { cluster, nodes } = await network('a b c');
  const [a, b, c] = nodes as Three;
  const worker = idle(a);
  const name = tuple(atom('n'), 1);
  assert.equal(await b.global.registerName(b.self, name, worker.pid), true);
  assert.equal(await c.global.registerName(c.self, name, c.self.pid), false);
  for (const node of nodes) assert.equal(node.global.whereisName(name)?.key, worker.pid.key);
  assert.equal(a.global.send(a.self, name, atom('hi')).key, worker.pid.key);
  a.self.exitSignal(worker.pid, KILL);
  assert.equal(a.global.whereisName(name), undefined, 'a dead process of ours has no name at once');
  await eventually('the name is gone', () => nodes.every((n) => n.global.whereisName(name) === undefined));
  assert.throws(() => a.global.send(a.self, name, 1), Exit);
  assert.equal(await c.global.registerName(c.self, name, c.self.pid), true);
  cluster.kill(c.system);
  await eventually('the name is gone', () => [a, b].every((n) => n.global.whereisName(name) === undefined));
  assert.ok(allInSync([a, b]));
});

test('unregister and re_register change all nodes', async () => {
  const { nodes } = await network('a b');
  const [a, b] = nodes as Two;
  const [p, q] = [idle(a), idle(b)];
  await a.global.registerName(a.self, atom('x'), p.pid);
  await b.global.reRegisterName(b.self, atom('x'), q.pid);
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x'))?.key, q.pid.key);
  a.self.exitSignal(p.pid, KILL);
  await a.self.yield();
  assert.equal(a.global.whereisName(atom('x'))?.key, q.pid.key);
  await a.global.unregisterName(a.self, atom('x'));
  for (const node of nodes) assert.deepEqual(node.global.registeredNames(), []);
});

test('a process has one name, unless several are allowed', async () => {
  const cluster = new GlobalCluster();
  const [a, b] = [await cluster.node('a'), await cluster.node('b', { allowSeveralNames: true })];
  const [p, q] = [idle(a), idle(b)];
  assert.equal(await a.global.registerName(a.self, atom('x'), p.pid), true);
  assert.equal(await a.global.registerName(a.self, atom('y'), p.pid), false);
  assert.match(a.logs.join(), /^error global: <.+> registered under several names: \[y,x\]$/);
  assert.equal(await b.global.registerName(b.self, atom('x'), q.pid), true);
  assert.equal(await b.global.registerName(b.self, atom('y'), q.pid), true);
  b.self.exitSignal(q.pid, KILL);
  await eventually('both are gone', () => b.global.registeredNames().length === 0);
});

test('of many who want one name at once, one gets it (global 19)', async () => {
  const { nodes } = await network('a b c d');
  const wants = nodes.flatMap((node) =>
    [1, 2, 3].map(async () =>
      (await node.global.registerName(node.self, atom('one'), idle(node).pid)) ? 1 : 0,
    ),
  );
  const got = await Promise.all(wants);
  assert.equal(
    got.reduce<number>((sum, n) => sum + n, 0),
    1,
  );
  await eventually('no lock is left', () => settled(nodes));
});

test('200 names registered on both sides while the nodes connect: none is lost or doubled (global 19)', async () => {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b')) as Two;
  const [a, b] = nodes;
  const wanted: Promise<boolean>[] = [];
  for (let i = 0; i < 200; i++) {
    const node = i % 2 === 0 ? a : b;
    wanted.push(node.global.registerName(node.self, i, idle(node).pid));
    if (i === 50) cluster.join(a, b);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(new Set(await Promise.all(wanted)), new Set([true]));
  await eventually('both agree', () => settled(nodes));
  assert.equal(a.global.registeredNames().length, 200);
});

test('two partitions with names become one (global 19)', async () => {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes('a b c d e f');
  const [a, b, c, d, e, f] = nodes as [
    GlobalNode,
    GlobalNode,
    GlobalNode,
    GlobalNode,
    GlobalNode,
    GlobalNode,
  ];
  cluster.join(a, b);
  cluster.join(b, c);
  cluster.join(d, e);
  cluster.join(e, f);
  await eventually('two partitions', () => settled([a, b, c]) && settled([d, e, f]));
  for (const [i, node] of nodes.entries()) await node.global.registerName(node.self, i, idle(node).pid);
  cluster.join(c, d);
  cluster.join(a, f);
  await eventually('one partition', () => settled(nodes));
  assert.equal(a.global.registeredNames().length, 6);
});

test('a dozen nodes join at once while names come and go (global 3, 19)', async () => {
  const cluster = new GlobalCluster();
  // a dozen nodes agree in many turns of the loop, which is the time of these clusters
  const nodes = await cluster.nodes('a b c d e f g h i j k l', { sessionLimitMs: 200_000 });
  for (const [i, node] of nodes.entries()) {
    cluster.join(nodes[0] as GlobalNode, node);
    if (i > 3) cluster.join(nodes[i - 2] as GlobalNode, node);
  }
  const traffic = nodes.map(async (node, i) => {
    for (let round = 0; round < 5; round++) {
      const worker = idle(node);
      if (await node.global.registerName(node.self, tuple(i, round), worker.pid)) {
        if (round % 3 === 0) node.self.exitSignal(worker.pid, KILL);
        if (round % 3 === 1) await node.global.unregisterName(node.self, tuple(i, round));
      }
    }
  });
  await Promise.all(traffic);
  await eventually('all agree', () => settled(nodes));
  assertAgreed(nodes);
  assert.equal(nodes[0]?.global.registeredNames().length, 12);
  assert.deepEqual(
    nodes.flatMap((node) => node.logs),
    [],
  );
});

// --- conflicts ------------------------------------------------------------------------------------------------

/** Two nodes with the same name on both, joined; what each process of the name was told. */
async function conflict(
  method: Term | ((a: GlobalNode, b: GlobalNode) => Term),
): Promise<{ nodes: Two; pids: [Pid, Pid]; told: [Term[], Term[]] }> {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b')) as Two;
  const told: [Term[], Term[]] = [[], []];
  const pids = nodes.map((node, i) => {
    const process = node.system.spawn(async (self) => {
      for (;;) told[i as 0 | 1].push((await self.next()) as Term);
    });
    return process.pid;
  }) as [Pid, Pid];
  const resolve = typeof method === 'function' ? method(...nodes) : method;
  for (const [i, node] of nodes.entries()) {
    await node.global.registerName(node.self, atom('x'), pids[i] as Pid, resolve);
  }
  cluster.join(...nodes);
  await eventually('all are in sync', () => settled(nodes));
  return { nodes, pids, told };
}

test('random_exit_name kills the process on the node with the greater name (global 9)', async () => {
  const { nodes, pids } = await conflict(RANDOM_EXIT_NAME);
  const [a, b] = nodes;
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x'))?.key, pids[0].key);
  assert.equal(b.system.process(pids[1]), undefined);
  assert.match(a.logs.join(), /^info global: Name conflict terminating \{x,<.+>\}$/);
});

test('random_notify_name tells the process on the node with the greater name (global 9)', async () => {
  const { nodes, pids, told } = await conflict(RANDOM_NOTIFY_NAME);
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x'))?.key, pids[0].key);
  await eventually('it is told', () => told[1].length === 1);
  assert.deepEqual(told, [[], [tuple(atom('global_name_conflict'), atom('x'))]]);
});

test('notify_all_name tells both, and nobody has the name (global 9)', async () => {
  const { nodes, pids, told } = await conflict(NOTIFY_ALL_NAME);
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x')), undefined);
  await eventually('both are told', () => told[0].length === 1 && told[1].length === 1);
  const conflictOf = (pid: Pid): Term => tuple(atom('global_name_conflict'), atom('x'), pid);
  assert.deepEqual(told, [[conflictOf(pids[1])], [conflictOf(pids[0])]]);
});

test('a resolve function of the user decides; what is no pid leaves nobody the name (global 9)', async () => {
  const later = await conflict((a, b) => {
    b.global.resolver('later', (_self, _name, _pid1, pid2) => pid2);
    return a.global.resolver('later', (_self, _name, pid1) => pid1);
  });
  for (const node of later.nodes) assert.equal(node.global.whereisName(atom('x'))?.key, later.pids[1].key);
  const nobody = await conflict((a) => a.global.resolver('nobody', () => atom('whoever')));
  for (const node of nobody.nodes) assert.equal(node.global.whereisName(atom('x')), undefined);
  assert.match(nobody.nodes[0].logs.join(), /Resolve method .+ for conflicting name x returned whoever/);
  const failing = await conflict((a) =>
    a.global.resolver('failing', () => {
      throw new Error('no');
    }),
  );
  // to rpc, by which BEAM nodes ask, that is a failure of the question: the other side keeps the name
  for (const node of failing.nodes) {
    assert.equal(node.global.whereisName(atom('x'))?.key, failing.pids[1].key);
  }
});

test('a fun of code that nobody has: the other side keeps the name (global 9)', async () => {
  const foreign = new OpaqueFun({
    arity: 3,
    uniq: new Uint8Array(16),
    index: 1,
    module: atom('Elixir.Some.Module'),
    oldIndex: 1,
    oldUniq: 1,
    pid: new Pid(atom('x@y'), 1, 0, 1),
    free: [],
  });
  const { nodes, pids } = await conflict(foreign);
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x'))?.key, pids[1].key);
});

test('a conflict of names of third nodes is resolved where our process is (global 9)', async () => {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b c')) as Three;
  const [a, b, c] = nodes;
  const winner = idle(b);
  b.global.resolver('mine', (self, _name, pid1, pid2) => (self.node === b.system.node ? pid2 : pid1));
  cluster.join(a, b);
  await eventually('two are in sync', () => settled([a, b]));
  const method = b.global.resolver('mine', (self, _name, _pid1, pid2) =>
    self.node === b.system.node ? pid2 : atom('elsewhere'),
  );
  await b.global.registerName(b.self, atom('x'), winner.pid, method);
  await c.global.registerName(c.self, atom('x'), idle(c).pid, method);
  cluster.join(a, c);
  await eventually('all are in sync', () => settled(nodes));
  for (const node of nodes) assert.equal(node.global.whereisName(atom('x'))?.key, winner.pid.key);
});

// --- locks ----------------------------------------------------------------------------------------------------

test('a lock excludes other requesters on all nodes and ends with its holder (global 3)', async () => {
  const { cluster, nodes } = await network('a b c');
  const [a, b, c] = nodes as Three;
  const id = (who: number): ReturnType<typeof tuple> => tuple(atom('r'), who);
  const holder = idle(a);
  assert.equal(await a.global.setLock(holder, id(1)), true);
  assert.equal(await b.global.setLock(b.self, id(2), undefined, 0), false);
  assert.equal(await b.global.setLock(b.self, id(1), undefined, 0), true, 'the same requester shares it');
  await b.global.delLock(b.self, id(1));
  assert.equal(await c.global.setLock(c.self, id(2), undefined, 1), false);
  const waits = c.global.setLock(c.self, id(2));
  a.self.exitSignal(holder.pid, KILL);
  assert.equal(await waits, true);
  cluster.kill(c.system);
  assert.equal(await b.global.setLock(b.self, id(3)), true);
  await b.global.delLock(b.self, id(3));
  assert.equal(await a.global.trans(a.self, id(4), () => a.global.locks().length), 1);
  await eventually('no lock is left', () => settled([a, b]));
});

test('a transaction that fails gives the lock back; one that cannot begin is aborted', async () => {
  const cluster = new GlobalCluster();
  const [a] = await cluster.nodes('a');
  assert.ok(a);
  const [id, other] = [tuple(atom('r'), 1), tuple(atom('r'), 2)];
  await assert.rejects(
    a.global.trans(a.self, id, () => {
      throw new Error('inside');
    }),
    /inside/,
  );
  assert.deepEqual(a.global.locks(), []);
  assert.equal(a.global.localLock(idle(a), other), true);
  assert.equal(await a.global.trans(a.self, id, () => 1, undefined, 0), 'aborted');
});

test('locks of our own table only ask nobody', async () => {
  const { nodes } = await network('a b');
  const [a, b] = nodes as Two;
  const id = tuple(atom('dist_ac'), a.self.pid);
  assert.equal(a.global.localLock(a.self, id), true);
  assert.equal(a.global.localLock(a.self, tuple(atom('dist_ac'), b.self.pid)), false);
  assert.equal(b.global.localLock(b.self, tuple(atom('dist_ac'), b.self.pid)), true);
  b.global.localUnlock(b.self, tuple(atom('dist_ac'), b.self.pid));
  await a.global.delLock(a.self, id);
  assert.deepEqual([...a.global.locks(), ...b.global.locks()], []);
});

test('get_known, get_synced, get_protocol_version and info are answered (global 16)', async () => {
  const { nodes } = await network('a b');
  const [a, b] = nodes as Two;
  const server = tuple(atom('global_name_server'), b.system.node);
  const ask = (request: Term): Promise<Term> =>
    a.global.trans(a.self, tuple(1, 1), () => 0).then(() => call(a.self, server, request));
  assert.deepEqual(await ask(atom('get_known')), [a.system.node]);
  assert.deepEqual(await ask(atom('get_synced')), [a.system.node]);
  assert.equal(await ask(atom('get_protocol_version')), 8);
  assert.deepEqual(await ask(atom('get_names_ext')), []);
  const info = await ask(atom('info'));
  assert.ok('elements' in (info as object));
  await assert.rejects(call(a.self, server, tuple(atom('what'), 1), 50), Exit);
  assert.match(b.logs.join(), /received an unexpected message:\nhandle_call\(\{what,1\}/);
});

test('names of external nodes follow the node that registered them (global 18)', async () => {
  const { cluster, nodes } = await network('a b c');
  const [a, b, c] = nodes as Three;
  const external = idle(c);
  assert.equal(await b.global.registerNameExternal(b.self, atom('ext'), external.pid), true);
  assert.equal(a.global.whereisName(atom('ext'))?.key, external.pid.key);
  const late = await cluster.node('d');
  cluster.join(a, late);
  await eventually('all are in sync', () => settled([...nodes, late]));
  assert.equal(late.global.whereisName(atom('ext'))?.key, external.pid.key);
  cluster.kill(b.system);
  await eventually('the name is gone', () =>
    [a, c, late].every((node) => node.global.whereisName(atom('ext')) === undefined),
  );
});

test('without connect_all there are no sessions, but locks work (global 16)', async () => {
  const cluster = new GlobalCluster();
  const nodes = (await cluster.nodes('a b', { connectAll: false })) as Two;
  cluster.join(...nodes);
  const [a, b] = nodes;
  assert.equal(await a.global.setLock(a.self, tuple(1, 1)), true);
  assert.equal(await b.global.setLock(b.self, tuple(1, 2), undefined, 0), false);
  assert.deepEqual([a.global.knownNodes(), b.global.syncedNodes()], [[], []]);
});
