// The locker: takes the lock of a synchronisation in our own partition (OTP: "the_locker" of global.erl).
//
// One process per node, whose pid the nodes tell each other. It picks a node that waits to be synchronised with,
// locks `{global, [Locker, Locker]}` on the boss (the greatest node name of our partition), on that node, and on
// the rest of our partition, and tells the other locker, who does the same in his. When both hold it, the name
// servers exchange names; ours then says `cancel`, and the lock is given back, after whatever has to be known before.
//
// All of it within a limit of time: a peer that stops in the middle would block registrations everywhere.
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { compare } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import { delLock, setLockOnce } from './global_lock_client.js';
import { GLOBAL, type LockTable } from './global_locks.js';
import {
  GLOBAL_NAME_SERVER,
  LOCK_SET_BY_PROXY,
  type LockSet,
  lockSet,
  OLDEST_VERSION,
  readLockSet,
} from './global_messages.js';
import { LocalEvents } from './local_events.js';

/** A node that waits to be synchronised with. */
export interface Candidate {
  readonly node: Atom;
  readonly locker: Pid;
  /** The smaller of his version and ours. */
  readonly version: number;
  readonly myTag: number;
  readonly hisTag: Term;
}

/** A cast to the name server of a node. */
export interface Cast {
  readonly node: Atom;
  readonly message: Term;
}

type LockerEvent =
  | { readonly type: 'candidate'; readonly candidate: Candidate }
  | { readonly type: 'cancel'; readonly node: Atom; readonly tag: Term; readonly before: readonly Cast[] }
  | { readonly type: 'lock_set'; readonly message: LockSet }
  | { readonly type: 'known'; readonly nodes: readonly Atom[] }
  | { readonly type: 'gone'; readonly node: Atom };

const GEN_CAST = atom('$gen_cast');
const EXIT = atom('EXIT');

/** What the locker tells the name server, and asks it. */
export interface LockerListener {
  /** Whether a node is connected, or of our partition and being connected: what is sent to it arrives. */
  isReachable(node: Atom): boolean;
  /** Both sides hold the lock of that session. */
  lockIsSet(node: Atom, tag: number, lockId: Tuple): void;
  /** The session took longer than the limit, while the lock was held for it. */
  expired(node: Atom, tag: number): void;
}

/** `SESSION_LIMIT_MS` after a lock was asked for, the session has to be over. */
export const SESSION_LIMIT_MS = 10_000;

export class Locker {
  readonly process: Process;
  readonly #events = new LocalEvents<LockerEvent>();
  readonly #table: LockTable;
  readonly #listener: LockerListener;
  readonly #limitMs: number;
  /** Nodes of our partition, as told by the name server. */
  readonly #known = new Set<Atom>();
  readonly #candidates = new Map<Atom, Candidate>();
  /** The last session came to its end. */
  #justSynced = false;
  /** In the last attempt we did not get the lock, or he did not. */
  #failed = false;

  constructor(
    system: System,
    table: LockTable,
    listener: LockerListener,
    limitMs: number = SESSION_LIMIT_MS,
  ) {
    this.#table = table;
    this.#listener = listener;
    this.#limitMs = limitMs;
    this.process = system.spawn((self) => this.#loop(self));
    this.process.asyncDist = true;
    this.process.trapExit = true;
  }

  /** A node told its locker: it waits to be synchronised with. */
  add(candidate: Candidate): void {
    this.#post({ type: 'candidate', candidate });
  }

  /** The session with that tag is over or off: casts `before`, then gives the lock back if it is held for it. */
  cancel(node: Atom, tag: Term, before: readonly Cast[] = []): void {
    this.#post({ type: 'cancel', node, tag, before });
  }

  /** The other locker told whether it holds the lock. */
  lockSet(message: LockSet): void {
    this.#post({ type: 'lock_set', message });
  }

  addToKnown(nodes: readonly Atom[]): void {
    if (nodes.length > 0) this.#post({ type: 'known', nodes });
  }

  removeFromKnown(node: Atom): void {
    this.#post({ type: 'gone', node });
  }

  #post(event: LockerEvent): void {
    this.#events.post(this.process, event);
  }

  // --- the process -------------------------------------------------------------------------------------------

  async #loop(self: Process): Promise<void> {
    for (;;) {
      const message = self.poll() ?? (await self.next(this.#pause()));
      if (message !== undefined) await this.#handle(self, message);
      else if (!this.#table.isSet(GLOBAL)) await this.#select(self);
    }
  }

  /** How long to wait for messages before trying: others of our partition must get their chance at the lock. */
  #pause(): number | undefined {
    const justSynced = this.#justSynced;
    this.#justSynced = false;
    if (this.#candidates.size === 0) return undefined;
    if (justSynced) return 0;
    const base = this.#known.size === 0 ? 200 : Math.min(1000 + 100 * this.#known.size, 3000);
    // Two pairs that were in each other's way once would meet again for ever if all paused alike.
    return this.#failed ? base * (0.25 + 0.75 * Math.random()) : base;
  }

  async #handle(self: Process, message: Term): Promise<void> {
    const event = this.#events.of(message);
    if (event === undefined) {
      // Version 5 tells the other locker itself.
      const direct = readLockSet(message);
      if (direct !== undefined) await this.#otherIsSet(self, direct);
      else unexpected(self, 'locker', message);
      return;
    }
    switch (event.type) {
      case 'candidate':
        this.#candidates.set(event.candidate.node, event.candidate);
        return;
      case 'cancel':
        this.#send(self, event.before);
        this.#drop(event.node, event.tag);
        return;
      case 'lock_set':
        return this.#otherIsSet(self, event.message);
      case 'known':
      case 'gone':
        this.#updateKnown(event);
    }
  }

  #updateKnown(event: LockerEvent): boolean {
    if (event.type === 'known') for (const node of event.nodes) this.#known.add(node);
    else if (event.type === 'gone') this.#known.delete(event.node);
    else return false;
    return true;
  }

  #drop(node: Atom, tag: Term): void {
    if (this.#candidates.get(node)?.myTag === tag) this.#candidates.delete(node);
  }

  // --- we begin ----------------------------------------------------------------------------------------------

  async #select(self: Process): Promise<void> {
    for (const node of this.#candidates.keys()) if (this.#known.has(node)) this.#candidates.delete(node);
    const all = [...this.#candidates.values()];
    const sameHost = all.filter(({ node }) => hostOf(node) === hostOf(self.node));
    const choice = sameHost.length > 0 ? sameHost : all;
    const him = choice[Math.floor(Math.random() * choice.length)];
    if (him === undefined) return;
    const deadline = self.system.clock.now() + this.#limitMs;
    const id = lockIdOf(self.pid, him.locker);
    const nodes = await this.#lockSafely(self, id, him, true, deadline);
    if (nodes === undefined) return;
    this.#tell(self, him, true);
    if (await this.#hisAnswer(self, him, deadline)) {
      this.#listener.lockIsSet(him.node, him.myTag, id);
      await this.#untilCancel(self, him, deadline);
      this.#justSynced = true;
    } else this.#failed = true; // likely two beginners have each locked a node of one partition
    await this.#unlock(self, id, nodes);
  }

  /**
   * Whether he holds the lock too. Meanwhile he may try the same and tell so first: that is an answer as well.
   * False: he does not, or the session is off.
   */
  async #hisAnswer(self: Process, him: Candidate, deadline: number): Promise<boolean> {
    const answer = await self.receive(
      (message) => {
        const event = this.#events.of(message);
        if (event?.type === 'cancel') return isOf(event, him) ? event : undefined;
        const told = event?.type === 'lock_set' ? event.message : readLockSet(message);
        return told !== undefined && isFrom(told, him) ? told : undefined;
      },
      left(self, deadline),
    );
    if (answer === undefined) {
      this.#listener.expired(him.node, him.myTag);
      return false;
    }
    if (!('type' in answer)) return answer.set;
    this.#send(self, answer.before);
    this.#drop(him.node, him.myTag);
    return false;
  }

  // --- he begins ---------------------------------------------------------------------------------------------

  async #otherIsSet(self: Process, told: LockSet): Promise<void> {
    if (!told.set) return; // an answer to an attempt that is over
    const him = this.#candidates.get(told.locker.node);
    if (him === undefined || !isFrom(told, him)) {
      // In the form of version 5, which every locker takes.
      self.send(told.locker, lockSet(self.pid, false, [...this.#known], OLDEST_VERSION, 0));
      return;
    }
    const deadline = self.system.clock.now() + this.#limitMs;
    const id = lockIdOf(self.pid, him.locker);
    const nodes = await this.#lockSafely(self, id, him, false, deadline);
    this.#tell(self, him, nodes !== undefined);
    if (nodes === undefined) return;
    this.#listener.lockIsSet(him.node, him.myTag, id);
    await this.#untilCancel(self, him, deadline);
    this.#justSynced = true;
    await this.#unlock(self, id, nodes);
  }

  // --- both --------------------------------------------------------------------------------------------------

  /** Waits for the name server to be done with the session; past the limit it is told, and ends it. */
  async #untilCancel(self: Process, him: Candidate, deadline: number): Promise<void> {
    const cancelled = (message: Term): LockerEvent | undefined => {
      const event = this.#events.of(message);
      return event?.type === 'cancel' && isOf(event, him) ? event : undefined;
    };
    let event = await self.receive(cancelled, left(self, deadline));
    if (event === undefined) {
      this.#listener.expired(him.node, him.myTag);
      event = await self.receive(cancelled);
    }
    if (event?.type === 'cancel') this.#send(self, event.before);
    this.#drop(him.node, him.myTag);
  }

  /**
   * Locks the boss, then ourselves and, if we begin, the peer, then the rest of our partition; all or nothing.
   * The boss first makes most conflicts end at one question. Gives the nodes that are locked.
   */
  async #lockSafely(
    self: Process,
    id: Tuple,
    him: Candidate,
    lockHim: boolean,
    deadline: number,
  ): Promise<readonly Atom[] | undefined> {
    const boss = theBoss([self.node, ...this.#known]);
    this.#failed = true;
    if (boss !== self.node && !this.#table.canSet(id)) return undefined;
    const locked: Atom[] = [];
    const steps = [
      () => [boss],
      () => [self.node, ...(lockHim ? [him.node] : [])],
      () => {
        this.#catchUp(self);
        return [...this.#known];
      },
    ];
    for (const step of steps) {
      const nodes = step().filter((node) => !locked.includes(node) && this.#listener.isReachable(node));
      const round = await setLockOnce(self, this.#table, id, nodes, left(self, deadline));
      if (round.set) {
        locked.push(...nodes);
        continue;
      }
      await this.#unlock(self, id, locked);
      if (round.silent.includes(him.node)) this.#listener.expired(him.node, him.myTag);
      return undefined;
    }
    this.#failed = false;
    return locked;
  }

  /** Takes what is known by now out of the mailbox. */
  #catchUp(self: Process): void {
    while (
      self.mailbox.take((message) => {
        const event = this.#events.of(message);
        return event !== undefined && this.#updateKnown(event) ? true : undefined;
      }) === true
    );
  }

  /** The boss last, so that whoever gets the boss gets the others too. */
  async #unlock(self: Process, id: Tuple, nodes: readonly Atom[]): Promise<void> {
    if (nodes.length === 0) return;
    const boss = theBoss(nodes);
    const others = nodes.filter((node) => node !== boss);
    if (others.length > 0) await delLock(self, id, others, this.#limitMs);
    await delLock(self, id, [boss], this.#limitMs);
  }

  #tell(self: Process, him: Candidate, set: boolean): void {
    const message = lockSet(self.pid, set, [...this.#known], him.version, him.hisTag);
    if (!self.system.isUp(him.node)) return;
    if (him.version < LOCK_SET_BY_PROXY) self.send(him.locker, message);
    else this.#send(self, [{ node: him.node, message }]);
  }

  #send(self: Process, casts: readonly Cast[]): void {
    for (const { node, message } of casts) {
      if (!this.#listener.isReachable(node)) continue;
      self.send(tuple(GLOBAL_NAME_SERVER, node), tuple(GEN_CAST, message));
    }
  }
}

/** Logs a message that means nothing to a process of global; exits of others it survives without a word. */
export function unexpected(self: Process, what: string, message: Term): void {
  if (isTagged(message, EXIT, 3)) return;
  self.system.log(
    'warning',
    `The global_name_server ${what} process received an unexpected message:\n${format(message, 1000)}`,
  );
}

/** Milliseconds until the deadline. */
function left(self: Process, deadline: number): number {
  return Math.max(1, deadline - self.system.clock.now());
}

/** `{global, [Locker, Locker]}`, the lower pid first: the same on both sides. */
function lockIdOf(mine: Pid, his: Pid): Tuple {
  return tuple(GLOBAL, compare(mine, his) < 0 ? [mine, his] : [his, mine]);
}

/** Whether that is the lock of a session of this locker. */
export function isLockOfSession(id: Tuple, locker: Pid): boolean {
  const [resource, lockers] = id.elements;
  if (resource !== GLOBAL || !Array.isArray(lockers)) return false;
  return (lockers as readonly Term[]).some((pid) => pid instanceof Pid && pid.key === locker.key);
}

/** The greatest node name. */
export function theBoss(nodes: readonly Atom[]): Atom {
  return nodes.reduce((greatest, node) => (compare(node, greatest) > 0 ? node : greatest));
}

function hostOf(node: Atom): string {
  return node.name.slice(node.name.indexOf('@') + 1);
}

function isOf(event: { readonly node: Atom; readonly tag: Term }, him: Candidate): boolean {
  return event.node === him.node && event.tag === him.myTag;
}

function isFrom(told: LockSet, him: Candidate): boolean {
  return told.locker.node === him.node && (told.tag === undefined || told.tag === him.myTag);
}
