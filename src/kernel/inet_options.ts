// `inet_dist_listen_options` and `inet_dist_connect_options`: options of sockets in the words of OTP's gen_tcp.
//
// What says where to listen or to dial from, and how, is done. What only tunes OTP's sockets is passed over with a
// warning; everything else is refused by name.
import { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { erroneous } from './config_merge.js';

/** What a socket of the distribution is made with. */
export interface InetOptions {
  /** The address to listen on, or to dial from. */
  readonly ip?: string;
  /** The port to dial from. */
  readonly port?: number;
  readonly backlog?: number;
  readonly noDelay?: boolean;
  readonly keepAlive?: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Setter = (options: Mutable<InetOptions>, value: Term) => boolean;

const ip: Setter = (options, value) => {
  const address = addressOf(value);
  if (address !== undefined) options.ip = address;
  return address !== undefined;
};
const noDelay: Setter = (options, value) => typeof value === 'boolean' && set(options, 'noDelay', value);
const keepAlive: Setter = (options, value) => typeof value === 'boolean' && set(options, 'keepAlive', value);
const backlog: Setter = (options, value) => isWithin(value, 0, 2 ** 31) && set(options, 'backlog', value);
const port: Setter = (options, value) => isWithin(value, 0, 65535) && set(options, 'port', value);
/** Always so here. */
const always: Setter = (_, value) => value === true;

const COMMON = { ip, ifaddr: ip, nodelay: noDelay, keepalive: keepAlive, reuseaddr: always };
const LISTEN: ReadonlyMap<string, Setter> = new Map(
  Object.entries<Setter>({ ...COMMON, backlog, ipv6_v6only: always }),
);
const CONNECT: ReadonlyMap<string, Setter> = new Map(Object.entries<Setter>({ ...COMMON, port }));

const TUNING: ReadonlySet<string> = new Set(
  [
    'active binary buffer delay_send deliver exit_on_close header high_msgq_watermark high_watermark inet inet6 linger list',
    'low_msgq_watermark low_watermark mode packet packet_size priority read_packets recbuf send_timeout send_timeout_close',
    'show_econnreset sndbuf tclass tos',
  ].flatMap((line) => line.split(' ')),
);

/** The options in that parameter of kernel. Throws `ConfigError`. */
export function inetOptions(
  parameter: 'inet_dist_listen_options' | 'inet_dist_connect_options',
  value: Term | undefined,
  warn: (text: string) => void,
): InetOptions {
  const known = parameter === 'inet_dist_listen_options' ? LISTEN : CONNECT;
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw erroneous(parameter, 'it takes a list of options such as {nodelay,true}');
  const options: Mutable<InetOptions> = {};
  const seen = new Set<string>();
  for (const option of value as readonly Term[]) {
    const [key, what] =
      option instanceof Tuple && option.elements.length === 2 ? option.elements : [option, true];
    const name = key instanceof Atom ? key.name : '';
    if (seen.has(name)) continue; // as in OTP's property lists the first one counts
    seen.add(name);
    const apply = known.get(name);
    if (apply !== undefined) {
      if (!apply(options, what as Term))
        throw erroneous(parameter, `${format(option, 200)} has no value that can be used`);
    } else if (TUNING.has(name)) warn(`${parameter}: ${name} has no effect on this node`);
    else throw erroneous(parameter, `${format(option, 200)} is no option that this node knows`);
  }
  return options;
}

/** An IP address, `{127,0,0,1}` or eight numbers, as text; undefined for anything else. */
export function addressOf(value: Term): string | undefined {
  const parts = value instanceof Tuple ? value.elements : [];
  const most = parts.length === 4 ? 255 : 65535;
  const valid = parts.every((part) => isWithin(part, 0, most));
  if (valid && parts.length === 4) return parts.join('.');
  if (valid && parts.length === 8) return parts.map((part) => (part as number).toString(16)).join(':');
  return undefined;
}

function isWithin(value: Term, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}

function set<K extends keyof InetOptions>(
  options: Mutable<InetOptions>,
  key: K,
  value: InetOptions[K],
): true {
  options[key] = value;
  return true;
}
