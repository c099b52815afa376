// Atoms, interned: atom('ok') === atom('ok') for as long as anybody holds it.
//
// The table holds its atoms weakly, so that a peer cannot fill it. `true` and `false` are JavaScript booleans.
import { BadArg } from '../errors.js';
import type { Term } from './term.js';

/** An Erlang atom other than `true` and `false`. Made by {@link atom} only, compared with `===`. */
export class Atom {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  toString(): string {
    return this.name;
  }
}

const table = new Map<string, WeakRef<Atom>>();
const collected = new FinalizationRegistry<string>((name) => {
  if (table.get(name)?.deref() === undefined) table.delete(name);
});

/** At most so many code points make an atom (`MAX_ATOM_CHARACTERS`). */
export const MAX_ATOM_CHARACTERS = 255;

/** The atom of that name. Throws `BadArg` for `true` and `false` (write the booleans) and for over 255 characters. */
export function atom(name: string): Atom {
  const known = table.get(name)?.deref();
  if (known !== undefined) return known;
  if (name === 'true' || name === 'false') {
    throw new BadArg(`atom('${name}') is the boolean: write ${name}`);
  }
  if (name.length > MAX_ATOM_CHARACTERS && [...name].length > MAX_ATOM_CHARACTERS) {
    throw new BadArg(`an atom has at most 255 characters; this one has ${[...name].length}`, 'system_limit');
  }
  const made = new Atom(name);
  table.set(name, new WeakRef(made));
  collected.register(made, name);
  return made;
}

/** The atom or boolean of that name: what a decoder makes of an atom's text. */
export function atomOrBoolean(name: string): Atom | boolean {
  return name === 'true' ? true : name === 'false' ? false : atom(name);
}

/** Whether an atom of that name is alive now (`binary_to_existing_atom`). */
export function existingAtom(name: string): Atom | boolean | undefined {
  return name === 'true' ? true : name === 'false' ? false : table.get(name)?.deref();
}

/** How many atoms are alive, or were until lately. */
export function atomCount(): number {
  return table.size;
}

/** Erlang's `is_atom/1`. */
export function isAtom(term: Term | undefined): term is Atom | boolean {
  return term instanceof Atom || typeof term === 'boolean';
}

/** The text of an atom or boolean. */
export function atomName(value: Atom | boolean): string {
  return typeof value === 'boolean' ? String(value) : value.name;
}

// Atoms read of late, by a hash of their text: finding one here costs no string. Few, so they are held strongly.
const RECENT = 2048;
const LONGEST_RECENT = 64;
const recentNames: string[] = new Array(RECENT).fill('');
const recentAtoms: (Atom | boolean)[] = new Array(RECENT).fill(false);

/** The slot of an ASCII text among the recent atoms; -1 if it is not ASCII, empty or long. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > LONGEST_RECENT) return -1;
  let hash = end - start;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    all |= byte;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return all > 127 || end === start ? -1 : (hash ^ (hash >>> 11)) & (RECENT - 1);
}

function isText(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== name.charCodeAt(i - start)) return false;
  return true;
}

/**
 * The atom whose text stands at `start` to `end` in `bytes`. `read` makes the text of the bytes and is called only
 * when the atom was not read of late; `find` makes the atom of the text ({@link atomOrBoolean}, {@link existingAtom}).
 */
export function atomAt<B extends Uint8Array, A extends Atom | boolean | undefined>(
  bytes: B,
  start: number,
  end: number,
  read: (bytes: B, start: number, end: number) => string,
  find: (name: string) => A,
): A | Atom | boolean {
  const slot = slotOf(bytes, start, end);
  if (slot >= 0 && isText(recentNames[slot] as string, bytes, start, end)) {
    return recentAtoms[slot] as Atom | boolean;
  }
  const name = read(bytes, start, end);
  const found = find(name);
  if (slot >= 0 && found !== undefined) {
    recentNames[slot] = name;
    recentAtoms[slot] = found;
  }
  return found;
}
