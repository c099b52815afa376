// Distribution over TLS: the same listener and dialler, with 4-byte lengths in the handshake (OTP: inet_tls_dist).
//
// A node registers its TLS port with EPMD like any other; nothing announces that it speaks TLS. Who is verified is
// what the options say: a client verifies the server, against the host of the node name, unless told otherwise; a
// server asks for certificates only with `verify_peer`.
import { createServer, isIP, Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, connect as tlsConnect } from 'node:tls';
import { ConnectionError } from '../errors.js';
import { addressOf, DistSocket } from './dist_socket.js';
import { NET_SETUPTIME_MS } from './dist_util.js';
import { type ConnectOptions, established, from, socketOptions } from './inet_tcp_dist.js';
import { Gate, type Listener, type ListenOptions, listening } from './listener.js';
import { TlsCredentials } from './tls_credentials.js';
import type { TlsOptions, TlsSide } from './tls_options.js';
import { TlsVerifier } from './tls_verify.js';

const UNWANTED = '; it may not accept our certificate, its log tells';

export interface TlsListenOptions extends ListenOptions {
  readonly tls: TlsOptions;
  /** Time for the TLS handshake, `NET_SETUPTIME_MS` by default. */
  readonly setupTimeMs?: number;
  /** The hosts of the allow list, when the server checks clients with `inet_tls_dist:verify_client/3`. */
  readonly allowedHosts?: () => readonly string[];
}

/** Listens with TLS. Throws `ConfigError` for bad certificates, `ConnectionError` if no port is free. */
export async function listen(options: TlsListenOptions): Promise<Listener> {
  const side = options.tls.server;
  const credentials = new TlsCredentials(side, 'server', options.log);
  const verifier = new TlsVerifier(side, () => credentials.authorities());
  const gate = new Gate(options);
  let used: SecureContextOptions = credentials.current();
  const tls = createTlsServer({
    ...used,
    handshakeTimeout: options.setupTimeMs ?? NET_SETUPTIME_MS,
    requestCert: side.verify === 'verify_peer',
    rejectUnauthorized: false, // checked below, so that the reason can be told
  });
  const refused = (socket: Socket, why: string): void => {
    const from = addressOf(rawOf(socket));
    options.log?.('error', `connection attempt from ${from} rejected: TLS: ${why}`, { address: from });
    socket.destroy();
  };
  tls.on('tlsClientError', (error, socket) => refused(socket, explained(error)));
  tls.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    if (side.clientRenegotiation === false) socket.disableRenegotiation();
    const problem = verifier.clientProblem(socket, options.allowedHosts?.() ?? []);
    if (problem !== undefined) refused(socket, problem);
    else {
      const ready = new DistSocket(socket, 4);
      ready.certified = verifier.certified(socket);
      gate.ready(ready);
    }
  });
  const server = createServer(socketOptions(options), (raw) => {
    if (!gate.admit(raw)) return;
    const now = credentials.current();
    if (now !== used) tls.setSecureContext(now);
    used = now;
    tls.emit('connection', raw);
  });
  return listening(server, gate, options);
}

/** Dials with TLS. One for each node, since it keeps what was read from the files of certificates. */
export class TlsDialler {
  readonly #side: TlsSide;
  readonly #credentials: TlsCredentials;
  readonly #verifier: TlsVerifier;

  /** Throws `ConfigError` for bad certificates. */
  constructor(options: TlsOptions, log?: ListenOptions['log']) {
    this.#side = options.client;
    this.#credentials = new TlsCredentials(options.client, 'client', log);
    this.#verifier = new TlsVerifier(options.client, () => this.#credentials.authorities());
  }

  /** Connects within the time limit. Throws `ConnectionError`, never anything else. */
  async connect(host: string, port: number, options: ConnectOptions = {}): Promise<DistSocket> {
    const expected = this.#side.serverName ?? host;
    const address = `${host}:${port}`;
    const target = { host, port, family: options.family ?? 4 };
    const socket = tlsConnect({
      ...this.#credentials.current(),
      ...target,
      // An address is no server name (RFC 6066).
      servername: expected === 'disable' || isIP(expected) !== 0 ? '' : expected,
      rejectUnauthorized: false, // checked below, so that the reason can be told
      checkServerIdentity: () => undefined,
      ...from(options),
    });
    const { noDelay, keepAlive } = socketOptions(options);
    socket.setNoDelay(noDelay).setKeepAlive(keepAlive);
    try {
      await established(socket, 'secureConnect', address, options.timeoutMs);
    } catch (error) {
      throw error instanceof ConnectionError ? told(error, address) : error;
    }
    const problem = this.#verifier.serverProblem(socket, expected);
    if (problem !== undefined) {
      socket.destroy();
      throw new ConnectionError('closed', address, `cannot connect to ${address}: TLS: ${problem}`);
    }
    return new DistSocket(socket, 4, UNWANTED);
  }
}

/** A TLS socket that failed has forgotten its peer; the socket below it, which is Node.js' own affair, has not. */
function rawOf(socket: Socket): Socket {
  const raw: unknown = Reflect.get(socket, '_parent');
  return raw instanceof Socket ? raw : socket;
}

/** The error of a TLS handshake in words. */
function explained(error: Error): string {
  const { code = '', reason = error.message } = error as NodeJS.ErrnoException & { reason?: string };
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_HTTP_REQUEST') {
    return 'it does not speak TLS: it must be started with -proto_dist inet_tls, too';
  }
  if (code === 'ECONNRESET') return `it ended the TLS handshake${UNWANTED}`;
  return / alert /.test(` ${reason} `) ? `it answered "${reason}"${UNWANTED}` : reason;
}

function told(error: ConnectionError, address: string): ConnectionError {
  if (
    !(error.cause instanceof Error) ||
    !/SSL|ECONNRESET/.test(String((error.cause as NodeJS.ErrnoException).code))
  ) {
    return error;
  }
  const text = `cannot connect to ${address}: TLS: ${explained(error.cause)}`;
  return new ConnectionError('closed', address, text, error.cause);
}
