// Time as the runtime sees it: tests put a clock of their own in its place.

/** A source of time and timers, in milliseconds. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** `background`: it does not keep a process alive that has nothing else to do. */
  setTimeout(callback: () => void, ms: number, background?: boolean): unknown;
  clearTimeout(handle: unknown): void;
}

/** The longest time a timer of Node.js takes; longer ones fire at once, so `infinity` sets no timer at all. */
const MAX_TIMEOUT_MS: number = 2 ** 31 - 1;

/** The real clock. */
export const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms, background) => {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMEOUT_MS));
    return background === true ? timer.unref() : timer;
  },
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};
