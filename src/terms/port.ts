// Port identifiers. We have no ports; those of peers are carried.
import type { Atom } from './atom.js';

/** A port identifier, up to 64 bits. */
export class Port {
  readonly node: Atom;
  readonly id: bigint;
  readonly creation: number;
  constructor(node: Atom, id: bigint, creation: number) {
    this.node = node;
    this.id = id;
    this.creation = creation;
  }
}
