import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError, Exit, Thrown } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import { CodeServer } from '../../src/kernel/code.js';
import * as erpc from '../../src/kernel/erpc.js';
import { serve } from '../../src/kernel/erpc_server.js';
import { netKernelServer } from '../../src/kernel/net_kernel_server.js';
import * as rex from '../../src/kernel/rex.js';
import * as rpc from '../../src/kernel/rpc.js';
import * as gen from '../../src/stdlib/gen.js';
import { startLink as startServer } from '../../src/stdlib/gen_server.js';
import * as io from '../../src/stdlib/io.js';
import { atom } from '../../src/terms/atom.js';
import { binary } from '../../src/terms/binary.js';
import { ExportFun } from '../../src/terms/fun.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, ok, same } from '../support/process.js';

const M = atom('m');
const BADRPC = atom('badrpc');
const EXIT = atom('EXIT');
const HERE: Term = [tuple(M, atom('f'), 1, [])];

/** A node with rex that offers `m:value/1`, `m:throw/1`, `m:exit/1`, `m:error/1`, `m:never/0`, `m:print/1`. */
async function serving(cluster: MemoryCluster, name: string): Promise<{ system: System; code: CodeServer }> {
  const system = cluster.start(name);
  const code = new CodeServer();
  code.define('m', 'value', 1, ([value]) => value as Term);
  code.define('m', 'throw', 1, ([value]) => {
    throw new Thrown(value as Term);
  });
  code.define('m', 'exit', 1, ([value]) => {
    throw new Exit(value as Term);
  });
  code.define('m', 'error', 1, ([value]) => {
    throw new ErlangError(value as Term, HERE);
  });
  code.define('m', 'never', 0, (_args, self) => self.receive<Term>(() => undefined) as Promise<Term>);
  code.define('m', 'node', 0, (_args, self) => self.node);
  code.define('m', 'link', 1, ([reason], self) => {
    self.spawnLink(() => {
      throw new Exit(reason as Term);
    });
    return true;
  });
  code.define('m', 'print', 1, async ([text], self) => {
    await io.putChars(self, new TextDecoder().decode(text as Uint8Array));
    await io.format(self, '~p~n', [atom('formatted')]);
    return atom('printed');
  });
  serve(system, code);
  await inProcess(system, async (self) => {
    await ok(rex.startLink(self, code));
    self.unlink(system.whereis(rex.REX)?.pid as never);
  });
  return { system, code };
}

async function pair(): Promise<{ cluster: MemoryCluster; a: System; b: System }> {
  const cluster = new MemoryCluster();
  const [{ system: a }, { system: b }] = [await serving(cluster, 'a'), await serving(cluster, 'b')];
  cluster.connect(a, b);
  return { cluster, a, b };
}

async function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail('was to throw'),
    (error: unknown) => error,
  );
}

test('erpc gives values and throws what the function threw, in its class', async () => {
  const { a, b } = await pair();
  for (const node of [a.node, b.node]) {
    await inProcess(a, async (self) => {
      const call = (fun: string, ...args: Term[]): Promise<Term> =>
        erpc.call(self, node, M, atom(fun), args, 1000);
      assert.equal(await call('value', 7), 7);
      const threw = await thrown(call('throw', 8));
      assert.ok(threw instanceof Thrown && threw.value === 8);
      const exited = await thrown(call('exit', 9));
      assert.ok(exited instanceof Exit);
      same(exited.reason, tuple(atom('exception'), 9));
      const failed = await thrown(call('error', atom('oops')));
      assert.ok(failed instanceof ErlangError);
      same(failed.reason, tuple(atom('exception'), atom('oops'), HERE));
      assert.deepEqual(
        [threw, exited, failed].map(({ message }) => message),
        ['m:throw/1 on NODE threw: 8', 'm:exit/1 on NODE exited: 9', 'm:error/1 on NODE failed: oops'].map(
          (text) => text.replace('NODE', node.name),
        ),
      );
      const undef = await thrown(call('nothing', 1));
      assert.ok(undef instanceof ErlangError);
      same(undef.reason, tuple(atom('exception'), atom('undef'), [tuple(M, atom('nothing'), [1], [])]));
      assert.equal(self.mailbox.size, 0);
      assert.equal(self.monitors.size, 0);
    });
  }
});

test('an erpc call that times out is given up and leaves nothing behind', async () => {
  const { a, b } = await pair();
  await inProcess(a, async (self) => {
    const late = await thrown(erpc.call(self, b.node, M, atom('never'), [], 5));
    assert.ok(late instanceof ErlangError);
    same(late.reason, tuple(atom('erpc'), atom('timeout')));
    assert.match(
      late.message,
      /^the call of m:never\/0 on b@127\.0\.0\.1 is given up: no answer within 5 ms$/,
    );
    assert.equal(self.monitors.size, 0);
    await eventually('the request is forgotten', () => a.distEntry(b.node).spawns.size === 0);
    assert.equal(self.mailbox.size, 0);
  });
});

test('erpc tells of lost connections, of unreachable nodes and of executions that were killed', async () => {
  const { cluster, a, b } = await pair();
  await inProcess(a, async (self) => {
    const gone = await thrown(erpc.call(self, atom('gone@127.0.0.1'), M, atom('value'), [1]));
    assert.ok(gone instanceof ErlangError);
    same(gone.reason, tuple(atom('erpc'), atom('noconnection')));
    const killed = erpc.sendRequest(self, b.node, M, atom('never'), []);
    const before = new Set(b.processes());
    await eventually('it runs', () =>
      b.processes().some((p) => p.waiting && !p.registeredName && p.initialCall[0].name === 'erpc'),
    );
    for (const p of b.processes())
      if (p.initialCall[0].name === 'erpc') p.exitArrived(p.pid, atom('kill'), 'exit2');
    assert.ok(before.size > 0);
    const signalled = await thrown(erpc.receiveResponse(self, killed));
    assert.ok(signalled instanceof Exit);
    same(signalled.reason, tuple(atom('signal'), atom('killed')));
    assert.equal(signalled.message, 'm:never/0 on b@127.0.0.1 was ended: killed');
    const cut = erpc.call(self, b.node, M, atom('never'), []);
    setImmediate(() => cluster.cut(a, b));
    const lost = await thrown(cut);
    assert.ok(lost instanceof ErlangError);
    same(lost.reason, tuple(atom('erpc'), atom('noconnection')));
  });
});

test('multicall tells each node its own result, cast wants none', async () => {
  const { a, b } = await pair();
  await inProcess(a, async (self) => {
    const nodes = [b.node, atom('gone@127.0.0.1'), a.node];
    const all = await erpc.multicall(self, nodes, M, atom('node'), [], 1000);
    same(all, [
      tuple(atom('ok'), b.node),
      tuple(atom('error'), tuple(atom('erpc'), atom('noconnection'))),
      tuple(atom('ok'), a.node),
    ]);
    const rpcAll = await rpc.multicall(self, M, atom('error'), [1], { nodes });
    same(rpcAll.results, [badrpc(tuple(1, HERE)), badrpc(tuple(1, HERE))]);
    assert.deepEqual(rpcAll.bad, [nodes[1]]);
    erpc.cast(self, b.node, M, atom('value'), [1]);
    await eventually('the cast is answered', () => a.distEntry(b.node).spawns.size === 0);
    assert.equal(self.mailbox.size, 0);
  });
});

const badrpc = (reason: Term): Term => tuple(BADRPC, tuple(EXIT, reason));

test('rpc turns failures into values', async () => {
  const { a, b } = await pair();
  await inProcess(a, async (self) => {
    const call = (fun: string, arg: Term): Promise<Term> => rpc.call(self, b.node, M, atom(fun), [arg]);
    assert.equal(await call('value', 7), 7);
    assert.equal(await call('throw', 8), 8);
    same(await call('exit', 9), badrpc(9));
    same(await call('error', 1), badrpc(tuple(1, HERE)));
    same(await call('value', tuple(EXIT, 1)), badrpc(1));
    same(await call('nothing', 1), badrpc(tuple(atom('undef'), [tuple(M, atom('nothing'), [1], [])])));
    same(await rpc.call(self, b.node, M, atom('never'), [], 5), tuple(BADRPC, atom('timeout')));
    same(await rpc.call(self, atom('gone@127.0.0.1'), M, atom('f'), []), tuple(BADRPC, atom('nodedown')));
    const key = rpc.asyncCall(self, b.node, M, atom('value'), [5]);
    assert.equal(await rpc.nbYield(self, key), undefined);
    assert.equal(await rpc.rpcYield(self, key), 5);
    assert.equal(await rpc.blockCall(self, b.node, M, atom('node'), []), b.node);
    same(await rpc.blockCall(self, b.node, M, atom('exit'), [1]), badrpc(1));
    same(await rpc.sbcast(self, atom('nobody'), 1).then((r) => r.bad), [a.node, b.node]);
    self.register(atom('somebody'));
    assert.deepEqual(await rpc.sbcast(self, atom('somebody'), 1, [a.node]), { good: [a.node], bad: [] });
    assert.equal(await self.next(), 1);
  });
});

test('rex answers every form of request', async () => {
  const { a, b } = await pair();
  await inProcess(a, async (self) => {
    const rexThere = tuple(rex.REX, b.node);
    const request = (what: string, fun: string, ...args: Term[]): Tuple =>
      tuple(atom(what), M, atom(fun), args, self.pid);
    self.send(rexThere, tuple(self.pid, atom('features_request')));
    same(await self.next(), tuple(atom('features_reply'), b.node, [atom('erpc')]));
    assert.equal(await gen.call(self, rexThere, request('call', 'value', 1)), 1);
    same(await gen.call(self, rexThere, request('call', 'error', 1)), badrpc(tuple(1, HERE)));
    assert.equal(await gen.call(self, rexThere, request('block_call', 'value', 2)), 2);
    self.send(rexThere, tuple(self.pid, request('call', 'value', 3)));
    same(await self.next(), tuple(rex.REX, 3));
    self.send(rexThere, tuple(self.pid, tuple(atom('call'), M, atom('nope'), [], atom('user'))));
    same(await self.next(), tuple(rex.REX, badrpc(tuple(atom('undef'), [tuple(M, atom('nope'), [], [])]))));
    const print = tuple(atom('call'), M, atom('print'), [binary('text')], atom('send_stdout_to_caller'));
    self.send(rexThere, tuple(self.pid, print));
    same(await self.next(), tuple(atom('rex_stdout'), binary('text')));
    same(await self.next(), tuple(atom('rex_stdout'), binary('formatted\n')));
    same(await self.next(), tuple(rex.REX, atom('printed')));
    self.send(rexThere, tuple(self.pid, tuple(atom('sbcast'), atom('nobody'), 1)));
    same(await self.next(), tuple(rex.REX, b.node, tuple(atom('nonexisting_name'), atom('nobody'))));
    self.send(rexThere, tuple(self.pid, tuple(atom('send'), atom('nobody'), 1)));
    same(await self.next(), tuple(rex.REX, b.node, tuple(atom('nonexisting_name'), atom('nobody'))));
    self.send(rexThere, tuple(self.pid, tuple(atom('send'), rex.REX, atom('features_request'))));
    same(await self.next(), tuple(atom('features_reply'), b.node, [atom('erpc')]));
    for (const nonsense of [1, tuple(), tuple(self.pid, 1), [1], tuple(atom('$gen_call'), 1, 2)]) {
      self.send(rexThere, nonsense);
    }
    gen.cast(self, rexThere, request('cast', 'exit', 1));
    const pending = gen.sendRequest(self, rexThere, request('call', 'never'));
    await eventually('it runs', () => b.processes().some((p) => p.groupLeader?.key === self.pid.key));
    for (const p of b.processes()) {
      if (p.groupLeader?.key === self.pid.key) p.exitArrived(p.pid, atom('kill'), 'exit2');
    }
    const killed = await gen.receiveResponse(self, pending);
    assert.ok('reply' in killed);
    same(killed.reply, tuple(BADRPC, tuple(EXIT, atom('killed'))));
    // what runs in rex itself may link to what ends
    const before = b.whereis(rex.REX);
    assert.equal(await gen.call(self, rexThere, request('block_call', 'link', atom('crash'))), true);
    await eventually('the child is gone', () => b.whereis(rex.REX)?.linkedPids().length === 0);
    assert.ok(before !== undefined && b.whereis(rex.REX) === before);
    assert.equal(await gen.call(self, rexThere, request('call', 'value', 4)), 4);
  });
});

test('a node that is full answers callers so, and its services go on', async () => {
  const cluster = new MemoryCluster();
  const code = new CodeServer();
  const b = cluster.start('b', { processLimit: 20 });
  const a = cluster.start('a');
  cluster.connect(a, b);
  serve(b, code);
  const holder = b.spawn(async (self) => {
    await ok(rex.startLink(self, code));
    await ok(startServer(self, netKernelServer, [], { name: atom('net_kernel') }));
    await self.receive(() => undefined);
  });
  await eventually('both run', () => b.whereis(atom('net_kernel')) !== undefined);
  while (!b.fullForPeers) b.spawn((self) => self.receive(() => undefined));
  assert.equal(b.processCount, 18);
  await inProcess(a, async (self) => {
    const ask = (name: string, request: Term): Promise<Term> =>
      gen.call(self, tuple(atom(name), b.node), request);
    const limit = tuple(atom('system_limit'), []);
    const call = tuple(atom('call'), M, atom('node'), [], self.pid);
    same(await ask('rex', call), tuple(BADRPC, tuple(EXIT, limit)));
    self.send(tuple(rex.REX, b.node), tuple(self.pid, call));
    same(await self.next(), tuple(rex.REX, tuple(BADRPC, tuple(EXIT, limit))));
    same(await ask('net_kernel', tuple(atom('spawn'), M, atom('node'), [], self.pid)), tuple(EXIT, limit));
    assert.equal(await ask('net_kernel', tuple(atom('is_auth'), a.node)), atom('yes'));
  });
  assert.ok(holder.alive);
});

test('apply re-enters the allow-list: external funs of it run, others are undef, foreign funs badfun', async () => {
  const { a, b } = await pair();
  const apply = (self: Process, fun: Term, args: Term): Promise<Term> =>
    rpc.call(self, b.node, atom('erlang'), atom('apply'), [fun, args]);
  await inProcess(a, async (self) => {
    assert.equal(await apply(self, new ExportFun(M, atom('value'), 1), [6]), 6);
    const denied = await apply(self, new ExportFun(atom('os'), atom('cmd'), 1), [[]]);
    same(denied, badrpc(tuple(atom('undef'), [tuple(atom('os'), atom('cmd'), [[]], [])])));
    const notFun = await apply(self, atom('f'), []);
    assert.ok(isTagged(notFun, BADRPC, 2) && isTagged(notFun.elements[1], EXIT, 2));
    const why = notFun.elements[1].elements[1];
    assert.ok(why instanceof Tuple && isTagged(why.elements[0], atom('badfun'), 2));
    const by3 = [M, atom('value'), [3]];
    assert.equal(await rpc.call(self, b.node, atom('erlang'), atom('apply'), by3), 3);
  });
});
