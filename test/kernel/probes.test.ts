import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Process } from '../../src/erts/process.js';
import { CodeServer } from '../../src/kernel/code.js';
import { serve } from '../../src/kernel/erpc_server.js';
import { offerControl } from '../../src/kernel/remote_control.js';
import * as rpc from '../../src/kernel/rpc.js';
import { VERSION } from '../../src/kernel/system_info.js';
import { atom } from '../../src/terms/atom.js';
import { charlist } from '../../src/terms/binary.js';
import { map } from '../../src/terms/map.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, same } from '../support/process.js';
import { startServices } from '../support/services.js';

const BADRPC = atom('badrpc');

/** Runs `body` with a function that calls `Module:Function(Args)` of a node with all services from another. */
async function probing(
  body: (
    ask: (module: string, fun: string, ...args: Term[]) => Promise<Term>,
    self: Process,
    sup: Pid,
  ) => Promise<void>,
): Promise<void> {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const sup = await startServices(b, new CodeServer());
  cluster.connect(a, b);
  await inProcess(a, (self) =>
    body((module, fun, ...args) => rpc.call(self, b.node, atom(module), atom(fun), args, 1000), self, sup),
  );
}

function denied(result: Term, why: string): void {
  assert.ok(isTagged(result, BADRPC, 2) && isTagged(result.elements[1], atom('EXIT'), 2));
  const reason = result.elements[1].elements[1];
  assert.ok(reason instanceof Tuple && reason.elements[0] === atom(why), JSON.stringify(reason));
}

test('what tools probe is answered', () =>
  probing(async (ask, self, sup) => {
    const b = sup.node;
    assert.equal(await ask('erlang', 'node'), b);
    assert.deepEqual(await ask('erlang', 'nodes'), [self.node]);
    assert.deepEqual(await ask('erlang', 'nodes', [atom('this'), atom('hidden')]), [b]);
    same(await ask('erlang', 'nodes', atom('this')), [b]);
    assert.ok(isTagged(await ask('supervisor', 'get_childspec', sup, atom('rex')), atom('ok'), 2));
    assert.ok((await ask('erlang', 'universaltime')) instanceof Tuple);
    assert.ok(isTagged(await ask('inet', 'gethostname'), atom('ok'), 2));
    same(await ask('erlang', 'nodes', [atom('this'), atom('connected')]), [b, self.node]);
    const options = map([atom('connection_id'), false], [atom('node_type'), true]);
    same(await ask('erlang', 'nodes', atom('known'), options), [
      tuple(b, map([atom('node_type'), atom('this')])),
      tuple(self.node, map([atom('node_type'), atom('visible')])),
    ]);
    denied(await ask('erlang', 'nodes', atom('known'), map([atom('x'), true])), 'badarg');
    denied(await ask('erlang', 'nodes', atom('x')), 'badarg');
    same(await ask('erlang', 'whereis', atom('kernel_sup')), sup);
    assert.equal(await ask('erlang', 'whereis', atom('dist_ac')), atom('undefined'));
    assert.ok(((await ask('erlang', 'registered')) as Term[]).includes(atom('rex')));
    assert.equal(await ask('erlang', 'is_process_alive', sup), true);
    same(await ask('erlang', 'system_info', atom('otp_release')), charlist('25'));
    assert.equal(await ask('erlang', 'system_info', tuple(atom('wordsize'), atom('internal'))), 8);
    assert.ok(isTagged(((await ask('erlang', 'memory')) as Term[])[0], atom('total'), 2));
    assert.ok(((await ask('erlang', 'memory', atom('total'))) as number) > 0);
    assert.equal(await ask('erlang', 'function_exported', atom('erlang'), atom('node'), 0), true);
    assert.equal(await ask('erlang', 'function_exported', atom('os'), atom('cmd'), 1), false);
    assert.equal(await ask('net_kernel', 'get_net_ticktime'), 60);
    same(await ask('code', 'ensure_loaded', atom('Elixir.IEx')), tuple(atom('error'), atom('nofile')));
    same(await ask('code', 'ensure_loaded', atom('erlang')), tuple(atom('module'), atom('erlang')));
    assert.deepEqual(await ask('ets', 'all'), []);
    same(await ask('init', 'get_status'), tuple(atom('started'), atom('started')));
    same(
      await ask('proc_lib', 'translate_initial_call', sup),
      tuple(atom('supervisor'), atom('supervisor'), 1),
    );
    assert.equal(((await ask('supervisor', 'which_children', atom('kernel_sup'))) as Term[]).length, 5);
    assert.ok(isTagged(await ask('sys', 'get_status', sup, 200), atom('status'), 4));
    assert.ok(isTagged(await ask('os', 'type'), atom('unix'), 2) || process.platform === 'win32');
  }));

test('process_info tells what a BEAM process tells, in order', () =>
  probing(async (ask, _self, sup) => {
    const items = [
      'message_queue_len',
      'registered_name',
      'links',
      'monitors',
      'current_stacktrace',
      'memory',
    ];
    const info = (await ask('erlang', 'process_info', sup, items.map(atom))) as readonly Tuple[];
    assert.deepEqual(
      info.map((pair) => pair.elements[0]),
      items.map(atom),
    );
    const all = (await ask('erlang', 'process_info', sup)) as readonly Tuple[];
    assert.equal(all.length, 17);
    same(all[0], tuple(atom('registered_name'), atom('kernel_sup')));
    const [child] = ((info[2] as Tuple).elements[1] as readonly Term[]).slice(-1) as [Pid];
    assert.deepEqual(
      await ask('erlang', 'process_info', child, atom('trap_exit')),
      tuple(atom('trap_exit'), true),
    );
    denied(await ask('erlang', 'process_info', sup, atom('nonsense')), 'badarg');
    denied(await ask('erlang', 'process_info', 1), 'badarg');
  }));

test('secrets, code and whatever changes state do not exist', () =>
  probing(async (ask) => {
    for (const [module, fun, ...args] of [
      ['erlang', 'get_cookie'],
      ['os', 'cmd', charlist('id')],
      ['erlang', 'halt'],
      ['init', 'stop'],
      ['code', 'load_binary', 1, 2, 3],
      ['file', 'read_file', charlist('/etc/passwd')],
      ['erl_eval', 'expr', 1, 2],
      ['Elixir.Code', 'eval_string', charlist('1')],
    ] as [string, string, ...Term[]][]) {
      denied(await ask(module, fun, ...args), 'undef');
    }
    denied(await ask('erlang', 'system_info', atom('nonsense')), 'badarg');
    denied(await ask('erlang', 'statistics', 1), 'badarg');
  }));

test('the version told is that of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.equal(VERSION, version);
});

test('a node that allows it is stopped from elsewhere, after its answer', async () => {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const code = new CodeServer();
  serve(b, code);
  const done: string[] = [];
  const cookies: string[] = [];
  offerControl(code, {
    stop: () => done.push('stop'),
    connect: async (node) => done.push(node.name) > 0,
    disconnect: () => false,
    setCookie: (node, cookie) => cookies.push(`${node.name} ${cookie}`),
    setNetTicktime: (seconds, transition) =>
      seconds === 60 ? 'unchanged' : { ongoingChangeTo: transition ?? 0 },
  });
  cluster.connect(a, b);
  await inProcess(a, async (self) => {
    const ask = (module: string, fun: string, ...args: Term[]): Promise<Term> =>
      rpc.call(self, b.node, atom(module), atom(fun), args, 1000);
    assert.equal(await ask('net_kernel', 'connect_node', atom('x@y')), true);
    assert.equal(await ask('erlang', 'disconnect_node', atom('x@y')), false);
    denied(await ask('erlang', 'disconnect_node', 1), 'badarg');
    assert.equal(await ask('erlang', 'set_cookie', atom('x@y'), atom('monster')), true);
    denied(await ask('erlang', 'set_cookie', atom('x@y'), 7), 'badarg');
    assert.deepEqual(cookies, ['x@y monster']);
    assert.equal(await ask('net_kernel', 'set_net_ticktime', 60), atom('unchanged'));
    same(await ask('net_kernel', 'set_net_ticktime', 8, 7), tuple(atom('ongoing_change_to'), 7));
    denied(await ask('net_kernel', 'set_net_ticktime', 0), 'badarg');
    assert.equal(await ask('init', 'stop'), atom('ok'));
    await eventually('the stop', () => done.length === 2);
    assert.deepEqual(done, ['x@y', 'stop']);
  });
});
