// The tree of one term in the external term format: tags, offsets and values, also of a damaged one as far as it goes.
//
// The package `erlang-term-format` reads the tags that it knows. Added here: the tags of later releases, the offset of
// each tag, a stop at the first fault, and what the package reads wrongly (negative integers, large integers, empty
// tuples and maps, lists of bytes that are no UTF-8).
import Parser, { type Field, type TagReader } from 'erlang-term-format';
import * as tags from '../etf/tags.js';
import type { Atom } from '../terms/atom.js';
import { formatAtom, formatFloat } from '../terms/format.js';
import { integer } from '../terms/number.js';

/** Deeper and longer trees are cut: nobody reads them. */
const MAX_DEPTH = 500;
const MAX_NODES = 100_000;
const MAX_BYTES_SHOWN = 32;

export interface TermTree {
  readonly lines: readonly string[];
  /** The offset behind the last byte read. */
  readonly end: number;
  /** What stopped the reading; undefined if the term is whole. */
  readonly fault: string | undefined;
}

interface Node {
  readonly offset: number;
  readonly depth: number;
  tag: number | undefined;
  text: string;
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(tags).map(([name, tag]) => [tag, name] as const),
);

/** What stops the parser: thrown through the package. */
class Fault extends Error {}

class TreeParser extends Parser {
  readonly nodes: Node[] = [];
  readonly open: Node[] = [];
  offset = 0;
  end = 0;
  atomRef: ((index: number) => Atom | boolean | undefined) | undefined = undefined;

  override setupTagMap(): Record<number, TagReader> {
    const field = (name: string, impl: Field['impl'], ...varsArgs: string[]): Field => ({
      name,
      impl,
      varsArgs,
    });
    const complex = (name: string, ...def: Field[]): TagReader => ({ name, impl: this.complexTag, def });
    const [u8, u16, u32] = [this.uint8, this.uint16be, this.uint32be];
    const node = field('node', this.tag);
    const creation = field('creation', u32);
    const known = super.setupTagMap();
    for (const { def } of Object.values(known)) {
      for (const uniq of def ?? []) if (uniq.name === 'uniq') uniq.impl = uniq.args ? this.buffer : this.tag;
    }
    return {
      ...known,
      [tags.RECORD_EXT]: complex(
        'record',
        ...[field('count', u32), field('flags', u8), field('module', this.tag), field('name', this.tag)],
        ...[field('fields', this.tagList, 'count'), field('values', this.tagList, 'count')],
      ),
      [tags.BIT_BINARY_EXT]: complex(
        'bitBinary',
        ...[field('len', u32), field('bits', u8), field('data', this.buffer, 'len')],
      ),
      [tags.NEW_PID_EXT]: complex('newPid', node, field('id', u32), field('serial', u32), creation),
      [tags.NEW_PORT_EXT]: complex('newPort', node, field('id', u32), creation),
      [tags.V4_PORT_EXT]: complex('v4Port', node, field('id', this.uint64), creation),
      [tags.NEWER_REFERENCE_EXT]: complex(
        'newerReference',
        ...[field('len', u16), node, creation, field('id', this.uint32beLoop, 'len')],
      ),
      [tags.INTEGER_EXT]: { name: 'integer', impl: this.int32be },
      [tags.STRING_EXT]: complex('string', field('length', u16), field('bytes', this.buffer, 'length')),
      [tags.SMALL_BIG_EXT]: complex(
        'smallBig',
        ...[field('n', u8), field('sign', u8), field('value', this.magnitude, 'n', 'sign')],
      ),
      [tags.LARGE_BIG_EXT]: complex(
        'largeBig',
        ...[field('n', u32), field('sign', u8), field('value', this.magnitude, 'n', 'sign')],
      ),
      [tags.LOCAL_EXT]: { name: 'local', impl: this.allThatIsLeft },
    };
  }

  /** Called by the package's constructor, to read term after term; we read one, when this object is complete. */
  override start(): this {
    return this;
  }

  override tag(): this {
    this.tap(() => this.#opened());
    super.tag();
    return this.tap(() => this.#closed());
  }

  /** The package reads at least one element. */
  override tagList(name: string, limit: number): this {
    if (limit > 0) return super.tagList(name, limit);
    return this.tap(() => {
      this.vars = [] as unknown as Record<string, unknown>;
    });
  }

  override uint32beLoop(name: string, length: number, sofar?: number[]): this {
    if (length > 0) return super.uint32beLoop(name, length, sofar);
    return this.tap(() => {
      this.vars = { [name]: [] };
    });
  }

  override uint8(name: string): this {
    super.uint8(name).#count(1);
    return this.tap(() => {
      const node = this.open.at(-1);
      if (name === 'tag' && node !== undefined) node.tag = this.vars['tag'] as number;
    });
  }

  override uint16be(name: string): this {
    return super.uint16be(name).#count(2);
  }

  override uint32be(name: string): this {
    return super.uint32be(name).#count(4);
  }

  override int32be(name: string): this {
    return super.int32be(name).#count(4);
  }

  override doublebe(name: string): this {
    return super.doublebe(name).#count(8);
  }

  override buffer(name: string, length: number): this {
    if (length > this.end - this.offset) this.tap(() => this.#tooShort(length));
    return super.buffer(name, length).#count(length);
  }

  override string(name: string, length: number): this {
    if (length > this.end - this.offset) this.tap(() => this.#tooShort(length));
    return super.string(name, length).#count(length);
  }

  uint64(name: string): this {
    return this.buffer(name, 8).tap(() => {
      this.vars[name] = (this.vars[name] as Buffer).readBigUInt64BE();
    });
  }

  magnitude(name: string, length: number, sign: number): this {
    return this.buffer(name, length).tap(() => {
      const digits = Buffer.from(this.vars[name] as Buffer)
        .reverse()
        .toString('hex');
      const value = BigInt(`0x${digits || '0'}`);
      this.vars[name] = integer(sign === 0 ? value : -value);
    });
  }

  allThatIsLeft(name: string): this {
    return this.buffer(name, this.end - this.offset);
  }

  #count(length: number): this {
    return this.tap(() => {
      this.offset += length;
    });
  }

  #tooShort(length: number): never {
    throw new Fault(`${length} bytes are announced, ${this.end - this.offset} are left`);
  }

  #opened(): void {
    const depth = this.open.length;
    if (depth === MAX_DEPTH) throw new Fault(`nested deeper than ${MAX_DEPTH} levels: not shown further`);
    if (this.nodes.length === MAX_NODES) throw new Fault(`more than ${MAX_NODES} terms: not shown further`);
    const node = { offset: this.offset, depth, tag: undefined, text: '…' };
    this.nodes.push(node);
    this.open.push(node);
  }

  #closed(): void {
    const node = this.open.pop() as Node;
    const read = Object.values(this.vars)[0] as { value: unknown } | undefined;
    const cached = node.tag === tags.ATOM_CACHE_REF ? this.atomRef?.(read?.value as number) : undefined;
    const isFloat = node.tag === tags.NEW_FLOAT_EXT && typeof read?.value === 'number';
    const value = isFloat && Number.isFinite(read.value) ? formatFloat(read.value as number) : undefined;
    node.text = (value ?? fieldsText(read?.value)) + (cached === undefined ? '' : ` ${formatAtom(cached)}`);
  }
}

/** The term at `start` of `bytes`, without a leading 131. `base` is added to the offsets shown. */
export function termTree(
  bytes: Buffer,
  start: number,
  atomRef?: (index: number) => Atom | boolean | undefined,
  base = 0,
): TermTree {
  const parser = new TreeParser();
  parser.offset = start;
  parser.end = bytes.length;
  parser.atomRef = atomRef;
  parser.on('error', (error) => {
    throw new Fault(error.message);
  });
  let fault: string | undefined;
  try {
    parser.tag();
    parser.write(bytes.subarray(start));
    if (parser.open.length > 0 || parser.nodes.length === 0) fault = 'the input ends inside the term';
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    fault = error.message;
  }
  return {
    lines: parser.nodes.map((node) => nodeLine(node, base)),
    end: parser.offset,
    fault: fault === undefined ? undefined : `${fault} (at offset ${base + parser.offset})`,
  };
}

function nodeLine({ offset, depth, tag, text }: Node, base: number): string {
  const name = tag === undefined ? '' : `${tag} ${NAMES.get(tag) ?? 'unknown tag'} `;
  return `${String(base + offset).padStart(6)}  ${'  '.repeat(depth)}${name}${text}`.trimEnd();
}

/** The fields that are not terms themselves: those have lines of their own. */
function fieldsText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object' || Buffer.isBuffer(value)) return valueText(value);
  return Object.entries(value)
    .filter(([, field]) => !isTree(field))
    .map(([name, field]) => `${name}=${valueText(field)}`)
    .join(' ');
}

function isTree(field: unknown): boolean {
  if (Array.isArray(field)) return field.length === 0 || typeof field[0] === 'object';
  return typeof field === 'object' && field !== null && !Buffer.isBuffer(field);
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (!Buffer.isBuffer(value)) return String(value);
  const shown = value.subarray(0, MAX_BYTES_SHOWN);
  const text = shown.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
  return `${shown.toString('hex')}${shown.length < value.length ? '…' : ''} |${text}|`;
}
