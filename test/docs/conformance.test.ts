// docs/conformance.md: every statement is there once, and the tests that it names are there.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const STATEMENTS = 102;
const TEXT = readFileSync('docs/conformance.md', 'utf8');

/** `[start]` → `dist_ac_start.test.ts`, as the page introduces them. */
const FILES = new Map([...TEXT.matchAll(/(\[\w+\])\s`(\w+\.test\.ts)`/g)].map((m) => [m[1], m[2]]));

/** The cells of the rows of all tables, without their headings. */
const ROWS = TEXT.split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

const statements = ROWS.filter(([no]) => /^\d+$/.test(no ?? ''));
const scenarios = ROWS.filter(([first]) => /^`[\w/]+\.ts`: /.test(first ?? ''));

/** The numbers of statements in the names of a file's tests. */
function numbersIn(file: string): Set<number> {
  const names = [...readFileSync(file, 'utf8').matchAll(/^\s*test\(\s*(['"`])(.*?)\1/gm)].map((m) => m[2]);
  const lists = names.flatMap((name) => [...(name ?? '').matchAll(/dist_ac (\d+(?:, \d+)*)/g)]);
  return new Set(lists.flatMap((m) => (m[1] ?? '').split(', ').map(Number)));
}

const NUMBERS = new Map([...FILES].map(([tag, file]) => [tag, numbersIn(`test/kernel/${file}`)]));

/** A file and how a test in it is called: `` `FILE`: `BEGINNING OF A NAME` ``. */
function assertNamed(cell: string): void {
  const [, file, name] = /`([^`]+\.ts)`: `([^`]+)`/.exec(cell) ?? [];
  assert.ok(file !== undefined && name !== undefined, `${cell} names no test`);
  const path = file.includes('/') ? file : `interop/scenarios/${file}`;
  assert.ok(existsSync(path), `there is no ${path}`);
  assert.ok(readFileSync(path, 'utf8').includes(name), `${path} has no test ${name}`);
}

test('every statement has its entry, in order', () => {
  const expected = Array.from({ length: STATEMENTS }, (_, i) => String(i + 1));
  assert.deepEqual(
    statements.map(([no]) => no),
    expected,
  );
});

test('every statement names tests that exist and bear its number', () => {
  for (const [no, , where = ''] of statements) {
    const tags = where.match(/\[\w+\]/g) ?? [];
    for (const tag of tags) {
      assert.ok(NUMBERS.get(tag)?.has(Number(no)), `${no}: no test of ${tag} has its number`);
    }
    if (tags.length === 0) assertNamed(where);
  }
});

test('every test that bears the number of a statement is named by it', () => {
  for (const [tag, numbers] of NUMBERS) {
    for (const number of numbers) {
      const where = statements[number - 1]?.[2] ?? '';
      assert.ok(where.includes(tag as string), `statement ${number} does not name ${tag}`);
    }
  }
});

test('the scenarios with BEAM nodes exist, and so do the statements in play there', () => {
  assert.ok(scenarios.length > 0);
  for (const [scenario = '', inPlay = ''] of scenarios) {
    assertNamed(scenario);
    const numbers = (inPlay.match(/\d+/g) ?? []).map(Number);
    assert.ok(
      numbers.length > 0 && numbers.every((n) => n >= 1 && n <= STATEMENTS),
      `${scenario}: ${inPlay}`,
    );
  }
});

test('the statements about peers that no BEAM node is in play for are those that the page says', () => {
  const inPlay = scenarios.flatMap(([, cell = '']) => (cell.match(/\d+/g) ?? []).map(Number));
  const missing = Array.from({ length: STATEMENTS - 10 }, (_, i) => i + 11).filter(
    (no) => !inPlay.includes(no),
  );
  const [, said = ''] = /these are not in play there[^:]*:\n([\d, \n]+)\./.exec(TEXT) ?? [];
  assert.deepEqual(said.split(/,\s*/).map(Number), missing);
});

test('every file of tests that the page mentions exists', () => {
  for (const [, path = ''] of TEXT.matchAll(/`((?:test|interop)\/[\w/]+\.ts)`/g))
    assert.ok(existsSync(path), path);
  assert.ok(
    readdirSync('test/kernel').filter((file) => [...FILES.values()].includes(file)).length === FILES.size,
  );
});

test('every deviation that a statement names is explained', () => {
  for (const [, name] of TEXT.matchAll(/\*\*(D\d+)\*\*/g)) {
    assert.ok(TEXT.includes(`- **${name} `), `${name} is not explained`);
  }
});
