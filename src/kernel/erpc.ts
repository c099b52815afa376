// Calls of functions on other nodes by spawn requests, as OTP's erpc.erl; what we run for others is in erpc_server.ts.
//
// `erpc:execute_call(Res, M, F, A)` is asked for with a monitor; the child's exit reason is the result. A call that
// times out is given up, its execution goes on.
import { ErlangError, Exit, Thrown } from '../errors.js';
import { exceptionOf } from '../erts/exception.js';
import { NOCONNECTION } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import { type Limits, leftOf, receiveWithin, timeoutOf } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

const ERPC = atom('erpc');
const EXECUTE_CALL = atom('execute_call');
const EXECUTE_CAST = atom('execute_cast');
const RETURN = atom('return');
const THROW = atom('throw');
const EXIT = atom('exit');
const ERROR = atom('error');
const EXCEPTION = atom('exception');
const SIGNAL = atom('signal');
const OK = atom('ok');
const DOWN = atom('DOWN');
const SPAWN_REPLY = atom('spawn_reply');

/** A call on its way. */
export interface RequestId {
  readonly node: Atom;
  readonly ref: Reference;
  readonly res: Reference;
  /** What was called: `Module:Function/Arity`. */
  readonly called: string;
}

/**
 * Calls `Module:Function(Args)` on a node. Throws what it threw there: `Thrown`, `Exit` with `{exception, R}`,
 * `ErlangError` with `{exception, R, Stack}`; `Exit` with `{signal, R}` when its process was ended from outside;
 * `ErlangError` with `{erpc, noconnection | notsup | timeout | aborted | …}` when the call itself failed.
 */
export function call(
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  limits?: Limits,
): Promise<Term> {
  return receiveResponse(self, sendRequest(self, node, module, fun, args), limits);
}

/** Begins a call; its result is taken by `receiveResponse`. */
export function sendRequest(
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
): RequestId {
  const res = self.makeRef();
  const ref = self.spawnRequest(node, ERPC, EXECUTE_CALL, [res, module, fun, args], {
    monitor: true,
    reply: 'error_only',
  });
  return { node, ref, res, called: `${module.name}:${fun.name}/${args.length}` };
}

/** Waits for the result of a call, without limit unless told; see `call` for what it throws. */
export async function receiveResponse(self: Process, id: RequestId, limits?: Limits): Promise<Term> {
  const answer = await receiveWithin(self, (m) => (isAnswer(m, id) ? m : undefined), limits);
  if (typeof answer !== 'string') return resultOf(answer, id);
  abandon(self, id);
  const why = answer === 'timeout' ? `no answer within ${timeoutOf(limits)} ms` : 'it was aborted';
  throw new ErlangError(
    tuple(ERPC, atom(answer)),
    [],
    `the call of ${id.called} on ${id.node.name} is given up: ${why}`,
  );
}

/** The result if it comes within `timeoutMs`; the call is not given up. Throws as `call` does. */
export async function waitResponse(
  self: Process,
  id: RequestId,
  timeoutMs?: number,
): Promise<{ readonly value: Term } | undefined> {
  const answer = await receiveWithin(self, (m) => (isAnswer(m, id) ? m : undefined), timeoutMs);
  return typeof answer === 'string' ? undefined : { value: resultOf(answer, id) };
}

/** Gives a call up: what it still yields is dropped. */
export function abandon(self: Process, id: RequestId): void {
  if (!self.abandonSpawn(id.node, id.ref)) self.demonitor(id.ref, { flush: true });
}

/** Whether a message tells the result of this call. */
export function isAnswer(message: Term, id: RequestId): message is Tuple {
  if (!isTagged(message, DOWN, 5) && !isTagged(message, SPAWN_REPLY, 4)) return false;
  const ref = message.elements[1];
  return ref instanceof Reference && ref.key === id.ref.key;
}

/** Why the call itself failed, if this answer says so: `noconnection`, `notsup`, `system_limit` … */
export function failureOf(answer: Tuple): Term | undefined {
  const reason = answer.elements[answer.elements.length - 1] as Term;
  return answer.elements[0] === SPAWN_REPLY || reason === NOCONNECTION ? reason : undefined;
}

/** The value that an answer carries; throws what the call threw. */
export function resultOf(answer: Tuple, id: RequestId): Term {
  const failure = failureOf(answer);
  if (failure !== undefined) {
    throw new ErlangError(
      tuple(ERPC, failure),
      [],
      `the call of ${id.called} on ${id.node.name} failed: ${format(failure)}`,
    );
  }
  const reason = answer.elements[answer.elements.length - 1] as Term;
  const told = (what: string, why: Term): string =>
    `${id.called} on ${id.node.name} ${what}: ${format(why, 500)}`;
  const ended = (): Exit => new Exit(tuple(SIGNAL, reason), told('was ended', reason));
  const [res, kind, value, stack] = reason instanceof Tuple ? reason.elements : [];
  if (!(res instanceof Reference) || res.key !== id.res.key) throw ended();
  const arity = (reason as Tuple).elements.length;
  if (arity === 3 && kind === RETURN) return value as Term;
  if (arity === 3 && kind === THROW) throw new Thrown(value as Term, told('threw', value as Term));
  if (arity === 3 && kind === EXIT) {
    throw new Exit(tuple(EXCEPTION, value as Term), told('exited', value as Term));
  }
  if (arity === 4 && kind === ERROR) {
    const raised = tuple(EXCEPTION, value as Term, stack as Term);
    throw new ErlangError(raised, stack as Term, told('failed', value as Term));
  }
  if (arity === 3 && kind === ERROR && isTagged(value, ERPC, 2)) {
    throw new ErlangError(value, [], told('was not run', value));
  }
  throw ended();
}

/** Begins a call whose result nobody wants. */
export function cast(self: Process, node: Atom, module: Atom, fun: Atom, args: readonly Term[]): void {
  self.spawnRequest(node, ERPC, EXECUTE_CAST, [module, fun, args], { reply: 'no' });
}

/**
 * Calls a function on several nodes at once; in the order of the nodes `{ok, Value}`, `{throw, T}`,
 * `{exit, {exception | signal, R}}`, `{error, {exception, R, Stack}}` or `{error, {erpc, R}}`.
 */
export async function multicall(
  self: Process,
  nodes: readonly Atom[],
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  limits?: Limits,
): Promise<Tuple[]> {
  const left = leftOf(self, limits);
  const ids = nodes.map((node) => sendRequest(self, node, module, fun, args));
  const results: Tuple[] = [];
  for (const id of ids) {
    try {
      results.push(tuple(OK, await receiveResponse(self, id, left())));
    } catch (error) {
      results.push(caught(error));
    }
  }
  return results;
}

function caught(error: unknown): Tuple {
  const { kind, reason } = exceptionOf(error);
  return tuple(atom(kind), reason);
}

/** `cast` to several nodes. */
export function multicast(
  self: Process,
  nodes: readonly Atom[],
  module: Atom,
  fun: Atom,
  args: readonly Term[],
): void {
  for (const node of nodes) cast(self, node, module, fun, args);
}
