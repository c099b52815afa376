// The last line of a start that failed: OTP's where it has one, else one clear line.
import { ConfigError, ErlangError, Exit, format, type Term } from '../index.js';

const APPLICATION_CONTROLLER = '(application_controller)';

/** An application of `--app` did not start. */
export class StartFailed extends Error {
  constructor(application: string, cause: unknown) {
    const reason = cause instanceof ErlangError ? format(cause.reason, 2000) : String(cause);
    super(`Could not start application ${application}: ${reason}`, { cause });
  }
}

/** The line for an error that ended the start. */
export function finalLine(error: unknown): string {
  if (error instanceof ConfigError) return configLine(error);
  if (error instanceof Exit) return fatalLine(error.reason);
  if (error instanceof StartFailed) return error.message;
  return `otpnode: ${error instanceof Error ? error.message : String(error)}`;
}

/** The line of a running node that has to end, for that reason of its application controller. */
export function fatalLine(reason: Term): string {
  return `Kernel pid terminated ${APPLICATION_CONTROLLER} (${format(reason)})`;
}

function configLine(error: ConfigError): string {
  const hint = error.hint === undefined ? '' : `; ${error.hint}`;
  if (error.code !== 'bad_option')
    return `could not start kernel pid ${APPLICATION_CONTROLLER} (${error.text})${hint}`;
  if (!error.text.startsWith('{badopt,')) return `otpnode: ${error.message}`;
  const shutdown = `{{shutdown,{failed_to_start_child,kernel_config,${error.text}}},{kernel,start,[normal,[]]}}`;
  return `Kernel pid terminated ${APPLICATION_CONTROLLER} ({application_start_failure,kernel,${shutdown}})${hint}`;
}
