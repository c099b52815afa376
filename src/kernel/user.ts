// The registered processes that print: `user` (the I/O protocol), `logger` and `error_logger` (events of old nodes).
import type { LogLevel } from '../erts/log.js';
import type { Process } from '../erts/process.js';
import { startLink as startManager } from '../stdlib/gen_event.js';
import { type GenServer, startLink as startServer } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { map } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { handleIo, type Output } from './group.js';
import { parse } from './logger_proxy.js';

export const USER: Atom = atom('user');
export const LOGGER: Atom = atom('logger');
export const ERROR_LOGGER: Atom = atom('error_logger');
const LOG = atom('log');
const DEFAULT = atom('default');
const ERROR = atom('error');

/** Starts `user`: what processes print whose group leader is this node. */
export function startUser(parent: Process, output: Output): Promise<StartResult> {
  const user: GenServer<null> = {
    module: USER,
    init: () => ({ state: null }),
    handleCall: (_request, _from, state) => ({ state, reply: ERROR }),
    handleCast: (_message, state) => ({ state }),
    handleInfo: async (message, state, self) => {
      await handleIo(self, message, output);
      return { state };
    },
  };
  return startServer(parent, user, [], { name: USER });
}

/** Starts `logger`, which is there to be found; configuration of the log is no business of other nodes. */
export function startLogger(parent: Process): Promise<StartResult> {
  const logger: GenServer<null> = {
    module: atom('logger_server'),
    init: () => ({ state: null }),
    handleCall: (_request, _from, state) => ({ state, reply: tuple(ERROR, atom('badarg')) }),
    handleCast: (_message, state) => ({ state }),
    handleInfo: (_message, state) => ({ state }),
  };
  return startServer(parent, logger, [], { name: LOGGER });
}

/** Starts `error_logger`: `{notify, {error, Leader, {Pid, Format, Args}}}` and its relatives go to the log. */
export function startErrorLogger(parent: Process): Promise<StartResult> {
  const { system } = parent;
  const print = (event: Term): void => {
    const parsed = parseOld(event);
    if (parsed !== undefined) system.log(parsed.level, parsed.text, parsed.fields);
  };
  return startManager(parent, new Map([[DEFAULT, print]]), { name: ERROR_LOGGER });
}

const OLD_LEVELS: Readonly<Record<string, LogLevel>> = {
  error: 'error',
  error_report: 'error',
  warning_msg: 'warning',
  warning_report: 'warning',
  info_msg: 'notice',
  info_report: 'notice',
};

/** `{Tag, Leader, {Pid, Format, Args}}` or `{Tag, Leader, {Pid, Type, Report}}`, as an event of today. */
function parseOld(event: Term): ReturnType<typeof parse> {
  if (!(event instanceof Tuple) || !(event.elements[0] instanceof Atom)) return undefined;
  const [tag, , said] = event.elements as [Atom, Term, Term];
  const level = OLD_LEVELS[tag.name];
  if (level === undefined || !(said instanceof Tuple) || said.elements.length !== 3) return undefined;
  const [pid, format, args] = said.elements as [Term, Term, Term];
  const meta = map([atom('pid'), pid]);
  return tag.name.endsWith('_report')
    ? parse(tuple(LOG, atom(level), args, meta))
    : parse(tuple(LOG, atom(level), format, args, meta));
}
