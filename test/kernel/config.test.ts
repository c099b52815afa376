import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '../../src/errors.js';
import {
  type ApplicationFlag,
  applicationEnvironment,
  type Config,
  loadConfig,
} from '../../src/kernel/config.js';
import type { ConfigSource } from '../../src/kernel/config_file.js';
import { flatNodes } from '../../src/kernel/kernel_parameters.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';

type Files = Readonly<Record<string, string | Uint8Array>>;

/** Loads the configuration of `erl -config NAMES… FLAGS…` in a directory with these files. */
function load(files: Files, names: readonly string[], flags: readonly ApplicationFlag[] = []): Config {
  const cwd = mkdtempSync(join(tmpdir(), 'otpnode-config-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), content);
    }
    const sources: ConfigSource[] = names.map((config) => ({ config }));
    return loadConfig({ sources, flags, cwd });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

function environment(config: Config, application = 'kernel'): Record<string, string> {
  const found = config.environments.get(atom(application)) ?? new Map();
  return Object.fromEntries([...found].map(([key, value]) => [key.name, format(value)]).sort());
}

const kernel = (words: string): ApplicationFlag => ({ application: 'kernel', words: words.split(' ') });

test('x and x.config are the same file (dist_ac 1)', () => {
  const files = { 'sub/x.config': '[{kernel, [{k, 1}]}].' };
  assert.deepEqual(environment(load(files, ['sub/x'])), { k: '1' });
  assert.deepEqual(environment(load(files, ['sub/x.config'])), { k: '1' });
});

test('a later file wins per application and key, the rest of both stays (dist_ac 2)', () => {
  const files = {
    'f.config': '[{kernel, [{a, 1}, {b, {deep, 1}}]}, {distro, [{x, 1}]}].',
    'g.config': '[{kernel, [{b, {other}}, {c, 3}]}].\n% the end',
  };
  const config = load(files, ['f', 'g']);
  assert.deepEqual(environment(config), { a: '1', b: '{other}', c: '3' });
  assert.deepEqual(environment(config, 'distro'), { x: '1' });
  assert.deepEqual(environment(load(files, ['g', 'f'])), { a: '1', b: '{deep,1}', c: '3' });
});

test('a flag wins over the files, an odd last word is dropped with a warning (dist_ac 3)', () => {
  const config = load({ 'f.config': '[{kernel, [{a, 1}, {b, 1}]}].' }, ['f'], [kernel('a {x,"y"} c')]);
  assert.deepEqual(environment(config), { a: '{x,"y"}', b: '1' });
  assert.match(config.warnings.join(), /c: a key without a value/);
});

test('an application brings values that files and flags override', () => {
  const config = load(
    { 'f.config': '[{distro, [{b, 2}]}].' },
    ['f'],
    [{ application: 'distro', words: ['c', '3'] }],
  );
  const brought = new Map(['a', 'b', 'c'].map((key) => [atom(key), 0]));
  const merged = [...applicationEnvironment(config, atom('distro'), brought)].map(([key, value]) => [
    key.name,
    value,
  ]);
  assert.deepEqual(Object.fromEntries(merged), { a: 0, b: 2, c: 3 });
});

test('sys.config includes files where they are named (dist_ac 4)', () => {
  const files = {
    'sys.config': '["a", {kernel, [{x, sys}]}, "sub/b", {kernel, [{w, 1}]}].',
    'a.config': '[{kernel, [{x, a}, {y, a}, {z, a}]}].',
    'sub/b.config': '[{kernel, [{y, b}]}].',
  };
  assert.deepEqual(environment(load(files, ['sys'])), { w: '1', x: 'sys', y: 'b', z: 'a' });
});

test('an include is looked for beside sys.config, then in the current directory (dist_ac 6)', () => {
  const sys = { 'sub/sys.config': '["a"].', 'a.config': '[{kernel, [{x, cwd}]}].' };
  assert.deepEqual(environment(load(sys, ['sub/sys'])), { x: 'cwd' });
  const beside = { ...sys, 'sub/a.config': '[{kernel, [{x, beside}]}].' };
  assert.deepEqual(environment(load(beside, ['sub/sys'])), { x: 'beside' });
});

test('a comment may say that a file is Latin-1', () => {
  const latin1 = Buffer.from('%% coding: latin-1\n[{kernel, [{x, "é"}]}].', 'latin1');
  assert.deepEqual(environment(load({ 'f.config': latin1 }, ['f'])), { x: '"é"' });
});

/** What is in f.config, and OTP's text for it (seen on OTP 25). */
const REFUSED: readonly (readonly [string | Uint8Array, string])[] = [
  ['[{kernel, [{x, 1}]}]', 'error in config file "./f.config" (none): no ending <dot> found'],
  ['', 'error in config file "./f.config" (none): no ending <dot> found'],
  ['[{kernel, [{x, "1}]}].', 'error in config file "./f.config" (none): no ending <dot> found'],
  [
    '{kernel, []}.',
    'error in config file "./f.config" (none): configuration file must contain ONE list ended by <dot>',
  ],
  [
    '[]. []',
    'error in config file "./f.config" (none): configuration file must contain ONE list ended by <dot>',
  ],
  ['[{kernel,\n  [{x, 1}\n  ,{y 2}]}].', 'error in config file "./f.config" (3): syntax error before: 2'],
  ['[{kernel, [{x, 1 + 2}]}].', 'error in config file "./f.config" (1): bad term'],
  [Buffer.from('["é"].', 'latin1'), 'error in config file "./f.config" (none): bad encoding'],
  ['[{kernel, []}, {kernel, []}].', 'invalid config data: duplicate application config: kernel'],
  ['[{kernel, [{x, 1}, {x, 2}]}].', 'invalid config data: application: kernel; duplicate parameter: x'],
  ['[{kernel, [{"x", 1}]}].', 'invalid config data: application: kernel; invalid parameter name: "x"'],
  ['[{kernel, [{x, 1, 2}]}].', 'invalid config data: application: kernel; invalid parameter: {x,1,2}'],
  ['[{"kernel", []}].', 'invalid config data: application: "kernel"; application name must be an atom'],
  ['[{kernel, x}].', 'invalid config data: application: kernel; parameters must be a list'],
  ['[foo].', 'invalid config data: invalid application config: foo'],
  ['["sub/b"].', 'invalid config data: invalid application config: "sub/b"'],
  [
    '[{kernel, [{distributed, later}]}].',
    'invalid config data: application: kernel; erroneous parameter: distributed',
  ],
  [
    '[{kernel, [{distributed, [{a, b}]}]}].',
    'invalid config data: application: kernel; erroneous parameter: distributed',
  ],
];

for (const [content, text] of REFUSED) {
  test(`OTP's text for ${JSON.stringify(content.toString())} (dist_ac 5, 7)`, () => {
    assert.throws(
      () => load({ 'f.config': content }, ['f']),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.text, text);
        return true;
      },
    );
  });
}

test('a syntax error has file, line and column', () => {
  assert.throws(() => load({ 'f.config': '[{kernel,\n [{a b}]}].' }, ['f']), {
    code: 'syntax',
    file: './f.config',
    line: 2,
    column: 6,
  });
});

test('an included file includes nothing (dist_ac 5)', () => {
  const files = { 'sys.config': '["a"].', 'a.config': '["b"].', 'b.config': '[].' };
  assert.throws(() => load(files, ['sys']), { text: 'invalid config data: invalid application config: "b"' });
});

test('a missing file names the files nearby', () => {
  const files = { 'config/a.config': '[].', 'c.config': '[].', 'd.txt': '' };
  assert.throws(() => load(files, ['conf/a']), {
    code: 'not_found',
    text: 'error in config file "conf/a.config" (none): configuration file not found',
    hint: 'nearby are c.config, config/a.config',
  });
  assert.throws(() => load({}, ['']), {
    text: 'error in config file "./.config" (none): configuration file not found',
  });
  assert.throws(() => load({ 'x.cfg': '[].' }, ['x.cfg']), {
    code: 'not_found',
    hint: /x\.cfg is there, but/,
  });
});

test('wrong values on the command line end the start like those of a file', () => {
  const erroneous = (name: string): { text: string } => ({
    text: `invalid config data: application: kernel; erroneous parameter: ${name}`,
  });
  assert.throws(() => load({}, [], [kernel('x {a')]), { text: '{bad_environment_value,"{a"}' });
  assert.throws(() => load({}, [], [kernel('{x} 1')]), /invalid parameter name: \{x\}/);
  assert.throws(() => load({}, [], [kernel('x 1 x 2')]), /duplicate parameter: x/);
  assert.throws(() => load({}, [], [kernel('x 1'), kernel('x 1')]), /duplicate parameter: x/);
  assert.throws(() => load({}, [], [kernel('distributed foo')]), erroneous('distributed'));
  assert.throws(() => load({}, [], [kernel('permissions [{distro,x}]')]), erroneous('permissions'));
  assert.throws(() => load({}, [], [kernel('permissions x')]), erroneous('permissions'));
  assert.throws(() => load({}, [], [kernel('start_dist_ac yes')]), erroneous('start_dist_ac'));
  assert.throws(() => load({}, [], [kernel('net_ticktime 0')]), erroneous('net_ticktime'));
  assert.throws(() => load({}, [], [kernel('inet_dist_listen_min 9 inet_dist_listen_max 8')]), /above/);
  assert.throws(() => load({}, [], [kernel('distributed [{d,["abc@h"]}]')]), erroneous('distributed'));
});

test('the synchronisation parameters are checked in the order timeout, mandatory, optional (dist_ac 10)', () => {
  const bad = 'sync_nodes_optional 1 sync_nodes_mandatory 2 sync_nodes_timeout';
  assert.throws(() => load({}, [], [kernel(`${bad} 0`)]), { text: '{badopt,{sync_nodes_timeout,0}}' });
  assert.throws(() => load({}, [], [kernel(`${bad} 1.5`)]), { text: '{badopt,{sync_nodes_timeout,1.5}}' });
  assert.throws(() => load({}, [], [kernel(`${bad} 1`)]), { text: '{badopt,{sync_nodes_mandatory,2}}' });
  assert.throws(() => load({}, [], [kernel('sync_nodes_optional [1]')]), {
    text: '{badopt,{sync_nodes_optional,[1]}}',
  });
});

test('lists without a timeout are warned about, for nobody is waited for (dist_ac 9)', () => {
  const config = load({}, [], [kernel("sync_nodes_mandatory ['abc@h']")]);
  assert.equal(config.kernel.syncNodesTimeoutMs, undefined);
  assert.match(config.warnings.join(), /sync_nodes_timeout is not set/);
});

test('a negative time is accepted and warned about: the application is not distributed (dist_ac 8)', () => {
  const config = load({}, [], [kernel('distributed [{d,-5,[a@h]},{e,[a@h]}]')]);
  assert.deepEqual(
    config.kernel.distributed?.map((entry) => entry.application.name),
    ['e'],
  );
  assert.match(config.warnings.join(), /d is not distributed/);
});

test('all forms of distributed', () => {
  const list = "[{d,[a@h,{b@h,'c-1@h'}]},{e,1500,[a@h]},{f,infinity,[]}]";
  const entries = load({}, [], [kernel(`distributed ${list}`)]).kernel.distributed ?? [];
  assert.deepEqual(
    entries.map((entry) => [
      entry.application.name,
      entry.restartMs,
      flatNodes(entry.nodes).map((node) => node.name),
    ]),
    [
      ['d', 0, ['a@h', 'b@h', 'c-1@h']],
      ['e', 1500, ['a@h']],
      ['f', 'infinity', []],
    ],
  );
  assert.equal(load({}, []).kernel.distributed, undefined);
  assert.deepEqual(load({}, [], [kernel('distributed []')]).kernel.distributed, []);
});

test('typed parameters and their defaults', () => {
  const defaults = load({}, []).kernel;
  assert.deepEqual(
    [defaults.netTicktimeS, defaults.netTickintensity, defaults.netSetuptimeS, defaults.distAutoConnect],
    [60, 4, 7, 'always'],
  );
  assert.deepEqual(
    [defaults.connectAll, defaults.preventOverlappingPartitions, defaults.startDistAc],
    [true, true, undefined],
  );
  const words =
    'permissions [{d,false}] inet_dist_use_interface {127,0,0,1} dist_auto_connect once start_dist_ac true';
  const given = load({}, [], [kernel(words), kernel('sync_nodes_timeout infinity connect_all false')]).kernel;
  assert.deepEqual(
    [...given.permissions].map(([name, allowed]) => [name.name, allowed]),
    [['d', false]],
  );
  assert.deepEqual(
    [
      given.inetDistUseInterface,
      given.distAutoConnect,
      given.startDistAc,
      given.syncNodesTimeoutMs,
      given.connectAll,
    ],
    ['127.0.0.1', 'once', true, 'infinity', false],
  );
  const v6 = load({}, [], [kernel('inet_dist_use_interface {0,0,0,0,0,0,0,1}')]).kernel;
  assert.equal(v6.inetDistUseInterface, '0:0:0:0:0:0:0:1');
});

test('options of sockets are done, passed over with a warning, or refused by name', () => {
  const listen = (list: string) => load({}, [], [kernel(`inet_dist_listen_options ${list}`)]);
  const { kernel: parameters, warnings } = listen(
    '[{sndbuf,1000},{reuseaddr,true},{nodelay,true},{nodelay,false}]',
  );
  assert.deepEqual(parameters.inetDistListenOptions, { noDelay: true });
  assert.deepEqual(warnings, ['inet_dist_listen_options: sndbuf has no effect on this node']);
  for (const [list, message] of [
    [
      '[{bind_to_device,<<"eth0">>}]',
      /inet_dist_listen_options.*bind_to_device.* is no option that this node knows/,
    ],
    ['[{port,5}]', /\{port,5\} is no option/],
    ['[{nodelay,sometimes}]', /\{nodelay,sometimes\} has no value that can be used/],
    ['[{ip,localhost}]', /\{ip,localhost\} has no value/],
    ['[5]', /5 is no option/],
    ['nodelay', /it takes a list of options/],
  ] as const) {
    assert.throws(() => listen(list), message);
  }
});

test('the values are terms', () => {
  const config = load({ 'f.config': '[{kernel, [{x, #{a => <<"b">>}}]}].' }, ['f']);
  assert.deepEqual(config.environments.get(atom('kernel'))?.get(atom('x')), parseTerm('#{a => <<"b">>}'));
});
