// The scopes of process groups that this node runs (OTP: pg.erl; what a scope does is in pg_scope.ts).
import { ErlangError, Exit } from '../errors.js';
import { KILL, NORMAL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import type { CodeServer } from './code.js';
import { DEFAULT_SCOPE, PgScope } from './pg_scope.js';

/** The scopes of a node, each started when it is first asked for. */
export class Pg {
  readonly #system: System;
  readonly #scopes = new Map<Atom, Promise<PgScope>>();
  #owner: Process | undefined;

  constructor(system: System) {
    this.#system = system;
  }

  /** The scope of that name, `pg` by default; rejects with `Exit` if something else has the name. */
  scope(name: Atom = DEFAULT_SCOPE): Promise<PgScope> {
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    const made = this.#start(name);
    this.#scopes.set(name, made);
    made.catch(() => this.#scopes.delete(name));
    return made;
  }

  /** Lets remote callers ask who is in which group. A scope that does not run is `badarg`, as with OTP. */
  offer(code: CodeServer): void {
    const asked = {
      get_members: (scope: PgScope, group: Term) => scope.getMembers(group),
      get_local_members: (scope: PgScope, group: Term) => scope.getLocalMembers(group),
      which_groups: (scope: PgScope) => scope.whichGroups(),
      which_local_groups: (scope: PgScope) => scope.whichLocalGroups(),
    };
    for (const [fun, ask] of Object.entries(asked)) {
      const arity = ask.length; // the scope comes first, and may be left out
      code.define('pg', fun, arity - 1, async ([group]) =>
        ask(await this.#known(DEFAULT_SCOPE), group as Term),
      );
      code.define('pg', fun, arity, async ([name, group]) => ask(await this.#known(name), group as Term));
    }
  }

  #known(name: Term | undefined): Promise<PgScope> {
    const known = name instanceof Atom ? this.#scopes.get(name) : undefined;
    if (known === undefined) throw new ErlangError(atom('badarg'), [], 'that scope does not run here');
    return known;
  }

  /** Ends all scopes. */
  stop(): void {
    this.#owner?.exitArrived(this.#owner.pid, KILL, 'exit2');
    this.#scopes.clear();
  }

  async #start(name: Atom): Promise<PgScope> {
    if (this.#owner?.alive !== true) {
      this.#owner = this.#system.spawn(async (self) => {
        self.trapExit = true; // a scope that ends takes no other along
        for (;;) await self.next();
      });
    }
    const scope = new PgScope(name);
    const started = await scope.startLink(this.#owner);
    if ('ok' in started) {
      const ended = (): void => void this.#scopes.delete(name);
      this.#system.process(started.ok)?.signal.addEventListener('abort', ended, { once: true });
      return scope;
    }
    const reason = 'error' in started ? started.error : NORMAL;
    throw new Exit(reason, `the scope ${name.name} does not start: ${format(reason)}`);
  }
}
