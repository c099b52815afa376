// Erlang source text cut into tokens (`erl_scan`), as far as terms need it: atoms, variables, numbers, characters,
// strings (also the triple-quoted ones and sigils of OTP 27), punctuation, full stops.
//
// A token knows its offset in the text; lines and columns are computed from it when somebody asks.
import { atomOrBoolean, MAX_ATOM_CHARACTERS } from '../terms/atom.js';
import { binary, charlist } from '../terms/binary.js';
import { quoteAtom, quoteString, RESERVED_WORDS } from '../terms/quote.js';
import type { Term } from '../terms/term.js';
import { syntaxError } from './position.js';
import { scanNumber } from './scan_number.js';
import { HOLE, scanEscape, scanQuoted, scanSigil, scanTripleQuoted } from './scan_string.js';

export interface Token {
  readonly kind:
    | 'atom'
    | 'var'
    | 'integer'
    | 'float'
    | 'char'
    | 'string'
    | 'sigil'
    | 'symbol'
    | 'dot'
    | 'hole';
  /** A symbol or reserved word, a variable's or atom's name, the text of a string. */
  readonly text: string;
  /** The value of an atom, number, character or sigil. */
  readonly value: Term;
  readonly offset: number;
}

/** The longer ones first, since the first match is taken. Anything else is one character. */
const SYMBOL =
  /\.\.\.|=:=|=\/=|<:-|<:=|\.\.|<<|<-|<=|>>|>=|->|--|\+\+|=<|=>|==|\/=|\|\||:=|::|\?=|&&|[\0-\xff]/y;

/** Characters of a name: ASCII and Latin-1 letters, digits, `_`, `@`. */
const NAME = /[A-Za-z0-9_@ß-öø-ÿÀ-ÖØ-Þ]*/y;
const LOWER = /[a-zß-öø-ÿ]/;
const UPPER = /[A-Z_À-ÖØ-Þ]/;
const BLANK = /[\0- \x80-\xa0]+/y;

/** Reads tokens from a text, one at a time. `offset` is where the next token is looked for. */
export class Scanner {
  readonly text: string;
  offset = 0;
  #holes = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The next token, or undefined at the end of the text. Throws `ConfigError` `syntax`. */
  next(): Token | undefined {
    this.#skipBlanks();
    const { text, offset } = this;
    const c = text[offset];
    if (c === undefined) return undefined;
    if (LOWER.test(c)) return this.#atom(this.#match(NAME));
    if (UPPER.test(c)) return token('var', this.#match(NAME), 0, offset);
    if (c >= '0' && c <= '9') return this.#number();
    if (c === '"') return this.#string();
    if (c === "'") return this.#quotedAtom();
    if (c === '$') return this.#char();
    if (c === '~') {
      const sigil = scanSigil(text, offset);
      if (sigil !== undefined) return this.#sigil(sigil);
    }
    if (c === HOLE) {
      this.offset++;
      return token('hole', '', this.#holes++, offset);
    }
    return this.#symbol();
  }

  #skipBlanks(): void {
    for (;;) {
      this.#match(BLANK);
      if (this.text[this.offset] !== '%') return;
      const end = this.text.indexOf('\n', this.offset);
      this.offset = end < 0 ? this.text.length : end;
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.offset;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.offset += found.length;
    return found;
  }

  #atom(name: string): Token {
    const offset = this.offset - name.length;
    if (RESERVED_WORDS.has(name)) return token('symbol', name, 0, offset);
    return this.#atomToken(name, offset);
  }

  #quotedAtom(): Token {
    const { offset } = this;
    const { value, end } = scanQuoted(this.text, offset, "'", 'atom');
    this.offset = end;
    return this.#atomToken(value, offset);
  }

  #atomToken(name: string, offset: number): Token {
    if (name.length > MAX_ATOM_CHARACTERS && [...name].length > MAX_ATOM_CHARACTERS) {
      throw syntaxError(this.text, offset, 'illegal atom');
    }
    return token('atom', name, atomOrBoolean(name), offset);
  }

  #number(): Token {
    const { offset } = this;
    const { kind, value, end } = scanNumber(this.text, offset);
    this.offset = end;
    return token(kind, this.text.slice(offset, end), value, offset);
  }

  #string(): Token {
    const { offset, text } = this;
    const { value, end } = text.startsWith('"""', offset)
      ? scanTripleQuoted(text, offset, false)
      : scanQuoted(text, offset, '"', 'string');
    this.offset = end;
    return token('string', value, 0, offset);
  }

  #sigil(sigil: { value: string; end: number; type: 'binary' | 'string' }): Token {
    const { offset } = this;
    this.offset = sigil.end;
    const value = sigil.type === 'binary' ? binary(sigil.value) : charlist(sigil.value);
    return token('sigil', sigil.value, value, offset);
  }

  #char(): Token {
    const { offset, text } = this;
    const next = text.codePointAt(offset + 1);
    if (next === undefined) throw syntaxError(text, offset, 'unterminated character');
    if (next === 0x5c) {
      const { value, end } = scanEscape(text, offset + 1, offset, 'unterminated character');
      this.offset = end;
      return token('char', text.slice(offset, end), value, offset);
    }
    if (next === 0xffff) throw syntaxError(text, offset, 'illegal character');
    this.offset = offset + 1 + String.fromCodePoint(next).length;
    return token('char', text.slice(offset, this.offset), next, offset);
  }

  #symbol(): Token {
    const { offset, text } = this;
    if (text[offset] === '.' && /^(?:[\0- \x80-\xa0%]|$)/.test(text.slice(offset + 1, offset + 2))) {
      this.offset++;
      return token('dot', '.', 0, offset);
    }
    const symbol = this.#match(SYMBOL);
    if (symbol === '') throw syntaxError(text, offset, 'illegal character');
    return token('symbol', symbol, 0, offset);
  }
}

function token(kind: Token['kind'], text: string, value: Term, offset: number): Token {
  return { kind, text, value, offset };
}

/** How a token is named in `syntax error before: …`. */
export function describe(token: Token | undefined): string {
  if (token === undefined || (token.kind === 'dot' && token.text === '')) return 'the end';
  if (token.kind === 'atom') return quoteAtom(token.text);
  if (token.kind === 'string') return quoteString(token.text);
  if (token.kind === 'hole') return 'a value of the template';
  if (token.kind === 'integer') return String(token.value);
  return token.kind === 'symbol' || token.kind === 'dot' ? `'${token.text}'` : token.text;
}
