import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../src/erts/process.js';
import { CodeServer } from '../../src/kernel/code.js';
import * as rpc from '../../src/kernel/rpc.js';
import { defineAppmonInfo } from '../../src/runtime_tools/appmon_info.js';
import { defineObserverBackend } from '../../src/runtime_tools/observer_backend.js';
import * as gen from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { charlist } from '../../src/terms/binary.js';
import { equals } from '../../src/terms/order.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, type Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, same } from '../support/process.js';
import { startServices } from '../support/services.js';

const OBSERVER = atom('observer_backend');
const KERNEL = atom('kernel');
const DESCRIPTION = tuple(KERNEL, charlist('ERTS'), charlist('1'));

/** Runs `body` as an observer of the node `b`, on another node. */
async function observing(
  body: (
    self: Process,
    sup: Pid,
    ask: (module: string, fun: string, ...args: Term[]) => Promise<Term>,
  ) => Promise<void>,
): Promise<void> {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  const code = new CodeServer();
  code.define('application', 'which_applications', 0, () => [DESCRIPTION]);
  defineObserverBackend(b, code);
  defineAppmonInfo(code);
  const sup = await startServices(b, code);
  cluster.connect(a, b);
  await inProcess(a, (self) =>
    body(self, sup, (module, fun, ...args) => rpc.call(self, b.node, atom(module), atom(fun), args)),
  );
  await eventually('appmon_info ends with its client', () => b.whereis(atom('appmon_info')) === undefined);
}

test('the system page, process lists and statistics come in the form observer reads', () =>
  observing(async (self, sup, ask) => {
    const info = (await ask('observer_backend', 'sys_info')) as readonly Tuple[];
    const keys = info.map((entry) => (entry.elements[0] as { name: string }).name);
    for (const key of [
      'uptime',
      'io_input',
      'otp_release',
      'alloc_info',
      'wordsize_external',
      'process_count',
      'total',
    ]) {
      assert.ok(keys.includes(key), key);
    }
    self.trapExit = false;
    self.spawnRequest(sup.node, OBSERVER, atom('procs_info'), [self.pid], { link: true, reply: 'no' });
    const procs = (await self.next()) as Tuple;
    assert.ok(isTagged(procs, atom('procs_info'), 3));
    const rex = (procs.elements[2] as readonly Tuple[]).find((proc) => proc.elements[4] === atom('rex'));
    assert.equal(rex?.elements.length, 8);
    self.spawnRequest(sup.node, OBSERVER, atom('etop_collect'), [self.pid], { reply: 'no' });
    const etop = ((await self.next()) as Tuple).elements[1] as Tuple;
    assert.ok(isTagged(etop, atom('etop_info'), 9));
    const stats = self.spawnRequest(sup.node, OBSERVER, atom('fetch_stats'), [self.pid, 1], {
      monitor: true,
    });
    const [, , , backend] = ((await self.next()) as Tuple).elements as [Term, Term, Term, Pid];
    assert.ok(isTagged(await self.next(), atom('stats'), 5));
    self.send(backend, atom('stop'));
    const down = await self.receive((m) => (isTagged(m, atom('DOWN'), 5) ? m : undefined));
    same(down, tuple(atom('DOWN'), stats, atom('process'), backend, atom('normal')));
    for (const [fun, ...args] of [['get_table_list', 1, 2], ['get_port_list'], ['get_socket_list']] as [
      string,
      ...Term[],
    ][]) {
      assert.deepEqual(await ask('observer_backend', fun, ...args), []);
    }
  }));

test('observers divide by the sizes of allocators: none is 0', () =>
  observing(async (_self, _sup, ask) => {
    const info = (await ask('observer_backend', 'sys_info')) as readonly Tuple[];
    const told = info.find((entry) => isTagged(entry, atom('alloc_info'), 2))?.elements[1];
    const allocators = told as readonly Tuple[];
    assert.ok(allocators.length > 0);
    for (const allocator of allocators) {
      const [instance] = allocator.elements[1] as [Tuple];
      const [mbcs] = instance.elements[2] as [Tuple];
      const [blocks, carriers] = mbcs.elements[1] as [Tuple, Tuple];
      assert.ok(isTagged(blocks, atom('blocks'), 2) && isTagged(carriers, atom('carriers_size'), 4));
      assert.ok((carriers.elements[1] as number) > 0);
    }
    const names = allocators.map((allocator) => allocator.elements[0] as Term);
    same((await ask('erlang', 'system_info', atom('alloc_util_allocators'))) as Term, names);
  }));

test('the window of a process asks its module for attributes, whatever of it can be reached', () =>
  observing(async (_self, _sup, ask) => {
    const attributes = (module: string) => ask(module, 'module_info', atom('attributes'));
    same(await attributes('rpc'), []); // it only runs
    same(await attributes('observer_backend'), []);
    const exports = (await ask('os', 'module_info', atom('exports'))) as readonly Term[];
    assert.ok(exports.some((one) => equals(one, tuple(atom('getpid'), 0))));
    assert.ok(isTagged(await attributes('no_such_module'), atom('badrpc'), 2));
    assert.ok(isTagged(await ask('os', 'module_info', atom('nothing')), atom('badrpc'), 2));
  }));

test('the applications page shows each application and its tree, once and when it changes', () =>
  observing(async (self, sup, ask) => {
    const started = (await ask('appmon_info', 'start_link2', self.pid, self.pid, [])) as Tuple;
    const again = (await ask('appmon_info', 'start_link2', self.pid, self.pid, [])) as Tuple;
    same(again, started);
    const server = started.elements[1] as Pid;
    gen.cast(self, server, tuple(self.pid, atom('app_ctrl'), sup.node, true, []));
    same(
      await self.next(),
      tuple(atom('delivery'), server, atom('app_ctrl'), sup.node, [tuple(sup, KERNEL, DESCRIPTION)]),
    );
    gen.cast(self, server, tuple(self.pid, atom('app'), KERNEL, true, []));
    const delivered = ((await self.next()) as Tuple).elements[4] as Tuple;
    const [root, names, links] = delivered.elements as [Term, readonly Tuple[], readonly Tuple[]];
    same(root, charlist('kernel_sup'));
    assert.equal(names.length, 6);
    assert.ok(links.some((link) => JSON.stringify(link.elements[1]) === JSON.stringify(charlist('rex'))));
    gen.cast(self, server, tuple(self.pid, atom('app'), atom('nothing'), true, []));
    same(((await self.next()) as Tuple).elements[4] as Term, tuple([], [], [], []));
    gen.cast(self, server, tuple(self.pid, atom('app'), KERNEL, false, []));
  }));
