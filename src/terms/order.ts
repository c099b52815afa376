// Erlang's equality and order of terms: `=:=`, `==`, `<`.
import { Atom } from './atom.js';
import { BitString } from './binary.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { Float } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { LocalTerm, NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

/**
 * A JavaScript value that is the same (as a key of a Map) for equal terms and differs for different ones.
 * Atoms, integers and booleans stand for themselves; everything else becomes a string, which no term is.
 */
export function keyOf(term: Term): unknown {
  if (typeof term !== 'object') return term;
  if (term instanceof Atom) return term;
  return structuralKey(term);
}

function structuralKey(term: Term): string {
  switch (typeof term) {
    case 'number':
    case 'bigint':
      return `i${term}`;
    case 'boolean':
      return term ? 'a4:true' : 'a5:false';
  }
  if (term instanceof Atom) return `a${term.name.length}:${term.name}`;
  if (term instanceof Float) return Object.is(term.value, -0) ? 'f-0' : `f${term.value}`;
  if (term instanceof Uint8Array) return `b${term.length}:${latin1(term)}`;
  if (term instanceof BitString) return `c${term.bits},${term.bytes.length}:${latin1(term.bytes)}`;
  if (term instanceof Tuple) return `t${term.elements.length}(${keys(term.elements)})`;
  if (term instanceof Pid) return `p${term.key};`;
  if (term instanceof Reference) return `r${term.key};`;
  if (term instanceof Port) return `q${term.id}.${term.creation}.${term.node.name};`;
  if (term instanceof ImproperList) return `j(${keys(term.items)}|${structuralKey(term.tail)})`;
  if (term instanceof TermMap) {
    const pairs = [...term].map(([k, v]) => `${structuralKey(k)}=${structuralKey(v)}`).sort();
    return `m${pairs.length}(${pairs.join(',')})`;
  }
  if (term instanceof ExportFun) {
    return `x(${structuralKey(term.module)},${structuralKey(term.function)},${term.arity})`;
  }
  if (term instanceof OpaqueFun) {
    return `y(${structuralKey(term.module)},${latin1(term.uniq)},${term.index},${term.oldUniq},${keys(term.free)})`;
  }
  if (term instanceof NativeRecord) {
    return `n${term.exported}(${structuralKey(term.module)},${structuralKey(term.name)},${keys(term.fields)},${keys(term.values)})`;
  }
  if (term instanceof LocalTerm) return `z${latin1(term.bytes)}`;
  return `l(${keys(term)})`;
}

function keys(terms: readonly Term[]): string {
  return terms.map(structuralKey).join(',');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** `A =:= B`, with the rules of OTP 27 (0.0 and -0.0 differ). */
export function equals(a: Term, b: Term): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a instanceof Atom || b instanceof Atom) return false;
  if (a instanceof Pid) return b instanceof Pid && a.key === b.key;
  if (a instanceof Reference) return b instanceof Reference && a.key === b.key;
  return structuralKey(a) === structuralKey(b);
}
