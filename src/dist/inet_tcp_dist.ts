// Distribution over TCP: the listener and the dialler (OTP: inet_tcp_dist, inet6_tcp_dist).
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { ConnectionError } from '../errors.js';
import { DistSocket } from './dist_socket.js';
import { NET_SETUPTIME_MS } from './dist_util.js';

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
  /** Connections that may be in their handshake at once; more are closed. */
  readonly maxHandshakes?: number;
}

/** What both transports take to dial. */
export interface ConnectOptions {
  readonly family?: Family;
  readonly noDelay?: boolean;
  /** The address to dial from. */
  readonly localAddress?: string;
  /** Time to connect, `NET_SETUPTIME_MS` by default. */
  readonly timeoutMs?: number;
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
  close(): Promise<void>;
}

/** Listens on the first free port of the range. Throws `ConnectionError` `unreachable` when there is none. */
export async function listen(options: ListenOptions = {}): Promise<Listener> {
  const gate = new Gate(options, 2);
  const server = createServer({ pauseOnConnect: true, noDelay: options.noDelay ?? true }, (socket) =>
    gate.connected(socket),
  );
  return listening(server, gate, options);
}

/** Connects within the time limit. Throws `ConnectionError`, never anything else. */
export async function connect(host: string, port: number, options: ConnectOptions = {}): Promise<DistSocket> {
  const socket = netConnect({
    host,
    port,
    family: options.family ?? 4,
    noDelay: options.noDelay ?? true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  await established(socket, 'connect', `${host}:${port}`, options.timeoutMs);
  return new DistSocket(socket, 2);
}

/** Holds and counts what connects to a listener. */
export class Gate {
  readonly #maxHandshakes: number;
  readonly #lengthBytes: 2 | 4;
  readonly #held: Set<DistSocket> = new Set();
  #handle: ((socket: DistSocket) => void) | undefined;
  #open = 0;

  constructor(options: ListenOptions, lengthBytes: 2 | 4) {
    this.#maxHandshakes = options.maxHandshakes ?? MAX_HANDSHAKES;
    this.#lengthBytes = lengthBytes;
  }

  connected(socket: Socket): void {
    if (this.#open >= this.#maxHandshakes) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#open++;
    const accepted = new DistSocket(socket, this.#lengthBytes);
    accepted.onDone = () => {
      this.#open--;
      this.#held.delete(accepted);
    };
    if (this.#handle === undefined) this.#held.add(accepted);
    else this.#handle(accepted);
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
    close: () =>
      new Promise((resolve) => {
        gate.close();
        server.close(() => resolve());
      }),
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

/** Resolves when the socket emits `event`; rejects, and destroys it, when it fails or is too slow. */
export function established(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  address: string,
  timeoutMs: number = NET_SETUPTIME_MS,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (code: ConnectionError['code'], why: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.off(event, succeeded);
      socket.destroy();
      reject(new ConnectionError(code, address, `cannot connect to ${address}: ${why}`, cause));
    };
    const succeeded = (): void => {
      clearTimeout(timer);
      socket.off('close', closed);
      socket.pause();
      resolve();
    };
    const closed = (): void => failed('closed', 'the peer closed the connection');
    const timer = setTimeout(() => failed('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    socket.once(event, succeeded);
    socket.once('close', closed);
    socket.on('error', (error) => failed('unreachable', error.message, error));
  });
}
