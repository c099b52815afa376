// Two network namespaces joined by one cable that can be pulled: then nothing arrives, and nobody is told so.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Cluster } from '../cluster.js';
import { until } from '../processes.js';
import type { Place } from './crowd.js';

const run = promisify(execFile);

export type Side = 'left' | 'right';
const SIDES: readonly Side[] = ['left', 'right'];

/** Why no network namespace can be made here; undefined: they can. */
export async function namespacesRefused(): Promise<string | undefined> {
  const name = `otpnode-try-${process.pid}`;
  try {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['netns', 'delete', name]);
    return undefined;
  } catch (error) {
    return (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
  }
}

let made = 0;

export class Cable {
  readonly #cluster: Cluster;
  readonly #name = `otpnode-${process.pid}-${made++}`;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Makes the namespaces, each with an EPMD. */
  static async lay(cluster: Cluster): Promise<Cable> {
    const cable = new Cable(cluster);
    try {
      for (const side of SIDES) await run('ip', ['netns', 'add', cable.#netns(side)]);
      const [left, right] = SIDES.map((side) => cable.#netns(side)) as [string, string];
      const ends = ['type', 'veth', 'peer', 'name', 'end', 'netns', right];
      await run('ip', ['-n', left, 'link', 'add', 'end', ...ends]);
      for (const side of SIDES) {
        await cable.#ip(side, 'address', 'add', `${cable.host(side)}/24`, 'dev', 'end');
        await cable.#ip(side, 'link', 'set', 'lo', 'up');
        await cable.#ip(side, 'link', 'set', 'end', 'up');
        await cable.#startEpmd(side);
      }
      return cable;
    } catch (error) {
      await cable[Symbol.asyncDispose]();
      throw error;
    }
  }

  host(side: Side): string {
    return side === 'left' ? '10.77.0.1' : '10.77.0.2';
  }

  place(side: Side): Place {
    return { host: this.host(side), command: ['ip', 'netns', 'exec', this.#netns(side)] };
  }

  /** What is sent from now on is lost. */
  async pull(): Promise<void> {
    await this.#ip('right', 'link', 'set', 'end', 'down');
  }

  async plug(): Promise<void> {
    await this.#ip('right', 'link', 'set', 'end', 'up');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const side of SIDES) await run('ip', ['netns', 'delete', this.#netns(side)]).catch(() => {});
  }

  #netns(side: Side): string {
    return `${this.#name}-${side}`;
  }

  async #ip(side: Side, ...words: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.#netns(side), ...words]);
  }

  async #startEpmd(side: Side): Promise<void> {
    const { command, host } = this.place(side);
    const epmd = `${this.#cluster.release.bin}/epmd`;
    const port = String(this.#cluster.epmdPort);
    this.#cluster.run(`epmd ${side}`, [...command, epmd, '-port', port, '-address', host]);
    const [file = '', ...args] = [...command, epmd, '-port', port, '-names'];
    await until(`EPMD answers on the ${side}`, 10_000, async () => {
      await run(file, args, { env: this.#cluster.env() });
      return true;
    });
  }
}
