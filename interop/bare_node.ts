// A node of ours inside the test's own process, without services: registered with EPMD, hidden, with any set of
// flags. For what happens on connections, where `startNode` would only be in the way.
import type { Socket } from 'node:net';
import { DEFAULT_DFLAGS, DFLAG_PUBLISHED } from '../src/dist/dflags.js';
import type { DistSocket } from '../src/dist/dist_socket.js';
import { type Registration, registerNode } from '../src/dist/epmd_registration.js';
import { portPlease } from '../src/dist/erl_epmd.js';
import { connect, type Listener, listen } from '../src/dist/inet_tcp_dist.js';
import type { Process } from '../src/erts/process.js';
import { System } from '../src/erts/system.js';
import { NetKernel, type NetKernelOptions } from '../src/kernel/net_kernel.js';
import { NET_KERNEL, netKernelServer } from '../src/kernel/net_kernel_server.js';
import { startLink } from '../src/stdlib/gen_server.js';
import { atom } from '../src/terms/atom.js';
import { format } from '../src/terms/format.js';
import { type Cluster, HOST } from './cluster.js';

export class BareNode {
  readonly system: System;
  readonly netKernel: NetKernel;
  /** What it logged: `error connection attempt …`. */
  readonly log: string[];
  /** Nodeups and nodedowns: `up observer`, `down observer connection_closed`. */
  readonly events: string[] = [];
  readonly #listener: Listener;
  readonly #registration: Registration;
  readonly #sockets: Socket[];

  private constructor(
    system: System,
    netKernel: NetKernel,
    log: string[],
    listener: Listener,
    registration: Registration,
    sockets: Socket[],
  ) {
    this.system = system;
    this.netKernel = netKernel;
    this.log = log;
    this.#listener = listener;
    this.#registration = registration;
    this.#sockets = sockets;
    system.nodeListeners.add((event) => {
      const name = event.node.name.replace(/@.*/, '');
      this.events.push(event.type === 'up' ? `up ${name}` : `down ${name} ${format(event.reason)}`);
    });
  }

  static async start(
    cluster: Cluster,
    role: string,
    options: Partial<NetKernelOptions> & { readonly host?: string } = {},
  ): Promise<BareNode> {
    const { host = HOST, ...more } = options;
    const listener = await listen({ host: HOST });
    const epmd = { port: cluster.epmdPort };
    const registration = await registerNode({ name: role, port: listener.port, epmd });
    const log: string[] = [];
    const sockets: Socket[] = [];
    const system = new System({
      node: atom(`${role}@${host}`),
      creation: registration.creation,
      log: (level, text) => log.push(`${level} ${text}`),
    });
    const netKernel = new NetKernel(system, {
      dial: async (node) =>
        kept(await connect(HOST, (await portPlease(node.name.replace(/@.*/, ''), epmd)).port), sockets),
      cookie: () => cluster.cookie,
      flags: DEFAULT_DFLAGS & ~DFLAG_PUBLISHED,
      nameMode: 'longnames',
      ...more,
    });
    system.spawn(async (self) => {
      await startLink(self, netKernelServer, [], { name: NET_KERNEL });
      await new Promise(() => {});
    });
    listener.accept((socket) => void netKernel.accept(kept(socket, sockets)));
    return new BareNode(system, netKernel, log, listener, registration, sockets);
  }

  /** The name as Elixir writes it. */
  get atom(): string {
    return `:"${this.system.node.name}"`;
  }

  /** A process of that name. */
  serve(name: string, main: (self: Process) => Promise<void>): Process {
    return this.system.spawn(main, { name: atom(name) });
  }

  /** A process that only collects. */
  collector(name: string): Process {
    return this.serve(name, () => new Promise(() => {}));
  }

  /** Reads nothing any more from any connection, as if the node stood still, until `thaw`. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.netKernel.stop();
    this.#registration.close();
    await this.#listener.close();
  }
}

/** Remembers the socket of a connection when its handshake is over. */
function kept(socket: DistSocket, sockets: Socket[]): DistSocket {
  const handOver = socket.handOver.bind(socket);
  socket.handOver = () => {
    const made = handOver();
    sockets.push(made.socket);
    return made;
  };
  return socket;
}
