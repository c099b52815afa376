// Stopping applications: on request, with the node, and those that end by themselves.
import type { Process } from '../erts/process.js';
import { cast, type From, reply } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import { stopMaster } from './application_master.js';
import type { ControllerState, Where } from './application_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const NORMAL = atom('normal');
const SHUTDOWN = atom('shutdown');
const KILL = atom('kill');
const DOWN = atom('DOWN');
const STOPPED = atom('stopped');
const TRANSIENT = atom('transient');
const TEMPORARY = atom('temporary');
const NOT_STARTED = atom('not_started');
const APPLICATION_STOPPED = atom('application_stopped');
const APPLICATION_TERMINATED = atom('application_terminated');
const AC_STOPPED = atom('ac_application_stopped');

export class Stopping {
  readonly #state: ControllerState;

  constructor(state: ControllerState) {
    this.#state = state;
  }

  /** Asked for: it is no longer started here, and dist_ac is told when it has stopped. */
  stop(app: Atom, from: From): void {
    const where = this.#state.where(app);
    const started = this.#state.started.find((entry) => entry.app === app);
    if (started === undefined && where === undefined) {
      reply(this.#state.self, from, tuple(ERROR, tuple(NOT_STARTED, app)));
      return;
    }
    this.#state.running = this.#state.running.filter((entry) => entry.app !== app);
    this.#state.started = this.#state.started.filter((entry) => entry !== started);
    this.stopHere(app, where, started?.restart ?? TEMPORARY, () => {
      this.#state.toController(app, tuple(AC_STOPPED, app));
      reply(this.#state.self, from, OK);
    });
  }

  /** Stops what runs here; then `done`. */
  stopHere(app: Atom, where: Where | undefined, restart: Atom, done: () => void): void {
    if (!(where instanceof Pid)) {
      if (where === 'code') this.#stoppedHere(app, restart);
      done();
      return;
    }
    const controller = this.#state.self;
    controller.unlink(where);
    this.#state.stopping.set(app, [
      () => {
        this.#state.tables.masters.delete(app);
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
    this.#state.logExit(app, STOPPED, restart);
    this.#state.tell('stopped', app, STOPPED);
  }

  /** An application ended by itself. */
  exited(pid: Pid, reason: Term): void {
    const entry = this.#state.running.find(({ where }) => where instanceof Pid && where.key === pid.key);
    if (entry === undefined) return;
    const { app } = entry;
    this.#state.tables.masters.delete(app);
    this.#state.running = this.#state.running.filter((other) => other !== entry);
    this.#state.toController(app, tuple(AC_STOPPED, app));
    const restart = this.#state.restartOf(app) ?? TEMPORARY;
    this.#state.logExit(app, reason, restart);
    this.#state.tell('stopped', app, reason);
    if (restart === TEMPORARY || (restart === TRANSIENT && reason === NORMAL)) return;
    this.#state.fatal = tuple(APPLICATION_TERMINATED, app, reason);
  }

  /** The node ends: every application is stopped, the latest first, and dist_ac is told nothing. */
  async stopAll(self: Process): Promise<void> {
    for (const { where } of this.#state.running) if (where instanceof Pid) await this.#shutDown(self, where);
  }

  async #shutDown(self: Process, master: Pid): Promise<void> {
    const ref = self.monitor(master);
    self.unlink(master);
    self.exitSignal(master, SHUTDOWN);
    const down = (message: Term): true | undefined =>
      isTagged(message, DOWN, 5) && (message.elements[1] as { key: string }).key === ref.key
        ? true
        : undefined;
    if ((await self.receive(down, this.#state.options.shutdownTimeoutMs)) !== undefined) return;
    self.exitSignal(master, KILL);
    await self.receive(down);
  }
}
