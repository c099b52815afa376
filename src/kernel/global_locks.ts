// The lock table of one node: `ResourceId → {Requester, [Pid]}` (OTP: the ets table `global_locks`).
//
// A lock is held by processes, on behalf of a requester: several processes may hold it at once for the same
// requester, nobody for another one. Each holder is monitored; its end gives the lock back.

import { atom } from '../terms/atom.js';
import { equals, keyOf } from '../terms/order.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';

/** The resource that `global` itself locks for registrations and synchronisations. */
export const GLOBAL: Term = atom('global');

/** Locks in the table at most; beyond it new ones are refused, as if taken. */
const MAX_LOCKS = 100_000;

/** How the table watches the processes that hold locks. */
export interface Watcher {
  monitor(pid: Pid): Reference;
  demonitor(ref: Reference): void;
}

interface Lock {
  readonly resource: Term;
  readonly requester: Term;
  /** By pid key. */
  readonly holders: Map<string, { readonly pid: Pid; readonly ref: Reference }>;
}

/** What a lock identity is: `{ResourceId, LockRequesterId}`. */
export function isLockId(id: Term): id is Tuple {
  return id instanceof Tuple && id.elements.length === 2;
}

export class LockTable {
  readonly #locks = new Map<unknown, Lock>();
  /** Which lock a monitor is for, by reference key. */
  readonly #byRef = new Map<string, { readonly lock: Lock; readonly pid: Pid }>();
  readonly #watcher: Watcher;
  /** Whether the last lock on `global` ended with its holder, instead of being given back. */
  globalLockDown = false;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
  }

  get size(): number {
    return this.#locks.size;
  }

  /** Whether a set would succeed: the resource is free, or locked for the same requester. */
  canSet(id: Tuple): boolean {
    const [resource, requester] = id.elements as [Term, Term];
    const lock = this.#locks.get(keyOf(resource));
    if (lock === undefined) return this.#locks.size < MAX_LOCKS;
    return equals(lock.requester, requester);
  }

  /** Gives the lock to `pid` if it can be set; a process holds it once however often it asks. */
  set(id: Tuple, pid: Pid): boolean {
    if (!this.canSet(id)) return false;
    const [resource, requester] = id.elements as [Term, Term];
    const key = keyOf(resource);
    let lock = this.#locks.get(key);
    if (lock === undefined) {
      lock = { resource, requester, holders: new Map() };
      this.#locks.set(key, lock);
    }
    if (lock.holders.has(pid.key)) return true;
    const ref = this.#watcher.monitor(pid);
    lock.holders.set(pid.key, { pid, ref });
    this.#byRef.set(ref.key, { lock, pid });
    return true;
  }

  /** Takes the lock from `pid`. Of another requester, or not held: nothing happens. */
  del(id: Tuple, pid: Pid): void {
    const [resource, requester] = id.elements as [Term, Term];
    const lock = this.#locks.get(keyOf(resource));
    if (lock !== undefined && equals(lock.requester, requester)) this.#remove(lock, pid, false);
  }

  /** A monitor ended: whatever that process held through it is free. */
  down(ref: Reference): void {
    const held = this.#byRef.get(ref.key);
    if (held !== undefined) this.#remove(held.lock, held.pid, true);
  }

  /** Takes all locks from the processes of a node, as if it were down. */
  nodeGone(node: Term): void {
    for (const { lock, pid } of [...this.#byRef.values()]) {
      if (pid.node === node) this.#remove(lock, pid, true);
    }
  }

  #remove(lock: Lock, pid: Pid, down: boolean): void {
    const holder = lock.holders.get(pid.key);
    if (holder === undefined) return;
    lock.holders.delete(pid.key);
    this.#byRef.delete(holder.ref.key);
    this.#watcher.demonitor(holder.ref);
    if (lock.holders.size > 0) return;
    this.#locks.delete(keyOf(lock.resource));
    if (lock.resource === GLOBAL) this.globalLockDown = down;
  }

  isSet(resource: Term): boolean {
    return this.#locks.has(keyOf(resource));
  }

  /** Who locks a resource: the requester and the processes that hold the lock for it. */
  holders(resource: Term): { readonly requester: Term; readonly pids: readonly Pid[] } | undefined {
    const lock = this.#locks.get(keyOf(resource));
    if (lock === undefined) return undefined;
    return { requester: lock.requester, pids: [...lock.holders.values()].map(({ pid }) => pid) };
  }

  /** Whether `pid` holds the resource. */
  isHeldBy(resource: Term, pid: Pid): boolean {
    return this.#locks.get(keyOf(resource))?.holders.has(pid.key) === true;
  }

  /** As `ets:tab2list(global_locks)` shows it in OTP: `{ResourceId, Requester, [{Pid, Monitor}]}`. */
  toTable(): Tuple[] {
    return [...this.#locks.values()].map(({ resource, requester, holders }) =>
      tuple(
        resource,
        requester,
        [...holders.values()].map(({ pid, ref }) => tuple(pid, ref)),
      ),
    );
  }

  /** All locks as `{ResourceId, Requester, [Pid]}`, for `info` and the operator. */
  toTerms(): Tuple[] {
    return [...this.#locks.values()].map((lock) =>
      tuple(
        lock.resource,
        lock.requester,
        [...lock.holders.values()].map(({ pid }) => pid),
      ),
    );
  }
}
