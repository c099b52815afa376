import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError } from '../../src/errors.js';
import * as gen from '../../src/stdlib/gen.js';
import { type GenServer, start, startLink } from '../../src/stdlib/gen_server.js';
import * as sys from '../../src/stdlib/sys.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { ExportFun } from '../../src/terms/fun.js';
import { ImproperList } from '../../src/terms/list.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, type Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { exitOf, inProcess, ok, same } from '../support/process.js';

const OK = atom('ok');
const COUNTER = atom('counter');

/** Counts: `{add, N}` answers the sum; `boom` crashes; `stop` stops with an answer; `later` answers by a cast. */
const counter: GenServer<number> = {
  module: COUNTER,
  init: (_self, args) => ({ state: args as number }),
  handleCall(request, from, state, self) {
    if (isTagged(request, atom('add'), 2)) {
      const sum = state + (request.elements[1] as number);
      return { state: sum, reply: sum };
    }
    if (request === atom('get')) return { state, reply: state };
    if (request === atom('slow')) return Promise.resolve({ state: state + 1, reply: atom('slow') });
    if (request === atom('stop')) return { state, reply: OK, stop: atom('normal') };
    if (request === atom('later')) {
      self.send(self.pid, tuple(atom('answer'), from.pid, from.tag));
      return { state };
    }
    if (request === atom('never')) return { state };
    throw new ErlangError(tuple(atom('function_clause'), request), [atom('here')]);
  },
  handleCast: (message, state) => ({ state: state + (message as number) }),
  handleInfo(message, state, self) {
    if (isTagged(message, atom('answer'), 3)) {
      gen.reply(self, { pid: message.elements[1] as Pid, tag: message.elements[2] as Term }, atom('late'));
    }
    if (message === atom('timeout')) return { state: -1 };
    return { state, ...(message === atom('wait') ? { timeoutMs: 1 } : {}) };
  },
};

test('calls, casts and infos reach their callbacks in order, an awaiting callback holds the server', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const pid = await ok(startLink(self, counter, 1, { name: COUNTER }));
    gen.cast(self, COUNTER, 10);
    assert.equal(await gen.call(self, pid, tuple(atom('add'), 5)), 16);
    const slow = gen.sendRequest(self, pid, atom('slow'));
    const after = gen.sendRequest(self, pid, atom('get'));
    assert.deepEqual(await gen.receiveResponse(self, slow), { reply: atom('slow') });
    assert.deepEqual(await gen.receiveResponse(self, after), { reply: 17 });
    assert.equal(await gen.call(self, pid, atom('later')), atom('late'));
    while ((await gen.call(self, pid, atom('get'))) !== -1) {
      self.send(pid, atom('wait'));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    assert.equal(self.monitors.size, 0);
    assert.equal(self.aliases.size, 0);
    assert.equal(self.mailbox.size, 0);
  });
});

test('a call exits with the reasons of OTP', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  cluster.connect(a, b);
  await inProcess(a, async (self) => {
    const called = (server: Term, request: Term, ...rest: Term[]): Tuple =>
      tuple(atom('gen_server'), atom('call'), [server, request, ...rest]);
    const nobody = tuple(atom('nobody'), b.node);
    same(await exitOf(gen.call(self, atom('nobody'), 1)), tuple(atom('noproc'), called(atom('nobody'), 1)));
    same(await exitOf(gen.call(self, nobody, 1, 100)), tuple(atom('noproc'), called(nobody, 1, 100)));
    const global = tuple(atom('global'), 1);
    same(await exitOf(gen.call(self, global, 1)), tuple(atom('noproc'), called(global, 1)));
    const gone = tuple(atom('x'), atom('gone@127.0.0.1'));
    same(
      await exitOf(gen.call(self, gone, 1)),
      tuple(tuple(atom('nodedown'), atom('gone@127.0.0.1')), called(gone, 1)),
    );
    same(await exitOf(gen.call(self, self.pid, 1)), tuple(atom('calling_self'), called(self.pid, 1)));
    const pid = await ok(start(self, counter, 0));
    same(
      await exitOf(gen.call(self, pid, atom('boom'))),
      tuple(tuple(tuple(atom('function_clause'), atom('boom')), [atom('here')]), called(pid, atom('boom'))),
    );
    const other = await ok(start(self, counter, 0));
    same(
      await exitOf(gen.call(self, other, atom('never'), 5)),
      tuple(atom('timeout'), called(other, atom('never'), 5)),
    );
    assert.equal(await gen.call(self, other, atom('stop')), OK);
    same(await exitOf(gen.call(self, other, atom('get'))), tuple(atom('noproc'), called(other, atom('get'))));
  });
});

test('an answer that comes after the timeout is dropped, by alias and by pid', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  cluster.connect(a, b);
  for (const byPid of [false, true]) {
    let answered = false;
    const slow = b.spawn(async (self) => {
      const call = gen.parseCall((await self.next()) as Term);
      assert.ok(call !== undefined);
      await self.next();
      if (byPid) self.send(call.from.pid, tuple(call.from.tag, OK));
      else gen.reply(self, call.from, OK);
      self.send(call.from.pid, atom('done'));
      answered = true;
    });
    await inProcess(a, async (self) => {
      await exitOf(gen.call(self, slow.pid, 1, 1));
      self.send(slow.pid, atom('go'));
      assert.equal(await self.next(), atom('done'));
      assert.equal(self.mailbox.size, 0);
      assert.ok(answered);
    });
  }
});

test('every form of tag is echoed as it came, to the alias if it names one', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const pid = await ok(start(self, counter, 7));
    const ref = self.makeRef();
    const alias = self.alias();
    const plain = new ImproperList([atom('alias')], alias);
    const tags: Term[] = [
      ref,
      tuple(ref, system.node),
      tuple(atom('$gen_request_id'), ref),
      plain,
      new ImproperList([plain], atom('other')),
      [plain, 1, 2],
      atom('any'),
      [1, 2],
    ];
    for (const tag of tags) {
      self.send(pid, tuple(atom('$gen_call'), tuple(self.pid, tag), atom('get')));
      same(await self.next(), tuple(tag, 7));
    }
    self.unalias(alias);
    self.send(pid, tuple(atom('$gen_call'), tuple(self.pid, plain), atom('get')));
    self.send(pid, tuple(atom('$gen_call'), tuple(self.pid, ref), atom('get')));
    same(await self.next(), tuple(ref, 7));
  });
});

test('a start tells what init decided; a name is taken before and free after a failure', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const failing = (init: GenServer<number>['init']): GenServer<number> => ({ init });
    const started = (init: GenServer<number>['init']) =>
      startLink(self, failing(init), [], { name: COUNTER });
    assert.deepEqual(await started(() => ({ ignore: true })), { ignore: true });
    assert.deepEqual(await started(() => ({ stop: atom('bad') })), { error: atom('bad') });
    const thrown = await started(() => {
      throw new ErlangError(atom('badarg'), [atom('here')]);
    });
    assert.ok('error' in thrown);
    same(thrown.error, tuple(atom('badarg'), [atom('here')]));
    assert.equal(self.mailbox.size, 0, 'the exits of children that did not start are not seen');
    const pid = await ok(startLink(self, counter, 0, { name: COUNTER }));
    const again = await startLink(self, counter, 0, { name: COUNTER });
    assert.ok('error' in again);
    same(again.error, tuple(atom('already_started'), pid));
    const never = await startLink(
      self,
      failing(() => new Promise(() => {})),
      [],
      { timeoutMs: 5 },
    );
    assert.deepEqual(never, { error: atom('timeout') });
  });
});

test('a server ends with its parent and runs terminate', async () => {
  const system = new MemoryCluster().start('a');
  const ended: Term[] = [];
  const trapping: GenServer<number> = {
    init(self) {
      self.trapExit = true;
      return { state: 0 };
    },
    terminate: (reason) => void ended.push(reason),
  };
  const parent = system.spawn(async (self) => {
    await startLink(self, trapping, [], { name: COUNTER });
    await self.next();
  });
  await eventually('the server runs', () => system.whereis(COUNTER) !== undefined);
  await eventually('the parent waits', () => parent.waiting);
  parent.exitArrived(parent.pid, atom('shutdown'), 'exit2');
  await eventually('the server is gone', () => system.whereis(COUNTER) === undefined);
  assert.deepEqual(ended, [atom('shutdown')]);
});

test('multi_call tells the answers and the bad nodes in order', async () => {
  const cluster = new MemoryCluster();
  const [a, b, c] = [cluster.start('a'), cluster.start('b'), cluster.start('c')];
  for (const system of [a, b]) await inProcess(system, (self) => start(self, counter, 3, { name: COUNTER }));
  await inProcess(a, async (self) => {
    const nodes = [c.node, a.node, atom('gone@127.0.0.1'), b.node];
    const result = await gen.multiCall(self, nodes, COUNTER, atom('get'));
    assert.deepEqual(result, {
      replies: [
        [a.node, 3],
        [b.node, 3],
      ],
      bad: [c.node, nodes[2] as Atom],
    });
  });
});

test('system messages are answered as by a BEAM server', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const pid = await ok(startLink(self, counter, 7, { name: COUNTER }));
    assert.equal(await sys.getState(self, pid), 7);
    const status = await sys.getStatus(self, COUNTER);
    assert.ok(isTagged(status, atom('status'), 4));
    same(status.elements[2], tuple(atom('module'), COUNTER));
    const items = status.elements[3] as readonly Term[];
    assert.equal(items.length, 5);
    assert.equal(items[1], atom('running'));
    same(items[2], self.pid);
    await sys.suspend(self, pid);
    same(
      await exitOf(gen.call(self, pid, atom('get'), 5)),
      tuple(atom('timeout'), tuple(atom('gen_server'), atom('call'), [pid, atom('get'), 5])),
    );
    assert.equal(await sys.getState(self, pid), 7);
    await sys.resume(self, pid);
    assert.equal(await gen.call(self, pid, atom('get')), 7);
    const ask = async (request: Term): Promise<Term> => {
      const response = await gen.callAs(self, atom('system'), pid, request);
      assert.ok('reply' in response);
      return response.reply;
    };
    const unknown = (request: Term): Term => tuple(atom('error'), tuple(atom('unknown_system_msg'), request));
    same(await ask(atom('nonsense')), unknown(atom('nonsense')));
    const cannot = (why: string): string =>
      `{error,{callback_failed,{gen_server,system_replace_state},{error,${why}}}}`;
    assert.equal(format(await ask(tuple(atom('replace_state'), 1))), cannot('{badfun,1}'));
    const fun = new ExportFun(atom('m'), atom('f'), 1);
    assert.equal(format(await ask(tuple(atom('replace_state'), fun))), cannot('undef'));
    assert.equal(await ask(tuple(atom('debug'), atom('nonsense'))), atom('unknown_debug'));
    assert.equal(await ask(tuple(atom('debug'), tuple(atom('trace'), 1))), atom('unknown_debug'));
    const change = tuple(atom('change_code'), COUNTER, 1, []);
    same(await ask(change), unknown(change));
    assert.equal(await ask(tuple(atom('debug'), tuple(atom('statistics'), true))), OK);
    assert.equal(await ask(tuple(atom('debug'), tuple(atom('log'), true))), OK);
    await gen.call(self, pid, atom('get'));
    const kept = await ask(tuple(atom('debug'), tuple(atom('statistics'), atom('get'))));
    assert.ok(isTagged(kept, OK, 2));
    same((kept.elements[1] as readonly Term[])[3], tuple(atom('messages_in'), 1));
    assert.equal(await ask(tuple(atom('terminate'), atom('shutdown'))), OK);
    assert.ok(isTagged(await self.next(), atom('EXIT'), 3));
  });
});

test('what a server gets and sends is shown, kept and counted as with BEAM servers', async () => {
  const lines: string[] = [];
  const system = new MemoryCluster().start('a', { log: (level, text) => lines.push(`${level} ${text}`) });
  await inProcess(system, async (self) => {
    const pid = await ok(startLink(self, counter, 7, { name: COUNTER }));
    assert.equal(format(await sys.statistics(self, pid, 'get')), '{ok,no_statistics}');
    assert.equal(await sys.trace(self, pid, true), OK);
    assert.equal(await sys.log(self, pid, 2), OK);
    await gen.call(self, pid, atom('get'));
    gen.cast(self, pid, 1);
    self.send(pid, tuple(atom('other'), 1));
    await gen.call(self, pid, atom('get'));
    const own = format(self.pid);
    const name = `*DBG* ${COUNTER.name}`;
    const shown = lines.filter((line) => line.includes('*DBG*'));
    assert.deepEqual(shown, [
      `notice ${name} got call get from ${own}`,
      `notice ${name} sent 7 to ${own}`,
      `notice ${name} got cast 1`,
      `notice ${name} got {other,1}`,
      `notice ${name} got call get from ${own}`,
      `notice ${name} sent 8 to ${own}`,
    ]);
    const kept = await sys.log(self, pid, 'get');
    assert.ok(isTagged(kept, OK, 2));
    assert.equal((kept.elements[1] as readonly Term[]).length, 2);
    lines.length = 0;
    assert.equal(await sys.log(self, pid, 'print'), OK);
    assert.equal(lines.length, 2);
    assert.equal(await sys.noDebug(self, pid), OK);
    await gen.call(self, pid, atom('get'));
    assert.equal(lines.length, 2);
    assert.equal(format(await sys.log(self, pid, 'get')), '{ok,[]}');
  });
});

test('a flood of messages lets the event loop turn', async () => {
  const system = new MemoryCluster().start('a');
  const pid = await inProcess(system, (self) => ok(start(self, counter, 0)));
  let turns = 0;
  const count = (): void => {
    turns++;
    if (turns < 10) setImmediate(count);
  };
  setImmediate(count);
  const from = system.spawn(() => {}).pid;
  for (let i = 0; i < 30_000; i++) system.send(from, pid, tuple(atom('$gen_cast'), 1));
  await inProcess(system, async (self) => {
    assert.equal(await gen.call(self, pid, atom('get')), 30_000);
  });
  assert.equal(turns, 10);
});

test('a server that was killed while its callback awaited answers nobody', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    let answer: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const pid = await ok(
      start(
        self,
        {
          init: () => ({ state: 0 }),
          handleCall: (_request, _from, state) => held.then(() => ({ state, reply: OK })),
        },
        [],
      ),
    );
    // as callers without aliases ask
    self.send(pid, tuple(atom('$gen_call'), tuple(self.pid, self.makeRef()), OK));
    await eventually('the call', () => system.process(pid)?.waiting === false);
    self.exitSignal(pid, atom('kill'));
    answer();
    assert.equal(await self.next(20), undefined);
  });
});

test('an init that fails after its process was given up leaves the name to the next server', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    let fail: (error: Error) => void = () => {};
    const held = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const slow = await start(self, { init: () => held }, [], { name: COUNTER, timeoutMs: 1 });
    assert.deepEqual(slow, { error: atom('timeout') });
    const next = await ok(start(self, counter, 1, { name: COUNTER }));
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(system.whereis(COUNTER)?.pid, next);
  });
});
