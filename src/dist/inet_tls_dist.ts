// Distribution over TLS: the same listener and dialler, with 4-byte lengths in the handshake (OTP: inet_tls_dist).
//
// A node registers its TLS port with EPMD like any other; nothing announces that it speaks TLS. Who is verified is
// what the options say: a client verifies the server, against the host of the node name, unless told otherwise; a
// server asks for certificates only with `verify_peer`.
import { X509Certificate } from 'node:crypto';
import { createServer, isIP, Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type DetailedPeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import { ConnectionError } from '../errors.js';
import { addressOf, DistSocket } from './dist_socket.js';
import { NET_SETUPTIME_MS } from './dist_util.js';
import { type ConnectOptions, established } from './inet_tcp_dist.js';
import { Gate, type Listener, type ListenOptions, listening } from './listener.js';
import { TlsCredentials } from './tls_credentials.js';
import type { TlsOptions, TlsSide } from './tls_options.js';

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
    const problem = clientProblem(socket, side, options.allowedHosts?.() ?? []);
    if (problem !== undefined) refused(socket, problem);
    else gate.ready(new DistSocket(socket, 4));
  });
  const server = createServer({ noDelay: options.noDelay ?? true }, (raw) => {
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

  /** Throws `ConfigError` for bad certificates. */
  constructor(options: TlsOptions, log?: ListenOptions['log']) {
    this.#side = options.client;
    this.#credentials = new TlsCredentials(options.client, 'client', log);
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
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
    });
    socket.setNoDelay(options.noDelay ?? true);
    try {
      await established(socket, 'secureConnect', address, options.timeoutMs);
    } catch (error) {
      throw error instanceof ConnectionError ? told(error, address) : error;
    }
    const problem = serverProblem(socket, this.#side, expected);
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

/** Why a server is not the one we want; undefined if it is. */
function serverProblem(socket: TLSSocket, side: TlsSide, expected: string): string | undefined {
  if (side.verify === 'verify_none') return undefined;
  if (!socket.authorized) {
    return `the server's certificate is not valid (${socket.authorizationError}): its authority must be in our cacertfile, or {verify, verify_none} set for the client`;
  }
  const certificate = new X509Certificate(socket.getPeerCertificate().raw);
  if (expected !== 'disable' && !isFor(certificate, expected)) {
    return `the server's certificate is for ${names(certificate)}, not for ${expected}: the host of a node name must be in it`;
  }
  return chainProblem(socket, side);
}

/** Why a client is not let in; undefined if it is. */
function clientProblem(socket: TLSSocket, side: TlsSide, allowed: readonly string[]): string | undefined {
  if (side.verify !== 'verify_peer') return undefined;
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) {
    const refuse = side.failIfNoPeerCert === true;
    return refuse ? 'it presents no certificate, and fail_if_no_peer_cert is set' : undefined;
  }
  if (!socket.authorized) {
    return `its certificate is not valid (${socket.authorizationError}): its authority must be in our cacertfile`;
  }
  const hosts = [...allowed, socket.remoteAddress ?? 'unknown'];
  const certificate = new X509Certificate(raw);
  if (side.verifyClient === true && allowed.length > 0 && !hosts.some((host) => isFor(certificate, host))) {
    return `its certificate is for ${names(certificate)}, which is no allowed host, nor its address`;
  }
  return chainProblem(socket, side);
}

/** An address may stand among the DNS names, which is where OTP 25 looks for it. */
function isFor(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0 && certificate.checkIP(host) !== undefined) return true;
  return certificate.checkHost(host) !== undefined;
}

function names(certificate: X509Certificate): string {
  return JSON.stringify(certificate.subjectAltName ?? certificate.subject);
}

/** Counts the intermediate certificates. */
function chainProblem(socket: TLSSocket, side: TlsSide): string | undefined {
  if (side.depth === undefined) return undefined;
  let between = -1;
  let one: DetailedPeerCertificate = socket.getPeerCertificate(true);
  for (; one.issuerCertificate !== undefined && one.issuerCertificate !== one; one = one.issuerCertificate) {
    between++;
  }
  if (between <= side.depth) return undefined;
  return `its certificate has ${between} intermediate ones, depth allows ${side.depth}`;
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
