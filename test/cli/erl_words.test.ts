import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, rewriteErlWords, splitErlFlags } from '../../src/cli/erl_words.js';

const words = (line: string): readonly string[] => rewriteErlWords(splitErlFlags(line)).words;

test('options of iex and words of erl become long options', () => {
  assert.deepEqual(words('--name abc@127.0.0.1 --cookie C --app distro -config config/a'), [
    '--name=abc@127.0.0.1',
    '--cookie=C',
    '--app=distro',
    '--config=config/a',
  ]);
  assert.deepEqual(words('-sname x -hidden -setcookie C -setcookie n@h D'), [
    '--sname=x',
    '--hidden',
    '--setcookie=["C"]',
    '--setcookie=["n@h","D"]',
  ]);
});

test("the tutorial's own form, with erl's words in --erl", () => {
  const argv = [
    '--name',
    'a@h',
    '-pa',
    '_build/dev/lib/distro/ebin/',
    '--app',
    'distro',
    '--erl',
    '-config config/a',
  ];
  assert.deepEqual(rewriteErlWords(argv).words, [
    '--name=a@h',
    '--pa=_build/dev/lib/distro/ebin/',
    '--app=distro',
    '--config=config/a',
  ]);
});

test('a word of erl takes everything up to the next dash, also negative numbers', () => {
  assert.deepEqual(words('-kernel distributed [{d,-5,[a@h]}] net_ticktime 8 -x_y 1 --app x_y'), [
    '--env=["kernel","distributed","[{d,-5,[a@h]}]","net_ticktime","8"]',
    '--env=["x_y","1"]',
    '--app=x_y',
  ]);
  assert.deepEqual(words('-kernel a -5 -config f g -hidden'), [
    '--env=["kernel","a","-5"]',
    '--config=f',
    '--config=g',
    '--hidden',
  ]);
  assert.deepEqual(words('-config -hidden'), ['--config=', '--hidden']);
});

test('-- ends the values, -extra takes the rest', () => {
  const { words: options, plain } = rewriteErlWords([
    '-config',
    'f',
    '--',
    'x',
    '-sname',
    'y',
    '-extra',
    '-z',
    'u',
  ]);
  assert.deepEqual(
    [options, plain],
    [
      ['--config=f', '--sname=y'],
      ['x', '-z', 'u'],
    ],
  );
});

test('words that mean nothing here are passed over and told', () => {
  const { words: options, ignored } = rewriteErlWords([
    '-noshell',
    '+K',
    'true',
    '--no-halt',
    '-boot',
    'start',
    '-sname',
    'x',
  ]);
  assert.deepEqual([options, ignored], [['--sname=x'], ['-noshell', '+K true', '--no-halt', '-boot start']]);
});

test('quotes of ERL_FLAGS', () => {
  assert.deepEqual(splitErlFlags(`-kernel x '"a b"' y "it's" z a\\ b`), [
    '-kernel',
    'x',
    '"a b"',
    'y',
    "it's",
    'z',
    'a b',
  ]);
  assert.deepEqual(splitErlFlags(`  -a ''  `), ['-a', '']);
  // as erl of OTP 25 splits them
  const split: readonly (readonly [string, readonly string[]])[] = [
    ['a"b c"d', ['ab cd']],
    ['"a\\nb" a\\\\b', ['a\\nb', 'a\\b']],
    [`'{a,"b"}' \\"a`, ['{a,"b"}', '"a']],
    ['"\\\\" a\\', ['\\\\', 'a']],
    ["'a\\'b", ['a\\b']],
  ];
  for (const [flags, expected] of split) assert.deepEqual(splitErlFlags(flags), expected, flags);
  assert.throws(() => splitErlFlags('-a "b'), { code: 'bad_option' });
});

test('an unknown option is refused with a suggestion', () => {
  assert.throws(() => words('-confg a'), {
    code: 'bad_option',
    message: 'unknown option -confg; did you mean -config?',
  });
  assert.throws(() => words('--cokie=a'), { message: 'unknown option --cokie=a; did you mean --cookie?' });
  assert.throws(() => words('-zzzzzz'), /otpnode --help lists the options/);
  assert.throws(() => words('-eval x'), /-eval runs Erlang code, which otpnode does not/);
  assert.throws(() => words('--name'), /the option name needs a value/);
  assert.throws(() => words('--name --cookie C'), /the option name needs a value/);
  assert.throws(() => words('--hidden=yes'), /takes no value/);
});

test('the nearest name', () => {
  assert.equal(nearest('nmae', ['name', 'sname']), 'name');
  assert.equal(nearest('entirely', ['name', 'sname']), undefined);
});
