// Readers: what a term says as a TypeScript value of a known type, or `BadArg` where it says something else.
//
// A reader is a function; readers of lists and maps take readers. `toJs` in convert.ts converts whatever comes, by its
// rules; a reader says what is expected, so that a peer that sends something else is noticed where it happens.
import { BadArg, ErlangError } from '../errors.js';
import { Atom, atom } from './atom.js';
import { binary, text as textOf } from './binary.js';
import { format } from './format.js';
import { TermMap } from './map.js';
import { Float } from './number.js';
import type { Term } from './term.js';
import { isTagged, Tuple } from './tuple.js';

/** Reads a term. Throws `BadArg` for one that is not what it reads. */
export type Reader<T> = (term: Term) => T;

/** What a reader reads. */
export type Read<R> = R extends Reader<infer T> ? T : never;

const OK = atom('ok');
const ERROR = atom('error');
const NOTHING: readonly Term[] = [atom('nil'), atom('undefined'), atom('null')];

function expected(what: string, got: Term): never {
  throw new BadArg(`${what} was expected, ${format(got, 200)} came`);
}

/** The term itself. */
export const term: Reader<Term> = (value) => value;

/** An integer within ±(2^53-1). */
export const integer: Reader<number> = (value) =>
  typeof value === 'number' ? value : expected('an integer within ±(2^53-1)', value);

/** Any integer. */
export const bigint: Reader<bigint> = (value) =>
  typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : expected('an integer', value);

/** An integer or a float. */
export const number: Reader<number> = (value) =>
  value instanceof Float ? value.value : typeof value === 'number' ? value : expected('a number', value);

/** `true` or `false`. */
export const boolean: Reader<boolean> = (value) =>
  typeof value === 'boolean' ? value : expected('true or false', value);

/** A binary or other chardata (a charlist, iodata) as a string. */
export const text: Reader<string> = (value) => {
  if (!(value instanceof Uint8Array) && !Array.isArray(value)) return expected('a text', value);
  try {
    return textOf(value);
  } catch {
    return expected('a text', value);
  }
};

/** A binary. */
export const bytes: Reader<Uint8Array> = (value) =>
  value instanceof Uint8Array ? value : expected('a binary', value);

/** An atom's name; with names, only one of them. */
export function name<N extends string = string>(...names: readonly N[]): Reader<N> {
  return (value) => {
    const found = value instanceof Atom ? value.name : typeof value === 'boolean' ? String(value) : undefined;
    if (found !== undefined && (names.length === 0 || names.includes(found as N))) return found as N;
    return expected(names.length === 0 ? 'an atom' : names.join(' or '), value);
  };
}

/** A list, each item by the same reader. */
export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value) =>
    Array.isArray(value) ? (value as readonly Term[]).map((each) => item(each)) : expected('a list', value);
}

/** A tuple, each element by its own reader. */
export function tupleOf<R extends readonly Reader<unknown>[]>(
  ...elements: R
): Reader<{ -readonly [K in keyof R]: Read<R[K]> }> {
  return (value) => {
    if (!(value instanceof Tuple) || value.elements.length !== elements.length) {
      return expected(`a tuple of ${elements.length}`, value);
    }
    return value.elements.map((each, i) => elements[i]?.(each)) as { -readonly [K in keyof R]: Read<R[K]> };
  };
}

/** A map with these keys, binaries or atoms; others are passed over. A reader `optional` reads a key that is not there. */
export function fields<R extends Readonly<Record<string, Reader<unknown>>>>(
  readers: R,
): Reader<{ -readonly [K in keyof R]: Read<R[K]> }> {
  return (value) => {
    if (!(value instanceof TermMap)) return expected('a map', value);
    const read = Object.entries(readers).map(([key, reader]) => {
      const field = value.get(binary(key)) ?? value.get(atom(key)) ?? (NOTHING[1] as Term);
      try {
        return [key, reader(field)];
      } catch (error) {
        throw error instanceof BadArg ? new BadArg(`${key}: ${error.message}`) : error;
      }
    });
    return Object.fromEntries(read) as { -readonly [K in keyof R]: Read<R[K]> };
  };
}

/** What another reader reads; undefined for `nil`, `undefined` and `null`. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value) => (NOTHING.includes(value) ? undefined : reader(value));
}

/** `ok`, and nothing else. */
export const ok: Reader<void> = (value) => {
  if (value !== OK) expected('ok', value);
};

/** The value of `{ok, Value}`; for `{error, Reason}` throws `ErlangError` with that reason. */
export function result<T>(reader: Reader<T>): Reader<T> {
  return (value) => {
    if (isTagged(value, OK, 2)) return reader(value.elements[1] as Term);
    if (!isTagged(value, ERROR, 2)) return expected('{ok, Value} or {error, Reason}', value);
    const reason = value.elements[1] as Term;
    throw new ErlangError(reason, [], `the answer is {error, ${format(reason, 200)}}`);
  };
}
