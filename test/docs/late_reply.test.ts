import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLink } from '../../docs/examples/late_reply.js';
import { atom, call, type Process, startNode, type Term, tuple } from '../../src/index.js';

test('the example of a late reply serves others while one answer takes long', async () => {
  const node = await startNode({
    name: 'late@127.0.0.1',
    cookie: 'C',
    epmd: false,
    fixedPort: 1,
    listen: false,
  });
  try {
    const answers = await new Promise<Term[]>((resolve) => {
      node.spawn(async (self: Process) => {
        let arrive: ((value: number) => void) | undefined;
        const slow = new Promise<number>((done) => {
          arrive = done;
        });
        const look = (key: string): Promise<number> =>
          key === 'slow'
            ? slow
            : key === 'quick'
              ? Promise.resolve(1)
              : Promise.reject(new Error('no such key'));
        const started = await startLink(self, look);
        assert.ok('ok' in started);
        const fetch = (caller: Process, key: string): Promise<Term> =>
          call(caller, started.ok, tuple(atom('fetch'), atom(key)));
        const first = new Promise<Term>((done) => {
          self.spawn(async (other) => done(await fetch(other, 'slow')));
        });
        const others = [await fetch(self, 'quick'), await fetch(self, 'none')];
        arrive?.(2);
        resolve([...others, await first]);
      });
    });
    assert.deepEqual(answers, [tuple(atom('ok'), 1), atom('error'), tuple(atom('ok'), 2)]);
  } finally {
    await node.stop();
  }
});
