// Runs a node until it is stopped: by a signal, by `init:stop`, or because it cannot go on.
import { type Application, type Log, type LogLevel, type Node, startNode } from '../index.js';
import { createLog } from '../kernel/logger.js';
import { fatalLine, StartFailed } from './final_line.js';
import { findApplication, lookForApplication } from './find_application.js';
import type { RunFlags } from './flags.js';
import { configOf, nodeOptions, surroundings } from './node_options.js';

/** Resolves to the exit code when the node has stopped. Rejects if it does not start. */
export async function runNode(flags: RunFlags): Promise<number> {
  const where = surroundings();
  const config = configOf(flags, where);
  const log = logOf(flags, config.kernel.loggerLevel);
  const options = nodeOptions(flags, config, where, log);
  const applications: Application[] = [];
  for (const name of flags.apps) applications.push(await findApplication(name, flags.paths, where.cwd));
  for (const warning of config.warnings) log('warning', warning);
  for (const words of flags.ignored) log('debug', `${words} has no effect on otpnode`);
  const stopping = stopOnSignals(log);
  const node = await startNode(options);
  let stopAsked = false;
  let failed: StartFailed | undefined;
  // The latest hook runs first: what fails from then on fails because the node stops.
  node.atStop(() => {
    stopAsked = true;
  });
  const stopped = untilStopped(node, stopping);
  if (flags.join.length > 0) node.join({ seeds: flags.join });
  node.application.findWith((name) => lookForApplication(name, flags.paths, where.cwd));
  startAll(node, applications).catch((error: StartFailed) => {
    if (stopAsked) return;
    failed = error;
    void node.stop();
  });
  const code = await stopped;
  if (failed !== undefined) throw failed;
  return code;
}

/** As `iex --app`: the applications and those they depend on, `temporary`. */
async function startAll(node: Node, applications: readonly Application[]): Promise<void> {
  for (const application of applications) node.application.add(application);
  for (const { spec } of applications) {
    await node.application.ensureAllStarted(spec.name).catch((error: unknown) => {
      throw new StartFailed(spec.name, error);
    });
  }
}

function logOf(flags: RunFlags, configured: LogLevel | 'none' | undefined): Log {
  const terminal = process.stdout.isTTY === true;
  const style = flags.logFormat === 'auto' ? (terminal ? 'line' : 'json') : flags.logFormat;
  const asked = flags.logLevel ?? configured;
  const colours = terminal && process.env['NO_COLOR'] === undefined;
  // OTP's default level, notice, shows no reports of progress; ours, that of Elixir, does not either.
  return createLog({ level: asked ?? 'info', progress: asked !== undefined, style, colours });
}

/**
 * The first SIGTERM or SIGINT asks for a stop in good order, the second one ends the process at once. While the node
 * boots, and waits for others, nothing runs that could be stopped: then the first one ends it.
 */
function stopOnSignals(log: Log): (stop: () => void) => void {
  let stop: (() => void) | undefined;
  let asked = false;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
    asked = true;
    log('notice', `${signal} received - shutting down`);
    if (stop === undefined) process.exit(0);
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
