// Processes started for another process: `spawn_request/5`, asked of another node or by one (erts: the distribution's
// SPAWN_REQUEST and SPAWN_REPLY).
//
// The functions of the first half are called by local processes; those of the second half (`…Arrived`) by a
// connection for what its peer sent.
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import {
  type DistChannel,
  type DistEntry,
  type PendingSpawn,
  SPAWN_FLAG,
  type SpawnReply,
} from './dist_entry.js';
import { NOCONNECTION } from './exit_reason.js';
import type { Monitor, Process } from './process.js';
import { addRemoteLink, monitorArrived } from './signal.js';
import type { System } from './system.js';

const SPAWN_REPLY = atom('spawn_reply');
const OK = atom('ok');
const ERROR = atom('error');
const LINK = atom('link');
const MONITOR = atom('monitor');
const BADOPT = atom('badopt');
const NOTSUP = atom('notsup');
const USER = atom('user');
const SYSTEM_LIMIT = atom('system_limit');
const DOWN = atom('DOWN');
const ABANDONED = atom('abandoned');
/** Flags of a reply: what was set up with the child. */
const LINKED = 1;
const MONITORED = 2;

export interface SpawnRequestOptions {
  readonly link?: boolean;
  readonly monitor?: boolean;
  /** Which outcomes are told by a message; both by default. */
  readonly reply?: SpawnReply;
  /** First element of that message; `spawn_reply` by default. */
  readonly replyTag?: Term;
  /** Options that the other node is to read. */
  readonly other?: readonly Term[];
}

// --- from local processes -------------------------------------------------------------------------------------

/** See `Process.spawnRequest`. */
export function spawnRequest(
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  options: SpawnRequestOptions,
): Reference {
  const { system } = self;
  const ref = system.ids.reference();
  const pending: PendingSpawn = {
    ref,
    requester: self,
    link: options.link === true,
    monitor: options.monitor === true,
    reply: options.reply ?? 'yes',
    replyTag: options.replyTag ?? SPAWN_REPLY,
    abandoned: false,
  };
  if (node === system.node) spawnHere(pending, module, fun, args);
  else {
    const entry = system.connectedEntry(node);
    if (entry === undefined) tellSpawn(pending, NOCONNECTION);
    else spawnThere(pending, entry, [module, fun], args, options.other ?? []);
  }
  return ref;
}

function spawnHere(pending: PendingSpawn, module: Atom, fun: Atom, args: readonly Term[]): void {
  const { requester: self, ref } = pending;
  if (self.system.processCount >= self.system.processLimit) {
    tellSpawn(pending, SYSTEM_LIMIT);
    return;
  }
  const child = self.system.spawn(self.system.remoteMain(module, fun, args), {
    initialCall: [module, fun, args.length],
    ...(self.groupLeader === undefined ? {} : { groupLeader: self.groupLeader }),
    ...(pending.link ? { link: self } : {}),
  });
  if (pending.monitor) {
    const index = self.system.ids.indexOfRef(ref);
    const held: Monitor = { ref, item: child.pid, target: child, tag: DOWN, alias: undefined };
    self.monitors.set(index, held);
    child.watchers.set(index, { watcher: self, monitor: held });
  }
  tellSpawn(pending, child.pid);
}

function spawnThere(
  pending: PendingSpawn,
  entry: DistEntry,
  mfa: readonly [Atom, Atom],
  args: readonly Term[],
  other: readonly Term[],
): void {
  const { requester: self, ref } = pending;
  const options: Term[] = [...other];
  if (pending.link) options.push(LINK);
  if (pending.monitor) options.push(MONITOR);
  const index = self.system.ids.indexOfRef(ref);
  entry.spawns.set(index, pending);
  const leader = self.groupLeader ?? self.system.whereis(USER)?.pid ?? self.pid;
  const sent = entry.signal((channel) => {
    if ((channel.flags & SPAWN_FLAG) !== 0n) channel.spawnRequest(ref, self.pid, leader, mfa, args, options);
    else if (entry.spawns.delete(index)) tellSpawn(pending, NOTSUP);
  });
  if (sent) return;
  entry.spawns.delete(index);
  tellSpawn(pending, NOCONNECTION);
}

/** The message that tells the requester what became of its request, if it wants to know. */
function tellSpawn(pending: PendingSpawn, result: Pid | Atom): void {
  const started = result instanceof Pid;
  if (pending.abandoned || !pending.requester.alive) return;
  if (pending.reply === 'no' || (pending.reply === 'error_only' && started)) return;
  pending.requester.deliver(tuple(pending.replyTag, pending.ref, started ? OK : ERROR, result));
}

/** `spawn_request_abandon/1`: a child that still comes is dismissed. False if the answer has come already. */
export function abandonSpawn(self: Process, node: Atom, ref: Reference): boolean {
  const pending = self.system.findEntry(node)?.spawns.get(self.system.ids.indexOfRef(ref));
  if (pending?.requester !== self) return false;
  pending.abandoned = true;
  return true;
}

// --- from a connection --------------------------------------------------------------------------------------

/** Options of a spawn request that change nothing here. */
const IGNORED_OPTIONS = new Set([
  'priority',
  'fullsweep_after',
  'min_heap_size',
  'min_bin_vheap_size',
  'max_heap_size',
  'message_queue_data',
  'async_dist',
]);

interface RequestedSpawn {
  readonly link: boolean;
  readonly monitor: boolean;
}

function spawnOptions(options: Term): RequestedSpawn | undefined {
  if (!Array.isArray(options)) return undefined;
  let linked = false;
  let monitored = false;
  for (const option of options as readonly Term[]) {
    if (option === LINK) linked = true;
    else if (option === MONITOR) monitored = true;
    else if (option instanceof Tuple && option.elements.length === 2) {
      const [key] = option.elements;
      // `{monitor, [{alias, Mode}]}`: the alias is the requester's business
      if (key === MONITOR && Array.isArray(option.elements[1])) monitored = true;
      else if (!(key instanceof Atom) || !IGNORED_OPTIONS.has(key.name)) return undefined;
    } else return undefined;
  }
  return { link: linked, monitor: monitored };
}

export function spawnRequestArrived(
  system: System,
  channel: DistChannel,
  ref: Reference,
  from: Pid,
  leader: Pid,
  mfa: readonly [Atom | boolean, Atom | boolean],
  args: readonly Term[],
  options: Term,
): void {
  const wanted = spawnOptions(options);
  if (wanted === undefined) {
    channel.spawnReply(ref, from, 0, BADOPT);
    return;
  }
  if (system.fullForPeers) {
    channel.spawnReply(ref, from, 0, SYSTEM_LIMIT);
    return;
  }
  const entry = system.distEntry(from.node);
  const child = system.spawn(system.remoteMain(mfa[0], mfa[1], args), {
    groupLeader: leader,
    ...(typeof mfa[0] === 'boolean' || typeof mfa[1] === 'boolean'
      ? {}
      : { initialCall: [mfa[0], mfa[1], args.length] as const }),
  });
  channel.spawnReply(ref, from, (wanted.link ? LINKED : 0) + (wanted.monitor ? MONITORED : 0), child.pid);
  if (wanted.link) addRemoteLink(entry, child, from);
  if (wanted.monitor) monitorArrived(system, channel, from, child.pid, ref);
}

/** The peer tells what became of a request of ours. */
export function spawnReplyArrived(
  system: System,
  from: Atom,
  ref: Reference,
  flags: number,
  result: Pid | Atom,
): void {
  const entry = system.distEntry(from);
  const index = system.ids.indexOfRef(ref);
  const known = entry.spawns.get(index);
  entry.spawns.delete(index);
  if (known === undefined) return;
  const { requester } = known;
  if (!requester.alive || known.abandoned) {
    if (result instanceof Pid) dismissChild(entry, requester, ref, flags, result);
    return;
  }
  if (result instanceof Pid) {
    if ((flags & LINKED) !== 0) addRemoteLink(entry, requester, result);
    if ((flags & MONITORED) !== 0) {
      requester.monitors.set(index, { ref, item: result, target: result, tag: DOWN, alias: undefined });
      entry.monitors.set(index, requester);
    }
  }
  tellSpawn(known, result);
}

function dismissChild(entry: DistEntry, requester: Process, ref: Reference, flags: number, child: Pid): void {
  if ((flags & MONITORED) !== 0) entry.signal((channel) => channel.demonitor(requester.pid, child, ref));
  if ((flags & LINKED) !== 0) {
    const reason = requester.exitReason ?? ABANDONED;
    entry.signal((channel) => channel.exit(requester.pid, child, reason));
  }
}

/** The connection is gone: requests that were not answered are, with `noconnection`. */
export function spawnsLost(entry: DistEntry): void {
  for (const [key, known] of [...entry.spawns]) {
    entry.spawns.delete(key);
    tellSpawn(known, NOCONNECTION);
  }
}
