// Starts and stops the applications of this node and knows which run where (OTP: application_controller.erl).
//
// Local applications are started at once. One that dist_ac controls is started when dist_ac says so: the request
// goes there as `{ac_…, App}` and comes back as `{ac_start_application_reply, App, What}`, or later as
// `{ac_change_application_req, App, What}` that nobody here asked for. Starting and stopping run beside this process,
// which goes on answering; what concerns an application that is being stopped waits until that is done.
import type { Process } from '../erts/process.js';
import { cast, type From, reply } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { map } from '../terms/map.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { Application } from './application.js';
import { changedEnvironment } from './application_env.js';
import { startMaster, stopMaster } from './application_master.js';
import { fromSpec, fromTerm, type Loaded, type Made, summary } from './application_spec.js';
import { ApplicationTables } from './application_tables.js';

export const APPLICATION_CONTROLLER: Atom = atom('application_controller');
const OK = atom('ok');
const ERROR = atom('error');
const INFO = atom('info');
const UNDEFINED = atom('undefined');
const NORMAL = atom('normal');
const SHUTDOWN = atom('shutdown');
const KILL = atom('kill');
const EXIT = atom('EXIT');
const DOWN = atom('DOWN');
const STOPPED = atom('stopped');
const LOCAL = atom('local');
const KERNEL = atom('kernel');
const PERMISSIONS = atom('permissions');
const TRANSIENT = atom('transient');
const TEMPORARY = atom('temporary');
const PERMANENT = atom('permanent');
const DISTRIBUTED = atom('distributed');
const TAKEOVER = atom('takeover');
const FAILOVER = atom('failover');
const START_IT = atom('start_it');
const STOP_IT = atom('stop_it');
const NOT_RUNNING = atom('not_running');
const NOT_STARTED = atom('not_started');
const NOT_LOADED = atom('not_loaded');
const STARTED = atom('started');
const RUNNING = atom('running');
const ALREADY_LOADED = atom('already_loaded');
const ALREADY_STARTED = atom('already_started');
const INVALID_RESTART_TYPE = atom('invalid_restart_type');
const DISTRIBUTED_APPLICATION = atom('distributed_application');
const ONLY_LOADED = atom('only_loaded');
const APPLICATION_STARTED = atom('application_started');
const APPLICATION_STOPPED = atom('application_stopped');
const APPLICATION_START_FAILURE = atom('application_start_failure');
const APPLICATION_TERMINATED = atom('application_terminated');
const AC_LOAD_REPLY = atom('ac_load_application_reply');
const AC_START_REPLY = atom('ac_start_application_reply');
const AC_CHANGE_REQ = atom('ac_change_application_req');
const AC_LOAD = atom('ac_load_application_req');
const AC_UNLOADED = atom('ac_application_unloaded');
const AC_START = atom('ac_start_application_req');
const AC_RUN = atom('ac_application_run');
const AC_NOT_RUN = atom('ac_application_not_run');
const AC_NOT_STARTED = atom('ac_application_not_started');
const AC_STOPPED = atom('ac_application_stopped');

/** Where it runs: its master here, nothing for a library, or `{distributed, Node}` (`[]`: it may run nowhere). */
type Where = Pid | 'code' | { readonly distributed: Atom | readonly [] };

interface Starting {
  readonly app: Atom;
  readonly restart: Atom;
  readonly type: Term;
  readonly from: From | undefined;
}

export interface ControllerOptions {
  /** The configured environment of an application, over what its specification brings. */
  readonly environment?: (app: Atom) => ReadonlyMap<Atom, Term>;
  /** Applications that run as soon as this process does: `kernel` and `stdlib`. */
  readonly running?: readonly Application[];
  /** How long an application may take to end when the node stops; unlimited by default (`shutdown_timeout`). */
  readonly shutdownTimeoutMs?: number;
  /** Told of an application that was started or ended here. */
  readonly onChange?: (event: ApplicationEvent) => void;
}

/** `where`: the node on which it runs now, if any. */
export interface ApplicationEvent {
  readonly type: 'started' | 'stopped';
  readonly application: Atom;
  readonly node: Atom;
  /** The start type, or the reason of the end. */
  readonly detail: Term;
}

export class ApplicationController implements GenServer<null> {
  readonly module: Atom = APPLICATION_CONTROLLER;
  readonly tables: ApplicationTables = new ApplicationTables();
  readonly #options: ControllerOptions;
  /** Applications that can be loaded by name. */
  readonly #known = new Map<Atom, Application>();
  /** Running here or elsewhere, latest first. */
  #running: readonly { readonly app: Atom; readonly where: Where }[] = [];
  /** Started with that restart type, whether running or not. */
  #started: readonly { readonly app: Atom; readonly restart: Atom }[] = [];
  #starting: readonly Starting[] = [];
  #loading: readonly { readonly app: Atom; readonly from: From }[] = [];
  /** Start requested while the application may not run. */
  #startPFalse: readonly Starting[] = [];
  /** Everybody who waits for a start. */
  #startReq: readonly { readonly app: Atom; readonly from: From | undefined }[] = [];
  /** Applications that dist_ac controls. */
  readonly #control = new Map<Atom, Process>();
  /** What waits until the application has been stopped. */
  readonly #stopping = new Map<Atom, (() => void)[]>();
  #self!: Process;
  /** The reason to end the node. */
  #fatal: Term | undefined;

  constructor(options: ControllerOptions = {}) {
    this.#options = options;
  }

  /** Starts the process of that name. Its end with `{shutdown, Reason}` is the end of the node for that reason. */
  startLink(parent: Process): Promise<StartResult> {
    return startLink(parent, this, [], { name: APPLICATION_CONTROLLER });
  }

  /** Makes an application loadable by its name, as a file `NAME.app` in the code path would. */
  add(application: Application): void {
    this.#known.set(atom(application.spec.name), application);
  }

  /** From now on dist_ac decides about that application. */
  takeControl(app: Atom, controller: Process): void {
    if (!this.#control.has(app)) this.#control.set(app, controller);
  }

  /** Whether it was started here, running or not. */
  isStarted(app: Atom): boolean {
    return this.#started.some((entry) => entry.app === app);
  }

  /** Whether it is listed as running, here or elsewhere. */
  isListed(app: Atom): boolean {
    return this.#where(app) !== undefined;
  }

  /** Whether it runs here. */
  runsHere(app: Atom): boolean {
    const where = this.#where(app);
    return where instanceof Pid || where === 'code';
  }

  /** Applications that run here, latest first. */
  runningHere(): Atom[] {
    return this.#running.map(({ app }) => app).filter((app) => this.runsHere(app));
  }

  // --- gen_server ---------------------------------------------------------------------------------------------

  init(self: Process): { state: null } {
    this.#self = self;
    self.trapExit = true;
    for (const application of this.#options.running ?? []) {
      const loaded = fromSpec(application);
      this.#insert(loaded);
      this.#running = [{ app: loaded.name, where: 'code' }, ...this.#running];
      this.#started = [{ app: loaded.name, restart: PERMANENT }, ...this.#started];
    }
    return { state: null };
  }

  formatState(): Term {
    return this.info();
  }

  handleCall(request: Term, from: From): Step<null> {
    if (request === INFO) return { state: null, reply: this.info() };
    const [tag, app, a, b] = request instanceof Tuple ? request.elements : [request];
    if (tag === WHICH_APPLICATIONS) return { state: null, reply: this.whichApplications() };
    if (tag === IS_RUNNING && app instanceof Atom) {
      return { state: null, reply: this.#where(app) !== undefined };
    }
    // whatever changes something is for this node's own processes
    if (from.pid.node === this.#self.node && tag instanceof Atom && app !== undefined) {
      this.#request(tag.name, app, a, b, from);
    }
    return this.#step();
  }

  handleCast(message: Term): Step<null> {
    if (isTagged(message, APPLICATION_STARTED, 3)) {
      const [, app, result] = message.elements as readonly [Term, Atom, Term];
      this.#applicationStarted(app, result);
    } else if (isTagged(message, APPLICATION_STOPPED, 2)) {
      const waiting = this.#stopping.get(message.elements[1] as Atom) ?? [];
      this.#stopping.delete(message.elements[1] as Atom);
      for (const next of waiting) next();
    }
    return this.#step();
  }

  handleInfo(message: Term): Step<null> {
    if (!(message instanceof Tuple)) return this.#step();
    const [tag, app, what] = message.elements;
    if (tag === EXIT && app instanceof Pid) this.#exited(app, what as Term);
    else if (app instanceof Atom && what !== undefined) {
      this.#unlessStopping(app, () => {
        if (tag === AC_LOAD_REPLY) this.#loadReply(app, what);
        else if (tag === AC_START_REPLY) this.#startReply(app, what);
        else if (tag === AC_CHANGE_REQ) this.#change(app, what);
      });
    }
    return this.#step();
  }

  /** The node ends: every application is stopped, the latest first, and dist_ac is told nothing. */
  async terminate(_reason: Term, _state: null, self: Process): Promise<void> {
    for (const { where } of this.#running) if (where instanceof Pid) await this.#shutDown(self, where);
  }

  async #shutDown(self: Process, master: Pid): Promise<void> {
    const ref = self.monitor(master);
    self.unlink(master);
    self.exitSignal(master, SHUTDOWN);
    const down = (message: Term): true | undefined =>
      isTagged(message, DOWN, 5) && (message.elements[1] as { key: string }).key === ref.key
        ? true
        : undefined;
    if ((await self.receive(down, this.#options.shutdownTimeoutMs)) !== undefined) return;
    self.exitSignal(master, KILL);
    await self.receive(down);
  }

  #step(): Step<null> {
    // told by the node in one line: no crash report of this process beside it
    return this.#fatal === undefined ? { state: null } : { state: null, stop: tuple(SHUTDOWN, this.#fatal) };
  }

  #unlessStopping(app: Atom, what: () => void): void {
    const waiting = this.#stopping.get(app);
    if (waiting === undefined) what();
    else waiting.push(what);
  }

  // --- requests -----------------------------------------------------------------------------------------------

  #request(what: string, subject: Term, a: Term | undefined, b: Term | undefined, from: From): void {
    const answer = (result: Term): void => reply(this.#self, from, result);
    const app = subject instanceof Atom ? subject : undefined;
    switch (what) {
      case 'load_application':
        this.#load(subject, from);
        return;
      case 'unload_application':
        if (app !== undefined) this.#unlessStopping(app, () => answer(this.#unload(app)));
        return;
      case 'start_application':
        if (app !== undefined) this.#unlessStopping(app, () => this.#start(app, a as Term, from));
        return;
      case 'stop_application':
        if (app !== undefined) this.#unlessStopping(app, () => this.#stop(app, from));
        return;
      case 'permit_application':
        if (app !== undefined) this.#unlessStopping(app, () => this.#permit(app, a === true, from));
        return;
      case 'start_type':
        answer(this.#starting.find((entry) => entry.app === app)?.type ?? LOCAL);
        return;
      case 'set_env':
        if (app !== undefined && a instanceof Atom) this.tables.setEnv(app, a, b as Term);
        answer(OK);
        return;
      case 'unset_env':
        if (app !== undefined && a instanceof Atom) this.tables.unsetEnv(app, a);
        answer(OK);
        return;
      case 'config_change':
        void changedEnvironment(this.tables, this.runningHere(), subject).then(answer);
    }
  }

  // --- loading ------------------------------------------------------------------------------------------------

  #load(application: Term, from: From): void {
    const answer = (result: Term): void => reply(this.#self, from, result);
    const app = nameOf(application);
    if (app === undefined) {
      answer(tuple(ERROR, tuple(atom('bad_application'), application)));
    } else if (this.tables.loaded.has(app)) answer(tuple(ERROR, tuple(ALREADY_LOADED, app)));
    else {
      const made = this.#make(application);
      const reason = 'error' in made ? made.error : this.#insertWithIncluded(made.ok);
      if (reason !== undefined) answer(tuple(ERROR, reason));
      else if (this.#toController(app, tuple(AC_LOAD, app))) {
        this.#loading = [{ app, from }, ...this.#loading];
      } else answer(OK);
    }
  }

  #make(application: Term): Made {
    const find = (module: Atom): Application | undefined =>
      [...this.#known.values()].find((known) => (known.spec.module ?? known.spec.name) === module.name);
    if (!(application instanceof Atom)) return fromTerm(application, find);
    const known = this.#known.get(application);
    if (known !== undefined) return { ok: fromSpec(known) };
    return { error: noSuchFile(application) };
  }

  #insertWithIncluded(loaded: Loaded): Term | undefined {
    this.#insert(loaded);
    for (const name of loaded.included) {
      if (this.tables.loaded.has(name)) continue;
      const made = this.#make(name);
      const reason = 'error' in made ? made.error : this.#insertWithIncluded(made.ok);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #insert(loaded: Loaded): void {
    const configured = this.#options.environment?.(loaded.name) ?? [];
    this.tables.loaded.set(loaded.name, loaded);
    this.tables.env.set(loaded.name, new Map([...loaded.env, ...configured]));
  }

  #loadReply(app: Atom, result: Term): void {
    const waiting = this.#loading.find((entry) => entry.app === app);
    if (waiting === undefined) return;
    this.#loading = this.#loading.filter((entry) => entry !== waiting);
    if (result !== OK) this.#forget(app);
    reply(this.#self, waiting.from, result);
  }

  #unload(app: Atom): Term {
    if (this.#where(app) !== undefined) return tuple(ERROR, tuple(RUNNING, app));
    if (!this.tables.loaded.has(app)) return tuple(ERROR, tuple(NOT_LOADED, app));
    this.#forget(app);
    this.#toController(app, tuple(AC_UNLOADED, app));
    return OK;
  }

  #forget(app: Atom): void {
    const loaded = this.tables.loaded.get(app);
    this.tables.loaded.delete(app);
    this.tables.env.delete(app);
    for (const included of loaded?.included ?? []) this.#forget(included);
  }

  // --- starting -----------------------------------------------------------------------------------------------

  #start(app: Atom, restart: Term, from: From): void {
    if (this.#startReq.some((entry) => entry.app === app)) {
      this.#startReq = [{ app, from }, ...this.#startReq];
      return;
    }
    const reason = this.#startRefused(app, restart);
    if (reason !== undefined) {
      reply(this.#self, from, tuple(ERROR, reason));
      return;
    }
    const starting = { app, restart: restart as Atom, type: NORMAL, from };
    if (this.#toController(app, tuple(AC_START, app))) this.#begin(starting);
    else if (this.#permissionOf(app) === false) {
      this.#startPFalse = [starting, ...this.#startPFalse];
      reply(this.#self, from, OK);
    } else {
      this.#begin(starting);
      this.#spawnStarter(app, NORMAL);
    }
  }

  #begin(starting: Starting): void {
    this.#starting = [starting, ...this.#starting];
    this.#startReq = [{ app: starting.app, from: starting.from }, ...this.#startReq];
  }

  #startRefused(app: Atom, restart: Term): Term | undefined {
    if (!isRestartType(restart)) return tuple(INVALID_RESTART_TYPE, restart);
    const loaded = this.tables.loaded.get(app);
    if (loaded === undefined) return tuple(NOT_LOADED, app);
    if (this.#where(app) !== undefined) return tuple(ALREADY_STARTED, app);
    const missing = loaded.applications.find(
      (name) => !this.isStarted(name) && !loaded.optional.includes(name),
    );
    return missing && tuple(NOT_STARTED, missing);
  }

  /** Starts it in a process of its own, which tells us the result. */
  #spawnStarter(app: Atom, type: Term): void {
    const loaded = this.tables.loaded.get(app);
    if (loaded === undefined) return;
    const controller = this.#self;
    controller.spawnLink(async (starter) => {
      starter.trapExit = true;
      const result = await this.#startAppl(starter, loaded, type).catch((error: unknown) =>
        tuple(ERROR, tuple(atom('javascript'), atom(String(error).slice(0, 200)))),
      );
      cast(starter, controller.pid, tuple(APPLICATION_STARTED, app, result));
    });
  }

  /** `{ok, Master | undefined}`, `{error, Reason}`, or `{info, Reason}` for a dependency that does not run. */
  async #startAppl(starter: Process, loaded: Loaded, type: Term): Promise<Term> {
    if (loaded.mod === undefined) return tuple(OK, UNDEFINED);
    const missing = loaded.applications.find(
      (name) => this.#where(name) === undefined && !loaded.optional.includes(name),
    );
    if (missing !== undefined) return tuple(INFO, tuple(NOT_RUNNING, missing));
    const find = (name: Atom): Loaded | undefined => this.tables.loaded.get(name);
    const started = (master: Pid): void => {
      this.tables.masters.set(loaded.name, master);
    };
    const result = await startMaster(starter, this.#self.pid, loaded, type, find, started);
    if ('ok' in result) return tuple(OK, result.ok);
    this.tables.masters.delete(loaded.name);
    return tuple(ERROR, 'error' in result ? result.error : atom('ignore'));
  }

  /** A start that dist_ac ordered, unless one is under way. */
  #doStart(app: Atom, restart: Term, type: Term): void {
    if (this.#startReq.some((entry) => entry.app === app)) return;
    const known = this.#started.find((entry) => entry.app === app)?.restart;
    const starting = {
      app,
      restart: isRestartType(restart) ? restart : (known ?? TEMPORARY),
      type,
      from: undefined,
    };
    this.#starting = [starting, ...this.#starting.filter((entry) => entry.app !== app)];
    this.#startReq = [{ app, from: undefined }, ...this.#startReq];
    this.#spawnStarter(app, type);
  }

  #applicationStarted(app: Atom, result: Term): void {
    const starting = this.#starting.find((entry) => entry.app === app);
    if (starting === undefined || !(result instanceof Tuple)) return;
    const [how, value] = result.elements as readonly [Atom, Term];
    this.#starting = this.#starting.filter((entry) => entry.app !== app);
    if (how === OK) {
      const where = isTagged(value, DISTRIBUTED, 2)
        ? { distributed: value.elements[1] as Atom }
        : value instanceof Pid
          ? value
          : 'code';
      this.#setRunning(app, where);
      this.#setStarted(app, starting.restart);
      if (where instanceof Pid || where === 'code') {
        this.#startedHere(app, starting.type);
        this.#toController(app, tuple(AC_RUN, app, OK));
      }
      this.#answerStarters(app, OK);
      return;
    }
    this.#startFailed(app, starting.restart, how, value);
  }

  #startedHere(app: Atom, type: Term): void {
    const report = [tuple(atom('application'), app), tuple(atom('started_at'), this.#self.node)];
    this.#log('info', 'progress', `Application ${app.name} started at ${this.#self.node.name}`, report);
    this.#tell('started', app, type);
  }

  #startFailed(app: Atom, restart: Atom, how: Atom, reason: Term): void {
    this.#toController(app, tuple(AC_RUN, app, tuple(ERROR, reason)));
    if (how === ERROR) this.#logExit(app, reason, restart);
    this.#answerStarters(app, tuple(how, reason));
    if (restart === TEMPORARY || (restart === TRANSIENT && isNormalExit(reason))) return;
    this.#fatal = tuple(APPLICATION_START_FAILURE, app, reason);
  }

  #answerStarters(app: Atom, result: Term): void {
    const answer = isTagged(result, INFO, 2) ? tuple(ERROR, result.elements[1] as Term) : result;
    for (const { app: other, from } of this.#startReq) {
      if (other === app && from !== undefined) reply(this.#self, from, answer);
    }
    this.#startReq = this.#startReq.filter((entry) => entry.app !== app);
  }

  // --- what dist_ac says --------------------------------------------------------------------------------------

  /** The answer to a start that somebody here asked for. */
  #startReply(app: Atom, what: Term): void {
    const starting = this.#starting.find((entry) => entry.app === app);
    if (starting === undefined) return;
    if (what === START_IT) this.#spawnStarter(app, starting.type);
    else if (isTagged(what, STARTED, 2)) {
      this.#applicationStarted(app, tuple(OK, tuple(DISTRIBUTED, what.elements[1] as Term)));
    } else if (isTagged(what, TAKEOVER, 2)) {
      const others = this.#starting.filter((entry) => entry !== starting);
      this.#starting = [{ ...starting, type: what }, ...others];
      this.#spawnStarter(app, what);
    } else if (what === NOT_STARTED) {
      this.#starting = this.#starting.filter((entry) => entry !== starting);
      this.#setStarted(app, starting.restart);
      this.#answerStarters(app, OK);
    } else if (isTagged(what, ERROR, 2)) {
      this.#starting = this.#starting.filter((entry) => entry !== starting);
      this.#answerStarters(app, what);
      if (starting.restart === PERMANENT) this.#fatal = what.elements[1] as Term;
    }
  }

  /** A request that nobody here asked for. One that is not carried out is reported as such. */
  #change(app: Atom, what: Term): void {
    const where = this.#where(app);
    const started = this.#started.find((entry) => entry.app === app);
    if (isTagged(what, STARTED, 2)) this.#runsElsewhere(app, what.elements[1] as Atom);
    else if (what === NOT_RUNNING) {
      if (started !== undefined) this.#running = this.#running.filter((entry) => entry.app !== app);
    } else if (what === STOP_IT) this.#stopIt(app, where, started?.restart);
    else if (started === undefined) {
      if (!this.#starting.some((entry) => entry.app === app))
        this.#toController(app, tuple(AC_NOT_STARTED, app));
    } else if (where instanceof Pid || where === 'code') this.#toController(app, tuple(AC_RUN, app, OK));
    else if (what === START_IT) this.#doStart(app, UNDEFINED, NORMAL);
    else if (what instanceof Tuple) {
      const [kind, node, restart] = what.elements as readonly [Term, Term, Term];
      const phases = this.tables.loaded.get(app)?.phases;
      const type = kind === FAILOVER && phases === undefined ? NORMAL : tuple(kind, node);
      this.#doStart(app, restart, type);
    }
  }

  #runsElsewhere(app: Atom, node: Atom): void {
    const where = this.#where(app);
    this.#setRunning(app, { distributed: node });
    const restart = this.#started.find((entry) => entry.app === app)?.restart ?? TEMPORARY;
    if (where instanceof Pid || where === 'code') this.#stopHere(app, where, restart, () => {});
  }

  #stopIt(app: Atom, where: Where | undefined, restart: Atom | undefined): void {
    if (where === undefined || restart === undefined) {
      this.#toController(app, tuple(AC_NOT_RUN, app));
      return;
    }
    this.#setRunning(app, { distributed: [] });
    this.#stopHere(app, where, restart, () => this.#toController(app, tuple(AC_NOT_RUN, app)));
  }

  // --- stopping -----------------------------------------------------------------------------------------------

  #stop(app: Atom, from: From): void {
    const where = this.#where(app);
    const started = this.#started.find((entry) => entry.app === app);
    if (started === undefined && where === undefined) {
      reply(this.#self, from, tuple(ERROR, tuple(NOT_STARTED, app)));
      return;
    }
    this.#running = this.#running.filter((entry) => entry.app !== app);
    this.#started = this.#started.filter((entry) => entry !== started);
    this.#stopHere(app, where, started?.restart ?? TEMPORARY, () => {
      this.#toController(app, tuple(AC_STOPPED, app));
      reply(this.#self, from, OK);
    });
  }

  /** Stops what runs here; then `done`. */
  #stopHere(app: Atom, where: Where | undefined, restart: Atom, done: () => void): void {
    if (!(where instanceof Pid)) {
      if (where === 'code') this.#stoppedHere(app, restart);
      done();
      return;
    }
    const controller = this.#self;
    controller.unlink(where);
    this.#stopping.set(app, [
      () => {
        this.tables.masters.delete(app);
        this.#stoppedHere(app, restart);
        done();
      },
    ]);
    controller.spawnLink(async (stopper) => {
      await stopMaster(stopper, where);
      cast(stopper, controller.pid, tuple(APPLICATION_STOPPED, app));
    });
  }

  #stoppedHere(app: Atom, restart: Atom): void {
    this.#logExit(app, STOPPED, restart);
    this.#tell('stopped', app, STOPPED);
  }

  /** An application ended by itself. */
  #exited(pid: Pid, reason: Term): void {
    const entry = this.#running.find(({ where }) => where instanceof Pid && where.key === pid.key);
    if (entry === undefined) return;
    const { app } = entry;
    this.tables.masters.delete(app);
    this.#running = this.#running.filter((other) => other !== entry);
    this.#toController(app, tuple(AC_STOPPED, app));
    const restart = this.#started.find((other) => other.app === app)?.restart ?? TEMPORARY;
    this.#logExit(app, reason, restart);
    this.#tell('stopped', app, reason);
    if (restart === TEMPORARY || (restart === TRANSIENT && reason === NORMAL)) return;
    this.#fatal = tuple(APPLICATION_TERMINATED, app, reason);
  }

  // --- permissions --------------------------------------------------------------------------------------------

  #permit(app: Atom, bool: boolean, from: From): void {
    const answer = (result: Term): void => reply(this.#self, from, result);
    const where = this.#where(app);
    if (!this.tables.loaded.has(app)) {
      answer(bool && where !== undefined ? OK : tuple(ERROR, tuple(NOT_LOADED, app)));
      return;
    }
    this.#setPermission(app, bool);
    const starting = this.#starting.some((entry) => entry.app === app);
    const started = this.#started.find((entry) => entry.app === app);
    const refused = this.#startPFalse.find((entry) => entry.app === app);
    if (this.#control.has(app)) {
      answer(
        starting || started !== undefined
          ? DISTRIBUTED_APPLICATION
          : tuple(DISTRIBUTED_APPLICATION, ONLY_LOADED),
      );
    } else if (!bool) {
      this.#startPFalse = this.#startPFalse.filter((entry) => entry !== refused);
      this.#running = this.#running.filter((entry) => entry.app !== app);
      this.#stopHere(app, where, started?.restart ?? TEMPORARY, () => answer(OK));
    } else if (where !== undefined || starting || (refused === undefined && started === undefined))
      answer(OK);
    else {
      const restart = refused?.restart ?? started?.restart ?? TEMPORARY;
      this.#startPFalse = this.#startPFalse.filter((entry) => entry !== refused);
      this.#started = this.#started.filter((entry) => entry !== started);
      this.#begin({ app, restart, type: NORMAL, from });
      this.#spawnStarter(app, NORMAL);
    }
  }

  #permissionOf(app: Atom): boolean | undefined {
    return permissionIn(this.tables.getEnv(KERNEL, PERMISSIONS), app);
  }

  #setPermission(app: Atom, bool: boolean): void {
    const current = this.tables.getEnv(KERNEL, PERMISSIONS);
    const others = (Array.isArray(current) ? (current as readonly Term[]) : []).filter(
      (entry) => !(entry instanceof Tuple) || entry.elements[0] !== app,
    );
    this.tables.setEnv(KERNEL, PERMISSIONS, [...others, tuple(app, bool)]);
  }

  /** The permission of an application that dist_ac controls: true unless configured or set otherwise. */
  permission(app: Atom): boolean {
    return this.#permissionOf(app) ?? true;
  }

  // --- the tables ---------------------------------------------------------------------------------------------

  #where(app: Atom): Where | undefined {
    return this.#running.find((entry) => entry.app === app)?.where;
  }

  /** Keeps the place of an application that is listed already. */
  #setRunning(app: Atom, where: Where): void {
    const listed = this.#running.some((entry) => entry.app === app);
    this.#running = listed
      ? this.#running.map((entry) => (entry.app === app ? { app, where } : entry))
      : [{ app, where }, ...this.#running];
  }

  #setStarted(app: Atom, restart: Atom): void {
    const listed = this.#started.some((entry) => entry.app === app);
    this.#started = listed
      ? this.#started.map((entry) => (entry.app === app ? { app, restart } : entry))
      : [{ app, restart }, ...this.#started];
  }

  /** Tells dist_ac, if it controls the application. */
  #toController(app: Atom, message: Tuple): boolean {
    const controller = this.#control.get(app);
    if (controller === undefined || !controller.alive) return false;
    this.#self.send(controller.pid, message);
    return true;
  }

  /** `[{Name, Description, Vsn}]` of what runs here, latest first. */
  whichApplications(): Tuple[] {
    return this.runningHere().flatMap((app) => {
      const loaded = this.tables.loaded.get(app);
      return loaded === undefined ? [] : [summary(loaded)];
    });
  }

  /** `application:info/0`. */
  info(): Term {
    const starting = (entry: Starting): Tuple =>
      tuple(
        entry.app,
        entry.restart,
        entry.type,
        entry.from ? tuple(entry.from.pid, entry.from.tag) : UNDEFINED,
      );
    return [
      tuple(atom('loaded'), this.tables.loadedApplications()),
      tuple(
        atom('loading'),
        this.#loading.map(({ app, from }) => tuple(app, tuple(from.pid, from.tag))),
      ),
      tuple(
        STARTED,
        this.#started.map(({ app, restart }) => tuple(app, restart)),
      ),
      tuple(atom('start_p_false'), this.#startPFalse.map(starting)),
      tuple(
        RUNNING,
        this.#running.map(({ app, where }) => tuple(app, whereTerm(where))),
      ),
      tuple(atom('starting'), this.#starting.map(starting)),
    ];
  }

  // --- telling ------------------------------------------------------------------------------------------------

  #logExit(app: Atom, reason: Term, restart: Atom): void {
    const report = [
      tuple(atom('application'), app),
      tuple(atom('exited'), reason),
      tuple(atom('type'), restart),
    ];
    this.#log('notice', 'exit', `Application ${app.name} exited: ${format(reason, 2000)}`, report);
  }

  #log(level: 'info' | 'notice', label: string, text: string, report: readonly Term[]): void {
    const self = this.#self;
    self.system.log(
      level,
      text,
      {},
      {
        pid: self.pid,
        groupLeader: self.groupLeader,
        report: map([atom('label'), tuple(APPLICATION_CONTROLLER, atom(label))], [atom('report'), report]),
      },
    );
  }

  #tell(type: ApplicationEvent['type'], application: Atom, detail: Term): void {
    this.#options.onChange?.({ type, application, node: this.#self.node, detail });
  }
}

const WHICH_APPLICATIONS = atom('which_applications');
const IS_RUNNING = atom('is_running');

function whereTerm(where: Where): Term {
  if (where instanceof Pid) return where;
  if (where === 'code') return UNDEFINED;
  return tuple(DISTRIBUTED, where.distributed);
}

function nameOf(application: Term): Atom | undefined {
  if (application instanceof Atom) return application;
  return isTagged(application, atom('application'), 3) && application.elements[1] instanceof Atom
    ? application.elements[1]
    : undefined;
}

/** What OTP says when there is no `.app` file of that name. */
function noSuchFile(app: Atom): Term {
  const charlist = (text: string): Term => Array.from(text, (c) => c.codePointAt(0) as number);
  return tuple(charlist('no such file or directory'), charlist(`${app.name}.app`));
}

function isRestartType(type: Term): type is Atom {
  return type === PERMANENT || type === TRANSIENT || type === TEMPORARY;
}

/** The start function ended with `normal`: no reason to end the node of a transient application. */
function isNormalExit(reason: Term): boolean {
  if (!(reason instanceof Tuple)) return false;
  const [exit] = reason.elements;
  return isTagged(exit, EXIT, 2) && exit.elements[1] === NORMAL;
}

/** The permission of an application in a list `[{App, Bool}]`. */
export function permissionIn(permissions: Term | undefined, app: Atom): boolean | undefined {
  if (!Array.isArray(permissions)) return undefined;
  for (const entry of permissions as readonly Term[]) {
    if (!(entry instanceof Tuple) || entry.elements[0] !== app) continue;
    const value = entry.elements[1];
    if (typeof value === 'boolean') return value;
  }
  return undefined;
}
