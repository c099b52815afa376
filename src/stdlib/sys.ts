// Asking a server, here or elsewhere, for its state, and tracing it (OTP: sys.erl; what a server answers is in sys_server.ts).
import { Exit } from '../errors.js';
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import { callAs, nodeOfServer, type ServerRef } from './gen.js';
import type { Limits } from './limits.js';
import { otpRelease } from './otp_release.js';
import { isWrapping } from './sys_server.js';

const SYSTEM = atom('system');
const GET_STATE = atom('get_state');
const OK = atom('ok');
const GET = atom('get');
const DEBUG = atom('debug');
const TERMINATE = atom('terminate');

async function ask(self: Process, server: ServerRef, request: Term, limits?: Limits): Promise<Term> {
  const response = await callAs(self, SYSTEM, server, request, limits);
  if ('reply' in response) return response.reply;
  const why = 'error' in response ? response.error : atom('timeout');
  throw new Exit(tuple(why, tuple(atom('sys'), atom('send_system_msg'), [server, request])));
}

/** The state of a server, here or elsewhere. Throws `Exit` as OTP's `sys` does. */
export async function getState(self: Process, server: ServerRef, limits?: Limits): Promise<Term> {
  const state = await ask(self, server, GET_STATE, limits);
  const node = nodeOfServer(self.system, server);
  const wrapped = node !== self.node && isWrapping(await otpRelease(self, node));
  return wrapped && isTagged(state, OK, 2) ? (state.elements[1] as Term) : state;
}

/** `{status, Pid, {module, Module}, Items}` of a server. */
export function getStatus(self: Process, server: ServerRef, limits?: Limits): Promise<Term> {
  return ask(self, server, atom('get_status'), limits);
}

/** Makes a server handle nothing but system messages until `resume`. */
export async function suspend(self: Process, server: ServerRef, limits?: Limits): Promise<void> {
  await ask(self, server, atom('suspend'), limits);
}

/** Ends `suspend`. */
export async function resume(self: Process, server: ServerRef, limits?: Limits): Promise<void> {
  await ask(self, server, atom('resume'), limits);
}

/** Ends a server in the way of its behaviour, with that reason. */
export async function terminate(
  self: Process,
  server: ServerRef,
  reason: Term,
  limits?: Limits,
): Promise<void> {
  await ask(self, server, tuple(TERMINATE, reason), limits);
}

/** Shows each event of a server in the log, or no more (`sys:trace/2`). */
export function trace(self: Process, server: ServerRef, on: boolean, limits?: Limits): Promise<Term> {
  return ask(self, server, tuple(DEBUG, tuple(atom('trace'), on)), limits);
}

/**
 * Keeps the latest `n` events of a server, or none with 0; `get`: `{ok, Events}`, `print`: shows them in its log
 * (`sys:log/2`).
 */
export function log(
  self: Process,
  server: ServerRef,
  what: number | 'get' | 'print',
  limits?: Limits,
): Promise<Term> {
  const value = typeof what === 'string' ? atom(what) : what > 0 ? tuple(true, what) : false;
  return ask(self, server, tuple(DEBUG, tuple(atom('log'), value)), limits);
}

/** Counts what a server does, or no more; `get`: `{ok, [{start_time, _}, …]}` or `{ok, no_statistics}` (`sys:statistics/2`). */
export function statistics(
  self: Process,
  server: ServerRef,
  what: boolean | 'get',
  limits?: Limits,
): Promise<Term> {
  return ask(self, server, tuple(DEBUG, tuple(atom('statistics'), what === 'get' ? GET : what)), limits);
}

/** Ends all that `trace`, `log` and `statistics` began (`sys:no_debug/1`). */
export function noDebug(self: Process, server: ServerRef, limits?: Limits): Promise<Term> {
  return ask(self, server, tuple(DEBUG, atom('no_debug')), limits);
}
