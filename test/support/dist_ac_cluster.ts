// Nodes of a memory cluster that run distributed applications: global, application_controller, dist_ac and
// kernel_config on each, wired as `node.ts` wires them, without sockets.
import assert from 'node:assert/strict';
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import type { Application, AppSpec } from '../../src/kernel/application.js';
import { ApplicationController } from '../../src/kernel/application_controller.js';
import { ApplicationModule } from '../../src/kernel/applications.js';
import { DIST_AC, startDistAc } from '../../src/kernel/dist_ac.js';
import type { Candidate } from '../../src/kernel/dist_ac_candidates.js';
import type { Place } from '../../src/kernel/dist_ac_circles.js';
import type { LockClient } from '../../src/kernel/dist_ac_client.js';
import { distributedAppls } from '../../src/kernel/dist_ac_config.js';
import type { Global } from '../../src/kernel/global.js';
import { startKernelConfig } from '../../src/kernel/kernel_config.js';
import { call } from '../../src/stdlib/gen.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, Tuple, tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode } from './global_cluster.js';
import { eventually } from './memory_cluster.js';

export interface BootOptions {
  /** The value of the parameter `distributed` as Erlang text; `a` stands for `a@127.0.0.1`. */
  readonly distributed?: string;
  readonly permissions?: string;
  readonly mandatory?: readonly string[];
  readonly optional?: readonly string[];
  readonly timeoutMs?: number | 'infinity';
  readonly weight?: number;
  readonly startDistAc?: boolean;
  readonly heal?: 'off' | 'rejoin';
  readonly apps?: readonly Application[];
  /** What nodes say when they are asked whether they have started it; others do not say. */
  readonly candidates?: Readonly<Record<string, Pick<Candidate, 'started' | 'waits'>>>;
  /** Told what is displaced, and who may wait for somebody. */
  readonly openWaits?: (nodes: string, places: readonly Place[]) => void;
}

/** A node whose boot has ended, or is under way. */
export class DistAcNode {
  readonly system: System;
  readonly global: Global;
  /** A process of the test on that node. */
  readonly self: Process;
  readonly controller: ApplicationController;
  readonly application: ApplicationModule;
  readonly logs: string[];
  /** Resolves when kernel is started; with the reason if it cannot be. */
  booted!: Promise<Term | undefined>;
  /** What started its services. */
  parent!: Process;
  /** The reason this node ended with. */
  ended: Term | undefined;

  constructor(node: GlobalNode, controller: ApplicationController, locks: LockClient) {
    this.system = node.system;
    this.global = node.global;
    this.self = node.self;
    this.logs = node.logs;
    this.controller = controller;
    this.application = new ApplicationModule(controller, locks);
  }

  /** Runs a call in a process of its own; its result as text. */
  run(work: (self: Process) => Promise<Term>): Promise<string> {
    return new Promise((resolve) => {
      const process = this.system.spawn(async (self) => resolve(short(await work(self))));
      process.signal.addEventListener('abort', () => resolve(`exit ${short(process.exitReason ?? false)}`));
    });
  }

  start(app: string, type = 'temporary'): Promise<string> {
    return this.run((self) => this.application.start(self, atom(app), atom(type)));
  }
  stop(app: string): Promise<string> {
    return this.run((self) => this.application.stop(self, atom(app)));
  }
  load(app: string, nodes?: string): Promise<string> {
    const list = nodes === undefined ? undefined : terms(nodes);
    return this.run((self) => this.application.load(self, atom(app), list));
  }
  unload(app: string): Promise<string> {
    return this.run((self) => this.application.unload(self, atom(app)));
  }
  takeover(app: string, type = 'temporary'): Promise<string> {
    return this.run((self) => this.application.takeover(self, atom(app), atom(type)));
  }
  permit(app: string, bool: boolean): Promise<string> {
    return this.run((self) => this.application.permit(self, atom(app), bool));
  }

  changeDistribution(list: string): Promise<string> {
    return this.run((self) => call(self, DIST_AC, tuple(atom('distribution_changed'), terms(list))));
  }

  /** `dist_ac:info/0`, a record whose fields are named by OTP. */
  async info(): Promise<Record<(typeof FIELDS)[number], string>> {
    const result = new Promise<Term>((resolve) => {
      this.system.spawn(async (self) => resolve(await call(self, DIST_AC, atom('info'))));
    });
    const { elements } = (await result) as Tuple;
    return Object.fromEntries(FIELDS.map((name, i) => [name, short(elements[i + 1] as Term)])) as never;
  }

  /** What `application:info/0` has under `key`, without kernel and stdlib. */
  listed(key: 'running' | 'started' | 'starting'): string {
    const entries = this.controller.info() as readonly Tuple[];
    const list = entries.find((entry) => (entry.elements[0] as Atom).name === key)?.elements[1] as Tuple[];
    const own = list.filter((entry) => !['kernel', 'stdlib'].includes((entry.elements[0] as Atom).name));
    return short(own);
  }

  runs(app: string): boolean {
    return this.controller.runsHere(atom(app));
  }

  distAc(): Process {
    return this.system.whereis(DIST_AC) as Process;
  }
}

const FIELDS = [
  'appls',
  'tmp_locals',
  'remote_started',
  'known',
  'started',
  'tmp_weights',
  'dist_loaded',
  't_reqs',
  's_reqs',
  'p_reqs',
] as const;

/** A term as text, node names without their host. */
export function short(term: Term): string {
  return format(term).replaceAll(/'([a-z]+)@127\.0\.0\.1'/g, '$1');
}

/** A term from text in which `a`, `b`, `c`, `d` stand for nodes. */
export function terms(text: string): Term {
  return parseTerm(text.replaceAll(/\b([abcd])\b/g, "'$1@127.0.0.1'"));
}

/** A node that is played by the test: it keeps what its `dist_ac` gets, and sends what it is told to. */
export class ScriptedPeer {
  readonly system: System;
  readonly global: Global;
  readonly self: Process;
  /** Messages to `dist_ac`, as text. */
  readonly received: string[] = [];
  readonly distAc: Process;

  constructor(node: GlobalNode) {
    this.system = node.system;
    this.global = node.global;
    this.self = node.self;
    this.distAc = node.system.spawn(
      async (self) => {
        for (;;) this.received.push(short((await self.next()) as Term));
      },
      { name: DIST_AC },
    );
  }

  /** Sends to `dist_ac` of a node, as text in which `a`, `b`, `c`, `d` are nodes. */
  send(to: { readonly system: System }, message: string): void {
    this.distAc.send(tuple(DIST_AC, to.system.node), terms(message));
  }

  /** Resolves when a message has come that contains the text; gives the whole. */
  async got(text: string, timeoutMs = 30_000): Promise<string> {
    await eventually(
      `${this.system.node.name} gets ${text}`,
      () => this.#find(text) !== undefined,
      timeoutMs,
    );
    return this.#find(text) as string;
  }

  #find(text: string): string | undefined {
    return this.received.find((message) => message.includes(text));
  }

  count(text: string): number {
    return this.received.filter((message) => message.includes(text)).length;
  }
}

/** A peer that is connected and introduced, with the application `d1` loaded and permitted unless told otherwise. */
export async function introduce(
  cluster: DistAcCluster,
  node: DistAcNode,
  name: string,
  permission = true,
): Promise<ScriptedPeer> {
  const peer = await cluster.peer(name);
  cluster.connect(peer.system, node.system);
  const appls = ['d1', 'phased'].map(
    (app) => `{appl, ${app}, undefined, 0, any, [{${name}, ${permission}}]}`,
  );
  peer.send(node, `{dist_ac_new_node, 1, ${name}, [${appls.join()}], []}`);
  await peer.got('dist_ac_new_node');
  return peer;
}

/** Gives everything that is on its way the time to arrive and to be answered. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

export class DistAcCluster extends GlobalCluster {
  readonly #nodes: DistAcNode[] = [];
  readonly #peers: ScriptedPeer[] = [];

  /** Starts a node and its boot; `await node.booted` to have it done. */
  async begin(name: string, options: BootOptions = {}): Promise<DistAcNode> {
    const base = await this.node(name);
    const controller = new ApplicationController({
      running: [{ spec: { name: 'kernel' } }, { spec: { name: 'stdlib' } }],
      environment: (app) =>
        new Map(
          app.name === 'kernel' && options.permissions !== undefined
            ? [[atom('permissions'), terms(options.permissions)]]
            : [],
        ),
    });
    for (const application of options.apps ?? []) controller.add(application);
    const locks: LockClient = {
      setLock: async (self, id, nodes) => void (await base.global.setLock(self, id, nodes)),
      delLock: (self, id, nodes) => base.global.delLock(self, id, nodes),
    };
    const node = new DistAcNode(base, controller, locks);
    this.#nodes.push(node);
    const parent = base.system.spawn((self) => this.#supervise(self, node));
    parent.trapExit = true;
    node.parent = parent;
    const started = await controller.startLink(parent);
    assert.ok('ok' in started);
    if (options.startDistAc ?? options.distributed !== undefined) {
      await startDistAc(parent, this.#distAcOptions(node, options, locks));
    }
    node.booted = this.#boot(parent, node, options);
    return node;
  }

  /** A node whose `dist_ac` only does what the test makes it do. */
  async peer(name: string): Promise<ScriptedPeer> {
    const base = await this.node(name);
    const peer = new ScriptedPeer(base);
    this.#peers.push(peer);
    return peer;
  }

  /** A node whose boot has ended well. */
  async boot(name: string, options: BootOptions = {}): Promise<DistAcNode> {
    const node = await this.begin(name, options);
    assert.equal(await node.booted, undefined);
    return node;
  }

  /** Boots nodes at once that wait for each other. */
  async bootAll(names: string, options: BootOptions): Promise<DistAcNode[]> {
    const all = names.split(' ');
    const nodes = await Promise.all(
      all.map((name) =>
        this.begin(name, {
          timeoutMs: 'infinity',
          ...options,
          mandatory: all.filter((other) => other !== name),
        }),
      ),
    );
    for (const node of nodes) assert.equal(await node.booted, undefined);
    await this.#synced(nodes);
    return nodes;
  }

  /** Resolves when the introductions are over on all these nodes. */
  async #synced(nodes: readonly DistAcNode[]): Promise<void> {
    for (const node of nodes) {
      const known = (): boolean => this.#known.get(node) === true;
      await eventually(`${node.system.node.name} is in sync`, known);
    }
  }

  readonly #known = new WeakMap<DistAcNode, boolean>();

  #distAcOptions(
    node: DistAcNode,
    options: BootOptions,
    locks: LockClient,
  ): Parameters<typeof startDistAc>[1] {
    const { system, controller, global } = node;
    const permission = (app: Atom): boolean => controller.permission(app);
    return {
      ...locks,
      appls: distributedAppls(system.node, terms(options.distributed ?? '[]'), permission),
      permission,
      weight: () => options.weight ?? controller.runningHere().length,
      startedHere: (app) => controller.isStarted(app),
      takeControl: (app, process) => controller.takeControl(app, process),
      canLock: (id) => {
        const free = global.localLock(node.self, id);
        if (free) global.localUnlock(node.self, id);
        return free;
      },
      lockHolders: () => global.lockHolders(DIST_AC),
      whereis: (self, other) => this.whereis(self, other),
      connect: (other) => void system.connectedEntry(other),
      ...(options.heal === undefined ? {} : { heal: options.heal }),
      ...(options.openWaits === undefined
        ? {}
        : { openWaits: async (_self, nodes, places) => options.openWaits?.(short([...nodes]), places) }),
      ...(options.candidates === undefined
        ? {}
        : {
            askCandidate: async (_self, other) => {
              const said = options.candidates?.[other.name.slice(0, 1)];
              return { node: other, ...(said ?? { started: undefined, waits: false }) };
            },
          }),
      onSynced: () => this.#known.set(node, true),
    };
  }

  /** What `rpc:call(Node, erlang, whereis, [dist_ac])` would give. */
  async whereis(self: Process, node: Atom): Promise<Pid | undefined> {
    await new Promise((resolve) => setImmediate(resolve));
    if (self.system.distEntry(node).channel === undefined) return undefined;
    const systems = [...this.#nodes, ...this.#peers].map((other) => other.system);
    return systems.findLast((system) => system.node === node)?.whereis(DIST_AC)?.pid;
  }

  async #boot(parent: Process, node: DistAcNode, options: BootOptions): Promise<Term | undefined> {
    const names = (list: readonly string[] = []): Atom[] => list.map((name) => atom(`${name}@127.0.0.1`));
    const result = await startKernelConfig(parent, {
      mandatory: names(options.mandatory),
      optional: names(options.optional),
      timeoutMs: options.timeoutMs,
      ping: (self, other) => this.ping(self.system, other),
    });
    if ('error' in result) return result.error;
    if (node.system.whereis(DIST_AC) !== undefined) await this.#synced([node]);
    return undefined;
  }

  async ping(system: System, node: Atom): Promise<boolean> {
    if (node === system.node) return true;
    const entry = system.connectedEntry(node);
    while (entry?.pending !== undefined) await new Promise((resolve) => setImmediate(resolve));
    return entry?.channel !== undefined;
  }

  /** The node's root: when the application controller ends, the node does. */
  async #supervise(self: Process, node: DistAcNode): Promise<void> {
    for (;;) {
      const message = await self.next();
      if (!(message instanceof Tuple) || (message.elements[0] as Atom).name !== 'EXIT') continue;
      if ((message.elements[1] as Pid).key !== node.system.whereis(atom('application_controller'))?.pid.key) {
        const alive = node.system.whereis(atom('application_controller'));
        if (alive !== undefined) continue;
      }
      const reason = message.elements[2] as Term;
      node.ended = isTagged(reason, atom('shutdown'), 2) ? (reason.elements[1] as Term) : reason;
      // what was said before the end still goes out
      await settle(3);
      this.crash(node);
      return;
    }
  }

  /** The node stops in good order, as by `init:stop`. */
  async shutDown(node: DistAcNode): Promise<void> {
    const controller = node.system.whereis(atom('application_controller')) as Process;
    node.parent.exitSignal(controller.pid, atom('shutdown'));
    await eventually('the node has stopped', () => node.ended !== undefined);
  }

  /** kill -9 */
  crash(node: { readonly system: System }): void {
    this.kill(node.system);
    const processes = node.system.processes();
    for (const process of processes) {
      process.links.clear();
      process.watchers.clear();
    }
    for (const process of processes) process.end(atom('killed'));
  }

  /** The end of the test: nothing of it goes on. */
  [Symbol.dispose](): void {
    for (const node of [...this.#nodes, ...this.#peers]) this.crash(node);
  }
}

/** Applications of a test, and what happened to them: `a start d1 normal`, `a stop d1`. */
export class TestApps {
  readonly events: string[] = [];
  /** Starts that fail: `a d1` → reason. */
  readonly failures: Map<string, Term> = new Map();
  /** Starts that wait: `a d1` → until. */
  readonly held: Map<string, Promise<unknown>> = new Map();
  /** Top processes by `a d1`. */
  readonly tops: Map<string, Process> = new Map();

  app(name: string, spec: Partial<AppSpec> = {}): Application {
    return {
      spec: { name, vsn: '1', description: `the application ${name}`, ...spec },
      start: async (type, _args, self) => {
        const at = self.node.name.split('@')[0] as string;
        const key = `${at} ${name}`;
        await this.held.get(key);
        const failure = this.failures.get(key);
        if (failure !== undefined) {
          this.events.push(`${at} failed ${name} ${short(type)}`);
          return { error: failure };
        }
        const top = self.spawnLink(() => new Promise(() => {}));
        this.tops.set(key, self.system.process(top) as Process);
        this.events.push(`${at} start ${name} ${short(type)}`);
        return { ok: top, state: at };
      },
      startPhase: (phase, type, args, self) => {
        this.events.push(
          `${self.node.name.split('@')[0]} phase ${name} ${phase} ${short(type)} ${short(args)}`,
        );
      },
      prepStop: (state) => {
        this.events.push(`${state} prep_stop ${name}`);
        return state;
      },
      stop: (state) => {
        this.events.push(`${state} stop ${name}`);
      },
    };
  }
}
