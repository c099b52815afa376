// `npm start`: three nodes on this machine run the tutorial's application; one is killed and comes back, told as it
// happens.
import { format } from '../index.js';
import { DemoCluster, ROLES, type Role, type Seen } from './demo_cluster.js';
import { findElixir } from './demo_elixir.js';

const DEMO_USAGE = `usage: otpnode demo [--keep]

Three nodes, abc, bcd and def, run the application distro on one of them: abc is killed, bcd goes on after
five seconds, abc comes back and takes over. With iex on PATH bcd is a real Elixir node.

  --keep   leave the nodes running, and say how to join them and how to end them
`;

const ALL = Object.keys(ROLES) as Role[];
/** Longer than anything here should take. */
const LIMIT_MS = 50_000;

export interface DemoOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs the demo; resolves to the exit code. */
export async function demoMain(argv: readonly string[], output: DemoOutput): Promise<number> {
  const unknown = argv.find((word) => word !== '--keep');
  if (unknown !== undefined) {
    const help = /^--?help$/.test(unknown);
    (help ? output.out : output.err)(
      help ? DEMO_USAGE : `otpnode demo: unknown option ${unknown}\n${DEMO_USAGE}`,
    );
    return help ? 0 : 1;
  }
  const began = performance.now();
  const tell = (text: string): void => {
    output.out(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${text}\n`);
  };
  tell('three nodes, one calculator: abc runs it, bcd and def stand by');
  const folder = DemoCluster.folder();
  const elixir = await findElixir(folder);
  if ('why' in elixir) tell(elixir.why);
  const cluster = await DemoCluster.start(folder, 'why' in elixir ? undefined : elixir);
  const interrupted = (): void => {
    cluster.closeNow();
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await new Story(cluster, tell, performance.now() + LIMIT_MS).run();
    if (argv.includes('--keep')) await keep(cluster, output);
    else await cluster.close();
    return 0;
  } catch (error) {
    output.err(`the demo failed: ${(error as Error).message}\n`);
    cluster.closeNow();
    return 1;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}

class Story {
  readonly #cluster: DemoCluster;
  readonly #tell: (text: string) => void;
  readonly #deadline: number;

  constructor(cluster: DemoCluster, tell: (text: string) => void, deadline: number) {
    this.#cluster = cluster;
    this.#tell = tell;
    this.#deadline = deadline;
  }

  async run(): Promise<void> {
    const cluster = this.#cluster;
    const tell = this.#tell;
    tell(`EPMD, ours, listens on port ${cluster.port}`);
    for (const role of ALL) cluster.launch(role);
    tell(
      `started ${ALL.map((role) => `${role} (${cluster.kind(role)})`).join(', ')}; each waits for the other two`,
    );
    await this.#until('abc', 'here');
    await this.#until('bcd', 'abc');
    await this.#until('def', 'abc');
    tell('all three are up: distro runs on abc, bcd and def stand by');
    await this.#calculate('def', 1, 2);
    await this.#calculate('bcd', 2n ** 70n, 1);
    await this.#failover();
    await this.#takeover();
    tell('that was it');
    this.#join();
  }

  async #failover(): Promise<void> {
    const tell = this.#tell;
    tell('kill -9 abc');
    const killed = performance.now();
    this.#cluster.kill('abc');
    const calls = new Calls(this.#cluster, 'def');
    tell('bcd and def wait 5 s, in case abc comes back');
    await this.#until('bcd', 'here');
    tell(
      `distro runs on bcd (${this.#cluster.kind('bcd')}), ${seconds(performance.now() - killed)} after the kill`,
    );
    const { firstAfter, refused } = await calls.end();
    tell(
      `def, which asked all the time, got its next answer ${seconds(firstAfter - killed)} after the kill (refused until then: ${refused})`,
    );
    await this.#calculate('def', 20, 22);
  }

  async #takeover(): Promise<void> {
    const tell = this.#tell;
    const calls = new Calls(this.#cluster, 'def');
    tell('abc is started again');
    this.#cluster.launch('abc');
    await this.#until('abc', 'here');
    await this.#until('bcd', 'abc');
    tell('abc has taken distro over from bcd');
    const { answered, refused, gapMs } = await calls.end();
    tell(
      `meanwhile def got ${answered} answers (refused: ${refused}); the longest time between two was ${gapMs.toFixed(0)} ms`,
    );
    await this.#calculate('bcd', 40, 2);
  }

  async #calculate(role: Role, x: number | bigint, y: number): Promise<void> {
    for (;;) {
      const sum = await this.#cluster.add(role, x, y);
      if (sum !== undefined) {
        this.#tell(`asked on ${role}: Distro.DistroCal.add(${x}, ${y}) = ${format(sum)}`);
        return;
      }
      await this.#pause(`an answer to ${role}`);
    }
  }

  /** Until that node sees distro run there. */
  async #until(role: Role, where: Seen): Promise<void> {
    while ((await this.#cluster.seen(role)) !== where) {
      await this.#pause(`${role} to see distro run ${where === 'here' ? 'there' : `on ${where}`}`);
    }
  }

  async #pause(forWhat: string): Promise<void> {
    const ended = this.#cluster.ended();
    if (ended !== undefined) throw new Error(ended);
    if (performance.now() > this.#deadline) throw new Error(`waited too long for ${forWhat}`);
    await sleep(20);
  }

  #join(): void {
    const { port, cookie } = this.#cluster;
    const connect =
      'Node.connect(:"abc@127.0.0.1"); :global.sync(); IO.inspect GenServer.call({:global, Distro.DistroCal}, {:cal, 1, 2})';
    this.#tell('to join from a terminal with Elixir while the nodes run (npm start -- --keep):');
    this.#tell(`ERL_EPMD_PORT=${port} iex --name me@127.0.0.1 --cookie ${cookie} -e '${connect}'`);
  }
}

/** Calls the calculator from one node, one call after the other, and remembers when it answered. */
class Calls {
  #ending = false;
  #answers: number[] = [];
  #refused = 0;
  readonly #done: Promise<void>;

  constructor(cluster: DemoCluster, role: Role) {
    this.#done = this.#run(cluster, role);
  }

  async #run(cluster: DemoCluster, role: Role): Promise<void> {
    while (!this.#ending || this.#answers.length === 0) {
      if ((await cluster.add(role, 1, 2)) === 3) this.#answers.push(performance.now());
      else {
        this.#refused++;
        // What was answered before the first refusal belongs to the time before the failure.
        if (!this.#ending && this.#answers.length < 3) this.#answers = [];
      }
      await sleep(5);
    }
  }

  async end(): Promise<{ answered: number; refused: number; firstAfter: number; gapMs: number }> {
    this.#ending = true;
    await this.#done;
    const answers = this.#answers;
    const gaps = answers.slice(1).map((at, i) => at - (answers[i] as number));
    return {
      answered: answers.length,
      refused: this.#refused,
      firstAfter: answers[0] as number,
      gapMs: Math.max(0, ...gaps),
    };
  }
}

async function keep(cluster: DemoCluster, output: DemoOutput): Promise<void> {
  await cluster.release();
  output.out(
    `\nThe nodes go on. Their output is in ${cluster.folder}\nTo end them: kill ${cluster.pids().join(' ')}\n`,
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
