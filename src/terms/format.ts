// Terms as Erlang prints them (`io_lib:format` with ~p, ~tp, ~w and ~tw), on one line, whatever their depth.
import { Atom } from './atom.js';
import { BitString } from './binary.js';
import {
  formatAtom,
  formatBits,
  formatBytes,
  formatCharacters,
  formatFloat,
  formatText,
  isPrintable,
} from './format_leaf.js';
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

export { formatAtom, formatFloat } from './format_leaf.js';

/** `p` shows lists and binaries of printable characters as text, `w` their numbers; `t` text beyond Latin-1 as it is. */
export type Style = 'tp' | 'p' | 'tw' | 'w';

export interface FormatOptions {
  /** `tp` if not given. */
  readonly style?: Style;
  /** What `tp` takes for printable: `unicode` (the default, as `erl +pc unicode` and `iex`) or `latin1` (as `erl`). */
  readonly range?: 'latin1' | 'unicode';
  /** The node whose identifiers begin with 0, as a node prints its own. Others begin with the name of their node. */
  readonly node?: Atom;
  /** Text of more characters is cut there and ends with `...`. */
  readonly limit?: number;
}

interface How {
  readonly text: boolean;
  readonly unicode: boolean;
  readonly highest: number;
  readonly node: Atom | undefined;
}

/** A string on the stack is text to be copied. */
type Stack = (Term | string)[];

/** `term` as Erlang prints it. A number instead of options is the limit. */
export function format(term: Term, options: FormatOptions | number = {}): string {
  if (typeof options === 'number') return format(term, { limit: options });
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const { style = 'tp', range = 'unicode' } = options;
  const unicode = style.startsWith('t');
  const how: How = {
    text: style.endsWith('p'),
    unicode,
    highest: unicode && range === 'unicode' ? 0x10ffff : 255,
    node: options.node,
  };
  let out = '';
  const stack: Stack = [term];
  while (stack.length > 0 && out.length <= limit) {
    const next = stack.pop() as Term | string;
    out += typeof next === 'string' ? next : piece(next, how, stack, limit - out.length + 1);
  }
  return out.length <= limit ? out : `${out.slice(0, limit)}...`;
}

/** The text of a leaf, or the beginning of a container whose parts go on the stack. */
function piece(term: Term, how: How, stack: Stack, room: number): string {
  switch (typeof term) {
    case 'number':
    case 'bigint':
      return String(term);
    case 'boolean':
      return String(term);
  }
  if (term instanceof Atom) return formatAtom(term, how.unicode);
  if (term instanceof Float) return formatFloat(term.value);
  if (term instanceof Tuple) return open('{', term.elements, '}', stack, room);
  if (Array.isArray(term)) return list(term as readonly Term[], how, stack, room);
  if (term instanceof Uint8Array) {
    const shown = how.text && term.length > 0 ? formatText(term, how.unicode, how.highest, room) : undefined;
    return shown ?? formatBytes(term, room);
  }
  if (term instanceof TermMap) return openMap(term, stack, room);
  if (term instanceof ImproperList) {
    stack.push(']', term.tail);
    return open('[', term.items, '|', stack, room);
  }
  return identifier(term, how, stack, room);
}

function identifier(
  term: Exclude<Term, number | bigint | boolean>,
  how: How,
  stack: Stack,
  room: number,
): string {
  if (term instanceof Pid) return `<${nodeOf(term, how)}.${term.number}.${term.serial}>`;
  if (term instanceof Reference) {
    return `#Ref<${[nodeOf(term, how), ...[...term.words].reverse()].join('.')}>`;
  }
  if (term instanceof Port) return `#Port<${nodeOf(term, how)}.${term.id}>`;
  if (term instanceof BitString) return formatBits(term, room);
  if (term instanceof ExportFun) {
    return `fun ${formatAtom(term.module, how.unicode)}:${formatAtom(term.function, how.unicode)}/${term.arity}`;
  }
  if (term instanceof OpaqueFun) {
    return `#Fun<${formatAtom(term.module, how.unicode)}.${term.oldIndex}.${term.oldUniq}>`;
  }
  if (term instanceof NativeRecord) return openRecord(term, how, stack);
  if (term instanceof LocalTerm) return `#Local<${term.bytes.length} bytes>`;
  return `#Unknown<${typeof term}>`;
}

/** A node prints 0 for itself; we have no number for others, but their name says more than a number. */
function nodeOf(term: Pid | Reference | Port, how: How): string {
  return term.node === how.node ? '0' : term.node.name;
}

function list(items: readonly Term[], how: How, stack: Stack, room: number): string {
  if (!how.text || items.length === 0) return open('[', items, ']', stack, room);
  const shown = items.length > room ? items.slice(0, room) : items;
  for (const item of shown) {
    if (!isPrintable(item, how.highest)) return open('[', items, ']', stack, room);
  }
  return formatCharacters(shown as readonly number[], how.unicode);
}

/** Elements with commas between. Each takes a character at least, so that more than `room` are never needed. */
function open(begin: string, items: readonly Term[], end: string, stack: Stack, room: number): string {
  stack.push(end);
  for (let i = Math.min(items.length, room) - 1; i >= 0; i--) {
    stack.push(items[i] as Term);
    if (i > 0) stack.push(',');
  }
  return begin;
}

function openMap(map: TermMap, stack: Stack, room: number): string {
  const keys = map.keys();
  const values = map.values();
  stack.push('}');
  for (let i = Math.min(keys.length, room) - 1; i >= 0; i--) {
    stack.push(values[i] as Term, ' => ', keys[i] as Term);
    if (i > 0) stack.push(',');
  }
  return '#{';
}

function openRecord(record: NativeRecord, how: How, stack: Stack): string {
  stack.push('}');
  for (let i = record.fields.length - 1; i >= 0; i--) {
    stack.push(record.values[i] as Term, `${formatAtom(record.fields[i] as Atom, how.unicode)} = `);
    if (i > 0) stack.push(',');
  }
  return `#${formatAtom(record.module, how.unicode)}:${formatAtom(record.name, how.unicode)}{`;
}
