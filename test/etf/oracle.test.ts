// The package `erlang-term-format` as an independent reader of what we write, for what it reads rightly: not for
// negative and large integers, empty containers, and tags that are younger than it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Parser from 'erlang-term-format';
import fc from 'fast-check';
import { encode } from '../../src/etf/encode.js';
import { atom } from '../../src/terms/atom.js';
import { ImproperList } from '../../src/terms/list.js';
import { TermMap } from '../../src/terms/map.js';
import { Float } from '../../src/terms/number.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple } from '../../src/terms/tuple.js';

interface Read {
  readonly name: string;
  readonly value: unknown;
}

const { term } = fc.letrec<{ term: Term }>((tie) => {
  const items = fc.array(tie('term'), { minLength: 1, maxLength: 4 });
  return {
    term: fc.oneof(
      { maxDepth: 4 },
      fc.nat(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Float(value)),
      fc.constantFrom('a', 'ünï', 'Elixir.Distro').map((name) => atom(name)),
      fc.uint8Array(),
      items.map((elements) => new Tuple(elements)),
      items.map((elements) => [...elements, atom('last')]),
      items.map((elements) => new ImproperList(elements, atom('tail'))),
      tie('term').map((value) => new TermMap([[atom('key'), value]])),
    ),
  };
});

/** What the package made of a term, as a term. */
function understood({ name, value }: Read): Term {
  const fields = value as Record<string, unknown>;
  const elements = (): Term[] => (fields['elements'] as Read[]).map(understood);
  switch (name) {
    case 'smallInteger':
    case 'integer':
      return value as number;
    case 'newFloat':
      return new Float(value as number);
    case 'smallUtf8Atom':
      return atom(fields['atom'] as string);
    case 'binary':
      return new Uint8Array(fields['data'] as Buffer);
    case 'smallTuple':
      return new Tuple(elements());
    case 'list': {
      const tail = fields['tail'] as Read;
      return tail.name === 'nil' ? elements() : new ImproperList(elements(), understood(tail));
    }
    case 'map': {
      const pairs = fields['pairs'] as { key: Read; value: Read }[];
      return new TermMap(pairs.map((pair) => [understood(pair.key), understood(pair.value)]));
    }
    default:
      throw new Error(`the package read a ${name}`);
  }
}

test('an independent reader understands what we write', () => {
  fc.assert(
    fc.property(term, (value) => {
      const parser = new Parser();
      parser.write(encode(value).subarray(1));
      assert.deepEqual(understood((parser as unknown as { read(): Read }).read()), value);
    }),
    { numRuns: 200 },
  );
});
