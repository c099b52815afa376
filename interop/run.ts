// Plays the interop tests: `npm run test:interop` (OTP 25), `npm run test:matrix` (every release, mixed clusters).
//
//   node build/interop/run.js [--matrix] [--otp NN] [--only TEXT] [--jobs N]
//
// Every module of interop/ and interop/scenarios/ that exports `run(suite)` names its tests there. One line for
// each test with its time; what the processes of a failed one said follows. Tests are never skipped: without an
// Erlang/OTP to test against the run fails and says what is missing.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.js';
import { ALL_RELEASES, type Release, release, releaseOnPath } from './releases.js';
import { Suite, type Test, Turnstile } from './suite.js';

const { values: flags } = parseArgs({
  options: {
    matrix: { type: 'boolean', default: false },
    otp: { type: 'string', multiple: true },
    only: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
});

interface InteropModule {
  readonly run?: (suite: Suite) => void | Promise<void>;
}

const TEST_TIMEOUT_MS = 120_000;

async function main(): Promise<number> {
  const started = Date.now();
  const releases = await findReleases();
  for (const found of releases.values()) console.log(found.line);
  const turnstile = new Turnstile();
  const suites: Suite[] = [];
  for (const found of releases.values()) {
    const suite = new Suite(found, releases, found.otp === '25' || releases.size === 1, turnstile);
    for (const run of await modules()) await run(suite);
    suites.push(suite);
  }
  const only = flags.only;
  const tests = suites
    .flatMap((suite) => suite.tests)
    .filter((test) => only === undefined || test.name.includes(only));
  const failures = await playAll(tests, releases.size > 1);
  const failed = failures.size;
  if (releases.size > 1) console.log(table(suites, tests, failures));
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`interop: ${tests.length} tests in ${seconds} s`);
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  return failed === 0 && tests.length > 0 ? 0 : 1;
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

/** The `run` of every interop module beside this one. */
async function modules(): Promise<((suite: Suite) => void | Promise<void>)[]> {
  const folders = [import.meta.dirname, join(import.meta.dirname, 'scenarios')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.js') && file !== 'run.js')
      .sort()
      .map((file) => join(folder, file)),
  );
  const loaded = await Promise.all(
    files.map(async (file): Promise<InteropModule> => import(pathToFileURL(file).href)),
  );
  return loaded.flatMap((module) => module.run ?? []);
}

/** What each release came to, as the README shows it. */
function table(suites: readonly Suite[], tests: readonly Test[], failures: ReadonlySet<Test>): string {
  const rows = suites.map((suite) => {
    const own = tests.filter((test) => test.suite === suite);
    const failed = own.filter((test) => failures.has(test)).length;
    return `| ${suite.release.otp} | ${suite.release.elixir} | ${own.length - failed} | ${failed} |`;
  });
  return ['| Erlang/OTP | Elixir | passed | failed |', '|---|---|--:|--:|', ...rows].join('\n');
}

/** Plays them, some at a time; those that failed. */
async function playAll(tests: readonly Test[], several: boolean): Promise<ReadonlySet<Test>> {
  const queue = [...tests];
  const failed = new Set<Test>();
  const worker = async () => {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      const label = several ? `otp ${test.suite.release.otp}: ${test.name}` : test.name;
      const from = Date.now();
      const failure = await play(test);
      const time = `${((Date.now() - from) / 1000).toFixed(1).padStart(6)} s`;
      console.log(`${failure === undefined ? 'ok  ' : 'FAIL'} ${time}  ${label}`);
      if (failure === undefined) continue;
      failed.add(test);
      console.log(failure.replace(/^/gm, '    '));
    }
  };
  await Promise.all(Array.from({ length: Number(flags.jobs) }, worker));
  return failed;
}

/** Plays one test in a cluster of its own; what went wrong, or undefined. */
async function play(test: Test): Promise<string | undefined> {
  const { epmd, cookie, timeoutMs = TEST_TIMEOUT_MS } = test.options;
  let cluster: Cluster | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const opened = await test.suite.busily(() =>
      Cluster.open({
        release: test.options.release ?? test.suite.release,
        ...(epmd === undefined ? {} : { epmd }),
        ...(cookie === undefined ? {} : { cookie }),
      }),
    );
    cluster = opened;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${timeoutMs} ms`)), timeoutMs);
    });
    await Promise.race([test.body(opened, test.suite), late]);
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return cluster === undefined ? text : `${text}\n${cluster.report()}`;
  } finally {
    clearTimeout(timer);
    await cluster?.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  console.log('0 passed, 1 failed');
  return 1;
});
