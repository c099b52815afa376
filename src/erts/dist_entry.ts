// A remote node as seen from here: whether it is connected, the links and monitors that cross to it, and what
// waits for the connection. `dist/channel` implements the connection itself.
import type { Atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import type { Process } from './process.js';

/** How a process is named on the node that has it: by pid or by registered name. */
export type Watched = Pid | Atom;

/** `DFLAG_ALIAS`: the peer's processes may be sent messages by alias, and ours. */
export const ALIAS_FLAG: bigint = 1n << 35n;

/** `DFLAG_SPAWN`: the peer takes spawn requests. */
export const SPAWN_FLAG: bigint = 1n << 32n;

/** One live connection. Each method writes one signal, in order, and never blocks. */
export interface DistChannel {
  readonly node: Atom;
  /** The peer's creation, from its handshake. */
  readonly creation: number;
  /** The negotiated `DFLAG_*` bits: what both sides have. */
  readonly flags: bigint;
  /** Whether both sides are visible (`PUBLISHED`). */
  readonly visible: boolean;
  /** Different for each connection of this node. */
  readonly connectionId: number;
  /** Whether more waits to be written than `busyLimit`; senders without `asyncDist` are then refused. */
  readonly busy: boolean;
  /** Bytes read and written so far. */
  readonly traffic: { readonly received: number; readonly written: number };
  /** Resolves when the connection is no longer busy, or is gone. */
  drained(): Promise<void>;
  send(from: Pid, to: Pid, message: Term): void;
  regSend(from: Pid, name: Atom, message: Term): void;
  aliasSend(from: Pid, alias: Reference, message: Term): void;
  link(from: Pid, to: Pid): void;
  unlink(id: bigint, from: Pid, to: Pid): void;
  unlinkAck(id: bigint, from: Pid, to: Pid): void;
  /** A link's exit signal. */
  exit(from: Pid, to: Pid, reason: Term): void;
  /** `exit/2`. */
  exit2(from: Pid, to: Pid, reason: Term): void;
  monitor(watcher: Pid, watched: Watched, ref: Reference): void;
  demonitor(watcher: Pid, watched: Watched, ref: Reference): void;
  monitorExit(watched: Watched | boolean, watcher: Pid, ref: Reference, reason: Term): void;
  groupLeader(leader: Pid, to: Pid): void;
  spawnRequest(
    ref: Reference,
    from: Pid,
    leader: Pid,
    mfa: readonly [Atom, Atom],
    args: readonly Term[],
    options: readonly Term[],
  ): void;
  spawnReply(ref: Reference, to: Pid, flags: number, result: Pid | Atom): void;
  /** Closes the connection; `reason` is that of the nodedown. */
  close(reason: Term, text?: string): void;
}

/** A link between a local and a remote process. Inactive: unlinked here, `unlinkId` not acknowledged yet. */
export interface RemoteLink {
  readonly local: Process;
  readonly remote: Pid;
  active: boolean;
  unlinkId: bigint;
}

/** A remote process watches a local one. */
export interface RemoteWatcher {
  readonly local: Process;
  readonly watched: Watched;
  readonly watcher: Pid;
  readonly ref: Reference;
}

/** The monitors of one peer, by a number made of the reference: cheaper than a text for each that comes. */
export class RemoteWatchers {
  readonly #buckets = new Map<number, RemoteWatcher[]>();

  get size(): number {
    let size = 0;
    for (const same of this.#buckets.values()) size += same.length;
    return size;
  }

  add(known: RemoteWatcher): void {
    const bucket = bucketOf(known.ref);
    const same = this.#buckets.get(bucket);
    if (same === undefined) this.#buckets.set(bucket, [known]);
    else same.push(known);
  }

  /** The oldest one with that reference. */
  find(ref: Reference): RemoteWatcher | undefined {
    return this.#buckets.get(bucketOf(ref))?.find((known) => isSame(known.ref, ref));
  }

  delete(known: RemoteWatcher): void {
    const bucket = bucketOf(known.ref);
    const same = this.#buckets.get(bucket);
    if (same === undefined) return;
    if (same.length > 1) same.splice(same.indexOf(known), 1);
    else if (same[0] === known) this.#buckets.delete(bucket);
  }

  /** All of them, forgotten. */
  takeAll(): RemoteWatcher[] {
    const all = [...this.#buckets.values()].flat();
    this.#buckets.clear();
    return all;
  }
}

function bucketOf(ref: Reference): number {
  const { words } = ref;
  return (words[0] ?? 0) + (words[1] ?? 0) * 2 ** 18;
}

function isSame(a: Reference, b: Reference): boolean {
  if (a === b) return true;
  if (a.creation !== b.creation || a.node !== b.node || a.words.length !== b.words.length) return false;
  return a.words.every((word, i) => word === b.words[i]);
}

/** A spawn request that waits for its reply. */
export interface PendingSpawn {
  readonly ref: Reference;
  readonly requester: Process;
  readonly link: boolean;
  readonly monitor: boolean;
  /** Which outcome is told: both, only an error, none. */
  readonly reply: SpawnReply;
  /** First element of the reply message. */
  readonly replyTag: Term;
  /** Given up: a child that still comes is dismissed. */
  abandoned: boolean;
}

/** When a spawn request is answered by a message: `{reply, yes | error_only | no}`. */
export type SpawnReply = 'yes' | 'error_only' | 'no';

export type Signal = (channel: DistChannel) => void;

/** Signals kept for a node whose connection is being set up; for more it counts as not connected. */
const MAX_PENDING_SIGNALS = 100_000;

export class DistEntry {
  readonly node: Atom;
  /** The connection, when it is up. */
  channel: DistChannel | undefined;
  /** Signals that wait for the connection, while one is being set up. */
  pending: Signal[] | undefined;
  /** The OTP release of the node, as far as it was asked on that connection. */
  release: { readonly connectionId: number; readonly number: number } | undefined;
  /** By `localPid.key + remotePid.key`. */
  readonly links: Map<string, RemoteLink> = new Map();
  /** Monitors of local processes on remote ones, by the index of the reference. */
  readonly monitors: Map<number, Process> = new Map();
  /** Monitors of remote processes on local ones: the same reference may be used twice. */
  readonly watchers: RemoteWatchers = new RemoteWatchers();
  /** By the index of the reference. */
  readonly spawns: Map<number, PendingSpawn> = new Map();

  constructor(node: Atom) {
    this.node = node;
  }

  /** Writes the signal now, or when the connection is up. False: there is neither, or too many wait for it. */
  signal(signal: Signal): boolean {
    if (this.channel !== undefined) signal(this.channel);
    else if (this.pending !== undefined && this.pending.length < MAX_PENDING_SIGNALS)
      this.pending.push(signal);
    else return false;
    return true;
  }
}
