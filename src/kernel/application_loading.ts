// Loading and unloading applications: from what the user has given, by name, or from a specification a caller sends;
// the included applications come along.
import { type From, reply } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import type { Application } from './application.js';
import { fromSpec, fromTerm, type Loaded, type Made } from './application_spec.js';
import type { ControllerState } from './application_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const NOT_LOADED = atom('not_loaded');
const RUNNING = atom('running');
const ALREADY_LOADED = atom('already_loaded');
const AC_LOAD = atom('ac_load_application_req');
const AC_UNLOADED = atom('ac_application_unloaded');

export class Loading {
  readonly #state: ControllerState;
  /** Applications that can be loaded by name. */
  readonly #known = new Map<Atom, Application>();

  constructor(state: ControllerState) {
    this.#state = state;
  }

  /** Makes an application loadable by its name, as a file `NAME.app` in the code path would. */
  add(application: Application): void {
    this.#known.set(atom(application.spec.name), application);
  }

  /** An application that can be loaded by name. */
  known(app: Atom): Application | undefined {
    return this.#known.get(app);
  }

  /** Loads by name or by specification; if dist_ac controls it, the caller waits for its answer. */
  load(application: Term, from: From): void {
    const answer = (result: Term): void => reply(this.#state.self, from, result);
    const app = nameOf(application);
    if (app === undefined) {
      answer(tuple(ERROR, tuple(atom('bad_application'), application)));
    } else if (this.#state.tables.loaded.has(app)) answer(tuple(ERROR, tuple(ALREADY_LOADED, application)));
    else {
      const made = this.#make(application);
      const reason = 'error' in made ? made.error : this.#insertWithIncluded(made.ok);
      if (reason !== undefined) answer(tuple(ERROR, reason));
      else if (this.#state.toController(app, tuple(AC_LOAD, app))) {
        this.#state.loading = [{ app, from }, ...this.#state.loading];
      } else answer(OK);
    }
  }

  #make(application: Term): Made {
    const find = (module: Atom): Application | undefined =>
      [...this.#known.values()].find((known) => (known.spec.module ?? known.spec.name) === module.name);
    if (!(application instanceof Atom)) return fromTerm(application, find);
    const known = this.#known.get(application);
    return known === undefined ? { error: noSuchFile(application) } : madeFrom(known);
  }

  #insertWithIncluded(loaded: Loaded): Term | undefined {
    this.insert(loaded);
    for (const name of loaded.included) {
      if (this.#state.tables.loaded.has(name)) continue;
      const made = this.#make(name);
      const reason = 'error' in made ? made.error : this.#insertWithIncluded(made.ok);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** Enters it in the tables, with its configured environment. */
  insert(loaded: Loaded): void {
    const configured = this.#state.options.environment?.(loaded.name) ?? [];
    this.#state.tables.loaded.set(loaded.name, loaded);
    this.#state.tables.env.set(loaded.name, new Map([...loaded.env, ...configured]));
  }

  /** The answer of dist_ac. */
  loadReply(app: Atom, result: Term): void {
    const waiting = this.#state.loading.find((entry) => entry.app === app);
    if (waiting === undefined) return;
    this.#state.loading = this.#state.loading.filter((entry) => entry !== waiting);
    if (result !== OK) this.#forget(app);
    reply(this.#state.self, waiting.from, result);
  }

  /** What runs, here or elsewhere, is not unloaded. */
  unload(app: Atom): Term {
    if (this.#state.where(app) !== undefined) return tuple(ERROR, tuple(RUNNING, app));
    if (!this.#state.tables.loaded.has(app)) return tuple(ERROR, tuple(NOT_LOADED, app));
    this.#forget(app);
    this.#state.toController(app, tuple(AC_UNLOADED, app));
    return OK;
  }

  #forget(app: Atom): void {
    const loaded = this.#state.tables.loaded.get(app);
    this.#state.tables.loaded.delete(app);
    this.#state.tables.env.delete(app);
    for (const included of loaded?.included ?? []) this.#forget(included);
  }
}

function nameOf(application: Term): Atom | undefined {
  if (application instanceof Atom) return application;
  return isTagged(application, atom('application'), 3) && application.elements[1] instanceof Atom
    ? application.elements[1]
    : undefined;
}

/** A specification that comes from JavaScript may be anything. */
function madeFrom(application: Application): Made {
  try {
    return { ok: fromSpec(application) };
  } catch (error) {
    return { error: tuple(atom('bad_application'), atom(String(error).slice(0, 200))) };
  }
}

/** What OTP says when there is no `.app` file of that name. */
function noSuchFile(app: Atom): Term {
  const charlist = (text: string): Term => Array.from(text, (c) => c.codePointAt(0) as number);
  return tuple(charlist('no such file or directory'), charlist(`${app.name}.app`));
}
