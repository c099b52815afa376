// Start phases, included applications, dependencies, restart types, parameters: what does not need a second node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../src/erts/process.js';
import type { Application } from '../../src/kernel/application.js';
import { Applications } from '../../src/kernel/applications.js';
import { CodeServer } from '../../src/kernel/code.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { DistAcCluster, type DistAcNode, short, TestApps, terms } from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

async function nodeWith(cluster: DistAcCluster, ...apps: readonly Application[]): Promise<DistAcNode> {
  return await cluster.boot('a', { apps });
}

const ensureAll = (node: DistAcNode, app: string, type = 'temporary'): Promise<string> =>
  node.run((self) => node.application.ensureAllStarted(self, atom(app), atom(type)));

/** The applications that were started and what of them runs. */
const listed = (node: DistAcNode): string => `${node.listed('started')} ${node.listed('running')}`;

test('start phases run in their order after the start, each with its argument', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const phased = apps.app('phased', {
    startPhases: [
      ['init', []],
      ['go', terms('[x, {y, 1}]')],
    ],
  });
  const node = await nodeWith(cluster, phased);
  assert.equal(await node.start('phased'), 'ok');
  assert.deepEqual(apps.events, [
    'a start phased normal',
    'a phase phased init normal []',
    'a phase phased go normal [x,{y,1}]',
  ]);
});

test('without the key no phase is called; a phase that fails fails the start, and what was started ends', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const failing: Application = {
    ...apps.app('failing', {
      startPhases: [
        ['init', []],
        ['go', 1],
        ['never', []],
      ],
    }),
    startPhase(phase, _type, _args, self) {
      apps.events.push(phase);
      if (phase === 'go') self.exit(atom('not_today'));
    },
  };
  const node = await nodeWith(cluster, apps.app('plain'), failing);
  assert.equal(await node.start('plain'), 'ok');
  assert.deepEqual(apps.events, ['a start plain normal']);
  assert.match(
    await node.start('failing'),
    /^\{error,\{.*not_today.*\{failing,start_phase,\[go,normal,1\]\}\}\}$/,
  );
  assert.deepEqual(apps.events.slice(1), ['a start failing normal', 'init', 'go']);
  await eventually('its supervisor ends', () => apps.tops.get('a failing')?.exitReason !== undefined);
  assert.doesNotMatch(listed(node), /failing/);
});

test('phases of a distributed application are told who failed over from whom', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = {
    distributed: '[{phased, 20, [a, b]}]',
    apps: [apps.app('phased', { startPhases: [['go', []]] })],
  };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('phased'), b.start('phased')]);
  cluster.crash(a);
  await eventually('b runs it', () => b.runs('phased'));
  assert.deepEqual(apps.events.slice(-2), [
    'b start phased {failover,a}',
    'b phase phased go {failover,a} []',
  ]);
});

test('included applications are loaded with the one that includes them, and have its phases only with it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const whole = apps.app('whole', {
    includedApplications: ['part', 'other'],
    phasesOfIncluded: true,
    startPhases: [
      ['init', []],
      ['go', 1],
    ],
  });
  const part = apps.app('part', {
    startPhases: [
      ['go', 2],
      ['own', 3],
    ],
    env: { depth: 1 },
  });
  const node = await nodeWith(cluster, whole, part, apps.app('other', { startPhases: [] }));
  assert.equal(await node.load('whole'), 'ok');
  assert.equal(node.controller.tables.getEnv(atom('part'), atom('depth')), 1);
  assert.equal(await node.load('part'), '{error,{already_loaded,part}}');
  assert.equal(await node.start('whole'), 'ok');
  assert.deepEqual(apps.events, [
    'a start whole normal',
    'a phase whole init normal []',
    'a phase whole go normal 1',
    'a phase part go normal 2',
  ]);
  assert.match(listed(node), /^\[\{whole,temporary\}\] \[\{whole,<\S+>\}\]$/);
});

test('applications that nobody has added are found by their names when they are needed', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const there = new Map(
    [
      apps.app('base'),
      apps.app('part'),
      apps.app('top', { applications: ['base'], includedApplications: ['part'] }),
    ].map((app) => [app.spec.name, app]),
  );
  const node = await nodeWith(cluster);
  const applications = new Applications(node.system, node.application, new CodeServer());
  applications.findWith(async (name) => {
    if (name === 'broken') throw new Error('broken.js: a syntax error');
    return there.get(name);
  });
  assert.deepEqual(await applications.ensureAllStarted('top'), ['base', 'top']);
  assert.ok(applications.loaded().some(({ name }) => name === 'part'));
  await assert.rejects(applications.start('gone'), /no such file or directory/);
  await assert.rejects(applications.load('broken'), /bad_application,broken,"broken\.js: a syntax error"/);
});

test('an included application whose phases are not defined fails the start', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const whole = apps.app('whole', {
    includedApplications: ['part'],
    phasesOfIncluded: true,
    startPhases: [['go', 1]],
  });
  const node = await nodeWith(cluster, whole, apps.app('part'));
  assert.match(await node.start('whole'), /start_phases_undefined,part/);
});

test('what an application needs has to be started, unless it is optional and not there', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await nodeWith(
    cluster,
    apps.app('base'),
    apps.app('middle', { applications: ['kernel', 'base'] }),
    apps.app('top', { applications: ['middle', 'gone'], optionalApplications: ['gone'] }),
    apps.app('broken', { applications: ['base', 'gone'] }),
  );
  assert.equal(await node.start('top'), '{error,{not_started,middle}}');
  assert.equal(await ensureAll(node, 'broken'), '{error,{gone,{"no such file or directory","gone.app"}}}');
  assert.equal(node.listed('started'), '[]', 'base, started for it, was stopped again');
  assert.equal(await ensureAll(node, 'top', 'transient'), '{ok,[base,middle,top]}');
  assert.equal(await ensureAll(node, 'top'), '{ok,[]}');
  assert.equal(node.listed('started'), '[{top,transient},{middle,transient},{base,transient}]');
});

test('an optional application that is there is started first', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await nodeWith(
    cluster,
    apps.app('extra'),
    apps.app('top', { applications: ['extra'], optionalApplications: ['extra'] }),
  );
  assert.equal(await ensureAll(node, 'top'), '{ok,[extra,top]}');
});

test('a start that fails leaves nothing of what was started for it', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  apps.failures.set('a top', atom('no_luck'));
  const node = await nodeWith(cluster, apps.app('base'), apps.app('top', { applications: ['base'] }));
  assert.match(await ensureAll(node, 'top'), /^\{error,\{top,\{no_luck,/);
  assert.equal(node.listed('started'), '[]');
  assert.deepEqual(apps.events.slice(-2), ['a prep_stop base', 'a stop base']);
});

for (const [type, reason, ends] of [
  ['temporary', 'normal', false],
  ['temporary', 'oops', false],
  ['transient', 'normal', false],
  ['transient', 'oops', true],
  ['permanent', 'normal', true],
  ['permanent', 'oops', true],
] as const) {
  test(`${type}, ended with ${reason}: the node ${ends ? 'ends' : 'goes on'}`, async () => {
    using cluster = new DistAcCluster();
    const apps = new TestApps();
    const node = await nodeWith(cluster, apps.app('d1'));
    assert.equal(await node.start('d1', type), 'ok');
    apps.tops.get('a d1')?.end(atom(reason));
    await eventually('it does not run any more', () => !node.runs('d1'));
    if (ends) {
      await eventually('the node ends', () => node.ended !== undefined);
      assert.equal(short(node.ended as Term), `{application_terminated,d1,${reason}}`);
    } else {
      assert.equal(node.ended, undefined);
      assert.match(node.listed('started'), /^\[\]$|d1/);
      assert.equal(await node.start('d1'), 'ok', 'and it can be started again');
    }
  });
}

test('parameters that change are told to whom they concern, as changed, added and removed', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const told: string[] = [];
  const listening = (name: string): Application => ({
    ...apps.app(name, { env: { kept: 1, old: 1 } }),
    configChange(changed, added, removed) {
      told.push(`${name} ${[...changed.keys()]} ${[...added.keys()]} ${removed}`);
    },
  });
  const node = await nodeWith(cluster, listening('one'), listening('two'), listening('three'));
  for (const app of ['one', 'two']) assert.equal(await node.start(app), 'ok');
  assert.equal(await node.load('three'), 'ok');
  const applications = new Applications(node.system, node.application, new CodeServer());
  await applications.changeConfig({ one: { old: 2, fresh: 3 }, three: { old: 2 } });
  assert.deepEqual(told, ['one old fresh '], 'not two, where nothing changed, nor three, which does not run');
  assert.equal(applications.getEnv('one', 'fresh'), 3);
  await applications.changeConfig({ one: { old: 2 } });
  assert.equal(told.length, 1, 'nothing changed');
});

test('a changed `distributed` counts from the next decision on; a wrong one is refused', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const options = { distributed: '[{d1, 60000, [a, b]}]', apps: [apps.app('d1')] };
  const [a, b] = (await cluster.bootAll('a b', options)) as [DistAcNode, DistAcNode];
  await Promise.all([a.start('d1'), b.start('d1')]);
  const applications = new Applications(b.system, b.application, new CodeServer());
  await assert.rejects(
    applications.changeConfig({ kernel: { distributed: terms('[{d1, later}]') } }),
    /erroneous parameter: distributed/,
  );
  await applications.changeConfig({ kernel: { distributed: terms('[{d1, 10, [a, b]}]') } });
  cluster.crash(a);
  await eventually('b runs it after the new time', () => b.runs('d1'));
});

test('a callback that throws when told of a change is reported', async () => {
  using cluster = new DistAcCluster();
  const apps = new TestApps();
  const node = await nodeWith(cluster, {
    ...apps.app('one', { env: { old: 1 } }),
    configChange: (): void => {
      throw new Error('cannot');
    },
  });
  assert.equal(await node.start('one'), 'ok');
  const change = (self: Process): Promise<Term> => node.application.changeConfig(self, { one: { old: 2 } });
  assert.match(await node.run(change), /^\{error,\[/);
});
