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
  /** The releases in a cluster of several: counted for them, not for the release under test. */
  readonly mixed?: readonly string[];
  /** It mostly waits: two such tests are played where one of another kind is. */
  readonly waits?: boolean;
}

/** In how much detail a release is played. */
export interface Extent {
  /** True when this release is played in full, false for the short pass over it. */
  readonly whole: boolean;
  /** True when every mix of every scenario is played, not one of several that are alike. */
  readonly product: boolean;
  /** The suite beside which this one is played in short, and whose plays on BEAM alone are the yardstick of both. */
  readonly beside?: Suite;
}

export type TestBody = (cluster: Cluster, suite: Suite) => Promise<void>;

export interface Test {
  readonly name: string;
  readonly body: TestBody;
  readonly options: TestOptions;
  readonly suite: Suite;
  /** The module that names it. */
  readonly module: string;
  /** Tests with the same one are played in one cluster, one after the other. */
  readonly shared?: Shared;
}

/** What several tests have in common, made once in their cluster. */
export interface Shared {
  readonly open: (cluster: Cluster, suite: Suite) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What is played only when asked for. */
export interface Wishes {
  /** So many minutes of random traffic. */
  readonly minutes: number;
  /** With RabbitMQ and ejabberd, which have to be installed. */
  readonly brokers: boolean;
  /** With the windows of an observer, for which Xvfb has to be installed. */
  readonly windows: boolean;
}

/** The tests of one release (or of a mixed set of them). */
export class Suite {
  /** The release under test: the observer's, and EPMD's. */
  readonly release: Release;
  /** The releases that are there, for clusters of several. */
  readonly releases: ReadonlyMap<string, Release>;
  readonly whole: boolean;
  readonly product: boolean;
  readonly beside: Suite | undefined;
  readonly tests: Test[] = [];
  /** The module whose `run` is naming its tests. */
  module = '';
  /** Why a module has no tests for this release, in a word. */
  readonly absent: Map<string, string> = new Map();
  /** Whether something of it cannot be played on this machine, which was said. */
  refused = false;
  readonly wishes: Wishes;
  /** How often tests that repeat themselves do so (`--cycles N`); undefined: the short version of each. */
  readonly cycles: number | undefined;
  readonly #turnstile: Turnstile;

  constructor(
    release: Release,
    releases: ReadonlyMap<string, Release>,
    extent: Extent,
    turnstile: Turnstile,
    wishes: Wishes,
    cycles?: number,
  ) {
    this.release = release;
    this.releases = releases;
    this.whole = extent.whole;
    this.product = extent.product;
    this.beside = extent.beside;
    this.#turnstile = turnstile;
    this.wishes = wishes;
    this.cycles = cycles;
  }

  /** Whether this is the first release of a run: what has several of them, or none, is played once. */
  get first(): boolean {
    return this.releases.values().next().value === this.release;
  }

  /** Names a test; its body gets a cluster of its own, closed afterwards whatever happens. */
  test(name: string, body: TestBody, options: TestOptions = {}): void {
    this.tests.push({ name, body, options, suite: this, module: this.module });
  }

  /**
   * Names tests that share one cluster and what `open` makes in it, which is disposed of after the last. Each is
   * counted, timed and told by itself.
   */
  sharing<T extends AsyncDisposable>(
    open: (cluster: Cluster, suite: Suite) => Promise<T>,
    tests: readonly (readonly [string, (of: T) => Promise<void>])[],
    options: TestOptions = {},
  ): void {
    let opened: T | undefined;
    const shared: Shared = {
      open: async (cluster, suite) => {
        opened = await open(cluster, suite);
      },
      close: async () => {
        await opened?.[Symbol.asyncDispose]();
      },
    };
    for (const [name, body] of tests) {
      this.tests.push({
        ...{ name, options, suite: this, module: this.module, shared },
        body: () => body(opened as T),
      });
    }
  }

  /** Says in a word why this module has no tests for this release. */
  without(why: string): void {
    this.absent.set(this.module, why);
  }

  /** Says what a test measured. */
  tell(figures: string): void {
    console.log(`    ${figures}`);
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
