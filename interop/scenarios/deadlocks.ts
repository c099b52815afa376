// Where OTP's dist_ac waits for ever: cases in which BEAM nodes alone, or with one of them as it were in our place, wait
// for each other in a circle. otpnode in each position: the circle does not close, or it is opened; in any case no
// otpnode waits for ever.
import { type Cluster, type Config, type Kind, nodeName, type Peer, ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const [A, B, C] = ROLES.map((role) => `'${nodeName(role)}'`) as [string, string, string];
/** Two applications whose choice depends on one another. */
const TUPLE = `[${A}, {${B}, ${C}}]`;
const PLAIN = `[${A}, ${B}, ${C}]`;
const CROSSED = `[${A}, ${C}, ${B}]`;
const CONTROL = ['-otpnode', 'remote_control', 'true'];
/** Longer than any wait that otpnode allows itself. */
const NOT_FOR_EVER_MS = 60_000;

type App = 'd1' | 'd2';

export function run(suite: Suite): void {
  const { whole } = suite;
  // only a run over several releases has the time for all of them, and then with one release
  const all = whole && suite.releases.size > 1;
  for (const ours of ROLES) {
    if (all || ours === 'abc' || (whole && ours === 'bcd')) {
      suite.test(`deadlock: two applications in one tuple fail over at once, otpnode=${ours}`, (cluster) =>
        twoFailOver(new Play(cluster, suite, ours), TUPLE, TUPLE),
      );
    }
    if (all || (whole && ours === 'bcd')) {
      suite.test(
        `deadlock: two applications with crossed lists fail over at once, otpnode=${ours}`,
        (cluster) => twoFailOver(new Play(cluster, suite, ours), PLAIN, CROSSED),
      );
    }
    if (whole && ours !== 'def') {
      suite.test(`deadlock: a standby that nobody introduced, otpnode=${ours}`, (cluster) =>
        stranger(new Play(cluster, suite, ours)),
      );
    }
    if (whole && ours === 'bcd') {
      suite.test(`deadlock: a start behind a node that starts nothing, otpnode=${ours}`, (cluster) =>
        behindTheFirst(new Play(cluster, suite, ours)),
      );
    }
    if (all || ours === 'bcd') {
      suite.test(
        `deadlock: a standby that never started it, the return of the first, otpnode=${ours}`,
        (cluster) => lateStandby(new Play(cluster, suite, ours)),
      );
    }
  }
}

/** Nodes that were never introduced, since nobody waits for anybody at boot. */
const STRANGERS: Config = { distributed: `[{d1, [${A}, ${B}]}]`, mandatory: [], syncTimeoutMs: undefined };

class Play {
  readonly cluster: Cluster;
  readonly ours: Role;
  readonly #suite: Suite;
  #config: Config = {};
  /** What the starts that were asked for came to. */
  #results: string[] = [];

  constructor(cluster: Cluster, suite: Suite, ours: Role) {
    this.cluster = cluster;
    this.#suite = suite;
    this.ours = ours;
  }

  peer(role: Role): Peer {
    return this.cluster.peer(role);
  }

  async coldStart(config: Config, roles: readonly Role[] = ROLES): Promise<void> {
    this.#config = config;
    await this.#suite.busily(async () => {
      for (const role of roles) await this.boot(role);
      for (const role of roles) await this.booted(role);
    });
  }

  boot(role: Role): Promise<Peer> {
    const kind: Kind = role === this.ours ? 'otpnode' : this.#suite.release;
    const args = kind === 'otpnode' ? CONTROL : [];
    return this.cluster.start(role, kind, { app: false, config: this.#config, args });
  }

  /** Waits until kernel is started there. */
  async booted(role: Role, timeoutMs = 30_000): Promise<void> {
    await until(`${role} has booted`, timeoutMs, async () =>
      /started: \[[^\]]*kernel:/.test(await this.peer(role).rpc(':application', ':info')),
    );
  }

  async load(role: Role, app: App): Promise<void> {
    const spec = `{:application, :${app}, [vsn: '1', modules: [], registered: [], applications: [:kernel, :stdlib]]}`;
    await this.peer(role).rpc(':application', ':load', `[${spec}]`, NOT_FOR_EVER_MS);
  }

  /** Asks a node to start an application; does not wait for it. */
  start(role: Role, app: App): void {
    this.#results = this.#results.filter((one) => !one.startsWith(`${role} ${app} `));
    void this.peer(role)
      .rpc(':application', ':start', `[:${app}]`, NOT_FOR_EVER_MS)
      .then(
        (result) => this.#results.push(`${role} ${app} ${result}`),
        (error: Error) => this.#results.push(`${role} ${app} ${error.message.split('\n')[0]}`),
      );
  }

  /** Waits until the start that a node was asked for has ended well. */
  async startedOk(role: Role, app: App, timeoutMs: number): Promise<void> {
    await until(`the start of ${app} on ${role}`, timeoutMs, () => {
      const result = this.#results.find((one) => one.startsWith(`${role} ${app} `));
      if (result === undefined) throw new Error('it goes on');
      check(result === `${role} ${app} :ok`, result);
      return true;
    });
  }

  async where(app: App): Promise<string> {
    const peers = this.cluster.alive();
    const all = await Promise.all(peers.map((peer) => peer.rpc(':application', ':which_applications')));
    return peers
      .filter((_, i) => all[i]?.includes(`{:${app},`))
      .map(({ role }) => role)
      .join();
  }

  /** Waits until an application runs on exactly one node, of these. */
  async runsOnOne(app: App, roles: readonly Role[], timeoutMs: number): Promise<void> {
    await until(`${app} runs on one of ${roles.join()}`, timeoutMs, async () => {
      const where = await this.where(app);
      if (!(roles as readonly string[]).includes(where)) throw new Error(`it runs on ${where || 'no node'}`);
      return true;
    });
  }

  /** Whether the dist_ac of a node answers. */
  async answers(role: Role): Promise<boolean> {
    const code = `try do :gen_server.call({:dist_ac, ${this.peer(role).atom}}, :info, 1000) |> elem(0) catch _, _ -> :blocked end`;
    return (await this.cluster.ask(code)) === ':state';
  }
}

async function twoFailOver(play: Play, first: string, second: string): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${first}}, {d2, 500, ${second}}]` });
  for (const app of ['d1', 'd2'] as const) {
    for (const role of ROLES) await play.load(role, app);
    for (const role of ROLES) play.start(role, app);
    for (const role of ROLES) await play.startedOk(role, app, 20_000);
    await play.runsOnOne(app, ['abc'], 10_000);
  }
  await play.peer('abc').kill();
  if (play.ours !== 'abc') {
    for (const app of ['d1', 'd2'] as const) await play.runsOnOne(app, ['bcd', 'def'], 10_000);
    for (const role of ['bcd', 'def'] as const) check(await play.answers(role), `${role} is blocked`);
    return;
  }
  // BEAM alone: it happens nearly always, and then only we can open the circle
  await until('the failovers are over, or stuck', 20_000, async () => {
    const where = [await play.where('d1'), await play.where('d2')];
    return where.every((one) => one !== '') || !(await play.answers('bcd'));
  });
  const stuck = !(await play.answers('bcd'));
  await play.boot('abc');
  await play.booted('abc', NOT_FOR_EVER_MS);
  for (const app of ['d1', 'd2'] as const) {
    await play.load('abc', app);
    play.start('abc', app);
  }
  for (const app of ['d1', 'd2'] as const) await play.startedOk('abc', app, NOT_FOR_EVER_MS);
  for (const app of ['d1', 'd2'] as const) await play.runsOnOne(app, ['abc'], 10_000);
  for (const role of ['bcd', 'def'] as const) check(await play.answers(role), `${role} is blocked`);
  if (!stuck) return;
  await play
    .peer('abc')
    .proc.line(/who waits for whom: .*\S+ waits for .*; told \S+ that d[12] runs on/, 1000);
}

async function lateStandby(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  for (const role of ROLES) await play.load(role, 'd1');
  for (const role of ['abc', 'def'] as const) play.start(role, 'd1');
  for (const role of ['abc', 'def'] as const) await play.startedOk(role, 'd1', 20_000);
  await play.peer('abc').kill();
  await until('def waits for bcd', 10_000, async () =>
    play.ours === 'def' ? true : !(await play.answers('def')),
  );
  await play.boot('abc');
  await until('abc is connected', 20_000, async () => (await play.peer('abc').nodes()).includes('def'));
  play.start('bcd', 'd1');
  await play.booted('abc', NOT_FOR_EVER_MS);
  if (play.ours === 'abc') {
    const said = /who waits for whom: .*def@\S+ waits until another node starts an application/;
    await play.peer('abc').proc.line(said, NOT_FOR_EVER_MS);
  }
  await play.load('abc', 'd1');
  play.start('abc', 'd1');
  for (const role of ['abc', 'bcd'] as const) await play.startedOk(role, 'd1', NOT_FOR_EVER_MS);
  await play.runsOnOne('d1', ['abc'], 10_000);
  for (const role of ROLES) await until(`${role} is not blocked`, 15_000, () => play.answers(role));
}

/** abc runs it, bcd loads it, which connects them, and starts it: on BEAM alone it waits for ever. */
async function stranger(play: Play): Promise<void> {
  await play.coldStart(STRANGERS, ['abc', 'bcd']);
  await play.load('abc', 'd1');
  play.start('abc', 'd1');
  await play.startedOk('abc', 'd1', 10_000);
  await play.load('bcd', 'd1');
  // what it heard from abc meanwhile it has read: started earlier, both would run it, which is another matter
  await until('bcd has heard that abc may run it', 5000, async () =>
    (await play.peer('bcd').rpc(':dist_ac', ':info')).includes(`"${play.peer('abc').node}": true`),
  );
  play.start('bcd', 'd1');
  await play.startedOk('bcd', 'd1', 20_000);
  await play.runsOnOne('d1', ['abc'], 5000);
  await play.peer('abc').kill();
  await play.runsOnOne('d1', ['bcd'], 5000);
}

/** def has taken it over by hand, bcd starts it again: on BEAM alone it waits for abc, which is nobody's turn. */
async function behindTheFirst(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  for (const role of ROLES) await play.load(role, 'd1');
  for (const role of ROLES) play.start(role, 'd1');
  for (const role of ROLES) await play.startedOk(role, 'd1', 20_000);
  const moved = await play.peer('def').rpc(':application', ':takeover', '[:d1, :temporary]', 10_000);
  same(moved, ':ok', 'takeover on def');
  await play.runsOnOne('d1', ['def'], 10_000);
  same(await play.peer('bcd').rpc(':application', ':stop', '[:d1]'), ':ok', 'stop on bcd');
  play.start('bcd', 'd1');
  await play.startedOk('bcd', 'd1', 10_000);
  await play.runsOnOne('d1', ['def'], 5000);
}
