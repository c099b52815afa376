// Atoms, interned: atom('ok') === atom('ok') for as long as anybody holds it.
//
// The table holds its atoms weakly, so that a peer cannot fill it. `true` and `false` are JavaScript booleans.
import { BadArg } from '../errors.js';

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

/** The text of an atom or boolean. */
export function atomName(value: Atom | boolean): string {
  return typeof value === 'boolean' ? String(value) : value.name;
}
