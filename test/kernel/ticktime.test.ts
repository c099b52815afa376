import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ticktime } from '../../src/kernel/ticktime.js';
import { FakeClock } from '../support/fake_clock.js';

function started(seconds: number) {
  const clock = new FakeClock();
  const applied: number[] = [];
  let ticks = 0;
  const ticktime = new Ticktime(clock, seconds * 1000, 4, {
    apply: (ms) => applied.push(ms),
    tick: () => ticks++,
  });
  return { clock, applied, ticktime, ticks: () => ticks };
}

test('a longer ticktime counts at once, ticks go on at the shorter interval until the transition ends', () => {
  const { clock, applied, ticktime, ticks } = started(8);
  assert.equal(ticktime.set(60, 20), 'change_initiated');
  assert.deepEqual(applied, [60_000]);
  assert.deepEqual(ticktime.get(), { ongoingChangeTo: 60 });
  clock.advance(10_000);
  assert.equal(ticks(), 6);
  clock.advance(10_000);
  assert.equal(ticktime.get(), 60);
  const before = ticks();
  clock.advance(100_000);
  assert.equal(ticks(), before);
});

test('a shorter ticktime is ticked at once and counts when the transition ends', () => {
  const { clock, applied, ticktime, ticks } = started(60);
  assert.equal(ticktime.set(8, 20), 'change_initiated');
  assert.deepEqual(ticktime.set(9), { ongoingChangeTo: 8 });
  clock.advance(19_000);
  assert.deepEqual(applied, []);
  assert.equal(ticks(), 10);
  clock.advance(1000);
  assert.deepEqual(applied, [8000]);
  assert.equal(ticktime.get(), 8);
});

test('the present ticktime is no change, and one is rounded up to a multiple of the intensity', () => {
  const { applied, ticktime } = started(60);
  assert.equal(ticktime.set(60), 'unchanged');
  assert.equal(ticktime.set(0.001, 0), 'change_initiated');
  assert.deepEqual(applied, []);
});
