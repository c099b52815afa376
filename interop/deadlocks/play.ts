// A cluster for cases in which BEAM's dist_ac waits for ever: applications without code, started without waiting for it.
import { type Cluster, type Config, type Kind, nodeName, type Peer, ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const CONTROL = ['-otpnode', 'remote_control', 'true'];
/** Longer than any wait that otpnode allows itself. */
export const NOT_FOR_EVER_MS = 60_000;

const quoted = (role: Role): string => `'${nodeName(role)}'`;
export const A: string = quoted('abc');
export const B: string = quoted('bcd');
export const C: string = quoted('def');
export const PLAIN: string = `[${A}, ${B}, ${C}]`;

export type App = 'd1' | 'd2';

export class Play {
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

  /** Waits until all applications of an `iex` node run. */
  async counts(role: Role): Promise<void> {
    const peer = this.peer(role);
    if (peer.kind === 'otpnode') return;
    await until(`iex runs on ${role}`, 20_000, async () =>
      (await peer.rpc(':application', ':which_applications')).includes('{:iex,'),
    );
  }

  /** Kills a node and starts it and the application again; does not wait for the latter. */
  async reboots(role: Role, app: App): Promise<void> {
    await this.peer(role).kill();
    await this.boot(role);
    await this.booted(role);
    await this.load(role, app);
    this.start(role, app);
  }

  /** Loads it, without code, or with a module that is not there, so that its start fails. */
  async load(role: Role, app: App, module?: string): Promise<void> {
    const mod = module === undefined ? '' : `, mod: {:${module}, []}`;
    const spec = `{:application, :${app}, [vsn: '1', modules: [], registered: [], applications: [:kernel, :stdlib]${mod}]}`;
    same(await this.application(role, 'load', spec), ':ok', `load on ${role}`);
  }

  /** A function of `application` called on a node; it may wait, but not for ever. */
  application(role: Role, fun: string, args: string): Promise<string> {
    return this.peer(role).rpc(':application', `:${fun}`, `[${args}]`, NOT_FOR_EVER_MS);
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
    const result = await this.#ended(role, app, timeoutMs);
    check(result === ':ok', `the start of ${app} on ${role}: ${result}`);
  }

  /** Waits until the start that a node was asked for has failed. */
  async startFails(role: Role, app: App): Promise<void> {
    const result = await this.#ended(role, app, 20_000);
    check(result.startsWith('{:error, '), `the start of ${app} on ${role}: ${result}`);
  }

  async #ended(role: Role, app: App, timeoutMs: number): Promise<string> {
    const begin = `${role} ${app} `;
    return await until(`the start of ${app} on ${role}`, timeoutMs, () => {
      const result = this.#results.find((one) => one.startsWith(begin));
      if (result === undefined) throw new Error('it goes on');
      return result.slice(begin.length);
    });
  }

  /** Waits until a node is inside the start of an application. */
  async starting(role: Role, app: App): Promise<void> {
    await until(`${role} is inside its start of ${app}`, 10_000, async () =>
      new RegExp(`starting: \\[[^\\]]*${app}`).test(await this.peer(role).rpc(':application', ':info')),
    );
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

  /** The locks that a node has given. */
  locks(role: Role): Promise<string> {
    return this.peer(role).rpc(':ets', ':tab2list', '[:global_locks]');
  }

  /** Waits until no living node has given a lock. */
  async noLock(): Promise<void> {
    await until('no lock is left', 15_000, async () => {
      const tables = await Promise.all(this.cluster.alive().map((peer) => this.locks(peer.role as Role)));
      if (tables.some((table) => table !== '[]')) throw new Error(tables.join('; '));
      return true;
    });
  }

  /** No lock is left, and every dist_ac answers. */
  async goesOn(): Promise<void> {
    await this.noLock();
    for (const { role } of this.cluster.alive())
      await until(`${role} is not blocked`, 15_000, () => this.answers(role as Role));
  }

  /** Whether the dist_ac of a node answers. */
  async answers(role: Role): Promise<boolean> {
    const code = `try do :gen_server.call({:dist_ac, ${this.peer(role).atom}}, :info, 1000) |> elem(0) catch _, _ -> :blocked end`;
    return (await this.cluster.ask(code)) === ':state';
  }
}
