// Typed clients: what a server answers, said once in TypeScript, and then called like functions.
//
//   const Calculator = {
//     add: request((x: number, y: number) => tuple(atom('cal'), x, y), read.integer),
//     reset: message(() => atom('reset')),
//   };
//   const calculator = typedClient(node.client, server, Calculator);
//   const three = await calculator.add(1, 2);                        // number
//   await calculator.with({ timeoutMs: 100, signal }).add(1, 2);
import { BadArg, CallError } from '../errors.js';
import type { ServerRef } from '../stdlib/gen.js';
import type { CallOptions } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Reader } from '../terms/read.js';
import { ok, term } from '../terms/read.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { Client } from './client.js';

/** A request (`gen_server:call`): how it is made of its arguments, and how its reply is read. */
export interface Request<A extends readonly unknown[], R> {
  readonly make: (...args: A) => Term;
  readonly read: Reader<R>;
}

/** A message that is not answered (`gen_server:cast`). */
export interface Message<A extends readonly unknown[]> {
  readonly make: (...args: A) => Term;
}

/** What a server understands, by the names that the client's functions get. */
export type Protocol = Readonly<Record<string, Request<never, unknown> | Message<never>>>;

/** The functions of a protocol; those of requests resolve to what their reader reads. */
export type TypedClient<P extends Protocol> = {
  readonly [K in Exclude<keyof P, 'with'>]: P[K] extends Request<infer A, infer R>
    ? (...args: A) => Promise<R>
    : P[K] extends Message<infer A>
      ? (...args: A) => void
      : never;
} & {
  /** The same client with other limits: a time, an `AbortSignal`. */
  readonly with: (options: CallOptions) => TypedClient<P>;
};

/** Says how a request is made, and how its reply is read. */
export function request<A extends readonly unknown[], R>(
  make: (...args: A) => Term,
  read: Reader<R>,
): Request<A, R> {
  return { make, read };
}

/** Says how a message is made that is not answered. */
export function message<A extends readonly unknown[]>(make: (...args: A) => Term): Message<A> {
  return { make };
}

/**
 * The client of a server, wherever that is. Its functions reject as `Client.call` does; a reply that the reader does not
 * take rejects with `CallError` `bad_reply`, whose `reason` is the reply. 5000 ms unless `options` say otherwise.
 */
export function typedClient<P extends Protocol>(
  client: Client,
  server: ServerRef,
  protocol: P,
  options: CallOptions = {},
): TypedClient<P> {
  const functions = Object.entries(protocol).map(([name, each]) => {
    const make = each.make as (...args: readonly unknown[]) => Term;
    if (!('read' in each)) return [name, (...args: unknown[]) => client.cast(server, make(...args))];
    return [name, (...args: unknown[]) => ask(client, server, make(...args), each.read, options)];
  });
  return {
    ...Object.fromEntries(functions),
    with: (other: CallOptions) => typedClient(client, server, protocol, { ...options, ...other }),
  } as TypedClient<P>;
}

async function ask(
  client: Client,
  server: ServerRef,
  made: Term,
  read: Reader<unknown>,
  options: CallOptions,
): Promise<unknown> {
  const began = performance.now();
  const reply = await client.call(server, made, options);
  try {
    return read(reply);
  } catch (error) {
    if (!(error instanceof BadArg)) throw error;
    const { node, server: name } = client.describe(server);
    const elapsedMs = Math.round(performance.now() - began);
    const text = `the answer of ${name} on ${node} is not as agreed: ${error.message}`;
    throw new CallError(
      'bad_reply',
      text,
      { reason: reply, node, server: name, elapsedMs, sent: true },
      error,
    );
  }
}

/** A function of the agent's node: module, name, and the arguments behind the state. */
type Mfa = [module: Atom, fun: Atom, args?: readonly Term[]];

const mfa =
  (tag: string) =>
  (...[module, fun, args = []]: Mfa): Term =>
    tuple(atom(tag), tuple(module, fun, args));

/**
 * An Elixir `Agent` of another node, by functions that are there: `agent.get(atom('Elixir.Map'), atom('get'), [key])` calls
 * `Map.get(state, key)`. Funs cannot be sent: their code is only here.
 */
export const AgentProtocol: {
  /** `Agent.get/4`: what the function returns. */
  readonly get: Request<Mfa, Term>;
  /** `Agent.update/4`: the state becomes what the function returns. */
  readonly update: Request<Mfa, void>;
  /** `Agent.get_and_update/4`: the function returns `{Value, State}`. */
  readonly getAndUpdate: Request<Mfa, Term>;
  /** `Agent.cast/4`: `update` without an answer. */
  readonly cast: Message<Mfa>;
} = {
  get: request(mfa('get'), term),
  update: request(mfa('update'), ok),
  getAndUpdate: request(mfa('get_and_update'), term),
  cast: message(mfa('cast')),
};
