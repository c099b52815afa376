// What a term is as the key of a JavaScript Map. No recursion: keys may be as deep as any term.
import { createHash } from 'node:crypto';
import { Atom } from './atom.js';
import { BitString } from './binary.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { Float, integer } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { LocalTerm, NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

/** Longer texts are replaced by their SHA-256, so that no key pins what it is made of. */
const LONGEST = 256;

/**
 * A JavaScript value that is the same (as a key of a Map) for equal terms and differs for different ones.
 * Atoms, integers and booleans stand for themselves; everything else becomes a string, which no term is.
 */
export function keyOf(term: Term): unknown {
  if (typeof term === 'bigint') return integer(term);
  if (typeof term !== 'object' || term instanceof Atom) return term;
  return bounded(spell(term));
}

/** Whether there is no term inside: comparing it costs no more than its bytes. */
export function isFlat(term: Term): boolean {
  if (typeof term !== 'object' || term instanceof Atom || term instanceof Uint8Array) return true;
  return !(term instanceof TermMap) && partsOf(term).length === 0;
}

function bounded(key: string): string {
  return key.length <= LONGEST ? key : `#${createHash('sha256').update(key, 'utf8').digest('base64')}`;
}

/** The text of a term: equal for equal terms. Strings on the stack are text to be copied. */
function spell(term: Term): string {
  let out = '';
  const stack: (Term | string)[] = [term];
  while (stack.length > 0) {
    const next = stack.pop() as Term | string;
    if (typeof next === 'string') out += next;
    else out += spellLeaf(next) ?? spellContainer(next, stack);
  }
  return out;
}

function spellLeaf(term: Term): string | undefined {
  switch (typeof term) {
    case 'number':
    case 'bigint':
      return `i${term};`;
    case 'boolean':
      return term ? 'a4:true' : 'a5:false';
  }
  if (term instanceof Atom) return `a${term.name.length}:${term.name}`;
  if (term instanceof Float) return Object.is(term.value, -0) ? 'f-0;' : `f${term.value};`;
  if (term instanceof Uint8Array) return `b${term.length}:${latin1(term)}`;
  if (term instanceof BitString) return `c${term.bits},${term.bytes.length}:${latin1(term.bytes)}`;
  if (term instanceof Pid) return `p${term.key};`;
  if (term instanceof Reference) return `r${term.key};`;
  if (term instanceof Port) return `q${term.id}.${term.creation}.${term.node.name};`;
  if (term instanceof ExportFun) return `x${term.arity}${spellAtoms([term.module, term.function])}`;
  if (term instanceof LocalTerm) return `z${term.bytes.length}:${latin1(term.bytes)}`;
  return undefined;
}

/** The head of a container; its parts go on the stack. */
function spellContainer(term: Term, stack: (Term | string)[]): string {
  if (term instanceof TermMap) return keyOfMap(term);
  if (term instanceof Tuple) return push(`t${term.elements.length}(`, term.elements, stack);
  if (term instanceof ImproperList) {
    stack.push(')', term.tail);
    return push(`j${term.items.length}(`, term.items, stack);
  }
  if (term instanceof OpaqueFun) {
    const { module, uniq, index, oldIndex, oldUniq, arity, free } = term;
    const fields = `${latin1(uniq)},${index},${oldIndex},${oldUniq},${arity}`;
    return push(`y${spellAtoms([module])}${fields},${free.length}(`, free, stack);
  }
  if (term instanceof NativeRecord) {
    const names = spellAtoms([term.module, term.name, ...term.fields]);
    return push(`n${term.exported}${names}${term.values.length}(`, term.values, stack);
  }
  const items = term as readonly Term[];
  return push(`l${items.length}(`, items, stack);
}

function push(head: string, items: readonly Term[], stack: (Term | string)[]): string {
  for (let i = items.length - 1; i >= 0; i--) stack.push(items[i] as Term);
  return head;
}

function spellAtoms(atoms: readonly (Atom | boolean)[]): string {
  return atoms.map(spellLeaf).join('');
}

/** Maps keep their key. Those inside this one are given theirs first, the innermost to begin with. */
function keyOfMap(map: TermMap): string {
  const known = map.cachedKey();
  if (known !== undefined) return known;
  const inner = mapsInside(map);
  for (let i = inner.length - 1; i >= 0; i--) spellMap(inner[i] as TermMap);
  return spellMap(map);
}

function spellMap(map: TermMap): string {
  return map.cachedKey(() => {
    const pairs = [...map].map(([key, value]) => `${spell(key)}=${spell(value)}`).sort();
    return bounded(`m${pairs.length}(${pairs.join(',')})`);
  });
}

/** The maps below `map` that have no key yet, outer ones before inner ones. */
function mapsInside(map: TermMap): TermMap[] {
  const found: TermMap[] = [];
  const stack: Term[] = [...map.keys(), ...map.values()];
  while (stack.length > 0) {
    const next = stack.pop() as Term;
    if (typeof next !== 'object') continue;
    if (next instanceof TermMap) {
      if (next.cachedKey() !== undefined) continue;
      found.push(next);
      for (const key of next.keys()) stack.push(key);
      for (const value of next.values()) stack.push(value);
    } else for (const part of partsOf(next)) stack.push(part);
  }
  return found;
}

/** The terms directly inside; a map has its own ways to give them. */
export function partsOf(term: Exclude<Term, TermMap>): readonly Term[] {
  if (term instanceof Tuple) return term.elements;
  if (Array.isArray(term)) return term;
  if (term instanceof ImproperList) return [...term.items, term.tail];
  if (term instanceof OpaqueFun) return term.free;
  if (term instanceof NativeRecord) return term.values;
  return [];
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
