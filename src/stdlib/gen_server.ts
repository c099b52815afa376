// A server process with callbacks, as OTP's gen_server.erl.
//
// The loop takes message after message without a promise between them unless a callback returns one, and
// lets the event loop turn when it has worked long enough, so that sockets are served. A callback that awaits
// holds its server, as in Erlang: to answer later, give no reply and call `gen.reply` when it is known.
import { ErlangError, Exit } from '../errors.js';
import { reasonOf } from '../erts/exception.js';
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { isOrderly } from './crash_report.js';
import { type From, parseCall, reply, whereisServer } from './gen.js';
import { registerName, unregisterName } from './gen_name.js';
import { reportEnd, short } from './gen_server_report.js';
import { type InitialCall, type StartResult, start as startProcess } from './proc_lib.js';
import { stateTerm } from './state_term.js';
import {
  type Debug,
  debugEvent,
  handleSystem,
  IN,
  miscOf,
  newDebug,
  OUT,
  parseSystem,
  type SystemTarget,
} from './sys_server.js';

/** What `init` decides. `timeoutMs`: a message `timeout` if none comes before; `continue`: first of all `handleContinue`. */
export type Init<S> =
  | { readonly state: S; readonly timeoutMs?: number; readonly continue?: Term }
  | { readonly stop: Term }
  | { readonly ignore: true };

/** What a callback decides. `reply` counts only from `handleCall`; without it the caller is answered by `gen.reply`. */
export interface Step<S> {
  readonly state: S;
  readonly reply?: Term;
  /** Ends the server with this reason, after `terminate`. */
  readonly stop?: Term;
  readonly timeoutMs?: number;
  readonly continue?: Term;
}

type Stepped<S> = Step<S> | Promise<Step<S>>;

/** The callbacks of a server. What they throw ends it: the supervisor decides what then. */
export interface GenServer<S> {
  /** The module that crash reports and `sys:get_status` name; `gen_server` by default. */
  readonly module?: Atom;
  /** `$initial_call`: `{module, init, 1}` by default. */
  readonly initialCall?: InitialCall;
  /** Makes the first state. `startLink` resolves when it has: until then whoever starts the server waits. */
  init(self: Process, args: Term): Init<S> | Promise<Init<S>>;
  /** A call: a step with `reply` answers it, one without leaves that to `reply(self, from, …)` later. */
  handleCall?(request: Term, from: From, state: S, self: Process): Stepped<S>;
  /** A cast, which nobody waits for. */
  handleCast?(message: Term, state: S, self: Process): Stepped<S>;
  /** Any other message: exits of linked processes, DOWNs, `timeout`. Without it they are logged and dropped. */
  handleInfo?(message: Term, state: S, self: Process): Stepped<S>;
  /** Comes before any message, when a step or `init` said `continue`. */
  handleContinue?(arg: Term, state: S, self: Process): Stepped<S>;
  /** Called before an orderly or disorderly end, except by `kill` or an exit signal that is not trapped. */
  terminate?(reason: Term, state: S, self: Process): void | Promise<void>;
  /** The state as `sys:get_state` and crash reports show it: leave secrets out here. */
  formatState?(state: S): Term;
}

export interface ServerOptions {
  /** Registered before `init`: a local name, `{global, Name}` or `{via, Module, Name}`. */
  readonly name?: Atom | Tuple;
  /** How long `init` may take; unlimited by default. */
  readonly timeoutMs?: number;
}

const TIMEOUT = atom('timeout');
const EXIT = atom('EXIT');
const NORMAL = atom('normal');
const GEN_CAST = atom('$gen_cast');
const GEN_SERVER = atom('gen_server');
const INIT = atom('init');
const ALREADY_STARTED = atom('already_started');

/** Starts a server linked to `parent`, usually its supervisor; resolves when `init` has decided. */
export function startLink<S>(
  parent: Process,
  server: GenServer<S>,
  args: Term,
  options: ServerOptions = {},
): Promise<StartResult> {
  return begin(parent, server, args, options, true);
}

/** Starts a server of its own, without a link. */
export function start<S>(
  parent: Process,
  server: GenServer<S>,
  args: Term,
  options: ServerOptions = {},
): Promise<StartResult> {
  return begin(parent, server, args, options, false);
}

function begin<S>(
  parent: Process,
  server: GenServer<S>,
  args: Term,
  options: ServerOptions,
  link: boolean,
): Promise<StartResult> {
  const { name } = options;
  const holder = name === undefined ? undefined : whereisServer(parent.system, name);
  if (holder instanceof Pid) return Promise.resolve({ error: tuple(ALREADY_STARTED, holder) });
  return startProcess(
    parent,
    (self, ack) => enter(self, link ? parent.pid : undefined, server, args, name, ack),
    {
      link,
      initialCall: server.initialCall ?? [server.module ?? GEN_SERVER, INIT, 1],
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    },
  );
}

async function enter<S>(
  self: Process,
  parent: Pid | undefined,
  server: GenServer<S>,
  args: Term,
  name: Atom | Tuple | undefined,
  ack: (result: StartResult) => void,
): Promise<void> {
  const refused = name === undefined ? undefined : await registerName(self, name);
  if (refused !== undefined) {
    ack(refused);
    return;
  }
  let first: Init<S>;
  try {
    first = await server.init(self, args);
  } catch (error) {
    ack({ error: reasonOf(error) });
    await unregisterName(self, name);
    throw error;
  }
  if (!('state' in first)) {
    ack('stop' in first ? { error: first.stop } : { ignore: true });
    await unregisterName(self, name);
    if ('stop' in first) throw new Exit(first.stop);
    return;
  }
  ack({ ok: self.pid });
  await new Server(self, parent, server, name, first.state).run(first);
}

class Server<S> implements SystemTarget {
  readonly self: Process;
  readonly parent: Pid | undefined;
  readonly module: Atom;
  readonly debug: Debug = newDebug();
  suspended = false;
  readonly #callbacks: GenServer<S>;
  readonly #name: Term;
  #state: S;
  #timeoutMs: number | undefined;
  #continue: Term | undefined;

  constructor(
    self: Process,
    parent: Pid | undefined,
    callbacks: GenServer<S>,
    name: Term | undefined,
    state: S,
  ) {
    this.self = self;
    this.parent = parent;
    this.module = callbacks.module ?? GEN_SERVER;
    this.#callbacks = callbacks;
    this.#name = name ?? self.pid;
    this.#state = state;
  }

  async run(first: { readonly timeoutMs?: number; readonly continue?: Term }): Promise<void> {
    const { self } = this;
    this.#timeoutMs = first.timeoutMs;
    this.#continue = first.continue;
    for (;;) {
      if (this.#continue !== undefined) {
        await this.#goOn();
        continue;
      }
      let message = this.suspended ? await this.#whileSuspended() : self.poll();
      if (message === undefined) message = (await self.next(this.#timeoutMs)) ?? TIMEOUT;
      const busy = this.#handle(message);
      if (busy !== undefined) await busy;
      if (self.system.spent()) await self.yield();
    }
  }

  /** Handles one message; a promise only if it is not done yet. */
  #handle(message: Term): Promise<void> | undefined {
    if (!(message instanceof Tuple)) return this.#info(message);
    const call = parseCall(message);
    if (call !== undefined) return this.#call(message, call.from, call.request);
    const [tag, second] = message.elements;
    if (tag === GEN_CAST && message.elements.length === 2) return this.#cast(message, second as Term);
    if (tag === EXIT && this.#isParentExit(message)) return this.#end(message.elements[2] as Term, message);
    const system = parseSystem(message);
    if (system !== undefined) return handleSystem(this, system.from, system.request);
    return this.#info(message);
  }

  #isParentExit(message: Tuple): boolean {
    const from = message.elements[1];
    return message.elements.length === 3 && from instanceof Pid && from.key === this.parent?.key;
  }

  #call(message: Term, from: From, request: Term): Promise<void> | undefined {
    if (this.debug.active) debugEvent(this.self, this.debug, tuple(IN, message));
    const { handleCall } = this.#callbacks;
    if (handleCall === undefined)
      return this.#crash(new ErlangError(tuple(atom('bad_call'), request)), message);
    try {
      const stepped = handleCall.call(this.#callbacks, request, from, this.#state, this.self);
      return stepped instanceof Promise
        ? this.#later(stepped, message, from)
        : this.#apply(stepped, message, from);
    } catch (error) {
      return this.#crash(error, message);
    }
  }

  #cast(message: Term, request: Term): Promise<void> | undefined {
    if (this.debug.active) debugEvent(this.self, this.debug, tuple(IN, message));
    const { handleCast } = this.#callbacks;
    if (handleCast === undefined)
      return this.#crash(new ErlangError(tuple(atom('bad_cast'), request)), message);
    return this.#try(() => handleCast.call(this.#callbacks, request, this.#state, this.self), message);
  }

  #info(message: Term): Promise<void> | undefined {
    if (this.debug.active) debugEvent(this.self, this.debug, tuple(IN, message));
    const { handleInfo } = this.#callbacks;
    if (handleInfo !== undefined) {
      return this.#try(() => handleInfo.call(this.#callbacks, message, this.#state, this.self), message);
    }
    this.self.system.log(
      'warning',
      `${this.module.name} has no handleInfo. Unhandled message: ${short(message)}`,
    );
    return undefined;
  }

  async #goOn(): Promise<void> {
    const arg = this.#continue as Term;
    const { handleContinue } = this.#callbacks;
    this.#continue = undefined;
    if (handleContinue === undefined) throw new ErlangError(tuple(atom('bad_continue'), arg));
    await this.#try(
      () => handleContinue.call(this.#callbacks, arg, this.#state, this.self),
      tuple(atom('continue'), arg),
    );
  }

  #try(callback: () => Stepped<S>, message: Term): Promise<void> | undefined {
    try {
      const stepped = callback();
      return stepped instanceof Promise
        ? this.#later(stepped, message, undefined)
        : this.#apply(stepped, message, undefined);
    } catch (error) {
      return this.#crash(error, message);
    }
  }

  async #later(stepped: Promise<Step<S>>, message: Term, from: From | undefined): Promise<void> {
    let step: Step<S>;
    try {
      step = await stepped;
    } catch (error) {
      return this.#crash(error, message);
    }
    // ended from outside while a callback awaited: the dead answer nobody
    if (!this.self.alive) throw new Exit(this.self.exitReason as Term);
    await this.#apply(step, message, from);
  }

  #apply(step: Step<S>, message: Term, from: From | undefined): Promise<void> | undefined {
    this.#state = step.state;
    this.#timeoutMs = step.timeoutMs;
    this.#continue = step.continue;
    if (step.stop !== undefined) return this.#end(step.stop, message, from, step.reply);
    if (from === undefined || step.reply === undefined) return undefined;
    return this.#reply(from, step.reply);
  }

  /** Answers; then waits for the connection if too much waits there, as a BEAM process is suspended. */
  #reply(from: From, value: Term): Promise<void> | undefined {
    const { system } = this.self;
    reply(this.self, from, value);
    if (this.debug.active) debugEvent(this.self, this.debug, tuple(OUT, value, from.pid));
    return this.self.asyncDist || !system.busy(from.pid)
      ? undefined
      : system.distEntry(from.pid.node).channel?.drained();
  }

  async #whileSuspended(): Promise<Term> {
    return (await this.self.receive((message) =>
      parseSystem(message) !== undefined || (isTagged(message, EXIT, 3) && this.#isParentExit(message))
        ? message
        : undefined,
    )) as Term;
  }

  // --- the end ----------------------------------------------------------------------------------------------

  async #crash(error: unknown, message: Term): Promise<never> {
    if (!this.self.alive) throw error; // ended from outside while a callback awaited
    await this.#terminate(reasonOf(error), message);
    throw error;
  }

  async #end(reason: Term, message: Term, from?: From, answer?: Term): Promise<never> {
    if (!this.self.alive) throw new Exit(reason);
    await this.#terminate(reason, message);
    if (from !== undefined && answer !== undefined) reply(this.self, from, answer);
    throw new Exit(reason, reason === NORMAL ? 'the server stops' : 'the server stops abnormally');
  }

  async #terminate(reason: Term, message: Term): Promise<void> {
    await this.#callbacks.terminate?.(reason, this.#state, this.self);
    if (!isOrderly(reason)) reportEnd(this.self, this.#name, message, this.stateTerm(), reason);
  }

  // --- what sys asks ------------------------------------------------------------------------------------------

  stateTerm(): Term {
    const { formatState } = this.#callbacks;
    return formatState === undefined
      ? stateTerm(this.#state)
      : formatState.call(this.#callbacks, this.#state);
  }

  misc(): Term {
    return miscOf(this, 'generic server', this.self.registeredName?.name ?? this.self.pid.key);
  }

  terminate(reason: Term): Promise<never> {
    return this.#end(reason, [], undefined);
  }
}
