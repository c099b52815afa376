import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../src/erts/process.js';
import { type GenServer, startLink as startServer } from '../../src/stdlib/gen_server.js';
import * as supervisor from '../../src/stdlib/supervisor.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, type Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok, same } from '../support/process.js';

const OK = atom('ok');
const ERROR = atom('error');
const SUP = atom('sup');
const SIMPLE = atom('simple_one_for_one');
const worker: GenServer<number> = {
  init: () => ({ state: 0 }),
  handleInfo(message, state) {
    return message === atom('stop') ? { state, stop: atom('normal') } : { state, stop: message };
  },
};

function child(name: string, more: Partial<supervisor.ChildSpec> = {}): supervisor.ChildSpec {
  return { id: atom(name), start: (sup) => startServer(sup, worker, [], { name: atom(name) }), ...more };
}

/** The pid that has the name. */
const at = (self: Process, name: string): Pid | undefined => self.system.whereis(atom(name))?.pid;

async function restarted(self: Process, name: string, old: Pid | undefined): Promise<void> {
  await eventually(`${name} is restarted`, () => {
    const now = at(self, name);
    return now !== undefined && now.key !== old?.key;
  });
}

const cluster = (): ReturnType<MemoryCluster['start']> => new MemoryCluster().start('a');

test('children start in order, are listed latest first, and end in reverse order', async () => {
  await inProcess(cluster(), async (self) => {
    const order: string[] = [];
    const noting = (name: string): supervisor.ChildSpec => ({
      id: atom(name),
      modules: [atom(name)],
      start: (sup) =>
        startServer(
          sup,
          {
            init(own) {
              own.trapExit = true;
              order.push(`+${name}`);
              return { state: 0 };
            },
            terminate: () => void order.push(`-${name}`),
          },
          [],
        ),
    });
    const pid = await ok(supervisor.startLink(self, {}, [noting('x'), noting('y')], { name: SUP }));
    const children = (await supervisor.whichChildren(self, SUP)) as readonly Tuple[];
    assert.deepEqual(
      children.map((c) => (c.elements[0] as Atom).name),
      ['y', 'x'],
    );
    same(children[0]?.elements[2], atom('worker'));
    same(children[0]?.elements[3], [atom('y')]);
    same(await supervisor.countChildren(self, pid), [
      tuple(atom('specs'), 2),
      tuple(atom('active'), 2),
      tuple(atom('supervisors'), 0),
      tuple(atom('workers'), 2),
    ]);
    self.exitSignal(pid, atom('shutdown'));
    assert.ok(isTagged(await self.next(), atom('EXIT'), 3));
    assert.deepEqual(order, ['+x', '+y', '-y', '-x']);
  });
});

test('each strategy restarts whom it says', async () => {
  const expected = {
    one_for_one: [false, true, false],
    one_for_all: [true, true, true],
    rest_for_one: [false, true, true],
  } as const;
  for (const [strategy, changes] of Object.entries(expected)) {
    await inProcess(cluster(), async (self) => {
      const names = ['p', 'q', 'r'];
      await ok(
        supervisor.startLink(
          self,
          { strategy: strategy as supervisor.Strategy },
          names.map((n) => child(n)),
          {
            name: SUP,
          },
        ),
      );
      const before = names.map((name) => at(self, name));
      self.send(atom('q'), atom('crash'));
      await restarted(self, 'q', before[1]);
      await supervisor.whichChildren(self, SUP);
      const after = names.map((name, i) => at(self, name)?.key !== before[i]?.key);
      assert.deepEqual(after, changes, strategy);
    });
  }
});

test('restart types: transient after a crash only, temporary never', async () => {
  await inProcess(cluster(), async (self) => {
    const flags = { intensity: 10 };
    const children = [child('t', { restart: 'transient' }), child('o', { restart: 'temporary' })];
    await ok(supervisor.startLink(self, flags, children, { name: SUP }));
    const t = at(self, 't');
    self.send(atom('t'), atom('crash'));
    await restarted(self, 't', t);
    self.send(atom('t'), atom('stop'));
    self.send(atom('o'), atom('crash'));
    await eventually('both are gone', () => at(self, 't') === undefined && at(self, 'o') === undefined);
    same(await supervisor.whichChildren(self, SUP), [
      tuple(atom('t'), atom('undefined'), atom('worker'), []),
    ]);
    same(await supervisor.restartChild(self, SUP, atom('t')), tuple(OK, at(self, 't') as Pid));
  });
});

test('too many restarts end the supervisor with shutdown and its children with it', async () => {
  await inProcess(cluster(), async (self) => {
    const pid = await ok(
      supervisor.startLink(self, { intensity: 2, periodMs: 60_000 }, [child('p'), child('q')]),
    );
    for (let i = 0; i < 3; i++) {
      const old = at(self, 'p');
      self.send(atom('p'), atom('crash'));
      if (i < 2) await restarted(self, 'p', old);
    }
    same(await self.next(), tuple(atom('EXIT'), pid, atom('shutdown')));
    assert.equal(at(self, 'q'), undefined);
  });
});

test('a failing first start ends the others and tells which child it was', async () => {
  await inProcess(cluster(), async (self) => {
    const failing: supervisor.ChildSpec = { id: atom('f'), start: async () => ({ error: atom('no') }) };
    const result = await supervisor.startLink(self, {}, [child('p'), failing]);
    assert.ok('error' in result);
    same(result.error, tuple(atom('shutdown'), tuple(atom('failed_to_start_child'), atom('f'), atom('no'))));
    assert.equal(at(self, 'p'), undefined);
    assert.equal(self.mailbox.size, 0);
  });
});

test('a restart that fails is tried again until the intensity is used up', async () => {
  await inProcess(cluster(), async (self) => {
    let failures = 2;
    const flaky = child('p', {
      start: (sup) =>
        at(self, 'first') === undefined || failures-- <= 0
          ? startServer(sup, worker, [], { name: atom('p') })
          : Promise.resolve({ error: atom('not_yet') }),
    });
    await ok(supervisor.startLink(self, { intensity: 3 }, [flaky, child('first')], { name: SUP }));
    const old = at(self, 'p');
    self.send(atom('p'), atom('crash'));
    await restarted(self, 'p', old);
    assert.equal(failures, -1);
  });
});

test('children are added, ended, deleted and described as by OTP', async () => {
  await inProcess(cluster(), async (self) => {
    await ok(supervisor.startLink(self, {}, [], { name: SUP }));
    const started = await supervisor.startChild(self, SUP, child('p', { modules: [atom('m')] }));
    same(started, tuple(OK, at(self, 'p') as Pid));
    same(
      await supervisor.startChild(self, SUP, child('p')),
      tuple(ERROR, tuple(atom('already_started'), at(self, 'p') as Pid)),
    );
    same(await supervisor.deleteChild(self, SUP, atom('p')), tuple(ERROR, atom('running')));
    same(await supervisor.restartChild(self, SUP, atom('p')), tuple(ERROR, atom('running')));
    assert.equal(await supervisor.terminateChild(self, SUP, atom('p')), OK);
    same(await supervisor.startChild(self, SUP, child('p')), tuple(ERROR, atom('already_present')));
    same(await supervisor.terminateChild(self, SUP, atom('z')), tuple(ERROR, atom('not_found')));
    assert.equal(await supervisor.deleteChild(self, SUP, atom('p')), OK);
    same(await supervisor.deleteChild(self, SUP, atom('p')), tuple(ERROR, atom('not_found')));
    const ignoring: supervisor.ChildSpec = { id: atom('i'), start: async () => ({ ignore: true }) };
    same(await supervisor.startChild(self, SUP, ignoring), tuple(OK, atom('undefined')));
    const foreign = await supervisor.startDynamicChild(self, SUP, []);
    assert.ok(isTagged(foreign, ERROR, 2), 'a specification that is no code of ours is refused');
  });
});

test('a child that does not end in time is killed', async () => {
  await inProcess(cluster(), async (self) => {
    const stubborn = child('s', {
      shutdownMs: 5,
      start: async (sup) => ({
        ok: sup.spawnLink(async (own) => {
          own.trapExit = true;
          for (;;) await own.next();
        }),
      }),
    });
    const pid = await ok(supervisor.startLink(self, {}, [stubborn]));
    self.exitSignal(pid, atom('shutdown'));
    same(await self.next(), tuple(atom('EXIT'), pid, atom('shutdown')));
    assert.equal(self.system.processes().length, 1);
  });
});

test('a simple_one_for_one supervisor starts children with arguments and knows them by pid', async () => {
  await inProcess(cluster(), async (self) => {
    const seen: (readonly Term[])[] = [];
    const template = child('x', {
      restart: 'temporary',
      start: (sup, args) => {
        seen.push(args);
        return startServer(sup, worker, []);
      },
    });
    await ok(supervisor.startLink(self, { strategy: 'simple_one_for_one' }, [template], { name: SUP }));
    const one = await supervisor.startDynamicChild(self, SUP, [1]);
    await supervisor.startDynamicChild(self, SUP, [2, 3]);
    assert.deepEqual(seen, [[1], [2, 3]]);
    same(((await supervisor.countChildren(self, SUP)) as readonly Term[])[1], tuple(atom('active'), 2));
    const refused = tuple(ERROR, SIMPLE);
    same(await supervisor.terminateChild(self, SUP, atom('x')), refused);
    same(await supervisor.restartChild(self, SUP, atom('x')), refused);
    const pid = (one as Tuple).elements[1] as Pid;
    assert.equal(await supervisor.terminateChild(self, SUP, pid), OK);
    same(((await supervisor.countChildren(self, SUP)) as readonly Term[])[1], tuple(atom('active'), 1));
  });
});

// --- automatic shutdown

/** A supervisor with these flags and children, of which those named are significant; `stop` ends one of them. */
async function significant(
  autoShutdown: supervisor.AutoShutdown,
  restart: supervisor.Restart,
  body: (self: Process, pid: Pid, stop: (name: string, reason: string) => void) => Promise<void>,
): Promise<void> {
  await inProcess(cluster(), async (self) => {
    const children = [
      child('x', { restart, significant: true }),
      child('y', { restart, significant: true }),
      child('z', { restart: 'transient' }),
    ];
    const pid = await ok(supervisor.startLink(self, { autoShutdown }, children, { name: SUP }));
    await body(self, pid, (name, reason) => self.send(at(self, name) as Pid, atom(reason)));
  });
}

/** The reason in the exit of the supervisor. */
async function ended(self: Process): Promise<Term | undefined> {
  const exit = await self.receive(
    (message) => (isTagged(message, atom('EXIT'), 3) ? message : undefined),
    2000,
  );
  return exit?.elements[2];
}

test('any_significant: the supervisor ends with the first significant child that is not restarted', async () => {
  await significant('any_significant', 'transient', async (self, _pid, stop) => {
    const old = at(self, 'x');
    stop('x', 'crash'); // transient: restarted
    await restarted(self, 'x', old);
    stop('z', 'stop'); // not significant
    await eventually('z has ended', () => at(self, 'z') === undefined);
    assert.notEqual(at(self, 'sup'), undefined);
    stop('x', 'stop');
    assert.equal(await ended(self), atom('shutdown'));
    assert.equal(at(self, 'y'), undefined);
  });
});

test('all_significant: the supervisor ends with the last of them, however it ends', async () => {
  await significant('all_significant', 'temporary', async (self, _pid, stop) => {
    stop('x', 'crash');
    await eventually('x has ended', () => at(self, 'x') === undefined);
    assert.notEqual(at(self, 'sup'), undefined);
    stop('y', 'crash');
    assert.equal(await ended(self), atom('shutdown'));
    assert.equal(at(self, 'z'), undefined);
  });
});

test('a child that is ended on request does not end its supervisor', async () => {
  await significant('any_significant', 'transient', async (self, pid) => {
    assert.equal(await supervisor.terminateChild(self, pid, atom('x')), OK);
    assert.notEqual(at(self, 'sup'), undefined);
  });
});

test('simple_one_for_one: significant dynamic children end it, the last one or any', async () => {
  await inProcess(cluster(), async (self) => {
    const template = child('unused', {
      start: (sup) => startServer(sup, worker, []),
      restart: 'temporary',
      significant: true,
    });
    const flags = { strategy: 'simple_one_for_one', autoShutdown: 'all_significant' } as const;
    const pid = await ok(supervisor.startLink(self, flags, [template]));
    const started = [
      await supervisor.startDynamicChild(self, pid, []),
      await supervisor.startDynamicChild(self, pid, []),
    ].map((result) => (result as Tuple).elements[1] as Pid);
    self.send(started[0] as Pid, atom('stop'));
    await eventually('one is left', () => self.system.process(started[0] as Pid) === undefined);
    assert.notEqual(self.system.process(pid), undefined);
    self.send(started[1] as Pid, atom('stop'));
    assert.equal(await ended(self), atom('shutdown'));
  });
});

test("specifications that contradict themselves are refused in OTP's words, before anything is started", async () => {
  await inProcess(cluster(), async (self) => {
    const refusal = async (
      autoShutdown: supervisor.AutoShutdown,
      ...specs: supervisor.ChildSpec[]
    ): Promise<string> => {
      const result = await supervisor.startLink(self, { autoShutdown }, [child('first'), ...specs]);
      assert.equal(at(self, 'first'), undefined);
      return 'error' in result ? format(result.error) : 'it started';
    };
    assert.equal(
      await refusal('never', child('x', { restart: 'transient', significant: true })),
      '{start_spec,{bad_combination,[{auto_shutdown,never},{significant,true}]}}',
    );
    assert.equal(
      await refusal('any_significant', child('x', { significant: true })),
      '{start_spec,{bad_combination,[{restart,permanent},{significant,true}]}}',
    );
    assert.equal(await refusal('never', child('first')), '{start_spec,{duplicate_child_name,first}}');
    const pid = await ok(supervisor.startLink(self, {}, []));
    const added = await supervisor.startChild(self, pid, child('y', { significant: true }));
    assert.equal(format(added), '{error,{bad_combination,[{auto_shutdown,never},{significant,true}]}}');
  });
});
