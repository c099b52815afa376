// Tuples.
import type { Term } from './term.js';

/** An Erlang tuple. `elements[0]` is what Erlang calls element 1. */
export class Tuple {
  readonly elements: readonly Term[];
  constructor(elements: readonly Term[]) {
    this.elements = elements;
  }
}

/** The tuple of these elements: `tuple(atom('ok'), 1)` is `{ok, 1}`. */
export function tuple(...elements: Term[]): Tuple {
  return new Tuple(elements);
}

/** Whether `term` is a tuple of `arity` elements whose first is `tag`. */
export function isTagged(term: Term | undefined, tag: Term, arity: number): term is Tuple {
  return term instanceof Tuple && term.elements.length === arity && term.elements[0] === tag;
}
