// What a run remembers of an earlier one of the same build, for `--continue`.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PassedBefore } from '../../interop/played.js';
import type { Suite, Test } from '../../interop/suite.js';
import { releaseOf, suiteOf, suitesOf } from '../support/interop_suites.js';

const TABLE = '<!-- what npm test printed -->\n\n| old |\n\n<!-- end of what it printed -->\n';

/** A project of a few files. */
function project(t: TestContext): { root: string; write: (path: string, text: string) => void } {
  const root = mkdtempSync(join(tmpdir(), 'otpnode-played-'));
  t.after(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('README.md', `before\n${TABLE}after\n`);
  for (const folder of ['build/src', 'build/interop', 'build/test/support', 'interop', 'erl-config']) {
    write(`${folder}/file`, folder);
  }
  write('package-lock.json', '{}');
  return { root, write };
}

function plays(suites: readonly Suite[], passed: readonly Test[], root: string): void {
  const before = PassedBefore.read(suites, root);
  for (const each of passed) before.note(each, true);
  before.write();
}

/** Which of these a later run finds passed. */
function found(suites: readonly Suite[], tests: readonly Test[], root: string): string[] {
  const before = PassedBefore.read(suites, root);
  return tests.filter((each) => before.has(each)).map((each) => each.name);
}

test('what passed is found again, by release; what failed later is not', (t) => {
  const { root } = project(t);
  const [of25, of27] = suitesOf('25', '27');
  of25.name('probe', 'one', 'two');
  of27.name('probe', 'one');
  const suites = [of25.suite, of27.suite];
  const [one, two] = of25.tests as [Test, Test];
  assert.deepEqual(found(suites, of25.tests, root), []);
  plays(suites, [one, two], root);
  assert.deepEqual(found(suites, of25.tests, root), ['one', 'two']);
  assert.deepEqual(found(suites, of27.tests, root), []);
  const before = PassedBefore.read(suites, root);
  before.note(two, false);
  before.write();
  assert.deepEqual(found(suites, of25.tests, root), ['one']);
});

test('a run of other releases keeps what is known', (t) => {
  const { root } = project(t);
  const [of25, of27] = suitesOf('25', '27');
  of25.name('probe', 'one');
  of27.name('probe', 'one');
  plays([of25.suite], of25.tests, root);
  plays([of27.suite], of27.tests, root);
  assert.deepEqual(found([of25.suite, of27.suite], [...of25.tests, ...of27.tests], root), ['one', 'one']);
});

for (const path of [
  'build/src/file',
  'build/interop/file',
  'build/test/support/file',
  'build/src/new_file',
  'interop/file',
  'erl-config/file',
  'package-lock.json',
]) {
  test(`nothing counts any more when ${path} has changed`, (t) => {
    const { root, write } = project(t);
    const of25 = suiteOf(releaseOf('25')).name('probe', 'one');
    plays([of25.suite], of25.tests, root);
    write(path, 'changed');
    assert.deepEqual(found([of25.suite], of25.tests, root), []);
  });
}

test('of the README all counts but its table', (t) => {
  const { root, write } = project(t);
  const of25 = suiteOf(releaseOf('25')).name('probe', 'one');
  plays([of25.suite], of25.tests, root);
  write('README.md', `before\n${TABLE.replace('old', 'new')}after\n`);
  assert.deepEqual(found([of25.suite], of25.tests, root), ['one']);
  write('README.md', `before\n${TABLE}changed\n`);
  assert.deepEqual(found([of25.suite], of25.tests, root), []);
});

test('another patch of a release makes its own tests void, and those of mixed clusters', (t) => {
  const { root } = project(t);
  const of25 = suiteOf(releaseOf('25')).name('probe', 'of 25').mixed('mixed_releases', ['23', '25'], 'mixed');
  const of27 = suiteOf(releaseOf('27')).name('probe', 'of 27');
  const tests = [...of25.tests, ...of27.tests];
  plays([of25.suite, of27.suite], tests, root);
  const newer = suiteOf(releaseOf('27', '27.9')).suite;
  assert.deepEqual(found([of25.suite, newer], tests, root), ['of 25']);
  plays([of25.suite], [], root); // a run of others in between does not hide it
  assert.deepEqual(found([of25.suite, newer], tests, root), ['of 25']);
});

test('the same patch that comes from elsewhere is the same', (t) => {
  const { root } = project(t);
  const of25 = suiteOf(releaseOf('25')).name('probe', 'one');
  plays([of25.suite], of25.tests, root);
  const elsewhere = suiteOf({ ...releaseOf('25'), line: 'otp 25: made (25.0.1, Elixir 1.14.0)' }).suite;
  assert.deepEqual(found([elsewhere], of25.tests, root), ['one']);
});

test('a record that is none counts for nothing', (t) => {
  const { root, write } = project(t);
  const of25 = suiteOf(releaseOf('25')).name('probe', 'one');
  write('build/interop_passed.json', '{"build": ');
  assert.deepEqual(found([of25.suite], of25.tests, root), []);
});
