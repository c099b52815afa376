import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as genEvent from '../../src/stdlib/gen_event.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok } from '../support/process.js';

test('every handler gets every event; one that throws is removed', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const seen: Term[] = [];
  const handlers = new Map([
    [atom('good'), (event: Term): void => void seen.push(event)],
    [
      atom('bad'),
      (): void => {
        throw new Error('no');
      },
    ],
  ]);
  await inProcess(b, (self) =>
    ok(genEvent.startLink(self, handlers, { name: atom('events') })).then((pid) => self.unlink(pid)),
  );
  await inProcess(a, async (self) => {
    const events = tuple(atom('events'), b.node);
    assert.deepEqual(await genEvent.whichHandlers(self, events), [atom('good'), atom('bad')]);
    assert.equal(await genEvent.syncNotify(self, events, 1), true);
    assert.deepEqual(await genEvent.whichHandlers(self, events), [atom('good')]);
    genEvent.notify(self, events, 2);
    await eventually('the event arrives', () => seen.length === 2);
    assert.equal(await genEvent.syncNotify(self, tuple(atom('nobody'), b.node), 1), false);
  });
});
