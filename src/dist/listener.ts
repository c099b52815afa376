// What TCP and TLS have in common to listen: a port of a range, and what connects held until the node is ready.
import { BlockList, isIP, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ConnectionError } from '../errors.js';
import { type Log, silent } from '../erts/log.js';
import { addressOf, type DistSocket } from './dist_socket.js';

/** 4 for `inet_tcp`, 6 for `inet6_tcp`. */
export type Family = 4 | 6;

/** What both transports take to listen. */
export interface ListenOptions {
  readonly family?: Family;
  /** The interface to bind to (`inet_dist_use_interface`); all of the family by default. */
  readonly host?: string;
  /** The first free port from `portMin` to `portMax` (`inet_dist_listen_min`, `inet_dist_listen_max`); any by default. */
  readonly portMin?: number;
  readonly portMax?: number;
  readonly backlog?: number;
  /** `dist_nodelay`, true by default. */
  readonly noDelay?: boolean;
  readonly keepAlive?: boolean;
  /** Only who is on one of this machine's own networks may connect (`check_ip`). */
  readonly checkIp?: boolean;
  /** Connections that may be in their handshake at once; more are closed. */
  readonly maxHandshakes?: number;
  readonly log?: Log;
}

const BACKLOG = 128;
const MAX_HANDSHAKES = 1000;

/** A listening socket. What connects is held, unread, until `accept` says what is to be done with it. */
export interface Listener {
  readonly port: number;
  readonly host: string;
  /** From now on `handle` gets every connection, first those that were held. */
  accept(handle: (socket: DistSocket) => void): void;
  /** Stops listening and closes what was held. Connections that were given to `handle` stay. */
  close(): void;
}

/** Holds and counts what connects to a listener. */
export class Gate {
  readonly #maxHandshakes: number;
  readonly #checkIp: boolean;
  readonly #log: Log;
  /** Addresses of the connections that are not handed over yet. */
  readonly #open = new Set<string>();
  readonly #held = new Set<DistSocket>();
  #handle: ((socket: DistSocket) => void) | undefined;

  constructor(options: ListenOptions) {
    this.#maxHandshakes = options.maxHandshakes ?? MAX_HANDSHAKES;
    this.#checkIp = options.checkIp ?? false;
    this.#log = options.log ?? silent;
  }

  /** Somebody connected; false: there are too many, or it is a stranger's address; it was closed. */
  admit(socket: Socket): boolean {
    socket.on('error', () => {});
    if (this.#checkIp && !isOnOwnNetwork(socket.remoteAddress ?? '')) {
      const address = addressOf(socket);
      const why = 'its address is on none of the networks of this machine, and check_ip is set';
      this.#log('error', `connection attempt from ${address} rejected: ${why}`, { address });
      socket.destroy();
      return false;
    }
    if (this.#open.size >= this.#maxHandshakes) {
      socket.destroy();
      return false;
    }
    const address = addressOf(socket);
    this.#open.add(address);
    socket.once('close', () => this.#open.delete(address));
    return true;
  }

  /** An admitted connection is ready for the handshake of the distribution. */
  ready(socket: DistSocket): void {
    socket.onDone = () => {
      this.#open.delete(socket.address);
      this.#held.delete(socket);
    };
    if (this.#handle === undefined) this.#held.add(socket);
    else this.#handle(socket);
  }

  accept(handle: (socket: DistSocket) => void): void {
    this.#handle = handle;
    const held = [...this.#held];
    this.#held.clear();
    for (const socket of held) handle(socket);
  }

  close(): void {
    for (const socket of this.#held) socket.close();
    this.#held.clear();
  }
}

/** Whether an address belongs to a network that one of this machine's interfaces is in. */
export function isOnOwnNetwork(
  address: string,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): boolean {
  const own = new BlockList();
  for (const { cidr, family } of Object.values(interfaces).flatMap((all) => all ?? [])) {
    const [net, prefix] = cidr?.split('/') ?? [];
    if (net !== undefined && prefix !== undefined) own.addSubnet(net, Number(prefix), versionOf(family));
  }
  return isIP(address) !== 0 && own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function versionOf(family: 'IPv4' | 'IPv6'): 'ipv4' | 'ipv6' {
  return family === 'IPv6' ? 'ipv6' : 'ipv4';
}

/** Binds the server to the first free port and makes it a `Listener`. */
export async function listening(server: Server, gate: Gate, options: ListenOptions): Promise<Listener> {
  const host = options.host ?? ((options.family ?? 4) === 6 ? '::' : '0.0.0.0');
  const first = options.portMin ?? 0;
  const last = Math.max(options.portMax ?? first, first);
  let port = first;
  for (;;) {
    try {
      await bind(server, port, host, options);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE' && port < last) port++;
      else throw cannotListen(host, first, last, error);
    }
  }
  server.on('error', () => {});
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    host,
    accept: (handle) => gate.accept(handle),
    close: () => {
      gate.close();
      // Its own callback would wait for the connections, too, which go on.
      server.close();
    },
  };
}

function bind(server: Server, port: number, host: string, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const ipv6Only = (options.family ?? 4) === 6;
    server.listen({ port, host, backlog: options.backlog ?? BACKLOG, ipv6Only }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function cannotListen(host: string, first: number, last: number, cause: unknown): ConnectionError {
  const ports = first === last ? `port ${first}` : `ports ${first} to ${last}`;
  const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
  const why = inUse
    ? `${first === last ? 'it is' : 'all are'} in use: choose others with inet_dist_listen_min and inet_dist_listen_max`
    : (cause as Error).message;
  return new ConnectionError(
    'unreachable',
    `${host}:${first}`,
    `cannot listen on ${ports} of ${host}: ${why}`,
    cause,
  );
}
