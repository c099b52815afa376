// How Erlang prints atoms, floats, strings, binaries and identifiers (`io_lib`).
import { type Atom, atomName } from './atom.js';
import type { BitString } from './binary.js';
import { quoteAtom, quoteString } from './quote.js';

/** An atom as it is written in source: quoted where it must be. Not `unicode`: beyond Latin-1 as `\x{…}`. */
export function formatAtom(value: Atom | boolean, unicode = true): string {
  return quoteAtom(atomName(value), unicode);
}

/** Characters as a string in quotes. */
export function formatCharacters(codePoints: Iterable<number>, unicode: boolean): string {
  let text = '';
  for (const c of codePoints) text += String.fromCodePoint(c);
  return quoteString(text, '"', unicode);
}

/** Whether `io_lib` takes it for the character of a text: printable, or one of the escapes with a letter. */
export function isPrintable(c: unknown, highest: number): c is number {
  if (typeof c !== 'number') return false;
  if (c >= 32 && c <= 126) return true;
  if (c < 160) return (c >= 8 && c <= 13) || c === 27;
  if (c > highest) return false;
  return (c < 0xd800 || c > 0xdfff) && c !== 0xfffe && c !== 0xffff;
}

/** The shortest text that reads back as the same float; with an exponent where that is shorter, or from 2^53 on. */
export function formatFloat(value: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (value === 0) return `${sign}0.0`;
  const [mantissa, exponentText] = Math.abs(value).toExponential().split('e') as [string, string];
  const digits = mantissa.replace('.', '');
  const place = Number(exponentText) + 1;
  const count = digits.length;
  const scientific = `${digits[0]}.${digits.slice(1) || '0'}e${place - 1}`;
  const cost = String(place - 1).length + (count === 1 ? 3 : 2);
  if (Math.abs(value) >= 2 ** 53) return sign + scientific;
  if (place <= 0) return sign + (2 - place <= cost ? `0.${'0'.repeat(-place)}${digits}` : scientific);
  if (place < count) return `${sign}${digits.slice(0, place)}.${digits.slice(place)}`;
  return sign + (place - count + 2 <= cost ? `${digits}${'0'.repeat(place - count)}.0` : scientific);
}

/** `<<1,2,3>>`, of at most `room` bytes. */
export function formatBytes(bytes: Uint8Array, room: number): string {
  return bytes.length > room ? `<<${bytes.subarray(0, room).join(',')},...` : `<<${bytes.join(',')}>>`;
}

/** `<<1,2:3>>`, of at most `room` bytes. */
export function formatBits({ bytes, bits }: BitString, room: number): string {
  if (bytes.length > room) return formatBytes(bytes, room);
  const last = `${(bytes[bytes.length - 1] as number) >> (8 - bits)}:${bits}`;
  return `<<${[...bytes.subarray(0, -1), last].join(',')}>>`;
}

/** `<<"text">>` if the bytes are printable characters, undefined if not; of more than `room` bytes the beginning. */
export function formatText(
  bytes: Uint8Array,
  unicode: boolean,
  highest: number,
  room: number,
): string | undefined {
  const cut = bytes.length > room;
  const shown = cut ? bytes.subarray(0, room) : bytes;
  const end = cut ? '...>>' : '>>';
  const characters = unicode ? decodeUtf8(shown, cut) : undefined;
  if (characters === undefined) {
    return shown.every((c) => isPrintable(c, 255))
      ? `<<${formatCharacters(shown, unicode)}${end}`
      : undefined;
  }
  if (!characters.every((c) => isPrintable(c, highest))) return undefined;
  const suffix = characters.length === shown.length ? '' : '/utf8';
  return `<<${formatCharacters(characters, true)}${suffix}${end}`;
}

/** Undefined if it is not UTF-8; then io_lib takes the bytes as Latin-1. */
function decodeUtf8(bytes: Uint8Array, cut: boolean): number[] | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return Array.from(decoder.decode(bytes, { stream: cut }), (c) => c.codePointAt(0) as number);
  } catch {
    return undefined;
  }
}
