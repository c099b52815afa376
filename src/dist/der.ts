// The distinguished encoding rules of ASN.1 (X.690), as far as certificates and revocation lists need them: one byte
// of tag, a length, contents.
import { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
/** `[0]`, `[1]` … of a structure, which say which optional field it is. */
export const context = (number: number): number => 0xa0 + number;

/** One value: `all` are its bytes with tag and length, `contents` those without. */
export interface Value {
  readonly tag: number;
  readonly all: Buffer;
  readonly contents: Buffer;
}

/** The value that begins there. Throws `DecodeError`. */
export function value(reader: Reader): Value {
  const start = reader.offset;
  const tag = reader.u8();
  const first = reader.u8();
  let length = first;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count === 0 || count > 4) throw bad(`a length of ${count} bytes`);
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + reader.u8();
  }
  reader.need(length);
  const from = reader.offset;
  reader.offset = from + length;
  const { bytes } = reader;
  return { tag, all: bytes.subarray(start, from + length), contents: bytes.subarray(from, from + length) };
}

/** The values inside of one. Throws `DecodeError`. */
export function values({ contents }: Pick<Value, 'contents'>): Value[] {
  const reader = new Reader(contents);
  const all: Value[] = [];
  while (reader.remaining > 0) all.push(value(reader));
  return all;
}

/** The values of a sequence. Throws `DecodeError` for anything else. */
export function sequence(of: Value | undefined): Value[] {
  if (of?.tag !== SEQUENCE) throw bad('a sequence is missing');
  return values(of);
}

/** An object identifier as text: `2.5.29.20`. */
export function objectIdentifier(of: Value | undefined): string {
  if (of?.tag !== OBJECT_IDENTIFIER) throw bad('an object identifier is missing');
  const numbers: number[] = [];
  let number = 0;
  for (const byte of of.contents) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...rest].join('.');
}

/** An instant, in milliseconds since 1970: `YYMMDDHHMMSSZ`, where 50 is 1950, or `YYYYMMDDHHMMSSZ`. */
export function time({ tag, contents }: Value): number {
  const text = contents.toString('latin1');
  const [, year = '', rest = ''] = /^(\d\d|\d{4})(\d{10})Z$/.exec(text) ?? [];
  if (year.length !== (tag === UTC_TIME ? 2 : 4)) throw bad(`${JSON.stringify(text)} is no time`);
  const full = tag === UTC_TIME ? `${Number(year) < 50 ? '20' : '19'}${year}` : year;
  const [month, day, hour, minute, second] = rest.match(/\d\d/g) ?? [];
  return Date.parse(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function bad(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}
