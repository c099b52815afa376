// Stays awake for the rest of a large message.
//
// Its sender writes it piece by piece. If each piece finds this node asleep, waking it takes both ends longer than the
// bytes themselves do, so BEAM's schedulers look for a while before they sleep (`+sbwt`). Here the event loop goes on
// turning: everything else is served meanwhile, and what it costs is bounded by the bytes that have come.

/** What so many bytes have earned is a turn, of about a microsecond. */
const BYTES_PER_TURN = 512;

export class Awake {
  #turns = 0;
  #turning = false;

  /** `bytes` have come of a message, and more are expected. */
  expect(bytes: number): void {
    this.#turns = Math.floor(bytes / BYTES_PER_TURN);
    if (!this.#turning) this.#turn();
  }

  /** Nothing is expected any more. */
  rest(): void {
    this.#turns = 0;
  }

  #turn = (): void => {
    this.#turning = this.#turns > 0;
    if (!this.#turning) return;
    this.#turns--;
    setImmediate(this.#turn);
  };
}
