// One node's tables: processes, registered names, aliases, remote nodes. Everything a process does passes here.
//
// Nothing here knows of sockets or bytes: a signal to a remote process goes to a `DistEntry`, whose connection
// `dist/channel` implements; whether to dial is `connector`'s decision.
import { ErlangError, Exit } from '../errors.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { type DistChannel, DistEntry } from './dist_entry.js';
import { Ids } from './ids.js';
import { guarded, type Log, silent } from './log.js';
import type { NameService } from './name_service.js';
import { type AliasMode, type Destination, Process, type ProcessMain, type SpawnOptions } from './process.js';
import { Register } from './register.js';
import * as signal from './signal.js';
import { spawnsLost } from './spawn_request.js';
import { type Clock, realClock } from './timer.js';

export interface SystemOptions {
  readonly node: Atom;
  /** u32, at least 4, different at each start of a node name. */
  readonly creation: number;
  readonly log?: Log | undefined;
  readonly clock?: Clock;
  /** How many processes there may be at a time; 262144 by default, as on BEAM. */
  readonly processLimit?: number;
}

const DEFAULT_PROCESS_LIMIT = 262_144;
/** So many of the processes, at most a tenth, are kept for this node's own. */
const RESERVED_PROCESSES = 1000;

/** A node came or went. On `down` all exits and DOWNs of the connection have been delivered already. */
export type NodeEvent =
  | { readonly type: 'up'; readonly node: Atom; readonly channel: DistChannel }
  | { readonly type: 'down'; readonly node: Atom; readonly channel: DistChannel; readonly reason: Term };

/** Wake-ups and messages handled in one turn of the event loop before sockets get their turn. */
const WORK_PER_TURN = 2000;
/** A turn also ends after so long; the clock is read once per so many pieces of work. */
const TURN_MS = 10;
const CLOCK_EVERY = 32;

export class System {
  readonly node: Atom;
  readonly creation: number;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly registered: Register = new Register();
  /** Resolvers of `{global, Name}` (key `global`) and `{via, Module, Name}` (key: the module's name). */
  readonly nameServices: Map<string, NameService> = new Map();
  /** Listeners of nodeup and nodedown, called in order of subscription. */
  readonly nodeListeners: Set<(event: NodeEvent) => void> = new Set();
  log: Log;
  /**
   * Called when a signal needs a node that is not connected: begins to dial and returns true, or returns false.
   * It ends with `connectionUp` or `connectionFailed`. `net_kernel` sets it.
   */
  connector: (entry: DistEntry) => boolean = () => false;
  /** What a remote spawn request for `Module:Function(Args)` runs; `kernel/code` sets it. */
  remoteMain: (module: Atom | boolean, fun: Atom | boolean, args: readonly Term[]) => ProcessMain = undef;
  /** Messages taken so far by all processes. */
  reductions = 0;
  /** More processes are not started: a peer's spawn request is answered `system_limit`. */
  readonly processLimit: number;
  /** Whether a remote watcher is to take a local process for ended; `global` sets it while a name moves. */
  hidesFrom: (watcher: Pid, watched: Process) => boolean = () => false;
  /** By the index of the pid. */
  readonly #processes = new Map<number, Process>();
  /** By the index of the reference. */
  readonly #aliases = new Map<
    number,
    { readonly process: Process; readonly mode: AliasMode; readonly priority: boolean }
  >();
  readonly #entries = new Map<Atom, DistEntry>();
  #propagating: (() => void)[] | undefined;
  #work = 0;
  #turnBegan = 0;
  #delayed: (() => void)[] | undefined;

  constructor(options: SystemOptions) {
    this.node = options.node;
    this.creation = options.creation;
    this.ids = new Ids(options.node, options.creation);
    this.clock = options.clock ?? realClock;
    this.log = guarded(options.log ?? silent);
    this.processLimit = options.processLimit ?? DEFAULT_PROCESS_LIMIT;
  }

  // --- processes ---------------------------------------------------------------------------------------------

  /** Starts a process; it runs after the caller's turn. Throws `ErlangError`: `badarg` if its name is taken, `system_limit`. */
  spawn(main: ProcessMain, options: SpawnOptions = {}): Process {
    if (this.#processes.size >= this.processLimit) {
      throw new ErlangError(atom('system_limit'), [], `${this.processLimit} processes are the limit`);
    }
    if (options.link?.alive === false)
      throw new Exit(options.link.exitReason ?? [], 'this process has ended');
    const process = new Process(this, this.ids.pid(), options);
    const index = this.ids.indexOfPid(process.pid);
    this.#processes.set(index, process);
    if (options.name !== undefined && !this.registered.register(options.name, process)) {
      this.#processes.delete(index);
      throw new ErlangError(atom('badarg'), [], `the name ${options.name.name} is taken`);
    }
    if (options.link !== undefined) signal.link(options.link, process.pid);
    queueMicrotask(() => void process.run(main));
    return process;
  }

  /** The living local process of that pid. */
  process(pid: Pid): Process | undefined {
    return this.#processes.get(this.ids.indexOfPid(pid));
  }

  /** The living local process of that name. */
  whereis(name: Atom): Process | undefined {
    return this.registered.whereis(name);
  }

  /** Whether no process is started any more that another node asks for: services of this node still find room. */
  get fullForPeers(): boolean {
    const reserved = Math.min(RESERVED_PROCESSES, Math.floor(this.processLimit / 10));
    return this.#processes.size >= this.processLimit - reserved;
  }

  get processCount(): number {
    return this.#processes.size;
  }

  processes(): Process[] {
    return [...this.#processes.values()];
  }

  /** @internal */
  forget(process: Process): void {
    this.#processes.delete(this.ids.indexOfPid(process.pid));
    if (process.registeredName !== undefined) this.registered.unregister(process.registeredName);
    for (const index of process.aliases) this.#aliases.delete(index);
    process.aliases.clear();
  }

  /**
   * Runs `deliver` after what is being delivered: a chain of linked processes ends one after the other, not one
   * inside the other. All of it is done when the outermost call returns. @internal
   */
  propagate(deliver: () => void): void {
    if (this.#propagating !== undefined) {
      this.#propagating.push(deliver);
      return;
    }
    const queue = [deliver];
    this.#propagating = queue;
    try {
      for (let i = 0; i < queue.length; i++) queue[i]?.();
    } finally {
      this.#propagating = undefined;
    }
  }

  /** Runs `wake` now, or after the sockets had their turn when much was done already. @internal */
  wake(wake: () => void): void {
    if (this.#delayed !== undefined) this.#delayed.push(wake);
    else if (this.spent()) this.#delayed = [wake];
    else wake();
  }

  /**
   * Counts one piece of work of this turn of the event loop. True: enough is done; whoever goes on in a loop
   * is to `yield`, so that sockets and timers get their turn.
   */
  spent(): boolean {
    if (this.#work === 0) {
      this.#turnBegan = performance.now();
      setImmediate(this.#nextTurn);
    }
    this.#work += 1;
    if (this.#work % CLOCK_EVERY === 0 && performance.now() - this.#turnBegan > TURN_MS) {
      this.#work = WORK_PER_TURN;
    }
    return this.#work > WORK_PER_TURN;
  }

  readonly #nextTurn = (): void => {
    this.#work = 0;
    const delayed = this.#delayed;
    this.#delayed = undefined;
    for (const wake of delayed ?? []) this.wake(wake);
  };

  // --- messages ----------------------------------------------------------------------------------------------

  /** Sends a message from `from`; a receiver that is not there loses it. */
  send(from: Pid, to: Destination, message: Term): void {
    if (to instanceof Pid) {
      if (to.node === this.node) this.process(to)?.deliver(message);
      else this.connectedEntry(to.node)?.signal((channel) => channel.send(from, to, message));
    } else if (to instanceof Atom) this.registered.whereis(to)?.deliver(message);
    else if (to instanceof Reference) {
      if (to.node === this.node) this.aliasArrived(to, message);
      else this.connectedEntry(to.node)?.signal((channel) => channel.aliasSend(from, to, message));
    } else {
      const [name, node] = to.elements;
      if (to.elements.length !== 2 || !(name instanceof Atom) || !(node instanceof Atom)) {
        throw new ErlangError(
          atom('badarg'),
          [],
          'a message goes to a pid, a name, {Name, Node} or an alias',
        );
      }
      if (node === this.node) this.registered.whereis(name)?.deliver(message);
      else this.connectedEntry(node)?.signal((channel) => channel.regSend(from, name, message));
    }
  }

  /** The node a destination is on. */
  nodeOf(to: Destination): Atom {
    if (to instanceof Pid || to instanceof Reference) return to.node;
    return to instanceof Tuple ? (to.elements[1] as Atom) : this.node;
  }

  /** Whether the connection to a destination's node has too much waiting to be written. */
  busy(to: Destination): boolean {
    if (to instanceof Atom) return false;
    const node = this.nodeOf(to);
    return node !== this.node && this.#entries.get(node)?.channel?.busy === true;
  }

  /** A message to one of our aliases; inactive ones drop it. Urgent is one only if the alias takes such. @internal */
  aliasArrived(alias: Reference, message: Term, urgent = false): void {
    const known = this.#aliases.get(this.ids.indexOfRef(alias));
    if (known === undefined) return;
    if (known.mode === 'reply_demonitor') signal.demonitor(known.process, alias);
    known.process.deliver(message, urgent && known.priority);
  }

  /** Whether that is an active alias which takes messages with priority. @internal */
  takesPriority(alias: Reference): boolean {
    return this.#aliases.get(this.ids.indexOfRef(alias))?.priority === true;
  }

  /** The process whose active alias that is. */
  aliasOwner(alias: Reference): Process | undefined {
    return this.#aliases.get(this.ids.indexOfRef(alias))?.process;
  }

  /** @internal */
  addAlias(process: Process, ref: Reference, mode: AliasMode, priority = false): void {
    const index = this.ids.indexOfRef(ref);
    this.#aliases.set(index, { process, mode, priority });
    process.aliases.add(index);
  }

  /** @internal */
  removeAlias(process: Process, ref: Reference): void {
    const index = this.ids.indexOfRef(ref);
    if (!process.aliases.delete(index)) return;
    this.#aliases.delete(index);
  }

  // --- remote nodes ------------------------------------------------------------------------------------------

  /** What is known of a node, connected or not. */
  distEntry(node: Atom): DistEntry {
    let entry = this.#entries.get(node);
    if (entry === undefined) {
      entry = new DistEntry(node);
      this.#entries.set(node, entry);
    }
    return entry;
  }

  /** What is known of a node, if anything is. */
  findEntry(node: Atom): DistEntry | undefined {
    return this.#entries.get(node);
  }

  /** Whether a node is connected, or is this one. */
  isUp(node: Atom): boolean {
    return node === this.node || this.findEntry(node)?.channel !== undefined;
  }

  /** The entry of a node that is connected or being connected now; undefined if it cannot be. */
  connectedEntry(node: Atom): DistEntry | undefined {
    const entry = this.distEntry(node);
    if (entry.channel !== undefined || entry.pending !== undefined) return entry;
    entry.pending = [];
    if (this.connector(entry)) return entry;
    entry.pending = undefined;
    this.#forgetEntry(entry);
    return undefined;
  }

  /** Nodes that are not connected are not remembered: peers name as many as they like. */
  #forgetEntry(entry: DistEntry): void {
    if (entry.channel !== undefined || entry.pending !== undefined) return;
    if (this.#entries.get(entry.node) === entry) this.#entries.delete(entry.node);
  }

  /** The live connections. */
  channels(): DistChannel[] {
    return [...this.#entries.values()].flatMap((entry) => entry.channel ?? []);
  }

  /** The visible connected nodes: `nodes/0`. */
  nodes(): Atom[] {
    return this.channels()
      .filter((channel) => channel.visible)
      .map((channel) => channel.node);
  }

  /** A connection is ready: what waited for it goes out, then nodeup is told; nothing has come from it yet. */
  connectionUp(channel: DistChannel): void {
    const entry = this.distEntry(channel.node);
    const waiting = entry.pending ?? [];
    entry.pending = undefined;
    entry.channel = channel;
    for (const send of waiting) {
      try {
        send(channel);
      } catch (error) {
        // whoever sent it has gone on: only the encoder can tell that the peer cannot be told this
        this.log('error', `a signal to ${channel.node.name} is lost: ${String(error)}`, {
          node: channel.node.name,
        });
      }
    }
    this.#tell({ type: 'up', node: channel.node, channel });
  }

  /** Dialling failed: what waited is lost, links and monitors end with `noconnection`. */
  connectionFailed(node: Atom): void {
    const entry = this.findEntry(node);
    if (entry === undefined || entry.channel !== undefined || entry.pending === undefined) return;
    entry.pending = undefined;
    this.#lost(entry);
    this.#forgetEntry(entry);
  }

  /** A connection is gone: exits and DOWNs first, then nodedown. A connection that is not the node's current one is ignored. */
  connectionDown(channel: DistChannel, reason: Term): void {
    const entry = this.distEntry(channel.node);
    if (entry.channel !== channel) return;
    entry.channel = undefined;
    this.#lost(entry);
    this.#tell({ type: 'down', node: channel.node, channel, reason });
    this.#forgetEntry(entry);
  }

  #lost(entry: DistEntry): void {
    signal.connectionLost(entry);
    spawnsLost(entry);
  }

  #tell(event: NodeEvent): void {
    for (const listener of [...this.nodeListeners]) {
      try {
        listener(event);
      } catch (error) {
        this.log('error', `a listener of node events failed: ${String(error)}`, { node: event.node.name });
      }
    }
  }
}

function undef(module: Atom | boolean, fun: Atom | boolean, args: readonly Term[]): ProcessMain {
  return () => {
    throw new ErlangError(atom('undef'), [tuple(module, fun, args, [])]);
  };
}
