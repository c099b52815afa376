// The resolve functions that are found from this node: those of its own code, and those of other nodes.
import type { Process } from '../erts/process.js';
import { type Atom, atom, atomName } from '../terms/atom.js';
import { ExportFun } from '../terms/fun.js';
import type { Term } from '../terms/term.js';
import type { CodeServer } from './code.js';
import type { ResolveFunction, Resolvers } from './global_resolve.js';
import type { Rpc } from './rpc.js';

const GLOBAL = atom('global');
const RESOLVE_IT = atom('resolve_it');
/** The module of funs made of TypeScript code. */
const OWN_MODULE = 'otpnode_global';

export class ResolveFunctions implements Resolvers {
  readonly #rpc: Rpc;
  readonly #code: CodeServer | undefined;
  readonly #own = new Map<string, ResolveFunction>();

  constructor(rpc: Rpc, code: CodeServer | undefined) {
    this.#rpc = rpc;
    this.#code = code;
  }

  /** See `Global.resolver`. */
  define(name: string, resolve: ResolveFunction): ExportFun {
    this.#own.set(name, resolve);
    return new ExportFun(atom(OWN_MODULE), atom(name), 3);
  }

  find(method: ExportFun): ResolveFunction | undefined {
    const [module, fun] = [atomName(method.module), atomName(method.function)];
    if (method.arity !== 3) return undefined;
    if (module === OWN_MODULE) return this.#own.get(fun);
    const defined = this.#code?.find(module, fun, 3);
    return defined && ((self, name, pid1, pid2) => defined([name, pid1, pid2], self));
  }

  ask(self: Process, node: Atom, args: readonly Term[], timeoutMs: number): Promise<Term> {
    return this.#rpc(self, node, GLOBAL, RESOLVE_IT, args, timeoutMs);
  }
}
