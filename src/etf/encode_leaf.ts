// The terms without terms inside, written as OTP 26 and later write them.
import type { Writer } from '../bytes/writer.js';
import { EncodeError } from '../errors.js';
import { type Atom, atomName } from '../terms/atom.js';
import type { BitString } from '../terms/binary.js';
import type { ExportFun } from '../terms/fun.js';
import type { Pid } from '../terms/pid.js';
import type { Port } from '../terms/port.js';
import type { Reference } from '../terms/reference.js';
import type { EncodeContext } from './encode_context.js';
import * as tags from './tags.js';

export function writeAtom(writer: Writer, atom: Atom | boolean, context: EncodeContext): void {
  if (context.atomRef !== undefined) {
    const reference = context.atomRef(atom);
    if (reference >= 0) {
      const at = writer.reserve(2);
      writer.buffer[at] = tags.ATOM_CACHE_REF;
      writer.buffer[at + 1] = reference;
      return;
    }
  }
  const name = atomName(atom);
  const { length } = name;
  if (length <= 255 && context.latin1Atoms !== true) {
    const at = writer.reserve(2 + length);
    const { buffer } = writer;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const unit = name.charCodeAt(i);
      all |= unit;
      buffer[at + 2 + i] = unit;
    }
    if (all < 128) {
      buffer[at] = tags.SMALL_ATOM_UTF8_EXT;
      buffer[at + 1] = length;
      return;
    }
    writer.truncate(writer.length - 2 - length);
  }
  writeWideAtom(writer, name, context);
}

function writeWideAtom(writer: Writer, name: string, context: EncodeContext): void {
  if (context.latin1Atoms === true && !/[^\0-\xff]/.test(name)) {
    writer.u8(tags.ATOM_EXT);
    writer.u16(name.length);
    writer.latin1(name);
    return;
  }
  const text = Buffer.from(name, 'utf8');
  if (text.length <= 255) {
    writer.u8(tags.SMALL_ATOM_UTF8_EXT);
    writer.u8(text.length);
  } else {
    writer.u8(tags.ATOM_UTF8_EXT);
    writer.u16(text.length);
  }
  writer.bytes(text);
}

export function writeNumber(writer: Writer, value: number): void {
  const small = value | 0;
  if (small === value) {
    if (small >= 0 && small <= 255) {
      const at = writer.reserve(2);
      writer.buffer[at] = tags.SMALL_INTEGER_EXT;
      writer.buffer[at + 1] = small;
      return;
    }
    const at = writer.reserve(5);
    const { buffer } = writer;
    buffer[at] = tags.INTEGER_EXT;
    buffer[at + 1] = small >> 24;
    buffer[at + 2] = small >> 16;
    buffer[at + 3] = small >> 8;
    buffer[at + 4] = small;
    return;
  }
  if (!Number.isSafeInteger(value)) throw noInteger(value);
  writeSafeInteger(writer, value);
}

function noInteger(value: number): EncodeError {
  return new EncodeError(
    'not_a_term',
    Number.isInteger(value)
      ? `the number ${value} is beyond 2^53, where numbers are inexact: give a bigint, or float(${value})`
      : Number.isFinite(value)
        ? `${value} is no integer: give float(${value})`
        : `${value} is no Erlang number`,
  );
}

/** An integer between 32 and 53 bits: 4 to 7 bytes, without a bigint. */
function writeSafeInteger(writer: Writer, value: number): void {
  let rest = Math.abs(value);
  const head = writer.reserve(3);
  writer.buffer[head] = tags.SMALL_BIG_EXT;
  writer.buffer[head + 2] = value < 0 ? 1 : 0;
  let size = 0;
  for (; rest >= 1; size++) {
    writer.u8(rest % 256);
    rest = Math.floor(rest / 256);
  }
  writer.buffer[writer.reserve(0) - size - 2] = size;
}

export function writeBigint(writer: Writer, value: bigint): void {
  if (value >= -0x80000000n && value <= 0x7fffffffn) writeNumber(writer, Number(value));
  else writeBig(writer, value);
}

function writeBig(writer: Writer, value: bigint): void {
  const magnitude = value < 0n ? -value : value;
  const digits = magnitude.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex').reverse();
  if (bytes.length <= 255) {
    writer.u8(tags.SMALL_BIG_EXT);
    writer.u8(bytes.length);
  } else {
    writer.u8(tags.LARGE_BIG_EXT);
    writer.u32(bytes.length);
  }
  writer.u8(value < 0n ? 1 : 0);
  writer.bytes(bytes);
}

export function writeFloat(writer: Writer, value: number, context: EncodeContext): void {
  if (!Number.isFinite(value)) throw new EncodeError('not_a_term', `${value} is no Erlang float`);
  if (context.textFloats === true) {
    writer.u8(tags.FLOAT_EXT);
    writer.latin1(floatText(value).padEnd(31, '\0'));
    return;
  }
  writer.u8(tags.NEW_FLOAT_EXT);
  writer.f64(value);
}

/** As C prints it with `%.20e`: an exponent of two digits at least, an exact half rounded to even. */
function floatText(value: number): string {
  const [digits, exponent] = value.toExponential(20).split('e') as [string, string];
  const exact = value.toExponential(100).split('e')[0] as string;
  const half = /^50*$/.test(exact.slice(digits.length)) && /[02468]$/.test(exact.slice(0, digits.length));
  const sign = Object.is(value, -0) ? '-' : '';
  return `${sign}${half ? exact.slice(0, digits.length) : digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}

export function writeBinary(writer: Writer, bytes: Uint8Array): void {
  if (bytes.length > 0xffffffff) throw new EncodeError('too_large', `a binary of ${bytes.length} bytes`);
  writer.u8(tags.BINARY_EXT);
  writer.u32(bytes.length);
  writer.bytes(bytes);
}

export function writeBitString(writer: Writer, { bytes, bits }: BitString): void {
  if (bytes.length === 0 || !Number.isInteger(bits) || bits < 1 || bits > 8) {
    throw new EncodeError('not_a_term', `a bitstring of ${bytes.length} bytes with ${bits} bits in the last`);
  }
  if (bits === 8) {
    writeBinary(writer, bytes);
    return;
  }
  writer.u8(tags.BIT_BINARY_EXT);
  writer.u32(bytes.length);
  writer.u8(bits);
  const last = writer.reserve(bytes.length) + bytes.length - 1;
  writer.buffer.set(bytes, last - bytes.length + 1);
  writer.buffer[last] = (bytes[bytes.length - 1] as number) & (0xff00 >> bits);
}

/** Peers without V4_NC close the connection on what they cannot read: what is to be done is the connection's to say. */
function wide(what: string): EncodeError {
  return new EncodeError('unsupported_by_peer', `${what} cannot be sent to a node older than OTP 24`);
}

export function writePid(writer: Writer, pid: Pid, context: EncodeContext): void {
  if (!context.v4nc && (pid.number > 0x7fff || pid.serial > 0x1fff)) throw wide('a pid of more than 28 bits');
  writer.u8(tags.NEW_PID_EXT);
  writeAtom(writer, pid.node, context);
  const at = writer.reserve(12);
  writeU32(writer.buffer, at, pid.number);
  writeU32(writer.buffer, at + 4, pid.serial);
  writeU32(writer.buffer, at + 8, pid.creation);
}

function writeU32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

export function writeReference(writer: Writer, ref: Reference, context: EncodeContext): void {
  const { words } = ref;
  if (words.length > 5)
    throw new EncodeError('not_a_term', `a reference of ${words.length} words, at most 5`);
  if (!context.v4nc && words.length > 3) throw wide(`a reference of ${words.length} words`);
  const head = writer.reserve(3);
  writer.buffer[head] = tags.NEWER_REFERENCE_EXT;
  writer.buffer[head + 1] = 0;
  writer.buffer[head + 2] = words.length;
  writeAtom(writer, ref.node, context);
  const at = writer.reserve(4 + 4 * words.length);
  writeU32(writer.buffer, at, ref.creation);
  for (let i = 0; i < words.length; i++) writeU32(writer.buffer, at + 4 + 4 * i, words[i] as number);
}

export function writePort(writer: Writer, port: Port, context: EncodeContext): void {
  if (!context.v4nc && port.id >= 1n << 28n) throw wide('a port of more than 28 bits');
  writer.u8(context.v4nc ? tags.V4_PORT_EXT : tags.NEW_PORT_EXT);
  writeAtom(writer, port.node, context);
  if (context.v4nc) writer.u64(port.id);
  else writer.u32(Number(port.id));
  writer.u32(port.creation);
}

export function writeExportFun(writer: Writer, fun: ExportFun, context: EncodeContext): void {
  if (!Number.isInteger(fun.arity) || fun.arity < 0 || fun.arity > 255) {
    throw new EncodeError('not_a_term', `an external fun of arity ${fun.arity}`);
  }
  writer.u8(tags.EXPORT_EXT);
  writeAtom(writer, fun.module, context);
  writeAtom(writer, fun.function, context);
  writer.u8(tags.SMALL_INTEGER_EXT);
  writer.u8(fun.arity);
}
