import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError } from '../../src/errors.js';
import type { Log } from '../../src/erts/log.js';
import type { System } from '../../src/erts/system.js';
import { forwarding, startLink } from '../../src/kernel/logger_proxy.js';
import { startErrorLogger } from '../../src/kernel/user.js';
import { atom } from '../../src/terms/atom.js';
import { binary, charlist } from '../../src/terms/binary.js';
import { map } from '../../src/terms/map.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok } from '../support/process.js';

interface Logged {
  readonly system: System;
  readonly lines: { level: string; text: string; fields: unknown }[];
}

async function logging(cluster: MemoryCluster, name: string): Promise<Logged> {
  const lines: Logged['lines'] = [];
  const log: Log = (level, text, fields) => void lines.push({ level, text, fields });
  const system = cluster.start(name, { log });
  system.log = forwarding(system, system.log);
  await inProcess(system, async (self) => {
    for (const start of [startLink, startErrorLogger]) self.unlink(await ok(start(self)));
  });
  lines.length = 0;
  return { system, lines };
}

test('events of other nodes are shown with level, text and metadata; nonsense is dropped', async () => {
  const { system, lines } = await logging(new MemoryCluster(), 'a');
  const far = new Pid(atom('far@127.0.0.1'), 7, 0, 1);
  const meta = map(
    [atom('pid'), far],
    [atom('gl'), far],
    [atom('line'), 3],
    [atom('time'), 1_700_000_000_000_000],
    [atom('request_id'), binary('F-17')],
    [atom('order'), tuple(atom('id'), 7)],
    [atom('level'), atom('mine')],
    [atom('error_logger'), map([atom('tag'), atom('error')])],
    [binary('no atom'), 1],
  );
  // error_logger:info_msg/2
  const infoMsg = map(
    [atom('label'), tuple(atom('error_logger'), atom('info_msg'))],
    [atom('format'), charlist('of ~w~n')],
    [atom('args'), [atom('old')]],
  );
  const events = [
    tuple(atom('log'), atom('warning'), charlist('a ~p~n'), [tuple(1)], meta),
    tuple(atom('log'), atom('error'), map([atom('k'), 1]), meta),
    tuple(atom('log'), atom('notice'), infoMsg, meta),
    tuple(atom('log'), atom('info'), binary('text'), map()),
    tuple(atom('log'), atom('info'), charlist('~p'), [], map()),
    tuple(atom('log'), atom('loud'), charlist('x'), map()),
    tuple(atom('log')),
    atom('log'),
  ];
  for (const event of events) system.send(far, atom('logger_proxy'), event);
  system.send(
    far,
    atom('error_logger'),
    tuple(atom('notify'), tuple(atom('error'), far, tuple(far, charlist('~w'), [1]))),
  );
  system.send(far, atom('error_logger'), tuple(atom('notify'), 1));
  await eventually('all are shown', () => lines.length === 6);
  assert.deepEqual(
    lines.map(({ level, text }) => `${level} ${text}`),
    ['warning a {1}', 'error #{k => 1}', 'notice of old', 'info text', 'info "~p" []', 'error 1'],
  );
  assert.deepEqual(lines[0]?.fields, {
    pid: '<far@127.0.0.1.7.0>',
    line: '3',
    node: 'far@127.0.0.1',
    at: '2023-11-14T22:13:20.000Z',
    metadata: Object.assign(Object.create(null), { request_id: 'F-17', order: '{id,7}', level: 'mine' }),
  });
});

test('metadata of other nodes is kept within limits', async () => {
  const { system, lines } = await logging(new MemoryCluster(), 'a');
  const many = Array.from({ length: 100 }, (_, i) => [atom(`key${i}`), binary('x'.repeat(1000))] as const);
  system.send(
    new Pid(atom('far@127.0.0.1'), 7, 0, 1),
    atom('logger_proxy'),
    tuple(atom('log'), atom('error'), binary('text'), map(...many)),
  );
  await eventually('it is shown', () => lines.length === 1);
  const [line] = lines as [Logged['lines'][number]];
  const { metadata } = line.fields as { metadata: Record<string, string> };
  assert.equal(Object.keys(metadata).length, 32);
  assert.equal(metadata['key0'], 'x'.repeat(200));
});

test('events of a process with a remote group leader go to its node, and stay here when it is away', async () => {
  const cluster = new MemoryCluster();
  const a = await logging(cluster, 'a');
  const b = await logging(cluster, 'b');
  const leader = b.system.spawn(async (self) => void (await self.next())).pid;
  const crash = (): void => {
    a.system.spawn(
      () => {
        throw new ErlangError(atom('oops'), [atom('here')]);
      },
      { groupLeader: leader },
    );
  };
  crash();
  await eventually('it is logged here', () => a.lines.length === 1);
  cluster.connect(a.system, b.system);
  crash();
  await eventually('it is logged there', () => b.lines.length === 1);
  assert.equal(a.lines.length, 1);
  assert.match(b.lines[0]?.text ?? '', /^Error in process .* with exit value:\n\{oops,\[here\]\}$/);
});
