// Where the TLS options of a distribution are written: `-ssl_dist_optfile` and `-ssl_dist_opt`.
//
// The file is one Erlang term `[{server, Options}, {client, Options}].` OTP evaluates it as an expression; we read
// the literals of the language and refuse the rest. On the command line options are pairs: `server_certfile F
// client_verify verify_peer`.
import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.js';
import { sourceText } from '../syntax/epp.js';
import { parseTerm, parseTerms } from '../syntax/erl_parse.js';
import { Atom, atomOrBoolean } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';

export type Role = 'server' | 'client';

/** An option as it was given, and where. */
export interface Given {
  readonly key: string;
  readonly value: Term;
  readonly where: { readonly file?: string };
}

// --- the file ------------------------------------------------------------------------------------------------------

/** The options of both sides in a file. Throws `ConfigError`. */
export function readOptfile(file: string): Record<Role, Given[]> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ConfigError(
      'not_found',
      `cannot read the ssl_dist_optfile ${file}: ${(error as Error).message}`,
      {
        file,
      },
    );
  }
  const found: Record<Role, Given[]> = { server: [], client: [] };
  for (const section of list(oneTerm(file, bytes), file, 'the file')) {
    const [role, options] = pair(section, file, '{server, Options} or {client, Options}');
    if (role !== 'server' && role !== 'client') {
      throw badOption(`${role} is neither server nor client`, { file }, role);
    }
    for (const option of list(options, file, role)) {
      if (isSocketOption(option)) continue;
      const [key, value] = pair(option, file, `an option {Key, Value} of ${role}`);
      found[role].push({ key, value, where: { file } });
    }
  }
  return found;
}

function oneTerm(file: string, bytes: Buffer): Term {
  const source = sourceText(bytes) ?? bytes.toString('latin1');
  try {
    const [first, second] = parseTerms(source);
    if (first !== undefined && second === undefined) return first.term;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { line = 0, column = 0 } = error;
    throw new ConfigError(
      'syntax',
      `${file}:${line}:${column}: ${error.message} (only literal terms can be read here, no calls and no variables)`,
      { file, line, column },
    );
  }
  throw new ConfigError(
    'not_one_list',
    `${file} must hold one list: [{server, Options}, {client, Options}].`,
    {
      file,
    },
  );
}

function list(term: Term, file: string, what: string): readonly Term[] {
  if (Array.isArray(term)) return term as readonly Term[];
  throw badOption(`${what} must be a list`, { file });
}

function pair(term: Term, file: string, what: string): [string, Term] {
  if (term instanceof Tuple && term.elements.length === 2 && term.elements[0] instanceof Atom) {
    return [term.elements[0].name, term.elements[1] as Term];
  }
  throw badOption(`${what} was expected`, { file });
}

/** Socket options may stand among those of TLS; the distribution sets its own. */
function isSocketOption(option: Term): boolean {
  return option instanceof Atom && ['inet', 'inet6', 'binary', 'list'].includes(option.name);
}

// --- the command line ----------------------------------------------------------------------------------------------

/** Refuses pairs that are for neither side. */
export function checkWords(words: readonly string[]): void {
  for (let i = 0; i < words.length; i += 2) {
    const word = words[i] as string;
    if (!/^(server|client)_./.test(word)) {
      throw badOption(`the option ${word} of -ssl_dist_opt must begin with server_ or client_`, {}, word);
    }
    if (words[i + 1] === undefined)
      throw badOption(`the option ${word} of -ssl_dist_opt has no value`, {}, word);
  }
}

/** What the text of an option on the command line means. */
const WORD_VALUES: ReadonlyMap<string, (value: string) => Term> = new Map(
  Object.entries<(value: string) => Term>({
    certfile: charlist,
    cacertfile: charlist,
    keyfile: charlist,
    dhfile: charlist,
    password: charlist,
    ciphers: charlist,
    verify: atomOrBoolean,
    fail_if_no_peer_cert: atomOrBoolean,
    crl_check: atomOrBoolean,
    reuse_sessions: atomOrBoolean,
    secure_renegotiate: atomOrBoolean,
    ktls: atomOrBoolean,
    versions: (value) => value.split(',').map((version) => atomOrBoolean(version)),
    depth: Number,
    hibernate_after: Number,
    verify_fun: parseTerm,
    crl_cache: parseTerm,
  }),
);

/** The options of one side on the command line. Throws `ConfigError` for those that OTP does not take there. */
export function wordsOf(role: Role, words: readonly string[]): Given[] {
  const given: Given[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    const [word, value] = [words[i] as string, words[i + 1] as string];
    if (!word.startsWith(`${role}_`)) continue;
    const key = word.slice(role.length + 1);
    const read = WORD_VALUES.get(key);
    if (read === undefined) throw badOption(`-ssl_dist_opt does not take ${word}`, {}, word);
    given.push({ key, value: read(value), where: {} });
  }
  return given;
}

/** The error of an option, with its file if it has one. */
export function badOption(message: string, where: { readonly file?: string }, key?: string): ConfigError {
  const text = where.file === undefined ? message : `${where.file}: ${message}`;
  return new ConfigError('bad_option', text, { ...where, ...(key === undefined ? {} : { key }) });
}
