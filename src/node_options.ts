// What a node is started with, and what is wrong with it.
import type { ChannelOptions } from './dist/channel.js';
import { hostProblem, isNameHead, type NameMode, type NameParts, splitNode } from './dist/node_name.js';
import { ConnectionError } from './errors.js';
import type { CookieFile } from './kernel/auth.js';
import type { Config } from './kernel/config.js';
import type { ProtoDistOptions } from './kernel/proto_dist.js';

/** What `startNode` is told; only the name and the cookie have to be. */
export interface NodeOptions extends ProtoDistOptions {
  /** The node's name, `name@host`; `undefined@host` asks the node `nameFrom` for one. */
  readonly name: string;
  /** Who names this node. When the connection to it ends, the name is lost and the node stops. */
  readonly nameFrom?: string;
  /** `longnames` (`-name`) or `shortnames` (`-sname`); by default what the host looks like. */
  readonly nameMode?: NameMode;
  /** The cookie, the same on all nodes of the cluster; or where its file is, and whether that may change. */
  readonly cookie: string | CookieFile;
  /** Other cookies for certain nodes (`-setcookie Node Cookie`). */
  readonly cookies?: Readonly<Record<string, string>>;
  /** Not shown by `nodes()` of others, no part of `global`. */
  readonly hidden?: boolean;
  /** Seconds without a sign of life after which a node is given up; 60 by default (`net_ticktime`). */
  readonly netTicktime?: number;
  /** Into how many intervals it is divided, 4 by default (`net_tickintensity`). */
  readonly netTickintensity?: number;
  /** Whether signals to a node that is not connected connect it (`dist_auto_connect`); always by default. */
  readonly autoConnect?: 'always' | 'once' | 'never';
  /** Whether nodes form one network in which all know all (`connect_all`); true by default. */
  readonly connectAll?: boolean;
  /** Whether islands that overlap are torn apart (`prevent_overlapping_partitions`); true by default. */
  readonly preventOverlappingPartitions?: boolean;
  /** What `loadConfig` read: the environments of applications, `distributed` and the other parameters of kernel. */
  readonly config?: Config;
  /**
   * What this node counts when nodes of one tuple in `distributed` choose by weight, where the lowest wins; or a
   * function of the number of the user's applications that run here. By default that number plus 6, which is
   * what an interactive Elixir node has of its own.
   */
  readonly weight?: number | ((running: number) => number);
  /**
   * What becomes of a distributed application that runs on both sides when a torn network is mended. `off`, as in
   * OTP: both instances go on until the nodes of one side are restarted. `rejoin`: lost nodes are dialled, and
   * the node that ranks higher keeps it; its neighbours need not know of that.
   */
  readonly heal?: 'off' | 'rejoin';
  /** Whether other nodes may stop this one, and start, stop and move applications here, by rpc; false by default. */
  readonly remoteControl?: boolean;
  /** Limits of a connection's buffers. */
  readonly limits?: Omit<ChannelOptions, 'ticktimeMs' | 'tickIntensity'>;
  /** Where output goes that processes print to this node; by default each line is a log event. */
  readonly output?: (text: string) => void;
}

/** The parts of the node's name. Throws `ConnectionError` `bad_name` when nobody could connect to a node of that name. */
export function checkedName(options: NodeOptions): NameParts {
  const parts = splitNode(options.name);
  if (parts === undefined || !isNameHead(parts.name)) {
    throw new ConnectionError(
      'bad_name',
      options.name,
      `${JSON.stringify(options.name)} is no node name: it has the form name@host, the name of letters, digits, _ and -`,
    );
  }
  const problem = hostProblem(parts.host, nameMode(options, parts));
  if (problem !== undefined) throw new ConnectionError('bad_name', options.name, problem);
  return parts;
}

/** Whether it has a long or a short name. */
export function nameMode(options: NodeOptions, parts: NameParts): NameMode {
  return (
    options.nameMode ?? (hostProblem(parts.host, 'longnames') === undefined ? 'longnames' : 'shortnames')
  );
}

/** Of these, what concerns each connection. */
export function channelOptions(options: NodeOptions): ChannelOptions {
  const { netTicktime, netTickintensity, limits } = options;
  return {
    ...limits,
    ...(netTicktime === undefined ? {} : { ticktimeMs: netTicktime * 1000 }),
    ...(netTickintensity === undefined ? {} : { tickIntensity: netTickintensity }),
  };
}
