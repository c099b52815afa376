// Erlang's equality and order of terms: `=:=`, `==`, `<`. Deep terms are compared with an explicit stack.
import { Atom } from './atom.js';
import { BitString } from './binary.js';
import * as leaf from './compare_leaf.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { isFlat, keyOf } from './key.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { integer } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { LocalTerm, NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

export { keyOf } from './key.js';

/** So deep `equals` recurses. */
const MAX_RECURSION = 200;

/** `A =:= B`, with the rules of OTP 27 (0.0 and -0.0 differ). */
export function equals(a: Term, b: Term): boolean {
  return same(a, b, 0);
}

function same(a: Term, b: Term, depth: number): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return sameInteger(a, b);
  if (a instanceof Atom || b instanceof Atom) return false;
  if (a instanceof Tuple) {
    if (!(b instanceof Tuple)) return false;
    return depth < MAX_RECURSION ? sameItems(a.elements, b.elements, depth) : exactCompare(a, b) === 0;
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b)) return false;
    return depth < MAX_RECURSION ? sameItems(a, b, depth) : exactCompare(a, b) === 0;
  }
  if (a instanceof Uint8Array) return b instanceof Uint8Array && leaf.compareBytes(a, b) === 0;
  if (a instanceof Pid) return b instanceof Pid && leaf.comparePids(a, b) === 0;
  if (a instanceof Reference) return b instanceof Reference && leaf.compareReferences(a, b) === 0;
  if (a instanceof TermMap) return b instanceof TermMap && sameMaps(a, b, depth);
  return exactCompare(a, b) === 0;
}

function sameMaps(a: TermMap, b: TermMap, depth: number): boolean {
  if (a.size !== b.size) return false;
  const keys = a.keys();
  if (depth >= MAX_RECURSION || !keys.every(isFlat)) return keyOf(a) === keyOf(b);
  const values = a.values();
  for (let i = 0; i < keys.length; i++) {
    const other = b.get(keys[i] as Term);
    if (other === undefined || !same(values[i] as Term, other, depth + 1)) return false;
  }
  return true;
}

function sameItems(as: readonly Term[], bs: readonly Term[], depth: number): boolean {
  if (as.length !== bs.length) return false;
  for (let i = 0; i < as.length; i++) if (!same(as[i] as Term, bs[i] as Term, depth + 1)) return false;
  return true;
}

/** A bigint that a number could hold is taken as that number. */
function sameInteger(a: Term, b: Term): boolean {
  if (typeof a !== 'bigint' && typeof b !== 'bigint') return false;
  if (typeof a !== 'bigint' && typeof a !== 'number') return false;
  if (typeof b !== 'bigint' && typeof b !== 'number') return false;
  return integer(a) === integer(b);
}

/** Erlang's order of all terms (`<`, `==`, `lists:sort/1`): negative, zero (`A == B`) or positive. 1 and 1.0 are equal. */
export function compare(a: Term, b: Term): number {
  return walk(a, b, false);
}

/** The order of map keys: as {@link compare}, but every integer comes before every float; zero means `=:=`. */
export function exactCompare(a: Term, b: Term): number {
  return walk(a, b, true);
}

/** Pairs of terms to compare, from `next` on; `after` is the answer if all are equal and it is not zero. */
interface Pairs {
  readonly as: readonly Term[];
  readonly bs: readonly Term[];
  readonly count: number;
  next: number;
  readonly exact: boolean;
  readonly after: number;
}

function walk(a: Term, b: Term, exact: boolean): number {
  const stack: Pairs[] = [];
  let result = step(a, b, exact, stack);
  while (result === 0) {
    const top = stack.at(-1);
    if (top === undefined) return 0;
    if (top.next < top.count) {
      const i = top.next++;
      result = step(top.as[i] as Term, top.bs[i] as Term, top.exact, stack);
    } else {
      stack.pop();
      result = top.after;
    }
  }
  return result;
}

/** The order of two terms as far as it is seen without looking into them; what is inside goes on the stack. */
function step(a: Term, b: Term, exact: boolean, stack: Pairs[]): number {
  if (a === b) return 0;
  const kind = leaf.rank(a);
  const difference = kind - leaf.rank(b);
  if (difference !== 0) return difference;
  if (kind === leaf.RANK.number) return leaf.compareNumbers(a, b, exact);
  if (kind === leaf.RANK.atom) return leaf.compareAtoms(a as Atom, b as Atom);
  if (a instanceof Tuple) return inside(a.elements, (b as Tuple).elements, exact, stack);
  if (kind === leaf.RANK.list) return insideLists(a, b, exact, stack);
  if (a instanceof TermMap) return insideMaps(a, b as TermMap, exact, stack);
  if (a instanceof OpaqueFun) {
    return leaf.compareFuns(a, b as OpaqueFun) || inside(a.free, (b as OpaqueFun).free, exact, stack);
  }
  if (a instanceof NativeRecord) {
    const other = b as NativeRecord;
    return leaf.compareRecords(a, other) || inside(a.values, other.values, exact, stack);
  }
  return compareLeaves(a, b);
}

function compareLeaves(a: Term, b: Term): number {
  if (a instanceof Uint8Array || a instanceof BitString)
    return leaf.compareBits(a, b as Uint8Array | BitString);
  if (a instanceof Pid) return leaf.comparePids(a, b as Pid);
  if (a instanceof Reference) return leaf.compareReferences(a, b as Reference);
  if (a instanceof Port) return leaf.comparePorts(a, b as Port);
  if (a instanceof ExportFun) return leaf.compareExportFuns(a, b as ExportFun);
  if (a instanceof LocalTerm) return leaf.compareBytes(a.bytes, (b as LocalTerm).bytes);
  return 0;
}

/** Of different lengths the shorter is smaller. */
function inside(as: readonly Term[], bs: readonly Term[], exact: boolean, stack: Pairs[]): number {
  if (as.length === bs.length) stack.push({ as, bs, count: as.length, next: 0, exact, after: 0 });
  return as.length - bs.length;
}

/** Element by element; where one list ends, its tail is compared with what is left of the other. */
function insideLists(a: Term, b: Term, exact: boolean, stack: Pairs[]): number {
  const [as, aTail] = parts(a);
  const [bs, bTail] = parts(b);
  const count = Math.min(as.length, bs.length);
  if (as.length === bs.length) stack.push({ as: [aTail], bs: [bTail], count: 1, next: 0, exact, after: 0 });
  const after =
    as.length < bs.length
      ? leaf.rank(aTail) - leaf.RANK.list
      : as.length > bs.length
        ? leaf.RANK.list - leaf.rank(bTail)
        : 0;
  stack.push({ as, bs, count, next: 0, exact, after });
  return 0;
}

function parts(list: Term): readonly [readonly Term[], Term] {
  return list instanceof ImproperList ? [list.items, list.tail] : [list as readonly Term[], []];
}

/** By size, then by the sorted keys in their own order, then by the values. */
function insideMaps(a: TermMap, b: TermMap, exact: boolean, stack: Pairs[]): number {
  if (a.size !== b.size) return a.size - b.size;
  const as = sorted(a);
  const bs = sorted(b);
  const values = (entries: (readonly [Term, Term])[]): Term[] => entries.map((entry) => entry[1]);
  const keys = (entries: (readonly [Term, Term])[]): Term[] => entries.map((entry) => entry[0]);
  stack.push({ as: values(as), bs: values(bs), count: a.size, next: 0, exact, after: 0 });
  stack.push({ as: keys(as), bs: keys(bs), count: a.size, next: 0, exact: true, after: 0 });
  return 0;
}

function sorted(map: TermMap): (readonly [Term, Term])[] {
  if (map.size <= 1) return [...map];
  return [...map].sort((x, y) => exactCompare(x[0], y[0]));
}
