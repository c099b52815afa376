import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atom } from '../../src/terms/atom.js';
import { BitString, binary, charlist } from '../../src/terms/binary.js';
import { format } from '../../src/terms/format.js';
import { ExportFun } from '../../src/terms/fun.js';
import { ImproperList } from '../../src/terms/list.js';
import { map } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import { Pid } from '../../src/terms/pid.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';

const a = atom('a');

const CASES: readonly (readonly [Term, string])[] = [
  [a, 'a'],
  [atom('Elixir.Distro'), "'Elixir.Distro'"],
  [atom('end'), "'end'"],
  [atom("it's\n"), "'it\\'s\\n'"],
  [true, 'true'],
  [-5, '-5'],
  [2n ** 70n, '1180591620717411303424'],
  [float(1), '1.0'],
  [float(1e22), '1.0e22'],
  [float(-2.5e-7), '-2.5e-7'],
  [float(-0), '-0.0'],
  [[], '[]'],
  [charlist('say "λ"\n'), '"say \\"λ\\"\\n"'],
  [[97, 0], '[97,0]'],
  [[a, tuple(a, [])], '[a,{a,[]}]'],
  [new ImproperList([1, 2], a), '[1,2|a]'],
  [tuple(), '{}'],
  [map([a, 1], [binary('k'), map()]), '#{a => 1,<<"k">> => #{}}'],
  [binary('text'), '<<"text">>'],
  [binary('λ'), '<<"λ"/utf8>>'],
  [Uint8Array.of(0, 255), '<<0,255>>'],
  [Uint8Array.of(), '<<>>'],
  [new BitString(Uint8Array.of(1, 0x20), 3), '<<1,1:3>>'],
  [new ExportFun(a, atom('b'), 2), 'fun a:b/2'],
  [new Pid(atom('abc@h'), 12, 3, 4), '<abc@h.12.3>'],
  [new Reference(atom('abc@h'), 4, [1, 2, 3]), '#Ref<abc@h.3.2.1>'],
];

for (const [term, text] of CASES) {
  test(`shows ${text.replaceAll('\n', ' ')}`, () => assert.equal(format(term), text));
}

test('shows floats as OTP 25 does', () => {
  const texts =
    '1.0 10.0 100.0 1.0e3 1.0e4 1.0e5 12345.0 123456.0 1234567.0 1.2e3 1.2e4 1.23e4 1.23e7 0.1 0.01 0.001 ' +
    '0.0001 1.0e-5 0.012 0.0012 1.2e-4 0.0123 0.00123 1.23e-4 1.5 1234567890123.0 1.0e21 1.2345e20 ' +
    '4503599627370496.0 9.007199254740992e15 1.0e300 5.0e-324 0.5 2.5e-7 1.23456e12 1.0e15 -1.0e3 -0.25';
  for (const text of texts.split(' ')) assert.equal(format(float(Number(text))), text);
});

test('shows what is deep, and stops at a length', () => {
  let term: Term = a;
  for (let i = 0; i < 100_000; i++) term = [tuple(term)];
  assert.equal(format(term).length, 400_001);
  assert.equal(format(term, 5), '[{[{[...');
});
