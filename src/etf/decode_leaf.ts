// The terms without terms inside: numbers, binaries, pids, references, ports, external funs.
import type { Reader } from '../bytes/reader.js';
import { BitString } from '../terms/binary.js';
import { ExportFun } from '../terms/fun.js';
import { Float, integer } from '../terms/number.js';
import { Pid } from '../terms/pid.js';
import { Port } from '../terms/port.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { ATOM_DECODERS, decodeAtom, decodeNode } from './decode_atom.js';
import { DEFAULT_LIMITS, type DecodeContext, refuse, type TagDecoder } from './decode_context.js';
import * as tags from './tags.js';

/** `size, sign u8, magnitude little-endian`: leading zeros and small values are accepted, as by the BEAM. */
function big(reader: Reader, context: DecodeContext, size: number): number | bigint {
  const limit = (context.limits ?? DEFAULT_LIMITS).integerBytes;
  if (size > limit) {
    throw refuse(reader, `an integer of ${size} bytes, at most ${limit}`, undefined, 'too_large');
  }
  const negative = reader.u8() !== 0;
  reader.need(size);
  const { bytes, offset } = reader;
  reader.offset = offset + size;
  if (size <= 6) {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] as number);
    return negative ? 0 - value : value;
  }
  const hex = Buffer.from(bytes.subarray(offset, offset + size))
    .reverse()
    .toString('hex');
  const value = BigInt(`0x${hex}`);
  return integer(negative ? -value : value);
}

function float(reader: Reader): Float {
  const value = reader.f64();
  if (!Number.isFinite(value)) throw refuse(reader, 'NaN or an infinity as a float', tags.NEW_FLOAT_EXT);
  return new Float(value);
}

/** `31 bytes`: the float as text, padded with zero bytes. */
function floatText(reader: Reader): Float {
  const text = reader.latin1(31).replace(/\0.*$/s, '');
  const value = /^[+-]?\d+[.,]\d+([eE][+-]?\d+)?$/.test(text) ? Number(text.replace(',', '.')) : Number.NaN;
  if (!Number.isFinite(value)) throw refuse(reader, `${JSON.stringify(text)} as a float`, tags.FLOAT_EXT);
  return new Float(value);
}

/**
 * `length u32, bytes`. A view only where it is more than a quarter of the memory that it keeps alive, so that a small
 * binary in a large frame does not pin the frame.
 */
function binary(reader: Reader, context: DecodeContext): Uint8Array {
  const length = reader.u32();
  reader.need(length);
  const { bytes, offset: start } = reader;
  reader.offset = start + length;
  if (context.views === true && length * 4 > bytes.buffer.byteLength) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
  }
  return copy(bytes, start, length);
}

function copy(bytes: Buffer, start: number, length: number): Uint8Array {
  const made = new Uint8Array(length);
  if (length > 64) made.set(bytes.subarray(start, start + length));
  else for (let i = 0; i < length; i++) made[i] = bytes[start + i] as number;
  return made;
}

/** `length u32, bits u8, bytes`: `bits` of the last byte count, from the top; the others are cleared. */
function bitBinary(reader: Reader): Uint8Array | BitString {
  const length = reader.u32();
  const bits = reader.u8();
  reader.need(length);
  if (bits < 1 || bits > 8 || length === 0) {
    throw refuse(reader, `a bitstring of ${length} bytes with ${bits} bits in the last`, tags.BIT_BINARY_EXT);
  }
  const bytes = copy(reader.bytes, reader.offset, length);
  reader.offset += length;
  if (bits === 8) return bytes;
  bytes[length - 1] = (bytes[length - 1] as number) & (0xff00 >> bits);
  return new BitString(bytes, bits);
}

/** Creations of a byte are of old nodes: 0 to 3. */
function tinyCreation(reader: Reader): number {
  const creation = reader.u8();
  if (creation > 3) throw refuse(reader, `a creation of ${creation} in one byte`);
  return creation;
}

/** `node, number u32, serial u32, creation u32`. */
export function newPid(reader: Reader, context: DecodeContext): Pid {
  const node = decodeNode(reader, context);
  const number = reader.u32();
  const serial = reader.u32();
  return new Pid(node, number, serial, reader.u32());
}

/** `node, number u32, serial u32, creation u8`. */
function oldPid(reader: Reader, context: DecodeContext): Pid {
  const node = decodeNode(reader, context);
  const number = reader.u32();
  const serial = reader.u32();
  return new Pid(node, number, serial, tinyCreation(reader));
}

/** The pid that must stand here, in either form. */
export function decodePid(reader: Reader, context: DecodeContext): Pid {
  const tag = reader.u8();
  if (tag === tags.NEW_PID_EXT) return newPid(reader, context);
  if (tag === tags.PID_EXT) return oldPid(reader, context);
  throw refuse(reader, `a pid is expected, tag ${tag} came`, tag, 'bad_tag');
}

/** `words u16, node, creation u32 or u8, words u32…`. */
function reference(
  reader: Reader,
  context: DecodeContext,
  creationOf: (reader: Reader) => number,
): Reference {
  const count = reader.u16();
  if (count > 5) throw refuse(reader, `a reference of ${count} words, at most 5`);
  if (count === 0 && creationOf === tinyCreation) throw refuse(reader, 'an old reference without words');
  const node = decodeNode(reader, context);
  const creation = creationOf(reader);
  if (count === 3) return new Reference(node, creation, [reader.u32(), reader.u32(), reader.u32()]);
  const words: number[] = [];
  for (let i = 0; i < count; i++) words.push(reader.u32());
  return new Reference(node, creation, words);
}

const u32 = (reader: Reader): number => reader.u32();

/** `node, word u32, creation u8`. */
function oldReference(reader: Reader, context: DecodeContext): Reference {
  const node = decodeNode(reader, context);
  const word = reader.u32();
  return new Reference(node, tinyCreation(reader), [word]);
}

function port(
  reader: Reader,
  context: DecodeContext,
  idOf: (reader: Reader) => bigint,
  creationOf: (reader: Reader) => number,
): Port {
  const node = decodeNode(reader, context);
  const id = idOf(reader);
  return new Port(node, id, creationOf(reader));
}

/** `module atom, function atom, arity as SMALL_INTEGER_EXT`. */
function exportFun(reader: Reader, context: DecodeContext): ExportFun {
  if (context.safe === true) throw refuse(reader, 'a fun', tags.EXPORT_EXT, 'unsafe');
  const module = decodeAtom(reader, context);
  const name = decodeAtom(reader, context);
  const tag = reader.u8();
  const arity = tag === tags.SMALL_INTEGER_EXT ? reader.u8() : tag === tags.INTEGER_EXT ? reader.i32() : -1;
  if (arity < 0 || arity > 255) throw refuse(reader, 'an external fun with a bad arity', tags.EXPORT_EXT);
  return new ExportFun(module, name, arity);
}

/** `length u16, bytes`: a list of bytes, not a text. */
export function byteList(reader: Reader): number[] {
  const length = reader.u16();
  reader.need(length);
  const { bytes, offset } = reader;
  reader.offset = offset + length;
  const list = new Array<number>(length);
  for (let i = 0; i < length; i++) list[i] = bytes[offset + i] as number;
  return list;
}

const bigId = (reader: Reader): bigint => reader.u64();
const smallId = (reader: Reader): bigint => BigInt(reader.u32());

export const LEAF_DECODERS: readonly (readonly [number, TagDecoder<Term>])[] = [
  ...ATOM_DECODERS,
  [tags.SMALL_INTEGER_EXT, (reader) => reader.u8()],
  [tags.INTEGER_EXT, (reader) => reader.i32()],
  [tags.SMALL_BIG_EXT, (reader, context) => big(reader, context, reader.u8())],
  [tags.LARGE_BIG_EXT, (reader, context) => big(reader, context, reader.u32())],
  [tags.NEW_FLOAT_EXT, float],
  [tags.FLOAT_EXT, floatText],
  [tags.BINARY_EXT, binary],
  [tags.BIT_BINARY_EXT, bitBinary],
  [tags.NIL_EXT, () => []],
  [tags.STRING_EXT, byteList],
  [tags.NEW_PID_EXT, newPid],
  [tags.PID_EXT, oldPid],
  [tags.NEWER_REFERENCE_EXT, (reader, context) => reference(reader, context, u32)],
  [tags.NEW_REFERENCE_EXT, (reader, context) => reference(reader, context, tinyCreation)],
  [tags.REFERENCE_EXT, oldReference],
  [tags.V4_PORT_EXT, (reader, context) => port(reader, context, bigId, u32)],
  [tags.NEW_PORT_EXT, (reader, context) => port(reader, context, smallId, u32)],
  [tags.PORT_EXT, (reader, context) => port(reader, context, smallId, tinyCreation)],
  [tags.EXPORT_EXT, exportFun],
];
