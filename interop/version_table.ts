// The table of versions: what passed in which area with which release, as the README shows it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { areaOf, areasOf } from './areas.js';
import { ROOT } from './releases.js';
import type { Suite, Test } from './suite.js';

const BEGIN = '<!-- what npm test printed -->\n';
const END = '<!-- end of what it printed -->\n';

/** What makes the README's table what a run prints. */
export const REWRITE = 'npm run test:interop -- --write-table';

/** Clusters of several releases: those with 23, which 27 and 29 refuse, and the others. */
const MIXED = ['23 + 25', '25 + 27 + 29'] as const;

/** The column of a test: its release, or the releases of its cluster. */
function columnOf(test: Test): string {
  const { mixed } = test.options;
  if (mixed === undefined) return `OTP ${test.suite.release.otp}`;
  return mixed.includes('23') ? MIXED[0] : MIXED[1];
}

/** How many tests passed, by area and release, as Markdown. Where none exist, the word that says why. */
export function versionTable(
  suites: readonly Suite[],
  tests: readonly Test[],
  passed: ReadonlySet<Test>,
): string {
  const columns = [...suites.map((suite) => `OTP ${suite.release.otp}`), ...MIXED];
  const cell = (of: readonly Test[]) => {
    const failed = of.filter((test) => !passed.has(test)).length;
    return `${of.length - failed}${failed === 0 ? '' : `, ${failed} failed`}`;
  };
  const areas = areasOf([...new Set(suites.flatMap((suite) => suite.tests.map((test) => test.module)))]);
  const rows = areas.map((area) => {
    const own = tests.filter((test) => areaOf(test.module) === area);
    return [
      area,
      ...columns.map((column) => {
        const here = own.filter((test) => columnOf(test) === column);
        return here.length > 0 ? cell(here) : why(suites, area, column);
      }),
    ];
  });
  const all = columns.map((column) => cell(tests.filter((test) => columnOf(test) === column)));
  return markdown([['tests that passed', ...columns], ...rows, ['all', ...all]]);
}

function why(suites: readonly Suite[], area: string, column: string): string {
  const suite = suites.find(({ release }) => `OTP ${release.otp}` === column);
  const words = [...(suite?.absent ?? [])].filter(([module]) => areaOf(module) === area);
  return words[0]?.[1] ?? '';
}

/** A table with columns as wide as their widest cell. */
function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const [head = [], ...body] = rows;
  return `${[line(head), `| ${rule.join(' | ')} |`, ...body.map(line)].join('\n')}\n`;
}

/** The README, cut at its table: what is before, the table, what is after. */
export function readme(root: string = ROOT): readonly [string, string, string] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const [before, rest] = text.split(BEGIN);
  const [table, after] = rest?.split(END) ?? [];
  if (before === undefined || table === undefined || after === undefined) {
    throw new Error(`README.md has no lines "${BEGIN.trim()}" and "${END.trim()}" around its table`);
  }
  return [before, table.trim(), after];
}

/** Whether the README shows this table. */
export function isInReadme(table: string, root: string = ROOT): boolean {
  return readme(root)[1] === table.trim();
}

/** Puts the table into the README. */
export function writeToReadme(table: string, root: string = ROOT): void {
  const [before, , after] = readme(root);
  writeFileSync(join(root, 'README.md'), `${before}${BEGIN}\n${table}\n${END}${after}`);
}
