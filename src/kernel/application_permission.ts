// Whether an application may run on this node (OTP: application:permit/2 and the parameter `permissions` of kernel).
import { type From, reply } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import type { Starting } from './application_starting.js';
import type { ControllerState } from './application_state.js';
import type { Stopping } from './application_stopping.js';
import type { ApplicationTables } from './application_tables.js';

const OK = atom('ok');
const ERROR = atom('error');
const NORMAL = atom('normal');
const KERNEL = atom('kernel');
const PERMISSIONS = atom('permissions');
const TEMPORARY = atom('temporary');
const NOT_LOADED = atom('not_loaded');
const DISTRIBUTED_APPLICATION = atom('distributed_application');
const ONLY_LOADED = atom('only_loaded');

export class Permissions {
  readonly #state: ControllerState;
  readonly #starting: Starting;
  readonly #stopping: Stopping;

  constructor(state: ControllerState, starting: Starting, stopping: Stopping) {
    this.#state = state;
    this.#starting = starting;
    this.#stopping = stopping;
  }

  /** What dist_ac controls is decided there: it is told so by the answer. */
  permit(app: Atom, bool: boolean, from: From): void {
    const answer = (result: Term): void => reply(this.#state.self, from, result);
    const where = this.#state.where(app);
    if (!this.#state.tables.loaded.has(app)) {
      answer(bool && where !== undefined ? OK : tuple(ERROR, tuple(NOT_LOADED, app)));
      return;
    }
    this.#setPermission(app, bool);
    const starting = this.#state.starting.some((entry) => entry.app === app);
    const started = this.#state.started.find((entry) => entry.app === app);
    const refused = this.#state.startPFalse.find((entry) => entry.app === app);
    if (this.#state.control.has(app)) {
      answer(
        starting || started !== undefined
          ? DISTRIBUTED_APPLICATION
          : tuple(DISTRIBUTED_APPLICATION, ONLY_LOADED),
      );
    } else if (!bool) {
      this.#state.startPFalse = this.#state.startPFalse.filter((entry) => entry !== refused);
      this.#state.running = this.#state.running.filter((entry) => entry.app !== app);
      this.#stopping.stopHere(app, where, started?.restart ?? TEMPORARY, () => answer(OK));
    } else if (where !== undefined || starting || (refused === undefined && started === undefined))
      answer(OK);
    else {
      const restart = refused?.restart ?? started?.restart ?? TEMPORARY;
      this.#state.startPFalse = this.#state.startPFalse.filter((entry) => entry !== refused);
      this.#state.started = this.#state.started.filter((entry) => entry !== started);
      this.#starting.begin({ app, restart, type: NORMAL, from });
      this.#starting.spawnStarter(app, NORMAL);
    }
  }

  #setPermission(app: Atom, bool: boolean): void {
    const current = this.#state.tables.getEnv(KERNEL, PERMISSIONS);
    const others = (Array.isArray(current) ? (current as readonly Term[]) : []).filter(
      (entry) => !(entry instanceof Tuple) || entry.elements[0] !== app,
    );
    this.#state.tables.setEnv(KERNEL, PERMISSIONS, [...others, tuple(app, bool)]);
  }
}

/** The permission of an application as configured, or as set since. */
export function permissionOf(tables: ApplicationTables, app: Atom): boolean | undefined {
  return permissionIn(tables.getEnv(KERNEL, PERMISSIONS), app);
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
