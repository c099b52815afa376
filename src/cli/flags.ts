// The options of `otpnode`, read with yargs' parser; the words of `erl` are rewritten first. What they mean is in help.ts.
import parse from 'yargs-parser';
import { ConfigError } from '../errors.js';
import { LOG_LEVELS } from '../erts/log.js';
import type { LogLevel } from '../index.js';
import type { ApplicationFlag } from '../kernel/config.js';
import { rewriteErlWords } from './erl_words.js';

export interface RunFlags {
  readonly name: string | undefined;
  readonly sname: string | undefined;
  readonly cookie: string | undefined;
  /** `-setcookie Node Cookie`. */
  readonly nodeCookies: Readonly<Record<string, string>>;
  /** `-nocookie`: no cookie file is read or made. */
  readonly noCookie: boolean;
  readonly hidden: boolean;
  readonly apps: readonly string[];
  readonly paths: readonly string[];
  readonly sources: readonly ({ readonly config: string } | { readonly configfd: string })[];
  readonly environment: readonly ApplicationFlag[];
  readonly join: readonly string[];
  readonly startEpmd: boolean;
  /** The port of EPMD itself. */
  readonly epmdPort: number | undefined;
  /** One distribution port for all nodes (`-erl_epmd_port`). */
  readonly fixedPort: number | undefined;
  readonly distListen: boolean;
  readonly protoDist: string;
  readonly sslDistOpt: readonly string[];
  readonly sslDistOptfile: string | undefined;
  readonly logLevel: LogLevel | 'none' | undefined;
  readonly logFormat: 'auto' | 'line' | 'json';
  readonly help: boolean;
  readonly version: boolean;
  /** Words behind `-extra` or `--`. */
  readonly plain: readonly string[];
  readonly ignored: readonly string[];
}

const PROTOCOLS = ['inet_tcp', 'inet6_tcp', 'inet_tls', 'inet6_tls'] as const;
const LEVELS = [...LOG_LEVELS, 'none'] as const;

/** Options with a value that may be given more than once; of some the value is a list, as JSON. */
const REPEATED = [
  'app',
  'config',
  'configfd',
  'env',
  'join',
  'pa',
  'pz',
  'setcookie',
  'ssl_dist_opt',
] as const;
/** Options with one value, given once. */
const SINGLE = [
  'connect_all',
  'cookie',
  'dist_listen',
  'epmd_port',
  'erl_epmd_port',
  'log-format',
  'log-level',
  'name',
  'proto_dist',
  'sname',
  'ssl_dist_optfile',
  'start_epmd',
] as const;
type Single = (typeof SINGLE)[number];
/** Options without a value. */
const SWITCHES = ['help', 'hidden', 'nocookie', 'version'] as const;

/** What the words of a command line ask for. Throws `ConfigError` `bad_option`. */
export function readFlags(argv: readonly string[]): RunFlags {
  const { words, plain, ignored } = rewriteErlWords(argv);
  const given = parse([...words], {
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    },
    array: [...REPEATED],
    boolean: [...SWITCHES],
    string: [...REPEATED, ...SINGLE],
  }) as Record<string, unknown>;
  const { one, many, choice, boolean, port } = readers(given);

  const cookies = readCookies(many('setcookie'), one('cookie'));
  const environment = many('env').map((json) => {
    const [application = '', ...rest] = JSON.parse(json) as string[];
    return { application, words: rest };
  });
  const connectAll = choice('connect_all', ['true', 'false']);
  if (connectAll !== undefined)
    environment.push({ application: 'kernel', words: ['connect_all', connectAll] });
  return {
    name: one('name'),
    sname: one('sname'),
    ...cookies,
    noCookie: given['nocookie'] === true,
    hidden: given['hidden'] === true,
    apps: many('app'),
    paths: [...many('pa').reverse(), ...many('pz')],
    sources: sourcesInOrder(words),
    environment,
    join: many('join'),
    startEpmd: boolean('start_epmd'),
    epmdPort: port('epmd_port'),
    fixedPort: port('erl_epmd_port'),
    distListen: boolean('dist_listen'),
    protoDist: choice('proto_dist', PROTOCOLS) ?? 'inet_tcp',
    sslDistOpt: many('ssl_dist_opt').flatMap((json) => JSON.parse(json) as string[]),
    sslDistOptfile: one('ssl_dist_optfile'),
    logLevel: choice('log-level', LEVELS),
    logFormat: choice('log-format', ['auto', 'line', 'json']) ?? 'auto',
    help: given['help'] === true,
    version: given['version'] === true,
    plain,
    ignored,
  };
}

/** How the values of `given` are read. All throw `ConfigError` `bad_option`. */
function readers(given: Readonly<Record<string, unknown>>) {
  const one = (name: Single): string | undefined => {
    const value = given[name];
    if (!Array.isArray(value)) return value as string | undefined;
    throw new ConfigError('bad_option', `--${name} is given ${value.length} times: give it once`, {
      key: name,
    });
  };
  const many = (name: (typeof REPEATED)[number]): string[] => (given[name] as string[] | undefined) ?? [];
  const choice = <T extends string>(name: Single, choices: readonly T[]): T | undefined => {
    const value = one(name);
    if (value === undefined || choices.includes(value as T)) return value as T | undefined;
    throw new ConfigError('bad_option', `--${name} is one of ${choices.join(', ')}, not ${value}`, {
      key: name,
    });
  };
  const boolean = (name: Single): boolean => choice(name, ['true', 'false']) !== 'false';
  const port = (name: Single): number | undefined => {
    const value = one(name);
    if (value === undefined) return undefined;
    if (/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) < 65536) return Number(value);
    throw new ConfigError('bad_option', `--${name} is a port from 1 to 65535, not ${value}`, { key: name });
  };
  return { one, many, choice, boolean, port };
}

/** `-config` and `-configfd` are processed in the order of the command line. */
function sourcesInOrder(words: readonly string[]): ({ config: string } | { configfd: string })[] {
  return words.flatMap((word) => {
    const [, kind, value] = /^--(config|configfd)=(.*)$/s.exec(word) ?? [];
    if (kind === undefined || value === undefined) return [];
    return [kind === 'config' ? { config: value } : { configfd: value }];
  });
}

/** `-setcookie COOKIE` counts only once, as for erl; `-setcookie NODE COOKIE` sets that of one node. */
function readCookies(
  setcookie: readonly string[],
  cookie: string | undefined,
): Pick<RunFlags, 'cookie' | 'nodeCookies'> {
  const nodeCookies: Record<string, string> = {};
  const own = cookie === undefined ? [] : [cookie];
  for (const [first = '', second] of setcookie.map((json) => JSON.parse(json) as string[])) {
    if (second === undefined) own.push(first);
    else nodeCookies[first] = second;
  }
  if (own.length > 1)
    throw new ConfigError('bad_option', 'the cookie is given more than once', { key: 'setcookie' });
  return { cookie: own[0], nodeCookies };
}
