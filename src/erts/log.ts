// Where the runtime's log events go: a sink that the node sets; silent until then.
import type { ExportFun } from '../terms/fun.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';

/** OTP's eight, the most severe first. */
export const LOG_LEVELS = [
  'emergency',
  'alert',
  'critical',
  'error',
  'warning',
  'notice',
  'info',
  'debug',
] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event of a process carries beside its text: for sinks that pass it on to other nodes. */
export interface LogOrigin {
  readonly pid: Pid;
  readonly groupLeader: Pid | undefined;
  /** The event as an Erlang report (a map or a list of pairs), when it has that form. */
  readonly report?: Term;
  /** The function of a BEAM node that shows such a report as its own. */
  readonly reportCallback?: ExportFun;
  /** The event as format and arguments of `io_lib:format`, when it has that form. */
  readonly message?: { readonly format: string; readonly args: readonly Term[] };
}

/** A log sink. `text` is one line for a person; `fields` are for machines and hold no secret. */
export type Log = (
  level: LogLevel,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
  origin?: LogOrigin,
) => void;

/**
 * A sink that never fails: what goes wrong in that of the user must not end who logs. What it throws is lost, since there
 * is nowhere to tell it.
 */
export function guarded(log: Log): Log {
  return (...event) => {
    try {
      const done: unknown = log(...event);
      if (done instanceof Promise) done.catch(() => {});
    } catch {}
  };
}

/** Drops everything. */
export const silent: Log = () => {};
