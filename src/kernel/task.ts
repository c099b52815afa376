// Work of plain code that needs a process, as Elixir's Task.async and Task.await.
import { CallError, Exit } from '../errors.js';
import { reasonOf } from '../erts/exception.js';
import { KILL, type Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { type CallOptions, DEFAULT_TIMEOUT_MS, timeoutOf } from '../stdlib/limits.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';

/**
 * Runs `work` in a process of its own and resolves to what it returns; rejects with what it throws, with `Exit` if its
 * process is ended from outside, and with `CallError` if it is given up: after 5000 ms unless told otherwise, or by
 * the signal. Its process is killed then; `self.signal` tells the code that still runs.
 */
export function task<T>(
  system: System,
  work: (self: Process) => T | Promise<T>,
  options: CallOptions = {},
): Promise<T> {
  const { signal } = options;
  return new Promise<T>((resolve, reject) => {
    const began = performance.now();
    const process = system.spawn(async (self) => {
      try {
        resolve(await work(self));
      } catch (error) {
        reject(error);
        throw new Exit(reasonOf(error)); // whoever is linked learns it; the caller has the error itself
      }
    });
    const giveUp = (code: 'timeout' | 'aborted', cause?: unknown): void => {
      const elapsedMs = Math.round(performance.now() - began);
      const text = `the task on ${system.node.name} is given up after ${elapsedMs} ms: ${code}`;
      const facts = { reason: atom(code), node: system.node.name, server: 'task', elapsedMs, sent: true };
      reject(new CallError(code, text, facts, cause));
      process.exitArrived(process.pid, KILL, 'exit2');
    };
    const aborted = (): void => giveUp('aborted', signal?.reason);
    const timeoutMs = timeoutOf(options, DEFAULT_TIMEOUT_MS);
    const timer =
      timeoutMs === undefined ? undefined : system.clock.setTimeout(() => giveUp('timeout'), timeoutMs);
    process.signal.addEventListener('abort', () => {
      reject(new Exit(process.exitReason as Term, 'the process of the task was ended'));
      if (timer !== undefined) system.clock.clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    });
    if (signal?.aborted === true) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
}
