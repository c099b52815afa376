// Work of plain code that needs a process, as Elixir's Task.async and Task.await.
import { CallError, Exit } from '../errors.js';
import { reasonOf } from '../erts/exception.js';
import { KILL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { type CallOptions, DEFAULT_TIMEOUT_MS, onAbort, timeoutOf } from '../stdlib/limits.js';
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
  const { clock } = system;
  return new Promise<T>((resolve, reject) => {
    const began = performance.now();
    const release: (() => void)[] = [];
    const ended = (): void => {
      for (const each of release.splice(0)) each();
    };
    const giveUp = (code: 'timeout' | 'aborted', cause?: unknown): void => {
      const elapsedMs = Math.round(performance.now() - began);
      const text = `the task on ${system.node.name} is given up after ${elapsedMs} ms: ${code}`;
      const sent = process !== undefined;
      const facts = { reason: atom(code), node: system.node.name, server: 'task', elapsedMs, sent };
      reject(new CallError(code, text, facts, cause));
      process?.exitArrived(process.pid, KILL, 'exit2');
    };
    let process: Process | undefined;
    if (signal?.aborted === true) {
      giveUp('aborted', signal.reason);
      return;
    }
    const timeoutMs = timeoutOf(options, DEFAULT_TIMEOUT_MS);
    if (timeoutMs !== undefined) {
      const timer = clock.setTimeout(() => giveUp('timeout'), timeoutMs);
      release.push(() => clock.clearTimeout(timer));
    }
    if (signal !== undefined) release.push(onAbort(signal, () => giveUp('aborted', signal.reason)));
    const running = system.spawn(async (self) => {
      try {
        resolve(await work(self));
      } catch (error) {
        reject(error);
        throw new Exit(reasonOf(error)); // whoever is linked learns it; the caller has the error itself
      }
    });
    process = running;
    running.signal.addEventListener('abort', () => {
      reject(new Exit(running.exitReason as Term, 'the process of the task was ended'));
      ended();
    });
    if (!running.alive) ended();
  });
}
