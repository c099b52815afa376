import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RunFlags, readFlags } from '../../src/cli/flags.js';

const read = (line: string): RunFlags => readFlags(line.split(' ').filter((word) => word !== ''));

test('the main command line', () => {
  const flags = read('--name abc@127.0.0.1 --cookie C --app distro -config config/a -configfd 3 -config b');
  assert.deepEqual(
    [flags.name, flags.cookie, flags.apps, flags.sources],
    ['abc@127.0.0.1', 'C', ['distro'], [{ config: 'config/a' }, { configfd: '3' }, { config: 'b' }]],
  );
});

test('what is not given', () => {
  const flags = read('');
  assert.deepEqual(
    [
      flags.name,
      flags.cookie,
      flags.hidden,
      flags.startEpmd,
      flags.distListen,
      flags.protoDist,
      flags.logFormat,
    ],
    [undefined, undefined, false, true, true, 'inet_tcp', 'auto'],
  );
});

test('cookies of the node and of others', () => {
  const flags = read('-setcookie ABC -setcookie n@h DEF');
  assert.deepEqual([flags.cookie, flags.nodeCookies], ['ABC', { 'n@h': 'DEF' }]);
  assert.throws(() => read('-setcookie A -setcookie B'), { code: 'bad_option' });
  assert.throws(() => read('--cookie A -setcookie B'), { code: 'bad_option' });
});

test('values that look like numbers stay text', () => {
  assert.equal(read('--cookie 0123').cookie, '0123');
  assert.equal(read('--sname 1e3').sname, '1e3');
});

test('paths: -pa in front, the last one first, -pz behind', () => {
  assert.deepEqual(read('-pz z -pa a b -pa c').paths, ['c', 'b', 'a', 'z']);
});

test('the environment of applications', () => {
  const { environment } = read('-kernel net_ticktime 8 -connect_all false -distro x \'"y"\'');
  assert.deepEqual(environment, [
    { application: 'kernel', words: ['net_ticktime', '8'] },
    { application: 'distro', words: ['x', '\'"y"\''] },
    { application: 'kernel', words: ['connect_all', 'false'] },
  ]);
});

test('wrong values: the option and what it takes are named', () => {
  for (const [line, text] of [
    ['--name a@h --name b@h', /^--name is given 2 times: give it once$/],
    ['-proto_dist udp', /^--proto_dist is one of inet_tcp, .*, not udp$/],
    ['-erl_epmd_port 70000', /^--erl_epmd_port is a port from 1 to 65535, not 70000$/],
    ['-epmd_port x', /^--epmd_port is a port from 1 to 65535, not x$/],
    ['-start_epmd no', /^--start_epmd is one of true, false, not no$/],
    ['--log-level loud', /^--log-level is one of .*, none, not loud$/],
  ] as const) {
    assert.throws(() => read(line), { code: 'bad_option', message: text }, line);
  }
});

test('a word of no option is refused, as a command if it is the first', () => {
  assert.throws(() => read('chekc a'), { message: 'unknown command chekc; did you mean check?' });
  assert.throws(() => read('--sname a b'), /b is the value of no option/);
  assert.deepEqual(read('--sname a -extra check').plain, ['check']);
});
