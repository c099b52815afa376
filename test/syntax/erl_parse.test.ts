import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../src/errors.js';
import { type Builder, parseTemplate, parseTerm, parseTerms } from '../../src/syntax/erl_parse.js';
import { atom } from '../../src/terms/atom.js';
import { BitString, binary, charlist } from '../../src/terms/binary.js';
import { ExportFun } from '../../src/terms/fun.js';
import { ImproperList } from '../../src/terms/list.js';
import { map, TermMap } from '../../src/terms/map.js';
import { float } from '../../src/terms/number.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';

const a = atom('a');
const b = atom('b');
const c = atom('c');
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Source text and the term that OTP 25 reads from it (OTP 27 and 28 for the last ones). */
const READS: readonly (readonly [string, Term])[] = [
  ['a', a],
  ["'a b'", atom('a b')],
  ["'\\x{3bb}\\n\\'\\''", atom("λ\n''")],
  ["''", atom('')],
  ['ß@1', atom('ß@1')],
  ["[true, 'false']", [true, false]],
  ['"abc" "d"\n"\\x41\\102\\e\\s\\d\\^a\\q"', charlist('abcdAB\x1b \x7f\x01q')],
  ['"λ😀"', charlist('λ😀')],
  ['""', []],
  ['$a', 97],
  ['$\\n', 10],
  ["$'", 39],
  ['$ ', 32],
  ['16#FF_ff', 0xffff],
  ['36#zZ', 35 * 37],
  ['1_000_000', 1000000],
  ['9007199254740993', 9007199254740993n],
  ['-16#20000000000000', -9007199254740992n],
  ['- 5', -5],
  ['+5', 5],
  ['-$a', -97],
  ['1.5E-3', float(0.0015)],
  ['1_0.2_5e1_0', float(10.25e10)],
  ['-0.0', float(-0)],
  ['[]', []],
  ['[a, b | c]', new ImproperList([a, b], c)],
  ['[a | [b | [c]]]', [a, b, c]],
  ['{}', tuple()],
  ['{a, {b, [c, {}]}}', tuple(a, tuple(b, [c, tuple()]))],
  ['((a))', a],
  ['#{}', map()],
  ['#{a => 1, {b} => #{}}', map([a, 1], [tuple(b), map()])],
  ['fun a:b/1', new ExportFun(a, b, 1)],
  ['<<>>', bytes()],
  ['<<"abc">>', binary('abc')],
  ['<<"é"/utf8, "é">>', bytes(195, 169, 233)],
  ['<<1, 2:4, 5:4, 300, -1>>', bytes(1, 0x25, 44, 255)],
  ['<<1:3>>', new BitString(bytes(0x20), 3)],
  ['<<258:16/little, 258:12/little, 1:4>>', bytes(2, 1, 2, 0x11)],
  ['<<-1:20>>', new BitString(bytes(255, 255, 0xf0), 4)],
  ['<<1.5/float, 1.5:32/float-little>>', bytes(0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0x3f)],
  ['<< <<1, 2, 3>>:2/binary, <<3:4>>/bits, 1:4>>', bytes(1, 2, 0x31)],
  ['<<16#10348/utf16, 16#20ac/utf16-little>>', bytes(0xd8, 0, 0xdf, 0x48, 0xac, 0x20)],
  ['%% comment\n{a, % another\n b}. % the end', tuple(a, b)],
  ['{a,\r\n\tb\u00a0}.', tuple(a, b)],
  ['"""\n  first\n    "second" \\n\n  """', charlist('first\n  "second" \\n')],
  ['~"é\\n"', binary('é\n')],
  ['~S(a\\n)', charlist('a\\n')],
  ['16#f.8#e1', float(248)],
];

for (const [source, term] of READS) {
  test(`reads ${JSON.stringify(source)}`, () => assert.deepEqual(parseTerm(source), term));
}

/** Source text, line and column of the error, and its text: OTP's where OTP has one. */
const REFUSES: readonly (readonly [string, number, number, string])[] = [
  ['[a b]', 1, 4, 'syntax error before: b'],
  ['[{kernel,\n  [{x, 1}\n   {y, 2}]}].', 3, 4, "syntax error before: '{'"],
  ['{a, "b c",}', 1, 11, "syntax error before: '}'"],
  ['{"x" \'B c\'}', 1, 6, "syntax error before: 'B c'"],
  ['{a, "b"c, "d"}', 1, 8, 'syntax error before: c'],
  ['{1 "x"}', 1, 4, 'syntax error before: "x"'],
  ['{a, end}', 1, 5, "syntax error before: 'end'"],
  ['{a, [b}. ', 1, 7, "syntax error before: '}'"],
  ['{a, b}}', 1, 7, "syntax error before: '}'"],
  ['{a. ', 1, 3, "syntax error before: '.'"],
  ['{a', 1, 3, 'syntax error before: the end'],
  ['{a}. b', 1, 6, 'syntax error before: b'],
  ['{a, λ}', 1, 5, 'illegal character'],
  ['"a\\x{zz}"', 1, 3, 'illegal character'],
  ['"abc\n d', 1, 1, 'unterminated string starting with "abc\\n d"'],
  ["\n 'it", 2, 2, "unterminated atom starting with 'it'"],
  ['{a, $', 1, 5, 'unterminated character'],
  ['1.0e', 1, 1, 'illegal float'],
  ['1.0e400', 1, 1, 'illegal float'],
  ['37#1', 1, 1, "illegal base '37'"],
  ['16#g', 1, 1, 'illegal integer'],
  [`{${'a'.repeat(256)}}`, 1, 2, 'illegal atom'],
  ['{x, Value}', 1, 5, 'bad term: Value is a variable'],
  ['{x, 1 + 2}', 1, 7, "bad term: '+' makes an expression, not a term"],
  ['{x, f()}', 1, 6, "bad term: '(' makes an expression, not a term"],
  ['<<a>>', 1, 3, 'bad term: a is no literal that a binary can hold'],
  ['😀', 1, 1, 'illegal character'],
  ['"😀" x', 1, 5, 'syntax error before: x'],
];

for (const [source, line, column, message] of REFUSES) {
  test(`refuses ${JSON.stringify(source.slice(0, 40))}`, () => {
    assert.throws(
      () => parseTerm(source),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual([error.message, error.line, error.column], [message, line, column]);
        return true;
      },
    );
  });
}

test('reads all terms of a file with the place of each', () => {
  assert.deepEqual(parseTerms('%% two terms\n{a}.\n  [b].\n'), [
    { term: tuple(a), line: 2, column: 1 },
    { term: [b], line: 3, column: 3 },
  ]);
  assert.deepEqual(parseTerms(' % nothing'), []);
});

test('tells a missing full stop from a syntax error', () => {
  assert.throws(() => parseTerms('{a}.\n[{b, c}]\n'), { code: 'no_dot', message: 'no ending <dot> found' });
  assert.throws(() => parseTerms('[a b'), { code: 'no_dot' });
});

test('depth costs no stack', () => {
  const depth = 200_000;
  let term = parseTerm(`${'[{a,'.repeat(depth)}b${'}]'.repeat(depth)}`);
  for (let i = 0; i < 1000; i++)
    term = ((term as readonly Term[])[0] as ReturnType<typeof tuple>).elements[1] as Term;
  assert.throws(() => parseTerm('['.repeat(depth)), { code: 'syntax' });
  assert.throws(() => parseTerm('<<'.repeat(depth)), { code: 'syntax' });
});

test('a template has places for values and variables', () => {
  const describe: Builder<string> = {
    constant: (value) => (value instanceof TermMap ? '#{}' : String(value)),
    list: (items, tail) => `[${items.join()}${tail === undefined ? '' : `|${tail}`}]`,
    tuple: (elements) => `{${elements.join()}}`,
    map: (entries) => `#{${entries.map(([k, v]) => `${k}=>${v}`).join()}}`,
    variable: (name) => `var ${name}`,
    hole: (index) => `<${index}>`,
  };
  const template = (strings: readonly string[], ..._values: number[]): string =>
    parseTemplate(strings, describe);
  assert.equal(template`{cal, ${1}, [X, _ | ${2}], #{${3} => ok}}`, '{cal,<0>,[var X,var _|<1>],#{<2>=>ok}}');
  assert.throws(() => template`{"${1}"}`, { code: 'syntax' });
  assert.throws(() => template`{a} % ${1}`, { code: 'syntax' });
});
