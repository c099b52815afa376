// What observer, etop and their relatives on other nodes ask of this one (OTP: runtime_tools, observer_backend.erl).
//
//   sys_info()                          a property list: the System and Load pages
//   procs_info(Collector)               {procs_info, Self, [Proc]} in chunks of 10 000, then a normal end
//   etop_collect(Collector)             {Self, {etop_info, Now, N, Cpu, Load, RunQueue, …, Memory, [Proc]}}
//   fetch_stats(Parent, Ms)             {stats, 1, Schedulers, Io, Memory} every so often, until a message comes
//   get_table_list, get_port_list …     []: there are none
// Proc = {etop_proc_info, Pid, Memory, Reductions, NameOrInitialCall, 0, {M, F, A}, MessageQueueLength}
import { ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { CodeServer } from '../kernel/code.js';
import { now } from '../kernel/probes.js';
import { allocatorSizes, ioBytes, memory, systemInfo } from '../kernel/system_info.js';
import { currentFunction, memoryOf, nameOrInitialCall } from '../stdlib/process_info.js';
import { type Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';

const MODULE = 'observer_backend';
const OK = atom('ok');
const UNDEFINED = atom('undefined');
const PROCS_INFO = atom('procs_info');
const ETOP_INFO = atom('etop_info');
const ETOP_PROC_INFO = atom('etop_proc_info');
const STATS = atom('stats');
const END_OF_TABLE = atom('$end_of_table');
const CHUNK = 10_000;
/** No peer gets statistics more often. */
const MIN_INTERVAL_MS = 100;

/** What `sys_info` takes from `erlang:system_info`, in its order, under the same names. */
const SYSTEM_KEYS = [
  'logical_processors',
  'logical_processors_online',
  'logical_processors_available',
  'schedulers',
  'schedulers_online',
  'schedulers_available',
  'otp_release',
  'version',
  'system_architecture',
  'kernel_poll',
  'smp_support',
  'threads',
  'thread_pool_size',
];
const LIMIT_KEYS = [
  'process_count',
  'atom_limit',
  'atom_count',
  'process_limit',
  'port_limit',
  'port_count',
  'ets_limit',
  'ets_count',
  'dist_buf_busy_limit',
];

/** Lets observers of other nodes look at this one. */
export function defineObserverBackend(system: System, code: CodeServer): void {
  code.define(MODULE, 'vsn', 0, () => tuple(OK, charlist('1.19')));
  code.define(MODULE, 'sys_info', 0, () => sysInfo(system));
  code.define(MODULE, 'procs_info', 1, ([collector], self) => procsInfo(self, pid(collector)));
  code.define(MODULE, 'etop_collect', 1, ([collector], self) => etopCollect(self, pid(collector)));
  code.define(MODULE, 'fetch_stats', 2, ([parent, ms], self) => fetchStats(self, pid(parent), ms));
  code.define(MODULE, 'get_table', 3, ([parent], self) => getTable(self, pid(parent)));
  for (const [fun, arity] of [
    ['get_table_list', 2],
    ['get_port_list', 0],
    ['get_socket_list', 0],
    ['socket_info', 0],
  ] as const) {
    code.define(MODULE, fun, arity, () => []);
  }
}

function pid(term: Term | undefined): Pid {
  if (term instanceof Pid) return term;
  throw new ErlangError(atom('badarg'));
}

function sysInfo(system: System): Term {
  const told = (key: string): Tuple => tuple(atom(key), systemInfo(system, atom(key)) ?? UNDEFINED);
  const { input, output } = ioBytes(system);
  return [
    tuple(atom('uptime'), Math.round(process.uptime() * 1000)),
    tuple(atom('run_queue'), 0),
    tuple(atom('io_input'), input),
    tuple(atom('io_output'), output),
    ...SYSTEM_KEYS.map(told),
    tuple(atom('wordsize_internal'), 8),
    tuple(atom('wordsize_external'), 8),
    tuple(atom('alloc_info'), allocatorSizes()),
    ...LIMIT_KEYS.map(told),
    ...memory(),
  ];
}

function processes(self: Process): Tuple[] {
  return self.system
    .processes()
    .filter((process) => process !== self)
    .map((process) =>
      tuple(
        ETOP_PROC_INFO,
        process.pid,
        memoryOf(process),
        process.reductions,
        nameOrInitialCall(process),
        0,
        currentFunction(process),
        process.mailbox.size,
      ),
    );
}

async function procsInfo(self: Process, collector: Pid): Promise<Term> {
  const all = processes(self);
  for (let i = 0; i === 0 || i < all.length; i += CHUNK) {
    await self.sendAndDrain(collector, tuple(PROCS_INFO, self.pid, all.slice(i, i + CHUNK)));
  }
  return OK;
}

async function etopCollect(self: Process, collector: Pid): Promise<Term> {
  const all = processes(self);
  const known = new Map(memory().map((entry) => [(entry.elements[0] as Atom).name, entry]));
  const kinds = ['total', 'processes', 'ets', 'atom', 'code', 'binary'];
  const info = tuple(
    ETOP_INFO,
    now(Date.now()),
    all.length,
    UNDEFINED,
    UNDEFINED,
    0,
    [],
    kinds.map((kind) => known.get(kind) as Tuple),
    all,
  );
  await self.sendAndDrain(collector, tuple(self.pid, info));
  return OK;
}

async function fetchStats(self: Process, parent: Pid, ms: Term | undefined): Promise<Term> {
  self.trapExit = true;
  const interval = Math.max(MIN_INTERVAL_MS, typeof ms === 'number' ? ms : 1000);
  let before = process.cpuUsage();
  let [busy, total] = [0, 0];
  while ((await self.next(interval)) === undefined) {
    const used = process.cpuUsage(before);
    before = process.cpuUsage();
    busy += used.user + used.system;
    total += interval * 1000;
    const { input, output } = ioBytes(self.system);
    const io = tuple(tuple(atom('input'), input), tuple(atom('output'), output));
    // one scheduler: {Id, Active, Total}
    const schedulers = [tuple(1, Math.min(busy, total), total)];
    await self.sendAndDrain(parent, tuple(STATS, 1, schedulers, io, memory()));
  }
  return OK;
}

/** There are no tables: the reader is told the end at once. */
function getTable(self: Process, parent: Pid): Term {
  return self.spawn((reader) => reader.send(parent, tuple(reader.pid, END_OF_TABLE)));
}
