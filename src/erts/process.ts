// A process: an async function with a mailbox, links, monitors and an exit reason.
//
// It cannot be preempted. After its exit the runtime answers `noproc` for it, `signal` is aborted, its timers
// end, and every method of it throws, so that code that still runs inside an `await` cannot act any more.
import { ConnectionError, ErlangError, Exit } from '../errors.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import type { RemoteLink, RemoteWatcher } from './dist_entry.js';
import { DroppedReplies } from './dropped_replies.js';
import { reasonOf } from './exception.js';
import { KILL, KILLED, NORMAL } from './exit_reason.js';
import { Mailbox } from './mailbox.js';
import * as signal from './signal.js';
import { abandonSpawn, type SpawnRequestOptions, spawnRequest } from './spawn_request.js';
import type { System } from './system.js';

/** What a process runs. Its return is exit `normal`, what it throws is its exit reason. */
export type ProcessMain = (self: Process) => Promise<void> | void;

/** Where a message can be sent: a pid, a local name, `{Name, Node}`, or an alias. */
export type Destination = Pid | Atom | Tuple | Reference;

/** How long an alias lives: until removed, or until the monitor ends, or until one reply came as well. */
export type AliasMode = 'explicit_unalias' | 'demonitor' | 'reply_demonitor';

/** What a process starts with. */
export interface SpawnOptions {
  readonly link?: Process;
  readonly name?: Atom;
  readonly groupLeader?: Pid;
  /** What `process_info(initial_call)` tells. */
  readonly initialCall?: readonly [Atom, Atom, number];
}

/** A monitor that this process holds. */
export interface Monitor {
  readonly ref: Reference;
  readonly item: Pid | Tuple;
  /** The process watched, or the pid or name on another node. */
  readonly target: Process | Pid | Atom;
  readonly tag: Term;
  readonly alias: AliasMode | undefined;
}

interface Waiter {
  readonly match: ((message: Term) => unknown) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  timer: unknown;
}

const DOWN = atom('DOWN');
const EXIT = atom('EXIT');

/** See the top of this file. Made by `System.spawn`, given to what it runs as `self`. */
export class Process {
  readonly pid: Pid;
  readonly system: System;
  readonly mailbox: Mailbox = new Mailbox();
  readonly initialCall: readonly [Atom, Atom, number];
  /** The process dictionary: `$ancestors`, `$initial_call` and what the process puts there. */
  readonly dictionary: Map<Atom, Term> = new Map();
  groupLeader: Pid | undefined;
  registeredName: Atom | undefined;
  /** With it exit signals become messages `{'EXIT', From, Reason}`. */
  trapExit = false;
  /** Exempt from `busy_dist_port`: for kernel services only. */
  asyncDist = false;
  /** What a behaviour keeps of itself for others of this node. @internal */
  behaviour: object | undefined;
  /** Messages taken so far: what `process_info` shows as reductions. */
  reductions = 0;
  /** Local processes linked to this one. @internal */
  readonly links: Set<Process> = new Set();
  /** @internal */
  readonly remoteLinks: Set<RemoteLink> = new Set();
  /** Monitors that this process holds, by the index of the reference. @internal */
  readonly monitors: Map<number, Monitor> = new Map();
  /** Local monitors on this process. @internal */
  readonly watchers: Map<number, { readonly watcher: Process; readonly monitor: Monitor }> = new Map();
  /** Remote monitors on this process. @internal */
  readonly remoteWatchers: Set<RemoteWatcher> = new Set();
  /** @internal */
  readonly aliases: Set<number> = new Set();
  /** @internal */
  unlinkCounter = 0n;
  readonly #timers = new Set<unknown>();
  /** Made when somebody asks for the signal: most processes end without. */
  #abort: AbortController | undefined;
  #dropped: DroppedReplies | undefined;
  #waiter: Waiter | undefined;
  #exitReason: Term | undefined;

  /** @internal Use `System.spawn`. */
  constructor(system: System, pid: Pid, options: SpawnOptions) {
    this.system = system;
    this.pid = pid;
    this.groupLeader = options.groupLeader;
    this.initialCall = options.initialCall ?? [atom('erlang'), atom('apply'), 2];
  }

  /** This node's name. */
  get node(): Atom {
    return this.system.node;
  }

  /** Whether it has not ended yet. */
  get alive(): boolean {
    return this.#exitReason === undefined;
  }

  /** The reason this process ended with, if it has. */
  get exitReason(): Term | undefined {
    return this.#exitReason;
  }

  /** Aborted when this process exits. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (!this.alive) this.#abort.abort();
    return this.#abort.signal;
  }

  /** The processes and peers' processes it is linked to. */
  linkedPids(): Pid[] {
    const local = [...this.links].map((process) => process.pid);
    return [...local, ...[...this.remoteLinks].filter((known) => known.active).map((known) => known.remote)];
  }

  /** What it monitors: pids, and names as `{Name, Node}`. */
  monitoredItems(): (Pid | Tuple)[] {
    return [...this.monitors.values()].map((held) => held.item);
  }

  /** The processes that monitor it, here and elsewhere. */
  watcherPids(): Pid[] {
    const local = [...this.watchers.values()].map(({ watcher }) => watcher.pid);
    return [...local, ...[...this.remoteWatchers].map((known) => known.watcher)];
  }

  /** Whether it waits for a message now. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  // --- receiving ---------------------------------------------------------------------------------------------

  /** The next message in order of arrival if there is one. */
  poll(): Term | undefined {
    this.#check();
    const message = this.mailbox.shift();
    if (message !== undefined) this.#reduce();
    return message;
  }

  /** The next message in order of arrival; undefined after `timeoutMs`. */
  async next(timeoutMs?: number): Promise<Term | undefined> {
    const message = this.poll();
    if (message === undefined) return this.#wait(undefined, timeoutMs) as Promise<Term | undefined>;
    if (this.system.spent()) await this.yield();
    return message;
  }

  /**
   * Selective receive: what `match` makes of the first message for which it gives a value; all others stay.
   * Undefined after `timeoutMs`. `match` must not have side effects on other processes. The first `skip` messages
   * are not looked at: those that came before what is waited for was asked for.
   */
  async receive<T>(
    match: (message: Term) => T | undefined,
    timeoutMs?: number,
    skip = 0,
  ): Promise<T | undefined> {
    this.#check();
    const value = this.mailbox.take(match, skip);
    if (value !== undefined) {
      this.#reduce();
      if (this.system.spent()) await this.yield();
      return value;
    }
    return this.#wait(match, timeoutMs) as Promise<T | undefined>;
  }

  #wait(match: ((message: Term) => unknown) | undefined, timeoutMs?: number): Promise<unknown> {
    if (this.#waiter !== undefined) throw new Error('a process can wait in one receive at a time');
    if (timeoutMs !== undefined && timeoutMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { match, resolve, reject, timer: undefined };
      if (timeoutMs !== undefined) {
        waiter.timer = this.system.clock.setTimeout(() => {
          this.#waiter = undefined;
          resolve(undefined);
        }, timeoutMs);
      }
      this.#waiter = waiter;
    });
  }

  #reduce(): void {
    this.reductions++;
    this.system.reductions++;
  }

  /** Lets everything else on this event loop run first. */
  async yield(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#check();
  }

  /**
   * Drops the answer `{Ref, _}` or `{[alias | Ref], _}` of a request that was given up, when it comes: some
   * servers answer to the pid although the request named an alias.
   */
  dropReply(ref: Reference): void {
    this.#dropped ??= new DroppedReplies();
    this.#dropped.add(ref);
  }

  /** Puts a message into the mailbox or hands it to the waiting receive. @internal Use `send`. */
  deliver(message: Term, urgent = false): void {
    if (this.#dropped?.take(message) === true) return;
    const waiter = this.#waiter;
    if (waiter === undefined) {
      if (this.alive) this.#enqueue(message, urgent);
      return;
    }
    let value: unknown = message;
    if (waiter.match !== undefined) {
      try {
        value = waiter.match(message);
      } catch (error) {
        this.#endWait(waiter, () => waiter.reject(error));
        return;
      }
      if (value === undefined) {
        this.#enqueue(message, urgent);
        return;
      }
    }
    this.#reduce();
    this.#endWait(waiter, () => waiter.resolve(value));
  }

  #enqueue(message: Term, urgent: boolean): void {
    if (urgent) this.mailbox.pushUrgent(message);
    else this.mailbox.push(message);
  }

  #endWait(waiter: Waiter, wake: () => void): void {
    this.#waiter = undefined;
    if (waiter.timer !== undefined) this.system.clock.clearTimeout(waiter.timer);
    this.system.wake(wake);
  }

  // --- sending -----------------------------------------------------------------------------------------------

  /**
   * `Dest ! Message`. Never blocks, never fails for a missing receiver. Throws `ConnectionError` with code
   * `busy_dist_port` when too much waits for the receiver's connection: use `sendAndDrain` then.
   */
  send(to: Destination, message: Term): void {
    this.throwIfBusy(to);
    this.system.send(this.pid, to, message);
  }

  /** Throws `ConnectionError` `busy_dist_port` when too much waits for the connection to `to`. */
  throwIfBusy(to: Destination): void {
    this.#check();
    if (this.asyncDist || !this.system.busy(to)) return;
    const node = this.system.nodeOf(to).name;
    throw new ConnectionError(
      'busy_dist_port',
      node,
      `cannot send to ${node}: its connection is busy; use sendAndDrain()`,
    );
  }

  /** `send`, when the connection is not busy any more. */
  async sendAndDrain(to: Destination, message: Term): Promise<void> {
    this.#check();
    while (this.system.busy(to)) {
      await this.system.distEntry(this.system.nodeOf(to)).channel?.drained();
      this.#check();
    }
    this.system.send(this.pid, to, message);
  }

  /** Sends after `ms` milliseconds; the timer ends with this process. The handle is for `cancelTimer`. */
  sendAfter(ms: number, to: Destination, message: Term): unknown {
    this.#check();
    const handle = this.system.clock.setTimeout(() => {
      this.#timers.delete(handle);
      try {
        this.system.send(this.pid, to, message);
      } catch (error) {
        // nobody is there to catch it: only the connection knows that its peer cannot be told this
        this.system.log('error', `a message sent by a timer is lost: ${String(error)}`, {
          process: this.pid.key,
        });
      }
    }, ms);
    this.#timers.add(handle);
    return handle;
  }

  /** Ends a timer of `sendAfter`; one that has run or was ended is passed over. */
  cancelTimer(handle: unknown): void {
    this.#timers.delete(handle);
    this.system.clock.clearTimeout(handle);
  }

  /** `make_ref/0`. */
  makeRef(): Reference {
    return this.system.ids.reference();
  }

  // --- links, monitors, exits -------------------------------------------------------------------------------

  /** `link/1`. To a process that is not there: an exit signal `noproc` (or `noconnection`). */
  link(to: Pid): void {
    this.#check();
    signal.link(this, to);
  }

  /** `unlink/1`. What that process ends with later is no concern of this one's. */
  unlink(from: Pid): void {
    this.#check();
    signal.unlink(this, from);
  }

  /**
   * `monitor/3`: a message `{Tag, Ref, process, Item, Reason}` when the process ends, `Tag` being `'DOWN'`.
   * With `alias` the reference is also an alias of this process.
   */
  monitor(target: Pid | Atom | Tuple, options: { alias?: AliasMode; tag?: Term } = {}): Reference {
    this.#check();
    return signal.monitor(this, target, options.tag ?? DOWN, options.alias);
  }

  /** `demonitor/2`. With `flush` a DOWN that has arrived is removed as well. */
  demonitor(ref: Reference, options: { flush?: boolean } = {}): void {
    this.#check();
    signal.demonitor(this, ref);
    if (options.flush === true) {
      this.mailbox.take((m) =>
        m instanceof Tuple &&
        m.elements.length === 5 &&
        (m.elements[1] as Term) instanceof Reference &&
        (m.elements[1] as Reference).key === ref.key
          ? true
          : undefined,
      );
    }
  }

  /**
   * `alias/1`: a reference that messages can be sent to until `unalias`. With `priority` a sender of OTP 28 or later
   * may have its message, or exit, taken before those that wait.
   */
  alias(options: { priority?: boolean } = {}): Reference {
    this.#check();
    const ref = this.makeRef();
    this.system.addAlias(this, ref, 'explicit_unalias', options.priority);
    return ref;
  }

  /** `unalias/1`: messages sent to it from now on are dropped. */
  unalias(ref: Reference): void {
    this.system.removeAlias(this, ref);
  }

  /** `exit/1`: ends this process with that reason, by throwing. */
  exit(reason: Term): never {
    throw new Exit(reason);
  }

  /** `exit/2`: an exit signal to another process (or to this one). */
  exitSignal(to: Pid, reason: Term): void {
    this.#check();
    signal.exit2(this.system, this.pid, to, reason);
  }

  // --- spawning and names -----------------------------------------------------------------------------------

  /** Starts a process with this one's group leader. */
  spawn(main: ProcessMain, options: Omit<SpawnOptions, 'link'> = {}): Pid {
    this.#check();
    return this.system.spawn(main, { ...this.#inherited(), ...options }).pid;
  }

  /** `spawn_link/1`: `spawn`, linked to this process from the start. */
  spawnLink(main: ProcessMain, options: Omit<SpawnOptions, 'link'> = {}): Pid {
    this.#check();
    return this.system.spawn(main, { ...this.#inherited(), ...options, link: this }).pid;
  }

  #inherited(): SpawnOptions {
    return this.groupLeader === undefined ? {} : { groupLeader: this.groupLeader };
  }

  /**
   * `spawn_request/5`: asks another node to start `Module:Function(Args)`. The answer is a message
   * `{ReplyTag, ReqId, ok, Pid}` or `{ReplyTag, ReqId, error, Reason}`, as far as `reply` says.
   */
  spawnRequest(
    node: Atom,
    module: Atom,
    fun: Atom,
    args: readonly Term[],
    options: SpawnRequestOptions = {},
  ): Reference {
    this.#check();
    return spawnRequest(this, node, module, fun, args, options);
  }

  /** `spawn_request_abandon/1`: false when the request has been answered already. */
  abandonSpawn(node: Atom, ref: Reference): boolean {
    return abandonSpawn(this, node, ref);
  }

  /** Gives this process a name; throws `ErlangError` `badarg` when the name is taken. */
  register(name: Atom): void {
    this.#check();
    if (!this.system.registered.register(name, this)) {
      throw new ErlangError(
        atom('badarg'),
        [],
        `cannot register ${name.name}: the name is taken, or the process has one`,
      );
    }
  }

  // --- the end ----------------------------------------------------------------------------------------------

  /** @internal */
  async run(main: ProcessMain): Promise<void> {
    if (!this.alive) return;
    try {
      await main(this);
      this.end(NORMAL);
    } catch (error) {
      if (!(error instanceof Exit)) this.#reportError(error);
      this.end(reasonOf(error));
    }
  }

  /** What BEAM's emulator tells of a process that ends by an error. */
  #reportError(error: unknown): void {
    if (!this.alive) return;
    const reason = reasonOf(error);
    this.system.log(
      'error',
      `Error in process ${format(this.pid)} with exit value: ${format(reason, 2000)}`,
      {},
      {
        pid: this.pid,
        groupLeader: this.groupLeader,
        message: {
          format: 'Error in process ~p on node ~p with exit value:~n~p~n',
          args: [this.pid, this.node, reason],
        },
      },
    );
  }

  /** An exit signal arrives. `link`: only if it is a link's may `kill` be trapped. @internal */
  exitArrived(from: Pid, reason: Term, kind: 'link' | 'exit2', urgent = false): void {
    if (!this.alive) return;
    if (kind === 'exit2' && reason === KILL) this.end(KILLED);
    else if (this.trapExit) this.deliver(tuple(EXIT, from, reason), urgent);
    else if (reason !== NORMAL || (kind === 'exit2' && from.key === this.pid.key)) this.end(reason);
  }

  /** Ends this process now. @internal */
  end(reason: Term): void {
    if (!this.alive) return;
    this.#exitReason = reason;
    for (const timer of this.#timers) this.system.clock.clearTimeout(timer);
    this.#timers.clear();
    const waiter = this.#waiter;
    this.system.propagate(() => signal.processEnded(this, reason));
    this.mailbox.clear();
    this.#abort?.abort();
    if (waiter !== undefined) this.#endWait(waiter, () => waiter.reject(new Exit(reason)));
  }

  #check(): void {
    if (this.#exitReason !== undefined) throw new Exit(this.#exitReason, 'this process has ended');
  }
}
