// Maps with Erlang's equality of keys (`=:=` of OTP 27): 1 and 1.0 differ, {a, 1} equals {a, 1}.
import { keyOf } from './key.js';
import { equals } from './order.js';
import type { Term } from './term.js';

/** Maps of so many pairs are searched one by one; larger ones have an index. */
const SMALL = 8;

/** An Erlang map. Immutable once made: `with` and `without` make new ones. Iterates in order of insertion. */
export class TermMap {
  readonly #keys: readonly Term[];
  readonly #values: readonly Term[];
  readonly #index: ReadonlyMap<unknown, number> | undefined;
  /** What `keyOf` made of this map: kept, so that maps nested as keys cost no more than their size. */
  #key: string | undefined;

  /** Of two equal keys the later value wins, at the place of the first. */
  constructor(entries: Iterable<readonly [Term, Term]> = []) {
    if (entries instanceof Distinct) {
      this.#keys = entries.keys;
      this.#values = entries.values;
      this.#index = entries.index;
      return;
    }
    const keys: Term[] = [];
    const values: Term[] = [];
    const index = new Map<unknown, number>();
    for (const [key, value] of entries) {
      const at = index.get(keyOf(key));
      if (at === undefined) {
        index.set(keyOf(key), keys.length);
        keys.push(key);
        values.push(value);
      } else values[at] = value;
    }
    this.#keys = keys;
    this.#values = values;
    this.#index = keys.length > SMALL ? index : undefined;
  }

  /** The map of these keys and values, which it takes over; undefined if two keys are equal. */
  static ofDistinct(keys: readonly Term[], values: readonly Term[]): TermMap | undefined {
    if (keys.length > SMALL) {
      const index = new Map<unknown, number>();
      for (const key of keys) index.set(keyOf(key), index.size);
      return index.size === keys.length ? new TermMap(new Distinct(keys, values, index)) : undefined;
    }
    for (let i = 1; i < keys.length; i++) {
      const key = keys[i] as Term;
      for (let j = 0; j < i; j++) if (equals(keys[j] as Term, key)) return undefined;
    }
    return new TermMap(new Distinct(keys, values, undefined));
  }

  get size(): number {
    return this.#keys.length;
  }
  get(key: Term): Term | undefined {
    return this.#values[this.#find(key)];
  }
  has(key: Term): boolean {
    return this.#find(key) >= 0;
  }
  /** This map with `key` set to `value`. */
  with(key: Term, value: Term): TermMap {
    return new TermMap([...this, [key, value]]);
  }
  /** This map without `key`. */
  without(key: Term): TermMap {
    const at = this.#find(key);
    return at < 0 ? this : new TermMap([...this].filter((_, i) => i !== at));
  }
  keys(): readonly Term[] {
    return this.#keys;
  }
  values(): readonly Term[] {
    return this.#values;
  }
  *[Symbol.iterator](): IterableIterator<readonly [Term, Term]> {
    for (let i = 0; i < this.#keys.length; i++) yield [this.#keys[i] as Term, this.#values[i] as Term];
  }

  /** For `keyOf` only: its result, once made. */
  cachedKey(): string | undefined;
  cachedKey(make: () => string): string;
  cachedKey(make?: () => string): string | undefined {
    if (this.#key === undefined && make !== undefined) this.#key = make();
    return this.#key;
  }

  #find(key: Term): number {
    if (this.#index !== undefined) return this.#index.get(keyOf(key)) ?? -1;
    const keys = this.#keys;
    for (let i = 0; i < keys.length; i++) if (equals(keys[i] as Term, key)) return i;
    return -1;
  }
}

/** Keys that are known to differ, for the constructor: an Iterable in name only. */
class Distinct implements Iterable<never> {
  readonly keys: readonly Term[];
  readonly values: readonly Term[];
  readonly index: ReadonlyMap<unknown, number> | undefined;
  constructor(
    keys: readonly Term[],
    values: readonly Term[],
    index: ReadonlyMap<unknown, number> | undefined,
  ) {
    this.keys = keys;
    this.values = values;
    this.index = index;
  }
  *[Symbol.iterator](): IterableIterator<never> {}
}

/** The map of these pairs. */
export function map(...entries: (readonly [Term, Term])[]): TermMap {
  return new TermMap(entries);
}
