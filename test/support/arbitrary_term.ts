// Random terms for properties, of every kind and with the values at which codecs break.
import fc from 'fast-check';
import { type Atom, atomOrBoolean } from '../../src/terms/atom.js';
import { BitString } from '../../src/terms/binary.js';
import { ExportFun, OpaqueFun } from '../../src/terms/fun.js';
import { cons } from '../../src/terms/list.js';
import { TermMap } from '../../src/terms/map.js';
import { Float, integer } from '../../src/terms/number.js';
import { Pid } from '../../src/terms/pid.js';
import { Port } from '../../src/terms/port.js';
import { NativeRecord } from '../../src/terms/record.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple } from '../../src/terms/tuple.js';

export interface TermKinds {
  /** Pids, references and ports as OTP 23 knows them: 28 bits and 3 words. */
  readonly narrow?: boolean;
  /** Native records, which OTP 29 has. */
  readonly records?: boolean;
  /** Local funs, which only a module's node can read. */
  readonly funs?: boolean;
  /** -0.0, which is 0.0 before OTP 27. */
  readonly negativeZero?: boolean;
  /** Pids, references and ports at all. */
  readonly identifiers?: boolean;
}

const EDGES: readonly bigint[] = [7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n, 64n, 2032n, 2040n].flatMap((bits) =>
  [-1n, 0n, 1n].flatMap((near) => [(1n << bits) + near, -(1n << bits) + near]),
);

const integers: fc.Arbitrary<Term> = fc.oneof(
  fc.nat(255),
  fc.integer(),
  fc.constantFrom(...EDGES).map(integer),
  fc.bigInt().map(integer),
);

const floats: fc.Arbitrary<Term> = fc
  .oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 1, 1e5, 1e15, 1e16, 1e22, 5e-324, 1.7976931348623157e308),
  )
  .map((value) => new Float(value));

function positive(term: Term): Term {
  return term instanceof Float && term.value === 0 ? new Float(0) : term;
}

const character = fc.oneof(
  fc.integer({ min: 0, max: 127 }),
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 0xd7ff }),
  fc.integer({ min: 0xe000, max: 0x10ffff }),
);

const atoms: fc.Arbitrary<Atom | boolean> = fc
  .oneof(
    fc.array(character, { maxLength: 8 }).map((points) => String.fromCodePoint(...points)),
    fc
      .tuple(character, fc.constantFrom(63, 64, 65, 127, 128, 255))
      .map(([c, n]) => String.fromCodePoint(c).repeat(n)),
    fc.constantFrom('ok', 'true', 'false', '', 'nil', '__proto__', '$gen_call', 'end', 'Elixir.Distro'),
  )
  .map(atomOrBoolean);

const nodes = fc.constantFrom('a@b', 'abc@127.0.0.1', 'ü@host', `${'n'.repeat(250)}@h`).map((n) => {
  return atomOrBoolean(n) as Atom;
});
const u32 = fc.oneof(fc.nat(7), fc.integer({ min: 0, max: 0xffffffff }));

function ids(narrow: boolean): fc.Arbitrary<Term> {
  const below = (bits: number): fc.Arbitrary<number> => u32.map((n) => (narrow ? n % 2 ** bits : n));
  return fc.oneof(
    fc.tuple(nodes, below(15), below(13), u32).map(([node, n, s, c]) => new Pid(node, n, s, c)),
    fc
      .tuple(nodes, u32, fc.array(below(18), { minLength: 1, maxLength: narrow ? 3 : 5 }))
      .map(([node, creation, words]) => new Reference(node, creation, words)),
    fc
      .tuple(nodes, fc.bigInt({ min: 0n, max: (1n << (narrow ? 28n : 64n)) - 1n }), u32)
      .map(([node, id, creation]) => new Port(node, id, creation)),
  );
}

const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ minLength: 60, maxLength: 70 }));

const bitstrings: fc.Arbitrary<Term> = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 7 }))
  .map(([whole, bits]) => {
    whole[whole.length - 1] = (whole[whole.length - 1] as number) & (0xff00 >> bits);
    return new BitString(whole, bits);
  });

const exports_ = fc
  .tuple(atoms, atoms, fc.nat(255))
  .map(([module, name, arity]) => new ExportFun(module, name, arity));

/** Random terms. */
export function arbitraryTerm(kinds: TermKinds = {}): fc.Arbitrary<Term> {
  const { narrow = false, records = true, funs = true, identifiers = true, negativeZero = true } = kinds;
  const options = { maxDepth: 5, depthSize: 'medium' } as const;
  const { term } = fc.letrec<{ term: Term; items: readonly Term[] }>((tie) => {
    const items = fc.array(tie('term'), { maxLength: 5 });
    const containers: fc.Arbitrary<Term>[] = [
      items,
      items.map((elements) => new Tuple(elements)),
      fc.tuple(items, tie('term')).map(([front, tail]) => cons(front, tail)),
      fc.array(fc.tuple(tie('term'), tie('term')), { maxLength: 10 }).map((pairs) => new TermMap(pairs)),
    ];
    if (funs) containers.push(fc.tuple(atoms, nodes, items, u32).map(fun));
    if (records) {
      const fields = fc.uniqueArray(atoms, { maxLength: 4 });
      containers.push(fc.tuple(fc.boolean(), atoms, atoms, fields, tie('term')).map(record));
    }
    return {
      items,
      term: fc.oneof(
        options,
        integers,
        negativeZero ? floats : floats.map(positive),
        atoms,
        bytes,
        bitstrings,
        identifiers ? ids(narrow) : atoms,
        exports_,
        fc.array(fc.nat(255), { maxLength: 20 }),
        ...containers,
      ),
    };
  });
  return term;
}

function fun([module, node, free, n]: [Atom | boolean, Atom, readonly Term[], number]): OpaqueFun {
  const pid = new Pid(node, n, 0, 1);
  const uniq = new Uint8Array(16).fill(n);
  return new OpaqueFun({ arity: n % 256, uniq, index: n, module, oldIndex: n % 1000, oldUniq: n, pid, free });
}

function record([exported, module, name, fields, value]: [
  boolean,
  Atom | boolean,
  Atom | boolean,
  (Atom | boolean)[],
  Term,
]): NativeRecord {
  return new NativeRecord(
    exported,
    module,
    name,
    fields,
    fields.map(() => value),
  );
}
