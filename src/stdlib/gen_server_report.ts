// What a server that ends abnormally says of itself, for a person and as the report that `gen_server` of OTP logs.
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ExportFun } from '../terms/fun.js';
import { map } from '../terms/map.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import { parseCall } from './gen.js';

const GEN_SERVER = atom('gen_server');
/** What shows a server's report on BEAM. */
const REPORT_CALLBACK = new ExportFun(GEN_SERVER, atom('format_log'), 2);

/** Logs the end of a server with that name, the message it was at, and its state. */
export function reportEnd(self: Process, name: Term, message: Term, state: Term, reason: Term): void {
  const client = parseCall(message)?.from.pid;
  self.system.log(
    'error',
    `Generic server ${short(name)} terminating. Reason: ${short(reason)}. ` +
      `Last message: ${short(message)}. State: ${short(state)}.`,
    {},
    {
      pid: self.pid,
      groupLeader: self.groupLeader,
      report: terminateReport(self, name, message, state, reason, client),
      reportCallback: REPORT_CALLBACK,
    },
  );
}

/** A term in a line of the log. */
export function short(term: Term): string {
  return format(term, 2000);
}

function terminateReport(
  self: Process,
  name: Term,
  message: Term,
  state: Term,
  reason: Term,
  client: Pid | undefined,
): Term {
  return map(
    [atom('label'), tuple(GEN_SERVER, atom('terminate'))],
    [atom('name'), name],
    [atom('last_message'), message],
    [atom('state'), state],
    [atom('log'), []],
    [atom('reason'), reason],
    [atom('client_info'), client === undefined ? atom('undefined') : tuple(client, clientInfo(self, client))],
  );
}

function clientInfo(self: Process, client: Pid): Term {
  if (client.node !== self.node) return atom('remote');
  const process = self.system.process(client);
  return process === undefined ? atom('dead') : tuple(process.registeredName ?? client, []);
}
