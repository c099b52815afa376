import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Status, statusMain } from '../../src/cli/status.js';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { atom, globalOf, loadConfig, type Node, startNode, tuple } from '../../src/index.js';

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
    assert.match(said, /dist_ac {7}does not answer, or is not there\n {2}locks {9}none\n$/);
    assert.equal(await statusMain([], output), 1);
  } finally {
    await node.stop();
    await epmd.close();
  }
});

test('status of a distributed application: ranks, standbys, restart times that run, locks', async () => {
  const epmd = await startEpmdServer({ port: 0 });
  const [name, other] = ['status-a@127.0.0.1', 'status-b@127.0.0.1'];
  const lists = `[{d1, 60000, ['${name}', '${other}']}]`;
  const start = (own: string, wait: string): Promise<Node> => {
    const sync = ['sync_nodes_mandatory', `['${wait}']`, 'sync_nodes_timeout', '20000'];
    return startNode({
      name: own,
      cookie: 'C',
      epmd: { port: epmd.port, start: false },
      listen: { host: '127.0.0.1' },
      config: loadConfig({ flags: [{ application: 'kernel', words: ['distributed', lists, ...sync] }] }),
    });
  };
  const [a, b] = await Promise.all([start(name, other), start(other, name)]);
  try {
    const words = ['--name', other, '--cookie', 'C', '-epmd_port', String(epmd.port)];
    const ask = async (...more: string[]): Promise<string> => {
      const said: string[] = [];
      const output = {
        out: (text: string) => void said.push(text),
        err: (text: string) => void said.push(text),
      };
      assert.equal(await statusMain([...words, ...more], output), 0);
      return said.join('');
    };
    for (const node of [a, b]) node.application.add({ spec: { name: 'd1' } });
    await Promise.all([a.application.start('d1'), b.application.start('d1')]);
    const running = await ask();
    assert.match(running, new RegExp(` d1 {12}${name}, temporary\\n`));
    assert.match(running, /knows status-[ab]@127\.0\.0\.1, status-[ab]@127\.0\.0\.1\n/);
    assert.match(
      running,
      new RegExp(`d1: \\{distributed,'${name}'\\}; ${name}, then ${other}; restart after 60000 ms\\n`),
    );
    assert.match(running, new RegExp(`permitted on .*; standbys ${other}\\n`));
    assert.doesNotMatch(running, /timer:/);
    const id = tuple(atom('a_resource'), 7);
    const locked = await new Promise<string>((resolve, reject) => {
      b.spawn(async (self) => {
        await globalOf(self).setLock(self, id, [b.name]);
        ask().then(resolve, reject);
        await self.receive(() => undefined); // as long as the node lives
      });
    });
    assert.match(locked, /\n {2}lock {10}a_resource for 7, held by <\S+>\n$/);
    await a.stop();
    const deadline = Date.now() + 5000;
    while (!(await ask()).includes('timer:')) assert.ok(Date.now() < deadline, 'the death is noticed');
    const { timers, distributed, locks } = JSON.parse(await ask('--json')) as Status;
    assert.deepEqual(timers, [{ application: 'd1', since: name, restartMs: '60000' }]);
    assert.deepEqual(distributed?.[0]?.ranks, [[name], [other]]);
    assert.equal(locks?.length, 1);
  } finally {
    await Promise.all([a.stop(), b.stop()]);
    await epmd.close();
  }
});
