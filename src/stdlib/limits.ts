// How long a caller waits, and what makes it stop: the options that every call takes.
import { setMaxListeners } from 'node:events';
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';

/** When a call is given up. */
export interface CallOptions {
  /** Milliseconds to wait, 5000 by default; `Infinity` waits without limit. */
  readonly timeoutMs?: number;
  /** Gives the call up when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Milliseconds alone, or both. */
export type Limits = number | CallOptions;

/** How long a call waits when nobody says otherwise, as in OTP. */
export const DEFAULT_TIMEOUT_MS = 5000;

/** The milliseconds of `limits`; undefined where there is no limit. */
export function timeoutOf(limits: Limits | undefined, otherwise?: number): number | undefined {
  const ms = (typeof limits === 'object' ? limits.timeoutMs : limits) ?? otherwise;
  return ms !== undefined && Number.isFinite(ms) ? ms : undefined;
}

/** `limits` for what waits without limit unless told otherwise. */
export function unlimited(limits?: Limits): Limits {
  return typeof limits === 'object'
    ? { timeoutMs: Number.POSITIVE_INFINITY, ...limits }
    : (limits ?? Number.POSITIVE_INFINITY);
}

/**
 * Calls `act` when the signal is aborted, until the function that is returned is called. One signal may end any number of
 * calls: Node.js must not take that for a leak.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  setMaxListeners(0, signal);
  signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}

/**
 * What `match` makes of the first message for which it gives a value, as `Process.receive`; or why the wait ended
 * without one.
 */
export async function receiveWithin<T extends object>(
  self: Process,
  match: (message: Term) => T | undefined,
  limits: Limits | undefined,
  otherwiseMs?: number,
  skip = 0,
): Promise<T | 'timeout' | 'aborted'> {
  const timeoutMs = timeoutOf(limits, otherwiseMs);
  const signal = typeof limits === 'object' ? limits.signal : undefined;
  if (signal === undefined) return (await self.receive(match, timeoutMs, skip)) ?? 'timeout';
  if (signal.aborted) return 'aborted';
  // only this very message means it: no peer can make it
  const wake = tuple(atom('aborted'));
  const forget = onAbort(signal, () => self.deliver(wake));
  try {
    const got = await self.receive<T | 'aborted'>(
      (m) => (m === wake ? 'aborted' : match(m)),
      timeoutMs,
      skip,
    );
    return got ?? 'timeout';
  } finally {
    forget();
    if (signal.aborted && self.alive) self.mailbox.take((message) => (message === wake ? true : undefined));
  }
}

/** What is left of `limits` for each of several waits one after the other; without limit unless told otherwise. */
export function leftOf(self: Process, limits: Limits | undefined): () => CallOptions {
  const { clock } = self.system;
  const deadline = clock.now() + (timeoutOf(limits) ?? Number.POSITIVE_INFINITY);
  const signal = typeof limits === 'object' ? limits.signal : undefined;
  return () => ({
    timeoutMs: Math.max(0, deadline - clock.now()),
    ...(signal === undefined ? {} : { signal }),
  });
}
