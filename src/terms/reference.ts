// References.
import type { Atom } from './atom.js';

/** A reference of 0 to 5 words. `words[0]` is the first word on the wire, the last one that is printed. */
export class Reference {
  readonly node: Atom;
  readonly creation: number;
  readonly words: readonly number[];
  /** Equal for equal references, different for different ones: for use as a Map key. */
  readonly key: string;
  constructor(node: Atom, creation: number, words: readonly number[]) {
    this.node = node;
    this.creation = creation;
    this.words = words;
    this.key = `${words.join('.')}.${creation}.${node.name}`;
  }
}
