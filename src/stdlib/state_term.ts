// A server's state as an Erlang term, for people who look at it: `sys:get_state`, observer, crash reports.
//
// Terms stand for themselves; other JavaScript values become what resembles them most. Bounded, since a state
// may hold half the program: what is left out shows as '...'.
import { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { BitString, binary } from '../terms/binary.js';
import { ExportFun, OpaqueFun } from '../terms/fun.js';
import { ImproperList } from '../terms/list.js';
import { map, TermMap } from '../terms/map.js';
import { Float, float, integer } from '../terms/number.js';
import { Pid } from '../terms/pid.js';
import { Port } from '../terms/port.js';
import { LocalTerm, NativeRecord } from '../terms/record.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';

const MAX_DEPTH = 8;
const MAX_VALUES = 2000;
const ELLIPSIS = atom('...');
const UNDEFINED = atom('undefined');
const TERM_CLASSES = [
  Atom,
  Tuple,
  Pid,
  Reference,
  TermMap,
  Float,
  Uint8Array,
  ImproperList,
  BitString,
  Port,
  ExportFun,
  OpaqueFun,
  NativeRecord,
  LocalTerm,
];

/** The term that shows a JavaScript value best. */
export function stateTerm(value: unknown): Term {
  return show(value, MAX_DEPTH, { left: MAX_VALUES });
}

function show(value: unknown, depth: number, budget: { left: number }): Term {
  if (budget.left-- <= 0) return ELLIPSIS;
  switch (typeof value) {
    case 'undefined':
      return UNDEFINED;
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) return binary(String(value));
      return Number.isInteger(value) ? integer(value) : float(value);
    case 'bigint':
      return integer(value);
    case 'string':
      return binary(value);
    case 'function':
      return atom('function');
    case 'symbol':
      return binary(String(value));
  }
  if (value === null) return atom('null');
  if (value instanceof Process) return value.pid;
  if (TERM_CLASSES.some((known) => value instanceof known)) return value as Term;
  if (depth === 0) return ELLIPSIS;
  return container(value as object, depth - 1, budget);
}

function container(value: object, depth: number, budget: { left: number }): Term {
  const inner = (item: unknown): Term => show(item, depth, budget);
  if (Array.isArray(value) || value instanceof Set) return some(value, budget).map(inner);
  if (value instanceof Map) {
    return map(
      ...some(value as Map<unknown, unknown>, budget).map(([k, v]) => [inner(k), inner(v)] as const),
    );
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return atom(value.constructor.name.slice(0, 200) || 'object');
  }
  return new TermMap(Object.entries(value).map(([k, v]) => [binary(k), inner(v)] as const));
}

/** So many elements as may still be shown. */
function some<T>(values: Iterable<T>, budget: { left: number }): T[] {
  const taken: T[] = [];
  for (const value of values) {
    if (taken.length >= budget.left) break;
    taken.push(value);
  }
  return taken;
}
