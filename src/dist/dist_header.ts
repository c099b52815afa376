// The distribution header and its atom cache ("Distribution Header" of the external term format; OTP: external.c).
//
//   131, 'D' (68), n, flags, references      one message in one frame
//   131, 'E' (69), sequence u64, fragment u64, n, flags, references      the first piece of a message
//   131, 'F' (70), sequence u64, fragment u64                            a further piece
//
// `flags` are floor(n/2)+1 bytes of half-bytes, low half first: bit 8 a new entry, bits 0-7 the segment; half-byte
// number n holds in bit 1 whether lengths take two bytes. A reference is `index` (known entry) or
// `index, length, text` (new entry); the slot is segment * 256 + index. In the terms behind, `82, k` is reference k.
// There is one cache for each direction of a connection; it begins empty and dies with the connection.
import type { Reader } from '../bytes/reader.js';
import type { Writer } from '../bytes/writer.js';
import { DecodeError } from '../errors.js';
import { type Atom, atomName, atomOrBoolean, MAX_ATOM_CHARACTERS } from '../terms/atom.js';

export const VERSION_MAGIC = 131;
export const DIST_HEADER = 68;
export const DIST_FRAG_HEADER = 69;
export const DIST_FRAG_CONT = 70;
/** First byte of a frame when neither the atom cache nor fragments were negotiated. */
export const PASS_THROUGH = 112;

export const CACHE_SLOTS = 2048;
/** A header holds at most so many references. */
export const MAX_REFERENCES = 255;

/** The atoms that the references of one header stand for, by reference number. */
export type References = readonly (Atom | boolean)[];

const NO_REFERENCES: References = [];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What the peer's headers refer to. */
export class InCache {
  readonly #slots: (Atom | boolean | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);

  /** Reads `n, flags, references` and resolves the references at once: later headers may overwrite the slots. */
  read(reader: Reader): References {
    const count = reader.u8();
    if (count === 0) return NO_REFERENCES;
    const flags = reader.offset;
    reader.need((count >> 1) + 1);
    reader.offset = flags + (count >> 1) + 1;
    const long = (halfByte(reader.bytes, flags, count) & 1) !== 0;
    const references: (Atom | boolean)[] = [];
    for (let i = 0; i < count; i++) {
      const flag = halfByte(reader.bytes, flags, i);
      const slot = (flag & 7) * 256 + reader.u8();
      if ((flag & 8) !== 0) this.#slots[slot] = readText(reader, long ? reader.u16() : reader.u8());
      const known = this.#slots[slot];
      if (known === undefined) {
        throw new DecodeError(
          'bad_value',
          `the header refers to slot ${slot} of the atom cache, which is empty`,
          reader.offset - 1,
        );
      }
      references.push(known);
    }
    return references;
  }
}

function halfByte(bytes: Buffer, start: number, index: number): number {
  const byte = bytes[start + (index >> 1)] as number;
  return (index & 1) === 0 ? byte & 15 : byte >> 4;
}

function readText(reader: Reader, length: number): Atom | boolean {
  const at = reader.offset;
  const bytes = reader.view(length);
  let name: string;
  try {
    name = utf8.decode(bytes);
  } catch {
    throw new DecodeError('bad_value', 'an atom of the header is not UTF-8', at);
  }
  if (name.length > MAX_ATOM_CHARACTERS && [...name].length > MAX_ATOM_CHARACTERS) {
    throw new DecodeError('too_large', `an atom of the header is longer than ${MAX_ATOM_CHARACTERS}`, at);
  }
  return atomOrBoolean(name);
}

/** One atom that has a slot in the peer's cache. */
interface Entry {
  readonly atom: Atom | boolean;
  readonly text: Buffer;
  readonly slot: number;
  /** Whether the peer was told: false until the header that introduces it is written. */
  told: boolean;
  /** Used since the hand of the clock passed: such an entry is passed over once. */
  used: boolean;
  /** The message that used it last, and its reference number there. */
  message: number;
  reference: number;
}

/**
 * What our headers refer to. Messages must be encoded in the order in which they are written. Slots are given in
 * order until all are taken, then by second chance, so that atoms in steady use keep theirs.
 */
export class OutCache {
  readonly #entries = new Map<Atom | boolean, Entry>();
  readonly #slots: (Entry | undefined)[] = [];
  readonly #references: Entry[] = [];
  #message = 0;
  #hand = 0;
  readonly #unknown: (value: Atom | boolean) => void;

  /** `unknown` is called with each atom that the peer's cache does not have. */
  constructor(unknown: (value: Atom | boolean) => void = () => {}) {
    this.#unknown = unknown;
  }

  /** Begins a message. */
  begin(): void {
    this.#message++;
    this.#references.length = 0;
  }

  /** The reference number of that atom in the present message; -1: no room, write it out. */
  reference(value: Atom | boolean): number {
    let entry = this.#entries.get(value);
    if (entry !== undefined && entry.message === this.#message) return entry.reference;
    const reference = this.#references.length;
    if (reference === MAX_REFERENCES) {
      if (entry === undefined) this.#unknown(value);
      return -1;
    }
    if (entry === undefined) entry = this.#give(value);
    entry.message = this.#message;
    entry.reference = reference;
    entry.used = true;
    this.#references.push(entry);
    return reference;
  }

  /** Writes `n, flags, references` of the present message, which ends it. */
  write(writer: Writer): void {
    const references = this.#references;
    const count = references.length;
    writer.u8(count);
    if (count === 0) return;
    let long = false;
    for (const entry of references) if (entry.text.length > 255) long = true;
    for (let i = 0; i <= count; i += 2) {
      writer.u8(this.#flag(i, long) | (this.#flag(i + 1, long) << 4));
    }
    for (const entry of references) {
      writer.u8(entry.slot & 255);
      if (entry.told) continue;
      if (long) writer.u16(entry.text.length);
      else writer.u8(entry.text.length);
      writer.bytes(entry.text);
    }
    for (const entry of references) entry.told = true;
  }

  /** Gives the present message up: what it would have introduced is not known to the peer. */
  abort(): void {
    for (const entry of this.#references) {
      if (entry.told) continue;
      this.#entries.delete(entry.atom);
      this.#slots[entry.slot] = undefined;
    }
    this.begin();
  }

  #flag(index: number, long: boolean): number {
    const entry = this.#references[index];
    if (entry === undefined) return index === this.#references.length && long ? 1 : 0;
    return (entry.slot >> 8) | (entry.told ? 0 : 8);
  }

  #give(value: Atom | boolean): Entry {
    this.#unknown(value);
    const slot = this.#slots.length < CACHE_SLOTS ? this.#slots.length : this.#freeSlot();
    const entry: Entry = {
      atom: value,
      text: Buffer.from(atomName(value), 'utf8'),
      slot,
      told: false,
      used: true,
      message: 0,
      reference: 0,
    };
    this.#slots[slot] = entry;
    this.#entries.set(value, entry);
    return entry;
  }

  /** The next slot whose atom was not used lately. Ends: a message uses 255 of the 2048 at most. */
  #freeSlot(): number {
    for (;;) {
      const slot = this.#hand;
      this.#hand = (this.#hand + 1) % CACHE_SLOTS;
      const entry = this.#slots[slot];
      if (entry === undefined) return slot;
      if (entry.message === this.#message) continue;
      if (!entry.used) {
        this.#entries.delete(entry.atom);
        return slot;
      }
      entry.used = false;
    }
  }
}
