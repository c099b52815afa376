// The TLS options of a distribution in the words of OTP's ssl application, and what they mean here.
//
// They come from a file and from the command line, which counts first. What we do not know is refused by name, and
// so is what we know but cannot do: an option that was meant to protect must not be passed over.
import { Atom, atom } from '../terms/atom.js';
import { text } from '../terms/binary.js';
import { ExportFun } from '../terms/fun.js';
import { TermMap } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple } from '../terms/tuple.js';
import type { CrlCheck } from './crl.js';
import { badOption, checkWords, type Given, type Role, readOptfile, wordsOf } from './tls_sources.js';
import type { VerifyFun } from './tls_verify.js';

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
  /** PEM. */
  readonly dh?: string;
  /** Groups of the key exchange and algorithms of signatures, in OpenSSL's form. */
  readonly groups?: string;
  readonly signatureAlgorithms?: string;
  /** False: a server's clients may not renegotiate. */
  readonly clientRenegotiation?: boolean;
  /** Whether revoked certificates are refused, by the lists in `crlFolder`. */
  readonly crlCheck?: CrlCheck;
  /** A folder as `ssl_crl_hash_dir` reads it: files `HASH.rN`. */
  readonly crlFolder?: string;
  /** Whom else to ask: `name` is for messages, `state` what the first call is given. */
  readonly verifyFun?: { readonly name: string; readonly fun: VerifyFun; readonly state: Term };
}

/** The two roles of a node: it lets in as a server and dials as a client. */
export interface TlsOptions {
  readonly server: TlsSide;
  readonly client: TlsSide;
}

/** Where `readTlsOptions` finds them. */
export interface TlsSources {
  /** `-ssl_dist_optfile`. */
  readonly optfile?: string | undefined;
  /** The words behind `-ssl_dist_opt`. */
  readonly opts?: readonly string[] | undefined;
  /** The functions that `verify_fun` may name, as `{Module, Function, State}`: by `module:function`. */
  readonly verifyFuns?: Readonly<Record<string, VerifyFun>> | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the options. Throws `ConfigError`, which names the file and the option. */
export function readTlsOptions(sources: TlsSources): TlsOptions {
  const words = sources.opts ?? [];
  const file = sources.optfile === undefined ? undefined : readOptfile(sources.optfile);
  const side = (role: Role): TlsSide => made([...wordsOf(role, words), ...(file?.[role] ?? [])], sources);
  checkWords(words);
  return { server: side('server'), client: side('client') };
}

// --- what the options mean -----------------------------------------------------------------------------------------

const VERIFY_CLIENT = 'inet_tls_dist:verify_client';
const BEST = 'best_effort';
const DIR = atom('dir');
/** OpenSSL's names of groups that differ from OTP's. */
const GROUPS: Readonly<Record<string, string>> = {
  secp256r1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
  x25519: 'X25519',
  x448: 'X448',
};

type Setter = (
  side: Mutable<TlsSide>,
  value: Term,
  first: Mutable<TlsCertificate>,
  sources: TlsSources,
) => boolean;

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
    verify_fun: (side, value, _, { verifyFuns = {} }) => {
      const { name, state } = functionOf(value) ?? {};
      if (name === undefined || state === undefined) return false;
      if (name === VERIFY_CLIENT) side.verifyClient = true;
      else if (Object.hasOwn(verifyFuns, name)) {
        side.verifyFun = { name, fun: verifyFuns[name] as VerifyFun, state };
      } else return false;
      return true;
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
    dh: (side, value) => {
      if (value instanceof Uint8Array) side.dh = pem('DH PARAMETERS', value);
      return value instanceof Uint8Array;
    },
    eccs: (side, value) =>
      namesOf(
        value,
        (one) => GROUPS[one] ?? one,
        (names) => (side.groups = names),
      ),
    supported_groups: (side, value) =>
      namesOf(
        value,
        (one) => GROUPS[one] ?? one,
        (names) => (side.groups = names),
      ),
    signature_algs: (side, value) =>
      namesOf(
        value,
        (one) => one,
        (names) => (side.signatureAlgorithms = names),
      ),
    client_renegotiation: (side, value) => booleanOf(value, (v) => (side.clientRenegotiation = v)),
    protocol: (_, value) => oneOf(value, ['tls'] as const, () => {}),
    handshake: (_, value) => oneOf(value, ['full'] as const, () => {}),
    crl_check: (side, value) => {
      if (value === true) side.crlCheck = true;
      return (
        typeof value === 'boolean' ||
        oneOf(value, ['peer', 'best_effort'] as const, (v) => (side.crlCheck = v))
      );
    },
    crl_cache: (side, value) => {
      const { module, options } = crlCache(value) ?? {};
      if (module === 'ssl_crl_cache') return options?.length === 0;
      const [dir] = module === 'ssl_crl_hash_dir' && options?.length === 1 ? options : [];
      return isTagged(dir, DIR, 2) && textOf(dir.elements[1] as Term, (folder) => (side.crlFolder = folder));
    },
  }),
);

/** Without meaning for us: they tune OTP's implementation, or say what is always so here. */
const IGNORED: ReadonlySet<string> = new Set(
  [
    // of the socket, or what the distribution sets itself
    'active backlog buffer delay_send erl_dist exit_on_close header high_watermark keepalive low_watermark mode nodelay',
    'packet packet_size recbuf reuseaddr send_timeout send_timeout_close show_econnreset sndbuf tos',
    // of processes and sessions
    'hibernate_after keep_secrets key_update_at ktls log_level receiver_spawn_opts renegotiate_at reuse_session',
    'reuse_sessions sender_spawn_opts session_tickets spawn_opt stateless_tickets_seed use_ticket',
    // of the handshake, without effect on who is trusted
    'beast_mitigation certificate_authorities cookie fallback honor_cipher_order honor_ecc_order max_fragment_length',
    'max_handshake_size middlebox_comp_mode padding_check secure_renegotiate',
  ].flatMap((line) => line.split(' ')),
);

const CODE = 'it takes a function or a module of Erlang, which this node cannot run';
const NOT_IN_DISTRIBUTION = 'connections of the distribution do not use it here';
const NOT_CHECKED = 'this node cannot check it';

/** Why we cannot do what some options of OTP's ask for. */
const CANNOT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    verify_fun:
      'it takes {Module, Function, State} or {fun Module:Function/3, State}; known are inet_tls_dist:verify_client and ' +
      'what the program gives to readTlsOptions (verifyFuns)',
    crl_check: 'it takes true, false, peer or best_effort',
    crl_cache:
      'lists are read from a folder, not fetched: {ssl_crl_hash_dir, {internal, [{dir, "/path"}]}}, in which files are named HASH.rN',
    versions: "known are 'tlsv1.2' and 'tlsv1.3'",
    ciphers: 'it takes OpenSSL names: ["TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"]',
    protocol: 'the distribution runs over tls only',
    handshake: 'the distribution makes a full one',
    cb_info: CODE,
    customize_hostname_check: CODE,
    partial_chain: CODE,
    sni_fun: CODE,
    user_lookup_fun: CODE,
    allow_any_ca_purpose: NOT_CHECKED,
    cert_policy_opts: NOT_CHECKED,
    ocsp_nonce: NOT_CHECKED,
    ocsp_responder_certs: NOT_CHECKED,
    ocsp_stapling: NOT_CHECKED,
    signature_algs_cert: NOT_CHECKED,
    stapling: NOT_CHECKED,
    alpn_advertised_protocols: NOT_IN_DISTRIBUTION,
    alpn_preferred_protocols: NOT_IN_DISTRIBUTION,
    anti_replay: NOT_IN_DISTRIBUTION,
    client_preferred_next_protocols: NOT_IN_DISTRIBUTION,
    early_data: NOT_IN_DISTRIBUTION,
    next_protocols_advertised: NOT_IN_DISTRIBUTION,
    psk_identity: NOT_IN_DISTRIBUTION,
    sni_hosts: NOT_IN_DISTRIBUTION,
    srp_identity: NOT_IN_DISTRIBUTION,
  }),
);

function made(given: readonly Given[], sources: TlsSources): TlsSide {
  const first: Mutable<TlsCertificate> = {};
  const side: Mutable<TlsSide> = { certificates: [] };
  const seen = new Set<string>();
  for (const { key, value, where } of given) {
    // As in OTP's property lists the first one counts.
    if (seen.has(key) || IGNORED.has(key)) continue;
    seen.add(key);
    const set = OPTIONS.get(key);
    if (set?.(side, value, first, sources) === true) continue;
    const why =
      CANNOT.get(key) ?? (set === undefined ? 'it is not known here' : 'its value is not of the right kind');
    throw badOption(`the TLS option ${key} cannot be used: ${why}`, where, key);
  }
  if (first.certfile !== undefined || first.cert !== undefined)
    side.certificates = [first, ...side.certificates];
  // OTP would refuse every connection
  const crlCheck = given.find(({ key }) => key === 'crl_check');
  if (crlCheck !== undefined && side.crlFolder === undefined && (side.crlCheck ?? BEST) !== BEST) {
    throw badOption(
      'the TLS option crl_check needs the folder of the lists: {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "/path"}]}}}',
      crlCheck.where,
      'crl_check',
    );
  }
  return side;
}

/** One item of a map in `certs_keys`. */
function certsKeys(key: Term, value: Term, more: Mutable<TlsCertificate>): boolean {
  const name = key instanceof Atom ? key.name : '';
  if (!['certfile', 'keyfile', 'password', 'cert', 'key'].includes(name)) return false;
  return OPTIONS.get(name)?.({ certificates: [] }, value, more, {}) === true;
}

/** `{Module, Function, State}`, or `{fun Module:Function/3, State}`. */
function functionOf(value: Term): { name: string; state: Term } | undefined {
  if (!(value instanceof Tuple)) return undefined;
  const [first, second, third] = value.elements;
  if (first instanceof ExportFun) {
    const { module, function: name, arity } = first;
    if (!(module instanceof Atom) || !(name instanceof Atom) || arity !== 3 || second === undefined)
      return undefined;
    return { name: `${module.name}:${name.name}`, state: second };
  }
  if (!(first instanceof Atom) || !(second instanceof Atom) || third === undefined) return undefined;
  return { name: `${first.name}:${second.name}`, state: third };
}

/** `{Module, {Handle, Options}}`. */
function crlCache(value: Term): { module: string; options: readonly Term[] } | undefined {
  if (!(value instanceof Tuple)) return undefined;
  const [module, inner] = value.elements;
  const options = inner instanceof Tuple && inner.elements.length === 2 ? inner.elements[1] : undefined;
  if (!(module instanceof Atom) || !Array.isArray(options)) return undefined;
  return { module: module.name, options: options as readonly Term[] };
}

/** Names of algorithms, as atoms or as pairs `{sha256, ecdsa}`, in OpenSSL's form. */
function namesOf(value: Term, named: (name: string) => string, set: (names: string) => unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  const names = (value as readonly Term[]).map((one) => {
    if (one instanceof Atom) return named(one.name);
    const [hash, sign] = one instanceof Tuple && one.elements.length === 2 ? one.elements : [];
    if (!(hash instanceof Atom) || !(sign instanceof Atom)) return undefined;
    return `${sign.name.toUpperCase()}+${hash.name.toUpperCase()}`;
  });
  if (names.includes(undefined)) return false;
  set(names.join(':'));
  return true;
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
