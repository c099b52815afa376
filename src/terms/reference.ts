// References.
import type { Atom } from './atom.js';

/** A reference of 0 to 5 words. `words[0]` is the first word on the wire, the last one that is printed. */
export class Reference {
  readonly node: Atom;
  readonly creation: number;
  readonly words: readonly number[];
  #key: string | undefined;
  constructor(node: Atom, creation: number, words: readonly number[]) {
    this.node = node;
    this.creation = creation;
    this.words = words;
  }
  /** Equal for equal references, different for different ones: for use as a Map key. Made when first asked for. */
  get key(): string {
    this.#key ??= `${this.words.join('.')}.${this.creation}.${this.node.name}`;
    return this.#key;
  }
}
