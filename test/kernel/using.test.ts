import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallError, ConnectionError, Exit } from '../../src/errors.js';
import { startNode } from '../../src/index.js';
import { PgScope } from '../../src/kernel/pg_scope.js';
import { task } from '../../src/kernel/task.js';
import { aliasing, connecting, membership, monitoring } from '../../src/kernel/using.js';
import { atom } from '../../src/terms/atom.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok } from '../support/process.js';

test('a monitor and its message end with the block, and so does an alias', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const other = self.spawn(() => new Promise(() => {}));
    {
      using watch = monitoring(self, other);
      assert.equal(self.monitoredItems().length, 1);
      self.exitSignal(other, atom('kill'));
      await eventually('the DOWN came', () => self.mailbox.size === 1);
      assert.equal(watch.ref.node, system.node);
    }
    assert.equal(self.mailbox.size, 0);
    assert.equal(self.monitoredItems().length, 0);
    let ref: ReturnType<typeof aliasing>['ref'];
    {
      using alias = aliasing(self);
      ref = alias.ref;
      self.send(ref, 1);
      assert.equal(await self.next(), 1);
    }
    self.send(ref, 2);
    assert.equal(await self.next(5), undefined);
  });
});

test('membership of a group ends with the block, also if the process or the scope has ended', async () => {
  const system = new MemoryCluster().start('a');
  const scope = new PgScope();
  const keeper = system.spawn(() => new Promise(() => {}));
  keeper.trapExit = true;
  const pid = await ok(scope.startLink(keeper));
  const member = system.spawn(() => new Promise(() => {}));
  const group = atom('g');
  {
    using _ = membership(scope, group, [member.pid, member.pid]);
    assert.equal(scope.getMembers(group).length, 2);
  }
  assert.equal(scope.getMembers(group).length, 0);
  {
    using _ = membership(scope, group, member.pid);
    keeper.exitSignal(pid, atom('kill'));
    await eventually('the scope has ended', () => system.process(pid) === undefined);
  }
});

test('a connection ends with the block, unless it was there before', async () => {
  const connected = new Set<string>();
  const node = {
    connect: (peer: { name: string }) => {
      if (peer.name !== 'gone@h') connected.add(peer.name);
      return Promise.resolve(peer.name !== 'gone@h');
    },
    netKernel: {
      disconnect: (peer: { name: string }) => connected.delete(peer.name),
      nodes: () => [...connected].map((name) => atom(name)),
    },
  };
  {
    using first = await connecting(node, 'b@h');
    assert.equal(first.node, atom('b@h'));
    {
      using _ = await connecting(node, atom('b@h'));
    }
    assert.equal(connected.size, 1);
  }
  assert.equal(connected.size, 0);
  await assert.rejects(connecting(node, 'gone@h'), ConnectionError);
});

test('a task gives its value, what it throws, and how it was ended', async () => {
  const system = new MemoryCluster().start('a');
  assert.equal(await task(system, (self) => self.node.name), 'a@127.0.0.1');
  const why = new TypeError('no');
  await assert.rejects(
    task(system, () => Promise.reject(why)),
    (error) => error === why,
  );
  await assert.rejects(
    task(system, (self) => {
      self.exitSignal(self.pid, atom('kill'));
      return new Promise(() => {});
    }),
    (error) => error instanceof Exit && error.reason === atom('killed'),
  );
});

test('a task that is given up is killed, and tells for how long it ran', async () => {
  const system = new MemoryCluster().start('a');
  const before = system.processes().length;
  const signals: AbortSignal[] = [];
  const never = (self: { signal: AbortSignal }): Promise<never> => {
    signals.push(self.signal);
    return new Promise(() => {});
  };
  await assert.rejects(task(system, never, { timeoutMs: 10 }), (error) => {
    assert.ok(error instanceof CallError);
    assert.deepEqual([error.code, error.node], ['timeout', 'a@127.0.0.1']);
    assert.ok(error.elapsedMs >= 9);
    return true;
  });
  const controller = new AbortController();
  const cause = new Error('enough');
  const waiting = task(system, never, { timeoutMs: Number.POSITIVE_INFINITY, signal: controller.signal });
  await eventually('it runs', () => signals.length === 2);
  controller.abort(cause);
  await assert.rejects(waiting, { code: 'aborted', cause });
  await assert.rejects(task(system, never, { signal: AbortSignal.abort() }), { code: 'aborted' });
  assert.equal(system.processes().length, before);
  assert.ok(signals.every((signal) => signal.aborted));
});

test('a node runs tasks, and joins for the time of a block', async () => {
  await using node = await startNode({
    name: 'using@127.0.0.1',
    cookie: 'C',
    epmd: false,
    fixedPort: 1,
    listen: false,
  });
  assert.equal(await node.task(() => 7), 7);
  {
    using joining = node.join({ seeds: [], retry: true });
    assert.equal(await joining.first, true);
  }
});
