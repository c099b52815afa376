import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exit } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import { atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { FakeClock } from '../support/fake_clock.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess } from '../support/process.js';

const system = (): ReturnType<MemoryCluster['start']> => new MemoryCluster().start('a');

test('receive takes the first that matches and leaves the rest in order; timeouts give nothing', async () => {
  await inProcess(system(), async (self) => {
    for (const message of [1, atom('a'), 2, atom('b')]) self.send(self.pid, message);
    const isAtom = (m: Term): Term | undefined => (typeof m === 'object' ? m : undefined);
    assert.equal(await self.receive(isAtom), atom('a'));
    assert.equal(await self.receive(isAtom, undefined, 2), atom('b'));
    assert.equal(await self.receive(isAtom, 1), undefined);
    assert.deepEqual([self.poll(), self.poll(), self.poll()], [1, 2, undefined]);
    assert.equal(await self.next(0), undefined);
    self.sendAfter(1, self.pid, 5);
    assert.equal(await self.next(), 5);
    self.cancelTimer(self.sendAfter(1, self.pid, 6));
    assert.equal(await self.next(5), undefined);
  });
});

test('a timer whose message cannot be sent harms nobody', async () => {
  const own = system();
  const logged: string[] = [];
  own.log = (_level, text) => void logged.push(text);
  await inProcess(own, async (self) => {
    self.sendAfter(0, tuple(1, 2), 3);
    await eventually('the log', () => logged.length === 1);
    assert.match(logged[0] ?? '', /sent by a timer is lost/);
  });
});

test('two processes that play ping-pong for ever do not hold the event loop', async () => {
  const own = system();
  const player = async (self: Process): Promise<void> => {
    for (;;) {
      const other = await self.next();
      if (other instanceof Pid) self.send(other, self.pid);
    }
  };
  const [left, right] = [own.spawn(player), own.spawn(player)];
  // a single ball, then so many that no mailbox is ever empty
  for (const balls of [1, 100]) {
    for (let i = 0; i < balls; i++) own.send(right.pid, left.pid, right.pid);
    const before = left.reductions;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(left.reductions > before);
  }
  for (const process of [left, right]) process.end(atom('kill'));
});

test('after its exit a process can do nothing: its methods throw, its timers end, its signal is aborted', async () => {
  const clock = new FakeClock();
  const own = new MemoryCluster().start('a', { clock });
  const receiver = own.spawn(async (self) => void (await self.receive(() => undefined)));
  let late: unknown;
  const process = own.spawn(async (self) => {
    self.sendAfter(30, receiver.pid, 1);
    await new Promise((resolve) => self.signal.addEventListener('abort', resolve));
    try {
      self.send(receiver.pid, 2);
    } catch (error) {
      late = error;
    }
  });
  await eventually('it runs', () => own.processCount === 2);
  await new Promise((resolve) => setImmediate(resolve));
  process.end(atom('over'));
  await eventually('the attempt', () => late !== undefined);
  assert.ok(late instanceof Exit && late.reason === atom('over'));
  assert.ok(process.signal.aborted);
  clock.advance(60);
  assert.equal(receiver.mailbox.size, 0);
  assert.throws(() => own.spawn(() => {}, { link: process }), Exit);
});

test('names: one for each process, free again when it ends', async () => {
  const own = system();
  const name = atom('name');
  const first = own.spawn(async (self) => void (await self.next()), { name });
  assert.throws(() => own.spawn(() => {}, { name }));
  assert.equal(own.whereis(name), first);
  first.end(atom('x'));
  assert.equal(own.whereis(name), undefined);
  assert.equal(own.processCount, 0);
});

test('pids of earlier incarnations and made-up ones are nobody’s', () => {
  const own = system();
  const { pid } = own.spawn(async (self) => void (await self.next()));
  assert.ok(own.process(new Pid(pid.node, pid.number, pid.serial, pid.creation)) !== undefined);
  assert.equal(own.process(new Pid(pid.node, pid.number, pid.serial, pid.creation - 1)), undefined);
  assert.equal(own.process(new Pid(atom('b@127.0.0.1'), pid.number, pid.serial, pid.creation)), undefined);
  assert.equal(own.process(new Pid(pid.node, pid.number + 2 ** 15, pid.serial - 1, pid.creation)), undefined);
});

test('a process that is not asked for more than the limit is refused', () => {
  const own = new MemoryCluster().start('a', { processLimit: 2 });
  const idle = async (self: Process): Promise<void> => void (await self.next());
  own.spawn(idle);
  own.spawn(idle);
  assert.throws(() => own.spawn(idle), { code: 'error' });
});
