// From the words of the command line and the configuration to the options of `startNode`.
import { homedir, hostname } from 'node:os';
import {
  type Atom,
  atom,
  type Config,
  ConfigError,
  format,
  type Log,
  loadConfig,
  type NodeOptions,
  readTlsOptions,
  type Term,
} from '../index.js';
import type { RunFlags } from './flags.js';

const OFF = atom('off');
const REJOIN = atom('rejoin');

/** What the process was started in. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly hostname: string;
  readonly pid: number;
}

export function surroundings(): Surroundings {
  return { env: process.env, cwd: process.cwd(), hostname: hostname(), pid: process.pid };
}

/** Reads the configuration that the flags name. Throws `ConfigError`. */
export function configOf(flags: RunFlags, { cwd }: Surroundings): Config {
  return loadConfig({ sources: flags.sources, flags: flags.environment, cwd });
}

/** The options of `startNode`. Throws `ConfigError`. */
export function nodeOptions(flags: RunFlags, config: Config, where: Surroundings, log: Log): NodeOptions {
  const { kernel } = config;
  const named = nodeName(flags, where);
  const family = flags.protoDist.startsWith('inet6') ? 6 : 4;
  const epmdPort = flags.epmdPort ?? environmentPort(where.env);
  return {
    ...named,
    cookie: cookieOf(flags, where),
    cookies: flags.nodeCookies,
    hidden: flags.hidden,
    listen: flags.distListen
      ? {
          family,
          checkIp: kernel.checkIp,
          ...defined('noDelay', kernel.distNodelay ?? kernel.inetDistListenOptions.noDelay),
          ...defined('keepAlive', kernel.inetDistListenOptions.keepAlive),
          ...defined('backlog', kernel.inetDistListenOptions.backlog),
          ...defined('host', kernel.inetDistUseInterface ?? kernel.inetDistListenOptions.ip),
          ...defined('portMin', kernel.inetDistListenMin),
          ...defined('portMax', kernel.inetDistListenMax),
        }
      : false,
    connect: {
      ...defined('noDelay', kernel.distNodelay ?? kernel.inetDistConnectOptions.noDelay),
      ...defined('keepAlive', kernel.inetDistConnectOptions.keepAlive),
      ...defined('localAddress', kernel.inetDistConnectOptions.ip),
      ...defined('localPort', kernel.inetDistConnectOptions.port),
    },
    epmd: {
      start: flags.startEpmd,
      family,
      addresses: addresses(where.env),
      ...defined('port', epmdPort),
    },
    ...defined('fixedPort', flags.fixedPort ?? kernel.erlEpmdNodeListenPort),
    ...tlsOf(flags, log),
    ...nameFrom(flags),
    ...ownParameters(config),
    netTicktime: kernel.netTicktimeS,
    netTickintensity: kernel.netTickintensity,
    setupTimeMs: kernel.netSetuptimeS * 1000,
    autoConnect: kernel.distAutoConnect,
    connectAll: kernel.connectAll,
    preventOverlappingPartitions: kernel.preventOverlappingPartitions,
    config,
    log,
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

/** `-proto_dist inet_tls`, with what `-ssl_dist_optfile` and `-ssl_dist_opt` say. */
function tlsOf(flags: RunFlags, log: Log): Pick<NodeOptions, 'tls'> {
  const { sslDistOptfile: optfile, sslDistOpt: opts } = flags;
  if (flags.protoDist.endsWith('_tls')) return { tls: readTlsOptions({ optfile, opts }) };
  if (optfile !== undefined || opts.length > 0) {
    log('warning', 'connections are not encrypted: options for TLS count only with -proto_dist inet_tls');
  }
  return {};
}

/** What OTP has no parameter for: `{otpnode, [{weight, 6}, {heal, rejoin}]}`, or `-otpnode weight 6`. */
function ownParameters(config: Config): Pick<NodeOptions, 'weight' | 'heal' | 'remoteControl'> {
  const environment = config.environments.get(atom('otpnode')) ?? new Map<Atom, Term>();
  const take = <T extends Term>(
    key: string,
    isValid: (value: Term) => value is T,
    expected: string,
  ): T | undefined => {
    const value = environment.get(atom(key));
    if (value === undefined || isValid(value)) return value;
    const text = `invalid config data: application: otpnode; erroneous parameter: ${key}`;
    throw new ConfigError('invalid_config', text, { key, hint: `${format(value, 200)} is not ${expected}` });
  };
  const isWeight = (value: Term): value is number => typeof value === 'number' && value >= 0;
  const isHeal = (value: Term): value is Atom => value === OFF || value === REJOIN;
  const isBoolean = (value: Term): value is boolean => typeof value === 'boolean';
  const heal = take('heal', isHeal, 'off or rejoin');
  return {
    ...defined('heal', heal && (heal === REJOIN ? 'rejoin' : 'off')),
    ...defined('weight', take('weight', isWeight, 'an integer from 0')),
    ...defined('remoteControl', take('remote_control', isBoolean, 'true or false')),
  };
}

/** `-sname undefined`: the first node of `--join` gives the name. */
function nameFrom(flags: RunFlags): Pick<NodeOptions, 'nameFrom'> {
  const [first] = flags.join;
  if (!/^undefined(@|$)/.test(flags.name ?? flags.sname ?? '')) return {};
  if (first !== undefined) return { nameFrom: first };
  const hint = 'for example --join abc@127.0.0.1';
  throw new ConfigError('bad_option', 'a node named undefined must be told who names it', {
    key: 'join',
    hint,
  });
}

/** `abc` gets this machine's host behind it; `%p` is the process id, so that several workers differ. */
export function nodeName(flags: RunFlags, where: Surroundings): Pick<NodeOptions, 'name' | 'nameMode'> {
  const { name, sname } = flags;
  if (name !== undefined && sname !== undefined) {
    throw new ConfigError('bad_option', 'both -name and -sname are given: a node has one name', {
      key: 'name',
    });
  }
  const given = (name ?? sname)?.replaceAll('%p', String(where.pid));
  if (given === undefined || given === '') {
    const hint = 'for example --name abc@127.0.0.1, or --sname abc';
    throw new ConfigError('bad_option', 'a node needs a name', { key: 'name', hint });
  }
  if (given.includes('@')) return { name: given, nameMode: name === undefined ? 'shortnames' : 'longnames' };
  if (sname !== undefined) {
    return { name: `${given}@${where.hostname.replace(/\..*$/, '')}`, nameMode: 'shortnames' };
  }
  if (!where.hostname.includes('.')) {
    const hint = `this machine's name, ${where.hostname}, has no domain; write --name ${given}@HOST`;
    throw new ConfigError('bad_option', "Can't set long node name!", { key: 'name', hint });
  }
  return { name: `${given}@${where.hostname}`, nameMode: 'longnames' };
}

/** The cookie of the command line, or where its file is, as for `erl`. */
function cookieOf(flags: RunFlags, { env }: Surroundings): NodeOptions['cookie'] {
  if (flags.cookie !== undefined) return checkedCookie(flags.cookie);
  if (flags.noCookie) return 'nocookie';
  return { home: env['HOME'] || homedir(), xdgConfigHome: env['XDG_CONFIG_HOME'] };
}

function checkedCookie(cookie: string): string {
  if (/^[ -ÿ]{1,255}$/.test(cookie)) return cookie;
  throw new ConfigError('bad_option', 'a cookie has 1 to 255 Latin-1 characters', { key: 'cookie' });
}

/** `ERL_EPMD_ADDRESS`: what an EPMD that we start listens on, beside loopback. */
function addresses(env: NodeJS.ProcessEnv): string[] {
  return (env['ERL_EPMD_ADDRESS'] ?? '').split(/[ ,]+/).filter((address) => address !== '');
}

function environmentPort(env: NodeJS.ProcessEnv): number | undefined {
  const port = env['ERL_EPMD_PORT'];
  if (port === undefined || port === '') return undefined;
  if (/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536) return Number(port);
  throw new ConfigError('bad_option', `ERL_EPMD_PORT is a port from 1 to 65535, not ${port}`, {
    key: 'ERL_EPMD_PORT',
  });
}
