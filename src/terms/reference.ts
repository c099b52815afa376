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
    this.#key ??= `${significant(this.words).join('.')}.${this.creation}.${this.node.name}`;
    return this.#key;
  }
}

/** Words that are missing count as zero, so zeros at the end make no difference. */
function significant(words: readonly number[]): readonly number[] {
  let { length } = words;
  while (length > 0 && words[length - 1] === 0) length--;
  return length === words.length ? words : words.slice(0, length);
}
