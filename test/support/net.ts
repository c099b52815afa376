// Nodes that reach each other over loopback sockets, without EPMD: real handshakes, connections and net_kernels.
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { connect, type Listener, listen } from '../../src/dist/inet_tcp_dist.js';
import { ConnectionError } from '../../src/errors.js';
import type { NodeEvent, System } from '../../src/erts/system.js';
import { NetKernel, type NetKernelOptions } from '../../src/kernel/net_kernel.js';
import { NET_KERNEL, netKernelServer } from '../../src/kernel/net_kernel_server.js';
import { startLink } from '../../src/stdlib/gen_server.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { type LogLine, loggedSystem } from './wire.js';

export interface TestNode {
  readonly system: System;
  readonly netKernel: NetKernel;
  readonly listener: Listener;
  readonly lines: LogLine[];
  /** Nodeups and nodedowns so far: `up b`, `down b connection_closed`. */
  readonly events: string[];
  readonly name: Atom;
}

export class Net {
  readonly #ports = new Map<string, number>();
  readonly #nodes: TestNode[] = [];
  #creations = 1;

  /** Starts a node `name@127.0.0.1`; one of the same name takes the place of the earlier for those that dial. */
  async start(name: string, options: Partial<NetKernelOptions> = {}): Promise<TestNode> {
    const listener = await listen({ host: '127.0.0.1' });
    const { system, lines } = loggedSystem(`${name}@127.0.0.1`, 1000 + this.#creations++);
    const netKernel = new NetKernel(system, {
      dial: (node) => this.dial(node),
      cookie: () => 'secret',
      flags: DEFAULT_DFLAGS,
      nameMode: 'longnames',
      ...options,
    });
    const events: string[] = [];
    system.nodeListeners.add((event) => events.push(describe(event)));
    system.spawn(async (self) => {
      await startLink(self, netKernelServer, [], { name: NET_KERNEL });
      await self.next();
    });
    listener.accept((socket) => void netKernel.accept(socket));
    this.#ports.set(system.node.name, listener.port);
    const node = { system, netKernel, listener, lines, events, name: system.node };
    this.#nodes.push(node);
    return node;
  }

  dial(node: Atom): Promise<DistSocket> {
    const port = this.#ports.get(node.name);
    if (port === undefined) {
      const text = `nobody listens as ${node.name}`;
      return Promise.reject(new ConnectionError('unreachable', node.name, text));
    }
    return connect('127.0.0.1', port);
  }

  /** Lets dialling a name end somewhere else. */
  reroute(name: string, port: number): void {
    this.#ports.set(atom(name).name, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { netKernel, listener } of this.#nodes) {
      netKernel.stop();
      await listener.close();
    }
  }
}

function describe(event: NodeEvent): string {
  const name = event.node.name.replace(/@.*/, '');
  if (event.type === 'up') return `up ${name}`;
  return `down ${name} ${String(event.reason)}`;
}
