// Moving applications: takeover, permissions, stopping.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import {
  DistAcCluster,
  type DistAcNode,
  introduce,
  type ScriptedPeer,
  settle,
  short,
  TestApps,
} from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

type Three = [DistAcNode, DistAcNode, DistAcNode];

async function three(cluster: DistAcCluster, apps: TestApps, list = '[a, b, c]'): Promise<Three> {
  const options = { distributed: `[{d1, 1000, ${list}}]`, apps: [apps.app('d1')] };
  const nodes = (await cluster.bootAll('a b c', options)) as Three;
  await Promise.all(nodes.map((node) => node.start('d1')));
  return nodes;
}

/** A node `b`, a standby of a peer `a` that runs the application, and another peer `c`. */
async function standby(
  cluster: DistAcCluster,
  apps: TestApps,
  list: string,
): Promise<[DistAcNode, ScriptedPeer, ScriptedPeer]> {
  const node = await cluster.boot('b', { distributed: `[{d1, 1000, ${list}}]`, apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  const other = await introduce(cluster, node, 'c');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  return [node, peer, other];
}

const everywhere = (nodes: readonly DistAcNode[], expected: string): boolean =>
  nodes.every((node) => node.listed('running') === expected);

test('dist_ac 75: takeover by hand starts it here first, under the lock', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b, c] = await three(cluster, apps);
  let go!: () => void;
  apps.held.set('c d1', new Promise<void>((resolve) => (go = resolve)));
  const taken = c.takeover('d1');
  const locked = (node: DistAcNode): boolean => /\{dist_ac,<c/.test(node.global.locks().map(short).join());
  await eventually('the lock is held', () => [a, b, c].every(locked));
  go();
  assert.equal(await taken, 'ok');
  await eventually('moved', () => everywhere([a, b], '[{d1,{distributed,c}}]') && c.runs('d1'));
  await eventually('stopped', () => apps.events.includes('a stop d1'));
  assert.deepEqual(apps.events.slice(1), ['c start d1 {takeover,a}', 'a prep_stop d1', 'a stop d1']);
  await eventually('no lock', () => ![a, b, c].some(locked));
});

test('dist_ac 76: whoever announces it has it; we stop without a word', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [a, b]}]', apps: [apps.app('d1')] });
  assert.equal(await node.start('d1'), 'ok');
  const peer = await introduce(cluster, node, 'a');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await eventually('stopped', () => apps.events.includes('b stop d1'));
  assert.deepEqual(apps.events, ['b start d1 normal', 'b prep_stop d1', 'b stop d1']);
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  await settle();
  assert.equal(peer.count('app_stopped'), 0);
  assert.match(node.logs.join('\n'), /notice Application d1 exited: stopped/);
});

test('dist_ac 77: what cannot be taken over', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b]}]', apps: [apps.app('d1')] });
  assert.equal(await node.takeover('d1'), '{error,{not_running_distributed,d1}}');
  assert.equal(await node.takeover('d7'), '{error,{not_running_distributed,d7}}');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.takeover('d1'), '{error,{already_running_locally,d1}}');
  assert.equal(await node.takeover('d1', 'often'), '{error,{invalid_restart_type,often}}');
});

test('a takeover after a failed start is refused (in OTP its caller waits for ever, with the lock)', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', {
    distributed: '[{d1, [a, b]}]',
    apps: [new TestApps().app('d1')],
  });
  const peer = await introduce(cluster, node, 'a');
  const started = node.start('d1');
  await settle();
  peer.send(node, '{dist_ac_app_started, a, d1, {error, broken}}');
  assert.equal(await started, '{error,{a,broken}}');
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  assert.equal(await node.takeover('d1'), '{error,{not_running_distributed,d1}}');
  assert.equal(await node.start('d1'), 'ok');
});

test('dist_ac 78: two takeovers at once are done one after the other', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b, c] = await three(cluster, apps);
  assert.deepEqual(await Promise.all([b.takeover('d1'), c.takeover('d1')]), ['ok', 'ok']);
  await eventually('settled', () => [a, b, c].filter((node) => node.runs('d1')).length === 1);
  const starts = apps.events.filter((event) => event.includes('start')).map((event) => event.slice(-12));
  assert.equal(starts.length, 3);
  const first = apps.events.findIndex((event) => event.endsWith('{takeover,a}'));
  assert.ok(first > 0);
});

test('dist_ac 79: a takeover that fails here leaves the instance alone, and nobody waits for us', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  apps.failures.set('b d1', atom('broken'));
  const [node, peer, other] = await standby(cluster, apps, '[b, a, c]');
  assert.equal(await node.start('d1'), '{error,{broken,{d1,start,[{takeover,a},[]]}}}');
  await other.got('{dist_ac_app_started,a,d1,ok}');
  const told = other.received.filter((message) => message.includes('app_started'));
  assert.deepEqual(told, ['{dist_ac_app_started,b,d1,ok}', '{dist_ac_app_started,a,d1,ok}']);
  await settle();
  assert.equal(peer.count('app_started'), 0);
  assert.equal(await other.got('permission'), '{dist_ac_new_permission,b,d1,false,false}');
  assert.equal((await node.info()).remote_started, '[{a,d1}]');
  apps.failures.clear();
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(apps.events.at(-1), 'b start d1 {takeover,a}');
  await other.got('{dist_ac_new_permission,b,d1,true,false}');
  await peer.got('{dist_ac_app_started,b,d1,ok}');
});

test('dist_ac 79: if the other node is gone meanwhile, the failure is told', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let go!: () => void;
  apps.held.set('b d1', new Promise<void>((resolve) => (go = resolve)));
  apps.failures.set('b d1', atom('broken'));
  const [node, peer, other] = await standby(cluster, apps, '[b, a, c]');
  const started = node.start('d1');
  await settle();
  cluster.crash(peer);
  await settle();
  go();
  await started;
  assert.match(await other.got('app_started'), /^\{dist_ac_app_started,b,d1,\{error,\{broken,/);
});

test('dist_ac 79: among our own the instance goes on, whoever failed, and fails over later', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b, c] = await three(cluster, apps);
  apps.failures.set('c d1', atom('broken'));
  assert.equal(await c.takeover('d1'), '{error,{broken,{d1,start,[{takeover,a},[]]}}}');
  await settle();
  assert.ok(a.runs('d1'));
  assert.ok(everywhere([b, c], '[{d1,{distributed,a}}]'));
  apps.failures.clear();
  cluster.crash(a);
  await eventually('b runs it', () => b.runs('d1'));
});

test('the failed takeover of another node does not stop our instance (in OTP it does)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [a, b, c]}]', apps: [apps.app('d1')] });
  assert.equal(await node.start('d1'), 'ok');
  const peer = await introduce(cluster, node, 'a');
  const other = await introduce(cluster, node, 'c');
  peer.send(node, '{dist_ac_app_started, a, d1, {error, already_started}}');
  assert.equal(await other.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
  assert.ok(node.runs('d1'));
  // who failed is told as well: it has to give its weight when we die
  assert.equal(await peer.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
});

test('dist_ac 80: the restart type of a takeover holds from then on, on the new node', async () => {
  using cluster = new DistAcCluster();
  const [a, , c] = await three(cluster, new TestApps());
  assert.equal(await c.takeover('d1', 'permanent'), 'ok');
  assert.equal(c.listed('started'), '[{d1,permanent}]');
  assert.equal(a.listed('started'), '[{d1,temporary}]');
});

test('two nodes start it at once: the higher one keeps it, even if it is the first to be done', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  let go!: () => void;
  apps.held.set('b d1', new Promise<void>((resolve) => (go = resolve)));
  const [node, peer, other] = await standby(cluster, apps, '[a, b, c]');
  assert.equal(await node.start('d1'), 'ok');
  cluster.crash(peer);
  await eventually('the failover is under way', () => node.listed('starting') !== '[]');
  const back = await introduce(cluster, node, 'a');
  back.send(node, '{dist_ac_app_started, a, d1, ok}');
  await settle();
  go();
  await eventually('stopped again', () => apps.events.includes('b stop d1'));
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal(back.count('app_started'), 0);
  await other.got('{dist_ac_app_started,a,d1,ok}');
});

// --- permissions ------------------------------------------------------------------------------------------------

test('dist_ac 81: a permission taken from the one that runs it moves it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b, c] = await three(cluster, apps);
  assert.equal(await a.permit('d1', false), 'ok');
  await eventually('moved', () => b.runs('d1') && everywhere([a, c], '[{d1,{distributed,b}}]'));
  await eventually('stopped', () => apps.events.includes('a stop d1'));
  assert.deepEqual(apps.events.slice(1), ['b start d1 {takeover,a}', 'a prep_stop d1', 'a stop d1']);
  const locked = (node: DistAcNode): boolean => /\{dist_ac,/.test(node.global.locks().map(short).join());
  await eventually('no lock', () => ![a, b, c].some(locked));
});

test('dist_ac 81: as the other nodes see it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  assert.equal(await node.start('d1'), 'ok');
  const permitted = node.permit('d1', false);
  assert.equal(await peer.got('permission'), '{dist_ac_new_permission,b,d1,false,true}');
  await settle();
  assert.ok(node.runs('d1'));
  peer.send(node, '{dist_ac_app_started, a, d1, ok}');
  assert.equal(await permitted, 'ok');
  await eventually('stopped', () => apps.events.includes('b stop d1'));
});

test('dist_ac 82: without another node it is stopped, and that is told', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a', false);
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.permit('d1', false), 'ok');
  assert.deepEqual(apps.events.slice(1), ['b prep_stop d1', 'b stop d1']);
  assert.equal(await peer.got('app_stopped'), '{dist_ac_app_stopped,d1}');
  assert.equal(node.listed('running'), '[{d1,{distributed,[]}}]');
  assert.equal(await node.permit('d1', true), 'ok');
  assert.ok(node.runs('d1'));
});

test('a permission taken while the others have not started it ends in a stop (in OTP in an endless wait)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [apps.app('d1')] });
  await introduce(cluster, node, 'a');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.permit('d1', false), 'ok');
  assert.equal(node.runs('d1'), false);
  assert.match(node.logs.join('\n'), /d1 may not run here any more and nobody took it over/);
});

test('dist_ac 83: on a standby it is told and nothing else', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[a, b, c]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.permit('d1', false), 'ok');
  assert.equal(await peer.got('permission'), '{dist_ac_new_permission,b,d1,false,false}');
  assert.deepEqual(apps.events, []);
});

test('dist_ac 84: a permission for a higher node moves it there before the call returns', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b] = await three(cluster, apps);
  assert.equal(await a.permit('d1', false), 'ok');
  await eventually('b runs it', () => b.runs('d1') && a.listed('running') === '[{d1,{distributed,b}}]');
  assert.equal(await a.permit('d1', true), 'ok');
  assert.ok(a.runs('d1'));
  assert.ok(apps.events.includes('a start d1 {takeover,b}'));
  await eventually('b stopped it', () => !b.runs('d1'));
});

test('dist_ac 85: a permission for a lower node moves nothing', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, , c] = await three(cluster, apps);
  assert.equal(await c.permit('d1', false), 'ok');
  assert.equal(await c.permit('d1', true), 'ok');
  assert.ok(a.runs('d1'));
  assert.equal(apps.events.length, 1);
});

test('dist_ac 86: not started here, we do not take over what another node gives up (OTP blocks its caller)', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[a, b, c]');
  peer.send(node, '{dist_ac_new_permission, a, d1, false, true}');
  await settle();
  assert.deepEqual(apps.events, []);
  assert.match((await node.info()).appls, /\{appl,d1,undefined,.*\{a,false\}/);
});

test('dist_ac 86: started here and next in the list, we take it over', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[a, b, c]');
  assert.equal(await node.start('d1'), 'ok');
  peer.send(node, '{dist_ac_new_permission, a, d1, false, true}');
  assert.equal(await peer.got('app_started'), '{dist_ac_app_started,b,d1,ok}');
  assert.deepEqual(apps.events, ['b start d1 {takeover,a}']);
});

test('dist_ac 87: of an application that is only loaded the permission is told; it has to be loaded', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [node, peer] = await standby(cluster, apps, '[b, a, c]');
  assert.equal(await node.permit('d1', false), '{error,{not_loaded,d1}}');
  assert.equal(await node.load('d1'), 'ok');
  assert.equal(await node.permit('d1', true), 'ok');
  assert.equal(await peer.got('permission'), '{dist_ac_new_permission,b,d1,true,false}');
  assert.deepEqual(apps.events, []);
});

test('dist_ac 88: a permission that is configured away is told, and holds until it is given', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const peer = await cluster.peer('a');
  const node = await cluster.begin('b', {
    distributed: '[{d1, [b, a]}]',
    permissions: '[{d1, false}]',
    optional: ['a'],
    timeoutMs: 'infinity',
    apps: [apps.app('d1')],
  });
  assert.match(await peer.got('new_node'), /\[\{b,false\}\]/);
  peer.send(node, '{dist_ac_new_node, 1, a, [], []}');
  assert.equal(await node.booted, undefined);
  assert.equal(await node.start('d1'), 'ok');
  assert.match(await peer.got('app_loaded'), /,false,false\}$/);
  assert.deepEqual(apps.events, []);
  assert.equal(await node.permit('d1', true), 'ok');
  assert.deepEqual(apps.events, ['b start d1 normal']);
});

test('dist_ac 89: a standby without permission starts well while it runs elsewhere', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, [a, b]}]', apps: [apps.app('d1')] };
  const a = await cluster.boot('a', options);
  assert.equal(await a.start('d1'), 'ok');
  const b = await cluster.boot('b', {
    ...options,
    permissions: '[{d1, false}]',
    optional: ['a'],
    timeoutMs: 'infinity',
  });
  assert.equal(await b.start('d1'), 'ok');
  assert.equal(b.listed('running'), '[{d1,{distributed,a}}]');
});

// --- stopping ---------------------------------------------------------------------------------------------------

test('dist_ac 90: a stop is told; nobody else starts it; started again it has its standbys', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const [a, b, c] = await three(cluster, apps);
  assert.equal(await a.stop('d1'), 'ok');
  await cluster.pass(600);
  assert.deepEqual(apps.events.slice(1), ['a prep_stop d1', 'a stop d1']);
  assert.match((await b.info()).appls, /\{appl,d1,undefined,/);
  assert.equal(b.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal(await b.start('d1'), '{error,{already_started,d1}}');
  assert.equal(await a.start('d1'), 'ok');
  await settle();
  assert.match((await c.info()).appls, /\{appl,d1,\{distributed,a\},/);
});

test('dist_ac 91: a stop on a standby is told to nobody; a start finds it where it runs', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await standby(cluster, new TestApps(), '[a, b, c]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(await node.stop('d1'), 'ok');
  await settle();
  assert.equal(peer.count('app_stopped'), 0);
  assert.equal((await node.info()).remote_started, '[{a,d1}]');
  assert.equal(await node.start('d1'), 'ok');
  assert.equal(node.listed('running'), '[{d1,{distributed,a}}]');
});

test('dist_ac 92: what nobody knows has stopped: that is all right', async () => {
  using cluster = new DistAcCluster();
  const [node, peer] = await standby(cluster, new TestApps(), '[a, b, c]');
  peer.send(node, '{dist_ac_app_stopped, d7}');
  peer.send(node, '{dist_ac_app_stopped, d1}');
  await settle();
  assert.equal((await node.info()).remote_started, '[]');
});

test('it has stopped, says somebody, while it runs here: we know better (OTP believes it)', async () => {
  using cluster = new DistAcCluster();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [new TestApps().app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  assert.equal(await node.start('d1'), 'ok');
  peer.send(node, '{dist_ac_app_stopped, d1}');
  await settle();
  assert.match((await node.info()).appls, /\{appl,d1,local,/);
});

test('dist_ac 93: an application that dies is told to have stopped', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await cluster.boot('b', { distributed: '[{d1, [b, a]}]', apps: [apps.app('d1')] });
  const peer = await introduce(cluster, node, 'a');
  assert.equal(await node.start('d1'), 'ok');
  apps.tops.get('b d1')?.end(atom('killed'));
  assert.equal(await peer.got('app_stopped'), '{dist_ac_app_stopped,d1}');
  assert.equal(node.ended, undefined);
  assert.equal(node.listed('started'), '[{d1,temporary}]');
  assert.match(node.logs.join('\n'), /notice Application d1 exited: killed/);
});

test('the end of a permanent application is told first; then the node ends, and nobody fails over', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, [a, b]}]', apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('d1', 'permanent'), b.start('d1', 'permanent')]);
  apps.tops.get('a d1')?.end(atom('killed'));
  await eventually('a has ended', () => a.ended !== undefined);
  assert.equal(short(a.ended ?? false), '{application_terminated,d1,killed}');
  await cluster.pass(600);
  assert.equal(b.runs('d1'), false);
});
