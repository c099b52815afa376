// One term, whatever its tag: a table of decoders. Containers recurse to a bounded depth; deeper ones go on with an
// explicit stack, since a megabyte can nest a hundred thousand lists.
import type { Reader } from '../bytes/reader.js';
import type { Atom } from '../terms/atom.js';
import { OpaqueFun } from '../terms/fun.js';
import { cons, ImproperList } from '../terms/list.js';
import { TermMap } from '../terms/map.js';
import { NativeRecord } from '../terms/record.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { decodeAtom } from './decode_atom.js';
import { claim, DEFAULT_LIMITS, type DecodeContext, refuse, type TagDecoder } from './decode_context.js';
import { byteList, decodePid, LEAF_DECODERS } from './decode_leaf.js';
import * as tags from './tags.js';

/** So deep the decoder recurses. */
const MAX_RECURSION = 200;
/** Containers of more elements grow as the elements come. */
const MAX_PREALLOCATED = 4096;

/** A container whose head is read: how many terms follow, and what they make. */
interface Container {
  left: number;
  readonly items: Term[];
  readonly build: (items: Term[]) => Term;
  readonly isList: boolean;
}

type Opener = TagDecoder<Container>;

/** The term at the reader's place. A depth limit below that of the recursion is watched by the explicit stack. */
export function decodeWhole(reader: Reader, context: DecodeContext): Term {
  return decodeTerm(reader, context, isShallow(context) ? MAX_RECURSION : 0, 0);
}

function isShallow(context: DecodeContext): boolean {
  return context.limits !== undefined && context.limits.depth < MAX_RECURSION;
}

function decodeTerm(reader: Reader, context: DecodeContext, depth: number, owed: number): Term {
  const tag = reader.u8();
  return (DECODERS[tag] as TagDecoder<Term>)(reader, context, depth, owed);
}

function unknown(reader: Reader, context: DecodeContext): never {
  reader.offset--;
  const tag = reader.u8();
  reader.offset--;
  if (tag === tags.LOCAL_EXT && context.atomRef !== undefined) {
    throw refuse(reader, 'a local term in a frame', tag, 'bad_tag');
  }
  throw refuse(reader, `${tag} is no tag of a term`, tag, 'bad_tag');
}

/** `count` terms. Few of them are written out, so that V8 makes packed arrays of exactly that size. */
function sequence(
  reader: Reader,
  context: DecodeContext,
  depth: number,
  owed: number,
  count: number,
): Term[] {
  switch (count) {
    case 0:
      return [];
    case 1:
      return [decodeTerm(reader, context, depth, owed)];
    case 2:
      return [decodeTerm(reader, context, depth, owed + 1), decodeTerm(reader, context, depth, owed)];
    case 3:
      return [
        decodeTerm(reader, context, depth, owed + 2),
        decodeTerm(reader, context, depth, owed + 1),
        decodeTerm(reader, context, depth, owed),
      ];
    case 4:
      return [
        decodeTerm(reader, context, depth, owed + 3),
        decodeTerm(reader, context, depth, owed + 2),
        decodeTerm(reader, context, depth, owed + 1),
        decodeTerm(reader, context, depth, owed),
      ];
  }
  const items: Term[] = count > MAX_PREALLOCATED ? [] : new Array<Term>(count);
  for (let i = 0; i < count; i++) items[i] = decodeTerm(reader, context, depth, owed + count - 1 - i);
  return items;
}

/** `arity u8, elements…`. */
function smallTuple(reader: Reader, context: DecodeContext, depth: number, owed: number): Term {
  if (depth >= MAX_RECURSION) return decodeDeep(reader, context, openSmallTuple, depth, owed);
  const arity = reader.u8();
  claim(reader, arity, owed);
  return new Tuple(sequence(reader, context, depth + 1, owed, arity));
}

/** `length u32, elements…, tail`. A tail that is a list again goes on with this one. */
function list(reader: Reader, context: DecodeContext, depth: number, owed: number): Term {
  if (depth >= MAX_RECURSION) return decodeDeep(reader, context, openList, depth, owed);
  let length = reader.u32();
  claim(reader, length + 1, owed);
  const items = sequence(reader, context, depth + 1, owed + 1, length);
  for (;;) {
    const tag = reader.u8();
    if (tag === tags.NIL_EXT) return items;
    if (tag === tags.LIST_EXT) {
      length = reader.u32();
      claim(reader, length + 1, owed);
      for (let i = 0; i < length; i++) items.push(decodeTerm(reader, context, depth + 1, owed + length - i));
    } else if (tag === tags.STRING_EXT) {
      for (const byte of byteList(reader)) items.push(byte);
      return items;
    } else {
      const tail = (DECODERS[tag] as TagDecoder<Term>)(reader, context, depth + 1, owed);
      return items.length === 0 ? tail : new ImproperList(items, tail);
    }
  }
}

/** `pairs u32, key, value, …`. */
function mapOf(reader: Reader, context: DecodeContext, depth: number, owed: number): Term {
  if (depth >= MAX_RECURSION) return decodeDeep(reader, context, openMap, depth, owed);
  const pairs = reader.u32();
  claim(reader, 2 * pairs, owed);
  const keys: Term[] = pairs > MAX_PREALLOCATED ? [] : new Array<Term>(pairs);
  const values: Term[] = pairs > MAX_PREALLOCATED ? [] : new Array<Term>(pairs);
  for (let i = 0; i < pairs; i++) {
    const after = owed + 2 * (pairs - 1 - i);
    keys[i] = decodeTerm(reader, context, depth + 1, after + 1);
    values[i] = decodeTerm(reader, context, depth + 1, after);
  }
  return distinct(reader, keys, values);
}

function distinct(reader: Reader, keys: Term[], values: Term[]): TermMap {
  const made = TermMap.ofDistinct(keys, values);
  if (made === undefined) throw refuse(reader, 'a map with the same key twice', tags.MAP_EXT);
  return made;
}

/** The containers that are rare enough to be read by their opener always. */
function opened(open: Opener): TagDecoder<Term> {
  return (reader, context, depth, owed) => {
    if (depth >= MAX_RECURSION) return decodeDeep(reader, context, open, depth, owed);
    const { left, build } = open(reader, context, depth, owed);
    return build(sequence(reader, context, depth + 1, owed, left));
  };
}

function openTuple(reader: Reader, arity: number, owed: number): Container {
  if (arity >= 2 ** 31)
    throw refuse(reader, `a tuple of ${arity} elements`, tags.LARGE_TUPLE_EXT, 'too_large');
  claim(reader, arity, owed);
  return { left: arity, items: [], build: (items) => new Tuple(items), isList: false };
}

const openSmallTuple: Opener = (reader, _context, _depth, owed) => openTuple(reader, reader.u8(), owed);
const openLargeTuple: Opener = (reader, _context, _depth, owed) => openTuple(reader, reader.u32(), owed);

const openList: Opener = (reader, _context, _depth, owed) => {
  const length = reader.u32();
  claim(reader, length + 1, owed);
  const build = (items: Term[]): Term => {
    const tail = items.pop() as Term;
    return cons(items, tail);
  };
  return { left: length + 1, items: [], build, isList: true };
};

const openMap: Opener = (reader, _context, _depth, owed) => {
  const pairs = reader.u32();
  claim(reader, 2 * pairs, owed);
  const build = (items: Term[]): Term => {
    const keys: Term[] = [];
    const values: Term[] = [];
    for (let i = 0; i < items.length; i += 2) {
      keys.push(items[i] as Term);
      values.push(items[i + 1] as Term);
    }
    return distinct(reader, keys, values);
  };
  return { left: 2 * pairs, items: [], build, isList: false };
};

/**
 * `size u32, arity u8, uniq 16 bytes, index u32, free u32, module atom, old index, old uniq, pid, free variables…`.
 * The size is ignored: OTP 23 to 25 can write a wrong one.
 */
const openFun: Opener = (reader, context, depth, owed) => {
  if (context.safe === true) throw refuse(reader, 'a fun', tags.NEW_FUN_EXT, 'unsafe');
  reader.u32();
  const arity = reader.u8();
  const uniq = new Uint8Array(reader.view(16));
  const index = reader.u32();
  const free = reader.u32();
  if (free > 255) throw refuse(reader, `a fun with ${free} free variables`, tags.NEW_FUN_EXT);
  const module = decodeAtom(reader, context);
  const oldIndex = smallInteger(reader, context, depth);
  const oldUniq = smallInteger(reader, context, depth);
  const pid = decodePid(reader, context);
  claim(reader, free, owed);
  const build = (items: Term[]): Term =>
    new OpaqueFun({ arity, uniq, index, module, oldIndex, oldUniq, pid, free: items });
  return { left: free, items: [], build, isList: false };
};

function smallInteger(reader: Reader, context: DecodeContext, depth: number): number {
  const tag = reader.bytes[reader.offset];
  if (tag === tags.SMALL_INTEGER_EXT || tag === tags.INTEGER_EXT || tag === tags.SMALL_BIG_EXT) {
    const value = decodeTerm(reader, context, depth, 0);
    if (typeof value === 'number') return value;
  }
  throw refuse(reader, 'a fun with a field that is no small integer', tags.NEW_FUN_EXT);
}

/** `fields u32, flags u8, module atom, name atom, field names…, values…` (OTP 29). Bit 0 of the flags: exported. */
const openRecord: Opener = (reader, context, _depth, owed) => {
  const count = reader.u32();
  const flags = reader.u8();
  if (flags > 1) throw refuse(reader, `a native record with flags ${flags}`, tags.RECORD_EXT);
  const module = decodeAtom(reader, context);
  const name = decodeAtom(reader, context);
  claim(reader, 2 * count, owed);
  const fields: (Atom | boolean)[] = [];
  for (let i = 0; i < count; i++) fields.push(decodeAtom(reader, context));
  if (new Set(fields).size !== count) {
    throw refuse(reader, 'a native record with the same field twice', tags.RECORD_EXT);
  }
  claim(reader, count, owed);
  const build = (items: Term[]): Term => new NativeRecord(flags === 1, module, name, fields, items);
  return { left: count, items: [], build, isList: false };
};

/** A container and all below it, without recursion. The container's tag is read, its head is not. */
function decodeDeep(
  reader: Reader,
  context: DecodeContext,
  open: Opener,
  depth: number,
  outer: number,
): Term {
  const limit = (context.limits ?? DEFAULT_LIMITS).depth;
  const around = isShallow(context) ? 0 : depth;
  const stack: Container[] = [open(reader, context, depth, outer)];
  let owed = outer + (stack[0] as Container).left;
  for (;;) {
    const top = stack.at(-1) as Container;
    if (top.left === 0) {
      const value = top.build(top.items);
      stack.pop();
      const container = stack.at(-1);
      if (container === undefined) return value;
      container.items.push(value);
      continue;
    }
    const tag = reader.u8();
    top.left--;
    owed--;
    const opener = OPENERS.get(tag);
    if (opener === undefined) {
      top.items.push((DECODERS[tag] as TagDecoder<Term>)(reader, context, depth, owed));
      continue;
    }
    const next = opener(reader, context, depth, owed);
    owed += next.left;
    if (next.isList && top.isList && top.left === 0) {
      top.left = next.left;
    } else {
      if (around + stack.length >= limit) {
        throw refuse(reader, `a term nested deeper than ${limit} levels`, tag, 'too_large');
      }
      stack.push(next);
    }
  }
}

const OPENERS: ReadonlyMap<number, Opener> = new Map([
  [tags.SMALL_TUPLE_EXT, openSmallTuple],
  [tags.LARGE_TUPLE_EXT, openLargeTuple],
  [tags.LIST_EXT, openList],
  [tags.MAP_EXT, openMap],
  [tags.NEW_FUN_EXT, openFun],
  [tags.RECORD_EXT, openRecord],
]);

const DECODERS: TagDecoder<Term>[] = new Array<TagDecoder<Term>>(256).fill(unknown);
for (const [tag, decoder] of LEAF_DECODERS) DECODERS[tag] = decoder;
for (const [tag, open] of OPENERS) DECODERS[tag] = opened(open);
DECODERS[tags.SMALL_TUPLE_EXT] = smallTuple;
DECODERS[tags.LIST_EXT] = list;
DECODERS[tags.MAP_EXT] = mapOf;
