// What this node runs for `erpc` of other nodes, by their spawn requests (OTP: erpc.erl, `execute_call/4`, `execute_cast/3`).
//
// A caller asks for `erpc:execute_call(Res, M, F, A)` with a monitor; the child's exit reason is the result:
// `{Res, return, Value}`, `{Res, throw, T}`, `{Res, exit, R}`, `{Res, error, R, Stack}`.
import { ErlangError, Exit, Thrown } from '../errors.js';
import { type Exception, exceptionOf } from '../erts/exception.js';
import type { Process, ProcessMain } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import { type CodeServer, isName, type Name } from './code.js';

const ERPC = atom('erpc');
const ERLANG = atom('erlang');
const APPLY = atom('apply');
const EXECUTE_CALL = atom('execute_call');
const EXECUTE_CAST = atom('execute_cast');
const RETURN = atom('return');
const ERROR = atom('error');
const EXCEPTION = atom('exception');
const BADARG = atom('badarg');

/** Makes spawn requests of other nodes run what `code` allows. */
export function serve(system: System, code: CodeServer): void {
  system.remoteMain = (module, fun, args) => remoteMain(code, module, fun, args);
}

function remoteMain(code: CodeServer, module: Name, fun: Name, args: readonly Term[]): ProcessMain {
  if (module === ERPC && fun === EXECUTE_CALL && args.length === 4) return executeCall(code, args);
  if (module === ERPC && fun === EXECUTE_CAST && args.length === 3) return executeCast(code, args);
  return async (self) => {
    await code.apply(self, module, fun, args);
  };
}

function executeCall(code: CodeServer, args: readonly Term[]): ProcessMain {
  const [res, module, fun, list] = args as [Term, Term, Term, Term];
  return async (self) => {
    if (!isName(module) || !isName(fun) || !Array.isArray(list)) {
      throw new Exit(tuple(res, ERROR, BADARG, [tuple(ERLANG, APPLY, [module, fun, list], [])]));
    }
    const result = await run(code, self, module, fun, list as readonly Term[]);
    throw new Exit('value' in result ? tuple(res, RETURN, result.value) : outcome(res, result));
  };
}

function outcome(res: Term, { kind, reason, stacktrace }: Exception): Term {
  return kind === 'error' ? tuple(res, ERROR, reason, stacktrace) : tuple(res, atom(kind), reason);
}

function executeCast(code: CodeServer, args: readonly Term[]): ProcessMain {
  const [module, fun, list] = args as [Term, Term, Term];
  return async (self) => {
    if (!isName(module) || !isName(fun) || !Array.isArray(list)) throw new ErlangError(tuple(ERPC, BADARG));
    const result = await run(code, self, module, fun, list as readonly Term[]);
    if ('value' in result) return;
    const { kind, reason, stacktrace } = result;
    if (kind === 'error') throw new ErlangError(tuple(EXCEPTION, tuple(reason, stacktrace)));
    throw kind === 'exit' ? new Exit(reason) : new Thrown(reason);
  };
}

/** Runs one function of the allow-list and catches what it throws; an error without a trace names the function. */
export async function run(
  code: CodeServer,
  self: Process,
  module: Name,
  fun: Name,
  args: readonly Term[],
): Promise<{ readonly value: Term } | Exception> {
  try {
    return { value: await code.apply(self, module, fun, args) };
  } catch (error) {
    const exception = exceptionOf(error);
    const traced = !Array.isArray(exception.stacktrace) || exception.stacktrace.length > 0;
    if (exception.kind !== 'error' || traced) return exception;
    return { ...exception, stacktrace: [tuple(module, fun, args.length, [])] };
  }
}
