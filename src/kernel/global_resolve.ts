// Conflicts of names when two partitions meet (OTP: `global:exchange_names/4`, `resolve_it/4` and the three standard
// resolve functions).
//
// Only the node with the smaller name resolves. The function of the name runs where our process of that name
// is: here, or asked of its node. It says which process keeps the name, or that none does.
import { exceptionOf } from '../erts/exception.js';
import { KILL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ExportFun, OpaqueFun } from '../terms/fun.js';
import { compare, equals } from '../terms/order.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import type { NameEntry, Op } from './global_messages.js';
import type { NameTable } from './global_names.js';

const NONE = atom('none');
const EXIT = atom('EXIT');
const BADRPC = atom('badrpc');
const GLOBAL_NAME_CONFLICT = atom('global_name_conflict');
const MODULE = atom('global');

/** `fun global:random_exit_name/3`: the default. Kills the process on the node with the greater name. */
export const RANDOM_EXIT_NAME: ExportFun = new ExportFun(MODULE, atom('random_exit_name'), 3);
/** `fun global:random_notify_name/3`: tells the process on the node with the greater name that it lost. */
export const RANDOM_NOTIFY_NAME: ExportFun = new ExportFun(MODULE, atom('random_notify_name'), 3);
/** `fun global:notify_all_name/3`: tells both processes that neither has the name. */
export const NOTIFY_ALL_NAME: ExportFun = new ExportFun(MODULE, atom('notify_all_name'), 3);

/**
 * A user's resolve function for `{global, Name}`: resolves to the pid that keeps the name, anything else if
 * none does. `self` is a process of its own.
 */
export type ResolveFunction = (self: Process, name: Term, pid1: Pid, pid2: Pid) => Term | Promise<Term>;

/** How other code is reached from here. */
export interface Resolvers {
  /** The function of this node behind an exported fun. */
  find(method: ExportFun): ResolveFunction | undefined;
  /** `rpc:call(Node, global, resolve_it, Args)`: the result, or `{badrpc, Reason}`. */
  ask(self: Process, node: Atom, args: readonly Term[], timeoutMs: number): Promise<Term>;
}

/** What an exchange of names comes to: operations for us, and those for the peer. */
export interface Resolution {
  readonly ops: Op[];
  readonly resolved: Op[];
}

/** Compares the peer's names with ours and settles conflicts. `timeoutMs` bounds all questions together. */
export async function exchangeNames(
  self: Process,
  theirs: readonly NameEntry[],
  peer: Atom,
  table: NameTable,
  resolvers: Resolvers,
  timeoutMs: number,
): Promise<Resolution> {
  const { system } = self;
  const deadline = system.clock.now() + timeoutMs;
  const weResolve = compare(system.node, peer) < 0;
  const ops: Op[] = [];
  const resolved: Op[] = [];
  for (const his of theirs) {
    const mine = table.get(his.name);
    if (mine === undefined) ops.push({ insert: his });
    else if (mine.pid.key !== his.pid.key && weResolve) {
      const left = Math.max(100, deadline - system.clock.now());
      const result = await settle(self, mine, his, resolvers, left);
      const failed = failureOf(result);
      if (failed !== undefined) {
        const [reason, name] = [format(failed), format(his.name)];
        system.log('info', `global: badrpc ${reason} received when conflicting name ${name} was found`);
      }
      if (failed !== undefined || equals(result, his.pid)) ops.push({ insert: his });
      else if (equals(result, mine.pid)) {
        resolved.push({ insert: { name: mine.name, pid: mine.pid, method: mine.method } });
      } else {
        if (result !== NONE) {
          const [method, name, returned] = [his.method, his.name, result].map((term) => format(term));
          system.log(
            'info',
            `global: Resolve method ${method} for conflicting name ${name} returned ${returned}`,
          );
        }
        ops.push({ delete: his.name });
        resolved.push({ delete: his.name });
      }
    }
  }
  return { ops, resolved };
}

/** Why there is no result: the question failed, or what was asked exited, which for `rpc` is the same. */
function failureOf(result: Term): Term | undefined {
  if (isTagged(result, BADRPC, 2)) return result.elements[1];
  return isTagged(result, EXIT, 2) ? result : undefined;
}

async function settle(
  self: Process,
  mine: NameEntry,
  his: NameEntry,
  resolvers: Resolvers,
  timeoutMs: number,
): Promise<Term> {
  const args = [mine.method, mine.name, his.pid, mine.pid];
  if (mine.pid.node !== self.node) return resolvers.ask(self, mine.pid.node, args, timeoutMs);
  if (canRun(mine.method, resolvers))
    return resolveIt(self, mine.method, mine.name, his.pid, mine.pid, resolvers);
  // A fun of code that we do not have: the node that gave it to us may be of the peer's kind.
  return resolvers.ask(self, his.pid.node, args, timeoutMs);
}

function canRun(method: Term, resolvers: Resolvers): boolean {
  return (
    standard(method) !== undefined || (method instanceof ExportFun && resolvers.find(method) !== undefined)
  );
}

/** `global:resolve_it/4`: runs a resolve function here. What it throws is its result, as `catch` makes it. */
export async function resolveIt(
  self: Process,
  method: Term,
  name: Term,
  pid1: Pid,
  pid2: Pid,
  resolvers: Resolvers,
): Promise<Term> {
  const run = standard(method) ?? (method instanceof ExportFun ? resolvers.find(method) : undefined);
  if (run === undefined) return tuple(EXIT, tuple(atom('undef'), []));
  try {
    return await run(self, name, pid1, pid2);
  } catch (error) {
    self.system.log('error', `a resolve function failed: ${String(error)}`, { name: format(name) });
    const { kind, reason, stacktrace } = exceptionOf(error);
    if (kind === 'throw') return reason;
    return tuple(EXIT, kind === 'exit' ? reason : tuple(reason, stacktrace));
  }
}

/** Names registered through OTP carry a local fun of module `global` for the default method. */
function standard(method: Term): ResolveFunction | undefined {
  if (method instanceof OpaqueFun) return method.module === MODULE ? randomExitName : undefined;
  if (!(method instanceof ExportFun)) return undefined;
  if (equals(method, RANDOM_EXIT_NAME)) return randomExitName;
  if (equals(method, RANDOM_NOTIFY_NAME)) return randomNotifyName;
  return equals(method, NOTIFY_ALL_NAME) ? notifyAllName : undefined;
}

function minMax(pid1: Pid, pid2: Pid): readonly [Pid, Pid] {
  return compare(pid1.node, pid2.node) < 0 ? [pid1, pid2] : [pid2, pid1];
}

function randomExitName(self: Process, name: Term, pid1: Pid, pid2: Pid): Pid {
  const [min, max] = minMax(pid1, pid2);
  self.system.log('info', `global: Name conflict terminating ${format(tuple(name, max))}`);
  self.exitSignal(max, KILL);
  return min;
}

function randomNotifyName(self: Process, name: Term, pid1: Pid, pid2: Pid): Pid {
  const [min, max] = minMax(pid1, pid2);
  self.send(max, tuple(GLOBAL_NAME_CONFLICT, name));
  return min;
}

function notifyAllName(self: Process, name: Term, pid1: Pid, pid2: Pid): Atom {
  self.send(pid1, tuple(GLOBAL_NAME_CONFLICT, name, pid2));
  self.send(pid2, tuple(GLOBAL_NAME_CONFLICT, name, pid1));
  return NONE;
}
