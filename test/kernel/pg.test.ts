import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError, Exit } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import { CodeServer } from '../../src/kernel/code.js';
import { Pg } from '../../src/kernel/pg.js';
import { Groups } from '../../src/kernel/pg_groups.js';
import { PgScope } from '../../src/kernel/pg_scope.js';
import { atom } from '../../src/terms/atom.js';
import { map } from '../../src/terms/map.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';

interface PgNode {
  readonly system: System;
  readonly pg: PgScope;
  readonly self: Process;
}

async function start(cluster: MemoryCluster, name: string, scope = 'pg'): Promise<PgNode> {
  const system = cluster.start(name);
  const pg = new PgScope(atom(scope));
  const self = idle(system);
  self.trapExit = true;
  assert.ok('ok' in (await pg.startLink(self)));
  return { system, pg, self };
}

function idle(system: System): Process {
  return system.spawn(() => new Promise(() => {}));
}

const keys = (pids: readonly Pid[]): string[] => pids.map((pid) => pid.key).sort();

test('members are known on all nodes, in the groups they joined, as often as they joined (services 16)', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [await start(cluster, 'a'), await start(cluster, 'b')];
  const [p, q] = [idle(a.system), idle(b.system)];
  a.pg.join(atom('before'), p.pid);
  cluster.connect(a.system, b.system);
  await eventually('it is known', () => b.pg.getMembers(atom('before')).length === 1);
  b.pg.join(tuple(atom('g'), 1), [q.pid, q.pid]);
  a.pg.join(tuple(atom('g'), 1), p.pid);
  await eventually('all are known', () => a.pg.getMembers(tuple(atom('g'), 1)).length === 3);
  assert.deepEqual(keys(b.pg.getMembers(tuple(atom('g'), 1))), keys([p.pid, q.pid, q.pid]));
  assert.deepEqual(keys(a.pg.getLocalMembers(tuple(atom('g'), 1))), keys([p.pid]));
  assert.equal(b.pg.whichGroups().length, 2);
  assert.equal(b.pg.whichLocalGroups().length, 1);
  assert.equal(b.pg.leave(tuple(atom('g'), 1), q.pid), true);
  assert.equal(b.pg.leave(atom('before'), q.pid), false);
  await eventually('one is left', () => a.pg.getMembers(tuple(atom('g'), 1)).length === 2);
  b.self.exitSignal(q.pid, atom('kill'));
  await eventually('a process leaves when it ends', () => a.pg.getMembers(tuple(atom('g'), 1)).length === 1);
  assert.throws(() => a.pg.join(atom('g'), q.pid), ErlangError);
});

test('changes are told, also those of a lost node and of one that comes back (services 16)', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [await start(cluster, 'a'), await start(cluster, 'b')];
  const changes: string[] = [];
  const stop = a.pg.monitor((change, group, pids) =>
    changes.push(`${change} ${String(group)} ${pids.length}`),
  );
  b.pg.join(7, [idle(b.system).pid, idle(b.system).pid]);
  cluster.connect(a.system, b.system);
  await eventually('they came', () => changes.length === 1);
  cluster.cut(a.system, b.system);
  await eventually('they went', () => changes.length === 2);
  cluster.heal(a.system, b.system);
  cluster.connect(a.system, b.system);
  await eventually('they came again', () => changes.length === 3);
  assert.deepEqual(changes, ['join 7 2', 'leave 7 2', 'join 7 2']);
  stop();
  b.pg.leave(7, b.pg.getLocalMembers(7));
  await eventually('they left', () => a.pg.getMembers(7).length === 0);
  assert.equal(changes.length, 3);
});

test('scopes of other names are other groups; a scope that ends takes its members along', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [await start(cluster, 'a', 'one'), await start(cluster, 'b', 'one')];
  const other = new PgScope(atom('two'));
  await other.startLink(b.self);
  cluster.connect(a.system, b.system);
  other.join(1, b.self.pid);
  b.pg.join(2, b.self.pid);
  await eventually('it is known', () => a.pg.getMembers(2).length === 1);
  assert.deepEqual(a.pg.getMembers(1), []);
  a.self.exitSignal((b.system.whereis(atom('one')) as Process).pid, atom('kill'));
  await eventually('it is gone', () => a.pg.getMembers(2).length === 0);
  assert.throws(() => b.pg.join(2, b.self.pid), ErlangError);
});

test('the messages of OTP 29 are understood, only those of OTP 23 are sent (services 17)', async () => {
  const cluster = new MemoryCluster();
  const a = await start(cluster, 'a');
  const peer = cluster.start('p');
  const got: Term[] = [];
  const scope = peer.spawn(
    async (self) => {
      for (;;) got.push((await self.next()) as Term);
    },
    { name: atom('pg') },
  );
  cluster.connect(a.system, peer);
  const to = tuple(atom('pg'), a.system.node);
  await eventually('we look for it', () => got.length === 1);
  const own = (a.system.whereis(atom('pg')) as Process).pid;
  assert.deepEqual(got, [tuple(atom('discover'), own)]);
  const member = idle(peer).pid;
  const send = (...elements: Term[]): void => scope.send(to, tuple(...elements));
  send(atom('join'), scope.pid, atom('early'), member);
  send(atom('discover'), scope.pid, 1);
  await eventually('it is answered', () => got.length === 3);
  assert.deepEqual(got.slice(1), [
    tuple(atom('$gen_cast'), tuple(atom('sync'), own, [])),
    tuple(atom('discover'), own),
  ]);
  assert.deepEqual(a.pg.whichGroups(), []);
  send(atom('$gen_cast'), tuple(atom('local_data'), scope.pid, 1, map([atom('g'), [member]])));
  await eventually('it is known', () => a.pg.getMembers(atom('g')).length === 1);
  send(atom('update'), scope.pid, [tuple(atom('g'), [], [member]), tuple(atom('h'), [member, member], [])]);
  await eventually('it moved', () => a.pg.getMembers(atom('h')).length === 2);
  assert.deepEqual(a.pg.getMembers(atom('g')), []);
  // what is malformed, or not the peer's to say, changes nothing
  send(atom('join'), scope.pid, atom('h'), a.self.pid);
  send(atom('join'), scope.pid, atom('h'), 17);
  send(atom('leave'), atom('x'), member, [atom('h')]);
  send(atom('discover'));
  send(atom('$gen_cast'), tuple(atom('sync'), scope.pid, atom('none')));
  send(atom('leave'), scope.pid, member, [atom('h')]);
  await eventually('one left', () => a.pg.getMembers(atom('h')).length === 1);
  assert.deepEqual(keys(a.pg.getMembers(atom('h'))), keys([member]));
});

test('a thousand members of a hundred groups, joined while the nodes connect (services 16)', async () => {
  const cluster = new MemoryCluster();
  const nodes = await Promise.all(['a', 'b', 'c'].map((name) => start(cluster, name)));
  const [a, b, c] = nodes as [PgNode, PgNode, PgNode];
  for (let i = 0; i < 1000; i++) {
    const node = nodes[i % 3] as PgNode;
    node.pg.join(i % 100, idle(node.system).pid);
    if (i === 300) cluster.connect(a.system, b.system);
    if (i === 500) cluster.connect(b.system, c.system);
    if (i === 700) cluster.connect(c.system, a.system);
    if (i % 50 === 0) await a.self.yield();
  }
  const count = (node: PgNode): number =>
    node.pg.whichGroups().reduce<number>((sum, group) => sum + node.pg.getMembers(group).length, 0);
  await eventually('all are known', () => nodes.every((node) => count(node) === 1000));
});

test('a node starts a scope when it is first asked for, and again when it has ended', async () => {
  const system = new MemoryCluster().start('a');
  const pg = new Pg(system);
  const scope = await pg.scope();
  assert.equal(await pg.scope(atom('pg')), scope);
  const taken = system.spawn(() => new Promise(() => {}), { name: atom('taken') });
  await assert.rejects(pg.scope(atom('taken')), Exit);
  assert.ok(taken.alive);
  taken.exitSignal((system.whereis(atom('pg')) as Process).pid, atom('kill'));
  await eventually('it has ended', () => system.whereis(atom('pg')) === undefined);
  assert.notEqual(await pg.scope(), scope);
  pg.stop();
  assert.equal(system.whereis(atom('pg')), undefined);
});

test('other nodes may ask who is in which group', async () => {
  const system = new MemoryCluster().start('a');
  const all = new Pg(system);
  const code = new CodeServer();
  all.offer(code);
  const scope = await all.scope(atom('mine'));
  const member = idle(system).pid;
  scope.join(atom('g'), member);
  await all.scope();
  const ask = (fun: string, ...args: Term[]): Term | Promise<Term> | undefined =>
    code.find('pg', fun, args.length)?.(args, idle(system));
  assert.deepEqual(await ask('get_members', atom('mine'), atom('g')), [member]);
  assert.deepEqual(await ask('get_local_members', atom('mine'), atom('g')), [member]);
  assert.deepEqual(await ask('which_groups', atom('mine')), [atom('g')]);
  assert.deepEqual(await ask('which_local_groups', atom('mine')), [atom('g')]);
  assert.deepEqual(await ask('get_members', atom('g')), []);
  assert.deepEqual(await ask('which_groups'), []);
  await assert.rejects(async () => ask('which_groups', atom('other')), ErlangError);
  await assert.rejects(async () => ask('get_members', 7, atom('g')), ErlangError);
  all.stop();
});

test('hundreds of thousands of members come and go at once: a peer may have so many', () => {
  const groups = new Groups();
  const pids = Array.from({ length: 300_000 }, (_, i) => new Pid(atom('a@h'), i, 0, 5));
  const [one, two] = pids as [Pid, Pid];
  groups.add(1, [one, two, one]);
  groups.add(1, pids);
  assert.equal(groups.size, 300_003);
  assert.deepEqual(keys(groups.remove(1, [...pids, two, two])), keys([...pids, two]));
  assert.deepEqual(keys(groups.members(1)), keys([one, one]));
  assert.equal(groups.size, 2);
});
