// What one can do with applications (OTP: application.erl): for this node's own code as promises, for other nodes
// as functions of the allow-list.

import { BadArg, ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { call } from '../stdlib/gen.js';
import type { CallOptions } from '../stdlib/limits.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist, text } from '../terms/binary.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { Application, RestartType } from './application.js';
import { APPLICATION_CONTROLLER, type ApplicationController } from './application_controller.js';
import type { CodeServer } from './code.js';
import { validateDistributed } from './config_merge.js';
import { DIST_AC } from './dist_ac.js';
import {
  type LockClient,
  loadDistributed,
  permitApplication,
  takeoverApplication,
} from './dist_ac_client.js';
import { unlessGivenUp } from './giving_up.js';

const OK = atom('ok');
const ERROR = atom('error');
const DEFAULT = atom('default');
const BAD_APPLICATION = atom('bad_application');
const ALREADY_LOADED = atom('already_loaded');
const ALREADY_STARTED = atom('already_started');
const DISTRIBUTED_APPLICATION = atom('distributed_application');
const ONLY_LOADED = atom('only_loaded');
const INVALID_RESTART_TYPE = atom('invalid_restart_type');
const TEMPORARY = atom('temporary');
const RESTART_TYPES: readonly Term[] = [atom('permanent'), atom('transient'), TEMPORARY];

/** The functions of the module `application`, in Erlang's terms, called from a process. */
export class ApplicationModule {
  readonly controller: ApplicationController;
  readonly #locks: LockClient;
  /** Adds the application of that name, if there is one. */
  find: ((app: Atom) => Promise<void>) | undefined;

  constructor(controller: ApplicationController, locks: LockClient) {
    this.controller = controller;
    this.#locks = locks;
  }

  #ask(self: Process, request: Term): Promise<Term> {
    return call(self, APPLICATION_CONTROLLER, request, Number.POSITIVE_INFINITY);
  }

  /** `load/1,2`: an application's name or its term; `nodes` as an entry of `distributed`. */
  async load(self: Process, application: Term, nodes: Term = DEFAULT): Promise<Term> {
    try {
      if (application instanceof Atom) await this.#look(application);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return tuple(ERROR, tuple(BAD_APPLICATION, application, charlist(text)));
    }
    const loaded = await this.#ask(self, tuple(atom('load_application'), application));
    if (loaded !== OK || nodes === DEFAULT) return loaded;
    const app = application instanceof Tuple ? (application.elements[1] as Atom) : (application as Atom);
    const told = await loadDistributed(self, app, nodes);
    if (told !== OK) await this.unload(self, app);
    return told;
  }

  /** Adds what is not known yet: the application and those that it includes. */
  async #look(app: Atom): Promise<void> {
    if (this.find === undefined || this.controller.knows(app)) return;
    await this.find(app);
    for (const name of this.controller.includedIn(app)) await this.#look(name);
  }

  /** `unload/1`. */
  unload(self: Process, app: Term): Promise<Term> {
    return this.#ask(self, tuple(atom('unload_application'), app));
  }

  /** `start/2`; loads it first if need be. */
  async start(self: Process, app: Term, type: Term = TEMPORARY): Promise<Term> {
    const loaded = await this.load(self, app);
    if (loaded !== OK && !isAlready(loaded, ALREADY_LOADED)) return loaded;
    return this.#ask(self, tuple(atom('start_application'), app, type));
  }

  /** `ensure_started/2`: `start`, and `ok` if it was started already. */
  async ensureStarted(self: Process, app: Term, type: Term = TEMPORARY): Promise<Term> {
    const started = await this.start(self, app, type);
    return isAlready(started, ALREADY_STARTED) ? OK : started;
  }

  /** `{ok, Started}` with what it started, dependencies first, or `{error, Reason}` with nothing left started. */
  async ensureAllStarted(self: Process, app: Atom, type: Term = TEMPORARY): Promise<Term> {
    const started: Atom[] = [];
    const reason = await this.#startAll(self, [app], [], type, started);
    if (reason === undefined) return tuple(OK, started);
    for (const other of [...started].reverse()) await this.stop(self, other);
    return tuple(ERROR, reason);
  }

  async #startAll(
    self: Process,
    apps: readonly Atom[],
    optional: readonly Atom[],
    type: Term,
    started: Atom[],
  ): Promise<Term | undefined> {
    for (const app of apps) {
      if ((await this.#ask(self, tuple(atom('is_running'), app))) === true) continue;
      const loaded = await this.load(self, app);
      if (loaded !== OK && !isAlready(loaded, ALREADY_LOADED)) {
        if (optional.includes(app)) continue;
        return tuple(app, (loaded as Tuple).elements[1] as Term);
      }
      const known = this.controller.tables.loaded.get(app);
      const failed = await this.#startAll(
        self,
        known?.applications ?? [],
        known?.optional ?? [],
        type,
        started,
      );
      if (failed !== undefined) return failed;
      const result = await this.#ask(self, tuple(atom('start_application'), app, type));
      if (result === OK) started.push(app);
      else if (!isAlready(result, ALREADY_STARTED)) return tuple(app, (result as Tuple).elements[1] as Term);
    }
    return undefined;
  }

  /** `stop/1`. */
  stop(self: Process, app: Term): Promise<Term> {
    return this.#ask(self, tuple(atom('stop_application'), app));
  }

  /** Moves a distributed application that runs elsewhere to this node. */
  async takeover(self: Process, app: Atom, type: Term): Promise<Term> {
    if (!RESTART_TYPES.includes(type)) return tuple(ERROR, tuple(INVALID_RESTART_TYPE, type));
    return takeoverApplication(self, this.#locks, app, type as Atom);
  }

  /** Lets an application run on this node, or forbids it. */
  async permit(self: Process, app: Atom, bool: boolean): Promise<Term> {
    const answer = await this.#ask(self, tuple(atom('permit_application'), app, bool));
    const onlyLoaded = isTagged(answer, DISTRIBUTED_APPLICATION, 2) && answer.elements[1] === ONLY_LOADED;
    if (answer !== DISTRIBUTED_APPLICATION && !onlyLoaded) return answer;
    return permitApplication(self, this.#locks, app, bool, onlyLoaded);
  }

  /** `set_env/3`. */
  setEnv(self: Process, app: Atom, key: Atom, value: Term): Promise<Term> {
    return this.#ask(self, tuple(atom('set_env'), app, key, value));
  }

  /** See `Applications.changeConfig`. */
  async changeConfig(
    self: Process,
    parameters: Readonly<Record<string, Readonly<Record<string, Term>>>>,
  ): Promise<Term> {
    const { tables } = this.controller;
    const lists = parameters['kernel']?.['distributed'];
    if (lists !== undefined) validateDistributed(lists);
    const before = [...tables.env.keys()].map((app) => tuple(app, tables.getAllEnv(app)));
    for (const [app, values] of Object.entries(parameters)) {
      for (const [key, value] of Object.entries(values)) await this.setEnv(self, atom(app), atom(key), value);
    }
    if (lists !== undefined && self.system.whereis(DIST_AC) !== undefined) {
      const changed = await call(self, DIST_AC, tuple(atom('distribution_changed'), lists));
      if (changed !== OK) return changed;
    }
    return this.#ask(self, tuple(atom('config_change'), before));
  }

  /** `unset_env/2`. */
  unsetEnv(self: Process, app: Atom, key: Atom): Promise<Term> {
    return this.#ask(self, tuple(atom('unset_env'), app, key));
  }
}

function isAlready(result: Term, tag: Atom): boolean {
  return isTagged(result, ERROR, 2) && isTagged(result.elements[1], tag, 2);
}

/** An application as `which` and `loaded` list it. */
export interface ApplicationInfo {
  readonly name: string;
  readonly description: string;
  readonly version: string;
}

/**
 * Applications of this node. What fails rejects with `ErlangError`, whose `reason` is OTP's, such as
 * `{already_started, distro}`.
 */
export class Applications {
  readonly #system: System;
  readonly #module: ApplicationModule;
  readonly #code: CodeServer;

  /** @internal Use `Node.application`. */
  constructor(system: System, module: ApplicationModule, code: CodeServer) {
    this.#system = system;
    this.#module = module;
    this.#code = code;
  }

  /** Makes an application startable by its name, here and for other applications that depend on it. */
  add(application: Application): void {
    this.#module.controller.add(application);
    for (const [key, body] of Object.entries(application.functions ?? {})) {
      const [, module, fun, arity] = /^(.+):([^:]+)\/(\d+)$/s.exec(key) ?? [];
      if (module === undefined || fun === undefined) {
        throw new BadArg(`functions of ${application.spec.name}: ${key} is not Module:Function/Arity`);
      }
      this.#code.define(module, fun, Number(arity), body);
    }
  }

  /**
   * Says how an application that nobody has added is found by its name, as one of the code path in OTP: asked when it
   * is loaded, started, or needed by another one; undefined where there is none.
   */
  findWith(find: (name: string) => Promise<Application | undefined>): void {
    this.#module.find = async (app) => {
      const found = await find(app.name);
      if (found !== undefined) this.add(found);
    };
  }

  /**
   * Starts an application, by name or as given. If it is distributed: resolves when it runs on the node whose
   * turn it is, which may take until that node has started it; here or not, `which` tells.
   */
  async start(
    application: string | Application,
    type: RestartType = 'temporary',
    limits?: CallOptions,
  ): Promise<void> {
    const app = this.#name(application);
    await this.#do(`start ${app.name}`, (self) => this.#module.start(self, app, atom(type)), limits);
  }

  /** Starts an application and before it those it depends on; those that run already are left as they are. */
  async ensureAllStarted(
    application: string | Application,
    type: RestartType = 'temporary',
    limits?: CallOptions,
  ): Promise<string[]> {
    const app = this.#name(application);
    const result = await this.#do(
      `start ${app.name}`,
      (self) => this.#module.ensureAllStarted(self, app, atom(type)),
      limits,
    );
    return (result as readonly Atom[]).map((started) => started.name);
  }

  /** Stops an application here. A distributed one is not started elsewhere for that. */
  async stop(app: string, limits?: CallOptions): Promise<void> {
    await this.#do(`stop ${app}`, (self) => this.#module.stop(self, atom(app)), limits);
  }

  /** Moves a distributed application that runs elsewhere here; resolves when it runs here. */
  async takeover(app: string, type: RestartType = 'temporary', limits?: CallOptions): Promise<void> {
    await this.#do(`take over ${app}`, (self) => this.#module.takeover(self, atom(app), atom(type)), limits);
  }

  /** Lets an application run here, or forbids it: then it moves to another node, or is stopped. */
  async permit(app: string, allowed: boolean, limits?: CallOptions): Promise<void> {
    await this.#do(`permit ${app}`, (self) => this.#module.permit(self, atom(app), allowed), limits);
  }

  /** Loads an application: its parameters can be read. `nodes`: an entry as in `distributed`, for this application. */
  async load(application: string | Application, nodes?: Term, limits?: CallOptions): Promise<void> {
    const app = this.#name(application);
    await this.#do(`load ${app.name}`, (self) => this.#module.load(self, app, nodes), limits);
  }

  /** Forgets an application that does not run. */
  async unload(app: string, limits?: CallOptions): Promise<void> {
    await this.#do(`unload ${app}`, (self) => this.#module.unload(self, atom(app)), limits);
  }

  /** What runs on this node, latest first. */
  which(): ApplicationInfo[] {
    return this.#module.controller.whichApplications().map(applicationInfo);
  }

  /** What is loaded on this node, running or not. */
  loaded(): ApplicationInfo[] {
    return this.#module.controller.tables.loadedApplications().map(applicationInfo);
  }

  /** A configuration parameter of a loaded application. */
  getEnv(app: string, key: string): Term | undefined {
    return this.#module.controller.tables.getEnv(atom(app), atom(key));
  }

  /** Sets a configuration parameter; `configChange` is not called for it. */
  async setEnv(app: string, key: string, value: Term, limits?: CallOptions): Promise<void> {
    await this.#do(`set ${key}`, (self) => this.#module.setEnv(self, atom(app), atom(key), value), limits);
  }

  /**
   * Sets parameters, of any number of applications, and tells those that run here what changed for them
   * (`configChange`; OTP: `application_controller:config_change/1`). A changed `distributed` of `kernel` is used from
   * the next decision on; nothing moves for it.
   */
  async changeConfig(
    parameters: Readonly<Record<string, Readonly<Record<string, Term>>>>,
    limits?: CallOptions,
  ): Promise<void> {
    await this.#do('change the configuration', (self) => this.#module.changeConfig(self, parameters), limits);
  }

  #name(application: string | Application): Atom {
    if (typeof application === 'string') return atom(application);
    this.add(application);
    return atom(application.spec.name);
  }

  /** The value of `{ok, Value}`, or `ErlangError` for `{error, Reason}`; `CallError` when it is given up, and goes on. */
  #do(what: string, work: (self: Process) => Promise<Term>, limits?: CallOptions): Promise<Term> {
    const wait = { node: this.#system.node, server: `application_controller (${what})` };
    return unlessGivenUp(this.#system, wait, () => this.#run(what, work), limits);
  }

  /** In a process of its own. */
  #run(what: string, work: (self: Process) => Promise<Term>): Promise<Term> {
    return new Promise((resolve, reject) => {
      const process = this.#system.spawn(async (self) => {
        const result = await work(self);
        if (!isTagged(result, ERROR, 2)) {
          resolve(isTagged(result, OK, 2) ? (result.elements[1] as Term) : result);
          return;
        }
        const reason = result.elements[1] as Term;
        reject(new ErlangError(reason, [], `cannot ${what}: ${format(reason, 2000)}`));
      });
      process.signal.addEventListener('abort', () => {
        const reason = process.exitReason ?? OK;
        reject(new ErlangError(reason, [], `cannot ${what}: ${format(reason, 2000)}`));
      });
    });
  }
}

function applicationInfo(entry: Tuple): ApplicationInfo {
  const [name, description, version] = entry.elements as readonly [Atom, Term, Term];
  return { name: name.name, description: text(description), version: text(version) };
}
