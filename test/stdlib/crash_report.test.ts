import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError } from '../../src/errors.js';
import type { LogOrigin } from '../../src/erts/log.js';
import { createLog } from '../../src/kernel/logger.js';
import { spawnLink } from '../../src/stdlib/proc_lib.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { TermMap } from '../../src/terms/map.js';
import type { Term } from '../../src/terms/term.js';
import type { Tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess } from '../support/process.js';

/** The keys of OTP's crash report, in its order, and of its neighbours. */
const OWN =
  'initial_call pid registered_name error_info ancestors message_queue_len messages links dictionary trap_exit ' +
  'status heap_size stack_size reductions';
const NEIGHBOUR =
  'pid registered_name initial_call current_function ancestors message_queue_len links trap_exit status heap_size ' +
  'stack_size reductions current_stacktrace';

const keys = (pairs: Term): string =>
  (pairs as readonly Tuple[]).map(({ elements }) => format(elements[0] as Term)).join(' ');

test("a crash report has the content of OTP's, for BEAM nodes and in the log", async () => {
  const lines: string[] = [];
  const pino = createLog({ style: 'json', write: (text) => lines.push(text) });
  const reports: LogOrigin[] = [];
  const system = new MemoryCluster().start('a', {
    log: (level, text, fields, origin) => {
      if (origin?.report !== undefined) reports.push(origin);
      pino(level, text, fields, origin);
    },
  });
  await inProcess(system, async (self) => {
    const crash = async (): Promise<void> => {
      await Promise.resolve();
      throw new ErlangError(atom('why'), []);
    };
    spawnLink(
      self,
      async (child) => {
        child.register(atom('crasher'));
        child.dictionary.set(atom('key'), 7);
        const neighbour = child.spawnLink(() => new Promise(() => {}));
        child.dictionary.set(atom('neighbour'), neighbour);
        child.send(child.pid, atom('unread'));
        await crash();
      },
      [atom('m'), atom('f'), 2],
    );
    await eventually('it is told', () => reports.length === 1);
  });
  const [told] = reports as [LogOrigin];
  const report = (told.report as TermMap).get(atom('report')) as readonly Term[];
  const [own, neighbours] = report as readonly [Term, readonly Tuple[]];
  assert.equal(keys(own), OWN);
  assert.equal(neighbours.length, 1);
  assert.equal(keys(neighbours[0]?.elements[1] as Term), NEIGHBOUR);
  const event = JSON.parse(lines[0] as string) as {
    msg: string;
    crasher: Record<string, string>;
    neighbours: Record<string, string>[];
  };
  assert.match(event.msg, /^crasher: initial call: m:f\/2, pid: .*, registered_name: crasher, error: why$/);
  assert.equal(Object.keys(event.crasher).join(' '), OWN);
  const { initial_call, error_info, messages, message_queue_len, status, trap_exit } =
    event.crasher as Record<string, string>;
  assert.deepEqual(
    [initial_call, error_info?.slice(0, 30), messages, message_queue_len, status, trap_exit],
    [
      "{m,f,['Argument__1','Argument__2']}",
      '{error,why,[{javascript,crash,',
      '[unread]',
      '1',
      'running',
      'false',
    ],
  );
  assert.match(event.crasher['dictionary'] ?? '', /^\[{key,7},{neighbour,</);
  assert.equal(Object.keys(event.neighbours[0] ?? {}).join(' '), NEIGHBOUR);
});
