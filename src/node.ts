// The one place that builds a node and wires its parts together.
//
// The order is kernel.erl's. The listener comes first, since EPMD wants its port, and holds what connects; EPMD
// gives the creation; then the tables, then the services, registered before a connection can exist; then the
// listener lets go and dialling is allowed. Stopping goes the other way: hooks (applications) first, then the
// connections, then the services, EPMD last.

import type { EventEmitter } from 'node:events';
import { homedir } from 'node:os';
import { DEFAULT_DFLAGS, HIDDEN_DFLAGS } from './dist/dflags.js';
import type { GivenName } from './dist/dist_util.js';
import { AllowList, type NameParts, splitNode } from './dist/node_name.js';
import { ConnectionError } from './errors.js';
import { guarded } from './erts/log.js';
import type { Process, ProcessMain } from './erts/process.js';
import { System } from './erts/system.js';
import { ApplicationServices } from './kernel/application_services.js';
import type { Applications } from './kernel/applications.js';
import { Auth } from './kernel/auth.js';
import { Client } from './kernel/client.js';
import { CodeServer } from './kernel/code.js';
import { loadConfig } from './kernel/config.js';
import { unlessGivenUp } from './kernel/giving_up.js';
import { Global } from './kernel/global.js';
import { GLOBAL_GROUP, GlobalGroup } from './kernel/global_group.js';
import { offerGlobalGroup } from './kernel/global_group_calls.js';
import { GroupConfig } from './kernel/global_group_config.js';
import { GLOBAL_NAME_SERVER } from './kernel/global_messages.js';
import { type Joining, type JoinOptions, join } from './kernel/join.js';
import { type Kernel, startKernel } from './kernel/kernel.js';
import { NetAdm, offerNetAdm } from './kernel/net_adm.js';
import { NetKernel } from './kernel/net_kernel.js';
import { offerNetKernelInfo } from './kernel/net_kernel_info.js';
import { NET_KERNEL, netKernelServer } from './kernel/net_kernel_server.js';
import { emit, type NodeEvents, nodeEvents } from './kernel/node_events.js';
import { Pg } from './kernel/pg.js';
import { ProtoDist } from './kernel/proto_dist.js';
import { offerControl } from './kernel/remote_control.js';
import { remoteServices } from './kernel/remote_services.js';
import { call as rpcCall } from './kernel/rpc.js';
import { VERSION } from './kernel/system_info.js';
import { task } from './kernel/task.js';
import { channelOptions, checkedName, type NodeOptions, nameMode } from './node_options.js';
import { defineAppmonInfo } from './runtime_tools/appmon_info.js';
import { defineObserverBackend } from './runtime_tools/observer_backend.js';
import type { ServerRef } from './stdlib/gen.js';
import { startLink } from './stdlib/gen_server.js';
import type { CallOptions } from './stdlib/limits.js';
import { type Atom, atom } from './terms/atom.js';
import type { Pid } from './terms/pid.js';
import type { Term } from './terms/term.js';
import { tuple } from './terms/tuple.js';

/** The name of a node that wants to be given one (`-sname undefined`). */
const UNDEFINED = 'undefined';

/** What a node is made of. @internal */
export interface NodeServices {
  readonly netKernel: NetKernel;
  readonly netAdm: NetAdm;
  readonly auth: Auth;
  readonly code: CodeServer;
  readonly global: Global;
  readonly globalGroup: GlobalGroup;
  readonly application: Applications;
}

/** A running node. `await using` stops it. */
export class Node {
  readonly system: System;
  readonly netKernel: NetKernel;
  /** Questions to other nodes and hosts: `ping`, `names`, `world`. */
  readonly netAdm: NetAdm;
  /** Its cookies, which may be changed while it runs. */
  readonly auth: Auth;
  /** Which functions remote callers may reach. */
  readonly code: CodeServer;
  /** Names and locks of the whole network. */
  readonly global: Global;
  /** The global group of this node (`global_groups`), and names in the others. */
  readonly globalGroup: GlobalGroup;
  /** Process groups. */
  readonly pg: Pg;
  /** Applications: started, stopped and moved. */
  readonly application: Applications;
  /** Calls of servers and functions, here and on other nodes, from outside of any process. */
  readonly client: Client;
  readonly events: EventEmitter<NodeEvents>;
  readonly #hooks: (() => Promise<void> | void)[] = [];
  #stopping: Promise<void> | undefined;

  /** @internal Use `startNode`. */
  constructor(system: System, services: NodeServices, events: EventEmitter<NodeEvents>) {
    this.system = system;
    this.events = events;
    this.application = services.application;
    this.netKernel = services.netKernel;
    this.netAdm = services.netAdm;
    this.auth = services.auth;
    this.code = services.code;
    this.global = services.global;
    this.globalGroup = services.globalGroup;
    this.pg = new Pg(system);
    this.pg.offer(services.code);
    this.client = new Client(system);
  }

  /** Its name, `name@host`. */
  get name(): Atom {
    return this.system.node;
  }

  /** Starts a process on this node. */
  spawn(main: ProcessMain): Pid {
    return this.system.spawn(main).pid;
  }

  /**
   * Runs `work` in a process of its own and resolves to what it returns; see `task` in kernel/task.ts: 5000 ms unless told
   * otherwise.
   */
  task<T>(work: (self: Process) => T | Promise<T>, options?: CallOptions): Promise<T> {
    return task(this.system, work, options);
  }

  /**
   * Calls a server, here or on another node. Rejects with `CallError`, which tells node, server, time and whether the
   * request was sent. More of its kind (functions by `erpc`, several nodes, casts) is in `client`.
   */
  call(server: ServerRef, request: Term, options?: CallOptions): Promise<Term> {
    return this.client.call(server, request, options);
  }

  /** Sends a server a message that is not answered. */
  cast(server: ServerRef, message: Term): void {
    this.client.cast(server, message);
  }

  /**
   * Connects to a node; false if that is not possible, which shows within seven seconds (`net_setuptime`). Rejects with
   * `CallError` when it is given up, by the signal or after `timeoutMs`; an attempt that has begun goes on.
   */
  connect(node: string | Atom, limits?: CallOptions): Promise<boolean> {
    const peer = typeof node === 'string' ? atom(node) : node;
    const wait = { node: peer, server: 'net_kernel:connect_node/1' };
    return unlessGivenUp(this.system, wait, () => this.netKernel.connectNode(peer), limits);
  }

  /** Connects to these nodes, and again when a connection is lost, until this node stops. */
  join(options: JoinOptions): Joining {
    const { system, global } = this;
    const joining = join(
      {
        name: this.name,
        isConnected: (node) => system.isUp(node),
        isRemoving: (node) => global.isRemoving(node),
        connect: (node) => this.connect(node),
        warn: (text) => system.log('warning', text),
      },
      options,
    );
    this.atStop(() => joining.stop());
    return joining;
  }

  /** Runs `hook` when the node stops; those added last run first. */
  atStop(hook: () => Promise<void> | void): void {
    this.#hooks.push(hook);
  }

  /** Stops in good order, as `init:stop/0`; resolves when all is closed. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** `stop`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    for (let hook = this.#hooks.pop(); hook !== undefined; hook = this.#hooks.pop()) {
      try {
        await hook();
      } catch (error) {
        this.system.log('error', `stopping: ${String(error)}`);
      }
    }
    emit(this.system, this.events, 'stopped');
  }
}

/** Starts a node. Rejects with one of the library's errors; then nothing is left behind. */
export async function startNode(given: NodeOptions): Promise<Node> {
  const parts = checkedName(given);
  const options = given.log === undefined ? given : { ...given, log: guarded(given.log) };
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await boot(options, parts, undo);
  } catch (error) {
    for (const close of undo.reverse()) await close();
    throw error;
  }
}

async function boot(
  options: NodeOptions,
  parts: NameParts,
  undo: (() => Promise<void> | void)[],
): Promise<Node> {
  const auth = new Auth(options);
  const unnamed = parts.name === UNDEFINED;
  const allowed = new AllowList(options.allow);
  const listening = unnamed ? { ...options, listen: false as const } : options;
  const dist = await ProtoDist.start(listening, parts.name, allowed);
  undo.push(() => dist.close());
  const naming = unnamed ? await askForName(options, parts, auth, dist) : undefined;
  if (naming !== undefined) undo.push(() => naming.socket.close());

  const system = new System({
    node: naming?.name.node ?? atom(options.name),
    creation: naming?.name.creation ?? dist.creation,
    log: options.log,
  });
  const groups = new GroupConfig(system.node, options.config?.kernel.globalGroups);
  // who does not listen is hidden, for others could not complete the network
  const hidden = options.hidden === true || dist.listener === undefined;
  const netKernel = new NetKernel(system, {
    dial: (node) => dist.dial(node),
    cookie: (node) => auth.getCookie(node),
    flags: hidden && !groups.configured ? HIDDEN_DFLAGS : DEFAULT_DFLAGS,
    ...(groups.configured ? { visibleTo: (node: Atom) => groups.isVisibleTo(node, hidden) } : {}),
    nameMode: nameMode(options, parts),
    allowed,
    autoConnect: options.autoConnect,
    setupTimeMs: options.setupTimeMs,
    channel: channelOptions(options),
  });
  undo.push(() => netKernel.stop());
  const code = new CodeServer();
  defineObserverBackend(system, code);
  defineAppmonInfo(code);
  const global = globalOf(system, options, netKernel, code, groups);
  const globalGroup = new GlobalGroup(system, groups, global);
  offerGlobalGroup(code, groups);
  const events = nodeEvents(system);
  const services = new ApplicationServices(system, {
    config: options.config ?? loadConfig(),
    version: VERSION,
    global,
    code,
    connect: (node) => netKernel.connectNode(node),
    disconnect: (node) => void netKernel.disconnect(node),
    heal: options.heal,
    onChange: (event) => emit(system, events, 'application', event),
    weight: options.weight,
    remoteControl: options.remoteControl,
  });
  const application = services.applications;
  const netAdm = new NetAdm(system, {
    epmd: options.epmd === false ? false : (options.epmd ?? {}),
    shortNames: netKernel.nameMode === 'shortnames',
    hostFileFolders: [process.cwd(), homedir()],
    disconnect: (peer) => void netKernel.disconnect(peer),
  });
  offerNetAdm(code, netAdm);
  offerNetKernelInfo(code, netKernel);
  const node = new Node(system, { netKernel, netAdm, auth, code, global, globalGroup, application }, events);
  const kernel = await startKernel(system, {
    controller: (init) => services.controller.startLink(init),
    // kernel.erl's order: every name that a peer asks for exists before the first connection
    children: [
      ...remoteServices(system, {
        code,
        node: { netTicktime: () => netKernel.ticktime.term() },
        output: options.output,
      }),
      { id: GLOBAL_NAME_SERVER, start: (sup) => global.startLink(sup) },
      { id: GLOBAL_GROUP, start: (sup) => globalGroup.startLink(sup), modules: [GLOBAL_GROUP] },
      ...services.distAc(),
      {
        id: NET_KERNEL,
        start: async (sup) => {
          const started = await startLink(sup, netKernelServer, [], { name: NET_KERNEL });
          dist.listener?.accept((socket) => void netKernel.accept(socket));
          if (naming !== undefined) netKernel.adopt(naming.socket, naming.handshake);
          return started;
        },
      },
      services.kernelConfig(),
    ],
    onEnd: (reason) => void fatal(node, reason),
  });
  if (options.remoteControl === true) {
    offerControl(code, {
      stop: () => void node.stop(),
      connect: (peer) => netKernel.connectNode(peer),
      disconnect: (peer) => netKernel.disconnect(peer),
      setCookie: (peer, cookie) => auth.setCookie(peer, cookie),
      setNetTicktime: (seconds, transition) => netKernel.ticktime.set(seconds, transition),
    });
  }
  wireStop(node, kernel, dist);
  if (naming !== undefined) endWith(node, naming.handshake.node);
  return node;
}

/** Has a node give us a name, which must happen before anything here can have a pid. */
async function askForName(options: NodeOptions, parts: NameParts, auth: Auth, dist: ProtoDist) {
  const from = splitNode(options.nameFrom ?? '');
  if (from === undefined) {
    throw new ConnectionError(
      'bad_name',
      options.name,
      'a node without a name of its own needs one to ask for it: nameFrom',
    );
  }
  const { socket, handshake } = await dist.askForName(atom(options.nameFrom ?? ''), {
    ourName: parts.host,
    flags: HIDDEN_DFLAGS,
    creation: 0,
    cookie: (node) => auth.getCookie(node),
    setupTimeMs: options.setupTimeMs,
  });
  // the handshake ends with a name, or not at all
  return { socket, handshake, name: handshake.ourName as GivenName };
}

/** The name that a node gave us is its to give again once the connection is gone. */
function endWith(node: Node, namer: Atom): void {
  const lost = () => void fatal(node, tuple(atom('nodedown'), namer));
  node.system.nodeListeners.add((event) => {
    if (event.type === 'down' && event.node === namer) lost();
  });
  if (!node.system.channels().some((channel) => channel.node === namer)) lost();
}

/** In the order in which they were made: the last runs first. */
function wireStop(node: Node, kernel: Kernel, dist: ProtoDist): void {
  node.atStop(() => dist.unregister());
  node.atStop(() => kernel.stop());
  node.atStop(() => node.pg.stop());
  node.atStop(() => {
    node.netKernel.stop();
    dist.listener?.close();
  });
  node.atStop(() => node.global.prepareShutdown());
  node.atStop(() => kernel.stopApplications());
}

function globalOf(
  system: System,
  options: NodeOptions,
  netKernel: NetKernel,
  code: CodeServer,
  groups: GroupConfig,
): Global {
  const kernel = options.config?.kernel;
  return new Global(system, {
    groups,
    connectRetries: kernel?.globalConnectRetries,
    allowSeveralNames: kernel?.globalMultiNameAction === 'allow',
    connectAll: options.connectAll ?? kernel?.connectAll,
    preventOverlappingPartitions:
      options.preventOverlappingPartitions ?? kernel?.preventOverlappingPartitions,
    code,
    connect: (node) => netKernel.connectNode(node),
    disconnect: (node) => void netKernel.disconnect(node),
    rpc: rpcCall,
  });
}

async function fatal(node: Node, reason: Term): Promise<void> {
  emit(node.system, node.events, 'fatal', reason);
  await node.stop();
}
