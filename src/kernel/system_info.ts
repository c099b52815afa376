// What `erlang:system_info`, `statistics` and `memory` tell of this node: the keys that tools ask for.
import { availableParallelism, cpus, release } from 'node:os';
import { getHeapSpaceStatistics } from 'node:v8';
import type { System } from '../erts/system.js';
import { Atom, atom, atomCount } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';

/** The version of this package. */
export const VERSION = '0.1.0';
/** The OTP release whose behaviour and formats we keep to: callers decide by it what to ask. */
const OTP_RELEASE = '25';
const UNDEFINED = atom('undefined');
const ATOM_LIMIT = 1048576;
const WORDSIZE = atom('wordsize');
const ALLOCATOR = atom('allocator');
const ALLOCATOR_SIZES = atom('allocator_sizes');

const KEYS: Readonly<Record<string, (system: System) => Term>> = {
  otp_release: () => charlist(OTP_RELEASE),
  version: () => charlist(VERSION),
  system_version: () => charlist(`otpnode ${VERSION} [Node.js ${process.version}] [as OTP ${OTP_RELEASE}]\n`),
  machine: () => charlist('otpnode'),
  system_architecture: () => charlist(`${process.arch}-${process.platform}`),
  process_count: (system) => system.processCount,
  process_limit: (system) => system.processLimit,
  port_count: () => 0,
  port_limit: () => 65536,
  atom_count: () => atomCount(),
  atom_limit: () => ATOM_LIMIT,
  ets_count: () => 0,
  ets_limit: () => 8192,
  schedulers: () => 1,
  schedulers_online: () => 1,
  schedulers_available: () => 1,
  dirty_cpu_schedulers: () => 0,
  dirty_cpu_schedulers_online: () => 0,
  dirty_io_schedulers: () => 4,
  logical_processors: () => cpus().length,
  logical_processors_online: () => cpus().length,
  logical_processors_available: () => availableParallelism(),
  wordsize: () => 8,
  smp_support: () => true,
  threads: () => true,
  thread_pool_size: () => 4,
  kernel_poll: () => true,
  dist_buf_busy_limit: () => 1048576,
  creation: (system) => system.creation,
  dist_ctrl: () => [],
  allocated_areas: () => [],
  alloc_util_allocators: () => allocatorSizes().map((entry) => entry.elements[0] as Term),
  build_type: () => atom('opt'),
  emu_flavor: () => atom('jit'),
  emu_type: () => atom('opt'),
  compat_rel: () => Number(OTP_RELEASE),
  multi_scheduling: () => atom('disabled'),
  time_correction: () => true,
  time_offset: () => atom('final'),
  time_warp_mode: () => atom('no_time_warp'),
  start_time: () => 0,
  trace_control_word: () => 0,
  garbage_collection: () => [],
  modified_timing_level: () => UNDEFINED,
  scheduler_bind_type: () => atom('unbound'),
};

/** `erlang:system_info/1`; undefined: there is no such key. */
export function systemInfo(system: System, key: Term): Term | undefined {
  if (isTagged(key, WORDSIZE, 2)) return 8;
  if (isTagged(key, ALLOCATOR_SIZES, 2)) return sizesOf(key.elements[1] as Term);
  // nothing more is known of an allocator
  if (isTagged(key, ALLOCATOR, 2)) return [];
  if (!(key instanceof Atom) || !Object.hasOwn(KEYS, key.name)) return undefined;
  return KEYS[key.name]?.(system);
}

/** `erlang:memory/0`: what Node.js tells of its memory under the names nearest to it. */
export function memory(): readonly Tuple[] {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const code = Math.max(0, rss - heapTotal - external);
  return [
    tuple(atom('total'), rss),
    tuple(atom('processes'), heapTotal),
    tuple(atom('processes_used'), heapUsed),
    tuple(atom('system'), Math.max(0, rss - heapTotal)),
    tuple(atom('atom'), atomCount() * 64),
    tuple(atom('atom_used'), atomCount() * 64),
    tuple(atom('binary'), arrayBuffers),
    tuple(atom('code'), code),
    tuple(atom('ets'), 0),
  ];
}

/** Which spaces of V8's heap are shown as one allocator: what lives short, what lives long, and code. */
const ALLOCATORS: Readonly<Record<string, (space: string) => boolean>> = {
  new_space: (space) => space.startsWith('new_'),
  old_space: (space) => !/^(new|code)_/.test(space),
  code_space: (space) => space.startsWith('code_'),
};

/**
 * `system_info({allocator_sizes, _})` for all allocators, in the form of OTP 23 and later: blocks are what is in use,
 * carriers what was taken from the operating system. None is ever of size 0, by which observers divide.
 */
export function allocatorSizes(): readonly Tuple[] {
  const spaces = getHeapSpaceStatistics();
  return Object.entries(ALLOCATORS).map(([name, has]) => {
    let [used, taken] = [0, 0];
    for (const { space_name, space_used_size, space_size } of spaces) {
      if (!has(space_name)) continue;
      used += space_used_size;
      taken += space_size;
    }
    return tuple(atom(name), [
      tuple(atom('instance'), 0, [
        tuple(atom('mbcs'), [
          tuple(atom('blocks'), [tuple(atom(name), [tuple(atom('size'), used, used, used)])]),
          tuple(atom('carriers_size'), Math.max(1, taken), taken, taken),
        ]),
      ]),
    ]);
  });
}

function sizesOf(wanted: Term): Term {
  const names = Array.isArray(wanted) ? (wanted as readonly Term[]) : [wanted];
  return allocatorSizes().filter((entry) => names.includes(entry.elements[0] as Term));
}

/** `erlang:memory/1` for a type or a list of types; undefined: there is no such type. */
export function memoryOfType(what: Term): Term | undefined {
  const all = new Map(memory().map((entry) => [entry.elements[0] as Term, entry]));
  if (!Array.isArray(what)) return all.get(what)?.elements[1];
  const entries = (what as readonly Term[]).map((type) => all.get(type));
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}

/** Bytes in and out over all live connections. */
export function ioBytes(system: System): { readonly input: number; readonly output: number } {
  let [input, output] = [0, 0];
  for (const channel of system.channels()) {
    input += channel.traffic.received;
    output += channel.traffic.written;
  }
  return { input, output };
}

/** Counters of `statistics/1` that also tell the difference to the last time somebody asked. */
export class Statistics {
  readonly #system: System;
  readonly #last = new Map<string, number>();

  constructor(system: System) {
    this.#system = system;
  }

  /** `erlang:statistics/1`; undefined: there is no such item. */
  read(item: Term): Term | undefined {
    if (!(item instanceof Atom)) return undefined;
    switch (item.name) {
      case 'context_switches':
        return tuple(this.#reductions(), 0);
      case 'garbage_collection':
        return tuple(0, 0, 0);
      case 'io': {
        const { input, output } = ioBytes(this.#system);
        return tuple(tuple(atom('input'), input), tuple(atom('output'), output));
      }
      case 'reductions':
      case 'exact_reductions':
        return this.#sinceLast(item.name, this.#reductions());
      case 'runtime': {
        const { user, system } = process.cpuUsage();
        return this.#sinceLast('runtime', Math.round((user + system) / 1000));
      }
      case 'wall_clock':
        return this.#sinceLast('wall_clock', Math.round(process.uptime() * 1000));
      case 'run_queue':
      case 'total_run_queue_lengths':
      case 'total_run_queue_lengths_all':
      case 'total_active_tasks':
      case 'total_active_tasks_all':
        return 0;
      case 'run_queue_lengths':
      case 'run_queue_lengths_all':
      case 'active_tasks':
      case 'active_tasks_all':
        return [0];
      case 'scheduler_wall_time':
      case 'scheduler_wall_time_all':
      case 'microstate_accounting':
        return UNDEFINED;
      default:
        return undefined;
    }
  }

  #reductions(): number {
    return this.#system.reductions;
  }

  #sinceLast(name: string, now: number): Term {
    const last = this.#last.get(name) ?? 0;
    this.#last.set(name, now);
    return tuple(now, now - last);
  }
}

/** `os:version/0`: three numbers of the kernel's release. */
export function osVersion(): Term {
  const [major = 0, minor = 0, patch = 0] = (release().match(/\d+/g) ?? []).map(Number);
  return tuple(major, minor, patch);
}
