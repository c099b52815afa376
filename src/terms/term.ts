// The union of all Erlang terms: one term, one JavaScript value.
import type { Atom } from './atom.js';
import type { BitString } from './binary.js';
import type { ExportFun, OpaqueFun } from './fun.js';
import type { ImproperList } from './list.js';
import type { TermMap } from './map.js';
import type { Float } from './number.js';
import type { Pid } from './pid.js';
import type { Port } from './port.js';
import type { LocalTerm, NativeRecord } from './record.js';
import type { Reference } from './reference.js';
import type { Tuple } from './tuple.js';

/** Any Erlang term. A JavaScript string is none: use `binary("x")`, `charlist("x")` or `atom("x")`. */
export type Term =
  | number
  | bigint
  | Float
  | boolean
  | Atom
  | Tuple
  | readonly Term[]
  | ImproperList
  | TermMap
  | Uint8Array
  | BitString
  | Pid
  | Reference
  | Port
  | ExportFun
  | OpaqueFun
  | NativeRecord
  | LocalTerm;
