// The processes of the demo: EPMD on a port of its own, three nodes, and a hidden node that asks them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEpmd } from '../dist/epmd_start.js';
import { atom, isTagged, type Node, Pid, startNode, type Term, Tuple } from '../index.js';
import type { Elixir } from './demo_elixir.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const CONFIGS = fileURLToPath(new URL('../../../erl-config/', import.meta.url));
const HOST = '127.0.0.1';
const ENSURE_STARTED = '{:ok, _} = Application.ensure_all_started(:distro)';

/** The tutorial's nodes and the configuration file of each. */
export const ROLES = { abc: 'a', bcd: 'b', def: 'c' } as const;
export type Role = keyof typeof ROLES;

/** Where `distro` runs, as one node sees it: here, on that node, or nowhere. */
export type Seen = 'here' | string | undefined;

export class DemoCluster {
  readonly port: number;
  readonly cookie: string;
  /** For logs and compiled code. */
  readonly folder: string;
  readonly #elixir: Elixir | undefined;
  readonly #epmdPid: number;
  readonly #children = new Map<Role, ChildProcess>();
  #asker: Node | undefined;

  private constructor(port: number, epmdPid: number, folder: string, elixir: Elixir | undefined) {
    this.port = port;
    this.cookie = `demo-${randomBytes(6).toString('hex')}`;
    this.folder = folder;
    this.#epmdPid = epmdPid;
    this.#elixir = elixir;
  }

  /** A folder for the run. */
  static folder(): string {
    return mkdtempSync(join(tmpdir(), 'otpnode-demo-'));
  }

  /** Starts EPMD on a free port. */
  static async start(folder: string, elixir: Elixir | undefined): Promise<DemoCluster> {
    const port = await freePort();
    const started = await startEpmd({ port });
    return new DemoCluster(port, started.type === 'detached' ? started.pid : 0, folder, elixir);
  }

  /** What plays the role. */
  kind(role: Role): string {
    return role === 'bcd' && this.#elixir !== undefined ? `iex, ${this.#elixir.version}` : 'otpnode';
  }

  /** Starts the node; its output goes into a file. */
  launch(role: Role): void {
    const log = openSync(this.logFile(role), 'a');
    const [command, args] =
      role === 'bcd' && this.#elixir !== undefined ? this.#iex(role, this.#elixir) : this.#otpnode(role);
    const child = spawn(command, args, {
      // Of its own, so that Ctrl-C comes to us alone and the nodes end in order.
      detached: true,
      env: { ...process.env, ERL_EPMD_PORT: String(this.port) },
      stdio: [command === process.execPath ? 'ignore' : this.#endlessInput(), log, log],
    });
    closeSync(log);
    child.on('error', () => {});
    this.#children.set(role, child);
  }

  #otpnode(role: Role): [command: string, args: string[]] {
    const words = [
      '--name',
      `${role}@${HOST}`,
      '--cookie',
      this.cookie,
      '--app',
      'distro',
      '--log-format',
      'line',
    ];
    return [process.execPath, [MAIN, ...words, '-config', `${CONFIGS}${ROLES[role]}`]];
  }

  #iex(role: Role, { iex, ebin }: Elixir): [command: string, args: string[]] {
    const words = ['--name', `${role}@${HOST}`, '--cookie', this.cookie, '-pa', ebin, '-e', ENSURE_STARTED];
    return [iex, [...words, '--erl', `-config ${CONFIGS}${ROLES[role]}`]];
  }

  /** iex ends with its input; a pipe that it holds open itself never does, not even when the demo is over. */
  #endlessInput(): number {
    const pipe = join(this.folder, 'input');
    execFileSync('mkfifo', [pipe]);
    return openSync(pipe, 'r+');
  }

  logFile(role: Role): string {
    return join(this.folder, `${role}.log`);
  }

  /** Kills the node without a warning. */
  kill(role: Role): void {
    const child = this.#children.get(role);
    if (child?.pid !== undefined) process.kill(child.pid, 'SIGKILL');
    this.#children.delete(role);
  }

  /** A node that ended by itself, and the end of its output. */
  ended(): string | undefined {
    for (const [role, child] of this.#children) {
      if (child.exitCode === null && child.signalCode === null) continue;
      const tail = readFileSync(this.logFile(role), 'utf8').trim().split('\n').slice(-3).join('\n');
      return `${role} ended:\n${tail}`;
    }
    return undefined;
  }

  /** The hidden node that asks the others. */
  async #ask(
    role: Role,
    module: string,
    fun: string,
    args: readonly Term[],
    timeoutMs: number,
  ): Promise<Term> {
    this.#asker ??= await startNode({
      name: `demo@${HOST}`,
      cookie: this.cookie,
      hidden: true,
      epmd: { port: this.port, start: false },
      listen: { host: HOST },
    });
    const node = atom(`${role}@${HOST}`);
    return await this.#asker.client.apply(node, atom(module), atom(fun), args, { timeoutMs });
  }

  /** `Distro.DistroCal.add(x, y)` on that node; undefined if it is refused. */
  async add(role: Role, x: Term, y: Term): Promise<Term | undefined> {
    return await this.#ask(role, 'Elixir.Distro.DistroCal', 'add', [x, y], 3000).catch(() => undefined);
  }

  /** Where that node sees `distro` run; undefined also if it does not answer. */
  async seen(role: Role): Promise<Seen> {
    const info = await this.#ask(role, 'application', 'info', [], 2000).catch(() => undefined);
    const running = pairValue(info, 'running');
    const where = pairValue(running, 'distro');
    if (where instanceof Pid) return 'here';
    if (!isTagged(where, atom('distributed'), 2)) return undefined;
    return String(where.elements[1]).split('@')[0];
  }

  /** Process ids, to end what is kept. */
  pids(): number[] {
    return [...this.#children.values()]
      .map((child) => child.pid ?? 0)
      .concat(this.#epmdPid)
      .filter((pid) => pid > 0);
  }

  /** Lets go of everything and leaves it running. */
  async release(): Promise<void> {
    await this.#asker?.stop();
    for (const child of this.#children.values()) child.unref();
  }

  /** Ends all nodes, then EPMD. */
  async close(): Promise<void> {
    await this.#asker?.stop();
    const children = [...this.#children.values()];
    for (const child of children) child.kill(child.spawnfile === process.execPath ? 'SIGTERM' : 'SIGKILL');
    const late = setTimeout(() => {
      for (const child of children) child.kill('SIGKILL');
    }, 3000);
    await Promise.all(children.map(ended));
    clearTimeout(late);
    this.#children.clear();
    if (this.#epmdPid > 0) process.kill(this.#epmdPid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** At once, when there is no time: on the way out of the process. */
  closeNow(): void {
    for (const pid of this.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** The value of a key in a list of pairs. */
function pairValue(list: Term | undefined, key: string): Term | undefined {
  if (!Array.isArray(list)) return undefined;
  const pair = (list as readonly Term[]).find(
    (each) => each instanceof Tuple && each.elements[0] === atom(key),
  );
  return pair instanceof Tuple ? pair.elements[1] : undefined;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
