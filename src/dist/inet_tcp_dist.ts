// Distribution over TCP: the listener and the dialler (OTP: inet_tcp_dist, inet6_tcp_dist).
import { createServer, connect as netConnect, type Socket } from 'node:net';
import { ConnectionError } from '../errors.js';
import { DistSocket } from './dist_socket.js';
import { NET_SETUPTIME_MS } from './dist_util.js';
import { type Family, Gate, type Listener, type ListenOptions, listening } from './listener.js';

export type { Family, Listener, ListenOptions } from './listener.js';

/** What both transports take to dial. */
export interface ConnectOptions {
  readonly family?: Family;
  readonly noDelay?: boolean;
  readonly keepAlive?: boolean;
  /** The address and the port to dial from. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /** Time to connect, `NET_SETUPTIME_MS` by default. */
  readonly timeoutMs?: number;
}

/** Listens on the first free port of the range. Throws `ConnectionError` `unreachable` when there is none. */
export async function listen(options: ListenOptions = {}): Promise<Listener> {
  const gate = new Gate(options);
  const server = createServer({ pauseOnConnect: true, ...socketOptions(options) }, (socket) => {
    if (gate.admit(socket)) gate.ready(new DistSocket(socket, 2));
  });
  return await listening(server, gate, options);
}

/** What is wrong with listening there without TLS; undefined if only this machine can connect. */
export function exposure({ host, port }: Listener): string | undefined {
  if (host === '::1' || host === 'localhost' || host.startsWith('127.')) return undefined;
  return (
    `listening on ${host}:${port} without TLS: who can read the network can read and forge ` +
    'what nodes say; use -proto_dist inet_tls, or inet_dist_use_interface for loopback only'
  );
}

/** Connects within the time limit. Throws `ConnectionError`, never anything else. */
export async function connect(host: string, port: number, options: ConnectOptions = {}): Promise<DistSocket> {
  const socket = netConnect({
    host,
    port,
    family: options.family ?? 4,
    ...socketOptions(options),
    ...from(options),
  });
  await established(socket, 'connect', `${host}:${port}`, options.timeoutMs);
  return new DistSocket(socket, 2);
}

/** How sockets of the distribution are, unless told otherwise. */
export function socketOptions(options: { readonly noDelay?: boolean; readonly keepAlive?: boolean }): {
  noDelay: boolean;
  keepAlive: boolean;
} {
  return { noDelay: options.noDelay ?? true, keepAlive: options.keepAlive ?? false };
}

/** Where to dial from. */
export function from({
  localAddress,
  localPort,
}: ConnectOptions): Pick<ConnectOptions, 'localAddress' | 'localPort'> {
  return {
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
  };
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
