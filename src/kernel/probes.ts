// What every caller may ask of a node without changing it: the default allow-list of remote calls.
//
// What tools probe first (net_adm:ping, observer, iex, release scripts) is answered truthfully; what is not listed
// does not exist here. `erlang:get_cookie` is never in it.
import { hostname } from 'node:os';
import { ErlangError } from '../errors.js';
import type { DistChannel } from '../erts/dist_entry.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import * as gen from '../stdlib/gen.js';
import { initialCallOf } from '../stdlib/proc_lib.js';
import { allProcessInfo, processInfo } from '../stdlib/process_info.js';
import * as supervisor from '../stdlib/supervisor.js';
import * as sys from '../stdlib/sys.js';
import { Atom, atom, atomName } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { map, TermMap } from '../terms/map.js';
import { integer } from '../terms/number.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { type CodeServer, isName, type RemoteFunction } from './code.js';
import { isNodeKind, nodesOf } from './nodes.js';
import { memory, memoryOfType, osVersion, Statistics, systemInfo, VERSION } from './system_info.js';

const BADARG = atom('badarg');
const UNDEFINED = atom('undefined');
const ERROR = atom('error');
const MODULE = atom('module');
const NOFILE = atom('nofile');
const INFINITY = atom('infinity');
const INFINITE = Number.POSITIVE_INFINITY;
const NET_KERNEL = atom('net_kernel');
const GEN_CALL = atom('$gen_call');
const YES = atom('yes');
const CONNECTION_ID = atom('connection_id');
const NODE_TYPE = atom('node_type');
const STARTED = atom('started');
const PROC_LIB_INIT = tuple(atom('proc_lib'), atom('init_p'), 5);

type Functions = Readonly<Record<string, RemoteFunction>>;

/** What the probes need to know of the node beside its tables. */
export interface ProbedNode {
  /** `net_kernel:get_net_ticktime/0`. */
  netTicktime(): Term;
}

/** Lets remote callers ask what is harmless. */
export function defineProbes(system: System, code: CodeServer, node: ProbedNode): void {
  code.isRunning = (module) =>
    system.processes().some((process) => initialCallOf(process)[0] === atom(module));
  define(code, 'erlang', erlang(system, code));
  define(code, 'net_kernel', { 'get_net_ticktime/0': () => node.netTicktime() });
  define(code, 'net_adm', {
    'ping/1': ([peer], self) => ping(self, peer),
    'localhost/0': () => charlist(hostname()),
  });
  define(code, 'global', {
    'whereis_name/1': ([name]) => system.nameServices.get('global')?.whereisName(name as Term) ?? UNDEFINED,
  });
  define(code, 'code', codeFunctions(code));
  define(code, 'init', {
    'get_status/0': () => tuple(STARTED, STARTED),
    'get_argument/1': () => ERROR,
    'get_arguments/0': () => [],
    'get_plain_arguments/0': () => [],
    'script_id/0': () => tuple(charlist('otpnode'), charlist(VERSION)),
  });
  define(code, 'os', {
    'getpid/0': () => charlist(String(process.pid)),
    'type/0': () => tuple(atom(process.platform === 'win32' ? 'win32' : 'unix'), atom(osName())),
    'version/0': () => osVersion(),
  });
  define(code, 'inet', {
    'gethostname/0': () => tuple(atom('ok'), charlist(hostname().replace(/\..*/, ''))),
  });
  define(code, 'ets', { 'all/0': () => [], 'info/1': () => UNDEFINED, 'info/2': () => UNDEFINED });
  define(code, 'supervisor', {
    'which_children/1': ([server], self) => supervisor.whichChildren(self, serverRef(server)),
    'get_childspec/2': ([server, id], self) =>
      gen.call(self, serverRef(server), tuple(atom('get_childspec'), id as Term), INFINITE),
    'count_children/1': ([server], self) => supervisor.countChildren(self, serverRef(server)),
  });
  define(code, 'sys', {
    'get_status/1': ([server], self) => sys.getStatus(self, serverRef(server)),
    'get_status/2': ([server, ms], self) => sys.getStatus(self, serverRef(server), timeout(ms)),
    'get_state/1': ([server], self) => sys.getState(self, serverRef(server)),
    'get_state/2': ([server, ms], self) => sys.getState(self, serverRef(server), timeout(ms)),
  });
  define(code, 'proc_lib', {
    'translate_initial_call/1': ([pid]) => {
      const process = pid instanceof Pid ? system.process(pid) : undefined;
      return process === undefined ? PROC_LIB_INIT : tuple(...initialCallOf(process));
    },
  });
}

function define(code: CodeServer, module: string, functions: Functions): void {
  for (const [name, body] of Object.entries(functions)) {
    const [fun, arity] = name.split('/') as [string, string];
    code.define(module, fun, Number(arity), body);
  }
}

function osName(): string {
  return process.platform === 'win32' ? 'nt' : process.platform;
}

function badarg(): never {
  throw new ErlangError(BADARG);
}

/** The value, or `badarg` for what there is not. */
function known(value: Term | undefined): Term {
  return value ?? badarg();
}

function serverRef(term: Term | undefined): gen.ServerRef {
  return term instanceof Pid || term instanceof Atom || term instanceof Tuple ? term : badarg();
}

function timeout(term: Term | undefined): number {
  if (term === INFINITY) return Number.POSITIVE_INFINITY;
  return typeof term === 'number' && term >= 0 ? term : badarg();
}

// --- erlang -----------------------------------------------------------------------------------------------------

function erlang(system: System, code: CodeServer): Functions {
  const statistics = new Statistics(system);
  return {
    'node/0': () => system.node,
    'nodes/0': () => system.nodes(),
    'nodes/1': ([kinds]) => nodes(system, kinds as Term),
    'nodes/2': ([kinds, options]) => nodesInfo(system, kinds as Term, options as Term),
    'self/0': (_args, self) => self.pid,
    'whereis/1': ([name]) => (isName(name) ? whereis(system, name) : badarg()),
    'registered/0': () => system.registered.names(),
    'processes/0': () => system.processes().map((process) => process.pid),
    'is_process_alive/1': ([pid]) => system.process(localPid(system, pid)) !== undefined,
    'process_info/1': ([pid]) => {
      const process = system.process(localPid(system, pid));
      return process === undefined ? UNDEFINED : allProcessInfo(process);
    },
    'process_info/2': ([pid, item]) => {
      const process = system.process(localPid(system, pid));
      return process === undefined ? UNDEFINED : known(processInfo(process, item as Term));
    },
    'system_info/1': ([key]) => known(systemInfo(system, key as Term)),
    'statistics/1': ([item]) => known(statistics.read(item as Term)),
    'memory/0': () => memory(),
    'memory/1': ([type]) => known(memoryOfType(type as Term)),
    'function_exported/3': ([module, fun, arity]) =>
      isName(module) && isName(fun) && typeof arity === 'number'
        ? code.find(atomName(module), atomName(fun), arity) !== undefined
        : badarg(),
    'module_loaded/1': ([module]) => (isName(module) ? code.hasModule(atomName(module)) : badarg()),
    'ports/0': () => [],
    'port_info/1': () => UNDEFINED,
    'port_info/2': () => UNDEFINED,
    'date/0': () => date(new Date()),
    'time/0': () => time(new Date()),
    'localtime/0': () => localtime(new Date()),
    'universaltime/0': () => localtime(asUniversal(new Date())),
    'time_offset/0': () => integer(BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()),
    'now/0': () => now(Date.now()),
    'timestamp/0': () => now(Date.now()),
    'system_time/0': () => integer(BigInt(Date.now()) * 1_000_000n),
    'system_time/1': ([unit]) => inUnit(BigInt(Date.now()) * 1_000_000n, unit as Term),
    'monotonic_time/0': () => integer(process.hrtime.bigint()),
    'monotonic_time/1': ([unit]) => inUnit(process.hrtime.bigint(), unit as Term),
  };
}

function whereis(system: System, name: Atom | boolean): Term {
  return (typeof name === 'boolean' ? undefined : system.whereis(name)?.pid) ?? UNDEFINED;
}

function localPid(system: System, pid: Term | undefined): Pid {
  return pid instanceof Pid && pid.node === system.node ? pid : badarg();
}

/** `nodes/1` for one kind or a list of kinds. */
function nodes(system: System, kinds: Term): Atom[] {
  const wanted = Array.isArray(kinds) ? (kinds as readonly Term[]) : [kinds];
  return nodesOf(
    system,
    wanted.map((kind) => (kind instanceof Atom && isNodeKind(kind.name) ? kind.name : badarg())),
  );
}

/** `nodes/2`: with a map of what is known of each connection, as far as `options` ask. */
function nodesInfo(system: System, kinds: Term, options: Term): Term {
  if (!(options instanceof TermMap) || [...options].some(([key, asked]) => !isInfoOption(key, asked))) {
    return badarg();
  }
  const channels = new Map(system.channels().map((channel) => [channel.node, channel]));
  return nodes(system, kinds).map((node) => {
    const channel = channels.get(node);
    const info: readonly (readonly [Atom, Term])[] = [
      [CONNECTION_ID, channel?.connectionId ?? UNDEFINED],
      [NODE_TYPE, atom(nodeType(system, node, channel))],
    ];
    return tuple(node, map(...info.filter(([key]) => options.get(key) === true)));
  });
}

function isInfoOption(key: Term, asked: Term): boolean {
  return (key === CONNECTION_ID || key === NODE_TYPE) && typeof asked === 'boolean';
}

function nodeType(system: System, node: Atom, channel: DistChannel | undefined): string {
  if (node === system.node) return 'this';
  return channel === undefined ? 'known' : channel.visible ? 'visible' : 'hidden';
}

function date(when: Date): Term {
  return tuple(when.getFullYear(), when.getMonth() + 1, when.getDate());
}

function time(when: Date): Term {
  return tuple(when.getHours(), when.getMinutes(), when.getSeconds());
}

/** A date whose local time is the universal time of `when`. */
function asUniversal(when: Date): Date {
  return new Date(when.getTime() + when.getTimezoneOffset() * 60_000);
}

function localtime(when: Date): Term {
  return tuple(date(when), time(when));
}

/** `{MegaSecs, Secs, MicroSecs}`. */
export function now(ms: number): Tuple {
  const seconds = Math.floor(ms / 1000);
  return tuple(Math.floor(seconds / 1e6), seconds % 1e6, Math.floor((ms % 1000) * 1000));
}

const PARTS_PER_SECOND: Readonly<Record<string, bigint>> = {
  second: 1n,
  seconds: 1n,
  millisecond: 1000n,
  milli_seconds: 1000n,
  microsecond: 1_000_000n,
  micro_seconds: 1_000_000n,
  nanosecond: 1_000_000_000n,
  nano_seconds: 1_000_000_000n,
  native: 1_000_000_000n,
};

function inUnit(nanoseconds: bigint, unit: Term): Term {
  const parts =
    unit instanceof Atom
      ? PARTS_PER_SECOND[unit.name]
      : typeof unit === 'number' && unit > 0
        ? BigInt(unit)
        : undefined;
  if (parts === undefined) return badarg();
  return integer((nanoseconds * parts) / 1_000_000_000n);
}

// --- others -----------------------------------------------------------------------------------------------------

/** `net_adm:ping/1`, from here. */
async function ping(self: Process, node: Term | undefined): Promise<Term> {
  if (!(node instanceof Atom)) return badarg();
  const request = tuple(atom('is_auth'), self.node);
  const response = await gen.callAs(
    self,
    GEN_CALL,
    tuple(NET_KERNEL, node),
    request,
    Number.POSITIVE_INFINITY,
  );
  return 'reply' in response && response.reply === YES ? atom('pong') : atom('pang');
}

function codeFunctions(code: CodeServer): Functions {
  const has = (module: Term | undefined): boolean =>
    isName(module) ? code.hasModule(atomName(module)) : badarg();
  const loaded = atom('preloaded');
  return {
    'ensure_loaded/1': ([module]) => (has(module) ? tuple(MODULE, module as Term) : tuple(ERROR, NOFILE)),
    'which/1': ([module]) => (has(module) ? loaded : atom('non_existing')),
    'is_loaded/1': ([module]) => (has(module) ? tuple(atom('file'), loaded) : false),
    'all_loaded/0': () => code.modules().map((module) => tuple(atom(module), loaded)),
    'get_object_code/1': () => ERROR,
    'get_mode/0': () => atom('interactive'),
    'root_dir/0': () => charlist('/'),
    'lib_dir/0': () => charlist('/lib'),
    'lib_dir/1': () => tuple(ERROR, atom('bad_name')),
    'get_path/0': () => [],
  };
}
