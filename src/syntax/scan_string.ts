// Quoted text as Erlang source: escapes, strings and quoted atoms, triple-quoted strings and sigils (OTP 27).
import { quoteString } from '../terms/quote.js';
import { syntaxError } from './position.js';

/** Stands in a template's text where a value goes in. No legal character of Erlang source. */
export const HOLE = '\uffff';

export interface ScannedText {
  readonly value: string;
  readonly end: number;
}

const SIMPLE: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  b: 8,
  f: 12,
  e: 27,
  s: 32,
  d: 127,
};
const OCTAL = /[0-7]{1,3}/y;
const HEX = /x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/y;

/** The escape sequence whose backslash is at `offset`. Errors are reported at `start`, as OTP does. */
export function scanEscape(
  text: string,
  offset: number,
  start: number,
  unterminated: string,
): { value: number; end: number } {
  const after = offset + 1;
  const c = text.codePointAt(after);
  if (c === undefined) throw syntaxError(text, start, unterminated);
  OCTAL.lastIndex = after;
  const octal = OCTAL.exec(text)?.[0];
  if (octal !== undefined) return { value: Number.parseInt(octal, 8), end: after + octal.length };
  if (c === 0x78) {
    HEX.lastIndex = after;
    const hex = HEX.exec(text);
    const value = Number.parseInt(hex?.[1] ?? hex?.[2] ?? '', 16);
    if (!isUnicode(value)) throw syntaxError(text, offset, 'illegal character');
    return { value, end: HEX.lastIndex };
  }
  if (c === 0x5e) {
    const control = text.codePointAt(after + 1);
    if (control === undefined) throw syntaxError(text, start, unterminated);
    return { value: control === 10 ? 10 : control & 31, end: after + 1 + width(control) };
  }
  if (!isUnicode(c)) throw syntaxError(text, offset, 'illegal character');
  return { value: SIMPLE[String.fromCodePoint(c)] ?? c, end: after + width(c) };
}

function isUnicode(c: number): boolean {
  return (c >= 0 && c < 0xd800) || (c > 0xdfff && c < 0xfffe) || (c > 0xffff && c <= 0x10ffff);
}

function width(c: number): number {
  return c > 0xffff ? 2 : 1;
}

/** The quoted text that begins at `offset` with `quote`. */
export function scanQuoted(
  text: string,
  offset: number,
  quote: string,
  what: 'atom' | 'string',
): ScannedText {
  return scanUntil(text, offset, offset + 1, quote, (value) => {
    const head = [...value].slice(0, 16).join('');
    return `unterminated ${what} starting with ${quoteString(head, quote)}`;
  });
}

/** Text with escapes up to `close`, or up to the end of the text. */
function scanUntil(
  text: string,
  start: number,
  from: number,
  close: string | undefined,
  unterminated: (value: string) => string,
): ScannedText {
  let value = '';
  let offset = from;
  for (;;) {
    let plain = offset;
    while (plain < text.length && text[plain] !== close && text[plain] !== '\\') plain++;
    value += text.slice(offset, plain);
    const c = text[plain];
    if (c === close) return { value, end: plain + 1 };
    if (c === undefined) throw syntaxError(text, start, unterminated(value));
    const sequence = scanEscape(text, plain, start, unterminated(value));
    value += String.fromCodePoint(sequence.value);
    offset = sequence.end;
  }
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
const SIGIL = /~([bsBS]?)("""|[([{</|'"`#])/y;

/** The sigil at `offset` (`~"…"`, `~s[…]`, `~B"""…"""`), or undefined if none begins there. */
export function scanSigil(
  text: string,
  offset: number,
): { value: string; end: number; type: 'binary' | 'string' } | undefined {
  SIGIL.lastIndex = offset;
  const found = SIGIL.exec(text);
  if (found === null) return undefined;
  const [all, letter = '', open = ''] = found;
  const type = letter === 's' || letter === 'S' ? 'string' : 'binary';
  const from = offset + all.length;
  if (open === '"""') {
    const escapes = letter === 'b' || letter === 's';
    return { ...scanTripleQuoted(text, from - 3, escapes), type };
  }
  const close = CLOSING[open] ?? open;
  if (letter === 'B' || letter === 'S') {
    const end = text.indexOf(close, from);
    if (end < 0) throw syntaxError(text, offset, 'unterminated sigil');
    return { value: text.slice(from, end), end: end + 1, type };
  }
  return { ...scanUntil(text, offset, from, close, () => 'unterminated sigil'), type };
}

const OPENING = /("{3,})[^\S\n]*\n/y;

/** A triple-quoted string: its lines without the indentation of the closing quotes. */
export function scanTripleQuoted(text: string, offset: number, escapes: boolean): ScannedText {
  OPENING.lastIndex = offset;
  const opening = OPENING.exec(text);
  if (opening === null)
    throw syntaxError(text, offset, 'no newline after the opening quotes of a triple-quoted string');
  const quotes = opening[1] as string;
  const closing = new RegExp(`^([^\\S\\n]*)${quotes}`, 'my');
  const lines: string[] = [];
  for (let at = OPENING.lastIndex; at < text.length; ) {
    closing.lastIndex = at;
    const close = closing.exec(text);
    if (close !== null) {
      const value = unindent(text, offset, lines, close[1] as string);
      return { value: escapes ? withEscapes(value) : value, end: closing.lastIndex };
    }
    const end = text.indexOf('\n', at);
    if (end < 0) break;
    lines.push(text.slice(at, end));
    at = end + 1;
  }
  throw syntaxError(text, offset, 'unterminated triple-quoted string');
}

function unindent(text: string, offset: number, lines: readonly string[], indent: string): string {
  const stripped = lines.map((line) => {
    if (line.startsWith(indent)) return line.slice(indent.length);
    if (line.trim() === '') return '';
    throw syntaxError(text, offset, 'a line of a triple-quoted string is indented less than its end');
  });
  return stripped.join('\n');
}

function withEscapes(value: string): string {
  return scanUntil(value, 0, 0, undefined, () => 'unterminated string').value;
}
