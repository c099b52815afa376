// Processes that start in step with their parent and tell when they crash, as OTP's proc_lib.erl: `$ancestors`
// and `$initial_call` in the dictionary, a start that waits for the child's word, crash reports in OTP's form.
import { Exit } from '../errors.js';
import { exceptionOf, reasonOf } from '../erts/exception.js';
import { NORMAL, type Process, type ProcessMain } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ExportFun } from '../terms/fun.js';
import { map } from '../terms/map.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

/** How a start ended. `ignore`: the child decided not to run; that is no failure. */
export type StartResult =
  | { readonly ok: Pid; readonly info?: Term }
  | { readonly error: Term }
  | { readonly ignore: true };

/** Module, function and arity, as `$initial_call` tells them. */
export type InitialCall = readonly [module: Atom, fun: Atom, arity: number];

export interface StartOptions {
  readonly link: boolean;
  readonly initialCall: InitialCall;
  /** How long the child may take to start; it is killed then, and the start is `{error, timeout}`. */
  readonly timeoutMs?: number;
}

const ANCESTORS = atom('$ancestors');
const INITIAL_CALL = atom('$initial_call');
const EXIT = atom('EXIT');
const KILL = atom('kill');
const SHUTDOWN = atom('shutdown');
const TIMEOUT = atom('timeout');
const INIT_P: InitialCall = [atom('proc_lib'), atom('init_p'), 5];

/**
 * Starts `main` in a process of its own and waits until it says how its start went, or ends. A start that
 * is not `ok` counts when the child has ended, so that its names are free again.
 */
export async function start(
  parent: Process,
  main: (self: Process, ack: (result: StartResult) => void) => Promise<void>,
  options: StartOptions,
): Promise<StartResult> {
  let failure: StartResult | undefined;
  let resolve: (result: StartResult) => void = () => {};
  const promise = new Promise<StartResult>((started) => {
    resolve = started;
  });
  const ack = (result: StartResult): void => {
    if ('ok' in result) resolve(result);
    else failure ??= result;
  };
  const child = spawnProcess(parent, (self) => main(self, ack), options);
  child.signal.addEventListener('abort', () => resolve(failure ?? { error: child.exitReason as Term }));
  const { clock } = parent.system;
  const timer =
    options.timeoutMs === undefined || !Number.isFinite(options.timeoutMs)
      ? undefined
      : clock.setTimeout(() => {
          failure = { error: TIMEOUT };
          parent.unlink(child.pid);
          child.exitArrived(parent.pid, KILL, 'exit2');
        }, options.timeoutMs);
  const result = await promise;
  if (timer !== undefined) clock.clearTimeout(timer);
  if (!('ok' in result)) forgetExit(parent, child.pid);
  return result;
}

/** Starts a process with `$ancestors`, `$initial_call` and a crash report when it ends abnormally. */
export function spawn(parent: Process, main: ProcessMain, initialCall: InitialCall): Pid {
  return spawnProcess(parent, main, { link: false, initialCall }).pid;
}

/** `spawn`, linked to its parent. */
export function spawnLink(parent: Process, main: ProcessMain, initialCall: InitialCall): Pid {
  return spawnProcess(parent, main, { link: true, initialCall }).pid;
}

function spawnProcess(parent: Process, main: ProcessMain, options: StartOptions): Process {
  const ancestors = [parent.registeredName ?? parent.pid, ...ancestorsOf(parent)];
  return parent.system.spawn(
    async (self) => {
      self.dictionary.set(ANCESTORS, ancestors);
      self.dictionary.set(INITIAL_CALL, tuple(...options.initialCall));
      try {
        await main(self);
      } catch (error) {
        crashReport(self, error);
        throw error instanceof Exit ? error : new Exit(reasonOf(error));
      }
    },
    {
      initialCall: INIT_P,
      ...(parent.groupLeader === undefined ? {} : { groupLeader: parent.groupLeader }),
      ...(options.link ? { link: parent } : {}),
    },
  );
}

/** Who started this process, and who started that one, and so on. */
export function ancestorsOf(process: Process): readonly Term[] {
  const ancestors = process.dictionary.get(ANCESTORS);
  return Array.isArray(ancestors) ? (ancestors as readonly Term[]) : [];
}

/** `$initial_call` of a process started here, else what it was spawned with (`translate_initial_call`). */
export function initialCallOf(process: Process): InitialCall {
  const call = process.dictionary.get(INITIAL_CALL);
  if (!(call instanceof Tuple)) return process.initialCall;
  const [module, fun, arity] = call.elements;
  if (!(module instanceof Atom) || !(fun instanceof Atom) || typeof arity !== 'number') {
    return process.initialCall;
  }
  return [module, fun, arity];
}

/** A trapping parent does not see the exit of a child that failed to start: its start result says it. */
function forgetExit(parent: Process, child: Pid): void {
  parent.mailbox.take((message) => {
    if (!isTagged(message, EXIT, 3)) return undefined;
    const from = message.elements[1];
    return from instanceof Pid && from.key === child.key ? true : undefined;
  });
}

/** Whether an exit reason is one of an orderly end: `normal`, `shutdown`, `{shutdown, _}`. */
export function isOrderly(reason: Term): boolean {
  return reason === NORMAL || reason === SHUTDOWN || isTagged(reason, SHUTDOWN, 2);
}

/** Tells the log of a crash, with what OTP's crash report has. */
export function crashReport(self: Process, error: unknown): void {
  if (error instanceof Exit && isOrderly(error.reason)) return;
  if (!self.alive) return; // killed from outside: BEAM tells nobody either
  const { kind, reason, stacktrace } = exceptionOf(error);
  const [module, fun, arity] = initialCallOf(self);
  const own: Term = [
    tuple(atom('initial_call'), tuple(module, fun, arity)),
    tuple(atom('pid'), self.pid),
    tuple(atom('registered_name'), self.registeredName ?? []),
    tuple(atom('error_info'), tuple(atom(kind), reason, stacktrace)),
    tuple(atom('ancestors'), ancestorsOf(self)),
    tuple(atom('message_queue_len'), self.mailbox.size),
    tuple(atom('messages'), self.mailbox.toArray().slice(0, MAX_REPORTED_MESSAGES)),
    tuple(atom('links'), self.linkedPids()),
    tuple(atom('dictionary'), userDictionary(self)),
    tuple(atom('trap_exit'), self.trapExit),
    tuple(atom('status'), atom('running')),
    tuple(atom('reductions'), self.reductions),
  ];
  const report = map([atom('label'), tuple(atom('proc_lib'), atom('crash'))], [atom('report'), [own, []]]);
  self.system.log(
    'error',
    `crasher: initial call: ${module.name}:${fun.name}/${arity}, pid: ${format(self.pid)}, ` +
      `registered_name: ${self.registeredName?.name ?? '[]'}, error: ${format(reason, MAX_REASON_TEXT)}`,
    {},
    { pid: self.pid, groupLeader: self.groupLeader, report, reportCallback: REPORT_CALLBACK },
  );
}

/** What shows such a report on BEAM. */
const REPORT_CALLBACK = new ExportFun(atom('proc_lib'), atom('report_cb'), 2);
/** Characters of a reason in a line of the log. */
const MAX_REASON_TEXT = 2000;
/** Messages of a crashed process that its report shows. */
const MAX_REPORTED_MESSAGES = 10;

function userDictionary(self: Process): Term {
  return [...self.dictionary]
    .filter(([key]) => key !== ANCESTORS && key !== INITIAL_CALL)
    .map(([key, value]) => tuple(key, value));
}
