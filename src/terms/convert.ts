// JSON-like JavaScript values to terms and back, by rules that are stated here and nowhere guessed.
//
// `from`                                     `toJs`
//   string        a binary of its UTF-8        binary      a string; bytes that are no UTF-8 stay a Uint8Array
//   number        an integer within ±(2^53-1)  integer     a number; beyond ±(2^53-1) a bigint
//                 as such, else a float
//   bigint        an integer                   float       a number
//   true, false   themselves                   true, false themselves
//   null          the atom nil                 nil, null, undefined   null
//   array         a list                       other atoms a string, their name
//   plain object  a map with binary keys       map         an object, if all its keys are binaries or atoms
//   Map           a map, its keys by `from`    list, tuple an array
//   Uint8Array    a binary                     pids, references, funs, bitstrings…   themselves
//   any term      itself
//
// Anything else is refused with the place where it stands, undefined too; but as in JSON a property that is undefined
// is left out.
import { BadArg } from '../errors.js';
import { Atom, atom, atomOrBoolean } from './atom.js';
import { BitString, binary, charlist } from './binary.js';
import { format } from './format.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { Float, float, integer } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { LocalTerm, NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

export interface FromOptions {
  /** What a string becomes: `binary` if not given. Atoms are kept by a peer for ever: never make them of user input. */
  readonly strings?: 'binary' | 'charlist' | 'atom';
  /** What the key of an object becomes: `binary` if not given. */
  readonly keys?: 'binary' | 'atom';
  /** The term for null: the atom `nil` if not given. */
  readonly null?: Term;
}

export interface ToJsOptions {
  /** `text` (if not given): strings where the bytes are UTF-8. `bytes`: always Uint8Arrays. */
  readonly binaries?: 'text' | 'bytes';
  /** `text` (if not given): the name as a string, and null for nil, null and undefined. `keep`: the atoms themselves. */
  readonly atoms?: 'text' | 'keep';
  /** `object` (if not given), or a Map whose keys are converted by the same rules. */
  readonly maps?: 'object' | 'map';
  /** `array` (if not given), or the tuples themselves with all that is in them. */
  readonly tuples?: 'array' | 'keep';
}

/** What `toJs` makes. */
export type JsValue =
  | null
  | Exclude<Term, readonly Term[] | TermMap | Float | ImproperList>
  | string
  | readonly JsValue[]
  | Map<JsValue, JsValue>
  | { readonly [key: string]: JsValue };

/** Values nested deeper are refused, and so is what contains itself. */
const MAX_DEPTH = 1000;
const NIL = atom('nil');
const NULLS: readonly unknown[] = [NIL, atom('null'), atom('undefined')];
const TERMS = [
  Atom,
  Float,
  Tuple,
  Pid,
  Reference,
  Port,
  TermMap,
  ImproperList,
  BitString,
  ExportFun,
  OpaqueFun,
  NativeRecord,
  LocalTerm,
  Uint8Array,
];

/** The term of a JavaScript value, by the rules above. Throws `BadArg` for what has none. */
export function from(value: unknown, options: FromOptions = {}): Term {
  return make(value, options, []);
}

function make(value: unknown, options: FromOptions, path: readonly unknown[]): Term {
  switch (typeof value) {
    case 'string':
      return options.strings === 'charlist'
        ? charlist(value)
        : options.strings === 'atom'
          ? atomOrBoolean(value)
          : binary(value);
    case 'number':
      return Number.isSafeInteger(value) ? integer(value) : float(value);
    case 'bigint':
      return integer(value);
    case 'boolean':
      return value;
    case 'object':
      return value === null ? (options.null ?? NIL) : makeOfObject(value, options, path);
  }
  throw refused(`${typeof value === 'undefined' ? '' : 'a '}${typeof value} has no term`, path);
}

function makeOfObject(value: object, options: FromOptions, path: readonly unknown[]): Term {
  if (path.length > MAX_DEPTH) throw refused('the value contains itself, or is nested too deep', path);
  if (Array.isArray(value)) return value.map((item, i) => make(item, options, [...path, i]));
  if (TERMS.some((type) => value instanceof type)) return value as Term;
  if (value instanceof Map) {
    return new TermMap(
      Array.from(value, ([k, v]) => [make(k, options, [...path, k]), make(v, options, [...path, k])]),
    );
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw refused(`an object of the class ${value.constructor?.name} has no term`, path);
  }
  const key = options.keys === 'atom' ? atomOrBoolean : binary;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return new TermMap(entries.map(([k, v]) => [key(k), make(v, options, [...path, k])]));
}

function refused(message: string, path: readonly unknown[]): BadArg {
  const shown = path.slice(0, 10).map((key) => `[${JSON.stringify(key) ?? typeof key}]`);
  return new BadArg(`from(): ${message}${path.length === 0 ? '' : ` (at ${shown.join('')})`}`, 'not_a_term');
}

/** The JavaScript value of a term, by the rules above. Throws `BadArg` for improper lists and keys that are no text. */
export function toJs(term: Term, options: ToJsOptions = {}): JsValue {
  return convert(term, options, 0);
}

function convert(term: Term, options: ToJsOptions, depth: number): JsValue {
  if (depth > MAX_DEPTH) throw new BadArg(`toJs(): the term is nested deeper than ${MAX_DEPTH} levels`);
  if (typeof term !== 'object') return term;
  if (term instanceof Float) return term.value;
  if (term instanceof Atom) {
    return options.atoms === 'keep' ? term : NULLS.includes(term) ? null : term.name;
  }
  if (term instanceof Uint8Array) return options.binaries === 'bytes' ? term : (utf8(term) ?? term);
  if (Array.isArray(term)) return (term as readonly Term[]).map((item) => convert(item, options, depth + 1));
  if (term instanceof Tuple) {
    if (options.tuples === 'keep') return term;
    return term.elements.map((item) => convert(item, options, depth + 1));
  }
  if (term instanceof TermMap) {
    return options.maps === 'map' ? toMap(term, options, depth) : toObject(term, options, depth);
  }
  if (term instanceof ImproperList) {
    throw new BadArg(`toJs(): an improper list has no JavaScript value: ${format(term, 100)}`);
  }
  return term as JsValue;
}

function toMap(map: TermMap, options: ToJsOptions, depth: number): Map<JsValue, JsValue> {
  const made = new Map<JsValue, JsValue>();
  for (const [k, v] of map) made.set(convert(k, options, depth + 1), convert(v, options, depth + 1));
  return made;
}

/** Without a prototype, so that no key of a peer means anything but itself. */
function toObject(map: TermMap, options: ToJsOptions, depth: number): { readonly [key: string]: JsValue } {
  const made = Object.create(null) as { [key: string]: JsValue };
  for (const [key, value] of map) {
    const name =
      key instanceof Atom
        ? key.name
        : typeof key === 'boolean'
          ? String(key)
          : key instanceof Uint8Array
            ? utf8(key)
            : undefined;
    if (name === undefined) {
      throw new BadArg(`toJs(): the key ${format(key, 100)} is no text: give {maps: 'map'}`);
    }
    if (name in made) throw new BadArg(`toJs(): two keys have the text ${name}: give {maps: 'map'}`);
    made[name] = convert(value, options, depth + 1);
  }
  return made;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
