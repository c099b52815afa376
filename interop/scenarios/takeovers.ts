// Takeovers between otpnode and the tutorial's unchanged code on living nodes: `application:takeover/2` and `permit/2`
// by hand, and takeovers that fail. Every node calls the calculator all the time.
import { join } from 'node:path';
import { type Cluster, type Kind, type Peer, ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { ROOT } from '../releases.js';
import { check, type Suite, same } from '../suite.js';

const CONTROL = ['-otpnode', 'remote_control', 'true'];
const FAILING = ['-pa', join(ROOT, 'build', 'interop', 'variants', 'failing')];
/** Where the new instance starts, the name has to be absent until it is registered: for so long at most. */
const HIDDEN_MS = 2000;
const ROUND_LIMIT_MS = 60_000;

type Mix = Readonly<Record<Role, Kind>>;

export function run(suite: Suite): void {
  const rounds = suite.cycles ?? (suite.whole ? 2 : 1);
  suite.test(
    `takeovers by hand between otpnode and the tutorial's unchanged code, ${rounds} times 3 in each direction`,
    (cluster) => byHand(cluster, suite, rounds),
    { timeoutMs: (rounds + 1) * ROUND_LIMIT_MS },
  );
  if (!suite.whole) return;
  suite.test('a takeover by hand that fails on otpnode leaves the instance of Elixir alone', (cluster) =>
    failsHere(cluster, suite),
  );
  suite.test('a return whose takeover fails on otpnode leaves the instance of Elixir alone', (cluster) =>
    failsOnReturn(cluster, suite),
  );
  suite.test("a takeover that fails on Elixir leaves otpnode's instance alone", (cluster) =>
    failsElsewhere(cluster, suite),
  );
}

/** The tutorial's three; otpnode may be told to take over. */
async function coldStart(cluster: Cluster, suite: Suite, mix: Mix, args: readonly string[]): Promise<void> {
  await suite.busily(async () => {
    for (const role of ROLES) {
      await cluster.start(role, mix[role], mix[role] === 'otpnode' ? { args } : {});
    }
    await cluster.runsOn('abc');
    for (const role of ROLES) await cluster.peer(role).started();
  });
}

async function byHand(cluster: Cluster, suite: Suite, rounds: number): Promise<void> {
  const { release } = suite;
  await coldStart(cluster, suite, { abc: release, bcd: 'otpnode', def: release }, CONTROL);
  const [abc, bcd, def] = ROLES.map((role) => cluster.peer(role)) as [Peer, Peer, Peer];
  let hidden = 0;
  for (let round = 1; round <= rounds; round++) {
    for (const to of [bcd, def, bcd, abc]) {
      hidden = Math.max(hidden, await moves(cluster, to, to, ':takeover', ':temporary'));
    }
    await moves(cluster, abc, bcd, ':permit', 'false');
    hidden = Math.max(hidden, await moves(cluster, abc, abc, ':permit', 'true'));
  }
  suite.tell(
    `${rounds * 3} takeovers in each direction; where Elixir started it the name was absent ${hidden} ms at most`,
  );
}

/** A call on one node moves the application to another one; how long a caller there was without an answer. */
async function moves(cluster: Cluster, on: Peer, to: Peer, fun: string, value: string): Promise<number> {
  const callers = cluster.alive();
  for (const caller of callers) await caller.watch();
  same(await on.rpc(':application', fun, `[:distro, ${value}]`, 30_000), ':ok', `${fun} on ${on.node}`);
  await cluster.runsOn(to.role);
  let hidden = 0;
  for (const caller of callers) {
    const { refused, wrong, longestMs, reasons } = await caller.watched();
    const seen = `${fun} to ${to.node}: calls from ${caller.node}: ${refused} refused, ${wrong} wrong; ${longestMs} ms without an answer (${reasons})`;
    // the unchanged code finds the name free there, and nowhere else
    const mayMiss = caller === to && to.kind !== 'otpnode';
    if (mayMiss) hidden = longestMs;
    check(wrong === 0 && (mayMiss ? longestMs <= HIDDEN_MS : refused === 0), seen);
  }
  return hidden;
}

/** While something happens that changes nothing, every caller is answered. */
async function goesOn(callers: readonly Peer[], what: () => Promise<void>): Promise<void> {
  for (const caller of callers) await caller.watch();
  await what();
  for (const caller of callers) {
    const { answered, refused, wrong, reasons } = await caller.watched();
    const seen = `calls from ${caller.node}: ${answered} answered, ${refused} refused, ${wrong} wrong (${reasons})`;
    check(answered > 0 && refused === 0 && wrong === 0, seen);
  }
}

async function failsHere(cluster: Cluster, suite: Suite): Promise<void> {
  const { release } = suite;
  await coldStart(cluster, suite, { abc: release, bcd: 'otpnode', def: release }, [...CONTROL, ...FAILING]);
  const bcd = cluster.peer('bcd');
  await goesOn(cluster.alive(), async () => {
    const result = await bcd.rpc(':application', ':takeover', '[:distro, :temporary]', 30_000);
    check(/^\{:error, .*cannot_take_over/.test(result), `takeover on ${bcd.node} gave ${result}`);
    await cluster.runsOn('abc');
  });
  // it is a standby as before
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
}

async function failsOnReturn(cluster: Cluster, suite: Suite): Promise<void> {
  const { release } = suite;
  const mix: Mix = { abc: 'otpnode', bcd: release, def: release };
  await coldStart(cluster, suite, mix, FAILING);
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  await goesOn([cluster.peer('bcd'), cluster.peer('def')], async () => {
    const abc = await cluster.start('abc', 'otpnode', { args: FAILING });
    const { code } = await abc.proc.exited;
    check(code === 1, `abc, whose application does not start, ended with ${code}`);
    await cluster.runsOn('bcd');
  });
  // nor does def wait for the one that failed
  await cluster.peer('bcd').kill();
  await cluster.runsOn('def');
}

async function failsElsewhere(cluster: Cluster, suite: Suite): Promise<void> {
  const { release } = suite;
  await coldStart(cluster, suite, { abc: 'otpnode', bcd: release, def: release }, []);
  const def = cluster.peer('def');
  // what its supervisor will be called is taken
  await def.eval('spawn(fn -> Process.register(self(), Distro.Supervisor); Process.sleep(:infinity) end)');
  await goesOn([cluster.peer('abc'), cluster.peer('bcd')], async () => {
    const result = await def.rpc(':application', ':takeover', '[:distro, :temporary]', 30_000);
    check(/^\{:error, .*already_started/.test(result), `takeover on ${def.node} gave ${result}`);
    await cluster.runsOn('abc');
  });
  // bcd heard of the failure, and then from abc that it runs there still: it counts on that
  const standby = `{:appl, :distro, {:distributed, ${cluster.peer('abc').atom}}`;
  await until('bcd is the standby of abc', 20_000, async () =>
    (await cluster.peer('bcd').rpc(':dist_ac', ':info')).includes(standby),
  );
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  await cluster.peer('bcd').hasStartTypes('normal');
}
