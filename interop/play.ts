// Plays tests: some clusters at a time, each closed when its last test is over, one line for each test.
import { Cluster } from './cluster.js';
import type { Shared, Test } from './suite.js';

const TEST_TIMEOUT_MS = 120_000;

/** What came of a test. */
export interface Outcome {
  readonly test: Test;
  readonly seconds: number;
  /** What went wrong, with what the processes of its cluster said. */
  readonly failure: string | undefined;
}

/**
 * Plays them, `jobs` clusters at a time, of those that mostly wait twice as many, and tells each one's outcome as soon as it
 * is known.
 */
export async function playAll(
  tests: readonly Test[],
  jobs: number,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  const queue = together(tests);
  const share = ([test]: readonly Test[]): number => (test?.options.waits === true ? 1 : 2);
  const playing = new Set<Promise<void>>();
  let free = 2 * jobs;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const taken = share(next);
    while (free < taken) await Promise.race(playing);
    free -= taken;
    const play: Promise<void> = playTogether(next, tell).finally(() => {
      free += taken;
      playing.delete(play);
    });
    playing.add(play);
  }
  await Promise.all(playing);
}

/** Tests that share a cluster, in one list each; any other alone. */
function together(tests: readonly Test[]): Test[][] {
  const lists = new Map<Shared | Test, Test[]>();
  for (const test of tests) {
    const key = test.shared ?? test;
    const list = lists.get(key) ?? [];
    list.push(test);
    lists.set(key, list);
  }
  return [...lists.values()];
}

/** What a test is called in a run of several releases. */
export function label(test: Test): string {
  const { mixed } = test.options;
  return mixed === undefined ? `otp ${test.suite.release.otp}: ${test.name}` : test.name;
}

/** Plays tests that share a cluster, or the one that has its own. */
async function playTogether(tests: readonly Test[], tell: (outcome: Outcome) => void): Promise<void> {
  const { suite, shared } = tests[0] as Test;
  let from = performance.now();
  const tellOf = (test: Test, failure: string | undefined) => {
    const now = performance.now();
    tell({ test, seconds: (now - from) / 1000, failure });
    from = now;
  };
  let cluster: Cluster | undefined;
  try {
    cluster = await opened(tests[0] as Test);
    await shared?.open(cluster, suite);
  } catch (error) {
    const why = `its cluster could not be opened: ${textOf(error)}\n${cluster?.report() ?? ''}`;
    for (const test of tests) tellOf(test, why);
    await cluster?.close();
    return;
  }
  for (const test of tests) {
    let failure = await play(test, cluster);
    if (test === tests.at(-1)) {
      failure = (await shared?.close().catch(textOf)) ?? failure;
      await cluster.close();
    }
    tellOf(test, failure);
  }
}

function opened({ suite, options: { release, epmd, cookie } }: Test): Promise<Cluster> {
  return suite.busily(() =>
    Cluster.open({
      release: release ?? suite.release,
      ...(epmd === undefined ? {} : { epmd }),
      ...(cookie === undefined ? {} : { cookie }),
    }),
  );
}

/** Plays one test; what went wrong, or undefined. */
async function play(test: Test, cluster: Cluster): Promise<string | undefined> {
  const { timeoutMs = TEST_TIMEOUT_MS } = test.options;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${timeoutMs} ms`)), timeoutMs);
    });
    await Promise.race([test.body(cluster, test.suite), late]);
    return undefined;
  } catch (error) {
    return `${textOf(error)}\n${cluster.report()}`;
  } finally {
    clearTimeout(timer);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
