// What dist_ac says of an application that it controls: the answer to a start, and changes nobody here asked for.
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { Starting } from './application_starting.js';
import type { ControllerState, Where } from './application_state.js';
import type { Stopping } from './application_stopping.js';

const OK = atom('ok');
const ERROR = atom('error');
const UNDEFINED = atom('undefined');
const NORMAL = atom('normal');
const TEMPORARY = atom('temporary');
const PERMANENT = atom('permanent');
const DISTRIBUTED = atom('distributed');
const TAKEOVER = atom('takeover');
const FAILOVER = atom('failover');
const START_IT = atom('start_it');
const STOP_IT = atom('stop_it');
const NOT_RUNNING = atom('not_running');
const NOT_STARTED = atom('not_started');
const STARTED = atom('started');
const AC_RUN = atom('ac_application_run');
const AC_NOT_RUN = atom('ac_application_not_run');
const AC_NOT_STARTED = atom('ac_application_not_started');

export class Orders {
  readonly #state: ControllerState;
  readonly #starting: Starting;
  readonly #stopping: Stopping;

  constructor(state: ControllerState, starting: Starting, stopping: Stopping) {
    this.#state = state;
    this.#starting = starting;
    this.#stopping = stopping;
  }

  /** The answer to a start that somebody here asked for. */
  startReply(app: Atom, what: Term): void {
    const starting = this.#state.starting.find((entry) => entry.app === app);
    if (starting === undefined) return;
    if (what === START_IT) this.#starting.spawnStarter(app, starting.type);
    else if (isTagged(what, STARTED, 2)) {
      this.#starting.applicationStarted(app, tuple(OK, tuple(DISTRIBUTED, what.elements[1] as Term)));
    } else if (isTagged(what, TAKEOVER, 2)) {
      const others = this.#state.starting.filter((entry) => entry !== starting);
      this.#state.starting = [{ ...starting, type: what }, ...others];
      this.#starting.spawnStarter(app, what);
    } else if (what === NOT_STARTED) {
      this.#state.starting = this.#state.starting.filter((entry) => entry !== starting);
      this.#state.setStarted(app, starting.restart);
      this.#starting.answerStarters(app, OK);
    } else if (isTagged(what, ERROR, 2)) {
      this.#state.starting = this.#state.starting.filter((entry) => entry !== starting);
      this.#starting.answerStarters(app, what);
      if (starting.restart === PERMANENT) this.#state.fatal = what.elements[1] as Term;
    }
  }

  /** A request that nobody here asked for. One that is not carried out is reported as such. */
  change(app: Atom, what: Term): void {
    const where = this.#state.where(app);
    const started = this.#state.started.find((entry) => entry.app === app);
    if (isTagged(what, STARTED, 2)) this.#runsElsewhere(app, what.elements[1] as Atom);
    else if (what === NOT_RUNNING) {
      if (started !== undefined)
        this.#state.running = this.#state.running.filter((entry) => entry.app !== app);
    } else if (what === STOP_IT) this.#stopIt(app, where, started?.restart);
    else if (started === undefined) {
      if (!this.#state.starting.some((entry) => entry.app === app))
        this.#state.toController(app, tuple(AC_NOT_STARTED, app));
    } else if (where instanceof Pid || where === 'code')
      this.#state.toController(app, tuple(AC_RUN, app, OK));
    else if (what === START_IT) this.#starting.doStart(app, UNDEFINED, NORMAL);
    else if (what instanceof Tuple) {
      const [kind, node, restart] = what.elements as readonly [Term, Term, Term];
      const phases = this.#state.tables.loaded.get(app)?.phases;
      const type = kind === FAILOVER && phases === undefined ? NORMAL : tuple(kind, node);
      this.#starting.doStart(app, restart, type);
    }
  }

  #runsElsewhere(app: Atom, node: Atom): void {
    const where = this.#state.where(app);
    this.#state.setRunning(app, { distributed: node });
    const restart = this.#state.restartOf(app) ?? TEMPORARY;
    if (where instanceof Pid || where === 'code') this.#stopping.stopHere(app, where, restart, () => {});
  }

  #stopIt(app: Atom, where: Where | undefined, restart: Atom | undefined): void {
    if (where === undefined || restart === undefined) {
      this.#state.toController(app, tuple(AC_NOT_RUN, app));
      return;
    }
    this.#state.setRunning(app, { distributed: [] });
    this.#stopping.stopHere(app, where, restart, () => this.#state.toController(app, tuple(AC_NOT_RUN, app)));
  }
}
