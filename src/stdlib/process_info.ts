// What `process_info` tells of a process of this node. What a JavaScript process does not have is told as what an
// idle BEAM process shows: tools multiply and add these numbers.
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { map } from '../terms/map.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import { ANCESTORS, INITIAL_CALL, initialCallOf } from './ancestry.js';
import { groupLeaderOf } from './io.js';

/** Words of a new BEAM process's heap, bytes of all of it. */
const HEAP_WORDS = 233;
const STACK_WORDS = 11;
const PROCESS_BYTES = 2688;
/** A rough size of a waiting message. */
const MESSAGE_BYTES = 64;

const PROCESS = atom('process');
const REGISTERED_NAME = atom('registered_name');
const DICTIONARY = atom('dictionary');
const UNDEFINED = atom('undefined');
const GEN_SERVER_LOOP = tuple(atom('gen_server'), atom('loop'), 7);

type Read = (process: Process) => Term;

const ITEMS: Readonly<Record<string, Read>> = {
  registered_name: (p) => p.registeredName ?? [],
  current_function: currentFunction,
  initial_call: (p) => tuple(...p.initialCall),
  status: (p) => atom(p.waiting ? 'waiting' : 'running'),
  message_queue_len: (p) => p.mailbox.size,
  links: (p) => p.linkedPids(),
  dictionary: (p) => [...p.dictionary].map(([key, value]) => tuple(key, value)),
  trap_exit: (p) => p.trapExit,
  error_handler: () => atom('error_handler'),
  priority: () => atom('normal'),
  group_leader: groupLeaderOf,
  total_heap_size: () => HEAP_WORDS,
  heap_size: () => HEAP_WORDS,
  stack_size: () => STACK_WORDS,
  reductions: (p) => p.reductions,
  garbage_collection: () => GARBAGE_COLLECTION,
  suspending: () => [],
  // the following only when asked for
  messages: (p) => p.mailbox.toArray(),
  memory: memoryOf,
  monitors: (p) => p.monitoredItems().map((item) => tuple(PROCESS, item)),
  monitored_by: (p) => p.watcherPids(),
  current_location: (p) => tuple(...currentFunction(p).elements, []),
  current_stacktrace: (p) => [tuple(...currentFunction(p).elements, [])],
  binary: () => [],
  catchlevel: () => 0,
  last_calls: () => false,
  sequential_trace_token: () => [],
  trace: () => 0,
  min_heap_size: () => HEAP_WORDS,
  min_bin_vheap_size: () => 46422,
  fullsweep_after: () => 65535,
  max_heap_size: () => MAX_HEAP_SIZE,
  message_queue_data: () => atom('on_heap'),
  magic_ref: () => [],
  backtrace: () => new Uint8Array(0),
  garbage_collection_info: () => GARBAGE_COLLECTION_INFO,
  async_dist: (p) => p.asyncDist,
  parent: (p) => parentOf(p),
  label: () => UNDEFINED,
};

/** What `process_info/1` lists, in its order. */
const DEFAULT_ITEMS = Object.keys(ITEMS).slice(0, Object.keys(ITEMS).indexOf('messages'));

const MAX_HEAP_SIZE = map([atom('error_logger'), true], [atom('kill'), true], [atom('size'), 0]);
const GARBAGE_COLLECTION_INFO: Term = [
  tuple(atom('old_heap_block_size'), 0),
  tuple(atom('heap_block_size'), HEAP_WORDS),
  tuple(atom('mbuf_size'), 0),
  tuple(atom('recent_size'), 0),
  tuple(atom('stack_size'), STACK_WORDS),
  tuple(atom('old_heap_size'), 0),
  tuple(atom('heap_size'), 0),
  tuple(atom('bin_vheap_size'), 0),
  tuple(atom('bin_vheap_block_size'), 46422),
  tuple(atom('bin_old_vheap_size'), 0),
  tuple(atom('bin_old_vheap_block_size'), 46422),
];
const GARBAGE_COLLECTION: Term = [
  tuple(atom('max_heap_size'), MAX_HEAP_SIZE),
  tuple(atom('min_bin_vheap_size'), 46422),
  tuple(atom('min_heap_size'), HEAP_WORDS),
  tuple(atom('fullsweep_after'), 65535),
  tuple(atom('minor_gcs'), 0),
];

/** `process_info/2` for one item or a list of them; undefined: there is no such item. */
export function processInfo(process: Process, what: Term): Term | undefined {
  if (Array.isArray(what)) {
    const all = (what as readonly Term[]).map((item) => read(process, item));
    return all.every((info) => info !== undefined) ? (all as Term[]) : undefined;
  }
  const info = read(process, what);
  return what === REGISTERED_NAME && process.registeredName === undefined ? [] : info;
}

function read(process: Process, item: Term): Term | undefined {
  if (item instanceof Atom) {
    const reader = Object.hasOwn(ITEMS, item.name) ? ITEMS[item.name] : undefined;
    return reader === undefined ? undefined : tuple(item, reader(process));
  }
  // `{dictionary, Key}` of OTP 26.2
  if (!isTagged(item, DICTIONARY, 2)) return undefined;
  const [, key] = item.elements;
  if (!(key instanceof Atom)) return undefined;
  return tuple(item, process.dictionary.get(key) ?? UNDEFINED);
}

/** `process_info/1`. */
export function allProcessInfo(process: Process): Term {
  return DEFAULT_ITEMS.filter(
    (item) => item !== 'registered_name' || process.registeredName !== undefined,
  ).map((item) => tuple(atom(item), ITEMS[item]?.(process) as Term));
}

/** Bytes, roughly. */
export function memoryOf(process: Process): number {
  return PROCESS_BYTES + process.mailbox.size * MESSAGE_BYTES;
}

/** `{M, F, A}` of where a process is: behaviours in their loop, others in the function they were started with. */
export function currentFunction(process: Process): Tuple {
  if (process.waiting && process.dictionary.has(INITIAL_CALL)) return GEN_SERVER_LOOP;
  return tuple(...process.initialCall);
}

/** The registered name, else the initial call, as process lists show it. */
export function nameOrInitialCall(process: Process): Term {
  return process.registeredName ?? tuple(...initialCallOf(process));
}

function parentOf(process: Process): Term {
  const ancestors = process.dictionary.get(ANCESTORS);
  const parent = Array.isArray(ancestors) ? (ancestors as readonly Term[])[0] : undefined;
  if (parent instanceof Pid) return parent;
  const named = parent instanceof Atom ? process.system.whereis(parent)?.pid : undefined;
  return named ?? UNDEFINED;
}
