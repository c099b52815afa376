// Starts an EPMD where none listens: a process of its own that outlives us, as `epmd -daemon` of `erl`, or a server
// inside this process.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ConnectionError } from '../errors.js';
import { type EpmdServer, type EpmdServerOptions, startEpmdServer } from './epmd.js';
import { type EpmdAddress, isUnreachable, names } from './erl_epmd.js';

export interface StartEpmdOptions extends EpmdServerOptions {
  /** `detached` (the default): a process of its own. `in_process`: ends with this process, or with `close`. */
  readonly mode?: 'detached' | 'in_process';
  /** Time for the process to come up; 10 s by default. */
  readonly timeoutMs?: number;
}

export type StartedEpmd =
  | { readonly type: 'detached'; readonly pid: number }
  | { readonly type: 'in_process'; readonly server: EpmdServer }
  | { readonly type: 'already_running' };

/** What the process of its own tells once, before it lets go of us. */
export type DaemonReport =
  | { readonly listening: number }
  | { readonly error: string; readonly inUse: boolean };

const DAEMON = fileURLToPath(new URL('../cli/epmd_daemon.js', import.meta.url));
const TIMEOUT_MS = 10_000;
/** How long whatever holds the port may take to answer as an EPMD does. */
const PROBE_MS = 2000;

/** Resolves once an EPMD listens: the one started here, or one that was quicker. Throws `ConnectionError`. */
export async function startEpmd(options: StartEpmdOptions = {}): Promise<StartedEpmd> {
  if (options.mode === 'in_process') {
    try {
      return { type: 'in_process', server: await startEpmdServer(options) };
    } catch (error) {
      if (isInUse(error) && (await isEpmd(options))) return { type: 'already_running' };
      throw error;
    }
  }
  const { pid, report } = await daemon(options);
  if ('listening' in report) return { type: 'detached', pid };
  if (report.inUse && (await isEpmd(options))) return { type: 'already_running' };
  throw new ConnectionError('unreachable', `127.0.0.1:${options.port ?? 4369}`, report.error);
}

/** Whether the error of `startEpmdServer` means that somebody has the port. */
export function isInUse(error: unknown): boolean {
  return (
    error instanceof ConnectionError &&
    (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
  );
}

/** Whether what has the port is an EPMD. One that is just starting may need a moment. */
export async function isEpmd(options: EpmdServerOptions): Promise<boolean> {
  const address: EpmdAddress = { port: options.port, timeoutMs: PROBE_MS };
  const until = Date.now() + PROBE_MS;
  for (;;) {
    try {
      await names(address);
      return true;
    } catch (error) {
      if (Date.now() > until || !isUnreachable(error)) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The words by which the daemon is started. */
function wordsOf(options: StartEpmdOptions): string[] {
  const words = ['-port', String(options.port ?? 4369)];
  if (options.addresses !== undefined && options.addresses.length > 0) {
    words.push('-address', options.addresses.join(','));
  }
  if (options.relaxedCommandCheck === true) words.push('-relaxed_command_check');
  if (options.packetTimeoutMs !== undefined)
    words.push('-packet_timeout', String(options.packetTimeoutMs / 1000));
  return words;
}

function daemon(options: StartEpmdOptions): Promise<{ pid: number; report: DaemonReport }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [DAEMON, ...wordsOf(options)], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const done = (report: DaemonReport): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      child.on('error', () => {});
      if (child.connected) child.disconnect();
      child.unref();
      resolve({ pid: child.pid ?? 0, report });
    };
    const failed = (error: string): void => done({ error, inUse: false });
    const timer = setTimeout(() => {
      child.kill();
      failed('the epmd that was started does not listen in time');
    }, options.timeoutMs ?? TIMEOUT_MS);
    child.once('message', (report) => done(report as DaemonReport));
    child.once('error', (error) => failed(`cannot start epmd: ${error.message}`));
    child.once('exit', (code) => failed(`the epmd that was started ended at once with code ${code}`));
  });
}
