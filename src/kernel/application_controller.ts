// Starts and stops the applications of this node and knows which run where (OTP: application_controller.erl).
//
// Local applications are started at once. One that dist_ac controls is started when dist_ac says so: the request
// goes there as `{ac_…, App}` and comes back as `{ac_start_application_reply, App, What}`, or later as
// `{ac_change_application_req, App, What}` that nobody here asked for. Starting and stopping run beside this process,
// which goes on answering; what concerns an application that is being stopped waits until that is done.
//
// This file is the process and who may ask it what. What it knows is in application_state; what it does, by kind, in
// application_loading, application_starting, application_stopping, application_permission, and application_orders
// for what dist_ac says.
import type { Process } from '../erts/process.js';
import { type From, reply } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { Application } from './application.js';
import { changedEnvironment } from './application_env.js';
import { Loading } from './application_loading.js';
import { Orders } from './application_orders.js';
import { Permissions, permissionOf } from './application_permission.js';
import { fromSpec } from './application_spec.js';
import { Starting } from './application_starting.js';
import { APPLICATION_CONTROLLER, type ControllerOptions, ControllerState } from './application_state.js';
import { Stopping } from './application_stopping.js';
import type { ApplicationTables } from './application_tables.js';

export { permissionIn } from './application_permission.js';
export {
  APPLICATION_CONTROLLER,
  type ApplicationEvent,
  type ControllerOptions,
} from './application_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const NOT_ALLOWED = atom('not_allowed');
const INFO = atom('info');
const SHUTDOWN = atom('shutdown');
const EXIT = atom('EXIT');
const LOCAL = atom('local');
const PERMANENT = atom('permanent');
const WHICH_APPLICATIONS = atom('which_applications');
const IS_RUNNING = atom('is_running');
const APPLICATION_STARTED = atom('application_started');
const APPLICATION_STOPPED = atom('application_stopped');
const AC_LOAD_REPLY = atom('ac_load_application_reply');
const AC_START_REPLY = atom('ac_start_application_reply');
const AC_CHANGE_REQ = atom('ac_change_application_req');

export class ApplicationController implements GenServer<null> {
  readonly module: Atom = APPLICATION_CONTROLLER;
  readonly #state: ControllerState;
  readonly #loading: Loading;
  readonly #starting: Starting;
  readonly #stopping: Stopping;
  readonly #permissions: Permissions;
  readonly #orders: Orders;

  constructor(options: ControllerOptions = {}) {
    const state = new ControllerState(options);
    this.#state = state;
    this.#loading = new Loading(state);
    this.#starting = new Starting(state);
    this.#stopping = new Stopping(state);
    this.#permissions = new Permissions(state, this.#starting, this.#stopping);
    this.#orders = new Orders(state, this.#starting, this.#stopping);
  }

  /** Starts the process of that name. Its end with `{shutdown, Reason}` is the end of the node for that reason. */
  startLink(parent: Process): Promise<StartResult> {
    return startLink(parent, this, [], { name: APPLICATION_CONTROLLER });
  }

  // --- for this node's own services, at once -------------------------------------------------------------------

  get tables(): ApplicationTables {
    return this.#state.tables;
  }

  /** Makes an application loadable by its name, as a file `NAME.app` in the code path would. */
  add(application: Application): void {
    this.#loading.add(application);
  }

  /** Whether that application can be loaded, or is. */
  knows(app: Atom): boolean {
    return this.#loading.known(app) !== undefined || this.tables.loaded.has(app);
  }

  /** The applications that one which can be loaded includes. */
  includedIn(app: Atom): Atom[] {
    return (this.#loading.known(app)?.spec.includedApplications ?? []).map((name) => atom(name));
  }

  /** From now on dist_ac decides about that application. */
  takeControl(app: Atom, controller: Process): void {
    const { control } = this.#state;
    if (!control.has(app)) control.set(app, controller);
  }

  /** Whether it was started here, running or not. */
  isStarted(app: Atom): boolean {
    return this.#state.isStarted(app);
  }

  /** Whether it is listed as running, here or elsewhere. */
  isListed(app: Atom): boolean {
    return this.#state.where(app) !== undefined;
  }

  /** Whether it runs here. */
  runsHere(app: Atom): boolean {
    return this.#state.runsHere(app);
  }

  /** Applications that run here, latest first. */
  runningHere(): Atom[] {
    return this.#state.runningHere();
  }

  /** The permission of an application that dist_ac controls: true unless configured or set otherwise. */
  permission(app: Atom): boolean {
    return permissionOf(this.tables, app) ?? true;
  }

  /** `[{Name, Description, Vsn}]` of what runs here, latest first. */
  whichApplications(): Tuple[] {
    return this.#state.whichApplications();
  }

  /** `application:info/0`. */
  info(): Term {
    return this.#state.info();
  }

  // --- gen_server ---------------------------------------------------------------------------------------------

  init(self: Process): { state: null } {
    const state = this.#state;
    state.self = self;
    self.trapExit = true;
    for (const application of state.options.running ?? []) {
      const loaded = fromSpec(application);
      this.#loading.insert(loaded);
      state.running = [{ app: loaded.name, where: 'code' }, ...state.running];
      state.started = [{ app: loaded.name, restart: PERMANENT }, ...state.started];
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
    if (tag === IS_RUNNING && app instanceof Atom) return { state: null, reply: this.isListed(app) };
    // whatever changes something is for this node's own processes
    if (from.pid.node !== this.#state.self.node) return { state: null, reply: tuple(ERROR, NOT_ALLOWED) };
    if (tag instanceof Atom && app !== undefined) {
      this.#request(tag.name, app, a, b, from);
    }
    return this.#step();
  }

  handleCast(message: Term): Step<null> {
    if (isTagged(message, APPLICATION_STARTED, 3)) {
      const [, app, result] = message.elements as readonly [Term, Atom, Term];
      this.#starting.applicationStarted(app, result);
    } else if (isTagged(message, APPLICATION_STOPPED, 2)) {
      this.#state.stopped(message.elements[1] as Atom);
    }
    return this.#step();
  }

  handleInfo(message: Term): Step<null> {
    if (!(message instanceof Tuple)) return this.#step();
    const [tag, app, what] = message.elements;
    if (tag === EXIT && app instanceof Pid) this.#stopping.exited(app, what as Term);
    else if (app instanceof Atom && what !== undefined) {
      this.#state.unlessStopping(app, () => {
        if (tag === AC_LOAD_REPLY) this.#loading.loadReply(app, what);
        else if (tag === AC_START_REPLY) this.#orders.startReply(app, what);
        else if (tag === AC_CHANGE_REQ) this.#orders.change(app, what);
      });
    }
    return this.#step();
  }

  /** The node ends. */
  terminate(_reason: Term, _state: null, self: Process): Promise<void> {
    return this.#stopping.stopAll(self);
  }

  #step(): Step<null> {
    const { fatal } = this.#state;
    // told by the node in one line: no crash report of this process beside it
    return fatal === undefined ? { state: null } : { state: null, stop: tuple(SHUTDOWN, fatal) };
  }

  // --- requests -----------------------------------------------------------------------------------------------

  #request(what: string, subject: Term, a: Term | undefined, b: Term | undefined, from: From): void {
    const state = this.#state;
    const answer = (result: Term): void => reply(state.self, from, result);
    const app = subject instanceof Atom ? subject : undefined;
    switch (what) {
      case 'load_application':
        this.#loading.load(subject, from);
        return;
      case 'unload_application':
        if (app !== undefined) state.unlessStopping(app, () => answer(this.#loading.unload(app)));
        return;
      case 'start_application':
        if (app !== undefined) state.unlessStopping(app, () => this.#starting.start(app, a as Term, from));
        return;
      case 'stop_application':
        if (app !== undefined) state.unlessStopping(app, () => this.#stopping.stop(app, from));
        return;
      case 'permit_application':
        if (app !== undefined)
          state.unlessStopping(app, () => this.#permissions.permit(app, a === true, from));
        return;
      case 'start_type':
        answer(state.starting.find((entry) => entry.app === app)?.type ?? LOCAL);
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
}
