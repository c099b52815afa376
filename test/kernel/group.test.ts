import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exit } from '../../src/errors.js';
import type { System } from '../../src/erts/system.js';
import { CodeServer } from '../../src/kernel/code.js';
import { serve } from '../../src/kernel/erpc_server.js';
import { startLeader } from '../../src/kernel/group.js';
import * as io from '../../src/stdlib/io.js';
import { atom } from '../../src/terms/atom.js';
import { binary, charlist } from '../../src/terms/binary.js';
import { format as show } from '../../src/terms/format.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok, same } from '../support/process.js';

const PUT = atom('put_chars');
const UNICODE = atom('unicode');
const OK = atom('ok');
const ERROR = atom('error');
const EOF = atom('eof');

interface Leader {
  readonly leader: Pid;
  readonly written: string[];
}

async function leaderOn(system: System): Promise<Leader> {
  const written: string[] = [];
  const leader = await inProcess(system, (self) => ok(startLeader(self, (text) => written.push(text))));
  return { leader, written };
}

const format = (fmt: string, ...args: Term[]): Term =>
  tuple(PUT, UNICODE, atom('io_lib'), atom('format'), [charlist(fmt), args]);

test('a group leader answers every request of the I/O protocol, from here and from elsewhere', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const { leader, written } = await leaderOn(b);
  for (const system of [a, b]) {
    written.length = 0;
    await inProcess(system, async (self) => {
      self.groupLeader = leader;
      const ask = (request: Term): Promise<Term> => io.request(self, request);
      assert.equal(await ask(tuple(PUT, UNICODE, binary('λ\n'))), OK);
      assert.equal(await ask(tuple(PUT, atom('latin1'), Uint8Array.of(0xe9))), OK);
      assert.equal(await ask(tuple(PUT, charlist('old'))), OK);
      assert.equal(await ask(format('~p ~s~n', tuple(1, 2), charlist('x'))), OK);
      assert.equal(await ask(tuple(PUT, atom('io_lib'), atom('nl'), [])), OK);
      same(await ask(format('~p')), tuple(ERROR, atom('format')));
      assert.equal(await ask(tuple(atom('get_line'), UNICODE, charlist('> '))), EOF);
      assert.equal(await ask(tuple(atom('get_chars'), UNICODE, [], 5)), EOF);
      assert.equal(await ask(tuple(atom('get_until'), UNICODE, [], atom('m'), atom('f'), [])), EOF);
      assert.equal(await ask(tuple(atom('setopts'), [])), OK);
      same(await ask(tuple(atom('get_geometry'), atom('columns'))), tuple(ERROR, atom('enotsup')));
      same(await ask(atom('getopts')), [tuple(atom('binary'), false), tuple(atom('encoding'), UNICODE)]);
      const several = [tuple(PUT, UNICODE, binary('1')), format('~p'), tuple(PUT, UNICODE, binary('2'))];
      same(await ask(tuple(atom('requests'), several)), tuple(ERROR, atom('format')));
      same(await ask(tuple(atom('requests'), [tuple(PUT, UNICODE, binary('3'))])), OK);
      same(await ask(atom('nonsense')), tuple(ERROR, atom('request')));
      same(await ask(tuple(1)), tuple(ERROR, atom('request')));
      await io.putChars(self, 'text');
      await io.format(self, '~w~n', [atom('done')]);
      assert.equal(await io.getLine(self, '> '), undefined);
      assert.equal(self.mailbox.size, 0);
    });
    assert.deepEqual(written, ['λ\n', 'é', 'old', '{1,2} x\n', '\n', '1', '3', 'text', 'done\n']);
  }
});

test('input is read from a group leader that has some', async () => {
  const system = new MemoryCluster().start('a');
  const answers = [charlist('line\n'), binary('λx'), tuple(ERROR, atom('einval')), EOF];
  const asked: string[] = [];
  const leader = system.spawn(async (self) => {
    for (const answer of answers) {
      const [, from, replyAs, request] = ((await self.next()) as Tuple).elements as [Term, Pid, Term, Term];
      asked.push(show(request));
      self.send(from, tuple(atom('io_reply'), replyAs, answer));
    }
  });
  await inProcess(system, async (self) => {
    self.groupLeader = leader.pid;
    assert.equal(await io.getLine(self, '> '), 'line\n');
    assert.equal(await io.getChars(self, 2), 'λx');
    await assert.rejects(
      io.getLine(self),
      (error) => error instanceof Exit && error.reason === atom('einval'),
    );
    assert.equal(await io.getLine(self), undefined);
  });
  assert.deepEqual(asked.slice(0, 2), ['{get_line,unicode,<<"> ">>}', '{get_chars,unicode,<<>>,2}']);
});

test('lists of requests in lists of requests are served in order, however deep', async () => {
  const system = new MemoryCluster().start('a');
  const { leader, written } = await leaderOn(system);
  const list = (...all: Term[]): Term => tuple(atom('requests'), all);
  const put = (text: string): Term => tuple(PUT, UNICODE, binary(text));
  let deep = put('deep');
  for (let i = 0; i < 100_000; i++) deep = list(deep);
  await inProcess(system, async (self) => {
    self.groupLeader = leader;
    assert.equal(
      await io.request(self, list(put('1'), list(put('2'), list(), put('3')), deep, put('4'))),
      OK,
    );
    same(
      await io.request(self, list(put('5'), list(list(format('~p'))), put('6'))),
      tuple(ERROR, atom('format')),
    );
    same(await io.request(self, list(list(tuple(atom('requests'), 5)))), tuple(ERROR, atom('request')));
  });
  assert.deepEqual(written, ['1', '2', '3', 'deep', '4', '5']);
});

test('what we cannot format exactly the sender is asked to format', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const code = new CodeServer();
  code.define('io_lib', 'format', 2, () => charlist('as OTP would'));
  serve(a, code);
  const { leader, written } = await leaderOn(b);
  await inProcess(a, async (self) => {
    self.groupLeader = leader;
    await io.format(self, '~p', [charlist('x'.repeat(100)).map(() => 1)]);
    await io.format(self, '~Q', [1]);
    assert.deepEqual(written, ['as OTP would', 'as OTP would']);
  });
});

test('a leader that ends is told as terminated', async () => {
  const system = new MemoryCluster().start('a');
  const { leader } = await leaderOn(system);
  await inProcess(system, async (self) => {
    self.groupLeader = leader;
    self.exitSignal(leader, atom('kill'));
    same(await io.request(self, atom('getopts')), tuple(ERROR, atom('terminated')));
    self.groupLeader = new Pid(atom('gone@127.0.0.1'), 1, 0, 1);
    same(await io.request(self, atom('getopts')), tuple(ERROR, atom('terminated')));
  });
});
