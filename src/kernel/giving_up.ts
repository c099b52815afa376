// Promises of plain code that are given up: after a time, or by a signal of the caller. What they wait for goes on.
import { CallError } from '../errors.js';
import type { System } from '../erts/system.js';
import { type CallOptions, onAbort, timeoutOf } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';

/** What is waited for, as an error tells it. */
export interface Wait {
  readonly node: Atom;
  /** As Erlang writes it. */
  readonly server: string;
}

/**
 * What `work` resolves to, without limit unless told otherwise; rejects with `CallError` `timeout` or `aborted` when it is
 * given up. With a signal that is aborted already `work` is not begun.
 */
export function unlessGivenUp<T>(
  system: System,
  { node, server }: Wait,
  work: () => Promise<T>,
  options: CallOptions = {},
): Promise<T> {
  const { signal } = options;
  const { clock } = system;
  const began = performance.now();
  const givenUp = (code: 'timeout' | 'aborted', sent: boolean): CallError => {
    const elapsedMs = Math.round(performance.now() - began);
    const text = `waiting for ${server} on ${node.name} was given up after ${elapsedMs} ms: ${code}; ${sent ? 'it goes on' : 'it was not begun'}`;
    return new CallError(
      code,
      text,
      { reason: atom(code), node: node.name, server, elapsedMs, sent },
      code === 'aborted' ? signal?.reason : undefined,
    );
  };
  if (signal?.aborted === true) return Promise.reject(givenUp('aborted', false));
  const timeoutMs = timeoutOf(options);
  const release: (() => void)[] = [];
  const over = new Promise<never>((_, reject) => {
    if (signal !== undefined) release.push(onAbort(signal, () => reject(givenUp('aborted', true))));
    if (timeoutMs === undefined) return;
    const timer = clock.setTimeout(() => reject(givenUp('timeout', true)), timeoutMs);
    release.push(() => clock.clearTimeout(timer));
  });
  return Promise.race([work(), over]).finally(() => {
    for (const each of release) each();
  });
}
