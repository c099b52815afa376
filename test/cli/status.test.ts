import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusMain } from '../../src/cli/status.js';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { startNode } from '../../src/index.js';

test('status asks a running node what runs there', async () => {
  const epmd = await startEpmdServer({ port: 0 });
  const name = 'status-test@127.0.0.1';
  const node = await startNode({
    name,
    cookie: 'C',
    epmd: { port: epmd.port, start: false },
    listen: { host: '127.0.0.1' },
  });
  try {
    let said = '';
    const output = {
      out: (text: string) => {
        said += text;
      },
      err: (text: string) => {
        said += text;
      },
    };
    const words = ['--name', name, '--cookie', 'C', '-epmd_port', String(epmd.port)];
    assert.equal(await statusMain([...words, '--json'], output), 0);
    const status = JSON.parse(said) as { node: string; applications: { name: string; where: string }[] };
    assert.equal(status.node, name);
    assert.deepEqual(
      status.applications.map((each) => `${each.name} ${each.where}`),
      ['kernel here (library)', 'stdlib here (library)'],
    );
    said = '';
    assert.equal(await statusMain(words, output), 0);
    assert.match(said, /^status-test@127\.0\.0\.1\n {2}connected to {2}nobody\n/);
    assert.match(said, /dist_ac {7}does not answer, or is not there\n$/);
    assert.equal(await statusMain([], output), 1);
  } finally {
    await node.stop();
    await epmd.close();
  }
});
