import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findApplication } from '../../src/cli/find_application.js';

/** Finds an application in a directory with these files. */
async function find(
  files: Readonly<Record<string, string>>,
  name: string,
  paths: readonly string[],
): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'otpnode-apps-'));
  try {
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, file)), { recursive: true });
      writeFileSync(join(cwd, file), content);
    }
    return (await findApplication(name, paths, cwd)).spec.description ?? '';
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

const esm = (name: string, description: string): string =>
  `export default { spec: { name: '${name}', description: '${description}' } };`;
const cjs = (name: string, description: string): string =>
  `module.exports = { spec: { name: '${name}', description: '${description}' } };`;

test('distro is built in, -pa goes before it', async () => {
  assert.equal(await find({}, 'distro', []), 'distro');
  assert.equal(await find({}, 'distro', ['_build/dev/lib/distro/ebin']), 'distro');
  assert.equal(await find({ 'd/distro.mjs': esm('distro', 'mine') }, 'distro', ['d']), 'mine');
});

test('a file of either kind, in the order of -pa', async () => {
  const files = { 'a/calc.mjs': esm('calc', 'a'), 'b/calc.cjs': cjs('calc', 'b') };
  assert.equal(await find(files, 'calc', ['a', 'b']), 'a');
  assert.equal(await find(files, 'calc', ['b', 'a']), 'b');
  const compiled =
    'exports.__esModule = true; exports.default = { spec: { name: "calc", description: "ts" } };';
  assert.equal(await find({ 'calc.cjs': compiled }, 'calc', ['.']), 'ts');
});

test('a package in the directory, or the directory itself', async () => {
  const json = JSON.stringify({ name: 'calc', type: 'module', exports: { '.': { import: './lib/app.js' } } });
  const files = { 'apps/calc/package.json': json, 'apps/calc/lib/app.js': esm('calc', 'package') };
  assert.equal(await find(files, 'calc', ['apps']), 'package');
  assert.equal(await find(files, 'calc', ['apps/calc']), 'package');
  assert.equal(await find({ 'calc/index.mjs': esm('calc', 'index') }, 'calc', ['.']), 'index');
});

test('what cannot be used is told in one line', async () => {
  const refused = (files: Readonly<Record<string, string>>, name: string, message: RegExp): Promise<void> =>
    assert.rejects(find(files, name, ['.']), (error: Error & { code: string }) => {
      assert.equal(error.code, 'bad_option');
      assert.match(error.message, message);
      return true;
    });
  await refused({}, 'calc', /there is no application calc; -pa \. has no calc\.js/);
  await refused({ 'calc.mjs': 'export default 1;' }, 'calc', /calc\.mjs is no application/);
  await refused({ 'calc.mjs': 'throw new Error("boom");' }, 'calc', /cannot be loaded from .*: boom/);
  await refused(
    { 'calc.mjs': 'throw new Error("boom\\nbang");' },
    'calc',
    /cannot be loaded from [^\n]*: boom$/,
  );
  await refused({ 'calc.cjs': 'require("./gone.cjs");' }, 'calc', /Cannot find module '.\/gone.cjs'$/);
  await refused({ 'calc.mjs': esm('other', '') }, 'calc', /is the application other, not calc/);
  await refused({ 'calc/package.json': '{' }, 'calc', /is no JSON/);
});
