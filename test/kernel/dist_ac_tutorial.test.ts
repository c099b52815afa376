import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistAcCluster, type DistAcNode, TestApps } from '../support/dist_ac_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const distributed = '[{d1, 60, [a, {b, c}]}]';

type Three = [DistAcNode, DistAcNode, DistAcNode];

async function three(cluster: DistAcCluster, apps: TestApps): Promise<Three> {
  return (await cluster.bootAll('a b c', { distributed, apps: [apps.app('d1')] })) as Three;
}

test('the tutorial: cold start, death, failover, return, takeover', async () => {
  const apps = new TestApps();
  using cluster = new DistAcCluster();
  const [a, b, c] = await three(cluster, apps);
  const starts = [c.start('d1'), b.start('d1')];
  starts.push(a.start('d1'));
  assert.deepEqual(await Promise.all(starts), ['ok', 'ok', 'ok']);
  assert.deepEqual(apps.events, ['a start d1 normal']);
  assert.equal(b.listed('running'), '[{d1,{distributed,a}}]');
  assert.equal(b.listed('started'), '[{d1,temporary}]');
  assert.equal((await a.info()).appls.includes('{appl,d1,local,60,[a,{b,c}]'), true);
  assert.equal((await b.info()).started, '[d1]');

  cluster.crash(a);
  await eventually('b runs it', () => b.runs('d1'));
  await eventually('c knows', () => c.listed('running') === '[{d1,{distributed,b}}]');
  assert.deepEqual(apps.events, ['a start d1 normal', 'b start d1 normal']);

  const back = await cluster.boot('a', {
    distributed,
    apps: [apps.app('d1')],
    optional: ['b', 'c'],
    timeoutMs: 'infinity',
  });
  assert.equal((await back.info()).remote_started, '[{b,d1}]');
  assert.equal(await back.start('d1'), 'ok');
  await eventually('b stopped it', () => apps.events.includes('b stop d1'));
  assert.deepEqual(apps.events.slice(2), ['a start d1 {takeover,b}', 'b prep_stop d1', 'b stop d1']);
  await eventually('all know', () => b.listed('running') === '[{d1,{distributed,a}}]');
  await eventually('all know', () => c.listed('running') === '[{d1,{distributed,a}}]');
});
