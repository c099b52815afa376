// Processes that start in step with their parent and tell when they crash, as OTP's proc_lib.erl: `$ancestors`
// and `$initial_call` in the dictionary, a start that waits for the child's word, crash reports in OTP's form.
import { Exit } from '../errors.js';
import { reasonOf } from '../erts/exception.js';
import type { Process, ProcessMain } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import { ANCESTORS, ancestorsOf, INITIAL_CALL, type InitialCall } from './ancestry.js';
import { crashReport } from './crash_report.js';

export { ancestorsOf, type InitialCall, initialCallOf } from './ancestry.js';

/** How a start ended. `ignore`: the child decided not to run; that is no failure. */
export type StartResult =
  | { readonly ok: Pid; readonly info?: Term }
  | { readonly error: Term }
  | { readonly ignore: true };

export interface StartOptions {
  readonly link: boolean;
  readonly initialCall: InitialCall;
  /** How long the child may take to start; it is killed then, and the start is `{error, timeout}`. */
  readonly timeoutMs?: number;
}

const EXIT = atom('EXIT');
const KILL = atom('kill');
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

/** A trapping parent does not see the exit of a child that failed to start: its start result says it. */
function forgetExit(parent: Process, child: Pid): void {
  parent.mailbox.take((message) => {
    if (!isTagged(message, EXIT, 3)) return undefined;
    const from = message.elements[1];
    return from instanceof Pid && from.key === child.key ? true : undefined;
  });
}
