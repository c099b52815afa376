// One term, whatever it is. Containers recurse to a bounded depth; what lies deeper is put on an explicit stack.
import type { Writer } from '../bytes/writer.js';
import { EncodeError } from '../errors.js';
import { Atom } from '../terms/atom.js';
import { BitString } from '../terms/binary.js';
import { ExportFun, OpaqueFun } from '../terms/fun.js';
import { ImproperList } from '../terms/list.js';
import { TermMap } from '../terms/map.js';
import { Float } from '../terms/number.js';
import { exactCompare } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import { Port } from '../terms/port.js';
import { LocalTerm, NativeRecord } from '../terms/record.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import type { EncodeContext } from './encode_context.js';
import * as leaf from './encode_leaf.js';
import * as tags from './tags.js';

/** So deep the encoder recurses. */
const MAX_RECURSION = 200;
/** `MAX_ARITYVAL` of the BEAM. */
const MAX_ARITY = 2 ** 24 - 1;

/** Terms to write later, `next` first; when all are written, `sizeAt` is patched with the bytes since then. */
interface Pending {
  readonly terms: readonly Term[];
  next: number;
  readonly sizeAt: number;
}

/** Writes terms that wait, at `depth`; undefined where the recursion ends and `stack` takes them. */
type Children = (terms: readonly Term[], sizeAt: number) => void;

export function encodeTerm(writer: Writer, term: Term, context: EncodeContext): void {
  write(writer, term, context, 0);
}

function write(writer: Writer, term: Term, context: EncodeContext, depth: number): void {
  switch (typeof term) {
    case 'number':
      leaf.writeNumber(writer, term);
      break;
    case 'boolean':
      leaf.writeAtom(writer, term, context);
      break;
    case 'bigint':
      leaf.writeBigint(writer, term);
      break;
    case 'object':
      if (term instanceof Atom) leaf.writeAtom(writer, term, context);
      else if (depth >= MAX_RECURSION) writeDeep(writer, term, context);
      else if (term instanceof Tuple) writeTuple(writer, term.elements, context, depth);
      else if (Array.isArray(term)) writeList(writer, term, context, depth);
      else if (writeLeaf(writer, term, context)) break;
      else if (term instanceof TermMap) writeMap(writer, term, context, depth);
      else writeRare(writer, term, context, depth);
      break;
    default:
      throw notATerm(term);
  }
}

function writeAll(writer: Writer, terms: readonly Term[], context: EncodeContext, depth: number): void {
  for (let i = 0; i < terms.length; i++) write(writer, terms[i] as Term, context, depth + 1);
}

function writeTuple(writer: Writer, terms: readonly Term[], context: EncodeContext, depth: number): void {
  writeTupleHead(writer, terms.length);
  writeAll(writer, terms, context, depth);
}

function writeList(writer: Writer, items: readonly Term[], context: EncodeContext, depth: number): void {
  if (writeByteList(writer, items)) return;
  writeListHead(writer, items.length);
  writeAll(writer, items, context, depth);
  writer.u8(tags.NIL_EXT);
}

function writeMap(writer: Writer, map: TermMap, context: EncodeContext, depth: number): void {
  writeMapHead(writer, map);
  writeAll(writer, pairsOf(map, context), context, depth);
}

function writeRare(writer: Writer, term: Term, context: EncodeContext, depth: number): void {
  writeContainer(writer, term, context, (terms, sizeAt) => {
    writeAll(writer, terms, context, depth);
    patchSize(writer, sizeAt);
  });
}

/** Whether it was one of the leaves. */
function writeLeaf(writer: Writer, term: Term, context: EncodeContext): boolean {
  if (term instanceof Uint8Array) leaf.writeBinary(writer, term);
  else if (term instanceof Pid) leaf.writePid(writer, term, context);
  else if (term instanceof Reference) leaf.writeReference(writer, term, context);
  else if (term instanceof Float) leaf.writeFloat(writer, term.value, context);
  else if (term instanceof BitString) leaf.writeBitString(writer, term);
  else if (term instanceof ExportFun) leaf.writeExportFun(writer, term, context);
  else if (term instanceof Port) leaf.writePort(writer, term, context);
  else return false;
  return true;
}

/** The head of a container; then its terms, by `children`, as its last act. */
function writeContainer(writer: Writer, term: Term, context: EncodeContext, children: Children): void {
  if (term instanceof Tuple) {
    writeTupleHead(writer, term.elements.length);
    children(term.elements, -1);
  } else if (Array.isArray(term)) {
    const items = term as readonly Term[];
    if (writeByteList(writer, items)) return;
    writeListHead(writer, items.length);
    children([...items, []], -1);
  } else if (term instanceof ImproperList) {
    writeListHead(writer, term.items.length);
    children([...term.items, term.tail], -1);
  } else if (term instanceof TermMap) {
    writeMapHead(writer, term);
    children(pairsOf(term, context), -1);
  } else if (term instanceof OpaqueFun) {
    children(term.free, writeFunHead(writer, term, context));
  } else if (term instanceof NativeRecord) {
    writeRecordHead(writer, term, context);
    children(term.values, -1);
  } else if (term instanceof LocalTerm) {
    throw new EncodeError('not_a_term', 'a local term can be read by the node that made it only');
  } else throw notATerm(term);
}

/** A term below the depth of the recursion, and all below it. */
function writeDeep(writer: Writer, term: Term, context: EncodeContext): void {
  const stack: Pending[] = [{ terms: [term], next: 0, sizeAt: -1 }];
  const children: Children = (terms, sizeAt) => {
    stack.push({ terms, next: 0, sizeAt });
  };
  for (;;) {
    const top = stack.at(-1);
    if (top === undefined) return;
    if (top.next === top.terms.length) {
      stack.pop();
      patchSize(writer, top.sizeAt);
      continue;
    }
    const next = top.terms[top.next++] as Term;
    if (typeof next !== 'object' || next instanceof Atom) write(writer, next, context, 0);
    else if (!writeLeaf(writer, next, context)) writeContainer(writer, next, context, children);
  }
}

function writeTupleHead(writer: Writer, arity: number): void {
  if (arity <= 255) {
    const at = writer.reserve(2);
    writer.buffer[at] = tags.SMALL_TUPLE_EXT;
    writer.buffer[at + 1] = arity;
    return;
  }
  if (arity > MAX_ARITY) throw new EncodeError('too_large', `a tuple of ${arity} elements`);
  writer.u8(tags.LARGE_TUPLE_EXT);
  writer.u32(arity);
}

function writeListHead(writer: Writer, length: number): void {
  writer.u8(tags.LIST_EXT);
  writer.u32(length);
}

function writeMapHead(writer: Writer, map: TermMap): void {
  writer.u8(tags.MAP_EXT);
  writer.u32(map.size);
}

/** Key, value, key, value…: in the order of insertion, or sorted by key. */
function pairsOf(map: TermMap, context: EncodeContext): Term[] {
  if (context.deterministic === true) return [...map].sort(([a], [b]) => exactCompare(a, b)).flat();
  const keys = map.keys();
  const values = map.values();
  const pairs = new Array<Term>(2 * keys.length);
  for (let i = 0; i < keys.length; i++) {
    pairs[2 * i] = keys[i] as Term;
    pairs[2 * i + 1] = values[i] as Term;
  }
  return pairs;
}

/** Whether the list was written as `NIL_EXT` or `STRING_EXT`: it is empty, or of up to 65535 bytes. */
function writeByteList(writer: Writer, items: readonly Term[]): boolean {
  const { length } = items;
  if (length === 0) {
    writer.u8(tags.NIL_EXT);
    return true;
  }
  if (length > 0xffff) return false;
  for (let i = 0; i < length; i++) {
    const item = items[i];
    if (typeof item !== 'number' || (item & 255) !== item) return false;
  }
  writer.u8(tags.STRING_EXT);
  writer.u16(length);
  const at = writer.reserve(length);
  const { buffer } = writer;
  for (let i = 0; i < length; i++) buffer[at + i] = items[i] as number;
  return true;
}

/** Writes all but the free variables; where the size goes, which counts itself. */
function writeFunHead(writer: Writer, fun: OpaqueFun, context: EncodeContext): number {
  if (fun.uniq.length !== 16 || fun.free.length > 255) {
    throw new EncodeError('not_a_term', 'a fun whose fields no node can have written');
  }
  writer.u8(tags.NEW_FUN_EXT);
  const sizeAt = writer.length;
  writer.u32(0);
  writer.u8(fun.arity);
  writer.bytes(fun.uniq);
  writer.u32(fun.index);
  writer.u32(fun.free.length);
  leaf.writeAtom(writer, fun.module, context);
  leaf.writeNumber(writer, fun.oldIndex);
  leaf.writeNumber(writer, fun.oldUniq);
  leaf.writePid(writer, fun.pid, context);
  return sizeAt;
}

function patchSize(writer: Writer, sizeAt: number): void {
  if (sizeAt >= 0) writer.patchU32(sizeAt, writer.length - sizeAt);
}

function writeRecordHead(writer: Writer, record: NativeRecord, context: EncodeContext): void {
  if (record.fields.length !== record.values.length) {
    throw new EncodeError('not_a_term', 'a native record with more fields than values, or fewer');
  }
  writer.u8(tags.RECORD_EXT);
  writer.u32(record.fields.length);
  writer.u8(record.exported ? 1 : 0);
  leaf.writeAtom(writer, record.module, context);
  leaf.writeAtom(writer, record.name, context);
  for (const field of record.fields) leaf.writeAtom(writer, field, context);
}

/** What came instead of a term, and what to write in its place. */
function notATerm(value: unknown): EncodeError {
  const cure =
    typeof value === 'string'
      ? 'a JavaScript string is no Erlang term: write binary(…), charlist(…) or atom(…)'
      : value === undefined || value === null
        ? `${value} is no Erlang term: write atom('undefined'), atom('nil') or what is meant`
        : typeof value === 'function' || typeof value === 'symbol'
          ? `a JavaScript ${typeof value} is no Erlang term`
          : `an object of the class ${nameOfClass(value)} is no Erlang term: convert it with from(…)`;
  return new EncodeError('not_a_term', cure);
}

function nameOfClass(value: unknown): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null
    ? 'null'
    : String((prototype as { constructor?: { name?: unknown } }).constructor?.name);
}
