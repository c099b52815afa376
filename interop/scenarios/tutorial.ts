// The tutorial: cold start, kill -9, failover, return, takeover back, two killed; a call from every node after each step.
// Every role is played by either side. The all-Elixir run is the yardstick of the times for all the others.
import { Cluster, type Kind, RESTART_MS, ROLES, type Role, type StartOptions } from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import { check, kindName, type Suite } from '../suite.js';

type Mix = Record<Role, Kind>;

/** Of each failover: milliseconds from the kill to the first answered call of each survivor. */
type Gaps = ReadonlyMap<string, readonly { readonly role: string; readonly ms: number }[]>;

/** How much longer than BEAM's own a gap may be. */
const MORE_THAN_BEAM_MS = 100;

/** BEAM's own takeover leaves the name undefined for up to 150 ms on the other nodes; on a busy machine longer. */
const TAKEOVER_GAP_MS = 1000;

/** A different order of the cold start for each mix. */
const ORDERS: readonly (readonly Role[])[] = [
  ['abc', 'bcd', 'def'],
  ['def', 'bcd', 'abc'],
  ['bcd', 'abc', 'def'],
  ['bcd', 'def', 'abc'],
  ['def', 'abc', 'bcd'],
  ['abc', 'def', 'bcd'],
];

/** Room for the all-Elixir run as well, where that is not among the tests that are played. */
const TIMEOUT_MS = 240_000;

export function run(suite: Suite): void {
  const yardstick = new Yardstick(suite);
  for (let number = 0; number < 8; number++) {
    const kind = (bit: number): Kind => ((number & bit) === 0 ? suite.release : 'otpnode');
    const mix: Mix = { abc: kind(4), bcd: kind(2), def: kind(1) };
    const order = ORDERS[number % ORDERS.length] as readonly Role[];
    const name = `tutorial, ${ROLES.map((role) => `${role}=${kindName(mix[role])}`).join(' ')}`;
    const play = async (cluster: Cluster): Promise<void> => {
      if (number === 0) await yardstick.gaps(cluster);
      else compare(await tutorial(cluster, suite, mix, order), await yardstick.gaps());
    };
    suite.test(name, play, { epmd: number % 2 === 0 ? 'beam' : 'otpnode', timeoutMs: TIMEOUT_MS });
  }
}

/** BEAM's own gaps, measured once in a run: by the all-Elixir test, or by whoever needs them while that has not begun. */
class Yardstick {
  readonly #suite: Suite;
  #gaps: Promise<Gaps> | undefined;

  constructor(suite: Suite) {
    this.#suite = suite;
  }

  gaps(cluster?: Cluster): Promise<Gaps> {
    this.#gaps ??= cluster === undefined ? this.#inItsOwnCluster() : this.#in(cluster);
    return this.#gaps;
  }

  #in(cluster: Cluster): Promise<Gaps> {
    const { release } = this.#suite;
    return tutorial(cluster, this.#suite, { abc: release, bcd: release, def: release }, ROLES);
  }

  async #inItsOwnCluster(): Promise<Gaps> {
    const { release } = this.#suite;
    await using cluster = await this.#suite.busily(() => Cluster.open({ release }));
    try {
      return await this.#in(cluster);
    } catch (error) {
      throw new Error(`the all-Elixir run failed: ${(error as Error).message}\n${cluster.report()}`);
    }
  }
}

/** Plays it with every check that needs no yardstick; the gaps of its failovers. */
async function tutorial(cluster: Cluster, suite: Suite, mix: Mix, order: readonly Role[]): Promise<Gaps> {
  // Elixir to Elixir the tutorial's own takeover is a race that BEAM can lose; nothing to learn about us there
  const raced = mix.abc !== 'otpnode' && mix.bcd !== 'otpnode';
  const options: StartOptions = { variant: raced ? 'tk' : 'tutorial' };
  await suite.busily(() => coldStart(cluster, mix, order, options));

  const failover = await suite.quietly(async () => {
    const killed = await cluster.peer('abc').kill();
    return await gapsSince(cluster, killed, 'failover');
  });
  await cluster.runsOn('bcd');
  await cluster.peer('bcd').hasStartTypes('normal');
  await cluster.peer('def').hasStartTypes('');

  const callers = cluster.alive();
  for (const caller of callers) await caller.watch();
  await suite.busily(async () => {
    const abc = await cluster.start('abc', mix.abc, options);
    await abc.startLine(30_000);
    await cluster.runsOn('abc');
  });
  for (const caller of callers) {
    const { answered, refused, wrong, longestMs } = await caller.watched();
    const seen = `of the calls from ${caller.node} during the takeover ${answered} were answered, ${refused} refused, ${wrong} wrong`;
    check(wrong === 0, seen);
    check(refused === 0 || mix.abc !== 'otpnode', `${seen}: otpnode takes over without a gap`);
    check(longestMs < TAKEOVER_GAP_MS, `${seen}, ${longestMs} ms without an answer`);
  }
  await cluster.peer('abc').hasStartTypes('{takeover,bcd@127.0.0.1}');
  await cluster.peer('bcd').proc.line(/Application distro exited: :?stopped/, 5000);

  const failoverOfTwo = await suite.quietly(async () => {
    const killed = Date.now();
    await Promise.all([cluster.peer('abc').kill(), cluster.peer('bcd').kill()]);
    return await gapsSince(cluster, killed, 'failover of two');
  });
  await cluster.runsOn('def');
  await cluster.peer('def').hasStartTypes('normal');
  for (const peer of cluster.alive()) {
    const lines = unexpectedLines(peer);
    check(lines.length === 0, `${peer.node} logged what BEAM would not:\n${lines.join('\n')}`);
  }
  return new Map([...failover, ...failoverOfTwo]);
}

/** Starts the three in an order, each when the one before is registered; the application runs on abc. */
async function coldStart(
  cluster: Cluster,
  mix: Mix,
  order: readonly Role[],
  options: StartOptions,
): Promise<void> {
  for (const role of order) await cluster.registered(await cluster.start(role, mix[role], options));
  await cluster.peer('abc').startLine(30_000);
  await cluster.runsOn('abc');
  for (const role of ROLES) await cluster.peer(role).started();
  await cluster.peer('abc').hasStartTypes('normal');
  for (const role of ['bcd', 'def']) {
    await cluster.peer(role).hasStartTypes('');
  }
}

/** Waits for the first answered call of every survivor, which must not come before the restart time is over. */
async function gapsSince(cluster: Cluster, killed: number, what: string): Promise<Gaps> {
  const gaps = await Promise.all(
    cluster.alive().map(async (peer) => {
      const { at } = await peer.firstAnswer(15_000);
      return { role: peer.role, ms: at - killed };
    }),
  );
  for (const { role, ms } of gaps) {
    check(ms >= RESTART_MS, `${what}: ${role} was answered after ${ms} ms, before the restart time was over`);
  }
  return new Map([[what, gaps]]);
}

/** The last survivor's first answer may come that much later than on BEAM alone. */
function compare(gaps: Gaps, beam: Gaps): void {
  const longest = (of: Gaps, what: string): number => Math.max(...(of.get(what) ?? []).map(({ ms }) => ms));
  for (const [what, each] of gaps) {
    const yardstick = longest(beam, what);
    const seen = each.map(({ role, ms }) => `${role} ${ms} ms`).join(', ');
    const text = `${what}: first answers after the kill: ${seen}; on BEAM alone ${yardstick} ms`;
    check(longest(gaps, what) <= yardstick + MORE_THAN_BEAM_MS, text);
  }
}
