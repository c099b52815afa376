// Signals between processes, local and remote: links, monitors, exits, aliases, spawn requests.
//
// The functions of the first half are called by local processes; those of the second half (`…Arrived`) by a
// connection for what its peer sent. Links to other nodes follow the acknowledged unlink protocol.
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import {
  type DistChannel,
  type DistEntry,
  type PendingSpawn,
  type RemoteLink,
  type RemoteWatcher,
  SPAWN_FLAG,
  type Watched,
} from './dist_entry.js';
import {
  type AliasMode,
  type Monitor,
  NOCONNECTION,
  NOPROC,
  type Process,
  type SpawnRequestOptions,
} from './process.js';
import type { System } from './system.js';

const PROCESS = atom('process');
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

// --- from local processes -------------------------------------------------------------------------------------

export function link(self: Process, to: Pid): void {
  const system = self.system;
  if (to.node === system.node) {
    const other = system.process(to);
    if (other === undefined) self.exitArrived(to, NOPROC, 'link');
    else if (other !== self) {
      self.links.add(other);
      other.links.add(self);
    }
    return;
  }
  const entry = system.connectedEntry(to.node);
  const known = entry?.links.get(linkKey(self, to));
  if (known?.active === true) return;
  if (entry?.signal((channel) => channel.link(self.pid, to)) !== true) {
    self.exitArrived(to, NOCONNECTION, 'link');
  } else if (known !== undefined) {
    known.active = true; // an unlink that is not acknowledged yet is forgotten
    known.unlinkId = 0n;
  } else addRemoteLink(entry, self, to);
}

export function unlink(self: Process, from: Pid): void {
  const system = self.system;
  if (from.node === system.node) {
    const other = system.process(from);
    if (other !== undefined) {
      self.links.delete(other);
      other.links.delete(self);
    }
    return;
  }
  const entry = system.findEntry(from.node);
  const known = entry?.links.get(linkKey(self, from));
  if (entry === undefined || known === undefined || !known.active) return;
  known.active = false;
  known.unlinkId = ++self.unlinkCounter;
  const id = known.unlinkId;
  entry.signal((channel) => channel.unlink(id, self.pid, from));
}

export function monitor(
  self: Process,
  target: Pid | Atom | Tuple,
  tag: Term,
  alias: AliasMode | undefined,
): Reference {
  const system = self.system;
  const ref = system.ids.reference();
  if (alias !== undefined) system.addAlias(self, ref, alias);
  const index = system.ids.indexOfRef(ref);
  const item = target instanceof Atom ? tuple(target, system.node) : target;
  const node = nodeOfItem(item);
  const watched = item instanceof Pid ? item : (item.elements[0] as Atom);
  if (node === system.node) {
    const other = watched instanceof Pid ? system.process(watched) : system.registered.whereis(watched);
    const held: Monitor = { ref, item, target: other ?? watched, tag, alias };
    if (other === undefined) down(self, held, NOPROC);
    else {
      self.monitors.set(index, held);
      other.watchers.set(index, { watcher: self, monitor: held });
    }
    return ref;
  }
  const held: Monitor = { ref, item, target: watched, tag, alias };
  const entry = system.connectedEntry(node);
  if (entry?.signal((channel) => channel.monitor(self.pid, watched, ref)) !== true) {
    down(self, held, NOCONNECTION);
  } else {
    self.monitors.set(index, held);
    entry.monitors.set(index, self);
  }
  return ref;
}

export function demonitor(self: Process, ref: Reference): void {
  const { system } = self;
  const index = system.ids.indexOfRef(ref);
  const held = self.monitors.get(index);
  if (held === undefined) return;
  self.monitors.delete(index);
  if (held.alias === 'demonitor' || held.alias === 'reply_demonitor') system.removeAlias(self, ref);
  const { target } = held;
  if (!(target instanceof Pid) && !(target instanceof Atom)) {
    target.watchers.delete(index);
    return;
  }
  const entry = system.findEntry(nodeOfItem(held.item));
  entry?.monitors.delete(index);
  entry?.signal((channel) => channel.demonitor(self.pid, target, ref));
}

export function exit2(system: System, from: Pid, to: Pid, reason: Term): void {
  if (to.node === system.node) system.process(to)?.exitArrived(from, reason, 'exit2');
  else system.connectedEntry(to.node)?.signal((channel) => channel.exit2(from, to, reason));
}

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

/** Tells everybody who has to know that a process ended. */
export function processEnded(self: Process, reason: Term): void {
  const system = self.system;
  system.forget(self);
  for (const other of self.links) {
    other.links.delete(self);
    other.exitArrived(self.pid, reason, 'link');
  }
  self.links.clear();
  for (const known of self.remoteLinks) {
    const entry = system.findEntry(known.remote.node);
    entry?.links.delete(linkKey(self, known.remote));
    if (known.active) entry?.signal((channel) => sendExit(channel, self.pid, known.remote, reason));
  }
  self.remoteLinks.clear();
  for (const { watcher, monitor: held } of self.watchers.values()) {
    watcher.monitors.delete(system.ids.indexOfRef(held.ref));
    down(watcher, held, reason);
  }
  self.watchers.clear();
  for (const known of self.remoteWatchers) {
    const entry = system.findEntry(known.watcher.node);
    entry?.watchers.delete(known);
    entry?.signal((channel) => channel.monitorExit(known.watched, known.watcher, known.ref, reason));
  }
  self.remoteWatchers.clear();
  for (const held of [...self.monitors.values()]) demonitor(self, held.ref);
}

/** A peer closes the connection when told of an exit for a pid of an earlier incarnation of it: do not tell. */
function sendExit(channel: DistChannel, from: Pid, to: Pid, reason: Term): void {
  if (to.creation === channel.creation) channel.exit(from, to, reason);
}

function down(watcher: Process, held: Monitor, reason: Term): void {
  if (held.alias === 'demonitor' || held.alias === 'reply_demonitor') {
    watcher.system.removeAlias(watcher, held.ref);
  }
  watcher.deliver(tuple(held.tag, held.ref, PROCESS, held.item, reason));
}

function nodeOfItem(item: Pid | Tuple): Atom {
  return item instanceof Pid ? item.node : (item.elements[1] as Atom);
}

function linkKey(local: Process, remote: Pid): string {
  return `${local.pid.key}|${remote.key}`;
}

function addRemoteLink(entry: DistEntry, local: Process, remote: Pid): void {
  const made: RemoteLink = { local, remote, active: true, unlinkId: 0n };
  entry.links.set(linkKey(local, remote), made);
  local.remoteLinks.add(made);
}

function removeRemoteLink(entry: DistEntry, known: RemoteLink): void {
  entry.links.delete(linkKey(known.local, known.remote));
  known.local.remoteLinks.delete(known);
}

// --- from a connection --------------------------------------------------------------------------------------

export function linkArrived(system: System, channel: DistChannel, from: Pid, to: Pid): void {
  const local = system.process(to);
  if (local === undefined) {
    sendExit(channel, to, from, NOPROC);
    return;
  }
  const entry = system.distEntry(from.node);
  if (!entry.links.has(linkKey(local, from))) addRemoteLink(entry, local, from);
}

/** `UNLINK_ID`: always acknowledged, before anything else to that process. Id 0: the old protocol, no answer. */
export function unlinkArrived(system: System, channel: DistChannel, id: bigint, from: Pid, to: Pid): void {
  const entry = system.distEntry(from.node);
  const local = system.process(to);
  const known = local && entry.links.get(linkKey(local, from));
  if (known?.active === true) removeRemoteLink(entry, known);
  if (id !== 0n && from.creation === channel.creation) channel.unlinkAck(id, to, from);
}

export function unlinkAckArrived(system: System, id: bigint, from: Pid, to: Pid): void {
  const entry = system.distEntry(from.node);
  const local = system.process(to);
  const known = local && entry.links.get(linkKey(local, from));
  if (known !== undefined && !known.active && known.unlinkId === id) removeRemoteLink(entry, known);
}

/** A link's exit signal: ignored unless the link is active. */
export function exitArrived(system: System, from: Pid, to: Pid, reason: Term): void {
  const entry = system.distEntry(from.node);
  const local = system.process(to);
  const known = local && entry.links.get(linkKey(local, from));
  if (local === undefined || known === undefined || !known.active) return;
  removeRemoteLink(entry, known);
  local.exitArrived(from, reason, 'link');
}

export function exit2Arrived(system: System, from: Pid, to: Pid, reason: Term, urgent = false): void {
  system.process(to)?.exitArrived(from, reason, 'exit2', urgent);
}

export function monitorArrived(
  system: System,
  channel: DistChannel,
  watcher: Pid,
  watched: Watched,
  ref: Reference,
): void {
  const local = watched instanceof Pid ? system.process(watched) : system.registered.whereis(watched);
  if (local === undefined || system.hidesFrom(watcher, local)) {
    channel.monitorExit(watched, watcher, ref, NOPROC);
    return;
  }
  const entry = system.distEntry(watcher.node);
  const known: RemoteWatcher = { local, watched, watcher, ref };
  entry.watchers.add(known);
  local.remoteWatchers.add(known);
}

/** Ends the monitors that a remote process holds on a local one, as if that had ended for that reason. */
export function endMonitors(local: Process, watcher: Pid, reason: Term): void {
  const entry = local.system.distEntry(watcher.node);
  for (const known of [...local.remoteWatchers]) {
    if (known.watcher.key !== watcher.key) continue;
    local.remoteWatchers.delete(known);
    entry.watchers.delete(known);
    entry.signal((channel) => channel.monitorExit(known.watched, known.watcher, known.ref, reason));
  }
}

export function demonitorArrived(system: System, watcher: Pid, ref: Reference): void {
  const watchers = system.findEntry(watcher.node)?.watchers;
  const known = watchers?.find(ref);
  if (known === undefined) return;
  known.local.remoteWatchers.delete(known);
  watchers?.delete(known);
}

export function monitorExitArrived(system: System, from: Atom, ref: Reference, reason: Term): void {
  const monitors = system.findEntry(from)?.monitors;
  const index = system.ids.indexOfRef(ref);
  const watcher = monitors?.get(index);
  monitors?.delete(index);
  const held = watcher?.monitors.get(index);
  if (watcher === undefined || held === undefined) return;
  watcher.monitors.delete(index);
  down(watcher, held, reason);
}

export function groupLeaderArrived(system: System, leader: Pid, to: Pid): void {
  const local = system.process(to);
  if (local !== undefined) local.groupLeader = leader;
}

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
  channel.spawnReply(ref, from, (wanted.link ? 1 : 0) + (wanted.monitor ? 2 : 0), child.pid);
  if (wanted.link) addRemoteLink(entry, child, from);
  if (wanted.monitor) monitorArrived(system, channel, from, child.pid, ref);
}

/** Flags: 1 link set up, 2 monitor set up. */
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
    if ((flags & 1) !== 0) addRemoteLink(entry, requester, result);
    if ((flags & 2) !== 0) {
      requester.monitors.set(index, { ref, item: result, target: result, tag: DOWN, alias: undefined });
      entry.monitors.set(index, requester);
    }
  }
  tellSpawn(known, result);
}

function dismissChild(entry: DistEntry, requester: Process, ref: Reference, flags: number, child: Pid): void {
  if ((flags & 2) !== 0) entry.signal((channel) => channel.demonitor(requester.pid, child, ref));
  if ((flags & 1) !== 0) {
    const reason = requester.exitReason ?? ABANDONED;
    entry.signal((channel) => channel.exit(requester.pid, child, reason));
  }
}

/** The connection is gone: everything that crossed it ends with `noconnection`, before anybody sees the nodedown. */
export function connectionLost(entry: DistEntry): void {
  for (const known of [...entry.links.values()]) {
    removeRemoteLink(entry, known);
    if (known.active) known.local.exitArrived(known.remote, NOCONNECTION, 'link');
  }
  for (const [key, watcher] of [...entry.monitors]) {
    entry.monitors.delete(key);
    const held = watcher.monitors.get(key);
    watcher.monitors.delete(key);
    if (held !== undefined) down(watcher, held, NOCONNECTION);
  }
  for (const known of entry.watchers.takeAll()) known.local.remoteWatchers.delete(known);
  for (const [key, known] of [...entry.spawns]) {
    entry.spawns.delete(key);
    tellSpawn(known, NOCONNECTION);
  }
}
