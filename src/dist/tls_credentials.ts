// Certificates, keys and authorities of one side of TLS, read from their files again when those change: a new
// certificate counts for the next connection, and live connections keep theirs.
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import {
  createSecureContext,
  rootCertificates,
  type SecureContextOptions,
  type SecureVersion,
} from 'node:tls';
import { ConfigError } from '../errors.js';
import { type Log, silent } from '../erts/log.js';
import type { TlsCertificate, TlsSide, TlsVersion } from './tls_options.js';
import type { Role } from './tls_sources.js';

const VERSIONS: readonly TlsVersion[] = ['tlsv1.2', 'tlsv1.3'];
const NODE_VERSIONS: Readonly<Record<TlsVersion, SecureVersion>> = {
  'tlsv1.2': 'TLSv1.2',
  'tlsv1.3': 'TLSv1.3',
};

export class TlsCredentials {
  readonly #side: TlsSide;
  readonly #role: Role;
  readonly #log: Log;
  #looks: string;
  #options: SecureContextOptions;
  /** Those of `#options`, once somebody asked. */
  #authorities: readonly X509Certificate[] | undefined;

  /** Throws `ConfigError` if a file cannot be read, or what is in it does not fit. */
  constructor(side: TlsSide, role: Role, log: Log = silent) {
    this.#side = side;
    this.#role = role;
    this.#log = log;
    if (role === 'server' && side.certificates.length === 0) {
      throw bad(
        'a node that listens with TLS needs a certificate: {server, [{certfile, File}, …]} in the ' +
          '-ssl_dist_optfile, or -ssl_dist_opt server_certfile File',
      );
    }
    if (role === 'server' && side.verify === 'verify_peer' && !side.cacertfile && !side.cacerts) {
      throw bad('the server verifies its clients (verify_peer) by no authority: set cacertfile');
    }
    if (side.crlCheck !== undefined && side.crlFolder === undefined) {
      log('warning', `TLS: the ${role} side checks no revocation lists: crl_cache names no folder of them`);
    }
    this.#looks = looksOf(side);
    this.#options = contextOptions(side, role);
  }

  /** What a secure context is made of. The same object as long as the files are the same. */
  current(): SecureContextOptions {
    const looks = looksOf(this.#side);
    if (looks === this.#looks) return this.#options;
    this.#looks = looks;
    try {
      this.#options = contextOptions(this.#side, this.#role);
      this.#authorities = undefined;
      this.#log('notice', `TLS: the certificates of the ${this.#role} side were read again`);
    } catch (error) {
      this.#log('error', `TLS: the old certificates stay in use: ${(error as Error).message}`);
    }
    return this.#options;
  }

  /** Whom a peer's certificate must lead to; those of Node.js where none are given. */
  authorities(): readonly X509Certificate[] {
    const { ca } = this.#options;
    this.#authorities ??= (ca === undefined ? rootCertificates : certificatesIn(String(ca))).map(
      (pem) => new X509Certificate(pem),
    );
    return this.#authorities;
  }
}

function certificatesIn(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

function filesOf(side: TlsSide): string[] {
  const all = side.certificates.flatMap(({ certfile, keyfile }) => [certfile, keyfile]);
  return [...all, side.cacertfile, side.dhfile].filter((file) => file !== undefined);
}

/** What tells a change of the files. */
function looksOf(side: TlsSide): string {
  return filesOf(side)
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? '-' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    })
    .join();
}

function contextOptions(side: TlsSide, role: Role): SecureContextOptions {
  const versions = VERSIONS.filter((version) => (side.versions ?? VERSIONS).includes(version));
  const first = versions[0] ?? 'tlsv1.2';
  const last = versions.at(-1) ?? 'tlsv1.3';
  const options: SecureContextOptions = {
    minVersion: NODE_VERSIONS[first],
    maxVersion: NODE_VERSIONS[last],
    cert: side.certificates.map(certificateOf),
    key: side.certificates.map((own) => ({ pem: keyOf(own), passphrase: own.password })),
    ...(side.ciphers === undefined ? {} : { ciphers: side.ciphers }),
    ...(side.dh === undefined ? {} : { dhparam: side.dh }),
    ...(side.dhfile === undefined ? {} : { dhparam: read(side.dhfile, 'dhfile') }),
    ...(side.groups === undefined ? {} : { ecdhCurve: side.groups }),
    ...(side.signatureAlgorithms === undefined ? {} : { sigalgs: side.signatureAlgorithms }),
  };
  const ca = side.cacertfile === undefined ? side.cacerts : read(side.cacertfile, 'cacertfile');
  if (ca !== undefined) options.ca = ca;
  try {
    createSecureContext(options);
  } catch (error) {
    throw bad(
      `the certificates of the ${role} side cannot be used (${filesOf(side).join(', ')}): ${(error as Error).message}`,
    );
  }
  return options;
}

function certificateOf(own: TlsCertificate): string | Buffer {
  return own.certfile === undefined ? (own.cert ?? '') : read(own.certfile, 'certfile');
}

/** By default the key is in the file of the certificate. */
function keyOf(own: TlsCertificate): string | Buffer {
  if (own.keyfile !== undefined) return read(own.keyfile, 'keyfile');
  return own.key ?? certificateOf(own);
}

function read(file: string, key: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigError('bad_option', `TLS: cannot read the ${key} ${file}: ${(error as Error).message}`, {
      file,
      key,
    });
  }
}

function bad(message: string): ConfigError {
  return new ConfigError('bad_option', `TLS: ${message}`, { key: 'ssl_dist_optfile' });
}
