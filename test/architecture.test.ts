// The floors of ARCHITECTURE.md, enforced: a file imports its own floor and the floors named for it, nothing else.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const SRC = 'src';

const UP_TO_RUNTIME_TOOLS = ['terms', 'etf', 'syntax', 'erts', 'dist', 'stdlib', 'kernel', 'runtime_tools'];

/** Folder → the folders and files it may import beside itself. `errors` holds only classes and is for all. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  errors: ['terms'],
  bytes: [],
  terms: [],
  etf: ['bytes', 'terms'],
  syntax: ['terms'],
  erts: ['terms'],
  dist: ['bytes', 'terms', 'etf', 'syntax', 'erts'],
  stdlib: ['terms', 'etf', 'syntax', 'erts'],
  kernel: ['terms', 'etf', 'syntax', 'erts', 'dist', 'stdlib'],
  runtime_tools: ['terms', 'erts', 'stdlib', 'kernel'],
  distro: ['index'],
  cli: [
    'index',
    'bytes',
    'terms',
    'etf',
    'syntax',
    'erts/log',
    'dist/epmd',
    'dist/epmd_start',
    'dist/erl_epmd',
    'dist/dist_header',
    'dist/fragment',
    'dist/control',
    'kernel/auth',
    'kernel/config',
    'kernel/config_check',
    'kernel/logger',
    'distro',
  ],
  node_options: ['dist', 'kernel'],
  node: [...UP_TO_RUNTIME_TOOLS, 'node_options'],
  index: [...UP_TO_RUNTIME_TOOLS, 'node_options', 'node'],
};

/** Third-party package → the one file that may import it. */
const DOORS: Record<string, string> = {
  pino: 'kernel/logger',
  yargs: 'cli/help',
  'yargs-parser': 'cli/flags',
  'epmd-client': 'dist/erl_epmd',
  'erlang-term-format': 'cli/inspect',
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
const importsOf = (file: string): string[] =>
  [...readFileSync(join(SRC, file), 'utf8').matchAll(/(?<!')(?:from\s+|import\s*\(?\s*)'([^']+)'/g)].map(
    (m) => m[1] as string,
  );

for (const file of files) {
  const floor = (file.includes('/') ? file.split('/')[0] : file.replace('.ts', '')) as string;
  test(`src/${file} imports only what its floor may`, () => {
    const allowed = MAY_IMPORT[floor];
    assert.ok(allowed !== undefined, `src/${file} is on no floor`);
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('node:')) {
        assert.ok(floor !== 'erts' || specifier !== 'node:net', `${file} imports ${specifier}`);
        continue;
      }
      if (!specifier.startsWith('.')) {
        const name = specifier.startsWith('@') ? specifier : (specifier.split('/')[0] as string);
        assert.equal(
          DOORS[name],
          file.replace('.ts', ''),
          `${file} is not the door of the package ${specifier}`,
        );
        continue;
      }
      const target = relative(SRC, join(SRC, dirname(file), specifier)).replace(/\.js$/, '');
      const ok = ['errors', floor, ...allowed].some((a) => target === a || target.startsWith(`${a}/`));
      assert.ok(ok, `src/${file} imports ${target}`);
    }
  });
}

/** The files that a file loads: what it imports for its types alone is gone when it runs. */
const loadedBy = (file: string): string[] =>
  [
    ...readFileSync(join(SRC, file), 'utf8').matchAll(
      /^(?:import|export) (?!type)([^;]*?)from '(\.[^']+)';/gm,
    ),
  ]
    .filter(([, names]) => /(^|[{,])\s*(?!type\b)[\w*]/.test((names as string).trim()))
    .map(([, , path]) => relative(SRC, join(SRC, dirname(file), path as string)).replace(/\.js$/, '.ts'));

test('no file loads a file that loads it, but for terms: order compares maps, and maps are ordered', () => {
  const open = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string): void => {
    assert.ok(!open.has(file), `a circle: ${[...open, file].join(' -> ')}`);
    if (done.has(file) || file.startsWith('terms/')) return;
    open.add(file);
    for (const loaded of loadedBy(file)) visit(loaded);
    open.delete(file);
    done.add(file);
  };
  for (const file of files) visit(file);
});

test('every package that is depended on has its door', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  assert.deepEqual(Object.keys(dependencies).sort(), Object.keys(DOORS).sort());
});

test('only the modules of epmd-client that need nothing else are loaded', () => {
  const loaded = importsOf('dist/erl_epmd.ts').filter((specifier) => specifier.startsWith('epmd-client'));
  assert.deepEqual(loaded, ['epmd-client/protocol/decoder.js', 'epmd-client/protocol/encoder.js']);
});
