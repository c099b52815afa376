// Runs a node until it is stopped: by a signal, by `init:stop`, or because it cannot go on.
import { type Log, type LogLevel, type Node, startNode } from '../index.js';
import { createLog } from '../kernel/logger.js';
import { fatalLine } from './final_line.js';
import type { RunFlags } from './flags.js';
import { configOf, nodeOptions, surroundings } from './node_options.js';

/** Resolves to the exit code when the node has stopped. Rejects if it does not start. */
export async function runNode(flags: RunFlags): Promise<number> {
  const where = surroundings();
  const config = configOf(flags, where);
  const log = logOf(flags, config.kernel.loggerLevel);
  const options = nodeOptions(flags, config, where, log);
  for (const warning of config.warnings) log('warning', warning);
  for (const words of flags.ignored) log('debug', `${words} has no effect on otpnode`);
  const stopping = stopOnSignals(log);
  const node = await startNode(options);
  return await untilStopped(node, stopping);
}

function logOf(flags: RunFlags, configured: LogLevel | 'none' | undefined): Log {
  const terminal = process.stdout.isTTY === true;
  const style = flags.logFormat === 'auto' ? (terminal ? 'line' : 'json') : flags.logFormat;
  const level = flags.logLevel ?? configured ?? 'info';
  return createLog({ level, style, colours: terminal && process.env['NO_COLOR'] === undefined });
}

/** The first SIGTERM or SIGINT asks for a stop in good order, the second one ends the process at once. */
function stopOnSignals(log: Log): (stop: () => void) => void {
  let stop: (() => void) | undefined;
  let asked = false;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (asked || stop === undefined) process.exit(signal === 'SIGINT' ? 130 : 143);
    asked = true;
    log('notice', `${signal} received - shutting down`);
    stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return (how) => {
    stop = how;
  };
}

function untilStopped(node: Node, stopping: (stop: () => void) => void): Promise<number> {
  return new Promise((resolve) => {
    let code = 0;
    node.events.once('fatal', (reason) => {
      code = 1;
      process.stderr.write(`${fatalLine(reason)}\n`);
    });
    node.events.once('stopped', () => resolve(code));
    stopping(() => void node.stop());
    node.system.log('notice', `this is ${node.name.name}`);
  });
}
