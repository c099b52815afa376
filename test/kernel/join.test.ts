import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JoiningNode, join } from '../../src/kernel/join.js';
import { type Atom, atom } from '../../src/terms/atom.js';

/** A node that notes whom it dials; `up` can be reached. */
function fakeNode(
  up: Set<string>,
): JoiningNode & { dialled: string[]; connected: Set<string>; removing: Set<string>; warned: string[] } {
  const connected = new Set<string>();
  const removing = new Set<string>();
  const dialled: string[] = [];
  const warned: string[] = [];
  return {
    ...{ connected, removing, dialled, warned },
    name: atom('me@h'),
    isConnected: (node: Atom) => connected.has(node.name),
    isRemoving: (node: Atom) => removing.has(node.name),
    connect: (node: Atom) => {
      dialled.push(node.name);
      if (up.has(node.name)) connected.add(node.name);
      return Promise.resolve(up.has(node.name));
    },
    warn: (text: string) => warned.push(text),
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const FAST = { minPauseMs: 1, maxPauseMs: 4 };

test('connects to all seeds but itself, and again to one that is lost', async () => {
  const node = fakeNode(new Set(['a@h', 'b@h']));
  const joining = join(node, { seeds: ['a@h', 'me@h', 'b@h'], ...FAST });
  assert.equal(await joining.first, true);
  assert.deepEqual(node.dialled, ['a@h', 'b@h']);
  node.connected.delete('b@h');
  await until(() => node.connected.has('b@h'));
  assert.deepEqual(node.dialled, ['a@h', 'b@h', 'b@h']);
  joining.stop();
});

test('tries again until a seed is up; without retry once', async () => {
  const up = new Set<string>();
  const node = fakeNode(up);
  const joining = join(node, { seeds: () => Promise.resolve(['a@h']), ...FAST });
  assert.equal(await joining.first, false);
  await until(() => node.dialled.length > 3);
  up.add('a@h');
  await until(() => node.connected.has('a@h'));
  joining.stop();
  const once = fakeNode(new Set());
  assert.equal(await join(once, { seeds: ['a@h'], retry: false, ...FAST }).first, false);
  assert.deepEqual(once.dialled, ['a@h']);
});

test('leaves a node alone that global is removing', async () => {
  const node = fakeNode(new Set(['a@h']));
  node.removing.add('a@h');
  const joining = join(node, { seeds: ['a@h'], ...FAST });
  assert.equal(await joining.first, false);
  assert.deepEqual(node.dialled, []);
  node.removing.clear();
  await until(() => node.connected.has('a@h'));
  joining.stop();
});

test('seeds that cannot be found are told and asked for again', async () => {
  const node = fakeNode(new Set(['a@h']));
  let asked = 0;
  const seeds = (): string[] => {
    if (++asked === 1) throw new Error('no DNS');
    return ['a@h'];
  };
  const joining = join(node, { seeds, ...FAST });
  assert.equal(await joining.first, false);
  await until(() => node.connected.has('a@h'));
  assert.deepEqual(node.warned, ['the nodes to join could not be found: no DNS']);
  joining.stop();
});

test('while all are connected the seeds are not looked for again and again, but now and then', async () => {
  const node = fakeNode(new Set(['a@h', 'b@h']));
  let asked = 0;
  const seeds = (): string[] => (++asked < 3 ? ['a@h'] : ['a@h', 'b@h']);
  const looks: number[] = [];
  const isConnected = (seed: Atom): boolean => {
    looks.push(asked);
    return node.connected.has(seed.name);
  };
  using _ = join({ ...node, isConnected }, { seeds, minPauseMs: 1, maxPauseMs: 40 });
  await until(() => node.connected.has('b@h'));
  assert.equal(asked, 3);
  assert.ok(looks.length > 2 * asked, `${looks.length} looks`);
  node.connected.delete('a@h');
  await until(() => node.connected.has('a@h'));
  assert.equal(asked, 4);
});

test('a function that hangs is asked again, and told that nobody waits any more', async () => {
  const node = fakeNode(new Set(['a@h']));
  const signals: AbortSignal[] = [];
  const seeds = (signal: AbortSignal): Promise<string[]> => {
    signals.push(signal);
    return signals.length === 1 ? new Promise(() => {}) : Promise.resolve(['a@h']);
  };
  using _ = join(node, { seeds, ...FAST });
  await until(() => node.connected.has('a@h'));
  assert.deepEqual(node.warned, ['the nodes to join could not be found: no answer within 4 ms']);
  assert.deepEqual(
    signals.slice(0, 2).map(({ aborted }) => aborted),
    [true, false],
  );
});

test('rubbish that a function finds is told, and what is good among it is used', async () => {
  const answers: unknown[] = [undefined, 'a@h', [5, 'nobody', 'x@y@z', '', 'a@h', 'a@h'], ['a@h']];
  const node = fakeNode(new Set(['a@h']));
  const seeds = (() => answers.shift()) as () => string[];
  using _ = join(node, { seeds, minPauseMs: 1, maxPauseMs: 60_000 });
  await until(() => node.connected.has('a@h'));
  assert.deepEqual(node.dialled, ['a@h']);
  assert.deepEqual(node.warned, [
    'the nodes to join could not be found: expected an array of node names, got undefined',
    'the nodes to join could not be found: expected an array of node names, got "a@h"',
    'no nodes to join, for they have not the form name@host: [5,"nobody","x@y@z",""]',
  ]);
});

test('the signal stops joining, also while seeds are looked for, and before it begins', async () => {
  const node = fakeNode(new Set(['a@h']));
  const stop = new AbortController();
  const joining = join(node, { seeds: () => new Promise(() => {}), signal: stop.signal });
  stop.abort();
  assert.equal(await joining.first, false);
  const late = join(node, { seeds: () => assert.fail('asked'), signal: stop.signal });
  assert.equal(await late.first, false);
  assert.deepEqual([node.dialled, node.warned], [[], []]);
});
