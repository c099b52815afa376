// How a node is reached and reaches others: its listener, its registration with EPMD, and dialling (`-proto_dist`).
//
// In OTP net_kernel asks this of `inet_tcp_dist` or `inet_tls_dist`, and those ask `erl_epmd`. Three ways of life:
// with EPMD, which is started where none listens; with one fixed port for all nodes (`-erl_epmd_port`), where EPMD is
// told but never asked; and without EPMD altogether.
import type { DistSocket } from '../dist/dist_socket.js';
import { type Handshake, handshakeWeStarted, type WeStartedOptions } from '../dist/dist_util.js';
import {
  type RegisterOptions,
  type Registration,
  registerLater,
  registerNode,
} from '../dist/epmd_registration.js';
import { startEpmd } from '../dist/epmd_start.js';
import { type EpmdAddress, isUnreachable, portPlease, randomCreation } from '../dist/erl_epmd.js';
import * as inetTcp from '../dist/inet_tcp_dist.js';
import * as inetTls from '../dist/inet_tls_dist.js';
import type { Listener, ListenOptions } from '../dist/listener.js';
import { type AllowList, type NameParts, splitNode } from '../dist/node_name.js';
import type { TlsOptions } from '../dist/tls_options.js';
import { ConnectionError, EpmdError } from '../errors.js';
import type { Log } from '../erts/log.js';
import type { Atom } from '../terms/atom.js';

export interface NodeEpmd extends EpmdAddress {
  /** Start one (a process that outlives this one) where none listens on this host; true by default. */
  readonly start?: boolean;
  /** What a started one listens on, beside loopback; everything by default (`ERL_EPMD_ADDRESS`). */
  readonly addresses?: readonly string[];
}

export interface ProtoDistOptions {
  /** Where to listen; false: dial only (`-dist_listen false`), which makes the node hidden. */
  readonly listen?: ListenOptions | false;
  /** How to dial (`inet_dist_connect_options`); `noDelay` of `listen` counts for both unless it is here. */
  readonly connect?: Pick<inetTcp.ConnectOptions, 'noDelay' | 'keepAlive' | 'localAddress' | 'localPort'>;
  /** All connections over TLS (`-proto_dist inet_tls`): `readTlsOptions` reads these from OTP's file and words. */
  readonly tls?: TlsOptions;
  /** Where EPMD is; false: live without it, all nodes at `fixedPort`. */
  readonly epmd?: NodeEpmd | false;
  /** The port of all nodes (`-erl_epmd_port`): EPMD is told this node's name, and never asked for another's. */
  readonly fixedPort?: number;
  /** Milliseconds that each step of setting up a connection may take, 7000 by default (`net_setuptime`). */
  readonly setupTimeMs?: number;
  /** Only these nodes may connect (`net_kernel:allow/1`). */
  readonly allow?: readonly string[];
  readonly log?: Log;
}

export class ProtoDist {
  /** What EPMD gave to this start of the name, or a random one. */
  readonly creation: number;
  readonly listener: Listener | undefined;
  readonly #options: ProtoDistOptions;
  readonly #tls: inetTls.TlsDialler | undefined;
  readonly #registration: Registration | undefined;

  private constructor(
    options: ProtoDistOptions,
    tls: inetTls.TlsDialler | undefined,
    listener: Listener | undefined,
    registration: Registration | undefined,
  ) {
    this.#options = options;
    this.#tls = tls;
    this.listener = listener;
    this.#registration = registration;
    this.creation = registration?.creation ?? randomCreation();
  }

  /** Listens, and registers `name` (the part before the `@`). Rejects with one of the library's errors. */
  static async start(options: ProtoDistOptions, name: string, allowed: AllowList): Promise<ProtoDist> {
    const tls = options.tls === undefined ? undefined : new inetTls.TlsDialler(options.tls, options.log);
    const listener = options.listen === false ? undefined : await listen(options, allowed);
    try {
      const registration = listener === undefined ? undefined : await register(options, name, listener.port);
      // Not before the node has come up: what keeps it from that is told alone.
      const exposed = listener === undefined || tls !== undefined ? undefined : inetTcp.exposure(listener);
      if (exposed !== undefined) options.log?.('warning', exposed);
      return new ProtoDist(options, tls, listener, registration);
    } catch (error) {
      listener?.close();
      throw error;
    }
  }

  /** Finds a node and connects to it. Rejects with `EpmdError` or `ConnectionError`. */
  async dial(node: Atom): Promise<DistSocket> {
    const { name, host } = splitNode(node.name) as NameParts;
    const { fixedPort, epmd, setupTimeMs } = this.#options;
    const family = familyOf(this.#options);
    const timeoutMs = setupTimeMs;
    const lookUp = async (): Promise<number> => {
      if (epmd === false) {
        throw new ConnectionError('bad_option', host, 'without EPMD all nodes listen at fixedPort: set it');
      }
      return (await portPlease(name, { port: epmd?.port, family, host, timeoutMs })).port;
    };
    const port = fixedPort ?? (await lookUp());
    const how = {
      family: family ?? 4,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...noDelayOf(this.#options),
      ...this.#options.connect,
    };
    return this.#tls === undefined
      ? await inetTcp.connect(host, port, how)
      : await this.#tls.connect(host, port, how);
  }

  /** Asks `node` for a name on our host (`-sname undefined`). The socket is ready to be handed over. */
  async askForName(
    node: Atom,
    side: Omit<WeStartedOptions, 'node' | 'nameMe'>,
  ): Promise<{ socket: DistSocket; handshake: Handshake }> {
    const socket = await this.dial(node);
    try {
      return { socket, handshake: await handshakeWeStarted(socket, { ...side, node, nameMe: true }) };
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Gives the name back. */
  unregister(): void {
    this.#registration?.close();
  }

  /** Stops listening, too. Connections stay. */
  close(): void {
    this.listener?.close();
    this.unregister();
  }
}

function listen(options: ProtoDistOptions, allowed: AllowList): Promise<Listener> {
  const { fixedPort, tls, log, setupTimeMs } = options;
  const how: ListenOptions = {
    ...(fixedPort === undefined ? {} : { portMin: fixedPort, portMax: fixedPort }),
    ...(log === undefined ? {} : { log }),
    ...(options.listen === false ? {} : options.listen),
  };
  if (tls === undefined) return inetTcp.listen(how);
  return inetTls.listen({
    ...how,
    tls,
    allowedHosts: () => allowed.hosts,
    ...(setupTimeMs === undefined ? {} : { setupTimeMs }),
  });
}

async function register(
  options: ProtoDistOptions,
  name: string,
  port: number,
): Promise<Registration | undefined> {
  if (options.epmd === false) return undefined;
  const { start = true, addresses, ...address } = options.epmd ?? {};
  const epmd: EpmdAddress = { ...address, family: address.family ?? familyOf(options) };
  const how: RegisterOptions = {
    name,
    port,
    epmd,
    ...(options.log === undefined ? {} : { log: options.log }),
  };
  try {
    return await registerNode(how).catch(async (error: unknown) => {
      // Elsewhere nothing can be started.
      if (!start || epmd.host !== undefined || !isUnreachable(error)) throw error;
      await startEpmd({ port: epmd.port, addresses });
      return await registerNode(how);
    });
  } catch (error) {
    // Who knows the one port finds this node without EPMD.
    const needless = options.fixedPort !== undefined && error instanceof EpmdError;
    if (!needless || error.code === 'duplicate_name') throw error;
    options.log?.('notice', `${error.message}; nodes find each other at port ${port} without it`);
    return registerLater(how);
  }
}

function familyOf({ listen, epmd }: ProtoDistOptions): 4 | 6 | undefined {
  const own = listen === false ? undefined : listen?.family;
  return own ?? (epmd === false ? undefined : epmd?.family);
}

function noDelayOf({ listen }: ProtoDistOptions): { noDelay?: boolean } {
  return listen === false || listen?.noDelay === undefined ? {} : { noDelay: listen.noDelay };
}
