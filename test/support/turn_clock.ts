// A clock for clusters in memory: it counts the turns of the event loop, not time. How busy the machine is, is all the same.
import type { Clock } from '../../src/erts/timer.js';

/** A message takes about one turn from node to node, so this is the pace of a network in which it takes a millisecond. */
const MS_PER_TURN = 1;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class TurnClock implements Clock {
  #now = 0;
  #next = Number.POSITIVE_INFINITY;
  #turning = false;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    this.#next = Math.min(this.#next, timer.at);
    if (!this.#turning) this.#turn();
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as Timer);
  }

  /** Time goes on while there is a timer. */
  #turn(): void {
    this.#turning = this.#timers.size > 0;
    if (!this.#turning) return;
    setImmediate(() => {
      this.#now += MS_PER_TURN;
      if (this.#now >= this.#next) this.#fire();
      this.#turn();
    });
  }

  #fire(): void {
    const due = [...this.#timers].filter((timer) => timer.at <= this.#now).sort((a, b) => a.at - b.at);
    for (const timer of due) {
      if (this.#timers.delete(timer)) timer.callback();
    }
    this.#next = Math.min(...[...this.#timers].map((timer) => timer.at));
  }
}
