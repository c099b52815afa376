// Suites of interop tests that are named and never played.
import type { Release } from '../../interop/releases.js';
import { Suite, type Test, Turnstile } from '../../interop/suite.js';

const WISHES = { minutes: 0, brokers: false, windows: false };

export class NamedSuite {
  readonly suite: Suite;

  constructor(suite: Suite) {
    this.suite = suite;
  }

  get tests(): readonly Test[] {
    return this.suite.tests;
  }

  /** Tests of that module. */
  name(module: string, ...names: readonly string[]): this {
    this.suite.module = module;
    for (const name of names) this.suite.test(name, () => Promise.resolve());
    return this;
  }

  /** Tests of that module with clusters of these releases. */
  mixed(module: string, mixed: readonly string[], ...names: readonly string[]): this {
    this.suite.module = module;
    for (const name of names) this.suite.test(name, () => Promise.resolve(), { mixed });
    return this;
  }

  without(module: string, why: string): void {
    this.suite.module = module;
    this.suite.without(why);
  }
}

/** One for each of two releases. */
export function suitesOf(...releases: readonly [string, string]): [NamedSuite, NamedSuite] {
  const [a, b] = releases.map((otp) => releaseOf(otp)) as [Release, Release];
  return [suiteOf(a), suiteOf(b)];
}

export function suiteOf(release: Release): NamedSuite {
  const extent = { whole: true, product: true };
  return new NamedSuite(new Suite(release, new Map(), extent, new Turnstile(), WISHES));
}

/** A release that says of itself that it is of that version. */
export function releaseOf(otp: string, version = `${otp}.0.1`): Release {
  return { otp, elixir: '1.14', bin: '/nowhere', line: `otp ${otp}: ready (${version}, Elixir 1.14.0)` };
}
