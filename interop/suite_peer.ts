// What the checks made after OTP's own suites share: an otpnode in the place of a peer node, inside the test's process,
// and a BEAM node that plays the suite's own part.
import { type Node, startNode } from '../src/node.js';
import type { NodeOptions } from '../src/node_options.js';
import { type Cluster, HOST, nodeName } from './cluster.js';
import { until } from './processes.js';
import { same } from './suite.js';

export class SuitePeer implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly node: Node;
  /** As Elixir writes it. */
  readonly atom: string;
  readonly lines: string[];

  constructor(cluster: Cluster, node: Node, lines: string[]) {
    this.cluster = cluster;
    this.node = node;
    this.atom = `:"${node.name.name}"`;
    this.lines = lines;
  }

  static async start(
    cluster: Cluster,
    role = 'peer',
    options: Partial<NodeOptions> = {},
  ): Promise<SuitePeer> {
    const lines: string[] = [];
    const node = await startNode({
      name: nodeName(role),
      cookie: cluster.cookie,
      epmd: { port: cluster.epmdPort, start: false },
      listen: { host: HOST },
      log: (level, text) => void lines.push(`${level} ${text}`),
      ...options,
    });
    return new SuitePeer(cluster, node, lines);
  }

  /** Elixir code evaluated on the observer, `PEER` in it being this node. */
  ask(code: string): Promise<string> {
    return this.cluster.ask(code.replaceAll('PEER', this.atom));
  }

  /** Fails unless that Elixir code has that value. */
  async gives(code: string, value: string): Promise<void> {
    same(await this.ask(code), value.replaceAll('PEER', this.atom), code);
  }

  /** Waits until it has that value. */
  async becomes(code: string, value: string, timeoutMs = 20_000): Promise<void> {
    await until(code, timeoutMs, async () => {
      await this.gives(code, value);
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
  }
}
