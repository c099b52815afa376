import assert from 'node:assert/strict';
import { test } from 'node:test';
import distro from '../../src/distro/application.js';
import * as DistroCal from '../../src/distro/distro_cal.js';
import { Exit } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import { call } from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { binary } from '../../src/terms/binary.js';
import { format } from '../../src/terms/format.js';
import { float } from '../../src/terms/number.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode } from '../support/global_cluster.js';

const NORMAL = atom('normal');
const SHUTDOWN = atom('shutdown');

const takeoverFrom = (node: GlobalNode): Term => tuple(atom('takeover'), node.system.node);
const add = (node: GlobalNode, x: Term, y: Term): Promise<Term> => DistroCal.add(node.self, x, y);

/** Two or more connected nodes whose tables of names agree. */
async function network(names: string): Promise<GlobalNode[]> {
  const cluster = new GlobalCluster();
  const nodes = await cluster.nodes(names);
  for (const a of nodes)
    for (const b of nodes) if (a.system.node.name < b.system.node.name) cluster.connect(a.system, b.system);
  await Promise.all(nodes.map((node) => node.global.sync()));
  return nodes;
}

/** Starts the application as the application master does: in a process that its supervisor is linked to. */
async function start(
  node: GlobalNode,
  type: Term,
): Promise<{ supervisor: Pid; master: Process } | { error: Term }> {
  return await new Promise((resolve, reject) => {
    node.system.spawn(async (master) => {
      master.trapExit = true;
      const started = await distro.start?.(type, [], master);
      if (started === undefined) return reject(new Error('distro has no start'));
      resolve('ok' in started ? { supervisor: started.ok, master } : started);
      await new Promise(() => {});
    });
  });
}

async function running(node: GlobalNode, type: Term): Promise<{ supervisor: Pid; master: Process }> {
  const started = await start(node, type);
  assert.ok('supervisor' in started, 'error' in started ? format(started.error) : '');
  return started;
}

/** The reason that a call of the calculator exits with, without who called. */
async function refused(node: GlobalNode, request: Term): Promise<Term> {
  let reason: Term = atom('answered');
  await assert.rejects(call(node.self, DistroCal.NAME, request), (error) => {
    assert.ok(
      error instanceof Exit &&
        isTagged(error.reason, (error.reason as ReturnType<typeof tuple>).elements[0] as Term, 2),
    );
    reason = error.reason.elements[0] as Term;
    return true;
  });
  return reason;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('adds with the arithmetic of Erlang, on all nodes', async () => {
  const [abc, bcd] = (await network('abc bcd')) as [GlobalNode, GlobalNode];
  await running(abc, NORMAL);
  assert.equal(await add(abc, 1, 2), 3);
  assert.equal(await add(bcd, 2n ** 70n, 1), 2n ** 70n + 1n);
  assert.deepEqual(await add(bcd, 1, float(2)), float(3));
});

test('what is no number ends the calculator as in Elixir, the supervisor starts another', async () => {
  const [abc] = (await network('abc')) as [GlobalNode];
  await running(abc, NORMAL);
  const first = abc.global.whereisName(DistroCal.MODULE);
  const reason = format(await refused(abc, tuple(atom('cal'), binary('a'), 1)));
  assert.match(
    reason,
    /^\{badarith,\[\{erlang,'\+',\[<<"a">>,1\],\[\{error_info,#\{module => erl_erts_errors\}\}\]\},\{'Elixir\.Distro\.DistroCal',handle_call,3,\[\]\}/,
  );
  await until(() => abc.global.whereisName(DistroCal.MODULE) !== undefined);
  assert.notEqual(abc.global.whereisName(DistroCal.MODULE)?.key, first?.key);
  assert.equal(await add(abc, 1, 2), 3);
});

test('an unknown request ends it with function_clause', async () => {
  const [abc] = (await network('abc')) as [GlobalNode];
  await running(abc, NORMAL);
  const reason = format(await refused(abc, atom('what')));
  assert.match(reason, /^\{function_clause,\[\{'Elixir\.Distro\.DistroCal',handle_call,\[what,\{</);
});

test('a plain start refuses while somebody has the name, as in OTP', async () => {
  const [abc, bcd] = (await network('abc bcd')) as [GlobalNode, GlobalNode];
  await running(abc, NORMAL);
  const started = await start(bcd, NORMAL);
  assert.ok('error' in started);
  const pid = format(abc.global.whereisName(DistroCal.MODULE) as Pid);
  assert.ok(format(started.error).includes(`{already_started,${pid}}`), format(started.error));
});

test('a takeover takes the name without a gap, and calls are answered throughout', async () => {
  const nodes = (await network('abc bcd def')) as [GlobalNode, GlobalNode, GlobalNode];
  const [abc, bcd, def] = nodes;
  const old = await running(bcd, NORMAL);
  const oldPid = abc.global.whereisName(DistroCal.MODULE) as Pid;
  let taken = false;
  const gaps: string[] = [];
  const watch = (async () => {
    while (!taken) {
      for (const node of nodes)
        if (node.global.whereisName(DistroCal.MODULE) === undefined) gaps.push(node.system.node.name);
      assert.equal(await add(def, 20, 22), 42);
    }
  })();
  await running(abc, takeoverFrom(bcd));
  old.master.exitSignal(old.supervisor, SHUTDOWN);
  await until(() => bcd.system.process(oldPid) === undefined);
  await until(() =>
    nodes.every((node) => node.global.whereisName(DistroCal.MODULE)?.node === abc.system.node),
  );
  taken = true;
  await watch;
  assert.deepEqual(gaps, []);
});

test('a takeover that is undone gives the name back', async () => {
  const [abc, bcd] = (await network('abc bcd')) as [GlobalNode, GlobalNode];
  await running(bcd, NORMAL);
  const oldPid = bcd.global.whereisName(DistroCal.MODULE) as Pid;
  const { supervisor, master } = await running(abc, takeoverFrom(bcd));
  assert.equal(bcd.global.whereisName(DistroCal.MODULE)?.node, abc.system.node);
  master.exitSignal(supervisor, SHUTDOWN);
  await until(() => abc.system.process(supervisor) === undefined);
  for (const node of [abc, bcd]) assert.equal(node.global.whereisName(DistroCal.MODULE)?.key, oldPid.key);
  assert.equal(await add(abc, 1, 2), 3);
});

test('a takeover takes the name from whoever has it, and from nobody', async () => {
  for (const holder of ['nobody', 'abc', 'bcd']) {
    const nodes = (await network('abc bcd')) as [GlobalNode, GlobalNode];
    const [abc, bcd] = nodes;
    const has = nodes.find((node) => node.system.node.name.startsWith(holder));
    await has?.global.registerName(has.self, DistroCal.MODULE, has.self.pid);
    const { supervisor, master } = await running(abc, takeoverFrom(bcd));
    assert.equal(await add(bcd, 1, 2), 3, holder);
    master.exitSignal(supervisor, SHUTDOWN);
    await until(() => abc.system.process(supervisor) === undefined);
    const after = abc.global.whereisName(DistroCal.MODULE)?.key;
    assert.equal(after, has?.self.pid.key, `given back to ${holder}`);
  }
});

test('restarted after a takeover, it takes nothing from anybody', async () => {
  const [abc, bcd] = (await network('abc bcd')) as [GlobalNode, GlobalNode];
  await running(bcd, NORMAL);
  await running(abc, takeoverFrom(bcd));
  const taken = abc.global.whereisName(DistroCal.MODULE) as Pid;
  await refused(abc, atom('what'));
  await until(() => ![undefined, taken.key].includes(abc.global.whereisName(DistroCal.MODULE)?.key));
  assert.equal(abc.global.whereisName(DistroCal.MODULE)?.node, abc.system.node);
});

test('Elixir shows the start type so', async () => {
  const [abc, bcd] = (await network('abc bcd')) as [GlobalNode, GlobalNode];
  await running(bcd, NORMAL);
  await running(abc, tuple(atom('takeover'), atom('bcd@127.0.0.1')));
  assert.ok(bcd.logs.includes('info Distro application in :normal mode'));
  assert.ok(abc.logs.includes('info Distro application in {:takeover, :"bcd@127.0.0.1"} mode'));
});
