// The TLS options of a distribution in the words of OTP's ssl application, and what they mean here.
//
// They come from a file and from the command line, which counts first. What we do not know is refused by name, and
// so is what we know but cannot do: an option that was meant to protect must not be passed over.
import { Atom } from '../terms/atom.js';
import { text } from '../terms/binary.js';
import { ExportFun } from '../terms/fun.js';
import { TermMap } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { badOption, checkWords, type Given, type Role, readOptfile, wordsOf } from './tls_sources.js';

export type TlsVersion = 'tlsv1.2' | 'tlsv1.3';

/** A certificate with its key. Files are read again when they change. */
export interface TlsCertificate {
  readonly certfile?: string;
  /** PEM. */
  readonly cert?: string;
  readonly keyfile?: string;
  readonly key?: string;
  readonly password?: string;
}

/** How one side, listening or dialling, uses TLS. */
export interface TlsSide {
  readonly certificates: readonly TlsCertificate[];
  readonly cacertfile?: string;
  /** PEM. */
  readonly cacerts?: string;
  /** A server asks for certificates only with `verify_peer`. By default a client verifies, and a server does not. */
  readonly verify?: 'verify_none' | 'verify_peer';
  /** A server refuses clients without a certificate. */
  readonly failIfNoPeerCert?: boolean;
  /** `inet_tls_dist:verify_client/3`: a client's certificate must be for an allowed host, or for its address. */
  readonly verifyClient?: boolean;
  readonly versions?: readonly TlsVersion[];
  readonly ciphers?: string;
  /** At most so many intermediate certificates. */
  readonly depth?: number;
  /** The name a client expects instead of the host; `disable`: any. */
  readonly serverName?: string | 'disable';
  readonly dhfile?: string;
}

export interface TlsOptions {
  readonly server: TlsSide;
  readonly client: TlsSide;
}

export interface TlsSources {
  /** `-ssl_dist_optfile`. */
  readonly optfile?: string | undefined;
  /** The words behind `-ssl_dist_opt`. */
  readonly opts?: readonly string[] | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the options. Throws `ConfigError`, which names the file and the option. */
export function readTlsOptions(sources: TlsSources): TlsOptions {
  const words = sources.opts ?? [];
  const file = sources.optfile === undefined ? undefined : readOptfile(sources.optfile);
  const side = (role: Role): TlsSide => made([...wordsOf(role, words), ...(file?.[role] ?? [])]);
  checkWords(words);
  return { server: side('server'), client: side('client') };
}

// --- what the options mean -----------------------------------------------------------------------------------------

type Setter = (side: Mutable<TlsSide>, value: Term, first: Mutable<TlsCertificate>) => boolean;

/** Each sets its part of a side, or returns false for a value that it does not take. */
const OPTIONS: ReadonlyMap<string, Setter> = new Map(
  Object.entries<Setter>({
    certfile: (_, value, first) => textOf(value, (file) => (first.certfile = file)),
    keyfile: (_, value, first) => textOf(value, (file) => (first.keyfile = file)),
    password: (_, value, first) => textOf(value, (password) => (first.password = password)),
    cert: (_, value, first) => derOf(value, (pem) => (first.cert = pem)),
    key: (_, value, first) => keyOf(value, (pem) => (first.key = pem)),
    certs_keys: (side, value) =>
      Array.isArray(value) &&
      (value as readonly Term[]).every((map) => {
        const more: Mutable<TlsCertificate> = {};
        side.certificates = [...side.certificates, more];
        return map instanceof TermMap && [...map].every(([key, item]) => certsKeys(key, item, more));
      }),
    cacertfile: (side, value) => textOf(value, (file) => (side.cacertfile = file)),
    cacerts: (side, value) => derOf(value, (pem) => (side.cacerts = pem)),
    verify: (side, value) => oneOf(value, ['verify_none', 'verify_peer'] as const, (v) => (side.verify = v)),
    fail_if_no_peer_cert: (side, value) => booleanOf(value, (v) => (side.failIfNoPeerCert = v)),
    verify_fun: (side, value) => {
      side.verifyClient = isVerifyClient(value);
      return side.verifyClient;
    },
    versions: (side, value) => {
      const versions: TlsVersion[] = [];
      side.versions = versions;
      const known = ['tlsv1.2', 'tlsv1.3'] as const;
      return (
        Array.isArray(value) &&
        value.length > 0 &&
        (value as readonly Term[]).every((one) => oneOf(one, known, (v) => versions.push(v)))
      );
    },
    ciphers: (side, value) => {
      const names: string[] = [];
      const several = Array.isArray(value) && value.every((one) => typeof one !== 'number');
      const all = several ? (value as readonly Term[]) : [value];
      side.ciphers = '';
      const ok = all.every((one) => textOf(one, (name) => names.push(name)));
      side.ciphers = names.join(':');
      return ok;
    },
    depth: (side, value) => {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 255) return false;
      side.depth = value;
      return true;
    },
    server_name_indication: (side, value) =>
      value instanceof Atom
        ? oneOf(value, ['disable'] as const, (v) => (side.serverName = v))
        : textOf(value, (name) => (side.serverName = name)),
    dhfile: (side, value) => textOf(value, (file) => (side.dhfile = file)),
    crl_check: (_, value) => value === false,
  }),
);

/** Without meaning for us: they tune OTP's implementation, or say what is always so here. */
const IGNORED: ReadonlySet<string> = new Set([
  'backlog',
  'erl_dist',
  'hibernate_after',
  'honor_cipher_order',
  'keep_secrets',
  'keepalive',
  'ktls',
  'log_level',
  'nodelay',
  'recbuf',
  'reuse_sessions',
  'secure_renegotiate',
  'sndbuf',
]);

/** Why we cannot do what some options ask for. */
const CANNOT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    verify_fun: 'only inet_tls_dist:verify_client/3 is known, other functions are Erlang code',
    crl_check: 'revocation lists are not checked by this node: use false',
    crl_cache: 'revocation lists are not checked by this node',
    versions: "known are 'tlsv1.2' and 'tlsv1.3'",
    ciphers: 'it takes OpenSSL names: ["TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"]',
  }),
);

function made(given: readonly Given[]): TlsSide {
  const first: Mutable<TlsCertificate> = {};
  const side: Mutable<TlsSide> = { certificates: [] };
  const seen = new Set<string>();
  for (const { key, value, where } of given) {
    // As in OTP's property lists the first one counts.
    if (seen.has(key) || IGNORED.has(key)) continue;
    seen.add(key);
    const set = OPTIONS.get(key);
    if (set?.(side, value, first) === true) continue;
    const why =
      CANNOT.get(key) ?? (set === undefined ? 'it is not known here' : 'its value is not of the right kind');
    throw badOption(`the TLS option ${key} cannot be used: ${why}`, where, key);
  }
  if (first.certfile !== undefined || first.cert !== undefined)
    side.certificates = [first, ...side.certificates];
  return side;
}

/** One item of a map in `certs_keys`. */
function certsKeys(key: Term, value: Term, more: Mutable<TlsCertificate>): boolean {
  const name = key instanceof Atom ? key.name : '';
  if (!['certfile', 'keyfile', 'password', 'cert', 'key'].includes(name)) return false;
  return OPTIONS.get(name)?.({ certificates: [] }, value, more) === true;
}

function isVerifyClient(value: Term): boolean {
  if (!(value instanceof Tuple)) return false;
  const [module, fun] = value.elements;
  if (module instanceof ExportFun) return isFunction(module.module, module.function) && module.arity === 3;
  return isFunction(module, fun);
}

function isFunction(module: Term | undefined, fun: Term | undefined): boolean {
  return (
    module instanceof Atom &&
    fun instanceof Atom &&
    module.name === 'inet_tls_dist' &&
    fun.name === 'verify_client'
  );
}

function textOf(value: Term, set: (value: string) => unknown): boolean {
  if (!Array.isArray(value) && !(value instanceof Uint8Array)) return false;
  try {
    set(text(value));
    return true;
  } catch {
    return false;
  }
}

function booleanOf(value: Term, set: (value: boolean) => unknown): boolean {
  if (typeof value === 'boolean') set(value);
  return typeof value === 'boolean';
}

function oneOf<T extends string>(value: Term, known: readonly T[], set: (value: T) => unknown): boolean {
  const found = value instanceof Atom ? known.find((name) => name === value.name) : undefined;
  if (found !== undefined) set(found);
  return found !== undefined;
}

/** One certificate in DER, or a list of them, as PEM. */
function derOf(value: Term, set: (pem: string) => unknown): boolean {
  const all = Array.isArray(value) ? (value as readonly Term[]) : [value];
  const binaries = all.filter((one) => one instanceof Uint8Array);
  if (binaries.length === 0 || binaries.length < all.length) return false;
  set(binaries.map((der) => pem('CERTIFICATE', der)).join(''));
  return true;
}

const KEY_LABELS: Readonly<Record<string, string>> = {
  RSAPrivateKey: 'RSA PRIVATE KEY',
  ECPrivateKey: 'EC PRIVATE KEY',
  PrivateKeyInfo: 'PRIVATE KEY',
};

/** `{Type, Der}` as PEM. */
function keyOf(value: Term, set: (pem: string) => unknown): boolean {
  if (!(value instanceof Tuple)) return false;
  const [type, der] = value.elements;
  const label = type instanceof Atom ? KEY_LABELS[type.name] : undefined;
  if (label === undefined || !(der instanceof Uint8Array)) return false;
  set(pem(label, der));
  return true;
}

function pem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}
