// What a supervisor does to one child: count its restarts, end it, describe it in OTP's words.
import { reasonOf } from '../erts/exception.js';
import type { Process } from '../erts/process.js';
import type { Clock } from '../erts/timer.js';
import { Atom, atom } from '../terms/atom.js';
import { map } from '../terms/map.js';
import { keyOf } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { isOrderly } from './crash_report.js';
import type { StartResult } from './proc_lib.js';
import type { AutoShutdown, ChildSpec, SupervisorOptions } from './supervisor.js';

/** A child as the supervisor knows it. */
export interface Child {
  readonly spec: ChildSpec;
  /** What `startDynamicChild` gave it. */
  readonly args: readonly Term[];
  pid: Pid | undefined;
  /** Its restart failed and will be tried again. */
  restarting: boolean;
}

const DOWN = atom('DOWN');
const EXIT = atom('EXIT');
const KILL = atom('kill');
const KILLED = atom('killed');
const SHUTDOWN = atom('shutdown');
const BRUTAL_KILL = atom('brutal_kill');
const OK = atom('ok');
const ERROR = atom('error');
const UNDEFINED = atom('undefined');
const RESTARTING = atom('restarting');
const INFINITY = atom('infinity');

/** A counter of restarts: true as long as there are at most `intensity` within `periodMs`. */
export function restartIntensity(clock: Clock, intensity: number, periodMs: number): () => boolean {
  let restarts: number[] = [];
  return () => {
    const now = clock.now();
    restarts = [...restarts.filter((at) => now - at <= periodMs), now];
    return restarts.length <= intensity;
  };
}

/** Ends children at the same time; resolves to those that ended otherwise than asked, with their reasons. */
export async function shutdownChildren(
  self: Process,
  children: readonly Child[],
): Promise<(readonly [Child, Term])[]> {
  const { clock } = self.system;
  const ending = children
    .filter((child) => child.pid !== undefined)
    .map((child) => {
      const pid = child.pid as Pid;
      const ref = self.monitor(pid);
      const limit = shutdownTime(child.spec);
      self.exitSignal(pid, limit === 'brutal_kill' ? KILL : SHUTDOWN);
      const deadline = typeof limit === 'number' ? clock.now() + limit : undefined;
      return { child, pid, ref, deadline };
    });
  const failures: (readonly [Child, Term])[] = [];
  for (const { child, pid, ref, deadline } of ending) {
    const left = deadline === undefined ? undefined : Math.max(0, deadline - clock.now());
    let reason = await downReason(self, ref, left);
    if (reason === undefined) {
      self.exitSignal(pid, KILL);
      reason = (await downReason(self, ref)) as Term;
    }
    self.unlink(pid);
    reason = exitReasonOf(self, pid) ?? reason;
    if (!isAsAsked(reason, child.spec)) failures.push([child, reason]);
  }
  return failures;
}

/** Workers have five seconds, supervisors as long as they need. */
function shutdownTime(spec: ChildSpec): number | 'infinity' | 'brutal_kill' {
  return spec.shutdownMs ?? (spec.type === 'supervisor' ? 'infinity' : 5000);
}

function isAsAsked(reason: Term, spec: ChildSpec): boolean {
  if (reason === (shutdownTime(spec) === 'brutal_kill' ? KILLED : SHUTDOWN)) return true;
  return isOrderly(reason) && (spec.restart ?? 'permanent') !== 'permanent';
}

function downReason(self: Process, ref: Reference, timeoutMs?: number): Promise<Term | undefined> {
  return self.receive((message) => {
    if (!isTagged(message, DOWN, 5)) return undefined;
    return (message.elements[1] as Reference).key === ref.key ? message.elements[4] : undefined;
  }, timeoutMs);
}

/** The child's exit signal, if it came before we unlinked. */
function exitReasonOf(self: Process, pid: Pid): Term | undefined {
  return self.mailbox.take((message) => {
    if (!isTagged(message, EXIT, 3)) return undefined;
    const from = message.elements[1];
    return from instanceof Pid && from.key === pid.key ? message.elements[2] : undefined;
  });
}

/** What is wrong with a specification, in OTP's words; undefined if nothing is. */
export function specFault(spec: ChildSpec, autoShutdown: AutoShutdown): Term | undefined {
  if (spec.significant !== true) return undefined;
  const combined = (key: string, value: string): Term =>
    tuple(atom('bad_combination'), [tuple(atom(key), atom(value)), tuple(atom('significant'), true)]);
  if (autoShutdown === 'never') return combined('auto_shutdown', 'never');
  return (spec.restart ?? 'permanent') === 'permanent' ? combined('restart', 'permanent') : undefined;
}

/** What is wrong with the specifications of a supervisor; undefined if nothing is. */
export function specsFault(specs: readonly ChildSpec[], autoShutdown: AutoShutdown): Term | undefined {
  const ids = new Set<unknown>();
  for (const spec of specs) {
    const fault = specFault(spec, autoShutdown);
    if (fault !== undefined) return fault;
    const id = keyOf(spec.id);
    if (ids.has(id)) return tuple(atom('duplicate_child_name'), spec.id);
    ids.add(id);
  }
  return undefined;
}

/** Runs the start function of a child; what it throws is a failed start. */
export async function startOf(supervisor: Process, child: Child): Promise<StartResult> {
  try {
    return await child.spec.start(supervisor, child.args);
  } catch (error) {
    return { error: tuple(EXIT, reasonOf(error)) };
  }
}

// --- in OTP's words ---------------------------------------------------------------------------------------------

/** The answer to `start_child` and `restart_child`. */
export function startTerm(result: StartResult): Term {
  if ('error' in result) return tuple(ERROR, result.error);
  if ('ignore' in result) return tuple(OK, UNDEFINED);
  return result.info === undefined ? tuple(OK, result.ok) : tuple(OK, result.ok, result.info);
}

/** How a supervisor names itself in reports. */
export function supervisorName(self: Process, options: SupervisorOptions): Term {
  const { name } = options;
  if (name instanceof Atom) return tuple(atom('local'), name);
  return name instanceof Tuple ? name : tuple(self.pid, options.module ?? atom('supervisor'));
}

/** The pid of a child as `which_children` tells it. */
export function pidTerm(child: Child): Term {
  return child.restarting ? RESTARTING : (child.pid ?? UNDEFINED);
}

export function modulesOf(spec: ChildSpec): readonly Term[] {
  return spec.modules ?? [];
}

function startFunction(spec: ChildSpec): Term {
  return tuple(modulesOf(spec)[0] ?? UNDEFINED, atom('start_link'), []);
}

function shutdownTerm(spec: ChildSpec): Term {
  const limit = shutdownTime(spec);
  if (typeof limit === 'number') return limit;
  return limit === 'infinity' ? INFINITY : BRUTAL_KILL;
}

function facts(spec: ChildSpec): (readonly [Atom, Term])[] {
  return [
    [atom('restart_type'), atom(spec.restart ?? 'permanent')],
    [atom('significant'), spec.significant ?? false],
    [atom('shutdown'), shutdownTerm(spec)],
    [atom('child_type'), atom(spec.type ?? 'worker')],
  ];
}

/** The child of a report: what OTP lists as offender. */
export function offender(child: Child): Term {
  const { spec } = child;
  return [
    tuple(atom('pid'), pidTerm(child)),
    tuple(atom('id'), spec.id),
    tuple(atom('mfargs'), startFunction(spec)),
    ...facts(spec).map(([key, value]) => tuple(key, value)),
  ];
}

/** The map of `get_childspec`. */
export function childSpecTerm(spec: ChildSpec): Term {
  return map(
    [atom('id'), spec.id],
    [atom('start'), startFunction(spec)],
    [atom('restart'), atom(spec.restart ?? 'permanent')],
    [atom('significant'), spec.significant ?? false],
    [atom('shutdown'), shutdownTerm(spec)],
    [atom('type'), atom(spec.type ?? 'worker')],
    [atom('modules'), modulesOf(spec)],
  );
}
