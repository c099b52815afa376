import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadArg, ErlangError } from '../../src/errors.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import * as read from '../../src/terms/read.js';

const of = <T>(reader: read.Reader<T>, text: string): T => reader(parseTerm(text));

test('readers give what they read', () => {
  assert.equal(of(read.integer, '7'), 7);
  assert.equal(of(read.bigint, '100000000000000000000'), 10n ** 20n);
  assert.equal(of(read.bigint, '7'), 7n);
  assert.equal(of(read.number, '1.5'), 1.5);
  assert.equal(of(read.boolean, 'true'), true);
  assert.equal(of(read.text, '<<"é"/utf8>>'), 'é');
  assert.equal(of(read.text, '"abc"'), 'abc');
  assert.equal(of(read.bytes, '<<1,2>>').length, 2);
  assert.equal(of(read.name(), 'true'), 'true');
  const level: 'low' | 'high' = of(read.name('low', 'high'), 'low');
  assert.equal(level, 'low');
  assert.deepEqual(of(read.list(read.integer), '[1,2]'), [1, 2]);
  const pair: [number, string] = of(read.tupleOf(read.integer, read.text), '{1, <<"a">>}');
  assert.deepEqual(pair, [1, 'a']);
  assert.equal(of(read.ok, 'ok'), undefined);
  assert.equal(of(read.optional(read.integer), 'nil'), undefined);
  assert.equal(of(read.result(read.integer), '{ok, 3}'), 3);
  assert.equal(read.term(parseTerm('x')), parseTerm('x'));
});

test('maps are read by binary or atom keys, and say which one is wrong', () => {
  const user = read.fields({ id: read.integer, name: read.text, age: read.optional(read.integer) });
  const plain: { id: number; name: string; age: number | undefined } = of(
    user,
    '#{<<"id">> => 1, name => <<"a">>, x => 1}',
  );
  assert.deepEqual(plain, { id: 1, name: 'a', age: undefined });
  assert.throws(
    () => of(user, '#{id => x, name => <<"a">>}'),
    /id: an integer within ±\(2\^53-1\) was expected, x came/,
  );
  assert.throws(() => of(user, '#{id => 1}'), /name: a text was expected, undefined came/);
});

test('readers refuse what they do not read', () => {
  const refused: [read.Reader<unknown>, string][] = [
    [read.integer, '1.0'],
    [read.integer, '100000000000000000000'],
    [read.bigint, 'x'],
    [read.number, '"1"'],
    [read.boolean, 'yes'],
    [read.text, 'abc'],
    [read.text, '[x]'],
    [read.text, '<<255>>'],
    [read.bytes, '"abc"'],
    [read.name(), '1'],
    [read.name('low', 'high'), 'middle'],
    [read.list(read.integer), '1'],
    [read.list(read.integer), '[x]'],
    [read.tupleOf(read.integer), '{1, 2}'],
    [read.fields({}), '[]'],
    [read.ok, '{ok, 1}'],
    [read.result(read.integer), 'ok'],
  ];
  for (const [reader, text] of refused) assert.throws(() => of(reader, text), BadArg, text);
  assert.throws(() => of(read.result(read.integer), '{error, why}'), ErlangError);
});
