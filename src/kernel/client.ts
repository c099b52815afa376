// Calls from plain TypeScript code, outside of any process.
//
// One long-lived process per node asks on behalf of everybody; answers find their caller by the request's
// reference, so that a call makes no process and leaves nothing behind, answered or not.
import { CallError } from '../errors.js';
import type { Destination, Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import * as gen from '../stdlib/gen.js';
import { type CallOptions, DEFAULT_TIMEOUT_MS, onAbort } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import * as erpc from './erpc.js';

/** What differs between the call of a server and that of a function. */
interface Question {
  readonly node: Atom;
  /** What was asked, as Erlang writes it. */
  readonly server: string;
  /** Nobody has that name, as this node knows: the request goes nowhere. */
  readonly nobody?: boolean;
  /** Sends the request; the answer will carry the reference. */
  begin(self: Process): Reference;
  /** The value of the answer, or why there is none; throws what the function threw. */
  read(self: Process, answer: Tuple): gen.Response;
  abandon(self: Process, ref: Reference): void;
}

/** A question that waits for its answer. */
interface Pending {
  readonly question: Question;
  readonly began: number;
  readonly ref: Reference;
  readonly resolve: (value: Term) => void;
  readonly reject: (error: unknown) => void;
  sent: boolean;
  /** Ends the timer and the listening to the abort signal. */
  release: () => void;
}

const CLIENT = atom('otpnode_client');
const INIT = atom('init');
const NOPROC = atom('noproc');
const NODEDOWN = atom('nodedown');
const TIMEOUT = atom('timeout');
const ABORTED = atom('aborted');
const NOCONNECTION = atom('noconnection');
const NOTSUP = atom('notsup');
const SPAWN_REPLY = atom('spawn_reply');

/** Calls from outside of any process; see docs/client.md. */
export class Client {
  readonly #system: System;
  readonly #pending = new Map<string, Pending>();
  #process: Process | undefined;

  constructor(system: System) {
    this.#system = system;
  }

  /**
   * Calls a server. Rejects with `CallError` when no answer comes: in time, or because the server, its node or
   * its name is not there.
   */
  call(server: gen.ServerRef, request: Term, options: CallOptions = {}): Promise<Term> {
    return this.#ask(serverQuestion(this.#system, server, request), options);
  }

  /**
   * Calls a function on a node by `erpc`. Rejects with what it threw there (`Thrown`, `Exit`, `ErlangError`, with
   * the reasons of `erpc:call`), or with `CallError`.
   */
  apply(
    node: Atom,
    module: Atom,
    fun: Atom,
    args: readonly Term[],
    options: CallOptions = {},
  ): Promise<Term> {
    return this.#ask(functionQuestion(node, module, fun, args), options);
  }

  /** Sends `{'$gen_cast', Message}`; a server that is not there loses it. */
  cast(server: gen.ServerRef, message: Term): void {
    gen.cast(this.#self(), server, message);
  }

  /** Sends a message; nobody tells whether it arrives. */
  send(to: Destination, message: Term): void {
    this.#self().send(to, message);
  }

  /** Sends a message to the processes of that name on several nodes. */
  abcast(nodes: readonly Atom[], name: Atom, message: Term): void {
    for (const node of nodes) this.send(tuple(name, node), message);
  }

  /** Calls the server of that name on several nodes; those that gave no answer are in `bad`. */
  async multiCall(
    nodes: readonly Atom[],
    name: Atom,
    request: Term,
    options: CallOptions = {},
  ): Promise<gen.MultiCallResult> {
    const calls = nodes.map((node) => this.call(tuple(name, node), request, options));
    const replies: (readonly [Atom, Term])[] = [];
    const bad: Atom[] = [];
    for (const [i, settled] of (await Promise.allSettled(calls)).entries()) {
      const node = nodes[i] as Atom;
      if (settled.status === 'fulfilled') replies.push([node, settled.value]);
      else if (settled.reason instanceof CallError) bad.push(node);
      else throw settled.reason;
    }
    return { replies, bad };
  }

  /** The node that a server is on, and the server as Erlang writes it, for what an error tells. */
  describe(server: gen.ServerRef): { readonly node: string; readonly server: string } {
    return { node: gen.nodeOfServer(this.#system, server).name, server: format(server) };
  }

  /** Questions that wait for their answers. */
  get pending(): number {
    return this.#pending.size;
  }

  #ask(question: Question, options: CallOptions): Promise<Term> {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    return new Promise<Term>((resolve, reject) => {
      const began = performance.now();
      if (signal?.aborted === true) {
        reject(callError({ question, began, sent: false }, ABORTED, signal.reason));
        return;
      }
      const self = this.#self();
      const ref = question.begin(self);
      const release = (): void => {};
      const pending: Pending = { question, began, ref, resolve, reject, sent: false, release };
      this.#pending.set(ref.key, pending);
      this.#noteSent(pending);
      this.#limit(pending, timeoutMs, signal);
    });
  }

  /** The request has left when the connection has written what was signalled before. */
  #noteSent(pending: Pending): void {
    const { node, nobody } = pending.question;
    if (nobody === true) return;
    if (node === this.#system.node) pending.sent = true;
    else {
      this.#system.findEntry(node)?.signal(() => {
        pending.sent = true;
      });
    }
  }

  #limit(pending: Pending, timeoutMs: number, signal: AbortSignal | undefined): void {
    const { clock } = this.#system;
    const aborted = (): void => this.#giveUp(pending, ABORTED, signal?.reason);
    const forget = signal === undefined ? undefined : onAbort(signal, aborted);
    const timer = Number.isFinite(timeoutMs)
      ? clock.setTimeout(() => this.#giveUp(pending, TIMEOUT), timeoutMs)
      : undefined;
    pending.release = () => {
      forget?.();
      if (timer !== undefined) clock.clearTimeout(timer);
    };
  }

  #giveUp(pending: Pending, reason: Term, cause?: unknown): void {
    this.#forget(pending);
    if (this.#process?.alive === true) pending.question.abandon(this.#process, pending.ref);
    pending.reject(callError(pending, reason, cause));
  }

  #forget(pending: Pending): void {
    pending.release();
    this.#pending.delete(pending.ref.key);
  }

  // --- the process that asks ----------------------------------------------------------------------------------

  /** A new one if somebody ended the last. */
  #self(): Process {
    if (this.#process?.alive === true) return this.#process;
    const process = this.#system.spawn((self) => this.#route(self), { initialCall: [CLIENT, INIT, 1] });
    process.signal.addEventListener('abort', () => {
      for (const pending of [...this.#pending.values()]) this.#giveUp(pending, process.exitReason as Term);
    });
    this.#process = process;
    return process;
  }

  async #route(self: Process): Promise<void> {
    for (;;) {
      const message = (await self.next()) as Term;
      const pending = this.#pending.get(answeredRef(message)?.key ?? '');
      if (pending !== undefined) this.#answered(self, pending, message as Tuple);
      if (self.system.spent()) await self.yield();
    }
  }

  #answered(self: Process, pending: Pending, answer: Tuple): void {
    this.#forget(pending);
    try {
      const response = pending.question.read(self, answer);
      if ('reply' in response) pending.resolve(response.reply);
      else pending.reject(callError(pending, 'error' in response ? response.error : TIMEOUT));
    } catch (error) {
      pending.reject(error);
    }
  }
}

/** The reference of the question that a message answers. */
function answeredRef(message: Term): Reference | undefined {
  if (!isTagged(message, SPAWN_REPLY, 4)) return gen.responseRef(message);
  const ref = message.elements[1];
  return ref instanceof Reference ? ref : undefined;
}

function serverQuestion(system: System, server: gen.ServerRef, request: Term): Question {
  const idOf = (ref: Reference): gen.RequestId => ({ ref, server });
  return {
    node: gen.nodeOfServer(system, server),
    server: format(server),
    nobody: gen.whereisServer(system, server) === undefined,
    begin: (self) => gen.beginRequest(self, server, request).ref,
    read: (self, answer) =>
      gen.checkResponse(self, answer, idOf(answeredRef(answer) as Reference)) as gen.Response,
    abandon: (self, ref) => gen.abandon(self, idOf(ref)),
  };
}

function functionQuestion(node: Atom, module: Atom, fun: Atom, args: readonly Term[]): Question {
  let id: erpc.RequestId | undefined;
  return {
    node,
    server: `${module.name}:${fun.name}/${args.length}`,
    begin(self) {
      id = erpc.sendRequest(self, node, module, fun, args);
      return id.ref;
    },
    read(_self, answer) {
      const failure = erpc.failureOf(answer);
      return failure === undefined
        ? { reply: erpc.resultOf(answer, id as erpc.RequestId) }
        : { error: failure === NOCONNECTION ? tuple(NODEDOWN, node) : failure };
    },
    abandon: (self) => erpc.abandon(self, id as erpc.RequestId),
  };
}

function callError(
  { question, began, sent }: Pick<Pending, 'question' | 'began' | 'sent'>,
  reason: Term,
  cause?: unknown,
): CallError {
  const code = codeOf(reason);
  const elapsedMs = Math.round(performance.now() - began);
  const left = sent ? 'the request was sent' : 'the request was not sent';
  const { server } = question;
  const node = question.node.name;
  return new CallError(
    code,
    `the call of ${server} on ${node} failed after ${elapsedMs} ms: ${format(reason, 500)}; ${left}`,
    { reason, node, server, elapsedMs, sent },
    cause,
  );
}

function codeOf(reason: Term): CallError['code'] {
  if (reason === TIMEOUT) return 'timeout';
  if (reason === NOPROC) return 'noproc';
  if (reason === ABORTED) return 'aborted';
  if (reason === NOTSUP) return 'notsup';
  return isTagged(reason, NODEDOWN, 2) ? 'nodedown' : 'exit';
}
