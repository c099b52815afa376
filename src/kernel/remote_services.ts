// What serves other nodes beside the cluster's own protocols: function calls, output, log events.
import type { System } from '../erts/system.js';
import type { ChildSpec } from '../stdlib/supervisor.js';
import { atom } from '../terms/atom.js';
import type { CodeServer } from './code.js';
import { serve } from './erpc_server.js';
import type { Output } from './group.js';
import * as loggerProxy from './logger_proxy.js';
import { defineProbes, type ProbedNode } from './probes.js';
import * as rex from './rex.js';
import { ERROR_LOGGER, LOGGER, startErrorLogger, startLogger, startUser, USER } from './user.js';

export interface RemoteServicesOptions {
  readonly code: CodeServer;
  readonly node: ProbedNode;
  /** Where output goes that processes print to this node; by default each line is a log event. */
  readonly output?: Output | undefined;
}

/** The services, in the order in which they start. */
export function remoteServices(system: System, options: RemoteServicesOptions): ChildSpec[] {
  const { code } = options;
  const output = outputOf(system, options.output);
  defineProbes(system, code, options.node);
  serve(system, code);
  system.log = loggerProxy.forwarding(system, system.log);
  return [
    { id: LOGGER, start: startLogger, modules: [atom('logger_server')] },
    { id: ERROR_LOGGER, start: startErrorLogger, modules: [] },
    { id: loggerProxy.LOGGER_PROXY, start: loggerProxy.startLink, modules: [loggerProxy.LOGGER_PROXY] },
    { id: USER, start: (supervisor) => startUser(supervisor, output), modules: [USER] },
    { id: rex.REX, start: (supervisor) => rex.startLink(supervisor, code), modules: [atom('rpc')] },
  ];
}

/** Where output goes; that of the user may fail without harm to who prints. */
function outputOf(system: System, output: Output | undefined): Output {
  if (output === undefined) return (text) => logLines(system, text);
  return (text) => {
    try {
      output(text);
    } catch (error) {
      system.log('error', `output that a process printed is lost: ${String(error)}`);
    }
  };
}

function logLines(system: System, text: string): void {
  for (const line of text.split('\n')) if (line.trim() !== '') system.log('notice', line);
}
