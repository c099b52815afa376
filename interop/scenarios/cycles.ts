// The node that runs the application is killed and returns, again and again, on a busy machine, while every node calls
// the calculator without pause. The code on BEAM is the tutorial's, unchanged: where it takes over from otpnode, or
// otpnode from it, it must win every time. `npm run test:cycles` plays each mix 200 times, a plain run briefly.
import { loadavg } from 'node:os';
import type { Cluster, Config, Kind, Peer, Role, StartOptions, Watched } from '../cluster.js';
import { nodeName, ROLES } from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import { instances, overlaps } from '../instances.js';
import { pause, until } from '../processes.js';
import { Stalls } from '../stalls.js';
import { check, type Suite } from '../suite.js';

type Mix = Readonly<Record<Role, Kind>>;

const RESTART_MS = 1000;
/** The application runs nowhere for the restart time and this much longer at most, stalls of the machine apart. */
const MORE_MS = 1000;
/** Both instances of a takeover live for so long at most. */
const TAKEOVER_MS = 5000;
/** A return within the restart time can end in a circle of BEAM's, which otpnode opens within this time. */
const CIRCLE_MS = 10_000;
/** For returns within the restart time: so long that a node can boot meanwhile, so short that it does not always. */
const WINDOW_MS = 2500;
const CYCLE_LIMIT_MS = 60_000;

/** What happens in each cycle, by the role of otpnode. */
const CYCLES: readonly { readonly name: string; readonly ours: readonly Role[]; readonly cycle: Cycle }[] = [
  { name: 'otpnode=abc: abc, which takes over from Elixir', ours: ['abc'], cycle: one },
  { name: 'otpnode=bcd: abc, which takes over from otpnode', ours: ['bcd'], cycle: one },
  { name: 'otpnode=def: abc and bcd; abc takes over from otpnode', ours: ['def'], cycle: two },
];

type Cycle = (play: Play) => Promise<void>;

export function run(suite: Suite): void {
  for (const { name, ours, cycle } of CYCLES) {
    const count = suite.cycles ?? (suite.whole && cycle === one ? 2 : 1);
    suite.test(
      `cycles: ${name}: killed and returned ${count} times`,
      (cluster) => new Play(cluster, suite, ours, RESTART_MS).cycles(count, cycle),
      { timeoutMs: (count + 1) * CYCLE_LIMIT_MS },
    );
  }
  if (!suite.whole && suite.cycles === undefined) return;
  for (const role of ['abc', 'bcd'] as const) {
    const count = suite.cycles ?? 1;
    suite.test(
      `cycles: otpnode=${role}: abc returns within the restart time ${count} times`,
      (cluster) => new Play(cluster, suite, [role], WINDOW_MS).cycles(count, window),
      { timeoutMs: (count + 1) * CYCLE_LIMIT_MS },
    );
  }
}

/** abc is killed, and returns when bcd's failover was announced. */
async function one(play: Play): Promise<void> {
  const [bcd, def] = [play.peer('bcd'), play.peer('def')];
  await play.watched('failover', [bcd, def], async () => {
    await play.peer('abc').kill();
    await play.announced('bcd', [def]);
  });
  await play.watched('takeover', [bcd, def], () => play.returns('abc'));
}

/** abc and bcd are killed one after the other; bcd returns as a standby, abc takes over from def. */
async function two(play: Play): Promise<void> {
  const [bcd, def] = [play.peer('bcd'), play.peer('def')];
  await play.watched('failover', [bcd, def], async () => {
    await play.peer('abc').kill();
    await play.announced('bcd', [def]);
  });
  await play.watched('failover', [def], async () => {
    await bcd.kill();
    await play.announced('def', []);
  });
  await play.watched('standby', [def], () => play.returns('bcd', ['def']));
  await play.watched('takeover', [def, play.peer('bcd')], () => play.returns('abc'));
}

/** abc is killed and started again at any moment within the restart time: it is back before, at, or after its end. */
async function window(play: Play): Promise<void> {
  const [bcd, def] = [play.peer('bcd'), play.peer('def')];
  await play.watched('window', [bcd, def], async () => {
    await play.peer('abc').kill();
    await pause(Math.random() * WINDOW_MS);
    await play.returns('abc');
  });
}

type Phase = 'steady' | 'failover' | 'standby' | 'takeover' | 'window';

class Play {
  readonly #cluster: Cluster;
  readonly #suite: Suite;
  readonly #mix: Mix;
  readonly #config: Config;
  /** The longest time without an answer of each phase, seen from any node. */
  readonly #longest = new Map<Phase, number[]>();
  #answered = 0;
  /** The most time that the machine stood still for us within one phase. */
  #stalled = 0;

  constructor(cluster: Cluster, suite: Suite, ours: readonly Role[], restartMs: number) {
    this.#cluster = cluster;
    this.#suite = suite;
    const kind = (role: Role): Kind => (ours.includes(role) ? 'otpnode' : suite.release);
    this.#mix = { abc: kind('abc'), bcd: kind('bcd'), def: kind('def') };
    this.#config = { restartMs };
  }

  peer(role: Role): Peer {
    return this.#cluster.peer(role);
  }

  async cycles(count: number, cycle: Cycle): Promise<void> {
    for (const role of ROLES) await this.#start(role);
    await this.#settled('abc');
    let at = 0;
    try {
      for (at = 1; at <= count; at++) {
        await this.watched('steady', this.#cluster.alive(), () => this.#cluster.runsOn('abc'));
        await cycle(this);
        await this.#oneInstance();
      }
    } catch (error) {
      throw new Error(`cycle ${at} of ${count}: ${(error as Error).message}`, { cause: error });
    } finally {
      this.#tell(at - 1);
    }
    for (const peer of this.#cluster.alive()) {
      const lines = unexpectedLines(peer);
      check(lines.length === 0, `${peer.node} logged what BEAM would not:\n${lines.join('\n')}`);
    }
  }

  /** Every one of these nodes calls all the time while something happens, and is answered rightly. */
  async watched(phase: Phase, callers: readonly Peer[], what: () => Promise<void>): Promise<void> {
    const stalls = new Stalls();
    try {
      for (const caller of callers) await caller.watch();
      await what();
      const seen: Watched[] = [];
      for (const caller of callers) seen.push(await caller.watched());
      const stalled = stalls.stop();
      this.#stalled = Math.max(this.#stalled, stalled);
      for (const [i, caller] of callers.entries()) this.#judge(phase, caller, seen[i] as Watched, stalled);
    } finally {
      stalls.stop();
    }
  }

  #judge(phase: Phase, caller: Peer, seen: Watched, stalled: number): void {
    const { answered, refused, wrong, longestMs, reasons } = seen;
    const more = MORE_MS + stalled;
    const text = `${phase}: of the calls from ${caller.node} ${answered} were answered, ${refused} refused, ${wrong} wrong; longest ${longestMs} ms without an answer, ${stalled} ms of stalls (${reasons})`;
    this.#answered += answered;
    this.#longest.set(phase, [...(this.#longest.get(phase) ?? []), longestMs]);
    check(wrong === 0, text);
    if (phase === 'failover') check(longestMs <= RESTART_MS + more, text);
    else if (phase === 'window') check(longestMs <= WINDOW_MS + CIRCLE_MS + stalled, text);
    else check(refused === 0 && longestMs <= more, text);
  }

  /** Waits until that node runs it and all others have been told. */
  async announced(at: Role, standbys: readonly Peer[]): Promise<void> {
    const place = `distro: {:distributed, ${this.peer(at).atom}}`;
    await until(`${at} runs it`, CYCLE_LIMIT_MS, () => this.peer(at).runs());
    for (const standby of standbys) {
      await until(`${standby.role} knows that ${at} runs it`, CYCLE_LIMIT_MS, async () =>
        (await standby.rpc(':application', ':info')).includes(place),
      );
    }
  }

  /** Starts a role again and waits until all is as it was: abc runs it, if abc lives. */
  async returns(role: Role, mandatory?: readonly Role[]): Promise<void> {
    await this.#start(role, mandatory === undefined ? {} : { mandatory });
    await this.#settled(role === 'abc' ? 'abc' : 'def');
  }

  async #start(role: Role, config: Config = {}): Promise<void> {
    const options: StartOptions = { config: { ...this.#config, ...config } };
    await this.#cluster.registered(await this.#cluster.start(role, this.#mix[role], options), CYCLE_LIMIT_MS);
  }

  async #settled(at: Role): Promise<void> {
    await this.#cluster.runsOn(at, CYCLE_LIMIT_MS);
    for (const peer of this.#cluster.alive()) await peer.started(CYCLE_LIMIT_MS);
  }

  /** There is one instance now, and there were never two but for the time of a takeover. */
  async #oneInstance(): Promise<void> {
    // what Elixir logs may come later than what it answers
    await until('one instance is left', TAKEOVER_MS, () => {
      const living = instances(this.#cluster).filter((one) => one.to === Number.POSITIVE_INFINITY);
      const nodes = living.map((one) => one.node).join(', ');
      if (nodes !== nodeName('abc')) throw new Error(`they live on ${nodes || 'no node'}`);
      return true;
    });
    for (const { text, ms, takeover } of overlaps(instances(this.#cluster))) {
      check(takeover && ms <= TAKEOVER_MS, `two instances: on ${text}`);
    }
  }

  #tell(count: number): void {
    const phases = [...this.#longest].map(([phase, all]) => {
      const sorted = all.sort((a, b) => a - b);
      return `${phase} ${sorted[sorted.length >> 1]} (at most ${sorted.at(-1)})`;
    });
    const takeovers = instances(this.#cluster).filter((one) => one.type.startsWith('{takeover'));
    const overlap = Math.max(0, ...overlaps(instances(this.#cluster)).map(({ ms }) => ms));
    this.#suite.tell(
      `${count} cycles, ${takeovers.length} takeovers, ${this.#answered} answers; ms without an answer, median: ` +
        `${phases.join(', ')}; instances overlapped for at most ${overlap} ms; stalls of the machine within a phase at most ${this.#stalled} ms, load ${loadavg()[0]?.toFixed(1)}`,
    );
  }
}
