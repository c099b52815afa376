// Whether the peer of a TLS connection is the one it should be, by our own options: its certificate, the host it is
// for, revocation lists, and a function of the user's.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { CrlFolder, revocationProblem } from './crl.js';
import type { Certified } from './node_name.js';
import type { TlsSide } from './tls_options.js';

/** Of the certificates that a peer sends no more are looked at. */
const MAX_SENT = 32;

/**
 * A function that `verify_fun` names, after OTP's `fun(OtpCert, Event, State)`: called for every certificate between
 * the authority and the peer with `valid`, then for the peer's with `valid_peer`, with the state that the last call gave.
 * It may only refuse more: what fails the verification never gets here.
 */
export type VerifyFun = (
  certificate: X509Certificate,
  event: 'valid' | 'valid_peer',
  state: Term,
) => { readonly valid: Term } | { readonly fail: Term };

/** Checks the peers of one side. One for each side, since it keeps what was read from the folder of lists. */
const FOR_EVER = { validFrom: '', validTo: '' };

export class TlsVerifier {
  readonly #side: TlsSide;
  readonly #crls: CrlFolder | undefined;
  readonly #authorities: () => readonly X509Certificate[];

  constructor(side: TlsSide, authorities: () => readonly X509Certificate[]) {
    this.#side = side;
    this.#authorities = authorities;
    if (side.crlCheck !== undefined && side.crlFolder !== undefined) {
      this.#crls = new CrlFolder(side.crlFolder);
    }
  }

  /** Why a server is not the one we want; undefined if it is. `expected` is the host it must be for. */
  serverProblem(socket: TLSSocket, expected: string): string | undefined {
    return readably(() => this.#server(socket, expected));
  }

  /** Why a client is not let in; undefined if it is. `allowed` are the hosts of the allow list. */
  clientProblem(socket: TLSSocket, allowed: readonly string[]): string | undefined {
    return readably(() => this.#client(socket, allowed));
  }

  /** What the certificate of a client says that was let in; undefined if it need not show one, or has none. */
  certified(socket: TLSSocket): Certified | undefined {
    const { raw } = socket.getPeerCertificate();
    if (this.#side.verify !== 'verify_peer' || raw === undefined) return undefined;
    const certificate = new X509Certificate(raw);
    const { remoteAddress = '' } = socket; // none any more if it is gone
    const address = isIP(remoteAddress) === 0 ? undefined : certificate.checkIP(remoteAddress);
    return { isFor: (host) => isFor(certificate, host), address };
  }

  #server(socket: TLSSocket, expected: string): string | undefined {
    const side = this.#side;
    if (side.verify === 'verify_none') return undefined;
    if (!socket.authorized) {
      return `the server's certificate is not valid (${socket.authorizationError}): ${cure(socket, ', or {verify, verify_none} set for the client')}`;
    }
    const certificate = new X509Certificate(socket.getPeerCertificate().raw);
    if (expected !== 'disable' && !isFor(certificate, expected)) {
      return `the server's certificate is for ${names(certificate)}, not for ${expected}: the host of a node name must be in it`;
    }
    return this.#pathProblem(socket);
  }

  #client(socket: TLSSocket, allowed: readonly string[]): string | undefined {
    const side = this.#side;
    if (side.verify !== 'verify_peer') return undefined;
    const { raw } = socket.getPeerCertificate();
    if (raw === undefined) {
      const refuse = side.failIfNoPeerCert === true;
      return refuse ? 'it presents no certificate, and fail_if_no_peer_cert is set' : undefined;
    }
    if (!socket.authorized) {
      return `its certificate is not valid (${socket.authorizationError}): ${cure(socket, '')}`;
    }
    const hosts = [...allowed, socket.remoteAddress ?? 'unknown'];
    const certificate = new X509Certificate(raw);
    if (side.verifyClient === true && allowed.length > 0 && !hosts.some((host) => isFor(certificate, host))) {
      return `its certificate is for ${names(certificate)}, which is no allowed host, nor its address`;
    }
    return this.#pathProblem(socket);
  }

  #pathProblem(socket: TLSSocket): string | undefined {
    const { depth, crlCheck, verifyFun } = this.#side;
    if (depth === undefined && this.#crls === undefined && verifyFun === undefined) return undefined;
    const path = verifiedPath(socket, this.#authorities());
    if (path === undefined) return 'its certificates do not lead to an authority of ours';
    const between = Math.max(path.length - 2, 0);
    if (depth !== undefined && between > depth) {
      return `its certificate has ${between} intermediate ones, depth allows ${depth}`;
    }
    if (crlCheck !== undefined && this.#crls !== undefined) {
      const problem = revocationProblem(path, crlCheck, this.#crls.current());
      if (problem !== undefined) return problem;
    }
    return verifyFun === undefined ? undefined : asked(verifyFun, path);
  }
}

/** What is to be done about a certificate that is not valid; `otherwise`: beside trusting its authority. */
function cure(socket: TLSSocket, otherwise: string): string {
  const { raw } = socket.getPeerCertificate();
  const { validFrom, validTo } = raw === undefined ? FOR_EVER : new X509Certificate(raw);
  switch (String(socket.authorizationError)) {
    case 'CERT_HAS_EXPIRED':
      return Date.parse(validTo) < Date.now()
        ? `it expired on ${validTo}, renew it`
        : 'the certificate of an authority above it has expired, renew that';
    case 'CERT_NOT_YET_VALID':
      return Date.parse(validFrom) > Date.now()
        ? `it counts from ${validFrom} on; look at the clocks of both machines`
        : 'the certificate of an authority above it does not count yet; look at the clocks of both machines';
    default:
      return `its authority must be in our cacertfile${otherwise}`;
  }
}

/** Certificates can hold what Node.js does not read: then nothing is known of the peer. */
function readably(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return `its certificate cannot be read: ${(error as Error).message}`;
  }
}

/** What the user's function says of the path. */
function asked(own: NonNullable<TlsSide['verifyFun']>, path: readonly X509Certificate[]): string | undefined {
  let { state } = own;
  for (let i = Math.max(path.length - 2, 0); i >= 0; i--) {
    try {
      const said = own.fun(path[i] as X509Certificate, i === 0 ? 'valid_peer' : 'valid', state);
      if ('fail' in said) return `${own.name} refuses it: ${format(said.fail, 500)}`;
      state = said.valid;
    } catch (error) {
      return `${own.name} failed: ${String(error)}`;
    }
  }
  return undefined;
}

/**
 * From the peer's certificate to an authority of ours, each signed by the next. What the peer sent is in an order of
 * its choice and may have more in it, so names alone prove nothing.
 */
function verifiedPath(
  socket: TLSSocket,
  authorities: readonly X509Certificate[],
): X509Certificate[] | undefined {
  const sent: X509Certificate[] = [];
  let one: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (one?.raw !== undefined && sent.length < MAX_SENT) {
    sent.push(new X509Certificate(one.raw));
    one = one.issuerCertificate === one ? undefined : one.issuerCertificate;
  }
  const trusted = new Set(authorities.map(({ fingerprint256 }) => fingerprint256));
  const known = new Set([...authorities, ...sent.slice(1)]);
  const paths = sent.slice(0, 1).map((certificate) => [certificate]);
  for (const path of paths) {
    const last = path.at(-1) as X509Certificate;
    if (trusted.has(last.fingerprint256)) return path;
    for (const candidate of known) {
      if (!isSignedBy(last, candidate)) continue;
      known.delete(candidate);
      paths.push([...path, candidate]);
    }
  }
  return undefined;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** An address may stand among the DNS names, which is where OTP 25 looks for it. */
function isFor(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0 && certificate.checkIP(host) !== undefined) return true;
  return certificate.checkHost(host) !== undefined;
}

function names(certificate: X509Certificate): string {
  return JSON.stringify(certificate.subjectAltName ?? certificate.subject);
}
