import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOG_LEVELS } from '../../src/erts/log.js';
import { createLog, type LogOptions } from '../../src/kernel/logger.js';
import { atom } from '../../src/terms/atom.js';
import { map } from '../../src/terms/map.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';

function capture(options: Omit<LogOptions, 'write'>): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ ...options, write: (text) => lines.push(text) }), lines };
}

test('style json is one object a line with the name of the level', () => {
  const { log, lines } = capture({ style: 'json' });
  log('notice', 'connected', { node: 'abc@h' });
  const event = JSON.parse(lines.join('')) as Record<string, unknown>;
  assert.deepEqual({ ...event, time: 0 }, { level: 'notice', time: 0, node: 'abc@h', msg: 'connected' });
  assert.ok(Math.abs(Date.parse(String(event['time'])) - Date.now()) < 60_000);
});

test('style line is one line for a person', () => {
  const { log, lines } = capture({ style: 'line' });
  log('error', 'lost abc@h', { reason: 'net_tick_timeout', text: 'two words', number: 5 });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] as string,
    /^\d\d:\d\d:\d\d\.\d{3} \[error\] lost abc@h reason=net_tick_timeout text="two words" number=5\n$/,
  );
});

test('the level decides what is shown: notice and above by default, nothing at none', () => {
  const shown = (level?: LogOptions['level']): number => {
    const { log, lines } = capture({ style: 'json', ...(level === undefined ? {} : { level }) });
    for (const each of LOG_LEVELS) {
      log(each, 'text');
    }
    return lines.length;
  };
  assert.deepEqual([shown(), shown('debug'), shown('error'), shown('none')], [6, 8, 4, 0]);
});

test('reports of progress are events of level info, which can be left out', () => {
  const report = map([atom('label'), tuple(atom('supervisor'), atom('progress'))]);
  const shown = (options: Pick<LogOptions, 'level' | 'progress'>): number => {
    const { log, lines } = capture({ style: 'json', ...options });
    log(
      'info',
      'a child is started',
      {},
      { pid: new Pid(atom('a@h'), 1, 0, 1), groupLeader: undefined, report },
    );
    log('info', 'another event');
    return lines.length;
  };
  assert.equal(shown({ level: 'info' }), 2);
  assert.equal(shown({ level: 'info', progress: false }), 1);
  assert.equal(shown({ level: 'debug', progress: false }), 1);
  assert.equal(shown({}), 0);
});

test('colours mark what is wrong', () => {
  const { log, lines } = capture({ style: 'line', colours: true });
  log('notice', 'all is well');
  log('warning', 'take care');
  assert.deepEqual(
    lines.map((text) => text.startsWith('\x1b[')),
    [false, true],
  );
});
