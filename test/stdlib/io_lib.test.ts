import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BadArg } from '../../src/errors.js';
import { format } from '../../src/stdlib/io_lib.js';
import { parseTerms } from '../../src/syntax/erl_parse.js';
import { atom } from '../../src/terms/atom.js';
import { charlist, text } from '../../src/terms/binary.js';
import type { Term } from '../../src/terms/term.js';
import type { Tuple } from '../../src/terms/tuple.js';

const ERROR = atom('error');

for (const { term } of parseTerms(readFileSync('test/stdlib/io_lib_otp25.terms', 'utf8'))) {
  const [fmt, args, expected] = (term as Tuple).elements as [Term, Term, Term];
  test(`formats ${text(fmt)} as OTP does`, () => {
    if (expected === ERROR) {
      assert.throws(() => format(text(fmt), args as readonly Term[]), BadArg);
      return;
    }
    const formatted = format(text(fmt), args as readonly Term[]);
    // what OTP would break into lines or cut at a depth is told to be not exact
    if (formatted.exact) assert.equal(formatted.text, text(expected));
    else assert.match(text(fmt), /[pPW]/);
  });
}

test('~s prints a list of hundreds of thousands of characters', () => {
  const long = 'x'.repeat(300_000);
  assert.equal(format('~s', [charlist(long)]).text, long);
});

test('text of several lines counts columns anew', () => {
  const list = charlist('x'.repeat(70));
  assert.equal(format('~s~n~p', [charlist('y'.repeat(60)), list]).exact, true);
  assert.equal(format('~s~p', [charlist('y'.repeat(60)), list]).exact, false);
});

test('a deep term is no danger', () => {
  let deep: Term = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assert.equal(format('~w', [deep]).text.length, 200_002);
});
