// monitor_nodes in all forms, as OTP 25 answers them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DFLAGS, HIDDEN_DFLAGS } from '../../src/dist/dflags.js';
import type { Process } from '../../src/erts/process.js';
import { NodeMonitor } from '../../src/kernel/node_monitor.js';
import { atom } from '../../src/terms/atom.js';
import { map } from '../../src/terms/map.js';
import { equals } from '../../src/terms/order.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { loggedSystem, ScriptedPeer } from '../support/wire.js';

const ALL = tuple(atom('node_type'), atom('all'));
const N = atom('peer@127.0.0.1');
const UP = atom('nodeup');
const DOWN = atom('nodedown');

function watching(options: Term[], flags: bigint = DEFAULT_DFLAGS) {
  const { system } = loggedSystem('here@127.0.0.1');
  const monitor = new NodeMonitor(system);
  const self = system.spawn(() => new Promise(() => {}));
  for (const option of options) assert.equal(monitor.monitorNodes(self, true, option), atom('ok'));
  const peer = new ScriptedPeer(system, { flags });
  const id = peer.channel.connectionId;
  peer.channel.close(atom('connection_closed'));
  return { self, id, monitor, system };
}

function expect(self: Process, ...messages: Term[]): void {
  for (const message of messages) {
    const came = self.poll();
    assert.ok(came !== undefined && equals(came, message), `${JSON.stringify(came)}`);
  }
  assert.equal(self.poll(), undefined);
}

const REASON = tuple(atom('nodedown_reason'), atom('connection_closed'));
const VISIBLE = tuple(atom('node_type'), atom('visible'));

test('without options: two elements', () => {
  const { self } = watching([[]]);
  expect(self, tuple(UP, N), tuple(DOWN, N));
});

test('options as a list give a list', () => {
  const { self } = watching([[atom('nodedown_reason')]]);
  expect(self, tuple(UP, N, []), tuple(DOWN, N, [REASON]));
});

test('all list options, in the order of OTP', () => {
  const { self, id } = watching([[ALL, atom('nodedown_reason'), atom('connection_id')]]);
  const connection = tuple(atom('connection_id'), id);
  expect(self, tuple(UP, N, [connection, VISIBLE]), tuple(DOWN, N, [connection, REASON, VISIBLE]));
});

test('options as a map give a map, also an empty one', () => {
  const { self } = watching([map()]);
  expect(self, tuple(UP, N, map()), tuple(DOWN, N, map()));
});

test('all map options', () => {
  const options = map(
    [atom('node_type'), atom('all')],
    [atom('nodedown_reason'), true],
    [atom('connection_id'), true],
  );
  const { self, id } = watching([options]);
  const up: [Term, Term][] = [
    [atom('connection_id'), id],
    [atom('node_type'), atom('visible')],
  ];
  expect(
    self,
    tuple(UP, N, map(...up)),
    tuple(DOWN, N, map(...up, [atom('nodedown_reason'), atom('connection_closed')])),
  );
});

test('hidden nodes are told only to those who asked for them', () => {
  const { self } = watching([[], [tuple(atom('node_type'), atom('hidden'))]], HIDDEN_DFLAGS);
  const hidden = [tuple(atom('node_type'), atom('hidden'))];
  expect(self, tuple(UP, N, hidden), tuple(DOWN, N, hidden));
});

test('each call counts, and one call with false ends all of that kind', () => {
  const { self, monitor, system } = watching([[], []]);
  expect(self, tuple(UP, N), tuple(UP, N), tuple(DOWN, N), tuple(DOWN, N));
  assert.equal(monitor.monitorNodes(self, false), atom('ok'));
  new ScriptedPeer(system);
  expect(self);
});

test('bad options are refused as by OTP', () => {
  const { self, monitor } = watching([]);
  const error = (why: string, what: Term): Term => tuple(atom('error'), tuple(atom(why), what));
  const cases: [Term, Term][] = [
    [[atom('foo')], error('unknown_options', [atom('foo')])],
    [map([atom('foo'), 1]), error('unknown_options', map([atom('foo'), 1]))],
    [atom('foo'), error('invalid_options', atom('foo'))],
    [[tuple(atom('node_type'), atom('x'))], error('bad_option_value', tuple(atom('node_type'), atom('x')))],
    [map([atom('connection_id'), 1]), error('bad_option_value', map([atom('connection_id'), 1]))],
  ];
  for (const [options, expected] of cases) {
    assert.ok(equals(monitor.monitorNodes(self, true, options), expected));
  }
});

test('a process that ended is told nothing more', () => {
  const { self, system } = watching([[]]);
  self.end(atom('normal'));
  assert.doesNotThrow(() => new ScriptedPeer(system));
});
