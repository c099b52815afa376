// Log events across nodes, as OTP's logger_proxy.erl: a process logs where its group leader is.
//
//   {log, Level, Format, Args, Meta}        from processes of other nodes whose group leader is here
//   {log, Level, StringOrReport, Meta}
// Conversely events of our processes with a leader elsewhere go to the process `logger_proxy` there, if that node
// is connected and not too busy.
import { BadArg } from '../errors.js';
import { LOG_LEVELS, type Log, type LogLevel, type LogOrigin } from '../erts/log.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { type GenServer, startLink as startServer } from '../stdlib/gen_server.js';
import { format as ioFormat } from '../stdlib/io_lib.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { binary, charlist, text } from '../terms/binary.js';
import { format } from '../terms/format.js';
import { map, TermMap } from '../terms/map.js';
import { integer } from '../terms/number.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

export const LOGGER_PROXY: Atom = atom('logger_proxy');
const LOG = atom('log');
const ERROR = atom('error');
const LABEL = atom('label');
const ERROR_LOGGER = atom('error_logger');
const FORMAT = atom('format');
const ARGS = atom('args');
/** Longer texts of other nodes are cut. */
const MAX_TEXT = 16_384;
/** What of an event's metadata has a field of its own; the rest is in the field `metadata`. */
const SHOWN = ['pid', 'mfa', 'file', 'line', 'domain'];
/** Functions and marks for OTP's and Elixir's own handlers. */
const INTERNAL: ReadonlySet<string> = new Set([
  ...SHOWN,
  'gl',
  'time',
  'report_cb',
  'error_logger',
  'logger_formatter',
  'erl_level',
]);
/** Entries of metadata that are kept, and characters of each. */
const MAX_ENTRIES = 32;
const MAX_ENTRY_TEXT = 200;

/** Starts the process that takes the log events of other nodes. */
export function startLink(parent: Process): Promise<StartResult> {
  return startServer(parent, loggerProxy, [], { name: LOGGER_PROXY });
}

const loggerProxy: GenServer<null> = {
  module: LOGGER_PROXY,
  init: () => ({ state: null }),
  handleCall: (_request, _from, state) => ({ state, reply: ERROR }),
  handleCast: (_message, state) => ({ state }),
  handleInfo(message, state, self) {
    const event = parse(message);
    if (event !== undefined) self.system.log(event.level, event.text, event.fields);
    return { state };
  },
};

interface Event {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields: Record<string, unknown>;
}

/** The event of a `{log, …}` message; undefined for any other. */
export function parse(message: Term): Event | undefined {
  if (!(message instanceof Tuple) || message.elements[0] !== LOG) return undefined;
  const { elements } = message;
  const word = elements[1];
  const level = word instanceof Atom ? LOG_LEVELS.find((each) => each === word.name) : undefined;
  const meta = elements[elements.length - 1];
  if (level === undefined) return undefined;
  if (elements.length !== 4 && elements.length !== 5) return undefined;
  const said =
    elements.length === 5 ? formatted(elements[2] as Term, elements[3] as Term) : shown(elements[2] as Term);
  return {
    level,
    text: said.length > MAX_TEXT ? `${said.slice(0, MAX_TEXT)}...` : said,
    fields: meta instanceof TermMap ? fieldsOf(meta) : {},
  };
}

function formatted(fmt: Term, args: Term): string {
  try {
    const list = Array.isArray(args) ? (args as readonly Term[]) : [args];
    return ioFormat(fmt instanceof Atom ? fmt.name : text(fmt), list).text.trimEnd();
  } catch (error) {
    if (!(error instanceof BadArg)) throw error;
    return `${format(fmt, MAX_TEXT)} ${format(args, MAX_TEXT)}`;
  }
}

/** A report, or a string. Events of `error_logger:info_msg` and its like are reports of a format and its arguments. */
function shown(report: Term): string {
  if (report instanceof TermMap && isTagged(report.get(LABEL), ERROR_LOGGER, 2)) {
    const [fmt, args] = [report.get(FORMAT), report.get(ARGS)];
    if (fmt !== undefined && args !== undefined) return formatted(fmt, args);
  }
  if (report instanceof TermMap || isReportList(report)) return format(report, MAX_TEXT);
  try {
    return text(report).trimEnd();
  } catch (error) {
    if (!(error instanceof BadArg)) throw error;
    return format(report, MAX_TEXT);
  }
}

function isReportList(report: Term): boolean {
  return Array.isArray(report) && (report as readonly Term[])[0] instanceof Tuple;
}

function fieldsOf(meta: TermMap): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of SHOWN) {
    const value = meta.get(atom(name));
    if (value !== undefined) fields[name] = name === 'file' ? shown(value) : format(value, 200);
  }
  const pid = meta.get(atom('pid'));
  if (pid instanceof Pid) fields['node'] = pid.node.name;
  const time = meta.get(atom('time'));
  if (typeof time === 'number') fields['at'] = new Date(time / 1000).toISOString();
  const others = otherMetadata(meta);
  if (Object.keys(others).length > 0) fields['metadata'] = others;
  return fields;
}

/** What the user's code put there, as `request_id`: texts as they are, other terms as Erlang writes them. */
function otherMetadata(meta: TermMap): Record<string, string> {
  const others = Object.create(null) as Record<string, string>;
  let left = MAX_ENTRIES;
  for (const [key, value] of meta) {
    if (!(key instanceof Atom) || INTERNAL.has(key.name) || left-- <= 0) continue;
    const said = value instanceof Uint8Array ? shown(value) : format(value, MAX_ENTRY_TEXT);
    others[key.name] = said.slice(0, MAX_ENTRY_TEXT);
  }
  return others;
}

// --- from here to others ----------------------------------------------------------------------------------------

/** A log sink that sends the events of processes with a remote group leader there, and all others to `here`. */
export function forwarding(system: System, here: Log): Log {
  return (level, said, fields, origin) => {
    if (origin !== undefined && forward(system, level, said, origin)) return;
    here(level, said, fields, origin);
  };
}

/** Whether the event belongs to another node, which is connected and was told. */
function forward(system: System, level: LogLevel, said: string, origin: LogOrigin): boolean {
  const leader = origin.groupLeader;
  if (leader === undefined || leader.node === system.node) return false;
  const channel = system.findEntry(leader.node)?.channel;
  if (channel === undefined) return false;
  if (channel.busy) return true; // OTP drops it as well: logging must not hold anybody
  const meta = metaOf(origin, leader);
  const severity = atom(level);
  const event =
    origin.message !== undefined
      ? tuple(LOG, severity, charlist(origin.message.format), origin.message.args, meta)
      : tuple(LOG, severity, origin.report ?? binary(said), meta);
  try {
    channel.regSend(origin.pid, LOGGER_PROXY, event);
  } catch {
    return false; // what its peer cannot be told is told here: to log must not fail
  }
  return true;
}

function metaOf(origin: LogOrigin, leader: Pid): TermMap {
  const callback = origin.reportCallback;
  return map(
    [atom('pid'), origin.pid],
    [atom('gl'), leader],
    [atom('time'), integer(Date.now() * 1000)],
    ...(origin.message === undefined
      ? []
      : [[atom('error_logger'), map([atom('tag'), ERROR], [atom('emulator'), true])] as const]),
    ...(callback === undefined ? [] : [[atom('report_cb'), callback] as const]),
  );
}
