// Which Module:Function/Arity a remote caller may reach: an allow-list. Everything else is `undef`, as on a node
// that lacks the module.
//
// Each service defines what it offers; users add their own functions.
import type { Process } from '../erts/process.js';
import type { Term } from '../terms/term.js';

/**
 * A function that remote callers may reach. It runs in `self`, a process of its own; what it throws is its
 * error (`ErlangError`), exit (`Exit`) or thrown value (`Thrown`).
 */
export type RemoteFunction = (args: readonly Term[], self: Process) => Term | Promise<Term>;

export class CodeServer {
  readonly #functions = new Map<string, RemoteFunction>();
  readonly #modules = new Map<string, number>();

  /** Lets remote callers reach `Module:Function/Arity`; a later definition replaces an earlier one. */
  define(module: string, fun: string, arity: number, body: RemoteFunction): void {
    const key = `${module}:${fun}/${arity}`;
    if (!this.#functions.has(key)) this.#modules.set(module, (this.#modules.get(module) ?? 0) + 1);
    this.#functions.set(key, body);
  }

  find(module: string, fun: string, arity: number): RemoteFunction | undefined {
    return this.#functions.get(`${module}:${fun}/${arity}`);
  }

  /** Whether anything of that module can be reached. */
  hasModule(module: string): boolean {
    return this.#modules.has(module);
  }
}
