// Certificate revocation lists (RFC 5280, section 5): which certificates their issuer has taken back.
//
//   CertificateList  {TBSCertList, AlgorithmIdentifier, BIT STRING}
//   TBSCertList      {version OPTIONAL, AlgorithmIdentifier, issuer, thisUpdate, nextUpdate OPTIONAL,
//                     {{serial, date, extensions OPTIONAL}, …} OPTIONAL, [0] extensions OPTIONAL}
//
// Lists are looked for where OTP's `ssl_crl_hash_dir` has them: files `HASH.rN` of one folder, in PEM or DER. Lists with
// critical extensions (deltas, indirect ones, of one distribution point only) are not used.
import { verify, type X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Reader } from '../bytes/reader.js';
import { DecodeError } from '../errors.js';
import * as der from './der.js';

/** Which certificates are looked up: all below the authority, the peer's own, or all for which there is a list. */
export type CrlCheck = true | 'peer' | 'best_effort';

export interface Crl {
  /** The issuer's name in DER. */
  readonly issuer: Buffer;
  /** Milliseconds since 1970. */
  readonly nextUpdate: number | undefined;
  /** Serial numbers, in hexadecimal. */
  readonly revoked: ReadonlySet<string>;
  /** What is signed, how, and the signature. */
  readonly signed: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
  /** An extension that must be understood and is not. */
  readonly critical: string | undefined;
}

/** Digests of signature algorithms, by object identifier; null where the algorithm implies it. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
  ['1.3.101.113', null],
]);

/** A list in DER or PEM. Throws `DecodeError`. */
export function decodeCrl(bytes: Buffer): Crl {
  const reader = new Reader(derOf(bytes));
  const [list, algorithm, signature] = der.sequence(der.value(reader));
  const fields = der.sequence(list);
  if (fields[0]?.tag === der.INTEGER) fields.shift();
  const [, issuer, , ...rest] = fields;
  if (list === undefined || issuer === undefined || signature?.tag !== der.BIT_STRING) throw malformed();
  const isTime = (tag: number | undefined) => tag === der.UTC_TIME || tag === der.GENERALIZED_TIME;
  const nextUpdate = isTime(rest[0]?.tag) ? der.time(rest.shift() as der.Value) : undefined;
  const entries = rest[0]?.tag === der.SEQUENCE ? der.sequence(rest.shift()) : [];
  return {
    issuer: issuer.all,
    nextUpdate,
    revoked: new Set(entries.map((entry) => serialOf(der.sequence(entry)[0]))),
    signed: list.all,
    algorithm: der.objectIdentifier(der.sequence(algorithm)[0]),
    signature: signature.contents.subarray(1),
    critical: criticalExtension(rest.find(({ tag }) => tag === der.context(0))),
  };
}

function derOf(bytes: Buffer): Buffer {
  const base64 = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/.exec(bytes.toString('latin1'))?.[1];
  return base64 === undefined ? bytes : Buffer.from(base64, 'base64');
}

function serialOf(serial: der.Value | undefined): string {
  if (serial?.tag !== der.INTEGER) throw malformed();
  return hexadecimal(serial.contents.toString('hex'));
}

/** Without leading zeros. */
function hexadecimal(text: string): string {
  return text.toLowerCase().replace(/^0+(?=.)/, '');
}

/** {id, critical DEFAULT false, value} each. */
function criticalExtension(extensions: der.Value | undefined): string | undefined {
  if (extensions === undefined) return undefined;
  for (const extension of der.sequence(der.values(extensions)[0])) {
    const [id, second] = der.sequence(extension);
    if (second?.tag === 0x01 && second.contents[0] !== 0) return der.objectIdentifier(id);
  }
  return undefined;
}

function malformed(): DecodeError {
  return new DecodeError('bad_value', 'it is no revocation list', 0);
}

// --- the folder ----------------------------------------------------------------------------------------------------

/** The lists of a folder. Files are read again when they change. */
export class CrlFolder {
  readonly #folder: string;
  readonly #read = new Map<string, { readonly looks: string; readonly crl: Crl | Error }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The lists that can be used now, and why others cannot. Never throws. */
  current(): { readonly lists: readonly Crl[]; readonly problems: readonly string[] } {
    const lists: Crl[] = [];
    const problems: string[] = [];
    try {
      const names = readdirSync(this.#folder).filter((name) => /\.r\d+$/.test(name));
      for (const known of this.#read.keys()) if (!names.includes(known)) this.#read.delete(known);
      for (const name of names) {
        const crl = this.#file(name);
        if (crl instanceof Error) problems.push(`${join(this.#folder, name)}: ${crl.message}`);
        else lists.push(crl);
      }
    } catch (error) {
      problems.push((error as Error).message);
    }
    return { lists, problems };
  }

  #file(name: string): Crl | Error {
    const file = join(this.#folder, name);
    try {
      const { ino, size, mtimeMs, ctimeMs } = statSync(file);
      const looks = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      const known = this.#read.get(name);
      if (known?.looks === looks) return known.crl;
      const crl = decoded(readFileSync(file));
      this.#read.set(name, { looks, crl });
      return crl;
    } catch (error) {
      return error as Error;
    }
  }
}

function decoded(bytes: Buffer): Crl | Error {
  try {
    return decodeCrl(bytes);
  } catch (error) {
    return error as Error;
  }
}

// --- the check -----------------------------------------------------------------------------------------------------

/**
 * Why a verified path, from the peer's certificate to the authority, cannot be relied on; undefined if it can. Of
 * a certificate whose issuer has no list that can be used nothing is known: that is a problem but for `best_effort`.
 */
export function revocationProblem(
  path: readonly X509Certificate[],
  check: CrlCheck,
  { lists, problems }: ReturnType<CrlFolder['current']>,
): string | undefined {
  const last = path.length - 1;
  const looked = check === 'peer' ? path.slice(0, 1) : path.slice(0, last);
  for (const [i, certificate] of looked.entries()) {
    const issuer = path[Math.min(i + 1, last)] as X509Certificate;
    const { revoked, reasons } = statusOf(certificate, issuer, lists);
    const serial = hexadecimal(certificate.serialNumber);
    const name = `the certificate ${JSON.stringify(certificate.subject)} (serial ${serial})`;
    if (revoked === true) return `${name} was revoked by its issuer`;
    if (revoked === undefined && check !== 'best_effort') {
      const why = [...reasons, ...problems].join('; ') || 'there is no list of its issuer in the folder';
      return `whether ${name} is revoked cannot be told: ${why}`;
    }
  }
  return undefined;
}

function statusOf(
  certificate: X509Certificate,
  issuer: X509Certificate,
  lists: readonly Crl[],
): { revoked: boolean | undefined; reasons: string[] } {
  const name = issuerName(certificate);
  const serial = hexadecimal(certificate.serialNumber);
  const reasons: string[] = [];
  let revoked: boolean | undefined;
  for (const crl of lists) {
    if (!crl.issuer.equals(name)) continue;
    const problem = listProblem(crl, issuer);
    if (problem !== undefined) reasons.push(problem);
    else revoked = revoked === true || crl.revoked.has(serial);
  }
  return { revoked, reasons };
}

function listProblem(crl: Crl, issuer: X509Certificate): string | undefined {
  const digest = DIGESTS.get(crl.algorithm);
  if (digest === undefined) return `the list is signed in a way not known here (${crl.algorithm})`;
  if (!verify(digest, crl.signed, issuer.publicKey, crl.signature))
    return 'the list is not signed by its issuer';
  if (crl.critical !== undefined) return `the list has the critical extension ${crl.critical}`;
  if (crl.nextUpdate !== undefined && crl.nextUpdate <= Date.now()) {
    return `the list expired on ${new Date(crl.nextUpdate).toISOString()}`;
  }
  return undefined;
}

/** The name of a certificate's issuer in DER: {{version, serial, algorithm, issuer, …}, …}. */
function issuerName(certificate: X509Certificate): Buffer {
  const fields = der.sequence(der.sequence(der.value(new Reader(certificate.raw)))[0]);
  if (fields[0]?.tag === der.context(0)) fields.shift();
  return fields[2]?.all ?? Buffer.alloc(0);
}
