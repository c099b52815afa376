// Maps with Erlang's equality of keys (`=:=` of OTP 27): 1 and 1.0 differ, {a, 1} equals {a, 1}.
import { isFlat, keyOf } from './key.js';
import { equals } from './order.js';
import type { Term } from './term.js';

/** Maps of so many flat keys are searched one by one; others have an index. */
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
    let index: Map<unknown, number> | undefined;
    for (const [key, value] of entries) {
      if (index === undefined && (keys.length === SMALL || !isFlat(key))) index = indexOf(keys);
      const at = index === undefined ? search(keys, key) : (index.get(keyOf(key)) ?? -1);
      if (at >= 0) values[at] = value;
      else {
        index?.set(keyOf(key), keys.length);
        keys.push(key);
        values.push(value);
      }
    }
    this.#keys = keys;
    this.#values = values;
    this.#index = index;
  }

  /** The map of these keys and values, which it takes over; undefined if two keys are equal. */
  static ofDistinct(keys: readonly Term[], values: readonly Term[]): TermMap | undefined {
    if (keys.length > SMALL || (keys.length > 1 && !keys.every(isFlat))) {
      const index = indexOf(keys);
      return index.size === keys.length ? new TermMap(new Distinct(keys, values, index)) : undefined;
    }
    for (let i = 1; i < keys.length; i++) {
      if (search(keys, keys[i] as Term, i) >= 0) return undefined;
    }
    return new TermMap(new Distinct(keys, values, undefined));
  }

  /** `map_size/1`. */
  get size(): number {
    return this.#keys.length;
  }
  /** The value of a key, undefined without it. */
  get(key: Term): Term | undefined {
    return this.#values[this.#find(key)];
  }
  /** Whether the map has that key. */
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
  /** The keys, in the order of `values`; that order means nothing. */
  keys(): readonly Term[] {
    return this.#keys;
  }
  /** The values, in the order of `keys`. */
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
    return search(this.#keys, key);
  }
}

function search(keys: readonly Term[], key: Term, end: number = keys.length): number {
  for (let i = 0; i < end; i++) if (equals(keys[i] as Term, key)) return i;
  return -1;
}

function indexOf(keys: readonly Term[]): Map<unknown, number> {
  const index = new Map<unknown, number>();
  for (const key of keys) index.set(keyOf(key), index.size);
  return index;
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
