// What the application controller knows: which application is loaded, started, running where, or on its way there
// (OTP: the record `state` of application_controller.erl).
import type { Process } from '../erts/process.js';
import type { From } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { map } from '../terms/map.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { Application } from './application.js';
import { summary } from './application_spec.js';
import { ApplicationTables } from './application_tables.js';

/** The registered name of the application controller. */
export const APPLICATION_CONTROLLER: Atom = atom('application_controller');

const UNDEFINED = atom('undefined');
const DISTRIBUTED = atom('distributed');
const STARTED = atom('started');
const RUNNING = atom('running');

/** Where it runs: its master here, nothing for a library, or `{distributed, Node}` (`[]`: it may run nowhere). */
export type Where = Pid | 'code' | { readonly distributed: Atom | readonly [] };

/** A start that is asked for or under way. */
export interface PendingStart {
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

export class ControllerState {
  readonly tables: ApplicationTables = new ApplicationTables();
  readonly options: ControllerOptions;
  /** The process `application_controller`, from its `init` on. */
  self!: Process;
  /** Running here or elsewhere, latest first. */
  running: readonly { readonly app: Atom; readonly where: Where }[] = [];
  /** Started with that restart type, whether running or not. */
  started: readonly { readonly app: Atom; readonly restart: Atom }[] = [];
  starting: readonly PendingStart[] = [];
  loading: readonly { readonly app: Atom; readonly from: From }[] = [];
  /** Start requested while the application may not run. */
  startPFalse: readonly PendingStart[] = [];
  /** Everybody who waits for a start. */
  startReq: readonly { readonly app: Atom; readonly from: From | undefined }[] = [];
  /** Applications that dist_ac controls. */
  readonly control: Map<Atom, Process> = new Map();
  /** What waits until the application has been stopped. */
  readonly stopping: Map<Atom, (() => void)[]> = new Map();
  /** The reason to end the node. */
  fatal: Term | undefined;

  constructor(options: ControllerOptions) {
    this.options = options;
  }

  /** Where it is listed as running. */
  where(app: Atom): Where | undefined {
    return this.running.find((entry) => entry.app === app)?.where;
  }

  /** Whether it was started here, running or not. */
  isStarted(app: Atom): boolean {
    return this.started.some((entry) => entry.app === app);
  }

  /** The restart type with which it was started here. */
  restartOf(app: Atom): Atom | undefined {
    return this.started.find((entry) => entry.app === app)?.restart;
  }

  /** Whether it runs here. */
  runsHere(app: Atom): boolean {
    const where = this.where(app);
    return where instanceof Pid || where === 'code';
  }

  /** Applications that run here, latest first. */
  runningHere(): Atom[] {
    return this.running.map(({ app }) => app).filter((app) => this.runsHere(app));
  }

  /** Keeps the place of an application that is listed already. */
  setRunning(app: Atom, where: Where): void {
    const listed = this.running.some((entry) => entry.app === app);
    this.running = listed
      ? this.running.map((entry) => (entry.app === app ? { app, where } : entry))
      : [{ app, where }, ...this.running];
  }

  setStarted(app: Atom, restart: Atom): void {
    const listed = this.started.some((entry) => entry.app === app);
    this.started = listed
      ? this.started.map((entry) => (entry.app === app ? { app, restart } : entry))
      : [{ app, restart }, ...this.started];
  }

  /** Does it now, or when the stop that is under way is done. */
  unlessStopping(app: Atom, what: () => void): void {
    const waiting = this.stopping.get(app);
    if (waiting === undefined) what();
    else waiting.push(what);
  }

  /** It has been stopped: what waited for that goes on. */
  stopped(app: Atom): void {
    const waiting = this.stopping.get(app) ?? [];
    this.stopping.delete(app);
    for (const next of waiting) next();
  }

  /** Tells dist_ac, if it controls the application. */
  toController(app: Atom, message: Tuple): boolean {
    const controller = this.control.get(app);
    if (controller === undefined || !controller.alive) return false;
    this.self.send(controller.pid, message);
    return true;
  }

  // --- what others see of it ------------------------------------------------------------------------------------

  /** `[{Name, Description, Vsn}]` of what runs here, latest first. */
  whichApplications(): Tuple[] {
    return this.runningHere().flatMap((app) => {
      const loaded = this.tables.loaded.get(app);
      return loaded === undefined ? [] : [summary(loaded)];
    });
  }

  /** `application:info/0`. */
  info(): Term {
    const starting = (entry: PendingStart): Tuple =>
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
        this.loading.map(({ app, from }) => tuple(app, tuple(from.pid, from.tag))),
      ),
      tuple(
        STARTED,
        this.started.map(({ app, restart }) => tuple(app, restart)),
      ),
      tuple(atom('start_p_false'), this.startPFalse.map(starting)),
      tuple(
        RUNNING,
        this.running.map(({ app, where }) => tuple(app, whereTerm(where))),
      ),
      tuple(atom('starting'), this.starting.map(starting)),
    ];
  }

  // --- telling ------------------------------------------------------------------------------------------------

  /** The report `exit` of OTP. */
  logExit(app: Atom, reason: Term, restart: Atom): void {
    const report = [
      tuple(atom('application'), app),
      tuple(atom('exited'), reason),
      tuple(atom('type'), restart),
    ];
    this.log('notice', 'exit', `Application ${app.name} exited: ${format(reason, 2000)}`, report);
  }

  log(level: 'info' | 'notice', label: string, text: string, report: readonly Term[]): void {
    const self = this.self;
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

  /** Tells whoever asked for it with `onChange`. */
  tell(type: ApplicationEvent['type'], application: Atom, detail: Term): void {
    this.options.onChange?.({ type, application, node: this.self.node, detail });
  }
}

function whereTerm(where: Where): Term {
  if (where instanceof Pid) return where;
  if (where === 'code') return UNDEFINED;
  return tuple(DISTRIBUTED, where.distributed);
}
