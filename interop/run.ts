// Plays the interop tests with every release and in clusters of several: `npm run test:interop` (the scenarios of
// distributed applications in full with OTP 25, in short with 27 and 29), `npm run test:matrix` (in full with all).
//
//   node build/interop/run.js [--matrix] [--otp NN] [--only TEXT] [--jobs N] [--product] [--cycles N] [--minutes N]
//                             [--brokers] [--windows]
//
// Every module of interop/ and interop/scenarios/ that exports `run(suite)` names its tests there, one that exports
// `pass(suite)` those of a release that is played in short, if they are others. `--product`: every mix of roles, as in the
// matrix. One line for each test with its time; what the processes of a failed one said follows. Tests are never skipped: without an
// Erlang/OTP to test against the run fails and says what is missing.
//
// Only when asked for: --minutes N of random traffic, --brokers (RabbitMQ and ejabberd), --windows (an observer's).
//
// A run over all releases prints a table of versions. The README shows that of `npm test`, which fails if it shows
// another one: --write-table puts it there. --continue does not play again what this same build has passed in an
// earlier run, and says so.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { label, type Outcome, playAll } from './play.js';
import { PassedBefore } from './played.js';
import { ALL_RELEASES, type Release, release, releaseOnPath } from './releases.js';
import { Suite, type Test, Turnstile } from './suite.js';
import { isInReadme, REWRITE, versionTable, writeToReadme } from './version_table.js';

const { values: flags } = parseArgs({
  options: {
    matrix: { type: 'boolean', default: false },
    'write-table': { type: 'boolean', default: false },
    continue: { type: 'boolean', default: false },
    otp: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    product: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    cycles: { type: 'string' },
    minutes: { type: 'string', default: '0' },
    brokers: { type: 'boolean', default: false },
    windows: { type: 'boolean', default: false },
  },
});

interface InteropModule {
  readonly name: string;
  readonly run?: (suite: Suite) => void | Promise<void>;
  readonly pass?: (suite: Suite) => void | Promise<void>;
}

/** The releases that a run without a wish plays in short, beside OTP 25. */
const IN_SHORT: readonly string[] = ['23', '27', '29'];

/** With other words than these a run is not the whole one whose table the README shows. */
const WHOLE = ['--write-table', '--continue', '--jobs'];

async function main(): Promise<number> {
  const started = Date.now();
  const releases = await findReleases();
  for (const found of releases.values()) console.log(found.line);
  const turnstile = new Turnstile();
  const wishes = { minutes: Number(flags.minutes), brokers: flags.brokers, windows: flags.windows };
  const suites: Suite[] = [];
  const cycles = flags.cycles === undefined ? undefined : Number(flags.cycles);
  const all = await modules();
  const missing: string[] = [];
  const short = flags.matrix || flags.otp !== undefined || !releases.has('25') ? [] : IN_SHORT;
  for (const otp of short) {
    const found = await release(otp).catch((error: Error) => {
      missing.push(`not played: OTP ${otp}: ${error.message}`);
    });
    if (found === undefined) continue;
    console.log(`${found.line}, in short`);
    releases.set(otp, found);
  }
  for (const found of releases.values()) {
    const inShort = short.includes(found.otp);
    const suite = new Suite(
      found,
      releases,
      {
        whole: found.otp === '25' || releases.size === 1,
        product: flags.matrix || flags.product,
        ...(inShort ? { beside: suites[0] as Suite } : {}),
      },
      turnstile,
      wishes,
      cycles,
    );
    for (const { name, run, pass } of all) {
      suite.module = name;
      await (inShort ? (pass ?? run) : run)?.(suite);
    }
    suites.push(suite);
  }
  const only = flags.only;
  const tests = suites
    .flatMap((suite) => suite.tests)
    .filter((test) => only === undefined || only.some((text) => label(test).includes(text)));
  const passed = await play(suites, tests);
  const failed = tests.length - passed.size;
  const isTableRight = suites.length > 1 ? tabled(suites, tests, passed) : true;
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`interop: ${tests.length} tests in ${seconds} s`);
  for (const line of missing) console.log(line);
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  // where there is no way to get them the short passes are left out, and that is said; not so in CI
  const lacking = missing.length > 0 && process.env['CI'] !== undefined;
  return failed === 0 && tests.length > 0 && isTableRight && !lacking ? 0 : 1;
}

/** Plays the tests that are to be played, and tells what takes longest; all that have passed. */
async function play(suites: readonly Suite[], tests: readonly Test[]): Promise<ReadonlySet<Test>> {
  const before = PassedBefore.read(suites);
  const passed = new Set(flags.continue ? tests.filter((test) => before.has(test)) : []);
  if (passed.size > 0)
    console.log(`${passed.size} tests were passed by this same build before, and are not played again`);
  const outcomes: Outcome[] = [];
  const tell = (outcome: Outcome) => {
    const { test, failure } = outcome;
    outcomes.push(outcome);
    if (failure === undefined) passed.add(test);
    before.note(test, failure === undefined);
    before.write();
    console.log(`${failure === undefined ? 'ok  ' : 'FAIL'} ${line(outcome)}`);
    if (failure !== undefined) console.log(failure.replace(/^/gm, '    '));
  };
  await playAll(
    tests.filter((test) => !passed.has(test)),
    Number(flags.jobs),
    tell,
  );
  const slowest = outcomes.sort((a, b) => b.seconds - a.seconds).slice(0, 10);
  if (outcomes.length > 20) console.log(['the slowest ten:', ...slowest.map(line)].join('\n     '));
  return passed;

  function line({ test, seconds }: Outcome): string {
    return `${seconds.toFixed(1).padStart(6)} s  ${suites.length > 1 ? label(test) : test.name}`;
  }
}

/** Prints the table of versions; false if the README shows another one than this whole run. */
function tabled(played: readonly Suite[], tests: readonly Test[], passed: ReadonlySet<Test>): boolean {
  const suites = [...played].sort((a, b) => Number(a.release.otp) - Number(b.release.otp));
  const table = versionTable(suites, tests, passed);
  console.log(`\n${table}`);
  const isWhole = process.argv
    .slice(2)
    .every((word) => !word.startsWith('--') || WHOLE.includes(word.replace(/=.*/, '')));
  if (!isWhole || passed.size < tests.length || suites.some((suite) => suite.refused)) return true;
  if (flags['write-table']) writeToReadme(table);
  if (isInReadme(table)) return true;
  console.log(`README.md shows another table of versions. This makes it the one above: ${REWRITE}`);
  return false;
}

/** The releases asked for; without a wish OTP 25, or what is on PATH where 25 cannot be had. */
async function findReleases(): Promise<Map<string, Release>> {
  const wished = flags.matrix ? ALL_RELEASES : flags.otp;
  const found = new Map<string, Release>();
  for (const otp of wished ?? ['25']) {
    try {
      found.set(otp, await release(otp));
    } catch (error) {
      const own = wished === undefined ? await releaseOnPath() : undefined;
      if (own === undefined || Number(own.otp) < 25) throw error;
      console.log((error as Error).message);
      found.set(own.otp, own);
    }
  }
  return found;
}

/** Every interop module beside this one, with its name. */
async function modules(): Promise<InteropModule[]> {
  const folders = [import.meta.dirname, join(import.meta.dirname, 'scenarios')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.js') && file !== 'run.js')
      .sort()
      .map((file) => join(folder, file)),
  );
  return await Promise.all(
    files.map(async (file) => {
      const { run, pass }: Omit<InteropModule, 'name'> = await import(pathToFileURL(file).href);
      return {
        name: basename(file, '.js'),
        ...(run === undefined ? {} : { run }),
        ...(pass === undefined ? {} : { pass }),
      };
    }),
  );
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  console.log('0 passed, 1 failed');
  return 1;
});
