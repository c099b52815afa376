// One scenario in the hands of one cluster. Each step says what it expects and is compared with the same step of the
// play on BEAM alone: who runs the application, what every node says of it, which start types it was given, how
// a call or a node ended, how long something took.
import { join } from 'node:path';
import {
  type Cluster,
  type Config,
  type Kind,
  nodeName,
  type Peer,
  ROLES,
  type Role,
  type StartOptions,
} from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import { pause, until } from '../processes.js';
import { ROOT } from '../releases.js';
import { check, type Suite } from '../suite.js';
import { Outcome, sameFact, sameTime, withoutAccidents } from './outcome.js';

/** The restart time of the scenarios: short, but longer than a failover without one takes on a busy machine. */
export const RESTART_MS = 700;

/**
 * For a node that ends by itself: while it does, a BEAM node's `global` can report connections that it has closed already over
 * those that it has not, and then the others part from each other. With kill -9 that cannot be.
 */
export const ENDS_BY_ITSELF: Config = { more: ['{prevent_overlapping_partitions, false}'] };

/** What a node says that has not started an application, or not yet. */
const NOT_STARTED = /^\w+:.* \S+ (runs|-) \S+ - /m;

export type Mix = Readonly<Record<Role, Kind>>;

/** A scenario: the same steps for every mix. */
export interface Scenario {
  readonly name: string;
  /** The first release whose nodes do so. */
  readonly since?: number;
  /** What Elixir nodes log or do not, as a race among them ends. */
  readonly mayLog?: readonly RegExp[];
  readonly play: (play: Play) => Promise<void>;
}

/** In which order, and how far apart, the nodes of a cold start come up. */
export interface Order {
  readonly roles: readonly Role[];
  /** Each when the one before has: been started, registered its name, or connected to those before it. */
  readonly each: 'at once' | 'registered' | 'connected';
}

/** Where otpnode finds the application with start phases. */
const PHASES = join(ROOT, 'build', 'interop', 'golden', 'phases');

export class Play {
  readonly cluster: Cluster;
  readonly suite: Suite;
  readonly mix: Mix;
  readonly order: Order;
  readonly outcome: Outcome = new Outcome();
  /** The applications that are looked at. */
  apps: readonly string[] = ['distro'];
  readonly #beam: Outcome | undefined;

  /** `beam` is the play on BEAM alone to compare with; undefined: this is that play. */
  constructor(cluster: Cluster, suite: Suite, mix: Mix, order: Order, beam?: Outcome) {
    this.cluster = cluster;
    this.suite = suite;
    this.mix = mix;
    this.order = order;
    this.#beam = beam;
  }

  peer(role: Role): Peer {
    return this.cluster.peer(role);
  }

  /** Whether otpnode plays this role, or one of several. */
  ours(...roles: readonly Role[]): boolean {
    return roles.some((role) => this.mix[role] === 'otpnode');
  }

  /** Whether no role is otpnode's. */
  get beamAlone(): boolean {
    return !this.ours(...ROLES);
  }

  /** Starts a role and waits until it is registered. Elixir's server is the takeover-capable one unless told otherwise. */
  async start(role: Role, options: StartOptions = {}): Promise<Peer> {
    return await this.suite.busily(async () => {
      const peer = await this.begin(role, options);
      await this.cluster.registered(peer);
      return peer;
    });
  }

  /** Waits until a role that did not start the application could: `iex` adds its `-pa` late. */
  async canLoad(role: Role): Promise<void> {
    const peer = this.peer(role);
    if (peer.kind === 'otpnode') return;
    await until(`${peer.node} finds distro.app`, 15_000, async () => {
      const file = await peer.rpc(':code', ':where_is_file', '[~c"distro.app"]');
      return file !== ':non_existing';
    });
  }

  /** Waits until a role is inside the start of the application. */
  async starting(role: Role): Promise<void> {
    await until(`${role} is inside its start`, 15_000, async () => {
      const info = await this.peer(role).rpc(':application', ':info');
      if (!/starting: \[[^\]]*distro/.test(info)) throw new Error(info);
      return true;
    });
  }

  /** Starts a role and waits for nothing. */
  async begin(role: Role, options: StartOptions = {}): Promise<Peer> {
    const config = typeof options.config === 'string' ? options.config : this.config(options.config);
    const variant = options.variant ?? 'tk';
    const own =
      this.mix[role] !== 'otpnode'
        ? []
        : ['-otpnode', 'remote_control', 'true', ...(variant === 'phases' ? ['-pa', PHASES] : [])];
    const args = [...own, ...(options.args ?? [])];
    return await this.cluster.start(role, this.mix[role], { ...options, variant, config, args });
  }

  /** A configuration with the short restart time. */
  config(config: Config = {}): Config {
    return { restartMs: RESTART_MS, ...config };
  }

  /** Starts all three in this play's order; the application, if they start it, runs on `on` then. */
  async coldStart(options: StartOptions = {}, on: Role = 'abc'): Promise<void> {
    const { roles, each } = this.order;
    await this.suite.busily(async () => {
      for (const [i, role] of roles.entries()) {
        const peer = await this.begin(role, options);
        if (each !== 'at once') await this.cluster.registered(peer);
        if (each === 'connected') await this.#connected(peer, roles.slice(0, i));
      }
      await this.runs('cold start', on);
    });
  }

  /** Waits until a role is connected to the others. */
  async connected(role: Role): Promise<void> {
    await this.#connected(this.peer(role), ROLES);
  }

  async #connected(peer: Peer, others: readonly Role[]): Promise<void> {
    const expected = others.map(nodeName).filter((node) => node !== peer.node);
    await until(`${peer.node} is connected to ${expected.join(', ')}`, 20_000, async () => {
      const nodes = await peer.nodes();
      if (!expected.every((node) => nodes.includes(node))) throw new Error(`it is to ${nodes}`);
      return true;
    });
  }

  /**
   * The application runs on these nodes and no others, and every living node comes to say the same of it as in the
   * play on BEAM alone. With `instead`, the number of a documented deviation, and otpnode in the play, only who
   * runs it is looked at.
   */
  async runs(step: string, on: Role | readonly Role[], instead?: `D${number}`): Promise<void> {
    const expected = [on].flat().join(' ');
    let last = '';
    let since = 0;
    await until(`${step}: runs on ${expected || 'no node'}`, 30_000, async () => {
      const view = await this.view();
      const runs = view.split('\n').flatMap((line) => /^(\w+):.* distro runs/.exec(line)?.[1] ?? []);
      if (runs.join(' ') !== expected) throw new Error(`it runs on ${runs.join(' ')}\n${view}`);
      if (typeof on === 'string') await this.#answered();
      if (instead !== undefined && !this.beamAlone) return true;
      if (this.#beam !== undefined) {
        sameFact(step, view, this.#beam);
        return true;
      }
      // BEAM's own word counts when it stays the same: for long, if that is that somebody has not started it
      if (view !== last) since = Date.now();
      last = view;
      const stays = Date.now() - since >= (NOT_STARTED.test(view) ? 2000 : 150);
      if (!stays) await pause(150);
      return stays;
    });
    this.#note(step, last);
  }

  #note(step: string, fact: string): void {
    check(!this.outcome.facts.has(step), `two steps are called ${step}`);
    this.outcome.facts.set(step, fact);
  }

  /** What all living nodes say, a line each. */
  async view(): Promise<string> {
    const peers = this.cluster.alive();
    const nodes = `[${peers.map((peer) => peer.atom).join(', ')}]`;
    const apps = `[${this.apps.map((app) => `:${app}`).join(', ')}]`;
    const said = await this.cluster.ask(
      `Code.ensure_loaded?(Golden) || Code.require_file(${JSON.stringify(join(ROOT, 'interop', 'golden', 'view.exs'))}); ` +
        `apply(Golden, :views, [${nodes}, ${apps}])`,
    );
    const lines = (JSON.parse(said) as string).split('|').map((line, i) => {
      const peer = peers[i] as Peer;
      return `${line}; given ${peer.startTypes().join(' ') || 'nothing'}`;
    });
    return lines.sort().join('\n');
  }

  async #answered(): Promise<void> {
    const answers = await Promise.all(this.cluster.alive().map((peer) => peer.add(20, 22)));
    check(
      answers.every((answer) => answer === '42'),
      `20 + 22 is ${answers.join(', ')}`,
    );
  }

  /** Something that has to be word for word the same as on BEAM alone. */
  same(step: string, fact: string): void {
    if (this.#beam === undefined) this.#note(step, fact);
    else sameFact(step, fact, this.#beam);
  }

  /** A function of `application` called on a node comes to `expected`, and to the same on BEAM alone. */
  async asks(role: Role, fun: string, args: string, expected: string): Promise<void> {
    const got = await this.application(role, fun, args);
    this.expects(`application:${fun}(${args}) on ${role}`, got, expected);
  }

  /** A result is what was expected. */
  expects(step: string, got: string, expected: string): void {
    check(got === expected, `${step}: expected ${expected}, got ${got}`);
  }

  /** The result of a function of `application` called on a node, node names without their host. */
  async application(role: Role, fun: string, args: string, timeoutMs = 15_000): Promise<string> {
    const result = await this.peer(role).rpc(':application', `:${fun}`, `[${args}]`, timeoutMs);
    return result.replace(/:?"(\w+)@127\.0\.0\.1"/g, '$1');
  }

  /** kill -9, of several at the same moment; when (ms since the epoch). */
  async kill(...roles: readonly Role[]): Promise<number> {
    const at = Date.now();
    await Promise.all(roles.map((role) => this.peer(role).kill()));
    return at;
  }

  /** A call from every living node is answered, for the first time `atLeast` ms after `since`, and as soon as on BEAM alone. */
  async answers(step: string, since: number, atLeast: number): Promise<void> {
    const answers = await Promise.all(this.cluster.alive().map((peer) => peer.firstAnswer(atLeast + 15_000)));
    this.took(step, Math.max(...answers.map((answer) => answer.at)) - since, atLeast);
  }

  /** Something took this long: never less than `atLeast`, and as long as on BEAM alone. */
  took(step: string, ms: number, atLeast: number): void {
    check(ms >= atLeast, `${step}: after ${ms} ms, before the ${atLeast} ms were over`);
    if (this.#beam === undefined) this.outcome.times.set(step, ms);
    else sameTime(step, ms, this.#beam);
  }

  /** A node ends by itself, with this exit code. */
  async ends(role: Role, code: number): Promise<void> {
    const ended = await Promise.race([
      this.peer(role).proc.exited,
      pause(20_000).then(() => Promise.reject(new Error(`${role} goes on`))),
    ]);
    check(
      ended.code === code,
      `${role} ended with ${ended.signal ?? ended.code}, not with exit code ${code}`,
    );
  }

  /** Breaks connections, both ends at once. */
  async cut(...links: readonly (readonly [Role, Role])[]): Promise<void> {
    await Promise.all(
      links.map(([from, to]) =>
        this.peer(from).rpc(':erlang', ':disconnect_node', `[${this.peer(to).atom}]`),
      ),
    );
  }

  async connect(from: Role, to: Role): Promise<void> {
    await this.peer(from).rpc(':net_kernel', ':connect_node', `[${this.peer(to).atom}]`);
  }

  /** Ends the play: no lock is left, and Elixir nodes logged nothing that they would not have logged among themselves. */
  async done(mayLog: readonly RegExp[] = []): Promise<void> {
    await until('no lock is left', 5000, async () => {
      const tables = await Promise.all(
        this.cluster.alive().map((peer) => peer.rpc(':ets', ':tab2list', '[:global_locks]')),
      );
      if (tables.some((table) => table !== '[]')) throw new Error(tables.join('\n'));
      return true;
    });
    for (const peer of this.cluster.alive()) {
      const lines = unexpectedLines(peer);
      if (this.#beam === undefined) {
        for (const line of lines) this.outcome.lines.add(withoutAccidents(line));
        continue;
      }
      const ours = lines
        .filter((line) => !this.#beam?.lines.has(withoutAccidents(line)))
        .filter((line) => !mayLog.some((one) => one.test(line)));
      check(ours.length === 0, `${peer.node} logged what no BEAM node made it log:\n${ours.join('\n')}`);
    }
  }
}
