// The table of versions that a run of the matrix prints, and its place in the README.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isInReadme, readme, versionTable, writeToReadme } from '../../interop/version_table.js';
import { suitesOf } from '../support/interop_suites.js';

const MARKS = ['<!-- what npm test printed -->', '<!-- end of what it printed -->'] as const;

function folder(t: TestContext, text: string): string {
  const root = mkdtempSync(join(tmpdir(), 'otpnode-table-'));
  t.after(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'README.md'), text);
  return root;
}

test('what passed is counted by area and release, in the order of the areas, what failed beside it', () => {
  const suites = suitesOf('25', '27');
  const [of25, of27] = suites;
  of25.name('probe', 'one', 'two').name('handshake', 'three').name('distribution', 'four');
  of27.name('probe', 'one', 'two').name('release_features', 'five');
  const tests = suites.flatMap(({ tests }) => tests);
  const passed = new Set(tests.filter((each) => !(each.suite === of27.suite && each.name === 'two')));
  assert.equal(
    versionTable(
      suites.map(({ suite }) => suite),
      tests,
      passed,
    ),
    [
      '| tests that passed                 | OTP 25 |      OTP 27 | 23 + 25 | 25 + 27 + 29 |',
      '| --------------------------------- | -----: | ----------: | ------: | -----------: |',
      '| handshake, names, cookies         |      1 |             |         |              |',
      '| messages, links, monitors, frames |      1 |           1 |         |              |',
      "| a node's 17 questions             |      2 | 1, 1 failed |         |              |",
      '| all                               |      4 | 2, 1 failed |       0 |            0 |',
      '',
    ].join('\n'),
  );
});

test('a test of a mixed cluster counts for its releases, not for the one it was named by', () => {
  const suites = suitesOf('23', '25');
  suites[0].name('mixed_releases', 'own');
  suites[1]
    .mixed('mixed_releases', ['23', '25'], 'old')
    .mixed('mixed_releases', ['25', '27', '29'], 'new', 'more');
  const tests = suites.flatMap(({ tests }) => tests);
  const [row] = versionTable(
    suites.map(({ suite }) => suite),
    tests,
    new Set(tests),
  )
    .split('\n')
    .slice(2);
  assert.deepEqual(cells(row), ['distributed applications', '1', '', '1', '2']);
});

test('where a module has no tests for a release the table says why, and a module of no area has a row of its own', () => {
  const suites = suitesOf('25', '27');
  suites[0].name('pack', 'packed').name('some_module', 'a');
  suites[1].without('pack', 'once');
  const tests = suites.flatMap(({ tests }) => tests);
  const rows = versionTable(
    suites.map(({ suite }) => suite),
    tests,
    new Set(tests),
  )
    .split('\n')
    .slice(2, 4);
  assert.deepEqual(rows.map(cells), [
    ['the npm package', '1', 'once', '', ''],
    ['some module', '1', '', '', ''],
  ]);
});

test('the table is put between its marks, and found there', (t) => {
  const root = folder(t, `before\n\n${MARKS[0]}\n\n| old |\n\n${MARKS[1]}\n\nafter\n`);
  const table = '| a |\n| - |\n';
  assert.equal(isInReadme(table, root), false);
  writeToReadme(table, root);
  assert.equal(isInReadme(table, root), true);
  assert.equal(isInReadme(`${table}| b |\n`, root), false);
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  assert.equal(text, `before\n\n${MARKS[0]}\n\n| a |\n| - |\n\n${MARKS[1]}\n\nafter\n`);
  assert.deepEqual(readme(root), ['before\n\n', '| a |\n| - |', '\nafter\n']);
});

test('a README without the marks is an error that names them', (t) => {
  for (const text of ['', `${MARKS[0]}\n`, `${MARKS[1]}\n${MARKS[0]}\n`]) {
    assert.throws(() => readme(folder(t, text)), new RegExp(`${MARKS[0]}.*${MARKS[1]}`));
  }
});

test('the table of our own README is there, with a column for each release and mix', () => {
  const [head = ''] = readme()[1].split('\n');
  const columns = ['OTP 23', 'OTP 25', 'OTP 27', 'OTP 29', '23 + 25', '25 + 27 + 29'];
  assert.deepEqual(cells(head), ['tests that passed', ...columns]);
});

function cells(row: string | undefined): string[] {
  return (row ?? '')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
