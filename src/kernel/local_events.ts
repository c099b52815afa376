// Typed events of this node's own code in a process's mailbox: in order with the messages that arrive there, and
// no peer can make one, since only the very message that was posted stands for the event.
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';

const LOCAL_EVENT = atom('$otpnode_local_event');

export class LocalEvents<E> {
  readonly #events = new WeakMap<Tuple, E>();

  post(process: Process, event: E): void {
    process.deliver(this.#message(event));
  }

  /** Posts the event after a time, if the process is still alive then. */
  postAfter(process: Process, ms: number, event: E): void {
    process.sendAfter(ms, process.pid, this.#message(event));
  }

  #message(event: E): Tuple {
    const message = tuple(LOCAL_EVENT);
    this.#events.set(message, event);
    return message;
  }

  /** The event that a message stands for, if it does. */
  of(message: Term): E | undefined {
    return typeof message === 'object' ? this.#events.get(message as Tuple) : undefined;
  }
}
