// How long the machine kept this process from running: a measured time is late by that much through nobody's fault.

const EVERY_MS = 20;
/** A timer is late by less than this on any machine. */
const USUAL_MS = 30;

/** Measures from now on, until `stop`. */
export class Stalls {
  #total = 0;
  #due = performance.now() + EVERY_MS;
  readonly #timer = setInterval(() => {
    const late = performance.now() - this.#due;
    if (late > USUAL_MS) this.#total += late;
    this.#due = performance.now() + EVERY_MS;
  }, EVERY_MS).unref();

  /** Ends it; all the time that was lost, in ms. */
  stop(): number {
    clearInterval(this.#timer);
    return Math.round(this.#total);
  }
}
