// What this build has passed already, in a file of its folder: a later run that is told to goes on from there
// (`--continue`). Any change of what is tested, of the tests, or of a release makes it void.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { label } from './play.js';
import { ROOT } from './releases.js';
import type { Suite, Test } from './suite.js';
import { readme } from './version_table.js';

const FILE = join('build', 'interop_passed.json');

interface Passed {
  /** The digest of everything that tests read, and of the releases' lines by number. */
  readonly build: string;
  /** By release, what it said of itself; a tree made anew may be another patch. */
  readonly releases: Record<string, string>;
  readonly tests: string[];
}

/** The tests that this build has passed with these releases. */
export class PassedBefore {
  readonly #build: string;
  readonly #releases: Record<string, string>;
  readonly #tests: Set<string>;
  readonly #root: string;

  private constructor(build: string, releases: Record<string, string>, tests: Set<string>, root: string) {
    this.#root = root;
    this.#build = build;
    this.#releases = releases;
    this.#tests = tests;
  }

  /** What the file says, without the tests of releases that are not as they were. */
  static read(suites: readonly Suite[], root: string = ROOT): PassedBefore {
    const build = digest(root);
    const known = knownBy(build, root);
    const now = Object.fromEntries(suites.map(({ release }) => [release.otp, versionsOf(release.line)]));
    const changed = Object.keys(now).filter((otp) => (known?.releases[otp] ?? now[otp]) !== now[otp]);
    const isOld = (name: string) =>
      changed.length > 0 &&
      (!name.startsWith('otp ') || changed.some((otp) => name.startsWith(`otp ${otp}:`)));
    const tests = (known?.tests ?? []).filter((name) => !isOld(name));
    return new PassedBefore(build, { ...known?.releases, ...now }, new Set(tests), root);
  }

  has(test: Test): boolean {
    return this.#tests.has(label(test));
  }

  /** Notes what has passed now, and what has not. */
  note(test: Test, passed: boolean): void {
    if (passed) this.#tests.add(label(test));
    else this.#tests.delete(label(test));
  }

  write(): void {
    const passed: Passed = { build: this.#build, releases: this.#releases, tests: [...this.#tests] };
    writeFileSync(join(this.#root, FILE), JSON.stringify(passed));
  }
}

/** `25.2.3, Elixir 1.14.0`, however the tree came to be. */
function versionsOf(line: string): string {
  return /\((.*)\)$/.exec(line)?.[1] ?? line;
}

function knownBy(build: string, root: string): Passed | undefined {
  try {
    const passed = JSON.parse(readFileSync(join(root, FILE), 'utf8')) as Passed;
    return passed.build === build ? passed : undefined;
  } catch {
    return undefined; // no run has written it yet, or not to its end
  }
}

/** Of all files that a test may read, and of Node.js; the README's own table does not count. */
function digest(root: string): string {
  const hash = createHash('sha256').update(process.version);
  const [before, , after] = readme(root);
  hash.update(before).update(after);
  for (const folder of ['build/src', 'build/interop', 'build/test/support', 'interop', 'erl-config']) {
    const files = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    for (const path of paths.sort()) hash.update(path).update(readFileSync(path));
  }
  return hash.update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
}
