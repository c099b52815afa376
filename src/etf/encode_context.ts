// What an encoder is told beside the term.
import type { Atom } from '../terms/atom.js';

/** What the peer of a connection can read, and the atoms that its frame's header carries. */
export interface EncodeContext {
  /** The number of the reference for an atom in the header of this frame; -1 to spell it out. */
  readonly atomRef?: ((atom: Atom | boolean) => number) | undefined;
  /** DFLAG_V4_NC: pids of 64 bits, references of 5 words, ports of 64 bits. */
  readonly v4nc: boolean;
  /** Atoms as Latin-1 where possible, as `{minor_version, 1}` and less. */
  readonly latin1Atoms?: boolean | undefined;
  /** Floats as text, as `{minor_version, 0}`. */
  readonly textFloats?: boolean | undefined;
  /** Maps sorted by their keys. */
  readonly deterministic?: boolean | undefined;
}
