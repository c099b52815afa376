// Counts the atoms that a connection teaches its peer: a BEAM node keeps each for ever, and ends when its table is full
// (1 048 576 by default). A service that makes atoms of what users type in would bring its neighbours down.
import { type Atom, atomName } from '../terms/atom.js';

/** So many different atoms are told in the log, once for each connection. */
export const MANY_ATOMS = 10_000;

export class TaughtAtoms {
  readonly #many: (sample: string) => void;
  /** Undefined once it was told. */
  #names: Set<string> | undefined = new Set();

  /** `many` is called with the atom that makes them many. */
  constructor(many: (sample: string) => void) {
    this.#many = many;
  }

  /** An atom goes out that the peer's cache does not have. */
  note(value: Atom | boolean): void {
    if (this.#names === undefined) return;
    this.#names.add(atomName(value));
    if (this.#names.size < MANY_ATOMS) return;
    this.#names = undefined;
    this.#many(atomName(value));
  }
}
