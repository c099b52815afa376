// Running a test's body inside a process, and asking what it exits with.
import assert from 'node:assert/strict';
import { Exit } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import type { StartResult } from '../../src/stdlib/proc_lib.js';
import { equals } from '../../src/terms/order.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';

/** Runs `body` in a trapping process of `system`; resolves or fails with what it returns or throws. */
export function inProcess<T>(system: System, body: (self: Process) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    system.spawn(async (self) => {
      self.trapExit = true;
      await body(self).then(resolve, reject);
    });
  });
}

/** The pid of a start that is to succeed. */
export async function ok(result: Promise<StartResult>): Promise<Pid> {
  const started = await result;
  assert.ok('ok' in started, 'the start was to succeed');
  return started.ok;
}

/** The reason of a call that is to exit. */
export async function exitOf(promise: Promise<unknown>): Promise<Term> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Exit, String(error));
    return error.reason;
  }
  assert.fail('the call was to exit');
}

/** Equality of terms as Erlang has it. */
export function same(actual: Term | undefined, expected: Term): void {
  assert.ok(actual !== undefined && equals(actual, expected), `${show(actual)} is not ${show(expected)}`);
}

function show(term: Term | undefined): string {
  return (
    JSON.stringify(term, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)) ?? ''
  );
}
