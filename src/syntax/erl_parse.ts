// Erlang terms as text (`erl_parse:parse_term/1`): what `file:consult/1` and `sys.config` may contain.
//
// The parser keeps its own stack, so that a megabyte of `[` ends in an error and not in the loss of the stack. It
// tells a builder what it read: one builder makes terms, the tagged templates bring others.
import { ConfigError } from '../errors.js';
import { Atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { ExportFun } from '../terms/fun.js';
import { cons } from '../terms/list.js';
import { TermMap } from '../terms/map.js';
import { Float, integer } from '../terms/number.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { parseBinary } from './binary_literal.js';
import { describe, Scanner, type Token } from './erl_scan.js';
import { type Position, position, syntaxError } from './position.js';
import { HOLE } from './scan_string.js';

/** What is made of the text, innermost first. Without `variable` or `hole` those are errors. */
export interface Builder<T> {
  /** An atom, number, string, binary, fun, or an empty list, tuple or map. */
  constant(value: Term): T;
  list(items: readonly T[], tail: T | undefined): T;
  tuple(elements: readonly T[]): T;
  map(entries: readonly (readonly [T, T])[]): T;
  variable?(name: string): T;
  /** The place of the `index`-th value of a template. */
  hole?(index: number): T;
}

const termBuilder: Builder<Term> = {
  constant: (value) => value,
  list: (items, tail) => (tail === undefined ? items : cons(items, tail)),
  tuple: (elements) => new Tuple(elements),
  map: (entries) => new TermMap(entries),
};

/** A term of a text and where it begins. */
export interface Located extends Position {
  readonly term: Term;
}

/** All terms of a text, each ended by a full stop (`file:consult/1`). Throws `ConfigError` `syntax` or `no_dot`. */
export function parseTerms(text: string): Located[] {
  const scanner = new Scanner(text);
  const found: Located[] = [];
  for (let form = scanForm(scanner); form !== undefined; form = scanForm(scanner)) {
    found.push({
      term: new Parser(text, form, termBuilder).parse(),
      ...position(text, form[0]?.offset ?? 0),
    });
  }
  return found;
}

/** The one term of a text; the full stop may be missing. Throws `ConfigError` `syntax`. */
export function parseTerm(text: string): Term {
  return parseOne(text, termBuilder);
}

/**
 * The term of a tagged template: `strings` are its constant parts, a value stands between any two of them.
 * Throws `ConfigError` `syntax`.
 */
export function parseTemplate<T>(strings: readonly string[], builder: Builder<T>): T {
  const text = strings.join(HOLE);
  const holes: number[] = [];
  const counting: Builder<T> = {
    ...builder,
    hole: (index) => {
      holes.push(index);
      if (builder.hole === undefined) throw new ConfigError('syntax', 'no values can stand in this text');
      return builder.hole(index);
    },
  };
  const result = parseOne(text, counting);
  if (holes.length !== strings.length - 1) {
    throw new ConfigError(
      'syntax',
      'a value of a template stands for a whole term: it cannot be in quotes or a comment',
    );
  }
  return result;
}

function parseOne<T>(text: string, builder: Builder<T>): T {
  const scanner = new Scanner(text);
  const tokens: Token[] = [];
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    const before = tokens.at(-1);
    if (before?.kind === 'dot') {
      throw syntaxError(text, token.offset, `syntax error before: ${describe(token)}`);
    }
    tokens.push(token);
  }
  if (tokens.at(-1)?.kind !== 'dot') tokens.push({ kind: 'dot', text: '', value: 0, offset: text.length });
  return new Parser(text, tokens, builder).parse();
}

/** The tokens up to the next full stop; undefined at the end of the text. Throws `no_dot` if the stop is missing. */
export function scanForm(scanner: Scanner): Token[] | undefined {
  const tokens: Token[] = [];
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    tokens.push(token);
    if (token.kind === 'dot') return tokens;
  }
  if (tokens.length === 0) return undefined;
  const end = position(scanner.text, scanner.text.length);
  throw new ConfigError('no_dot', 'no ending <dot> found', end);
}

/** The term of one form, whose last token is the full stop. */
export function parseForm(text: string, form: readonly Token[]): Term {
  return new Parser(text, form, termBuilder).parse();
}

interface Frame<T> {
  kind: 'list' | 'tail' | 'tuple' | 'map' | 'paren';
  readonly items: T[];
  readonly tail: T[];
}

/** After a complete term these would go on as an expression, which no term is. */
const OPERATORS = new Set(
  '+ - * / div rem band and bor bxor bsl bsr or xor ++ -- == /= =< < >= > =:= =/= ! = andalso orelse ( : # ||'.split(
    ' ',
  ),
);

class Parser<T> {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #builder: Builder<T>;
  readonly #stack: Frame<T>[] = [];
  #next = 0;

  constructor(text: string, tokens: readonly Token[], builder: Builder<T>) {
    this.#text = text;
    this.#tokens = tokens;
    this.#builder = builder;
  }

  /** The one term up to the full stop. */
  parse(): T {
    for (;;) {
      let value = this.#open();
      while (value !== undefined) {
        const frame = this.#stack.at(-1);
        if (frame === undefined) {
          if (this.#take('dot') === undefined) throw this.#unexpected(true);
          return value;
        }
        value = this.#close(frame, value);
      }
    }
  }

  /** Reads a scalar, or opens a list, tuple, map or parenthesis and gives undefined. */
  #open(): T | undefined {
    const token = this.#tokens[this.#next];
    if (token?.kind === 'symbol') {
      this.#next++;
      if (token.text === '[') return this.#enter('list', ']', []);
      if (token.text === '{') return this.#enter('tuple', '}', new Tuple([]));
      if (token.text === '#' && this.#take('{') !== undefined) return this.#enter('map', '}', new TermMap());
      if (token.text === '(') return this.#enter('paren', undefined, 0);
      this.#next--;
    }
    return this.#scalar();
  }

  #enter(kind: Frame<T>['kind'], close: string | undefined, empty: Term): T | undefined {
    if (close !== undefined && this.#take(close) !== undefined) return this.#builder.constant(empty);
    this.#stack.push({ kind, items: [], tail: [] });
    return undefined;
  }

  /** Puts a complete value into the innermost frame; gives the frame's own value when that closes it. */
  #close(frame: Frame<T>, value: T): T | undefined {
    (frame.kind === 'tail' ? frame.tail : frame.items).push(value);
    if (frame.kind === 'paren') return this.#leave(')', () => value);
    if (frame.kind === 'map' && frame.items.length % 2 === 1) {
      if (this.#take('=>') === undefined) throw this.#unexpected(true);
      return undefined;
    }
    if (frame.kind === 'tail') return this.#leave(']', () => this.#builder.list(frame.items, frame.tail[0]));
    if (this.#take(',') !== undefined) return undefined;
    if (frame.kind === 'list') {
      if (this.#take('|') !== undefined) {
        frame.kind = 'tail';
        return undefined;
      }
      return this.#leave(']', () => this.#builder.list(frame.items, undefined));
    }
    if (frame.kind === 'tuple') return this.#leave('}', () => this.#builder.tuple(frame.items));
    return this.#leave('}', () => this.#builder.map(pairs(frame.items)));
  }

  #leave(close: string, value: () => T): T {
    if (this.#take(close) === undefined) throw this.#unexpected(true);
    this.#stack.pop();
    return value();
  }

  #scalar(): T {
    const token = this.#tokens[this.#next++];
    const { constant, variable, hole } = this.#builder;
    switch (token?.kind) {
      case 'atom':
      case 'integer':
      case 'float':
      case 'char':
      case 'sigil':
        return constant(token.value);
      case 'string':
        return constant(charlist(token.text + this.#moreStrings()));
      case 'var':
        if (variable !== undefined) return variable(token.text);
        throw syntaxError(this.#text, token.offset, `bad term: ${token.text} is a variable`);
      case 'hole':
        if (hole !== undefined) return hole(token.value as number);
        throw syntaxError(this.#text, token.offset, 'illegal character');
      case 'symbol':
        if (token.text === '-' || token.text === '+') return constant(this.#signed(token));
        if (token.text === 'fun') return constant(this.#fun());
        if (token.text === '<<') return constant(this.#binary());
    }
    this.#next--;
    throw this.#unexpected(false);
  }

  /** Adjacent strings are one string. */
  #moreStrings(): string {
    let more = '';
    while (this.#tokens[this.#next]?.kind === 'string') more += this.#tokens[this.#next++]?.text;
    return more;
  }

  #signed(sign: Token): Term {
    const { kind, value } = this.#tokens[this.#next] ?? sign;
    if (kind !== 'integer' && kind !== 'float' && kind !== 'char') {
      throw this.#unexpected(false, 'no number, which a sign needs');
    }
    this.#next++;
    if (sign.text === '+') return value;
    return value instanceof Float ? new Float(-value.value) : integer(-BigInt(value as number | bigint));
  }

  /** What follows `fun`: `Module:Function/Arity`. */
  #fun(): Term {
    const module = this.#name();
    if (this.#take(':') === undefined) throw this.#unexpected(true);
    const name = this.#name();
    if (this.#take('/') === undefined) throw this.#unexpected(true);
    const arity = this.#take('integer');
    if (arity === undefined || typeof arity.value !== 'number' || arity.value > 255)
      throw this.#unexpected(false);
    return new ExportFun(module, name, arity.value);
  }

  #name(): Atom | boolean {
    const value = this.#take('atom')?.value;
    if (value instanceof Atom || typeof value === 'boolean') return value;
    throw this.#unexpected(false);
  }

  #binary(): Term {
    const start = this.#next;
    const { value, next } = parseBinary(this.#tokens, start, (index, bad) => {
      this.#next = index;
      return this.#unexpected(false, bad);
    });
    this.#next = next;
    return value;
  }

  /** Takes the next token if it is that symbol or of that kind. */
  #take(what: string): Token | undefined {
    const token = this.#tokens[this.#next];
    if (token === undefined || (token.kind === 'symbol' ? token.text : token.kind) !== what) return undefined;
    this.#next++;
    return token;
  }

  /**
   * The next token cannot stand here. Where OTP would read an expression and then find that it is no term, `bad`
   * says why; after a term, any operator makes an expression of it.
   */
  #unexpected(afterTerm: boolean, bad?: string): ConfigError {
    const token = this.#tokens[this.#next];
    const offset = token?.offset ?? this.#text.length;
    const before = describe(token);
    if (token?.kind === 'dot' || token?.text === '>>') {
      return syntaxError(this.#text, offset, `syntax error before: ${before}`);
    }
    if (bad !== undefined) return syntaxError(this.#text, offset, `bad term: ${before} is ${bad}`);
    if (afterTerm && token?.kind === 'symbol' && OPERATORS.has(token.text)) {
      return syntaxError(this.#text, offset, `bad term: ${before} makes an expression, not a term`);
    }
    return syntaxError(this.#text, offset, `syntax error before: ${before}`);
  }
}

function pairs<T>(items: readonly T[]): (readonly [T, T])[] {
  const entries: [T, T][] = [];
  for (let i = 0; i + 1 < items.length; i += 2) entries.push([items[i] as T, items[i + 1] as T]);
  return entries;
}
