// The services behind distributed applications, put together: application_controller, dist_ac, kernel_config.
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import type { ChildSpec } from '../stdlib/supervisor.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import { Tuple } from '../terms/tuple.js';
import type { Application } from './application.js';
import { ApplicationController, type ApplicationEvent } from './application_controller.js';
import { offerApplications } from './application_offer.js';
import { ApplicationModule, Applications } from './applications.js';
import type { CodeServer } from './code.js';
import type { Config } from './config.js';
import { DIST_AC, startDistAc } from './dist_ac.js';
import { isStartedAt } from './dist_ac_candidates.js';
import { openCircles, openWaits, waitsForStart } from './dist_ac_circles.js';
import type { LockClient } from './dist_ac_client.js';
import type { Appl } from './dist_ac_state.js';
import type { Global } from './global.js';
import { startKernelConfig } from './kernel_config.js';
import { type DistributedApplication, flatNodes, type KernelParameters } from './kernel_parameters.js';
import { NameHandovers } from './name_handover.js';
import { ping } from './net_adm.js';
import { call as rpcCall } from './rpc.js';

const KERNEL_CONFIG = atom('kernel_config');
const KERNEL = atom('kernel');
const STDLIB = atom('stdlib');
const ERLANG = atom('erlang');
const WHEREIS = atom('whereis');

/** What an interactive Elixir node runs besides its user's applications: kernel, stdlib, compiler, elixir, iex, logger. */
const BASE_WEIGHT = 6;

export interface ApplicationServiceOptions {
  readonly config: Config;
  /** Version of this library, shown as that of `kernel` and `stdlib`. */
  readonly version: string;
  readonly global: Global;
  readonly code: CodeServer;
  readonly connect: (node: Atom) => Promise<boolean>;
  readonly disconnect: (node: Atom) => void;
  /** What becomes of applications that run on both sides of a torn network; see dist_ac_introductions.ts. */
  readonly heal?: 'off' | 'rejoin' | undefined;
  /**
   * What this node counts in a choice by weight, where the lowest wins: by default 6, as an interactive Elixir node
   * has, plus the user's applications that run here.
   */
  readonly weight?: number | ((running: number) => number) | undefined;
  /** Whether other nodes may start, stop and move applications here by rpc. */
  readonly remoteControl?: boolean | undefined;
  readonly onChange?: (event: ApplicationEvent) => void;
}

export class ApplicationServices {
  readonly controller: ApplicationController;
  /** For users of the node. */
  readonly applications: Applications;
  readonly #system: System;
  readonly #options: ApplicationServiceOptions;
  readonly #locks: LockClient;
  readonly #handovers: NameHandovers;

  constructor(system: System, options: ApplicationServiceOptions) {
    const { config, global, version } = options;
    this.#system = system;
    this.#options = options;
    const library = (name: string, description: string): Application => ({
      spec: { name, description, vsn: version, applications: name === 'kernel' ? [] : ['kernel'] },
    });
    this.controller = new ApplicationController({
      environment: (app) => config.environments.get(app) ?? new Map(),
      running: [library('kernel', 'ERTS  otpnode'), library('stdlib', 'STDLIB  otpnode')],
      ...(config.kernel.shutdownTimeoutMs === undefined
        ? {}
        : { shutdownTimeoutMs: config.kernel.shutdownTimeoutMs }),
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    });
    this.#locks = {
      setLock: async (self, id, nodes) => {
        await global.setLock(self, id, nodes);
      },
      delLock: (self, id, nodes) => global.delLock(self, id, nodes),
    };
    this.#handovers = new NameHandovers(system, {
      global,
      tables: this.controller.tables,
      movable: (node) => this.#movable(node),
    });
    const module = new ApplicationModule(this.controller, this.#locks);
    this.applications = new Applications(system, module, options.code);
    offerApplications(options.code, module, options.remoteControl === true);
  }

  /** Whether this node runs `dist_ac`: told by `start_dist_ac`, or there is a parameter `distributed`. */
  get #distributed(): boolean {
    const { startDistAc, distributed } = this.#options.config.kernel;
    return startDistAc ?? distributed !== undefined;
  }

  /** To be started before the first connection: peers look for the name when they connect. */
  distAc(): ChildSpec[] {
    if (!this.#distributed) return [];
    return [{ id: DIST_AC, start: (supervisor) => this.#startDistAc(supervisor) }];
  }

  /** To be started last: it waits for other nodes. */
  kernelConfig(): ChildSpec {
    return {
      id: KERNEL_CONFIG,
      start: (supervisor) => this.#startKernelConfig(supervisor),
      shutdownMs: 2000,
    };
  }

  #startDistAc(supervisor: Process): Promise<StartResult> {
    const { controller } = this;
    const { config, global } = this.#options;
    const permission = (app: Atom): boolean => controller.permission(app);
    return startDistAc(supervisor, {
      ...this.#locks,
      appls: (config.kernel.distributed ?? []).map((entry) =>
        applOf(this.#system.node, entry, config.kernel),
      ),
      permission,
      weight: () => this.#weight(),
      startedHere: (app) => controller.isStarted(app),
      takeControl: (app, process) => controller.takeControl(app, process),
      // a lock that is free is only looked at: the decision behind it takes no time
      canLock: (id) => global.canLock(id),
      lockHolders: () => global.lockHolders(DIST_AC),
      openCircles: (self, nodes, places) => openCircles(self, rpcCall, nodes, places),
      openWaits: (self, nodes, places) => openWaits(self, rpcCall, nodes, places),
      askCandidate: async (self, node, app) => ({
        node,
        started: await isStartedAt(self, rpcCall, node, app),
        waits: await waitsForStart(self, rpcCall, node),
      }),
      connect: (node) => void this.#options.connect(node),
      ...(this.#options.heal === undefined ? {} : { heal: this.#options.heal }),
      expectTakeover: (app, node) => this.#handovers.expect(app, node),
      announced: (app, node, failed) => this.#handovers.announced(app, node, failed),
      whereis: async (self, node) => {
        const pid = await rpcCall(self, node, ERLANG, WHEREIS, [DIST_AC]);
        return pid instanceof Pid ? pid : undefined;
      },
    });
  }

  /** Applications that run here and have that node in their list. */
  #movable(node: Atom): Atom[] {
    return (this.#options.config.kernel.distributed ?? [])
      .filter(
        ({ application, nodes }) => this.controller.runsHere(application) && flatNodes(nodes).includes(node),
      )
      .map(({ application }) => application);
  }

  #weight(): number {
    const users = this.controller.runningHere().filter((app) => app !== KERNEL && app !== STDLIB).length;
    const { weight = BASE_WEIGHT + users } = this.#options;
    try {
      const own = typeof weight === 'function' ? weight(users) : weight;
      if (Number.isSafeInteger(own) && own >= 0) return own;
      this.#system.log(
        'error',
        `the weight of this node is ${own}, not an integer from 0: the default counts`,
      );
    } catch (error) {
      this.#system.log('error', `the weight of this node cannot be told: ${String(error)}`);
    }
    return BASE_WEIGHT + users;
  }

  #startKernelConfig(supervisor: Process): Promise<StartResult> {
    const { kernel } = this.#options.config;
    return startKernelConfig(supervisor, {
      mandatory: kernel.syncNodesMandatory,
      optional: kernel.syncNodesOptional,
      timeoutMs: kernel.syncNodesTimeoutMs,
      ping: (self, node) => ping(self, node, this.#options.disconnect),
    });
  }
}

function applOf(self: Atom, entry: DistributedApplication, kernel: KernelParameters): Appl {
  const { application, restartMs, nodes } = entry;
  return {
    name: application,
    id: 'undefined',
    restartTime: restartMs,
    nodes: nodes.map((node) => (node instanceof Tuple ? (node.elements as readonly Atom[]) : node)),
    run: new Map([[self, kernel.permissions.get(application) ?? true]]),
  };
}
