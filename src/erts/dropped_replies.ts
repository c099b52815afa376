// Answers that a process does not want any more: those of requests that it gave up.
import { ImproperList } from '../terms/list.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';

/** References that are remembered; the oldest are forgotten. */
const MAX_REFERENCES = 1000;

export class DroppedReplies {
  /** Oldest first. */
  readonly #references = new Set<string>();

  add(ref: Reference): void {
    if (this.#references.size >= MAX_REFERENCES) {
      const [oldest] = this.#references;
      this.#references.delete(oldest as string);
    }
    this.#references.add(ref.key);
  }

  /** Whether the message is an answer to be dropped, `{Ref, _}` or `{[alias | Ref], _}`; there is one for a request. */
  take(message: Term): boolean {
    if (this.#references.size === 0) return false;
    if (!(message instanceof Tuple) || message.elements.length !== 2) return false;
    const [tag] = message.elements;
    const ref = tag instanceof ImproperList ? tag.tail : tag;
    return ref instanceof Reference && this.#references.delete(ref.key);
  }
}
