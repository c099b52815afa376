// For tests of the connection itself: a node of ours inside the test's process, plain `erl` peers, and an EPMD of
// ours, without the observer that clusters have.
import { join } from 'node:path';
import { type EpmdServer, startEpmdServer } from '../src/dist/epmd.js';
import { type Node, startNode } from '../src/node.js';
import type { NodeOptions } from '../src/node_options.js';
import type { Cluster } from './cluster.js';
import { type Proc, until } from './processes.js';
import type { Release } from './releases.js';

/** What an `erl` is started with beside its name. */
export interface ErlOptions {
  readonly release?: Release;
  readonly cookie?: string;
  readonly words?: readonly string[];
}

export class Network {
  readonly cluster: Cluster;
  /** What our nodes logged. */
  readonly lines: string[] = [];
  readonly #nodes: Node[] = [];
  readonly #epmd: EpmdServer;

  private constructor(cluster: Cluster, epmd: EpmdServer) {
    this.cluster = cluster;
    this.#epmd = epmd;
  }

  /** For a test with `epmd: 'none'`: the cluster's port is used. */
  static async open(cluster: Cluster, addresses: readonly string[] = ['127.0.0.1']): Promise<Network> {
    return new Network(cluster, await startEpmdServer({ port: cluster.epmdPort, addresses }));
  }

  /** Starts a node of ours. */
  async node(name: string, options: Partial<NodeOptions> = {}): Promise<Node> {
    const node = await startNode({
      name,
      cookie: this.cluster.cookie,
      epmd: { port: this.cluster.epmdPort },
      listen: { host: '127.0.0.1' },
      log: (_, text) => void this.lines.push(text),
      ...options,
    });
    this.#nodes.push(node);
    return node;
  }

  /** Starts an `erl` that runs Erlang code; each value given to `P` is printed as `P: Value`. It stays alive. */
  erl(name: string, code: string, options: ErlOptions = {}): Proc {
    const { release = this.cluster.release, cookie = this.cluster.cookie, words = [] } = options;
    const print = 'P = fun(V) -> io:format("P: ~0p~n", [V]) end, ';
    return this.cluster.run(`erl ${name}`, [
      join(release.bin, 'erl'),
      ...['-noinput', '-start_epmd', 'false', '-name', name, '-setcookie', cookie, ...words],
      ...['-eval', `${print}${code}.`],
    ]);
  }

  /** Waits until one of our nodes has logged such a line. */
  async told(pattern: RegExp): Promise<void> {
    await until(`a line that is ${pattern}`, 20_000, () => {
      if (this.lines.some((line) => pattern.test(line))) return true;
      throw new Error(`only these are there:\n${this.lines.join('\n')}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node.stop();
    this.#epmd.close();
  }
}

/** The next value that an `erl` prints; `from` counts lines. */
export async function printed(erl: Proc, from = 0, timeoutMs = 20_000): Promise<string> {
  const { text } = await erl.line(/^P: /, timeoutMs, from);
  return text.slice(3);
}
