// Terms as Erlang text on one line (`io_lib:format("~0tp")`): what logs and error texts show.
//
// It keeps its own stack, so that no depth of a term is too deep to be shown, and it can stop at a length.
import { Atom } from './atom.js';
import { BitString } from './binary.js';
import { ExportFun, OpaqueFun } from './fun.js';
import { ImproperList } from './list.js';
import { TermMap } from './map.js';
import { Float } from './number.js';
import { Pid } from './pid.js';
import { Port } from './port.js';
import { quoteAtom, quoteString } from './quote.js';
import { type LocalTerm, NativeRecord } from './record.js';
import { Reference } from './reference.js';
import type { Term } from './term.js';
import { Tuple } from './tuple.js';

/** Text that goes out as it is, between terms that are still to be written. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const COMMA = new Raw(',');

/** As `~tp` (text shows as text), `~p` (text of Latin-1 only), or `~w` (no text, but lists and bytes). */
export type Style = 'tp' | 'p' | 'w';

/** The term as Erlang writes it, on one line; text longer than `maxLength` characters ends in `...`. */
export function format(
  term: Term,
  maxLength: number = Number.POSITIVE_INFINITY,
  style: Style = 'tp',
): string {
  let out = '';
  const stack: (Term | Raw)[] = [term];
  while (stack.length > 0) {
    const item = stack.pop() as Term | Raw;
    out += item instanceof Raw ? item.text : write(item, stack, style);
    if (out.length > maxLength) return `${out.slice(0, maxLength)}...`;
  }
  return out;
}

/** The text of a scalar, or the opening of a compound term whose parts are put on the stack. */
function write(term: Term, stack: (Term | Raw)[], style: Style): string {
  if (term instanceof Atom) return quoteAtom(term.name);
  if (typeof term === 'number' || typeof term === 'bigint' || typeof term === 'boolean') return String(term);
  if (term instanceof Tuple) return open(stack, '{', term.elements, '}');
  if (Array.isArray(term)) {
    const items = term as readonly Term[];
    return items.length > 0 && isText(items, style)
      ? quoteString(characters(items))
      : open(stack, '[', items, ']');
  }
  if (term instanceof Uint8Array) return formatBinary(term, style);
  if (term instanceof TermMap) return openPairs(stack, '#{', [...term], ' => ');
  if (term instanceof ImproperList) {
    stack.push(new Raw(']'), term.tail, new Raw('|'));
    return open(stack, '[', term.items, '');
  }
  if (term instanceof NativeRecord) {
    const name = `#${quoteName(term.module)}:${quoteName(term.name)}{`;
    return openPairs(
      stack,
      name,
      term.fields.map((field, i) => [field, term.values[i] as Term]),
      ' = ',
    );
  }
  return formatOther(term);
}

function open(stack: (Term | Raw)[], opening: string, items: readonly Term[], closing: string): string {
  stack.push(new Raw(closing));
  for (let i = items.length - 1; i >= 0; i--) {
    stack.push(items[i] as Term);
    if (i > 0) stack.push(COMMA);
  }
  return opening;
}

function openPairs(
  stack: (Term | Raw)[],
  opening: string,
  pairs: readonly (readonly [Term, Term])[],
  between: string,
): string {
  stack.push(new Raw('}'));
  for (let i = pairs.length - 1; i >= 0; i--) {
    const [key, value] = pairs[i] as readonly [Term, Term];
    stack.push(value, new Raw(between), key);
    if (i > 0) stack.push(COMMA);
  }
  return opening;
}

function quoteName(name: Atom | boolean): string {
  return typeof name === 'boolean' ? String(name) : quoteAtom(name.name);
}

type Other = Float | BitString | Pid | Reference | Port | ExportFun | OpaqueFun | LocalTerm;

function formatOther(term: Other | Term): string {
  if (term instanceof Float) return formatFloat(term.value);
  if (term instanceof Pid) return `<${term.node.name}.${term.number}.${term.serial}>`;
  if (term instanceof Reference) return `#Ref<${term.node.name}.${[...term.words].reverse().join('.')}>`;
  if (term instanceof Port) return `#Port<${term.node.name}.${term.id}>`;
  if (term instanceof ExportFun)
    return `fun ${quoteName(term.module)}:${quoteName(term.function)}/${term.arity}`;
  if (term instanceof OpaqueFun) return `#Fun<${quoteName(term.module)}.${term.index}.${term.oldUniq}>`;
  if (term instanceof BitString) {
    const last = term.bytes.length - 1;
    const bytes = [
      ...term.bytes.subarray(0, last),
      `${(term.bytes[last] ?? 0) >> (8 - term.bits)}:${term.bits}`,
    ];
    return `<<${bytes.join()}>>`;
  }
  return '#Local<...>';
}

/**
 * The shortest text that reads back as the same float, with a point in it. As in OTP 25 and later: with an
 * exponent when that is shorter, and from 2^53 on, where not every integer is a float any more.
 */
export function formatFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const scientific = `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent.replace('+', '')}`;
  if (Math.abs(value) >= 2 ** 53) return scientific;
  const digits = mantissa.replace(/[-.]/g, '').length;
  const fixed = value.toFixed(Math.min(100, Math.max(1, digits - 1 - Number(exponent))));
  return value === 0 || fixed.length <= scientific.length ? fixed : scientific;
}

function formatBinary(bytes: Uint8Array, style: Style): string {
  if (bytes.length === 0 || style === 'w') return `<<${bytes.join()}>>`;
  if (style === 'p') {
    return bytes.every(isPrintable) ? `<<${quoteString(characters([...bytes]))}>>` : `<<${bytes.join()}>>`;
  }
  try {
    const chars = Array.from(utf8.decode(bytes), (c) => c.codePointAt(0) as number);
    if (chars.every(isPrintable)) {
      return `<<${quoteString(characters(chars))}${chars.length === bytes.length ? '' : '/utf8'}>>`;
    }
  } catch {
    if (bytes.every(isPrintable)) return `<<${quoteString(characters([...bytes]))}>>`;
  }
  return `<<${bytes.join()}>>`;
}

function characters(codes: readonly number[]): string {
  return codes.map((code) => String.fromCodePoint(code)).join('');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether Erlang shows a list as a string (`io_lib:printable_unicode_list/1`). */
function isText(items: readonly Term[], style: Style): items is readonly number[] {
  if (style === 'w') return false;
  const highest = style === 'p' ? 0xff : 0x10ffff;
  return items.every((item) => typeof item === 'number' && item <= highest && isPrintable(item));
}

function isPrintable(c: number): boolean {
  if (c < 0x20) return (c >= 8 && c <= 13) || c === 27;
  return c < 0x7f || (c >= 0xa0 && c < 0xd800) || (c > 0xdfff && c < 0xfffe) || (c > 0xffff && c <= 0x10ffff);
}
