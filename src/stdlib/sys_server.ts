// System messages: what any process behind a name answers to `{system, {Pid, Tag}, Request}`, as OTP's sys.erl.
//
// A behaviour describes itself by a `SystemTarget`; the answers are formed here. Functions of a caller cannot run here:
// `install` is refused, and `replace_state` fails as on a node that lacks the function's module.
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { format } from '../terms/format.js';
import { ExportFun, OpaqueFun } from '../terms/fun.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { type From, parseFrom, reply } from './gen.js';
import { otpRelease } from './otp_release.js';

/** What the system messages of a process ask of it. */
export interface SystemTarget {
  readonly self: Process;
  readonly parent: Pid | undefined;
  /** The callback module, as `get_status` names it. */
  readonly module: Atom;
  readonly debug: Debug;
  suspended: boolean;
  /** The state as an Erlang term. */
  stateTerm(): Term;
  /** The last element of `get_status`. */
  misc(): Term;
  /** Ends the process by throwing, as its behaviour does. */
  terminate(reason: Term): Promise<never>;
}

/** What `sys:trace`, `sys:log` and `sys:statistics` switched on. */
export interface Debug {
  /** Whether anything is on: the only thing a behaviour's loop looks at. */
  active: boolean;
  trace: boolean;
  /** The latest events, oldest first; undefined: off. */
  log: Term[] | undefined;
  logSize: number;
  statistics: { since: Date; reductions: number; in: number; out: number } | undefined;
}

const SYSTEM = atom('system');
const GET_STATE = atom('get_state');
const OK = atom('ok');
const ERROR = atom('error');
const GET = atom('get');
const PRINT = atom('print');
const DEBUG = atom('debug');
const TERMINATE = atom('terminate');
const REPLACE_STATE = atom('replace_state');
const CHANGE_CODE = atom('change_code');
const UNKNOWN = atom('unknown_system_msg');
const NO_STATISTICS = atom('no_statistics');
const UNKNOWN_DEBUG = atom('unknown_debug');
const UNDEF = atom('undef');
const MAX_LOG_SIZE = 1000;

/** Nothing is traced, logged or counted. */
export function newDebug(): Debug {
  return { active: false, trace: false, log: undefined, logSize: 10, statistics: undefined };
}

/** The sender and the request of `{system, {Pid, Tag}, Request}`. */
export function parseSystem(message: Term): { from: From; request: Term } | undefined {
  if (!isTagged(message, SYSTEM, 3)) return undefined;
  const from = parseFrom(message.elements[1] as Term);
  return from === undefined ? undefined : { from, request: message.elements[2] as Term };
}

/** Answers one system message. A promise only when the process is to end: it rejects with its reason. */
export function handleSystem(target: SystemTarget, from: From, request: Term): Promise<never> | undefined {
  if (isTagged(request, TERMINATE, 2)) {
    reply(target.self, from, OK);
    return target.terminate(request.elements[1] as Term);
  }
  const value = answer(target, request);
  if (request === GET_STATE) replyState(target.self, from, value);
  else reply(target.self, from, value);
  return undefined;
}

/** A state is answered as it is, or as `{ok, State}`, which OTP has expected since it tells errors from states. */
function replyState(self: Process, from: From, state: Term): void {
  if (from.pid.node === self.node || self.system.fullForPeers) reply(self, from, state);
  else {
    self.spawn(async (asking) => {
      const release = await otpRelease(asking, from.pid.node);
      reply(asking, from, isWrapping(release) ? tuple(OK, state) : state);
    });
  }
}

/** Whether nodes of that release answer a state as `{ok, State}`. */
export function isWrapping(release: number | undefined): boolean {
  return release !== undefined && release >= 26;
}

function answer(target: SystemTarget, request: Term): Term {
  if (request instanceof Atom) {
    switch (request.name) {
      case 'get_state':
        return target.stateTerm();
      case 'get_status':
        return status(target);
      case 'suspend':
        target.suspended = true;
        return OK;
      case 'resume':
        target.suspended = false;
        return OK;
    }
  }
  if (isTagged(request, DEBUG, 2)) return debug(target, request.elements[1] as Term) ?? UNKNOWN_DEBUG;
  if (isTagged(request, REPLACE_STATE, 2)) return cannotReplace(request.elements[1] as Term);
  if (isTagged(request, CHANGE_CODE, 4)) return target.suspended ? OK : unknown(request);
  return unknown(request);
}

function cannotReplace(fun: Term): Term {
  const isFun = fun instanceof ExportFun || fun instanceof OpaqueFun;
  const why = tuple(ERROR, isFun ? UNDEF : tuple(atom('badfun'), fun));
  const where = tuple(atom('gen_server'), atom('system_replace_state'));
  return tuple(ERROR, tuple(atom('callback_failed'), where, why));
}

function unknown(request: Term): Term {
  return tuple(ERROR, tuple(UNKNOWN, request));
}

function status(target: SystemTarget): Term {
  const { self } = target;
  const dictionary = [...self.dictionary].map(([key, value]) => tuple(key, value));
  const state = atom(target.suspended ? 'suspended' : 'running');
  const items = [dictionary, state, target.parent ?? self.pid, debugTerm(target.debug), target.misc()];
  return tuple(atom('status'), self.pid, tuple(atom('module'), target.module), items);
}

/** `Misc` of a behaviour's `get_status`, in the form that observer and people expect. */
export function miscOf(target: SystemTarget, title: string, name: string): Term {
  const log = target.debug.log ?? [];
  return [
    tuple(atom('header'), charlist(`Status for ${title} ${name}`)),
    tuple(atom('data'), [
      tuple(charlist('Status'), atom(target.suspended ? 'suspended' : 'running')),
      tuple(charlist('Parent'), target.parent ?? target.self.pid),
      tuple(charlist('Logged events'), log),
    ]),
    tuple(atom('data'), [tuple(charlist('State'), target.stateTerm())]),
  ];
}

// --- debug options --------------------------------------------------------------------------------------------

function debug(target: SystemTarget, what: Term): Term | undefined {
  const options = target.debug;
  const result = change(options, what);
  if (isTagged(what, atom('log'), 2) && what.elements[1] === PRINT) {
    for (const event of options.log ?? []) printEvent(target.self, event as Tuple);
  }
  options.active = options.trace || options.log !== undefined || options.statistics !== undefined;
  return result;
}

function change(options: Debug, what: Term): Term | undefined {
  if (what instanceof Atom && what.name === 'no_debug') {
    Object.assign(options, newDebug());
    return OK;
  }
  if (!(what instanceof Tuple) || !(what.elements[0] instanceof Atom)) return undefined;
  const value = what.elements[1];
  switch (what.elements[0].name) {
    case 'trace':
      if (typeof value !== 'boolean') return undefined;
      options.trace = value;
      return OK;
    case 'log':
      return keepLog(options, value);
    case 'statistics':
      return keepStatistics(options, value);
    case 'log_to_file':
      return value === false ? OK : tuple(ERROR, atom('open_file'));
    case 'remove':
      return OK;
    case 'install':
      return unknown(tuple(DEBUG, what));
    default:
      return undefined;
  }
}

function keepLog(options: Debug, value: Term | undefined): Term | undefined {
  if (value === GET || value === PRINT) return value === PRINT ? OK : tuple(OK, [...(options.log ?? [])]);
  if (value === false) {
    options.log = undefined;
    return OK;
  }
  const size = value instanceof Tuple ? value.elements[1] : value === true ? 10 : undefined;
  if (typeof size !== 'number' || size < 1) return undefined;
  options.logSize = Math.min(size, MAX_LOG_SIZE);
  options.log = (options.log ?? []).slice(-options.logSize);
  return OK;
}

function keepStatistics(options: Debug, value: Term | undefined): Term | undefined {
  if (value === true) {
    options.statistics = { since: new Date(), reductions: 0, in: 0, out: 0 };
    return OK;
  }
  if (value === false) {
    options.statistics = undefined;
    return OK;
  }
  if (value !== GET) return undefined;
  const kept = options.statistics;
  if (kept === undefined) return tuple(OK, NO_STATISTICS);
  return tuple(OK, [
    tuple(atom('start_time'), localTime(kept.since)),
    tuple(atom('current_time'), localTime(new Date())),
    tuple(atom('reductions'), kept.reductions),
    tuple(atom('messages_in'), kept.in),
    tuple(atom('messages_out'), kept.out),
  ]);
}

function localTime(when: Date): Term {
  return tuple(
    tuple(when.getFullYear(), when.getMonth() + 1, when.getDate()),
    tuple(when.getHours(), when.getMinutes(), when.getSeconds()),
  );
}

function debugTerm(options: Debug): Term {
  const items: Term[] = [];
  if (options.trace) items.push(tuple(atom('trace'), true));
  if (options.log !== undefined) items.push(tuple(atom('log'), tuple(options.logSize, [...options.log])));
  if (options.statistics !== undefined) items.push(tuple(atom('statistics'), true));
  return items;
}

/** Notes an event of a behaviour (`{in, Message}`, `{out, Message, To}`) for whatever is switched on. */
export function debugEvent(self: Process, options: Debug, event: Tuple): void {
  if (options.statistics !== undefined) {
    options.statistics.reductions++;
    if (event.elements[0] === OUT) options.statistics.out++;
    else options.statistics.in++;
  }
  if (options.log !== undefined) {
    options.log.push(event);
    if (options.log.length > options.logSize) options.log.shift();
  }
  if (options.trace) printEvent(self, event);
}

const GEN_CALL = atom('$gen_call');
const GEN_CAST = atom('$gen_cast');
/** Characters of a term in a line of the log. */
const MAX_TEXT = 1000;

/** An event as `gen_server` prints it: whoever switched it on wants to see it. */
function printEvent(self: Process, event: Tuple): void {
  const name = self.registeredName?.name ?? format(self.pid);
  self.system.log('notice', `*DBG* ${name} ${eventText(event)}`, { process: self.pid.key });
}

function eventText({ elements }: Tuple): string {
  const [what, message, to] = elements as [Term, Term, Term];
  if (what === OUT) return `sent ${format(message, MAX_TEXT)} to ${format(to)}`;
  if (isTagged(message, GEN_CAST, 2)) return `got cast ${format(message.elements[1] as Term, MAX_TEXT)}`;
  if (!isTagged(message, GEN_CALL, 3)) return `got ${format(message, MAX_TEXT)}`;
  const [, from, request] = message.elements as [Term, Term, Term];
  const caller = from instanceof Tuple ? (from.elements[0] as Term) : from;
  return `got call ${format(request, MAX_TEXT)} from ${format(caller)}`;
}

/** The first elements of debug events. */
export const IN: Atom = atom('in');
/** See `IN`. */
export const OUT: Atom = atom('out');
