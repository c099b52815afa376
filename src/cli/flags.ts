// The options of `otpnode`, read with yargs; the words of `erl` are rewritten first.
//
// Reading needs only yargs' parser: loading all of yargs takes longer than starting a node, so that is left to
// `--help`.
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
    array: ['app', 'config', 'configfd', 'env', 'join', 'pa', 'pz', 'setcookie', 'ssl_dist_opt'],
    boolean: ['help', 'hidden', 'nocookie', 'version'],
    string: [
      ...[
        'app',
        'config',
        'configfd',
        'connect_all',
        'cookie',
        'dist_listen',
        'env',
        'epmd_port',
        'erl_epmd_port',
      ],
      ...[
        'join',
        'log-format',
        'log-level',
        'name',
        'pa',
        'proto_dist',
        'pz',
        'setcookie',
        'sname',
        'ssl_dist_opt',
      ],
      ...['ssl_dist_optfile', 'start_epmd'],
    ],
  }) as Record<string, unknown>;

  const one = (name: string): string | undefined => {
    const value = given[name];
    if (!Array.isArray(value)) return value as string | undefined;
    throw new ConfigError('bad_option', `the option ${name} is given ${value.length} times`, { key: name });
  };
  const many = (name: string): string[] => (given[name] as string[] | undefined) ?? [];
  const choice = <T extends string>(name: string, choices: readonly T[]): T | undefined => {
    const value = one(name);
    if (value === undefined || choices.includes(value as T)) return value as T | undefined;
    throw new ConfigError('bad_option', `${name} is one of ${choices.join(', ')}, not ${value}`, {
      key: name,
    });
  };
  const boolean = (name: string): boolean => choice(name, ['true', 'false']) !== 'false';
  const port = (name: string): number | undefined => {
    const value = one(name);
    if (value === undefined || (/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) < 65536)) {
      return value === undefined ? undefined : Number(value);
    }
    throw new ConfigError('bad_option', `${name} is a port from 1 to 65535, not ${value}`, { key: name });
  };

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

/** The text of `--help`, laid out by yargs for a terminal of that width. */
export async function helpText(columns = 100): Promise<string> {
  const { default: yargs } = await import('yargs');
  const cli = yargs([])
    .scriptName('otpnode')
    .wrap(Math.min(columns, 110))
    .version(false)
    .help(false)
    .usage(
      'otpnode --name NAME@HOST [--cookie C] [--app APP] [-config FILE…]\n' +
        'otpnode COMMAND [ARGUMENTS]\n\n' +
        'Runs a node of an Erlang cluster. The words of erl and iex are understood, with one dash or two.',
    );
  for (const [name, text] of COMMAND_TEXTS) cli.command(name, text);
  for (const [group, options] of OPTIONS) {
    cli.options(Object.fromEntries(options.map(([name, description]) => [name, { description, group }])));
  }
  return `${await cli
    .epilogue(
      'Example, one node of three:\n' +
        '  otpnode --name abc@127.0.0.1 --cookie C --app distro -config config/a\n\n' +
        'Configuration files have the form of sys.config: see docs/cli.md and docs/configuration.md.',
    )
    .getHelp()}\n`;
}

const COMMAND_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['demo', 'three nodes, a failover and a takeover, told as they happen'],
  ['check', 'read the configuration files of a cluster and say what will go wrong'],
  ['status', 'ask a running node who runs what'],
  ['epmd', 'the port mapper daemon: serve, -daemon, -names, -kill'],
  ['inspect', 'show bytes of the external term format or of a connection as a tree'],
];

type Option = readonly [name: string, description: string];

const OPTIONS: readonly (readonly [group: string, options: readonly Option[]])[] = [
  [
    'The node',
    [
      ['name', 'long name, abc@127.0.0.1; %p stands for the process id'],
      ['sname', 'short name, abc or abc@host'],
      ['cookie', 'the cookie (-setcookie C); without it ~/.erlang.cookie, as with erl'],
      ['setcookie NODE C', 'the cookie for one other node'],
      ['hidden', 'be a hidden node'],
      ['join N…', 'connect to these nodes, again when the connection is lost'],
    ],
  ],
  [
    'Applications',
    [
      ['app', 'start it: distro is built in, others are found through -pa'],
      ['pa DIR…', 'where applications are looked for: DIR/APP.js or a package'],
      ['config FILE…', 'configuration, FILE.config; a later one wins per key'],
      ['kernel K V…', 'a parameter of kernel, or of another application: -APP K V'],
      ['erl', 'more words of erl in one string'],
    ],
  ],
  [
    'Distribution',
    [
      ['proto_dist', 'inet_tcp, inet6_tcp, inet_tls or inet6_tls'],
      ['ssl_dist_optfile', 'a file with the options of TLS, in the form of OTP'],
      ['ssl_dist_opt K V…', 'single options of TLS: server_certfile F'],
      ['dist_listen', 'false: accept no connections'],
      ['start_epmd', 'false: start no port mapper where there is none'],
      ['epmd_port', 'the port of the port mapper (ERL_EPMD_PORT)'],
      ['erl_epmd_port', 'one port for all nodes, no port mapper'],
      ['connect_all', 'false: no full mesh'],
    ],
  ],
  [
    'Other',
    [
      ['log-level', 'debug, info (default), notice, warning, error, critical, alert, emergency, none'],
      ['log-format', 'auto (default), line or json'],
      ['help', 'this text'],
      ['version', 'the version'],
    ],
  ],
];
