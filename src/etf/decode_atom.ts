// Atoms: five tags, two encodings, and references into the table of a frame's header.
import type { Reader } from '../bytes/reader.js';
import { Atom, atomAt, atomOrBoolean, existingAtom, MAX_ATOM_CHARACTERS } from '../terms/atom.js';
import { type DecodeContext, refuse, type TagDecoder } from './decode_context.js';
import * as tags from './tags.js';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const readLatin1 = (bytes: Buffer, start: number, end: number): string =>
  bytes.toString('latin1', start, end);
const readUtf8 = (bytes: Buffer, start: number, end: number): string =>
  strictUtf8.decode(bytes.subarray(start, end));

/** `length u8 or u16, Latin-1 text` of at most 255 characters. */
function latin1Atom(reader: Reader, context: DecodeContext, length: number): Atom | boolean {
  if (length > MAX_ATOM_CHARACTERS) throw refuse(reader, `an atom of ${length} characters`);
  return named(reader, context, length, readLatin1);
}

/** `length u8 or u16, UTF-8 text` of at most 255 characters. */
function utf8Atom(reader: Reader, context: DecodeContext, length: number): Atom | boolean {
  if (length > 4 * MAX_ATOM_CHARACTERS) throw refuse(reader, `an atom of ${length} bytes`);
  try {
    return named(reader, context, length, readUtf8);
  } catch (error) {
    if (error instanceof TypeError) throw refuse(reader, 'an atom that is not UTF-8');
    throw error;
  }
}

function named(
  reader: Reader,
  context: DecodeContext,
  length: number,
  read: (bytes: Buffer, start: number, end: number) => string,
): Atom | boolean {
  reader.need(length);
  const start = reader.offset;
  const found = atomAt(reader.bytes, start, start + length, read, (name) => {
    if (context.safe === true) return existingAtom(name);
    if (name.length > MAX_ATOM_CHARACTERS && [...name].length > MAX_ATOM_CHARACTERS) {
      throw refuse(reader, `an atom of more than ${MAX_ATOM_CHARACTERS} characters`);
    }
    return atomOrBoolean(name);
  });
  if (found === undefined) throw refuse(reader, 'an atom that did not exist before', undefined, 'unsafe');
  reader.offset = start + length;
  return found;
}

/** `82, index u8`: the atom with that number in the header of this frame. */
function cached(reader: Reader, context: DecodeContext): Atom | boolean {
  if (context.atomRef === undefined) {
    throw refuse(reader, 'an atom cache reference outside of a frame', tags.ATOM_CACHE_REF, 'bad_tag');
  }
  const found = context.atomRef(reader.u8());
  if (found === undefined) {
    throw refuse(reader, 'a reference to an atom that the header of this frame has not', tags.ATOM_CACHE_REF);
  }
  return found;
}

export const ATOM_DECODERS: readonly (readonly [number, TagDecoder<Atom | boolean>])[] = [
  [tags.ATOM_CACHE_REF, cached],
  [tags.ATOM_EXT, (reader, context) => latin1Atom(reader, context, reader.u16())],
  [tags.SMALL_ATOM_EXT, (reader, context) => latin1Atom(reader, context, reader.u8())],
  [tags.ATOM_UTF8_EXT, (reader, context) => utf8Atom(reader, context, reader.u16())],
  [tags.SMALL_ATOM_UTF8_EXT, (reader, context) => utf8Atom(reader, context, reader.u8())],
];

/** The atom that must stand here, in any of its forms. */
export function decodeAtom(reader: Reader, context: DecodeContext): Atom | boolean {
  const tag = reader.u8();
  switch (tag) {
    case tags.ATOM_CACHE_REF:
      return cached(reader, context);
    case tags.SMALL_ATOM_UTF8_EXT:
      return utf8Atom(reader, context, reader.u8());
    case tags.ATOM_UTF8_EXT:
      return utf8Atom(reader, context, reader.u16());
    case tags.ATOM_EXT:
      return latin1Atom(reader, context, reader.u16());
    case tags.SMALL_ATOM_EXT:
      return latin1Atom(reader, context, reader.u8());
    default:
      reader.offset--;
      throw refuse(reader, `an atom is expected, tag ${tag} came`, tag, 'bad_tag');
  }
}

/** Nodes of those names there are only inside of pids, ports and references, which come back as they came. */
const TRUE_NODE = new Atom('true');
const FALSE_NODE = new Atom('false');

/** The name of a node: any atom. */
export function decodeNode(reader: Reader, context: DecodeContext): Atom {
  const node = decodeAtom(reader, context);
  if (typeof node === 'boolean') return node ? TRUE_NODE : FALSE_NODE;
  return node;
}
