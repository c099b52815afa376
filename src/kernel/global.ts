// Names and locks for the whole network of nodes (OTP: global.erl).
//
// Every node keeps the whole table of names: looking one up asks nobody. A change asks all nodes, under a lock.
// The process `global_name_server` keeps the tables (global_name_server.ts) and synchronises them with those of
// nodes that come (global_sessions.ts); the functions here are what users call.
import { BadArg, ErlangError, Exit } from '../errors.js';
import type { NameService } from '../erts/name_service.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { startLink } from '../stdlib/gen_server.js';
import type { CallOptions } from '../stdlib/limits.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { ExportFun } from '../terms/fun.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { CodeServer } from './code.js';
import { unlessGivenUp } from './giving_up.js';
import { type Concealment, Concealments } from './global_conceal.js';
import { GroupConfig } from './global_group_config.js';
import { askAll, delLock, setLock } from './global_lock_client.js';
import { isLockId } from './global_locks.js';
import { GLOBAL_NAME_SERVER } from './global_messages.js';
import { NameServer } from './global_name_server.js';
import {
  NOTIFY_ALL_NAME,
  RANDOM_EXIT_NAME,
  RANDOM_NOTIFY_NAME,
  type ResolveFunction,
  resolveIt,
} from './global_resolve.js';
import { ResolveFunctions } from './global_resolve_functions.js';
import type { Rpc } from './rpc.js';

/** What the node tells `global`. */
export interface GlobalOptions {
  /** `connect_all`: nodes form one network in which all know all. */
  readonly connectAll?: boolean | undefined;
  /** `prevent_overlapping_partitions`. */
  readonly preventOverlappingPartitions?: boolean | undefined;
  /** `global_multi_name_action`: a process may have several names. */
  readonly allowSeveralNames?: boolean;
  /** `global_connect_retries`. */
  readonly connectRetries?: number | undefined;
  /** How long a synchronisation may hold its lock before it is given up; 10 s by default. */
  readonly sessionLimitMs?: number;
  /** Where resolve functions are found, and where this service offers what remote callers may reach. */
  readonly code?: CodeServer;
  /** `rpc:call`. */
  readonly rpc: Rpc;
  /** Connects to a node; resolves to whether it is connected. */
  readonly connect: (node: Atom) => Promise<boolean>;
  /** Closes the connection to a node. */
  readonly disconnect: (node: Atom) => void;
  /** Which nodes share names with this one (`global_groups`); all by default. */
  readonly groups?: GroupConfig;
}

const REGISTER = atom('register');
const REGISTER_EXT = atom('register_ext');
const UNREGISTER = atom('unregister');
const BADARG = atom('badarg');
const CODE_MODULE = 'global';

/** The names and locks of the whole network, as seen from this node (OTP: the functions of the module `global`). */
export class Global implements NameService {
  readonly #system: System;
  readonly #options: GlobalOptions;
  readonly #resolvers: ResolveFunctions;
  readonly #concealments: Concealments;
  readonly #groups: GroupConfig;
  /**
   * Asked when a lock has been granted to a process of another node: the answer `true` waits for the promise, at
   * most `HOLD_LIMIT_MS`.
   */
  holdSetLock: (id: Tuple, pid: Pid) => Promise<unknown> | undefined = () => undefined;
  /**
   * Asked when a lock is given back by a process of another node: the answer `true` waits for the promise, at most
   * `HOLD_LIMIT_MS`. The lock is free at once.
   */
  holdDelLock: (id: Tuple, pid: Pid) => Promise<unknown> | undefined = () => undefined;
  #server: NameServer;

  constructor(system: System, options: GlobalOptions) {
    this.#system = system;
    this.#options = options;
    this.#groups = options.groups ?? new GroupConfig(system.node, undefined);
    this.#resolvers = new ResolveFunctions(options.rpc, options.code);
    this.#server = this.#newServer();
    this.#concealments = new Concealments(system, {
      rpc: options.rpc,
      namesOf: (pid) => this.#server.names.namesOf(pid),
      sync: (node) => this.#server.sync([node]),
      tellAgain: (node, names, pid) => this.#tellAgain(node, names, pid),
    });
    if (options.code !== undefined) this.#offer(options.code);
  }

  #newServer(): NameServer {
    const { connectAll, preventOverlappingPartitions, connectRetries, sessionLimitMs, connect, disconnect } =
      this.#options;
    return new NameServer({
      groups: this.#groups,
      connectAll: connectAll ?? true,
      preventOverlappingPartitions: preventOverlappingPartitions ?? true,
      connectRetries: connectRetries ?? 0,
      ...(sessionLimitMs === undefined ? {} : { sessionLimitMs }),
      resolvers: this.#resolvers,
      holdSetLock: (id, pid) => this.holdSetLock(id, pid),
      holdDelLock: (id, pid) => this.holdDelLock(id, pid),
      connect,
      disconnect,
    });
  }

  /** Starts `global_name_server` under a supervisor, and makes `{global, Name}` resolve on this node. */
  async startLink(supervisor: Process): Promise<StartResult> {
    this.#server = this.#newServer();
    this.#system.nameServices.set('global', this);
    return startLink(supervisor, this.#server, [], { name: GLOBAL_NAME_SERVER });
  }

  /** From now on lost connections are announced to nobody: the node is stopping. */
  prepareShutdown(): void {
    this.#server.prepareShutdown();
  }

  // --- names ---------------------------------------------------------------------------------------------------

  /** The process of that name, by our own table. */
  whereisName(name: Term): Pid | undefined {
    return this.#server.whereis(name);
  }

  /** All names. */
  registeredNames(): Term[] {
    return this.#server.names.names();
  }

  /**
   * Gives a process the name on all nodes. Resolves to false if somebody has it, or the process has another.
   * `method` is the resolve function for conflicts when separate networks join; see `resolver`.
   */
  registerName(_self: Process, name: Term, pid: Pid, method: Term = RANDOM_EXIT_NAME): Promise<boolean> {
    return this.#server.registrar.run(async (registrar, nodes) => {
      if (this.whereisName(name) !== undefined || !this.#mayHaveName(name, pid)) return false;
      await askAll(registrar, nodes, tuple(REGISTER, name, pid, method));
      return true;
    });
  }

  /** One name per process, unless told otherwise. */
  #mayHaveName(name: Term, pid: Pid): boolean {
    const others = this.#server.names.namesOf(pid);
    if (others.length === 0 || this.#options.allowSeveralNames === true) return true;
    const text = `global: ${format(pid)} registered under several names: ${format([name, ...others])}`;
    this.#system.log('error', text);
    return false;
  }

  /** Gives the name to a process, whoever had it before: on every node one follows the other without a gap. */
  reRegisterName(_self: Process, name: Term, pid: Pid, method: Term = RANDOM_EXIT_NAME): Promise<void> {
    return this.#server.registrar.run(async (registrar, nodes) => {
      await askAll(registrar, nodes, tuple(REGISTER, name, pid, method));
    });
  }

  /** Takes a name away on all nodes. */
  async unregisterName(_self: Process, name: Term): Promise<void> {
    if (this.whereisName(name) === undefined) return;
    await this.#server.registrar.run(async (registrar, nodes) => {
      await askAll(registrar, nodes, tuple(UNREGISTER, name));
    });
  }

  /** Registers a process of an external node, which ends with this node (`register_name_external/3`). */
  registerNameExternal(
    _self: Process,
    name: Term,
    pid: Pid,
    method: Term = RANDOM_EXIT_NAME,
  ): Promise<boolean> {
    return this.#server.registrar.run(async (registrar, nodes) => {
      if (this.whereisName(name) !== undefined) return false;
      await askAll(registrar, nodes, tuple(REGISTER_EXT, name, pid, method, this.#system.node));
      return true;
    });
  }

  /** Sends to the process of that name; throws `Exit` `{badarg, {Name, Message}}` if there is none. */
  send(self: Process, name: Term, message: Term): Pid {
    const pid = this.whereisName(name);
    if (pid === undefined) {
      throw new Exit(tuple(BADARG, tuple(name, message)), `no process has the global name ${format(name)}`);
    }
    self.send(pid, message);
    return pid;
  }

  // --- locks ---------------------------------------------------------------------------------------------------

  /**
   * Sets the lock `{ResourceId, Requester}` for this process on these nodes, by default all visible ones and
   * this one; tries again after growing random pauses up to `retries` times. It ends with the process.
   */
  async setLock(
    self: Process,
    id: Tuple,
    nodes: readonly Atom[] = this.#allNodes(),
    retries: number = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    return setLock(self, this.#server.locks, checked(id), nodes, retries);
  }

  /** Gives the lock back on these nodes. */
  async delLock(self: Process, id: Tuple, nodes: readonly Atom[] = this.#allNodes()): Promise<void> {
    await delLock(self, checked(id), nodes);
  }

  /** Runs `work` while the lock is held; `'aborted'` if it could not be had. */
  async trans<T>(
    self: Process,
    id: Tuple,
    work: () => T | Promise<T>,
    nodes: readonly Atom[] = this.#allNodes(),
    retries: number = Number.POSITIVE_INFINITY,
  ): Promise<T | 'aborted'> {
    if (!(await this.setLock(self, id, nodes, retries))) return 'aborted';
    try {
      return await work();
    } finally {
      if (self.alive) await this.delLock(self, id, nodes);
    }
  }

  /** Sets the lock for this process in our own table only, at once or not at all: nobody is asked. */
  localLock(self: Process, id: Tuple): boolean {
    return this.#server.locks.set(checked(id), self.pid);
  }

  /** Whether our own table would grant the lock now. */
  canLock(id: Tuple): boolean {
    return this.#server.locks.canSet(checked(id));
  }

  /** The nodes whose processes hold a resource in our own table. */
  lockHolders(resource: Term): Atom[] {
    const pids = this.#server.locks.holders(resource)?.pids ?? [];
    return [...new Set(pids.map((pid) => pid.node))];
  }

  /** Gives a lock of our own table back. */
  localUnlock(self: Process, id: Tuple): void {
    this.#server.locks.del(checked(id), self.pid);
  }

  #allNodes(): Atom[] {
    return [this.#system.node, ...this.#system.nodes()];
  }

  // --- the network ---------------------------------------------------------------------------------------------

  /**
   * Resolves when we have the same names as each of these nodes, by default all visible ones (of our global group), or
   * it is down: without limit, unless told otherwise. Rejects with `BadArg` for a node of another global group, and with
   * `CallError` when it is given up.
   */
  async sync(
    nodes: readonly Atom[] = this.#sharing(this.#system.nodes()),
    limits?: CallOptions,
  ): Promise<void> {
    const sharing = this.#sharing(nodes);
    const foreign = nodes.find((node) => node !== this.#system.node && !sharing.includes(node));
    if (foreign !== undefined) {
      throw new BadArg(`trying to sync nodes not defined in the own global group: ${foreign.name}`);
    }
    const wait = { node: this.#system.node, server: 'global:sync/0' };
    await unlessGivenUp(this.#system, wait, () => this.#server.sync(sharing), limits);
  }

  /** Those of the nodes that may share names with us. */
  #sharing(nodes: readonly Atom[]): Atom[] {
    return nodes.filter((node) => !this.#groups.configured || this.#groups.isMember(node));
  }

  /** A node of our global group has the same groups configured: names are shared with it. Called by `global_group`. */
  groupNodeup(node: Atom, connectionId: number): void {
    this.#server.groupNodeup(node, connectionId);
  }

  /** Names are not shared with that node, though it may stay connected. Called by `global_group`. */
  groupNodedown(node: Atom, connectionId: number | undefined): void {
    if (connectionId !== undefined) this.#server.groupNodedown(node, connectionId);
  }

  /** Leaves the network without parting the others from one another; resolves to the nodes that were left. */
  disconnect(limits?: CallOptions): Promise<Atom[]> {
    const wait = { node: this.#system.node, server: 'global:disconnect/0' };
    return unlessGivenUp(this.#system, wait, () => this.#server.disconnectAll(), limits);
  }

  /** The nodes of our partition. */
  knownNodes(): Atom[] {
    return [...this.#server.peers.known.keys()];
  }

  /** The nodes that have the same names as we. */
  syncedNodes(): Atom[] {
    return [...this.#server.peers.synced];
  }

  /** Whether a node was given up to prevent overlapping partitions, and its connection is being closed. */
  isRemoving(node: Atom): boolean {
    return this.#server.peers.removing.has(node);
  }

  /** The locks that are set here, as `{ResourceId, Requester, [Pid]}`. */
  locks(): Tuple[] {
    return this.#server.locks.toTerms();
  }

  // --- moving a name without a gap -------------------------------------------------------------------------------

  /** The processes of this node that have a global name. */
  namedHere(): Pid[] {
    return this.#server.names.pidsOf(this.#system.node);
  }

  /**
   * Hides all global names of a process of this node from one other node, so that code there may register them as
   * if they were free, while every other node goes on using them; see global_conceal.ts. Until `reveal`, or until
   * that node is down. `dropped` resolves when the names are gone there, at latest after `limitMs`.
   */
  conceal(node: Atom, pid: Pid, limitMs: number): Concealment {
    return this.#concealments.conceal(node, pid, limitMs);
  }

  async #tellAgain(node: Atom, names: readonly Term[], pid: Pid): Promise<void> {
    await this.#server.registrar.run(async (registrar) => {
      for (const name of names) {
        const known = this.#server.names.get(name);
        if (known?.pid.key === pid.key) {
          await askAll(registrar, [node], tuple(REGISTER, name, pid, known.method));
        }
      }
    });
  }

  // --- resolve functions -----------------------------------------------------------------------------------------

  /**
   * Makes a resolve function of TypeScript code: the fun is what `registerName` takes. Other nodes keep it and
   * ask this node to run it while the process of that name is here.
   */
  resolver(name: string, resolve: ResolveFunction): ExportFun {
    return this.#resolvers.define(name, resolve);
  }

  /** What remote callers may reach: `resolve_it/4` is how other nodes settle conflicts of our names. */
  #offer(code: CodeServer): void {
    code.define(CODE_MODULE, 'resolve_it', 4, ([method, name, pid1, pid2], self) =>
      pid1 instanceof Pid && pid2 instanceof Pid
        ? resolveIt(self, method as Term, name as Term, pid1, pid2, this.#resolvers)
        : BADARG,
    );
    code.define(
      CODE_MODULE,
      'whereis_name',
      1,
      ([name]) => this.whereisName(name as Term) ?? atom('undefined'),
    );
    code.define(CODE_MODULE, 'registered_names', 0, () => this.registeredNames());
    code.define('ets', 'tab2list', 1, ([table]) => {
      if (table === atom('global_locks')) return this.#server.locks.toTable();
      throw new ErlangError(BADARG, [], 'the only table here is global_locks');
    });
  }
}

/** The names and locks of the node that this process runs on. */
export function globalOf(self: Process): Global {
  const service = self.system.nameServices.get('global');
  if (service instanceof Global) return service;
  throw new BadArg('this node runs no global');
}

export type { Concealment } from './global_conceal.js';
export { NOTIFY_ALL_NAME, RANDOM_EXIT_NAME, RANDOM_NOTIFY_NAME, type ResolveFunction };

function checked(id: Tuple): Tuple {
  if (isLockId(id)) return id;
  throw new Exit(BADARG, 'a lock is {ResourceId, LockRequesterId}');
}
