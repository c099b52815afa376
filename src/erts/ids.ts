// Identifiers of this node: none is used twice while the creation is the same.
import { randomBytes } from 'node:crypto';
import type { Atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';

/** Numbers stay below 2^15, which every release takes; the serial grows. */
const NUMBERS = 2 ** 15;
/** The first word of our references stays below 2^18. */
const FIRST_WORDS = 2 ** 18;

export class Ids {
  readonly #node: Atom;
  readonly #creation: number;
  #pids = 0;
  #references = randomBytes(4).readUInt32BE();

  constructor(node: Atom, creation: number) {
    this.#node = node;
    this.#creation = creation;
  }

  /** A new pid. Number 0 is avoided: it is `init`'s on BEAM. */
  pid(): Pid {
    this.#pids += 1;
    if (this.#pids % NUMBERS === 0) this.#pids += 1;
    return new Pid(this.#node, this.#pids % NUMBERS, Math.floor(this.#pids / NUMBERS), this.#creation);
  }

  /** A new reference of three words, the first within 18 bits as those of BEAM. */
  reference(): Reference {
    const n = this.#references++;
    return new Reference(this.#node, this.#creation, [n % FIRST_WORDS, Math.floor(n / FIRST_WORDS), 0]);
  }

  /** A pid of this incarnation as one number, for tables; -1 for any other. */
  indexOfPid(pid: Pid): number {
    const own = pid.node === this.#node && pid.creation === this.#creation && pid.number < NUMBERS;
    return own ? pid.serial * NUMBERS + pid.number : -1;
  }

  /** A reference of this incarnation as one number, for tables; -1 for any other. */
  indexOfRef(ref: Reference): number {
    if (ref.node !== this.#node || ref.creation !== this.#creation) return -1;
    const [first = 0, second = 0, third] = ref.words;
    return third === 0 && first < FIRST_WORDS ? second * FIRST_WORDS + first : -1;
  }
}
