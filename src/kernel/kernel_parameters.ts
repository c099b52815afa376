// The parameters of the application `kernel` as typed values, checked at boot. OTP checks some of them late or never
// and then crashes or hangs; here each wrong one ends the start with its name.
import { ConfigError } from '../errors.js';
import { LOG_LEVELS, type LogLevel } from '../erts/log.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { erroneous, validateDistributed } from './config_merge.js';
import { type GroupTuple, globalGroups } from './global_group_config.js';
import { addressOf, type InetOptions, inetOptions } from './inet_options.js';

/** One application of the parameter `distributed`. */
export interface DistributedApplication {
  readonly application: Atom;
  readonly restartMs: number | 'infinity';
  /** Node names and tuples of node names, as configured. */
  readonly nodes: readonly (Atom | Tuple)[];
}

export interface KernelParameters {
  /** Undefined: the parameter is not set, which is not the same as an empty list. */
  readonly distributed: readonly DistributedApplication[] | undefined;
  readonly syncNodesMandatory: readonly Atom[];
  readonly syncNodesOptional: readonly Atom[];
  /** Undefined: no synchronisation at all, the two lists are ignored. */
  readonly syncNodesTimeoutMs: number | 'infinity' | undefined;
  /** Applications not named are permitted. */
  readonly permissions: ReadonlyMap<Atom, boolean>;
  /** Undefined: `dist_ac` runs if `distributed` is set. */
  readonly startDistAc: boolean | undefined;
  readonly startDistribution: boolean;
  readonly netTicktimeS: number;
  readonly netTickintensity: number;
  readonly netSetuptimeS: number;
  readonly distAutoConnect: 'always' | 'once' | 'never';
  readonly connectAll: boolean;
  readonly preventOverlappingPartitions: boolean;
  readonly inetDistListenMin: number | undefined;
  readonly inetDistListenMax: number | undefined;
  /** An IP address as text. */
  readonly inetDistUseInterface: string | undefined;
  /** Options of the sockets; `inet_dist_use_interface` and `dist_nodelay` count before these. */
  readonly inetDistListenOptions: InetOptions;
  readonly inetDistConnectOptions: InetOptions;
  /** Only nodes of this machine's own networks may connect. */
  readonly checkIp: boolean;
  /** Undefined: it is not set, which means true. */
  readonly distNodelay: boolean | undefined;
  /** The fixed distribution port of all nodes: EPMD is not asked. */
  readonly erlEpmdNodeListenPort: number | undefined;
  /** Undefined: there are none. */
  readonly globalGroups: readonly GroupTuple[] | undefined;
  /** How often `global` tries once more to connect to a node that it was told of. */
  readonly globalConnectRetries: number;
  /** `allow`: a process may have several global names. */
  readonly globalMultiNameAction: 'allow' | undefined;
  readonly shutdownTimeoutMs: number | undefined;
  readonly loggerLevel: LogLevel | 'none' | undefined;
}

const INFINITY = atom('infinity');
const NEVER = atom('never');
const ONCE = atom('once');
const ALLOW = atom('allow');
const BADOPT = atom('badopt');

/** The checked parameters; `warn` is told what OTP would pass over in silence. Throws `ConfigError`. */
export function kernelParameters(
  environment: ReadonlyMap<Atom, Term>,
  warn: (text: string) => void,
): KernelParameters {
  const get = (name: string): Term | undefined => environment.get(atom(name));
  const boolean = (name: string, otherwise: boolean): boolean =>
    optionalBoolean(name, get(name)) ?? otherwise;
  const integer = (name: string, least: number, most: number): number | undefined =>
    optionalInteger(name, get(name), least, most);
  // OTP checks the timeout first, then the mandatory, then the optional nodes.
  const syncNodesTimeoutMs = syncTimeout(get('sync_nodes_timeout'));
  const syncNodesMandatory = syncNodes('sync_nodes_mandatory', get('sync_nodes_mandatory'));
  const syncNodesOptional = syncNodes('sync_nodes_optional', get('sync_nodes_optional'));
  if (syncNodesTimeoutMs === undefined && syncNodesMandatory.length + syncNodesOptional.length > 0) {
    warn(
      'sync_nodes_timeout is not set: sync_nodes_mandatory and sync_nodes_optional are ignored, nobody is waited for',
    );
  }
  const listenMin = integer('inet_dist_listen_min', 0, 65535);
  const listenMax = integer('inet_dist_listen_max', 0, 65535);
  if (listenMin !== undefined && listenMax !== undefined && listenMin > listenMax) {
    throw erroneous('inet_dist_listen_min', `${listenMin} is above inet_dist_listen_max, ${listenMax}`);
  }
  return {
    distributed: distributed(get('distributed'), warn),
    syncNodesMandatory,
    syncNodesOptional,
    syncNodesTimeoutMs,
    permissions: permissions(get('permissions')),
    startDistAc: optionalBoolean('start_dist_ac', get('start_dist_ac')),
    startDistribution: boolean('start_distribution', true),
    netTicktimeS: integer('net_ticktime', 1, 100_000_000) ?? 60,
    netTickintensity: integer('net_tickintensity', 4, 1000) ?? 4,
    netSetuptimeS: integer('net_setuptime', 1, 120) ?? 7,
    distAutoConnect: distAutoConnect(get('dist_auto_connect')),
    connectAll: boolean('connect_all', true),
    preventOverlappingPartitions: boolean('prevent_overlapping_partitions', true),
    inetDistListenMin: listenMin,
    inetDistListenMax: listenMax,
    inetDistUseInterface: ipAddress('inet_dist_use_interface', get('inet_dist_use_interface')),
    inetDistListenOptions: inetOptions('inet_dist_listen_options', get('inet_dist_listen_options'), warn),
    inetDistConnectOptions: inetOptions('inet_dist_connect_options', get('inet_dist_connect_options'), warn),
    checkIp: boolean('check_ip', false),
    distNodelay: optionalBoolean('dist_nodelay', get('dist_nodelay')),
    erlEpmdNodeListenPort: integer('erl_epmd_node_listen_port', 1, 65535),
    globalGroups: globalGroups(get('global_groups')),
    globalConnectRetries: integer('global_connect_retries', 0, 1000) ?? 0,
    globalMultiNameAction: get('global_multi_name_action') === ALLOW ? 'allow' : undefined,
    shutdownTimeoutMs: shutdownTimeout(get('shutdown_timeout')),
    loggerLevel: loggerLevel(get('logger_level')),
  };
}

function optionalBoolean(name: string, value: Term | undefined): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw erroneous(name, `${format(value, 200)} is neither true nor false`);
}

function optionalInteger(
  name: string,
  value: Term | undefined,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return value;
  throw erroneous(name, `${format(value, 200)} is no integer from ${least} to ${most}`);
}

function shutdownTimeout(value: Term | undefined): number | undefined {
  return value === INFINITY ? undefined : optionalInteger('shutdown_timeout', value, 0, 0xffffffff);
}

function loggerLevel(value: Term | undefined): LogLevel | 'none' | undefined {
  if (value === undefined) return undefined;
  const name = value instanceof Atom ? value.name : '';
  const level = name === 'all' ? 'debug' : [...LOG_LEVELS, 'none' as const].find((each) => each === name);
  if (level !== undefined) return level;
  throw erroneous('logger_level', `${format(value, 200)} is no log level`);
}

function distAutoConnect(value: Term | undefined): 'always' | 'once' | 'never' {
  if (value === undefined || value === true) return 'always';
  if (value === NEVER || value === ONCE) return value === NEVER ? 'never' : 'once';
  throw erroneous('dist_auto_connect', `${format(value, 200)} is neither never nor once`);
}

function ipAddress(name: string, value: Term | undefined): string | undefined {
  if (value === undefined) return undefined;
  const address = addressOf(value);
  if (address !== undefined) return address;
  throw erroneous(name, `${format(value, 200)} is no IP address such as {127,0,0,1}`);
}

function syncTimeout(value: Term | undefined): number | 'infinity' | undefined {
  if (value === undefined || (typeof value === 'number' && value > 0)) return value;
  if (value === INFINITY) return 'infinity';
  throw badOption('sync_nodes_timeout', value, 'it takes milliseconds above 0, or infinity');
}

function syncNodes(name: string, value: Term | undefined): readonly Atom[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badOption(name, value, 'it takes a list of node names');
  for (const node of value as readonly Term[]) {
    if (!(node instanceof Atom)) throw badOption(name, value, `${format(node, 200)} is no node name`);
  }
  return value as readonly Atom[];
}

function badOption(name: string, value: Term, hint: string): ConfigError {
  return new ConfigError('bad_option', format(tuple(BADOPT, tuple(atom(name), value))), { key: name, hint });
}

function permissions(value: Term | undefined): ReadonlyMap<Atom, boolean> {
  const permitted = new Map<Atom, boolean>();
  if (value === undefined) return permitted;
  const expected = 'it takes a list of {Application, true} and {Application, false}';
  if (!Array.isArray(value)) throw erroneous('permissions', expected);
  for (const entry of value as readonly Term[]) {
    const [name, allowed] = entry instanceof Tuple && entry.elements.length === 2 ? entry.elements : [];
    if (!(name instanceof Atom) || typeof allowed !== 'boolean') {
      throw erroneous('permissions', `${format(entry, 200)} is wrong: ${expected}`);
    }
    if (!permitted.has(name)) permitted.set(name, allowed);
  }
  return permitted;
}

function distributed(
  value: Term | undefined,
  warn: (text: string) => void,
): readonly DistributedApplication[] | undefined {
  if (value === undefined) return undefined;
  validateDistributed(value);
  return (value as readonly Tuple[]).flatMap((entry) => {
    const application = entry.elements[0] as Atom;
    const nodes = entry.elements.at(-1) as readonly Term[];
    const time = entry.elements.length === 2 ? 0 : (entry.elements[1] as Term);
    for (const node of nodes) checkNodes(application, node);
    if (time !== INFINITY && (time as number | bigint) < 0) {
      warn(
        `the time of ${application.name} in distributed is ${time}: the entry is ignored, ${application.name} is not distributed`,
      );
      return [];
    }
    const restartMs = time === INFINITY ? 'infinity' : Number(time);
    return [{ application, restartMs, nodes: nodes as readonly (Atom | Tuple)[] }];
  });
}

function checkNodes(application: Atom, node: Term): void {
  const names = node instanceof Tuple ? node.elements : [node];
  const fault = names.find((name) => !(name instanceof Atom));
  if (fault !== undefined) {
    throw erroneous('distributed', `${format(fault, 200)} is no node name (${application.name})`);
  }
}

/** The nodes of a node list with its tuples opened, in order. */
export function flatNodes(nodes: readonly (Atom | Tuple)[]): readonly Atom[] {
  return nodes.flatMap((node) => (node instanceof Tuple ? (node.elements as readonly Atom[]) : [node]));
}
