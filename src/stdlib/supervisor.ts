// A process that starts its children in order, restarts them by a strategy, and ends them in reverse order, as
// OTP's supervisor.erl. What it does is in `supervisor_server`; here is how it is started and asked.
import { Exit } from '../errors.js';
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import { call, type ServerRef, whereisServer } from './gen.js';
import { type Limits, unlimited } from './limits.js';
import type { StartResult } from './proc_lib.js';

/** Which children follow when one ends: none, all, those started after it; or all children are of one kind. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';

/** How a supervisor restarts its children; `sup_flags()` of OTP. */
export interface SupervisorFlags {
  readonly strategy?: Strategy;
  /** More than `intensity` restarts (default 1) within `periodMs` (default 5000) end the supervisor. */
  readonly intensity?: number;
  readonly periodMs?: number;
  /**
   * Whether the supervisor ends, with `shutdown`, when a `significant` child has ended and is not restarted: `never` (default),
   * with any of them, or with the last.
   */
  readonly autoShutdown?: AutoShutdown;
}

/** When a supervisor ends with its children; see `SupervisorFlags.autoShutdown`. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

/** One child. */
export interface ChildSpec {
  readonly id: Term;
  /** Starts the child linked to the supervisor. `args`: what `startChild` of a `simple_one_for_one` adds. */
  readonly start: (supervisor: Process, args: readonly Term[]) => Promise<StartResult>;
  /** `permanent` (default): always restarted; `transient`: after an abnormal end; `temporary`: never. */
  readonly restart?: Restart;
  /** See `autoShutdown`, which must not be `never` then; not for `permanent` children. */
  readonly significant?: boolean;
  /** How long it may take to end; 5000 for workers, `infinity` for supervisors. */
  readonly shutdownMs?: number | 'infinity' | 'brutal_kill';
  readonly type?: 'worker' | 'supervisor';
  /** What `which_children` tells as modules. */
  readonly modules?: readonly Term[];
}

export type Restart = 'permanent' | 'transient' | 'temporary';

export interface SupervisorOptions {
  readonly name?: Atom | Tuple;
  /** The callback module that a BEAM supervisor would have, as introspection shows it. */
  readonly module?: Atom;
}

const START_CHILD = atom('start_child');
const TERMINATE_CHILD = atom('terminate_child');
const RESTART_CHILD = atom('restart_child');
const DELETE_CHILD = atom('delete_child');

// What asks a supervisor waits without limit, as OTP's does, unless told otherwise.

/** A supervisor's place for child specifications of its own node, which no message can carry. @internal */
export interface SpecDesk {
  deposit(spec: ChildSpec): Reference;
}

/**
 * Starts a child of a supervisor of this node. Answers `{ok, Pid}`, `{ok, Pid, Info}`, `{ok, undefined}` or
 * `{error, Reason}` as OTP does.
 */
export function startChild(
  self: Process,
  supervisor: ServerRef,
  spec: ChildSpec,
  limits?: Limits,
): Promise<Term> {
  const pid = whereisServer(self.system, supervisor);
  const desk = pid instanceof Pid ? self.system.process(pid)?.behaviour : undefined;
  if (desk === undefined || !isSpecDesk(desk)) {
    throw new Exit(
      tuple(atom('noproc'), tuple(atom('supervisor'), START_CHILD, [])),
      'no supervisor is there',
    );
  }
  return call(self, supervisor, tuple(START_CHILD, desk.deposit(spec)), unlimited(limits));
}

/** Starts one more child of a `simple_one_for_one` supervisor, here or elsewhere, with these arguments. */
export function startDynamicChild(
  self: Process,
  supervisor: ServerRef,
  args: readonly Term[],
  limits?: Limits,
): Promise<Term> {
  return call(self, supervisor, tuple(START_CHILD, args), unlimited(limits));
}

/** Ends a child, which stays known unless it is temporary: `ok` or `{error, not_found}`. */
export function terminateChild(
  self: Process,
  supervisor: ServerRef,
  id: Term,
  limits?: Limits,
): Promise<Term> {
  return call(self, supervisor, tuple(TERMINATE_CHILD, id), unlimited(limits));
}

/** Starts a child that has ended and is still known: `{ok, Pid}`, or `{error, running | restarting | not_found | Reason}`. */
export function restartChild(self: Process, supervisor: ServerRef, id: Term, limits?: Limits): Promise<Term> {
  return call(self, supervisor, tuple(RESTART_CHILD, id), unlimited(limits));
}

/** Forgets a child that does not run: `ok` or `{error, running | restarting | not_found}`. */
export function deleteChild(self: Process, supervisor: ServerRef, id: Term, limits?: Limits): Promise<Term> {
  return call(self, supervisor, tuple(DELETE_CHILD, id), unlimited(limits));
}

/** `[{Id, Pid | restarting | undefined, worker | supervisor, Modules}]`, the latest first. */
export function whichChildren(self: Process, supervisor: ServerRef, limits?: Limits): Promise<Term> {
  return call(self, supervisor, atom('which_children'), unlimited(limits));
}

/** `[{specs, N}, {active, N}, {supervisors, N}, {workers, N}]`. */
export function countChildren(self: Process, supervisor: ServerRef, limits?: Limits): Promise<Term> {
  return call(self, supervisor, atom('count_children'), unlimited(limits));
}

function isSpecDesk(value: object): value is SpecDesk {
  return 'deposit' in value;
}

export { startLink } from './supervisor_server.js';
