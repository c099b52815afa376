// What is told of a process that crashes: the content of OTP's crash reports (proc_lib.erl, crash_report/4), as an Erlang
// report for BEAM nodes and as fields of the log.
import { Exit } from '../errors.js';
import { exceptionOf } from '../erts/exception.js';
import { NORMAL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ExportFun } from '../terms/fun.js';
import { map } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import { ANCESTORS, ancestorsOf, INITIAL_CALL, initialCallOf } from './ancestry.js';
import { processInfo } from './process_info.js';

const SHUTDOWN = atom('shutdown');
/** What shows such a report on BEAM. */
const REPORT_CALLBACK = new ExportFun(atom('proc_lib'), atom('report_cb'), 2);
/** Characters of a term in a line of the log. */
const MAX_TEXT = 2000;
/** Messages of a crashed process that its report shows. */
const MAX_REPORTED_MESSAGES = 10;
/** Linked processes that are shown, as in OTP. */
const MAX_NEIGHBOURS = 15;

/** What `process_info` tells of the crashed process, and of its neighbours, in OTP's order. */
const OWN = ['links', 'trap_exit', 'status', 'heap_size', 'stack_size', 'reductions'];
const NEIGHBOUR = ['message_queue_len', ...OWN, 'current_stacktrace'];

/** Whether an exit reason is one of an orderly end: `normal`, `shutdown`, `{shutdown, _}`. */
export function isOrderly(reason: Term): boolean {
  return reason === NORMAL || reason === SHUTDOWN || isTagged(reason, SHUTDOWN, 2);
}

/** Tells the log of a crash, with what OTP's crash report has. */
export function crashReport(self: Process, error: unknown): void {
  if (error instanceof Exit && isOrderly(error.reason)) return;
  if (!self.alive) return; // killed from outside: BEAM tells nobody either
  const { kind, reason, stacktrace } = exceptionOf(error);
  const own = [
    pair('initial_call', initialCall(self)),
    pair('pid', self.pid),
    pair('registered_name', self.registeredName ?? []),
    pair('error_info', tuple(atom(kind), reason, stacktrace)),
    pair('ancestors', ancestorsOf(self)),
    pair('message_queue_len', self.mailbox.size),
    pair('messages', self.mailbox.toArray().slice(0, MAX_REPORTED_MESSAGES)),
    ...items(self, ['links']),
    pair('dictionary', userDictionary(self)),
    ...items(self, OWN.slice(1)),
  ].map((each) => (each.elements[0] === atom('status') ? pair('status', atom('running')) : each));
  const near = neighbours(self).map((process) => tuple(atom('neighbour'), neighbour(process)));
  const report = map([atom('label'), tuple(atom('proc_lib'), atom('crash'))], [atom('report'), [own, near]]);
  const [module, fun, arity] = initialCallOf(self);
  self.system.log(
    'error',
    `crasher: initial call: ${module.name}:${fun.name}/${arity}, pid: ${format(self.pid)}, ` +
      `registered_name: ${self.registeredName?.name ?? '[]'}, error: ${format(reason, MAX_TEXT)}`,
    { crasher: fields(own), neighbours: near.map((each) => fields(each.elements[1] as readonly Tuple[])) },
    { pid: self.pid, groupLeader: self.groupLeader, report, reportCallback: REPORT_CALLBACK },
  );
}

function pair(key: string, value: Term): Tuple {
  return tuple(atom(key), value);
}

/** `{M, F, ['Argument__1', …]}`: what the arguments were is not kept. */
function initialCall(process: Process): Term {
  const [module, fun, arity] = initialCallOf(process);
  const args = Array.from({ length: Math.min(arity, 255) }, (_, i) => atom(`Argument__${i + 1}`));
  return tuple(module, fun, args);
}

function items(process: Process, names: readonly string[]): Tuple[] {
  return names.map((name) => processInfo(process, atom(name)) as Tuple);
}

function userDictionary(self: Process): Term {
  return [...self.dictionary]
    .filter(([key]) => key !== ANCESTORS && key !== INITIAL_CALL)
    .map(([key, value]) => tuple(key, value));
}

/** The linked processes that do not trap exits, and theirs: those that may go down with it. */
function neighbours(self: Process): Process[] {
  const found = new Set([self]);
  for (const process of found) {
    for (const linked of process.links) {
      if (found.size > MAX_NEIGHBOURS) break;
      if (!linked.trapExit && linked.alive) found.add(linked);
    }
  }
  found.delete(self);
  return [...found];
}

function neighbour(process: Process): Tuple[] {
  return [
    pair('pid', process.pid),
    pair('registered_name', process.registeredName ?? []),
    pair('initial_call', initialCall(process)),
    ...items(process, ['current_function']),
    pair('ancestors', ancestorsOf(process)),
    ...items(process, NEIGHBOUR),
  ];
}

function fields(pairs: readonly Tuple[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(({ elements: [key, value] }) => [
      key instanceof Atom ? key.name : '',
      format(value as Term, MAX_TEXT),
    ]),
  );
}
