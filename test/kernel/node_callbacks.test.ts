// What the user of the library hands in may fail: the node goes on, and tells.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type Node, startNode } from '../../src/node.js';
import type { NodeOptions } from '../../src/node_options.js';
import * as io from '../../src/stdlib/io.js';
import { atom } from '../../src/terms/atom.js';
import { binary } from '../../src/terms/binary.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually } from '../support/memory_cluster.js';
import { inProcess } from '../support/process.js';

/** A node that neither listens nor asks EPMD. */
async function node(t: TestContext, options: Partial<NodeOptions>): Promise<Node> {
  const started = await startNode({
    name: 'a@127.0.0.1',
    cookie: 'c',
    listen: false,
    epmd: false,
    ...options,
  });
  t.after(() => started.stop());
  return started;
}

const USER = atom('user');

test('a log that throws, or whose promise rejects, harms nobody', async (t) => {
  for (const log of [
    () => {
      throw new Error('disk full');
    },
    () => Promise.reject(new Error('disk full')),
  ] as NodeOptions['log'][]) {
    const own = await node(t, { ...(log === undefined ? {} : { log }) });
    own.spawn(() => {
      throw new Error('is to be logged');
    });
    assert.equal(await own.connect('nobody@127.0.0.1'), false);
    assert.equal(await own.connect('no name'), false);
    await own.stop();
  }
});

test('listeners of events that fail are logged, and the node stops all the same', async (t) => {
  const lines: string[] = [];
  const own = await node(t, { log: (_, text) => void lines.push(text) });
  own.events.on('fatal', () => {
    throw new Error('first');
  });
  own.events.on('stopped', async () => {
    throw new Error('second');
  });
  const stopped = once(own.events, 'stopped');
  own.system.whereis(atom('kernel_sup'))?.end(atom('kill'));
  await stopped;
  await eventually(
    'both are told',
    () => lines.filter((line) => /^a listener of the event/.test(line)).length === 2,
  );
  assert.ok(lines.includes('a listener of the event fatal failed: Error: first'));
  assert.ok(lines.includes('a listener of the event stopped failed: Error: second'));
});

test('an output that throws ends neither user nor who prints', async (t) => {
  const lines: string[] = [];
  const own = await node(t, {
    log: (_, text) => void lines.push(text),
    output: () => {
      throw new Error('closed');
    },
  });
  const user = own.system.whereis(USER);
  await inProcess(own.system, async (self) => {
    const request = tuple(atom('put_chars'), atom('unicode'), binary('x'));
    self.groupLeader = user?.pid;
    assert.equal(await io.request(self, request), atom('ok'));
  });
  assert.ok(user?.alive);
  assert.ok(lines.includes('output that a process printed is lost: Error: closed'));
});
