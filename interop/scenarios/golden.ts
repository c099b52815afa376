// What BEAM does, played with otpnode in each role: who runs the application when, with which start type, who ends how.
// Each scenario holds for an all-Elixir cluster word for word (`--only golden:elixir` plays that).
import {
  type Cluster,
  type Config,
  type Kind,
  nodeName,
  type Peer,
  RESTART_MS,
  ROLES,
  type Role,
  type StartOptions,
} from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import { pause, until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

/** One scenario in the hands of one cluster. */
class Play {
  readonly cluster: Cluster;
  readonly suite: Suite;
  readonly mix: Readonly<Record<Role, Kind>>;
  constructor(cluster: Cluster, suite: Suite, mix: Readonly<Record<Role, Kind>>) {
    this.cluster = cluster;
    this.suite = suite;
    this.mix = mix;
  }

  /** Starts a role and waits until it is registered. Elixir's server is the takeover-capable one unless told otherwise. */
  async start(role: Role, options: StartOptions = {}): Promise<Peer> {
    const peer = await this.cluster.start(role, this.mix[role], { variant: 'tk', ...options });
    await this.cluster.registered(peer);
    return peer;
  }

  /** Starts all three with one configuration and waits until abc runs the application. */
  async coldStart(config: Config = {}, options: StartOptions = {}): Promise<void> {
    for (const role of ROLES) await this.start(role, { config, ...options });
    await this.cluster.runsOn('abc');
    for (const role of ROLES) await this.peer(role).started();
  }

  peer(role: Role): Peer {
    return this.cluster.peer(role);
  }

  /** The start types that a role's application has seen; its output may be a moment late. */
  types(role: Role, expected: string): Promise<void> {
    return this.peer(role).hasStartTypes(expected);
  }

  /** A call from every living node is answered `after` ms after `since` at the earliest, and not much later. */
  async answers(since: number, after: number, slack = 1500): Promise<void> {
    const answers = await Promise.all(this.cluster.alive().map((peer) => peer.firstAnswer(after + 10_000)));
    const gap = Math.max(...answers.map((answer) => answer.at)) - since;
    check(
      gap >= after && gap <= after + slack,
      `first answer after ${gap} ms instead of ${after} to ${after + slack} ms`,
    );
  }

  /** What every scenario ends with: Elixir nodes said nothing that BEAM alone does not make them say. */
  quiet(...alsoExpected: readonly RegExp[]): void {
    for (const peer of this.cluster.alive()) {
      const lines = unexpectedLines(peer).filter((line) => !alsoExpected.some((one) => one.test(line)));
      check(lines.length === 0, `${peer.node} logged what BEAM would not:\n${lines.join('\n')}`);
    }
  }
}

const TAKEOVER_FROM = (role: Role): string => `{takeover,${nodeName(role)}}`;

interface Scenario {
  readonly name: string;
  readonly play: (play: Play) => Promise<void>;
  /** The roles that otpnode can have; default: each. */
  readonly roles?: readonly Role[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a mandatory node is absent: all that wait end with exit code 1',
    play: async (play) => {
      const config: Config = { syncTimeoutMs: 3000 };
      const peers = [await play.start('abc', { config }), await play.start('bcd', { config })];
      for (const peer of peers) {
        const ended = await peer.proc.exited;
        const seconds = (ended.at - peer.proc.startedAt) / 1000;
        check(ended.code === 1, `${peer.node} ended with ${ended.signal ?? ended.code}`);
        check(seconds >= 3 && seconds < 10, `${peer.node} ended after ${seconds} s`);
        check(
          peer.proc.lines.some((line) => /mandatory_nodes_down.*def@127\.0\.0\.1/.test(line.text)),
          `${peer.node} does not say which node was missing`,
        );
      }
    },
  },
  {
    name: 'an optional node is absent: the whole timeout is waited, then abc runs; the late one is standby at once',
    play: async (play) => {
      const config = (role: Role): Config => ({
        mandatory: [],
        optional: ROLES.filter((other) => other !== role),
        syncTimeoutMs: 3000,
      });
      const from = Date.now();
      await play.start('abc', { config: config('abc') });
      await play.start('bcd', { config: config('bcd') });
      const line = await play.peer('abc').startLine(15_000);
      check(line.at - from >= 3000, `abc started it after ${line.at - from} ms`);
      await play.cluster.runsOn('abc');
      await play.start('def', { config: config('def') });
      await play.cluster.runsOn('abc');
      await play.types('abc', 'normal');
      await play.types('bcd', '');
      await play.types('def', '');
      play.quiet();
    },
  },
  {
    name: 'an optional abc is late: bcd runs it, then abc takes over',
    play: async (play) => {
      const config: Config = { mandatory: [], optional: ROLES, syncTimeoutMs: 2000 };
      await play.start('bcd', { config });
      await play.start('def', { config });
      await play.cluster.runsOn('bcd');
      await play.start('abc', { config });
      await play.cluster.runsOn('abc');
      await play.types('bcd', 'normal');
      await play.types('abc', TAKEOVER_FROM('bcd'));
      play.quiet();
    },
  },
  {
    name: 'abc is up without the application and dies: bcd starts it at once',
    play: async (play) => {
      await play.start('abc', { app: false });
      await play.start('bcd');
      await play.start('def');
      await until('the three know each other', 15_000, async () => {
        const nodes = await play.peer('abc').nodes();
        return nodes === 'bcd@127.0.0.1 def@127.0.0.1';
      });
      await pause(500); // nothing must happen now: there is no event to wait for
      for (const role of ROLES) await play.types(role, '');
      const killed = await play.peer('abc').kill();
      await play.answers(killed, 0);
      await play.cluster.runsOn('bcd');
      await play.types('bcd', 'normal');
      play.quiet();
    },
  },
  {
    name: 'abc freezes: bcd starts it after ticks and restart time; thawed, abc keeps its own',
    play: async (play) => {
      await play.cluster.ask(':net_kernel.set_net_ticktime(4, 0)');
      await play.coldStart({ more: ['{net_ticktime, 4}'] });
      const frozen = Date.now();
      play.peer('abc').proc.signal('SIGSTOP');
      const line = await play.peer('bcd').startLine(15_000);
      const after = line.at - frozen;
      check(after >= 3000 + RESTART_MS && after <= 7000 + RESTART_MS, `bcd started it after ${after} ms`);
      play.peer('abc').proc.signal('SIGCONT');
      await until(
        'abc notices that it was dropped',
        10_000,
        async () => (await play.peer('abc').nodes()) === '',
      );
      for (const role of ['abc', 'bcd'] as const) {
        await until(`${role} runs its own`, 5000, () => play.peer(role).runs());
      }
      play.quiet(/not responding/, /Removing \(timedout\) connection/);
    },
  },
  {
    name: 'abc is stopped gracefully: exit code 0, and bcd starts it a restart time later',
    play: async (play) => {
      await play.coldStart();
      const asked = Date.now();
      play.peer('abc').proc.signal('SIGTERM');
      const ended = await play.peer('abc').proc.exited;
      check(ended.code === 0, `abc ended with ${ended.signal ?? ended.code}`);
      await play.answers(asked, RESTART_MS, ended.at - asked + 1500);
      await play.cluster.runsOn('bcd');
      await play.types('bcd', 'normal');
      play.quiet();
    },
  },
  {
    name: 'abc is back within the restart time: it starts normally, and nobody else does',
    play: async (play) => {
      await play.coldStart({ restartMs: 5000 });
      const killed = await play.peer('abc').kill();
      const config: Config = { restartMs: 5000 };
      await play.start('abc', { config });
      const line = await play.peer('abc').startLine(10_000);
      check(line.at - killed < 5000, `abc was back too late for this test: ${line.at - killed} ms`);
      await play.cluster.runsOn('abc');
      await until('the restart time is over', 8000, () => Date.now() > killed + 5500);
      await play.cluster.runsOn('abc');
      await play.types('abc', 'normal');
      await play.types('bcd', '');
      await play.types('def', '');
      play.quiet();
    },
  },
  {
    name: 'two are down, bcd is back first: def keeps it; then abc takes over from def',
    play: async (play) => {
      await play.coldStart();
      const killed = await play.peer('abc').kill();
      await play.answers(killed, RESTART_MS);
      const again = await play.peer('bcd').kill();
      await play.answers(again, RESTART_MS);
      await play.cluster.runsOn('def');
      await play.start('bcd', { config: { mandatory: ['def'] } });
      await play.cluster.runsOn('def');
      await play.start('abc');
      await play.cluster.runsOn('abc');
      await play.types('bcd', '');
      await play.types('def', 'normal');
      await play.types('abc', TAKEOVER_FROM('def'));
      play.quiet();
    },
  },
  {
    name: 'two are down, abc is back first: it takes over from def; then bcd is standby',
    play: async (play) => {
      await play.coldStart();
      const killed = Date.now();
      await Promise.all([play.peer('abc').kill(), play.peer('bcd').kill()]);
      await play.answers(killed, RESTART_MS);
      await play.start('abc', { config: { mandatory: ['def'] } });
      await play.cluster.runsOn('abc');
      await play.start('bcd');
      await play.cluster.runsOn('abc');
      await play.types('def', 'normal');
      await play.types('abc', TAKEOVER_FROM('def'));
      await play.types('bcd', '');
      play.quiet();
    },
  },
  {
    name: "bcd dies within abc's restart time: def starts it when that is over",
    play: async (play) => {
      await play.coldStart();
      const killed = await play.peer('abc').kill();
      await pause(500); // in the middle of the restart time
      await play.peer('bcd').kill();
      await play.answers(killed, RESTART_MS);
      await play.cluster.runsOn('def');
      await play.types('def', 'normal');
      play.quiet();
    },
  },
  {
    name: 'the server crashes: it is restarted where it was, and nothing moves',
    play: async (play) => {
      await play.coldStart();
      const caller = play.cluster.alive().find((peer) => peer.kind !== 'otpnode') as Peer;
      const refused = await caller.eval(
        'try do Distro.DistroCal.add("a", 1) catch :exit, {{:badarith, [_ | _]}, {GenServer, :call, _}} -> :badarith end',
      );
      same(refused, ':badarith', 'add("a", 1)');
      await play.cluster.runsOn('abc');
      await play.types('abc', 'normal');
      await play.types('bcd', '');
    },
  },
  {
    name: 'start phases: the failover is told to the application as one',
    roles: ['abc', 'def'],
    play: async (play) => {
      await play.coldStart({}, { variant: 'phases' });
      await play.peer('abc').kill();
      const line = await play.peer('bcd').startLine(10_000);
      check(line.text.includes('{:failover, :"abc@127.0.0.1"}'), line.text);
      await play.peer('bcd').proc.line(/Distro phase :warm_up in \{:failover, .*\} mode with \[\]/, 2000);
      await play.peer('bcd').proc.line(/Distro phase :open in \{:failover, .*\} mode with \[:now\]/, 2000);
      play.quiet(/Distro phase/);
    },
  },
  {
    name: 'no time in the entry: bcd starts it at once',
    play: async (play) => {
      const nodes = "['abc@127.0.0.1', {'bcd@127.0.0.1', 'def@127.0.0.1'}]";
      await play.coldStart({ distributed: `[{distro, ${nodes}}]` });
      const killed = await play.peer('abc').kill();
      await play.answers(killed, 0, 1000);
      await play.cluster.runsOn('bcd');
      await play.types('bcd', 'normal');
      play.quiet();
    },
  },
  {
    name: 'a plain list: the order decides, and a dead node is passed over',
    play: async (play) => {
      const nodes = "['def@127.0.0.1', 'abc@127.0.0.1', 'bcd@127.0.0.1']";
      const config: Config = { distributed: `[{distro, ${RESTART_MS}, ${nodes}}]` };
      for (const role of ROLES) await play.start(role, { config });
      await play.cluster.runsOn('def');
      const killed = await play.peer('def').kill();
      await play.answers(killed, RESTART_MS);
      await play.cluster.runsOn('abc');
      await play.start('def', { config });
      await play.cluster.runsOn('def');
      await play.types('def', TAKEOVER_FROM('abc'));
      await play.types('abc', 'normal');
      await play.types('bcd', '');
      play.quiet();
    },
  },
  {
    name: 'inside a tuple the node that runs fewer applications is chosen',
    roles: ['abc', 'def'],
    play: async (play) => {
      const more = [
        '-e',
        '{:ok, _} = Application.ensure_all_started(:eex); :ok = Application.ensure_started(:ex_unit)',
      ];
      await play.start('abc');
      await play.start('bcd', { args: more });
      await play.start('def');
      await play.cluster.runsOn('abc');
      for (const role of ROLES) await play.peer(role).started();
      await until('bcd runs more than the others', 20_000, async () =>
        (await play.peer('bcd').rpc(':application', ':which_applications')).includes('ex_unit'),
      );
      const killed = await play.peer('abc').kill();
      await play.answers(killed, RESTART_MS);
      await play.cluster.runsOn('def');
      await play.types('def', 'normal');
      await play.types('bcd', '');
      play.quiet();
    },
  },
  {
    name: 'no sync_nodes_timeout: the lists are ignored and nobody is waited for',
    roles: ['def'],
    play: async (play) => {
      await play.start('def', {
        config: { syncTimeoutMs: undefined, distributed: `[{distro, ['def@127.0.0.1']}]` },
      });
      await play.cluster.runsOn('def');
      await play.types('def', 'normal');
    },
  },
];

export function run(suite: Suite): void {
  for (const scenario of SCENARIOS) {
    const mixes: [string, readonly Role[]][] = [
      ['elixir', []],
      ...(scenario.roles ?? ROLES).map((role): [string, readonly Role[]] => [`otpnode=${role}`, [role]]),
    ];
    for (const [label, ours] of mixes) {
      const kind = (role: Role): Kind => (ours.includes(role) ? 'otpnode' : suite.release);
      const mix = { abc: kind('abc'), bcd: kind('bcd'), def: kind('def') };
      suite.test(`golden:${label}: ${scenario.name}`, (cluster) =>
        scenario.play(new Play(cluster, suite, mix)),
      );
    }
  }
}
