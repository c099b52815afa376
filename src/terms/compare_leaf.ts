// The order of terms of one kind, and of the kinds among each other. Negative, zero or positive, as for `sort`.
import { Atom, atomName } from './atom.js';
import { BitString } from './binary.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { Float } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

export const RANK = {
  number: 0,
  atom: 1,
  reference: 2,
  localFun: 3,
  exportFun: 4,
  port: 5,
  pid: 6,
  tuple: 7,
  record: 8,
  map: 9,
  nil: 10,
  list: 11,
  bitstring: 12,
  local: 13,
} as const;

/** number < atom < reference < fun < port < pid < tuple < native record < map < nil < list < bitstring. */
export function rank(term: Term): number {
  if (typeof term === 'number' || typeof term === 'bigint' || term instanceof Float) return RANK.number;
  if (typeof term === 'boolean' || term instanceof Atom) return RANK.atom;
  if (term instanceof Tuple) return RANK.tuple;
  if (Array.isArray(term)) return term.length === 0 ? RANK.nil : RANK.list;
  if (term instanceof Uint8Array || term instanceof BitString) return RANK.bitstring;
  if (term instanceof Pid) return RANK.pid;
  if (term instanceof Reference) return RANK.reference;
  if (term instanceof TermMap) return RANK.map;
  if (term instanceof ImproperList) return RANK.list;
  if (term instanceof OpaqueFun) return RANK.localFun;
  if (term instanceof ExportFun) return RANK.exportFun;
  if (term instanceof Port) return RANK.port;
  return term instanceof NativeRecord ? RANK.record : RANK.local;
}

const order = <T extends number | bigint | string>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Numbers by value; JavaScript compares numbers with bigints exactly. `exact` is the order of map keys: integers
 * before floats, and -0.0 before 0.0.
 */
export function compareNumbers(a: Term, b: Term, exact: boolean): number {
  const x = a instanceof Float ? a.value : (a as number | bigint);
  const y = b instanceof Float ? b.value : (b as number | bigint);
  if (exact) {
    if (a instanceof Float !== b instanceof Float) return a instanceof Float ? 1 : -1;
    if (x === 0 && y === 0) return (Object.is(y, -0) ? 1 : 0) - (Object.is(x, -0) ? 1 : 0);
  }
  return x < y ? -1 : x > y ? 1 : 0;
}

/** By code points, which is not JavaScript's order of strings: there, surrogates come before U+E000. */
export function compareAtoms(a: Atom | boolean, b: Atom | boolean): number {
  if (a === b) return 0;
  const x = atomName(a);
  const y = atomName(b);
  const length = Math.min(x.length, y.length);
  for (let i = 0; i < length; i++) {
    const p = x.charCodeAt(i);
    const q = y.charCodeAt(i);
    if (p !== q) return codePointRank(p) - codePointRank(q);
  }
  return x.length - y.length;
}

/** Moves surrogates, which stand for code points above U+FFFF, behind all other units. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Bit by bit; a prefix is smaller. The unused bits of a last byte are zero. */
export function compareBits(a: Uint8Array | BitString, b: Uint8Array | BitString): number {
  const x = a instanceof BitString ? a.bytes : a;
  const y = b instanceof BitString ? b.bytes : b;
  return compareBytes(x, y) || bitSize(a) - bitSize(b);
}

function bitSize(bits: Uint8Array | BitString): number {
  return bits instanceof BitString ? bits.bytes.length * 8 - 8 + bits.bits : bits.length * 8;
}

/** Serial, number, node, creation. */
export function comparePids(a: Pid, b: Pid): number {
  return (
    a.serial - b.serial ||
    a.number - b.number ||
    compareAtoms(a.node, b.node) ||
    order(a.creation, b.creation)
  );
}

/** Node and creation, then the words from the last to the first, missing ones as zero. */
export function compareReferences(a: Reference, b: Reference): number {
  const nodes = compareAtoms(a.node, b.node) || order(a.creation, b.creation);
  if (nodes !== 0) return nodes;
  for (let i = Math.max(a.words.length, b.words.length) - 1; i >= 0; i--) {
    const difference = (a.words[i] ?? 0) - (b.words[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Node and creation, then the number. */
export function comparePorts(a: Port, b: Port): number {
  return compareAtoms(a.node, b.node) || order(a.creation, b.creation) || order(a.id, b.id);
}

export function compareExportFuns(a: ExportFun, b: ExportFun): number {
  return compareAtoms(a.module, b.module) || compareAtoms(a.function, b.function) || a.arity - b.arity;
}

/** All but the free variables; never by the creator, which some releases forget. */
export function compareFuns(a: OpaqueFun, b: OpaqueFun): number {
  return (
    compareAtoms(a.module, b.module) ||
    a.oldIndex - b.oldIndex ||
    a.oldUniq - b.oldUniq ||
    a.free.length - b.free.length ||
    a.index - b.index ||
    compareBytes(a.uniq, b.uniq) ||
    a.arity - b.arity
  );
}

/** All but the values. */
export function compareRecords(a: NativeRecord, b: NativeRecord): number {
  const named = compareAtoms(a.module, b.module) || compareAtoms(a.name, b.name);
  if (named !== 0) return named;
  const sized = Number(a.exported) - Number(b.exported) || a.fields.length - b.fields.length;
  if (sized !== 0) return sized;
  for (let i = 0; i < a.fields.length; i++) {
    const difference = compareAtoms(a.fields[i] as Atom, b.fields[i] as Atom);
    if (difference !== 0) return difference;
  }
  return 0;
}
