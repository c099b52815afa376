// `rpc:call` and its relatives as a client: `erpc` whose failures are values `{badrpc, Reason}`, as OTP's rpc.erl.
import { type Exception, exceptionOf } from '../erts/exception.js';
import type { Process } from '../erts/process.js';
import { callAs } from '../stdlib/gen.js';
import type { CallOptions, Limits } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import * as erpc from './erpc.js';

/** A call on its way, for `rpcYield` and `nbYield`. */
export type Key = erpc.RequestId;

/** Results of several nodes, and those that could not be reached or did not answer in time. */
export interface MulticallResult {
  readonly results: Term[];
  readonly bad: Atom[];
}

const BADRPC = atom('badrpc');
const EXIT = atom('EXIT');
const ERPC = atom('erpc');
const EXCEPTION = atom('exception');
const SIGNAL = atom('signal');
const NOCONNECTION = atom('noconnection');
const NODEDOWN = atom('nodedown');
const TIMEOUT = atom('timeout');
const ABORTED = atom('aborted');
const NOTSUP = atom('notsup');
/** Why a node is among the bad ones of a multicall. */
const GIVEN_UP: readonly Term[] = [TIMEOUT, ABORTED, NOCONNECTION];
const REX = atom('rex');
const GEN_CALL = atom('$gen_call');
const BLOCK_CALL = atom('block_call');
const ABCAST = atom('abcast');
const NONEXISTING_NAME = atom('nonexisting_name');
const SBCAST = atom('sbcast');
const DOWN = atom('DOWN');
const OK = atom('ok');

/** What `rpc` makes of an exception of the function it called. */
export function badrpc(error: unknown): Term {
  const { kind, reason, stacktrace } = isException(error) ? error : exceptionOf(error);
  if (kind === 'throw') return reason;
  return tuple(BADRPC, tuple(EXIT, kind === 'exit' ? reason : tuple(reason, stacktrace)));
}

function isException(value: unknown): value is Exception {
  return typeof value === 'object' && value !== null && 'kind' in value && 'stacktrace' in value;
}

/**
 * Calls a function on a node: its value, the value it threw, or `{badrpc, Reason}` with `nodedown`, `timeout`,
 * `aborted`, `notsup`, `{'EXIT', R}`. Waits without limit unless told otherwise.
 */
export function call(
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  limits?: Limits,
): Promise<Term> {
  return rpcify(erpc.call(self, node, module, fun, args, limits));
}

/** `call`, as services take it that can also be tested without a network. */
export type Rpc = typeof call;

/** Begins a call (`async_call`); the result is taken by `rpcYield` or `nbYield`. */
export function asyncCall(self: Process, node: Atom, module: Atom, fun: Atom, args: readonly Term[]): Key {
  return erpc.sendRequest(self, node, module, fun, args);
}

/** Waits for the result of an `asyncCall` (`rpc:yield`). */
export function rpcYield(self: Process, key: Key): Promise<Term> {
  return rpcify(erpc.receiveResponse(self, key));
}

/** The result of an `asyncCall` if it comes within `timeoutMs`; undefined: not yet. */
export async function nbYield(self: Process, key: Key, timeoutMs = 0): Promise<Term | undefined> {
  const waited = erpc.waitResponse(self, key, timeoutMs);
  const result = await waited.catch((error: unknown) => ({ value: failure(error) }));
  return result === undefined ? undefined : exitValue(result.value);
}

/** Calls a function whose result nobody wants. */
export function cast(self: Process, node: Atom, module: Atom, fun: Atom, args: readonly Term[]): void {
  erpc.cast(self, node, module, fun, args);
}

/** Calls a function on several nodes at once; by default on this one and all it sees. */
export async function multicall(
  self: Process,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  options: CallOptions & { readonly nodes?: readonly Atom[] } = {},
): Promise<MulticallResult> {
  const nodes = options.nodes ?? everyNode(self);
  const answers = await erpc.multicall(self, nodes, module, fun, args, options);
  const results: Term[] = [];
  const bad: Atom[] = [];
  for (const [i, answer] of answers.entries()) {
    const value = ofAnswer(answer);
    if (value === undefined) bad.push(nodes[i] as Atom);
    else results.push(value);
  }
  return { results, bad };
}

/** A result of `erpc:multicall` in the form of `rpc`; undefined for a node that gave none. */
function ofAnswer(answer: Tuple): Term | undefined {
  const [kind, reason] = answer.elements as [Atom, Term];
  if (kind === OK) return exitValue(reason);
  if (isTagged(reason, ERPC, 2) && GIVEN_UP.includes(reason.elements[1] as Term)) return undefined;
  return ofException(kind.name, reason);
}

async function rpcify(result: Promise<Term>): Promise<Term> {
  try {
    return exitValue(await result);
  } catch (error) {
    return failure(error);
  }
}

/** A function that returns `{'EXIT', _}` cannot be told from one that exited: so OTP has it. */
function exitValue(value: Term): Term {
  return isTagged(value, EXIT, 2) ? tuple(BADRPC, value) : value;
}

function failure(error: unknown): Term {
  const { kind, reason } = exceptionOf(error);
  const value = ofException(kind, reason);
  if (value === undefined) throw error;
  return value;
}

function ofException(kind: string, reason: Term): Term | undefined {
  if (kind === 'throw') return exitValue(reason);
  if (kind === 'exit') {
    const told = isTagged(reason, EXCEPTION, 2) || isTagged(reason, SIGNAL, 2);
    return told ? tuple(BADRPC, tuple(EXIT, reason.elements[1] as Term)) : undefined;
  }
  if (isTagged(reason, EXCEPTION, 3)) {
    const [, error, stack] = reason.elements as [Term, Term, Term];
    return tuple(BADRPC, tuple(EXIT, tuple(error, stack)));
  }
  if (!isTagged(reason, ERPC, 2)) return undefined;
  const why = reason.elements[1] as Term;
  if (why === NOCONNECTION) return tuple(BADRPC, NODEDOWN);
  return tuple(BADRPC, [TIMEOUT, ABORTED, NOTSUP].includes(why as Atom) ? why : tuple(EXIT, why));
}

/** Calls a function in the `rex` process of a node, one call at a time there. */
export async function blockCall(
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  limits: Limits = Number.POSITIVE_INFINITY,
): Promise<Term> {
  const request = tuple(BLOCK_CALL, module, fun, args, self.groupLeader ?? self.pid);
  const response = await callAs(self, GEN_CALL, tuple(REX, node), request, limits);
  if ('reply' in response) return exitValue(response.reply);
  if ('timeout' in response) return tuple(BADRPC, TIMEOUT);
  if (response.error === ABORTED) return tuple(BADRPC, ABORTED);
  return tuple(BADRPC, isTagged(response.error, NODEDOWN, 2) ? NODEDOWN : tuple(EXIT, response.error));
}

/** Sends a message to the processes of that name on several nodes; always `abcast`. */
export function abcast(self: Process, name: Atom, message: Term, nodes?: readonly Atom[]): Atom {
  for (const node of nodes ?? everyNode(self)) self.send(tuple(name, node), message);
  return ABCAST;
}

/** `abcast` that tells on which nodes the name existed. */
export async function sbcast(
  self: Process,
  name: Atom,
  message: Term,
  nodes?: readonly Atom[],
): Promise<{ readonly good: Atom[]; readonly bad: Atom[] }> {
  const asked = (nodes ?? everyNode(self)).map((node) => {
    const ref = self.monitor(tuple(REX, node));
    self.send(tuple(REX, node), tuple(self.pid, tuple(SBCAST, name, message)));
    return { node, ref };
  });
  const good: Atom[] = [];
  const bad: Atom[] = [];
  for (const { node, ref } of asked) {
    const answer = await serverAnswer(self, node, REX, ref.key);
    self.demonitor(ref, { flush: true });
    (answer === undefined || isTagged(answer, NONEXISTING_NAME, 2) ? bad : good).push(node);
  }
  return { good, bad };
}

/**
 * Sends `{self, Message}` to a named process and waits for `{Wrapper, Node, Reply}` (`rpc:server_call`);
 * undefined when the process or the node is gone.
 */
export async function serverCall(
  self: Process,
  node: Atom,
  name: Atom,
  wrapper: Term,
  message: Term,
): Promise<Term | undefined> {
  const ref = self.monitor(tuple(name, node));
  self.send(tuple(name, node), tuple(self.pid, message));
  const answer = await serverAnswer(self, node, wrapper, ref.key);
  self.demonitor(ref, { flush: true });
  return answer;
}

async function serverAnswer(
  self: Process,
  node: Atom,
  wrapper: Term,
  monitor: string,
): Promise<Term | undefined> {
  const found = await self.receive((message) => {
    if (isTagged(message, wrapper, 3) && message.elements[1] === node) return { reply: message.elements[2] };
    if (!isTagged(message, DOWN, 5)) return undefined;
    const ref = message.elements[1];
    return ref instanceof Reference && ref.key === monitor ? { reply: undefined } : undefined;
  });
  return found?.reply;
}

function everyNode(self: Process): Atom[] {
  return [self.node, ...self.system.nodes()];
}
