// What an interop file exports and what it is given: `run(suite)` names tests; the runner plays them.
import type { Cluster, Kind } from './cluster.js';
import type { Release } from './releases.js';

export interface TestOptions {
  /** Whose EPMD the cluster has; `none`: none, and no observer either. */
  readonly epmd?: 'otpnode' | 'beam' | 'none';
  /** The observer's release; default: the release under test. */
  readonly release?: Release;
  readonly cookie?: string;
  readonly timeoutMs?: number;
}

export type TestBody = (cluster: Cluster, suite: Suite) => Promise<void>;

export interface Test {
  readonly name: string;
  readonly body: TestBody;
  readonly options: TestOptions;
  readonly suite: Suite;
}

/** The tests of one release (or of a mixed set of them). */
export class Suite {
  /** The release under test: the observer's, and EPMD's. */
  readonly release: Release;
  /** The releases that are there, for clusters of several. */
  readonly releases: ReadonlyMap<string, Release>;
  /** True when this release is played in full, false for the short pass over it. */
  readonly whole: boolean;
  readonly tests: Test[] = [];
  readonly #turnstile: Turnstile;

  constructor(
    release: Release,
    releases: ReadonlyMap<string, Release>,
    whole: boolean,
    turnstile: Turnstile,
  ) {
    this.release = release;
    this.releases = releases;
    this.whole = whole;
    this.#turnstile = turnstile;
  }

  /** Names a test; its body gets a cluster of its own, closed afterwards whatever happens. */
  test(name: string, body: TestBody, options: TestOptions = {}): void {
    this.tests.push({ name, body, options, suite: this });
  }

  /** Work that loads the machine, such as starting nodes: not while another test measures. */
  busily<T>(work: () => Promise<T>): Promise<T> {
    return this.#turnstile.shared(work);
  }

  /** A measurement: no other test starts or measures anything meanwhile. */
  quietly<T>(work: () => Promise<T>): Promise<T> {
    return this.#turnstile.alone(work);
  }
}

/** Many may be busy at once; who measures is alone. First come, first served. */
export class Turnstile {
  #busy = 0;
  #alone = false;
  readonly #queue: { readonly alone: boolean; readonly go: () => void }[] = [];

  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.#enter(false, work);
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#enter(true, work);
  }

  async #enter<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((go) => {
      this.#queue.push({ alone, go });
      this.#next();
    });
    try {
      return await work();
    } finally {
      if (alone) this.#alone = false;
      else this.#busy--;
      this.#next();
    }
  }

  #next(): void {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || this.#alone || (first.alone && this.#busy > 0)) return;
      this.#queue.shift();
      if (first.alone) this.#alone = true;
      else this.#busy++;
      first.go();
    }
  }
}

/** `otpnode` or `OTP 25`. */
export function kindName(kind: Kind): string {
  return kind === 'otpnode' ? 'otpnode' : `OTP ${kind.otp}`;
}

/** Fails with `message` unless the condition holds. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Fails unless both texts are the same. */
export function same(actual: string, expected: string, what: string): void {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}
