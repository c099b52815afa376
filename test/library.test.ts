// otpnode as a guest in somebody's program: it stays out of what belongs to the program.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { startEpmdServer } from '../src/dist/epmd.js';
import { names } from '../src/dist/erl_epmd.js';

test('as a library it installs no signal handler, prints nothing, ends with its block, and never ends the process', async (t) => {
  const epmd = await startEpmdServer({ port: 0 });
  t.after(() => epmd.close());
  const user = fork(resolve('build/test/support/library_user.js'), [String(epmd.port)], { silent: true });
  let printed = '';
  for (const stream of [user.stdout, user.stderr]) {
    stream?.on('data', (chunk) => {
      printed += String(chunk);
    });
  }
  const closed = once(user, 'close');
  const told = once(user, 'message');
  await Promise.race([told, closed]);
  const [code] = await closed;
  assert.deepEqual([code, printed], [0, '']);
  const [{ before, during, after, events }] = await told;
  assert.deepEqual(during, before);
  assert.deepEqual(after, before);
  assert.deepEqual(events, ['stopped', 'left', 'fatal: {application_terminated,distro,killed}']);
  assert.deepEqual(await names({ port: epmd.port }), []);
});
