import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { largeMessageRead } from '../../src/dist/young_memory.js';

test('four megabytes of large messages make V8 collect the young, and only them', async () => {
  const kinds = new Promise<number[]>((resolve) => {
    const observer = new PerformanceObserver((list) => {
      observer.disconnect();
      resolve(
        list.getEntries().map((entry) => (entry as unknown as { detail: { kind: number } }).detail.kind),
      );
    });
    observer.observe({ entryTypes: ['gc'] });
  });
  largeMessageRead(2 ** 22);
  assert.deepEqual(await kinds, [constants.NODE_PERFORMANCE_GC_MINOR]);
  assert.equal('gc' in globalThis, false);
});
