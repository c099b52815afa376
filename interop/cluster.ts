// A cluster under test: its own EPMD, its own folder, an observer, and peers that are either otpnode or Elixir.
// Everything is asked for, nothing is slept for; `close` (or `await using`) leaves no process and no file behind.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { epmdNames, freePort } from './epmd_names.js';
import { Observer } from './observer.js';
import { type Line, Proc, until } from './processes.js';
import { binds, distroEbin, type Release, ROOT, type Variant } from './releases.js';

/** The command line of otpnode, as it ships. */
export const OTPNODE: readonly string[] = [process.execPath, join(ROOT, 'build', 'src', 'cli', 'main.js')];

/** Who plays a role: otpnode, or `iex` of a release. */
export type Kind = 'otpnode' | Release;

/** The three nodes of the tutorial, by their names without host. */
export type Role = 'abc' | 'bcd' | 'def';
export const ROLES: readonly Role[] = ['abc', 'bcd', 'def'];

/** All orders in which they can be started. */
export const ORDERS: readonly (readonly Role[])[] = [
  ['abc', 'bcd', 'def'],
  ['def', 'bcd', 'abc'],
  ['bcd', 'abc', 'def'],
  ['bcd', 'def', 'abc'],
  ['def', 'abc', 'bcd'],
  ['abc', 'def', 'bcd'],
];

export const HOST = '127.0.0.1';

export function nodeName(role: string): string {
  return `${role}@${HOST}`;
}

/** What the tutorial's configuration says, with other figures. */
export interface Config {
  /** The value of `distributed`; default: the tutorial's list. */
  readonly distributed?: string;
  readonly restartMs?: number;
  readonly syncTimeoutMs?: number | undefined;
  readonly mandatory?: readonly string[];
  readonly optional?: readonly string[];
  /** More kernel parameters, as Erlang text: `{net_ticktime, 4}`. */
  readonly more?: readonly string[];
}

export const RESTART_MS = 1500;

/** So many processes that ended are in the report of a failed test. */
const REPORTED = 10;

/** A `sys.config` for a role: by default it waits for the two others, and restarts after 1500 ms. */
function configText(role: string, config: Config = {}): string {
  const others = ROLES.filter((other) => other !== role);
  const list = (names: readonly string[]) => `[${names.map((name) => `'${nodeName(name)}'`).join(', ')}]`;
  const timeout = 'syncTimeoutMs' in config ? config.syncTimeoutMs : 30_000;
  const distributed =
    config.distributed ??
    `[{distro, ${config.restartMs ?? RESTART_MS}, ['abc@${HOST}', {'bcd@${HOST}', 'def@${HOST}'}]}]`;
  const entries = [
    `{distributed, ${distributed}}`,
    `{sync_nodes_mandatory, ${list(config.mandatory ?? others)}}`,
    ...(config.optional === undefined ? [] : [`{sync_nodes_optional, ${list(config.optional)}}`]),
    ...(timeout === undefined ? [] : [`{sync_nodes_timeout, ${timeout}}`]),
    ...(config.more ?? []),
  ];
  return `[{kernel,\n  [${entries.join(',\n   ')}]}].\n`;
}

export interface StartOptions {
  readonly config?: Config | string;
  readonly variant?: Variant;
  /** Starts the application (default true). */
  readonly app?: boolean;
  /** More words for the command line, before `-config`. */
  readonly args?: readonly string[];
  readonly cookie?: string;
  /** A real terminal for an Elixir peer, made by `script`. */
  readonly terminal?: boolean;
}

export interface ClusterOptions {
  /** The release of the observer, and of EPMD unless that is ours. */
  readonly release: Release;
  readonly epmd?: 'otpnode' | 'beam' | 'none';
  /** Default: one of this run. */
  readonly cookie?: string;
}

/** Calls from one node over some time: how many were answered, refused, wrong; the longest time without an answer. */
export interface Watched {
  readonly answered: number;
  readonly refused: number;
  readonly wrong: number;
  readonly longestMs: number;
  /** Why calls were refused, as Elixir shows it. */
  readonly reasons: string;
}

/** One peer that was started. */
export class Peer {
  readonly role: string;
  readonly kind: Kind;
  readonly proc: Proc;
  readonly node: string;
  readonly #cluster: Cluster;
  constructor(cluster: Cluster, role: string, kind: Kind, proc: Proc) {
    this.#cluster = cluster;
    this.role = role;
    this.kind = kind;
    this.proc = proc;
    this.node = nodeName(role);
  }

  get atom(): string {
    return `:"${this.node}"`;
  }

  /** `:erpc.call(node, M, F, A)` from the observer; the inspected value. `call` is Elixir: `:erlang.node()`. */
  rpc(module: string, fun: string, args = '[]', timeoutMs = 15_000): Promise<string> {
    return this.#cluster.ask(`:erpc.call(${this.atom}, ${module}, ${fun}, ${args}, ${timeoutMs})`);
  }

  /** Evaluates Elixir code there (Elixir peers only). */
  eval(code: string, timeoutMs = 15_000): Promise<string> {
    if (this.kind === 'otpnode') throw new Error(`${this.node} is otpnode: it evaluates no Elixir`);
    return this.#cluster.ask(`Observer.eval(${this.atom}, ${elixirString(code)}, ${timeoutMs})`);
  }

  /** `Distro.DistroCal.add(x, y)` called on that node. */
  add(x: string | number, y: string | number): Promise<string> {
    return this.rpc('Distro.DistroCal', ':add', `[${x}, ${y}]`, 6000);
  }

  /** Calls from that node until an answer comes; when (ms), and how many calls were refused before. */
  async firstAnswer(timeoutMs: number): Promise<{ readonly at: number; readonly refused: number }> {
    const text = await this.#cluster.ask(`Observer.first_answer(${this.atom}, 1, 2, ${timeoutMs})`);
    const match = /^\{(\d+), 3, (\d+)\}$/.exec(text);
    if (match === null) throw new Error(`${this.node} answered ${text}`);
    return { at: Number(match[1]), refused: Number(match[2]) };
  }

  /** Calls the calculator from that node again and again, until `watched`. */
  async watch(): Promise<void> {
    await this.#cluster.ask(`Observer.watch(${this.atom})`);
  }

  /** How the calls went since `watch`. */
  async watched(): Promise<Watched> {
    const seen = await this.#cluster.ask(`Observer.watched(${this.atom})`);
    const figure = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(seen)?.[1]);
    return {
      answered: figure('answered'),
      refused: figure('refused'),
      wrong: figure('wrong'),
      longestMs: figure('longest_ms'),
      reasons: /reasons: \[(.*)\]/.exec(seen)?.[1] ?? '',
    };
  }

  /** Whether the application runs on that node. */
  async runs(): Promise<boolean> {
    return (await this.rpc(':application', ':which_applications')).includes('{:distro,');
  }

  /** Waits until the application was started there: it runs, or the node stands by. */
  async started(timeoutMs = 20_000): Promise<void> {
    await until(`${this.node} has started distro`, timeoutMs, async () => {
      const info = await this.rpc(':application', ':info');
      if (!/started: \[[^\]]*distro:/.test(info)) throw new Error(info);
      return true;
    });
  }

  /** The visible nodes that it is connected to, sorted: `bcd@127.0.0.1 def@127.0.0.1`. */
  async nodes(): Promise<string> {
    const atoms = await this.rpc(':erlang', ':nodes');
    return [...atoms.matchAll(/[\w]+@[\d.]+/g)]
      .map(([node]) => node)
      .sort()
      .join(' ');
  }

  /** The start types that its application was given so far, without Erlang's or Elixir's punctuation: `normal`. */
  startTypes(from = 0): string[] {
    return this.proc.lines.slice(from).flatMap((line) => {
      const type = /Distro application in (.+?) mode/.exec(line.text)?.[1];
      return type === undefined ? [] : [type.replace(/[:"'\\ ]/g, '')];
    });
  }

  /** Waits until the application has said that it was given these start types, and no others: `normal`. */
  async hasStartTypes(expected: string, timeoutMs = 15_000): Promise<void> {
    await until(`the start types on ${this.node} are "${expected}"`, timeoutMs, () => {
      const types = this.startTypes().join(' ');
      if (types !== expected) throw new Error(`they are "${types}"`);
      return true;
    });
  }

  /** The line with which the application says that it starts. */
  startLine(timeoutMs: number, from = 0): Promise<Line> {
    return this.proc.line(/Distro application in .+ mode/, timeoutMs, from);
  }

  kill(): Promise<number> {
    return this.proc.kill();
  }
}

export class Cluster {
  readonly dir: string;
  readonly epmdPort: number;
  readonly cookie: string;
  readonly release: Release;
  /** Every process of this cluster, in order of their start. */
  readonly procs: Proc[] = [];
  readonly #peers = new Map<string, Peer>();
  readonly #observer: Observer;
  #epmd: Proc | undefined;

  private constructor(options: ClusterOptions, dir: string, epmdPort: number, observer: Observer) {
    this.release = options.release;
    this.dir = dir;
    this.epmdPort = epmdPort;
    this.cookie = options.cookie ?? `cookie${process.pid}`;
    this.#observer = observer;
  }

  static async open(options: ClusterOptions): Promise<Cluster> {
    const dir = mkdtempSync(join(tmpdir(), 'otpnode-interop-'));
    const cluster = new Cluster(options, dir, await freePort(), await Observer.listen());
    try {
      if (options.epmd !== 'none') await cluster.startEpmd(options.epmd ?? 'beam');
      if (options.epmd !== 'none') await cluster.#startObserver();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** The environment of every process here. */
  env(): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.dir,
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      LC_ALL: 'C.UTF-8',
      ERL_EPMD_PORT: String(this.epmdPort),
      ERL_EPMD_ADDRESS: HOST,
      ERL_CRASH_DUMP_SECONDS: '0',
      // several nodes share few cores: no busy waiting
      ERL_AFLAGS: '+sbwt none +sbwtdcpu none +sbwtdio none',
      OTP_BIND: binds(this.dir),
      OTPNODE_OBSERVER: String(this.#observer.port),
    };
  }

  /** Starts a process of this cluster. */
  run(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}, cwd: string = this.dir): Proc {
    const [file, ...args] = command;
    const proc = new Proc({ name, file: file as string, args, cwd, env: { ...this.env(), ...env } });
    this.procs.push(proc);
    return proc;
  }

  async startEpmd(whose: 'otpnode' | 'beam'): Promise<Proc> {
    const words = ['-port', String(this.epmdPort), '-address', HOST];
    const command =
      whose === 'beam' ? [join(this.release.bin, 'epmd'), ...words] : [...OTPNODE, 'epmd', ...words];
    const epmd = this.run(`${whose} epmd`, command);
    this.#epmd = epmd;
    await until('EPMD answers', 30_000, async () => {
      if (epmd.ended !== undefined) throw new Error(`it ended: ${epmd.output()}`);
      return (await this.names()) !== undefined;
    });
    return epmd;
  }

  get epmd(): Proc | undefined {
    return this.#epmd;
  }

  /** What is registered with this cluster's EPMD. */
  names(): Promise<Map<string, number> | undefined> {
    return epmdNames(this.epmdPort);
  }

  async #startObserver(): Promise<void> {
    const proc = this.run('observer', [
      join(this.release.bin, 'elixir'),
      ...['--hidden', '--name', nodeName('observer'), '--cookie', this.cookie],
      ...['--erl', '-connect_all false'],
      join(ROOT, 'interop', 'observer.exs'),
    ]);
    const ended = proc.exited.then(() => {
      throw new Error(`the observer did not start:\n${proc.output()}`);
    });
    ended.catch(() => {}); // it ends some day
    await Promise.race([this.#observer.ready(), ended]);
  }

  /** Evaluates Elixir code on the observer. */
  ask(code: string): Promise<string> {
    return this.#observer.ask(code);
  }

  /** A folder of that name in this cluster's own. */
  folder(name: string): string {
    const folder = join(this.dir, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Writes a configuration file; returns its name without `.config`, as `-config` takes it. */
  config(role: string, config: Config | string = {}): string {
    mkdirSync(this.dir, { recursive: true });
    const file = join(this.dir, `${role}.config`);
    writeFileSync(file, typeof config === 'string' ? config : configText(role, config));
    return join(this.dir, role);
  }

  /** Starts a peer; does not wait for anything. */
  async start(role: string, kind: Kind, options: StartOptions = {}): Promise<Peer> {
    const config = this.config(role, options.config);
    const cookie = options.cookie ?? this.cookie;
    const name = ['--name', nodeName(role), '--cookie', cookie];
    const app = options.app ?? true;
    const words =
      kind === 'otpnode'
        ? [...OTPNODE, ...name, ...(app ? ['--app', 'distro'] : []), ...(options.args ?? [])]
        : [
            ...[join(kind.bin, 'iex'), ...name, '-pa', await distroEbin(kind, options.variant ?? 'tutorial')],
            ...(app ? appWords(kind) : []),
            ...(options.args ?? []),
          ];
    const command =
      kind === 'otpnode' ? [...words, '-config', config] : [...words, '--erl', `-config ${config}`];
    const label = kind === 'otpnode' ? `${role} (otpnode)` : `${role} (OTP ${kind.otp})`;
    return this.adopt(role, kind, this.run(label, options.terminal === true ? inTerminal(command) : command));
  }

  /** A process that was started otherwise plays a role. */
  adopt(role: string, kind: Kind, proc: Proc): Peer {
    const peer = new Peer(this, role, kind, proc);
    this.#peers.set(role, peer);
    return peer;
  }

  /** The peer that plays a role now. */
  peer(role: string): Peer {
    const peer = this.#peers.get(role);
    if (peer === undefined) throw new Error(`${role} was not started`);
    return peer;
  }

  /** The peers whose process lives. */
  alive(): Peer[] {
    return [...this.#peers.values()].filter((peer) => peer.proc.ended === undefined);
  }

  /** Waits until a peer's node is registered with EPMD. */
  registered(peer: Peer, timeoutMs = 15_000): Promise<true> {
    return until(`${peer.node} is registered`, timeoutMs, async () => {
      if (peer.proc.ended !== undefined) throw new Error(`it ended: ${peer.proc.output()}`);
      return (await this.names())?.has(peer.role) === true ? true : undefined;
    });
  }

  /** Waits until the application runs on `role` alone and a call from every living peer is answered rightly. */
  async runsOn(role: string, timeoutMs = 30_000): Promise<void> {
    const wrong = await until(`distro runs on ${role} alone`, timeoutMs, async () => {
      const peers = this.alive();
      const running = await Promise.all(peers.map((peer) => peer.runs()));
      const where = peers.filter((_, i) => running[i] === true).map((peer) => peer.role);
      if (where.join() !== role) throw new Error(`it runs on ${where.join(', ') || 'no node'}`);
      const answers = await Promise.all(peers.map((peer) => peer.add(20, 22)));
      return peers.flatMap((peer, i) => (answers[i] === '42' ? [] : [`${peer.node}: ${answers[i]}`]));
    });
    if (wrong.length > 0) throw new Error(`20 + 22 is ${wrong.join(', ')}`);
    // what Elixir logs may come later than what it answers
    await this.peer(role).startLine(15_000);
  }

  /** Everything the processes said, for a failed test; of those that ended long ago nothing. */
  report(): string {
    const start = Math.min(...this.procs.map((proc) => proc.startedAt));
    const seconds = (at: number) => ((at - start) / 1000).toFixed(3).padStart(8);
    const ended = this.procs.filter((proc) => proc.ended !== undefined).slice(0, -REPORTED);
    return this.procs
      .filter((proc) => !ended.includes(proc))
      .map((proc) => {
        const end =
          proc.ended === undefined
            ? 'still alive'
            : `ended ${seconds(proc.ended.at)} ${proc.ended.signal ?? `exit code ${proc.ended.code}`}`;
        const lines = proc.lines.map((line) => `${seconds(line.at)}  ${line.text}`);
        return [
          `--- ${proc.name}, started ${seconds(proc.startedAt)}, ${end}`,
          `    ${proc.command}`,
          ...lines,
        ].join('\n');
      })
      .join('\n');
  }

  /** Ends every process and removes the folder. */
  async close(): Promise<void> {
    for (const proc of [...this.procs].reverse()) proc.signal('SIGKILL');
    await Promise.all(this.procs.map((proc) => proc.exited));
    await this.#observer.close();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** How `iex` of a release starts the application: `--app` is gone since Elixir 1.18. */
function appWords(of: Release): string[] {
  const [, minor] = of.elixir.split('.').map(Number);
  if ((minor ?? 0) < 18) return ['--app', 'distro'];
  return ['-e', '{:ok, _} = Application.ensure_all_started(:distro)'];
}

/** The command in a pseudo-terminal, which util-linux makes on every Debian. */
export function inTerminal(command: readonly string[]): string[] {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return ['script', '-qfec', `stty -echo cols 200 rows 50; exec ${words}`, '/dev/null'];
}

/** Elixir source of a string. */
export function elixirString(text: string): string {
  return JSON.stringify(text).replaceAll('#{', '\\#{');
}
