// Signals between processes, local and remote: links, monitors, exits, group leaders.
//
// The functions of the first half are called by local processes; those of the second half (`…Arrived`) by a
// connection for what its peer sent. Links to other nodes follow the acknowledged unlink protocol.
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { DistChannel, DistEntry, RemoteLink, RemoteWatcher, Watched } from './dist_entry.js';
import { NOCONNECTION, NOPROC } from './exit_reason.js';
import type { AliasMode, Monitor, Process } from './process.js';
import type { System } from './system.js';

const PROCESS = atom('process');

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

/** A link over that connection; the other side has it already. */
export function addRemoteLink(entry: DistEntry, local: Process, remote: Pid): void {
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

/** The connection is gone: links and monitors that crossed it end with `noconnection`. */
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
}
