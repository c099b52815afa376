// Starting applications: each in a process of its own, beside the controller, which is told how it went.
import type { Process } from '../erts/process.js';
import { cast, type From, reply } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { startMaster } from './application_master.js';
import { permissionOf } from './application_permission.js';
import type { Loaded } from './application_spec.js';
import type { ControllerState, PendingStart } from './application_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const INFO = atom('info');
const UNDEFINED = atom('undefined');
const NORMAL = atom('normal');
const EXIT = atom('EXIT');
const TRANSIENT = atom('transient');
const TEMPORARY = atom('temporary');
const PERMANENT = atom('permanent');
const DISTRIBUTED = atom('distributed');
const NOT_RUNNING = atom('not_running');
const NOT_STARTED = atom('not_started');
const NOT_LOADED = atom('not_loaded');
const ALREADY_STARTED = atom('already_started');
const INVALID_RESTART_TYPE = atom('invalid_restart_type');
const APPLICATION_STARTED = atom('application_started');
const APPLICATION_START_FAILURE = atom('application_start_failure');
const AC_START = atom('ac_start_application_req');
const AC_RUN = atom('ac_application_run');

export class Starting {
  readonly #state: ControllerState;

  constructor(state: ControllerState) {
    this.#state = state;
  }

  /** Asked for. What dist_ac controls waits for its word; what may not run, for permission. */
  start(app: Atom, restart: Term, from: From): void {
    if (this.#state.startReq.some((entry) => entry.app === app)) {
      this.#state.startReq = [{ app, from }, ...this.#state.startReq];
      return;
    }
    const reason = this.#startRefused(app, restart);
    if (reason !== undefined) {
      reply(this.#state.self, from, tuple(ERROR, reason));
      return;
    }
    const starting = { app, restart: restart as Atom, type: NORMAL, from };
    if (this.#state.toController(app, tuple(AC_START, app))) this.begin(starting);
    else if (permissionOf(this.#state.tables, app) === false) {
      this.#state.startPFalse = [starting, ...this.#state.startPFalse];
      reply(this.#state.self, from, OK);
    } else {
      this.begin(starting);
      this.spawnStarter(app, NORMAL);
    }
  }

  /** From now on it is starting, and whoever asks for it waits with the first. */
  begin(starting: PendingStart): void {
    this.#state.starting = [starting, ...this.#state.starting];
    this.#state.startReq = [{ app: starting.app, from: starting.from }, ...this.#state.startReq];
  }

  #startRefused(app: Atom, restart: Term): Term | undefined {
    if (!isRestartType(restart)) return tuple(INVALID_RESTART_TYPE, restart);
    const loaded = this.#state.tables.loaded.get(app);
    if (loaded === undefined) return tuple(NOT_LOADED, app);
    if (this.#state.where(app) !== undefined) return tuple(ALREADY_STARTED, app);
    const missing = loaded.applications.find(
      (name) => !this.#state.isStarted(name) && !loaded.optional.includes(name),
    );
    return missing && tuple(NOT_STARTED, missing);
  }

  /** Starts it in a process of its own, which tells us the result. */
  spawnStarter(app: Atom, type: Term): void {
    const loaded = this.#state.tables.loaded.get(app);
    if (loaded === undefined) return;
    const controller = this.#state.self;
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
      (name) => this.#state.where(name) === undefined && !loaded.optional.includes(name),
    );
    if (missing !== undefined) return tuple(INFO, tuple(NOT_RUNNING, missing));
    const find = (name: Atom): Loaded | undefined => this.#state.tables.loaded.get(name);
    const started = (master: Pid): void => {
      this.#state.tables.masters.set(loaded.name, master);
    };
    const result = await startMaster(starter, this.#state.self.pid, loaded, type, find, started);
    if ('ok' in result) return tuple(OK, result.ok);
    this.#state.tables.masters.delete(loaded.name);
    return tuple(ERROR, 'error' in result ? result.error : atom('ignore'));
  }

  /** A start that dist_ac ordered, unless one is under way. */
  doStart(app: Atom, restart: Term, type: Term): void {
    if (this.#state.startReq.some((entry) => entry.app === app)) return;
    const known = this.#state.restartOf(app);
    const starting = {
      app,
      restart: isRestartType(restart) ? restart : (known ?? TEMPORARY),
      type,
      from: undefined,
    };
    this.#state.starting = [starting, ...this.#state.starting.filter((entry) => entry.app !== app)];
    this.#state.startReq = [{ app, from: undefined }, ...this.#state.startReq];
    this.spawnStarter(app, type);
  }

  /** A start has come to its end, here or on another node. */
  applicationStarted(app: Atom, result: Term): void {
    const starting = this.#state.starting.find((entry) => entry.app === app);
    if (starting === undefined || !(result instanceof Tuple)) return;
    const [how, value] = result.elements as readonly [Atom, Term];
    this.#state.starting = this.#state.starting.filter((entry) => entry.app !== app);
    if (how === OK) {
      const where = isTagged(value, DISTRIBUTED, 2)
        ? { distributed: value.elements[1] as Atom }
        : value instanceof Pid
          ? value
          : 'code';
      this.#state.setRunning(app, where);
      this.#state.setStarted(app, starting.restart);
      if (where instanceof Pid || where === 'code') {
        this.#startedHere(app, starting.type);
        this.#state.toController(app, tuple(AC_RUN, app, OK));
      }
      this.answerStarters(app, OK);
      return;
    }
    this.#startFailed(app, starting.restart, how, value);
  }

  #startedHere(app: Atom, type: Term): void {
    const report = [tuple(atom('application'), app), tuple(atom('started_at'), this.#state.self.node)];
    this.#state.log(
      'info',
      'progress',
      `Application ${app.name} started at ${this.#state.self.node.name}`,
      report,
    );
    this.#state.tell('started', app, type);
  }

  #startFailed(app: Atom, restart: Atom, how: Atom, reason: Term): void {
    this.#state.toController(app, tuple(AC_RUN, app, tuple(ERROR, reason)));
    if (how === ERROR) this.#state.logExit(app, reason, restart);
    this.answerStarters(app, tuple(how, reason));
    if (restart === TEMPORARY || (restart === TRANSIENT && isNormalExit(reason))) return;
    this.#state.fatal = tuple(APPLICATION_START_FAILURE, app, reason);
  }

  /** Answers everybody who waits for that start. */
  answerStarters(app: Atom, result: Term): void {
    const answer = isTagged(result, INFO, 2) ? tuple(ERROR, result.elements[1] as Term) : result;
    for (const { app: other, from } of this.#state.startReq) {
      if (other === app && from !== undefined) reply(this.#state.self, from, answer);
    }
    this.#state.startReq = this.#state.startReq.filter((entry) => entry.app !== app);
  }
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
