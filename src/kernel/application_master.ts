// The process that is an application to the rest of the node: group leader of all its processes, linked to the
// application controller (OTP: application_master.erl).
//
//     application master ── starter ── top supervisor ── …
//
// The starter runs the callbacks, so that the master can pass on what the application prints meanwhile. To stop:
// `prepStop`, then the supervisor is told `shutdown`, then `stop`, then every process whose group leader is the
// master is killed.
import { Exit } from '../errors.js';
import { reasonOf } from '../erts/exception.js';
import type { Process } from '../erts/process.js';
import { type StartResult, start as startProcess } from '../stdlib/proc_lib.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { ApplicationStart } from './application.js';
import type { Loaded } from './application_spec.js';
import { runPhases } from './application_starter.js';

const EXIT = atom('EXIT');
const NORMAL = atom('normal');
const SHUTDOWN = atom('shutdown');
const KILL = atom('kill');
const OK = atom('ok');
const ERROR = atom('error');
const START = atom('start');
const STOP = atom('stop');
const TIMEOUT = atom('timeout');
const LOCAL = atom('local');
const START_TYPE = atom('start_type');
const GET_CHILD = atom('get_child');
const TERMINATE = atom('terminate');
const CHILD = atom('child');
const DOWN = atom('DOWN');
const USER = atom('user');
const IO_REQUEST = atom('io_request');
const BAD_RETURN = atom('bad_return');
const UNDEF = atom('undef');

/** Finds a loaded application: its start phases may concern included ones. */
export type FindLoaded = (name: Atom) => Loaded | undefined;

/**
 * Starts an application and its master, linked to `controller`. The error is the reason that the callback gave, in
 * OTP's form `{Reason, {Module, start, [Type, Args]}}`.
 */
export function startMaster(
  starter: Process,
  controller: Pid,
  loaded: Loaded,
  type: Term,
  find: FindLoaded,
  started: (master: Pid) => void,
): Promise<StartResult> {
  return startProcess(
    starter,
    async (self, ack) => {
      self.link(controller);
      started(self.pid);
      await new Master(self, controller, loaded, find).run(type, ack);
    },
    { link: false, initialCall: [atom('application_master'), atom('init'), 4] },
  );
}

/** Stops the application of that master; resolves when nothing of it is left. */
export async function stopMaster(self: Process, master: Pid): Promise<void> {
  const ref = self.monitor(master);
  const tag = self.makeRef();
  self.send(master, tuple(STOP, tag, self.pid));
  await self.receive((message) =>
    isTagged(message, DOWN, 5) && (message.elements[1] as Reference).key === ref.key ? true : undefined,
  );
}

class Master {
  readonly #self: Process;
  readonly #controller: Pid;
  readonly #loaded: Loaded;
  readonly #find: FindLoaded;
  /** Where output went before the master became the group leader. */
  readonly #leader: Pid | undefined;
  #starter: Pid | undefined;

  constructor(self: Process, controller: Pid, loaded: Loaded, find: FindLoaded) {
    this.#self = self;
    this.#controller = controller;
    this.#loaded = loaded;
    this.#find = find;
    this.#leader = self.groupLeader;
    self.trapExit = true;
    self.groupLeader = self.pid;
  }

  async run(type: Term, ack: (result: StartResult) => void): Promise<void> {
    const self = this.#self;
    const tag = self.makeRef();
    this.#starter = self.spawnLink((starter) =>
      runStarter(starter, self.pid, tag, this.#loaded, type, this.#find),
    );
    for (;;) {
      const message = (await self.next()) as Term;
      if (isTagged(message, EXIT, 3)) this.#failed(message, ack);
      else if (isStartResult(message, tag)) {
        const [, result, reason] = message.elements;
        if (result === OK) break;
        this.#fail(reason as Term, ack);
      } else await this.#other(message, type);
    }
    const { maxTimeMs } = this.#loaded;
    if (maxTimeMs !== undefined) self.sendAfter(maxTimeMs, self.pid, TIMEOUT);
    ack({ ok: self.pid });
    for (;;) await this.#running((await self.next()) as Term);
  }

  #failed(exit: Tuple, ack: (result: StartResult) => void): void {
    const [, from, reason] = exit.elements as readonly [Term, Pid, Term];
    if (from.key === this.#starter?.key) this.#fail(reason, ack);
    if (from.key === this.#controller.key) this.#end(reason);
  }

  #fail(reason: Term, ack: (result: StartResult) => void): never {
    ack({ error: reason });
    this.#killAll();
    throw new Exit(NORMAL);
  }

  async #running(message: Term): Promise<void> {
    if (message === TIMEOUT) await this.#terminate(NORMAL);
    else if (isTagged(message, EXIT, 3)) {
      const [, from, reason] = message.elements as readonly [Term, Pid, Term];
      if (from.key === this.#controller.key) await this.#terminate(reason);
      else if (from.key === this.#starter?.key) this.#end(reason);
    } else await this.#other(message, LOCAL);
  }

  async #other(message: Term, type: Term): Promise<void> {
    const self = this.#self;
    if (!(message instanceof Tuple)) return;
    const [tag, a, b] = message.elements;
    if (tag === IO_REQUEST) this.#relay(message);
    else if (tag === START_TYPE && a instanceof Pid) self.send(a, tuple(START_TYPE, type));
    else if (tag === GET_CHILD && b instanceof Pid && this.#starter !== undefined) {
      self.send(this.#starter, tuple(GET_CHILD, a as Term, b));
    } else if (tag === STOP && b instanceof Pid) {
      await this.#terminate(NORMAL, () => self.send(b, tuple(a as Term, OK)));
    }
  }

  /** What the application prints goes where it went before. */
  #relay(request: Tuple): void {
    const leader = this.#leader ?? this.#self.system.whereis(USER)?.pid;
    if (leader !== undefined) this.#self.send(leader, request);
  }

  /** Ends the application in good order, then this process with that reason. */
  async #terminate(reason: Term, done: () => void = () => {}): Promise<never> {
    const starter = this.#starter as Pid;
    this.#self.send(starter, TERMINATE);
    for (;;) {
      const message = (await this.#self.next()) as Term;
      if (isTagged(message, EXIT, 3) && (message.elements[1] as Pid).key === starter.key) break;
      if (message instanceof Tuple && message.elements[0] === IO_REQUEST) this.#relay(message);
    }
    this.#killAll();
    done();
    throw new Exit(reason);
  }

  #end(reason: Term): never {
    this.#killAll();
    throw new Exit(reason);
  }

  #killAll(): void {
    for (const process of this.#self.system.processes()) {
      if (process !== this.#self && process.groupLeader?.key === this.#self.pid.key) {
        this.#self.exitSignal(process.pid, KILL);
      }
    }
  }
}

function isStartResult(message: Term, tag: Reference): message is Tuple {
  if (!(message instanceof Tuple) || message.elements.length !== 3) return false;
  const [ref] = message.elements;
  return typeof ref === 'object' && 'key' in ref && ref.key === tag.key;
}

// --- the starter ------------------------------------------------------------------------------------------------

/** Runs `start` and the start phases, tells the master, and waits to run `prepStop` and `stop`. */
async function runStarter(
  self: Process,
  master: Pid,
  tag: Reference,
  loaded: Loaded,
  type: Term,
  find: FindLoaded,
): Promise<void> {
  self.trapExit = true;
  const started = await callStart(self, loaded, type);
  if ('error' in started) {
    self.send(master, tuple(tag, ERROR, started.error));
    return;
  }
  self.link(started.ok);
  const failure = await runPhases(self, loaded, type, find);
  if (failure !== undefined) {
    self.exitSignal(started.ok, SHUTDOWN);
    await exitOf(self, started.ok);
    self.send(master, tuple(tag, ERROR, failure));
    return;
  }
  self.send(master, tuple(tag, OK, started.ok));
  await untilTheEnd(self, master, loaded, started.ok, started.state ?? []);
}

async function callStart(self: Process, loaded: Loaded, type: Term): Promise<ApplicationStart> {
  const { module, args } = loaded.mod as NonNullable<Loaded['mod']>;
  const call = tuple(module, START, [type, args]);
  const start = loaded.callbacks?.start;
  if (start === undefined) {
    const undef = tuple(EXIT, tuple(UNDEF, [tuple(module, START, [type, args], [])]));
    return { error: tuple(BAD_RETURN, tuple(call, undef)) };
  }
  try {
    const result = await start.call(loaded.callbacks, type, args, self);
    checkStart(result);
    return 'error' in result ? { error: tuple(result.error, call) } : result;
  } catch (error) {
    const exit = tuple(EXIT, reasonOf(error));
    if (reasonOf(error) === NORMAL) return { error: tuple(exit, call) };
    return { error: tuple(BAD_RETURN, tuple(call, exit)) };
  }
}

/** What comes from JavaScript may be anything. */
function checkStart(result: unknown): void {
  const { ok, error } = (result ?? {}) as { readonly ok?: unknown; readonly error?: unknown };
  if (error instanceof Error) throw error;
  if (error === undefined && !(ok instanceof Pid)) {
    throw new TypeError('start resolved neither to { ok } with the pid of a supervisor nor to { error }');
  }
}

async function untilTheEnd(
  self: Process,
  master: Pid,
  loaded: Loaded,
  child: Pid,
  state: unknown,
): Promise<void> {
  for (;;) {
    const message = (await self.next()) as Term;
    if (message === TERMINATE) await end(self, loaded, child, state, SHUTDOWN, NORMAL);
    if (isTagged(message, GET_CHILD, 3)) {
      const [, ref, to] = message.elements as readonly [Term, Term, Pid];
      self.send(to, tuple(ref, tuple(child, loaded.mod?.module ?? CHILD)));
    }
    if (!isTagged(message, EXIT, 3)) continue;
    const [, from, reason] = message.elements as readonly [Term, Pid, Term];
    if (from.key === master.key) await end(self, loaded, child, state, reason, reason);
    if (from.key === child.key) await ended(self, loaded, state, reason);
  }
}

/** `prepStop`, the supervisor ends, `stop`. */
async function end(
  self: Process,
  loaded: Loaded,
  child: Pid,
  state: unknown,
  tell: Term,
  reason: Term,
): Promise<never> {
  const left = await prepStop(self, loaded, state);
  self.exitSignal(child, tell);
  await exitOf(self, child);
  await stop(self, loaded, left);
  throw new Exit(reason);
}

async function exitOf(self: Process, child: Pid): Promise<void> {
  await self.receive((message) =>
    isTagged(message, EXIT, 3) && (message.elements[1] as Pid).key === child.key ? true : undefined,
  );
}

async function ended(self: Process, loaded: Loaded, state: unknown, reason: Term): Promise<never> {
  await stop(self, loaded, await prepStop(self, loaded, state));
  throw new Exit(reason);
}

async function prepStop(self: Process, loaded: Loaded, state: unknown): Promise<unknown> {
  const callback = loaded.callbacks?.prepStop;
  if (callback === undefined) return state;
  try {
    return await callback.call(loaded.callbacks, state, self);
  } catch (error) {
    const text = `prepStop of ${loaded.name.name} failed: ${format(reasonOf(error), 1000)}`;
    self.system.log('error', text, error instanceof Error ? { error: error.stack ?? String(error) } : {});
    return state;
  }
}

async function stop(self: Process, loaded: Loaded, state: unknown): Promise<void> {
  try {
    await loaded.callbacks?.stop?.(state, self);
  } catch (error) {
    const text = `stop of ${loaded.name.name} failed: ${format(reasonOf(error), 1000)}`;
    self.system.log('error', text, error instanceof Error ? { error: error.stack ?? String(error) } : {});
  }
}
