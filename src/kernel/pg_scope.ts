// A scope of process groups: named groups of processes on all nodes that run the same scope (OTP: pg.erl).
//
// It is a process with a registered name, `pg` by default, on every node that takes part. Scopes exchange:
//   nodeup                                 {discover, Scope} -> the scope's name there
//   <- {discover, Scope} of one not known  {'$gen_cast', {sync, Scope, [{Group, [Pid]}]}} -> it, and discover in return
//   join, leave of local processes         {join, Scope, Group, Pids}, {leave, Scope, Pids, [Group]} -> all known
// A scope that goes takes its members along. Only a scope's own processes are its to join or remove.
//
// Only the forms of OTP 23 are sent, which every release takes: scopes of 23 to 25 end at any other message, and
// OTP 29 speaks them to whoever does. Its own (`{discover, Scope, 1}`) are understood.
import { ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { NodeEvent } from '../erts/system.js';
import type { From } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { TermMap } from '../terms/map.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { LocalEvents } from './local_events.js';
import { Groups, without } from './pg_groups.js';

const DISCOVER = atom('discover');
const SYNC = atom('sync');
const JOIN = atom('join');
const LEAVE = atom('leave');
const UPDATE = atom('update');
const LOCAL_DATA = atom('local_data');
const DOWN = atom('DOWN');
const GEN_CAST = atom('$gen_cast');
/** The scope that OTP starts when asked to. */
export const DEFAULT_SCOPE: Atom = atom('pg');
/** Members of one peer's groups at most; what is beyond is not taken. */
const MAX_MEMBERS = 1_000_000;

/** Told of every change: `join` or `leave` of these processes. */
export type GroupListener = (change: 'join' | 'leave', group: Term, pids: readonly Pid[]) => void;

interface Peer {
  readonly pid: Pid;
  readonly groups: Groups;
  readonly ref: Reference;
}

/** One scope on this node. */
export class PgScope implements GenServer<undefined> {
  readonly module: Atom = DEFAULT_SCOPE;
  readonly name: Atom;
  readonly #events = new LocalEvents<Atom>();
  readonly #local = new Groups();
  /** Local members: their monitor. */
  readonly #watched = new Map<string, { readonly pid: Pid; readonly ref: Reference }>();
  readonly #peers = new Map<string, Peer>();
  readonly #listeners = new Set<GroupListener>();
  #self: Process | undefined;

  constructor(name: Atom = DEFAULT_SCOPE) {
    this.name = name;
  }

  /** Starts the scope under a supervisor. */
  startLink(supervisor: Process): Promise<StartResult> {
    return startLink(supervisor, this, [], { name: this.name });
  }

  init(self: Process): { state: undefined } {
    const { system } = self;
    this.#self = self;
    self.asyncDist = true;
    const listener = (event: NodeEvent): void => {
      if (event.type === 'up' && event.channel.visible) this.#events.post(self, event.node);
    };
    system.nodeListeners.add(listener);
    self.signal.addEventListener('abort', () => system.nodeListeners.delete(listener), { once: true });
    for (const node of system.nodes()) this.#send(tuple(this.name, node), tuple(DISCOVER, self.pid));
    return { state: undefined };
  }

  // --- what users call -------------------------------------------------------------------------------------------

  /** Lets processes of this node join a group; one may join several times. */
  join(group: Term, pids: Pid | readonly Pid[]): void {
    const list = this.#checked(pids);
    this.#local.add(group, list);
    for (const pid of list) this.#watch(pid);
    this.#tell('join', group, list);
    this.#broadcast(tuple(JOIN, this.#running.pid, group, list));
  }

  /** Takes processes out of a group, once each; false if none of them was in it. */
  leave(group: Term, pids: Pid | readonly Pid[]): boolean {
    const removed = this.#local.remove(group, this.#checked(pids));
    if (removed.length === 0) return false;
    for (const pid of removed) this.#unwatch(pid);
    this.#tell('leave', group, removed);
    this.#broadcast(tuple(LEAVE, this.#running.pid, removed, [group]));
    return true;
  }

  /** `leave` of what may have ended meanwhile, the scope as well. */
  leaveIfThere(group: Term, pids: Pid | readonly Pid[]): void {
    if (this.#self?.alive === true) this.leave(group, pids);
  }

  /** All members of a group, on all nodes. */
  getMembers(group: Term): Pid[] {
    return [...this.#owners()].flatMap((groups) => groups.members(group));
  }

  /** The members of a group on this node. */
  getLocalMembers(group: Term): Pid[] {
    return [...this.#local.members(group)];
  }

  /** All groups that have members. */
  whichGroups(): Term[] {
    const groups = new Map<unknown, Term>();
    for (const owner of this.#owners()) {
      for (const [key, { group }] of owner.groups) groups.set(key, group);
    }
    return [...groups.values()];
  }

  /** The groups that have members on this node. */
  whichLocalGroups(): Term[] {
    return [...this.#local.groups.values()].map(({ group }) => group);
  }

  /** Tells of every change from now on, until the function that is returned is called. */
  monitor(listener: GroupListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get #running(): Process {
    if (this.#self?.alive === true) return this.#self;
    throw new ErlangError(atom('noproc'), [], `the scope ${this.name.name} does not run`);
  }

  #checked(pids: Pid | readonly Pid[]): readonly Pid[] {
    const list = pids instanceof Pid ? [pids] : pids;
    const { node } = this.#running;
    const foreign = list.find((pid) => pid.node !== node);
    if (foreign === undefined) return list;
    const reason = tuple(atom('nolocal'), foreign);
    throw new ErlangError(reason, [], 'only processes of this node join or leave a group here');
  }

  *#owners(): Iterable<Groups> {
    yield this.#local;
    for (const peer of this.#peers.values()) yield peer.groups;
  }

  #watch(pid: Pid): void {
    if (this.#watched.has(pid.key)) return;
    this.#watched.set(pid.key, { pid, ref: this.#running.monitor(pid) });
  }

  #unwatch(pid: Pid): void {
    for (const { pids } of this.#local.groups.values()) {
      if (pids.some((member) => member.key === pid.key)) return;
    }
    const watched = this.#watched.get(pid.key);
    if (watched !== undefined) this.#running.demonitor(watched.ref, { flush: true });
    this.#watched.delete(pid.key);
  }

  #tell(change: 'join' | 'leave', group: Term, pids: readonly Pid[]): void {
    if (pids.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(change, group, pids);
      } catch (error) {
        this.#running.system.log('error', `a listener of group changes failed: ${String(error)}`);
      }
    }
  }

  // --- between scopes --------------------------------------------------------------------------------------------

  /** Without a connection the message is lost, as the scope there is then. */
  #send(to: Pid | Tuple, message: Term): void {
    const self = this.#running;
    if (self.system.isUp(self.system.nodeOf(to))) self.send(to, message);
  }

  #broadcast(message: Term): void {
    for (const peer of this.#peers.values()) this.#send(peer.pid, message);
  }

  handleCall(request: Term, _from: From, state: undefined, self: Process): Step<undefined> {
    self.system.log('warning', `the scope ${this.name.name} has no answer to ${format(request, 200)}`);
    return { state };
  }

  handleCast(message: Term, state: undefined): Step<undefined> {
    if (isTagged(message, SYNC, 3)) this.#sync(message.elements[1] as Term, message.elements[2] as Term);
    else if (isTagged(message, LOCAL_DATA, 4) && message.elements[3] instanceof TermMap) {
      const pairs = [...message.elements[3]].map(([group, pids]) => tuple(group, pids));
      this.#sync(message.elements[1] as Term, pairs);
    }
    return { state };
  }

  handleInfo(message: Term, state: undefined): Step<undefined> {
    const node = this.#events.of(message);
    if (node !== undefined) this.#send(tuple(this.name, node), tuple(DISCOVER, this.#running.pid));
    else if (message instanceof Tuple) this.#info(message);
    return { state };
  }

  #info(message: Tuple): void {
    const e = message.elements as readonly [Term, Term, Term, Term, Term];
    const { length } = message.elements;
    switch (e[0]) {
      case DISCOVER:
        if ((length === 2 || length === 3) && e[1] instanceof Pid) this.#discovered(e[1]);
        return;
      case JOIN:
        if (length === 4) this.#joined(e[1], e[2], e[3]);
        return;
      case LEAVE:
        if (length === 4 && Array.isArray(e[3])) this.#left(e[1], e[2], e[3] as readonly Term[]);
        return;
      case UPDATE:
        if (length === 3 && Array.isArray(e[2])) this.#updated(e[1], e[2] as readonly Term[]);
        return;
      case DOWN:
        if (length === 5 && e[1] instanceof Reference && e[3] instanceof Pid) this.#down(e[1], e[3]);
    }
  }

  #peerOf(term: Term): Peer | undefined {
    return term instanceof Pid ? this.#peers.get(term.key) : undefined;
  }

  #newPeer(pid: Pid): Peer {
    const peer: Peer = { pid, groups: new Groups(), ref: this.#running.monitor(pid) };
    this.#peers.set(pid.key, peer);
    return peer;
  }

  /** A scope looks for others: it gets our members; if we do not know it, we look for it too. */
  #discovered(pid: Pid): void {
    const self = this.#running;
    if (pid.node === self.node || !self.system.isUp(pid.node)) return;
    this.#send(pid, tuple(GEN_CAST, tuple(SYNC, self.pid, this.#local.toTerm())));
    if (this.#peers.has(pid.key)) return;
    this.#newPeer(pid);
    this.#send(pid, tuple(DISCOVER, self.pid));
  }

  /** All members of a peer: in place of what we had of it. */
  #sync(sender: Term, list: Term): void {
    if (!(sender instanceof Pid) || sender.node === this.#running.node || !Array.isArray(list)) return;
    const peer = this.#peers.get(sender.key) ?? this.#newPeer(sender);
    const before = [...peer.groups.groups.values()].map(({ group, pids }) => ({ group, pids: [...pids] }));
    const now = new Groups();
    for (const item of list as readonly Term[]) {
      if (!(item instanceof Tuple) || item.elements.length !== 2) continue;
      const pids = this.#pidsOf(peer, item.elements[1] as Term, now);
      if (pids.length > 0) now.add(item.elements[0] as Term, pids);
    }
    for (const { group, pids } of before) {
      const gone = without(pids, now.members(group));
      peer.groups.remove(group, gone);
      this.#tell('leave', group, gone);
    }
    for (const { group, pids } of now.groups.values()) {
      const come = without(pids, peer.groups.members(group));
      if (come.length > 0) peer.groups.add(group, come);
      this.#tell('join', group, come);
    }
  }

  #joined(sender: Term, group: Term, pids: Term): void {
    const peer = this.#peerOf(sender);
    if (peer === undefined) return;
    const list = this.#pidsOf(peer, pids, peer.groups);
    if (list.length === 0) return;
    peer.groups.add(group, list);
    this.#tell('join', group, list);
  }

  #left(sender: Term, pids: Term, groups: readonly Term[]): void {
    const peer = this.#peerOf(sender);
    if (peer === undefined) return;
    const list = this.#pidsOf(peer, pids, undefined);
    for (const group of groups) this.#tell('leave', group, peer.groups.remove(group, list));
  }

  /** OTP 29: `[{Group, Add, Remove}]`. */
  #updated(sender: Term, changes: readonly Term[]): void {
    for (const change of changes) {
      if (!(change instanceof Tuple) || change.elements.length !== 3) continue;
      const [group, add, remove] = change.elements as [Term, Term, Term];
      this.#left(sender, remove, [group]);
      this.#joined(sender, group, add);
    }
  }

  /** A pid or a list of pids, only those of the peer's own node; `into` says how many there are already. */
  #pidsOf(peer: Peer, term: Term, into: Groups | undefined): Pid[] {
    const list: readonly Term[] = Array.isArray(term) ? (term as readonly Term[]) : [term];
    const pids = list.filter((pid): pid is Pid => pid instanceof Pid && pid.node === peer.pid.node);
    if (into === undefined || into.size + pids.length <= MAX_MEMBERS) return pids;
    const text = `the scope ${this.name.name} takes no more members of ${format(peer.pid.node)}`;
    this.#running.system.log('error', text);
    return [];
  }

  #down(ref: Reference, pid: Pid): void {
    const peer = this.#peers.get(pid.key);
    if (peer !== undefined && peer.ref.key === ref.key) {
      this.#peers.delete(pid.key);
      for (const { group, pids } of peer.groups.groups.values()) this.#tell('leave', group, pids);
      return;
    }
    if (this.#watched.get(pid.key)?.ref.key !== ref.key) return;
    this.#watched.delete(pid.key);
    const left: Term[] = [];
    for (const { group, pids } of [...this.#local.groups.values()]) {
      const times = pids.filter((member) => member.key === pid.key);
      if (times.length === 0) continue;
      this.#local.remove(group, times);
      for (let i = 0; i < times.length; i++) left.push(group);
      this.#tell('leave', group, times);
    }
    if (left.length > 0) this.#broadcast(tuple(LEAVE, this.#running.pid, pid, left));
  }
}
