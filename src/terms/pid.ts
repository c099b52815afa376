// Process identifiers.
import type { Atom } from './atom.js';

/** A pid. Two equal pids need not be `===`: compare with `equals`, or use `key` in a Map. */
export class Pid {
  readonly node: Atom;
  /** Called ID in the external term format: 15 bits here, up to 32 from others. */
  readonly number: number;
  readonly serial: number;
  readonly creation: number;
  #key: string | undefined;
  constructor(node: Atom, number: number, serial: number, creation: number) {
    this.node = node;
    this.number = number;
    this.serial = serial;
    this.creation = creation;
  }
  /** Equal for equal pids, different for different ones: for use as a Map key. Made when first asked for. */
  get key(): string {
    this.#key ??= `${this.number}.${this.serial}.${this.creation}.${this.node.name}`;
    return this.#key;
  }
}
