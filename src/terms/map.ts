// Maps with Erlang's equality of keys (`=:=` of OTP 27): 1 and 1.0 differ, {a, 1} equals {a, 1}.
import { keyOf } from './order.js';
import type { Term } from './term.js';

/** An Erlang map. Immutable once made: `with` and `without` make new ones. Iterates in order of insertion. */
export class TermMap {
  readonly #entries: Map<unknown, readonly [Term, Term]>;

  /** Of two equal keys the later wins. */
  constructor(entries: Iterable<readonly [Term, Term]> = []) {
    this.#entries = new Map();
    for (const entry of entries) this.#entries.set(keyOf(entry[0]), entry);
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: Term): Term | undefined {
    return this.#entries.get(keyOf(key))?.[1];
  }
  has(key: Term): boolean {
    return this.#entries.has(keyOf(key));
  }
  /** This map with `key` set to `value`. */
  with(key: Term, value: Term): TermMap {
    return new TermMap([...this.#entries.values(), [key, value]]);
  }
  /** This map without `key`. */
  without(key: Term): TermMap {
    const removed = keyOf(key);
    return new TermMap([...this.#entries].filter(([k]) => k !== removed).map(([, entry]) => entry));
  }
  [Symbol.iterator](): IterableIterator<readonly [Term, Term]> {
    return this.#entries.values();
  }
}

/** The map of these pairs. */
export function map(...entries: (readonly [Term, Term])[]): TermMap {
  return new TermMap(entries);
}
