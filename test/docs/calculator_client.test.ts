import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sum } from '../../docs/examples/calculator_client.js';
import * as DistroCal from '../../src/distro/distro_cal.js';
import { Client } from '../../src/kernel/client.js';
import { GlobalCluster } from '../support/global_cluster.js';

test('the example of a typed client adds up, and fails as it says', async () => {
  const cluster = new GlobalCluster();
  const [a, b] = [await cluster.node('a'), await cluster.node('b')];
  cluster.join(a, b);
  await Promise.all([a.global.sync(), b.global.sync()]);
  const client = new Client(a.system);
  await assert.rejects(sum(client, [1]), { code: 'noproc' });
  assert.ok('ok' in (await DistroCal.startLink(b.self, { takeOver: false })));
  assert.equal(await sum(client, [1, 2, 39]), 42);
  await assert.rejects(sum(client, [1], { signal: AbortSignal.abort() }), { code: 'aborted', sent: false });
});
