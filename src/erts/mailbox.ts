// A process's queue of messages: first in, first out, or the first that matches.
import type { Term } from '../terms/term.js';

export class Mailbox {
  #queue: Term[] = [];
  #head = 0;
  /** So many of the first came with priority. */
  #urgent = 0;

  get size(): number {
    return this.#queue.length - this.#head;
  }

  push(message: Term): void {
    this.#queue.push(message);
  }

  /** Before all that came without priority, behind what came with it. */
  pushUrgent(message: Term): void {
    this.#queue.splice(this.#head + this.#urgent, 0, message);
    this.#urgent++;
  }

  /** The oldest message, taken out. */
  shift(): Term | undefined {
    if (this.#head === this.#queue.length) return undefined;
    if (this.#urgent > 0) this.#urgent--;
    const message = this.#queue[this.#head];
    this.#queue[this.#head++] = 0; // lets the message be collected
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  /**
   * What `match` made of the oldest message for which it gave a value; that message is taken out. The first `skip`
   * messages are not looked at.
   */
  take<T>(match: (message: Term) => T | undefined, skip = 0): T | undefined {
    for (let i = this.#head + skip; i < this.#queue.length; i++) {
      const value = match(this.#queue[i] as Term);
      if (value !== undefined) {
        if (i === this.#head) this.shift();
        else {
          if (i - this.#head < this.#urgent) this.#urgent--;
          this.#queue.splice(i, 1);
        }
        return value;
      }
    }
    return undefined;
  }

  /** A copy of what waits, oldest first. */
  toArray(): Term[] {
    return this.#queue.slice(this.#head);
  }

  clear(): void {
    this.#queue = [];
    this.#head = 0;
    this.#urgent = 0;
  }
}
