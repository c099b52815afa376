// Lists: a proper list is a JavaScript array; an improper one has a class of its own.
import type { Term } from './term.js';

/** `[A, B | Tail]` whose tail is no list. Never empty, and its tail is never an array or another `ImproperList`. */
export class ImproperList {
  readonly items: readonly Term[];
  readonly tail: Term;
  constructor(items: readonly Term[], tail: Term) {
    this.items = items;
    this.tail = tail;
  }
}

/** `[...items | tail]` in its one representation: an array if the tail is a proper list, else an `ImproperList`. */
export function cons(items: readonly Term[], tail: Term): Term {
  if (items.length === 0) return tail;
  if (Array.isArray(tail)) return tail.length === 0 ? items : [...items, ...(tail as readonly Term[])];
  if (tail instanceof ImproperList) return new ImproperList([...items, ...tail.items], tail.tail);
  return new ImproperList(items, tail);
}
