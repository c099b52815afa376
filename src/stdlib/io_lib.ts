// `io_lib:format/2` for the control sequences in common use: what a group leader needs to print what processes
// on other nodes hand it unformatted.
//
// `exact` is false when OTP would break the text into lines or cut it at a depth: whoever can is to ask a node
// that has the real one. The text is then all of it on one line.
import { BadArg } from '../errors.js';
import { Atom } from '../terms/atom.js';
import { text as chardata } from '../terms/binary.js';
import { format as show } from '../terms/format.js';
import { Float } from '../terms/number.js';
import type { Term } from '../terms/term.js';

export interface Formatted {
  readonly text: string;
  readonly exact: boolean;
}

/** One control sequence: `~F.P.PadModC`. */
interface Control {
  readonly letter: string;
  readonly width: number | undefined;
  readonly left: boolean;
  readonly precision: number | undefined;
  readonly pad: string;
  /** `t`: Unicode; `l`: lists are no text; others do not change what we print. */
  readonly modifiers: string;
}

/** Columns of a line when OTP formats for one. */
const LINE = 80;
/** No control sequence prints more characters than this by its numbers alone. */
const MAX_FIELD = 1 << 20;
const CONTROL = /~(?:(-?\d+|-?\*)?(?:\.(\d+|\*)?(?:\.(\*|.))?)?([tlkK]*)(.))/suy;

/** The text of a format and its arguments. Throws `BadArg` when they do not fit, as `io_lib:format` does. */
export function format(fmt: string, args: readonly Term[]): Formatted {
  const rest = [...args].reverse();
  const next = (): Term => {
    const arg = rest.pop();
    if (arg === undefined) throw new BadArg(`too few arguments for the format ${JSON.stringify(fmt)}`);
    return arg;
  };
  let text = '';
  let exact = true;
  let at = 0;
  while (at < fmt.length) {
    const tilde = fmt.indexOf('~', at);
    if (tilde < 0) break;
    text += fmt.slice(at, tilde);
    const control = parse(fmt, tilde, next);
    at = tilde + control.length;
    const column = text.length - (text.lastIndexOf('\n') + 1);
    const piece = write(control.control, next, column);
    text += piece.text;
    exact &&= piece.exact;
  }
  text += fmt.slice(at);
  if (rest.length > 0) throw new BadArg(`too many arguments for the format ${JSON.stringify(fmt)}`);
  return { text, exact };
}

function parse(fmt: string, at: number, next: () => Term): { control: Control; length: number } {
  CONTROL.lastIndex = at;
  const found = CONTROL.exec(fmt);
  if (found === null) throw new BadArg(`a control sequence of ${JSON.stringify(fmt)} is not complete`);
  const [all, width, precision, pad, modifiers = '', letter = ''] = found;
  const field = width === undefined ? undefined : size(width, next);
  return {
    control: {
      letter,
      width: field === undefined ? undefined : Math.abs(field),
      left: field !== undefined && field < 0,
      precision: precision === undefined ? undefined : size(precision, next),
      pad: pad === '*' ? String.fromCodePoint(integer(next())) : (pad ?? ' '),
      modifiers,
    },
    length: all.length,
  };
}

function size(digits: string, next: () => Term): number {
  const value = digits.endsWith('*') ? integer(next()) * (digits.startsWith('-') ? -1 : 1) : Number(digits);
  if (Math.abs(value) > MAX_FIELD) throw new BadArg('a field of a format is too wide');
  return value;
}

function integer(term: Term): number {
  if (typeof term !== 'number') throw new BadArg('a format takes an integer here');
  return term;
}

function write(control: Control, next: () => Term, column: number): Formatted {
  switch (control.letter) {
    case 'p':
      return pretty(control, next(), column);
    case 'P':
      return { ...pretty(control, withDepth(next), column), exact: false };
    case 'W':
      return { text: fieldText(shown(withDepth(next), 'w', control), control), exact: false };
    default:
      return { text: plain(control, next), exact: true };
  }
}

/** The term of `[Term, Depth]`: how deep to go is for those who print exactly. */
function withDepth(next: () => Term): Term {
  const term = next();
  integer(next());
  return term;
}

function pretty(control: Control, term: Term, column: number): Formatted {
  const text = shown(term, control.modifiers.includes('l') ? 'w' : 'p', control);
  const line = control.width ?? LINE;
  const scalar = typeof term !== 'object' || term instanceof Atom || term instanceof Float;
  return { text, exact: scalar || line === 0 || text.length < line - (control.precision ?? column + 1) };
}

/** A term as text; without `t` the characters beyond Latin-1 are escaped. */
function shown(term: Term, style: 'p' | 'w', control: Control): string {
  return show(term, { style: control.modifiers.includes('t') ? `t${style}` : style });
}

function plain(control: Control, next: () => Term): string {
  switch (control.letter) {
    case 'w':
      return fieldText(shown(next(), 'w', control), control);
    case 's':
      return stringText(control, next());
    case 'c':
      return characterText(control, integer(next()));
    case 'f':
    case 'e':
    case 'g':
      return fieldText(floatText(control, next()), { ...control, precision: control.width });
    case 'b':
    case 'B':
      return numberText(control, next(), '');
    case 'x':
    case 'X': {
      const number = next();
      return numberText(control, number, stringOf(next(), true));
    }
    case '#':
    case '+':
      return numberText(control, next(), `${control.precision ?? 10}#`);
    case 'n':
      return '\n'.repeat(control.width ?? 1);
    case '~':
      return '~'.repeat(control.width ?? 1);
    case 'i':
      next();
      return '';
    default:
      throw new BadArg(`~${control.letter} is no control sequence`);
  }
}

/** `~s`: the width both cuts and pads. */
function stringText(control: Control, term: Term): string {
  const { width, precision } = control;
  const all = [...stringOf(term, control.modifiers.includes('t'))];
  const limit = precision ?? width;
  const chars = limit === undefined ? all : all.slice(0, limit);
  const cut = precision !== undefined && width === undefined ? padTo(chars, precision, control) : chars;
  return width === undefined ? cut.join('') : padTo(cut, width, control).join('');
}

/** Chardata or an atom; without `t` bytes are Latin-1. */
function stringOf(term: Term, unicode: boolean): string {
  if (term instanceof Atom) return term.name;
  if (typeof term === 'boolean') return String(term);
  if (unicode) return chardata(term);
  return latin1(term);
}

function latin1(term: Term): string {
  const out: string[] = [];
  const stack: Term[] = [term];
  while (stack.length > 0) {
    const item = stack.pop() as Term;
    if (item instanceof Uint8Array) out.push(Buffer.from(item).toString('latin1'));
    else if (typeof item === 'number' && item >= 0 && item <= 255) out.push(String.fromCharCode(item));
    else if (Array.isArray(item))
      for (const part of [...(item as readonly Term[])].reverse()) stack.push(part);
    else throw new BadArg('~s takes Latin-1 text; ~ts takes any');
  }
  return out.join('');
}

function characterText(control: Control, code: number): string {
  const { width, precision } = control;
  const char = String.fromCodePoint(control.modifiers.includes('t') ? code : code & 255);
  const count = precision ?? width ?? 1;
  const chars = Array<string>(count).fill(char);
  return width === undefined ? chars.join('') : padTo(chars, width, control).join('');
}

function floatText(control: Control, term: Term): string {
  if (!(term instanceof Float)) throw new BadArg(`~${control.letter} takes a float`);
  const { value } = term;
  const precision = control.precision ?? 6;
  if (control.letter === 'e') return exponential(value, precision);
  if (control.letter === 'f') return fixed(value, precision);
  const size = Math.abs(value);
  const exponent = size < 0.1 ? -2 : size < 1 ? -1 : Math.floor(Math.log10(size));
  const short =
    exponent >= -1 && exponent <= 3 && (precision - 1 > exponent || (precision <= 1 && exponent === -1));
  return short ? fixed(value, precision - 1 - exponent) : exponential(value, Math.max(precision, 2));
}

function fixed(value: number, digits: number): string {
  if (digits < 1 || digits > 100) throw new BadArg('the precision of ~f is from 1 to 100');
  return Math.abs(value) < 1e21 ? value.toFixed(digits) : `${BigInt(value)}.${'0'.repeat(digits)}`;
}

function exponential(value: number, digits: number): string {
  if (digits < 2 || digits > 100) throw new BadArg('the precision of ~e is from 2 to 100');
  return value.toExponential(digits - 1);
}

/** `~b`, `~x`, `~#`: a prefix goes between the sign and the digits. Capital letters and `#` give capital digits. */
function numberText(control: Control, term: Term, prefix: string): string {
  if (typeof term !== 'number' && typeof term !== 'bigint') {
    throw new BadArg(`~${control.letter} takes an integer`);
  }
  const base = control.precision ?? 10;
  if (base < 2 || base > 36) throw new BadArg('a base is from 2 to 36');
  const digits = (term < 0 ? -term : term).toString(base);
  const cased = /[BX#]/.test(control.letter) ? digits.toUpperCase() : digits;
  return fieldText(`${term < 0 ? '-' : ''}${prefix}${cased}`, { ...control, precision: undefined });
}

/** A text in its field: padded, or stars when it does not fit. */
function fieldText(text: string, control: Control): string {
  const width = control.width ?? control.precision;
  if (width === undefined) return text;
  const chars = [...text];
  const limit = control.precision ?? Math.min(chars.length, width);
  return padTo(chars.length > limit ? Array<string>(limit).fill('*') : chars, width, control).join('');
}

function padTo(chars: readonly string[], width: number, control: Control): readonly string[] {
  const pad = Array<string>(Math.max(0, width - chars.length)).fill(control.pad);
  return control.left ? [...chars, ...pad] : [...pad, ...chars];
}
