// Which Module:Function/Arity a remote caller may reach: an allow-list. Everything else is `undef`, as on a node
// that lacks the module.
//
// Each service defines what it offers; users add their own functions.
import { ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import { Atom, atom, atomName, atomOrBoolean } from '../terms/atom.js';
import { ExportFun } from '../terms/fun.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';

/**
 * A function that remote callers may reach. It runs in `self`, a process of its own; what it throws is its
 * error (`ErlangError`), exit (`Exit`) or thrown value (`Thrown`).
 */
export type RemoteFunction = (args: readonly Term[], self: Process) => Term | Promise<Term>;

/** A module or function name as it comes from a peer: any atom, `true` and `false` included. */
export type Name = Atom | boolean;

const UNDEF = atom('undef');
const BADARG = atom('badarg');
const BADFUN = atom('badfun');
const BADARITY = atom('badarity');
const MODULE_INFO = atom('module_info');
const APPLY_FRAME = tuple(atom('erlang'), atom('apply'), 2, []);

/** Which functions callers of other nodes may reach, here called modules as in OTP; nothing else of this process can be. */
export class CodeServer {
  /** Whether a process of this node says that it runs that module; such a module is there, whatever of it is reached. */
  isRunning: (module: string) => boolean = () => false;
  readonly #modules = new Map<string, Map<string, RemoteFunction>>();

  constructor() {
    // re-enters the allow-list with the function it names
    this.define('erlang', 'apply', 2, ([fun, args], self) => this.applyFun(self, fun as Term, args as Term));
    this.define('erlang', 'apply', 3, ([module, fun, args], self) => {
      if (!isName(module) || !isName(fun) || !Array.isArray(args)) throw new ErlangError(BADARG);
      return this.apply(self, module, fun, args as readonly Term[]);
    });
  }

  /** Lets remote callers reach `Module:Function/Arity`; a later definition replaces an earlier one. */
  define(module: string, fun: string, arity: number, body: RemoteFunction): void {
    let functions = this.#modules.get(module);
    if (functions === undefined) {
      functions = new Map();
      this.#modules.set(module, functions);
    }
    functions.set(`${fun}/${arity}`, body);
  }

  /** The function of that name and arity, if remote callers may reach it. */
  find(module: string, fun: string, arity: number): RemoteFunction | undefined {
    return this.#modules.get(module)?.get(`${fun}/${arity}`);
  }

  /** Whether anything of that module can be reached. */
  hasModule(module: string): boolean {
    return this.#modules.has(module);
  }

  /** The modules of which something can be reached. */
  modules(): string[] {
    return [...this.#modules.keys()];
  }

  /** Runs what remote callers may reach; throws `undef` for everything else. */
  apply(self: Process, module: Name, fun: Name, args: readonly Term[]): Term | Promise<Term> {
    const body = this.find(atomName(module), atomName(fun), args.length);
    if (body === undefined && fun === MODULE_INFO) {
      const info = this.#moduleInfo(module, args);
      if (info !== undefined) return info;
    }
    if (body === undefined) throw new ErlangError(UNDEF, [tuple(module, fun, args, [])]);
    return body(args, self);
  }

  /** `Module:module_info/0,1`, which every module has: without attributes, exporting what can be reached. */
  #moduleInfo(module: Name, args: readonly Term[]): Term | undefined {
    const functions = this.#modules.get(atomName(module));
    if (args.length > 1 || (functions === undefined && !this.isRunning(atomName(module)))) return undefined;
    const exports = [...(functions?.keys() ?? [])].map((key) => {
      const [fun, arity] = key.split('/') as [string, string];
      return tuple(atomOrBoolean(fun), Number(arity));
    });
    const info: Readonly<Record<string, Term>> = { module, exports, attributes: [], compile: [] };
    const [item] = args;
    if (item === undefined) return Object.entries(info).map(([key, value]) => tuple(atom(key), value));
    return item instanceof Atom && Object.hasOwn(info, item.name) ? info[item.name] : undefined;
  }

  /** `apply(Fun, Args)`: an external fun by the allow-list; a fun of another node has no code here. */
  applyFun(self: Process, fun: Term, args: Term): Term | Promise<Term> {
    if (!Array.isArray(args)) throw new ErlangError(BADARG);
    const list = args as readonly Term[];
    if (!(fun instanceof ExportFun)) throw new ErlangError(tuple(BADFUN, fun), [APPLY_FRAME]);
    if (fun.arity !== list.length) throw new ErlangError(tuple(BADARITY, tuple(fun, list)), [APPLY_FRAME]);
    return this.apply(self, fun.module, fun.function, list);
  }
}

/** Whether a term is an atom, `true` and `false` included. */
export function isName(term: Term | undefined): term is Name {
  return typeof term === 'boolean' || term instanceof Atom;
}
