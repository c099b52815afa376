import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { largeMessageRead } from '../../src/dist/young_memory.js';

/** What @types/node 20 leaves out. */
interface GcEntry {
  readonly detail: { readonly kind: number };
}

test('four megabytes of large messages make V8 collect the young, and only them', async () => {
  const kinds: number[] = [];
  await new Promise<void>((resolve) => {
    const alive = setTimeout(resolve, 10_000); // an observer alone does not keep the event loop going
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) kinds.push((entry as unknown as GcEntry).detail.kind);
      observer.disconnect();
      clearTimeout(alive);
      resolve();
    });
    observer.observe({ entryTypes: ['gc'] });
    largeMessageRead(2 ** 22);
  });
  assert.deepEqual(new Set(kinds), new Set([constants.NODE_PERFORMANCE_GC_MINOR]));
  assert.equal('gc' in globalThis, false);
});
