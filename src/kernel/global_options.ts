// What `global_name_server` is started with.
import type { Atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Tuple } from '../terms/tuple.js';
import type { GroupConfig } from './global_group_config.js';
import type { Resolvers } from './global_resolve.js';

export interface NameServerOptions {
  /** Whether nodes form one network in which all know all; false: no sessions at all. */
  readonly connectAll: boolean;
  /** Whether islands that overlap are torn apart (`prevent_overlapping_partitions`). */
  readonly preventOverlappingPartitions: boolean;
  /** Which nodes share names with this one (`global_groups`). */
  readonly groups: GroupConfig;
  /** How often connecting to a node that somebody told of is tried again (`global_connect_retries`). */
  readonly connectRetries: number;
  /** How long a session may hold the lock. */
  readonly sessionLimitMs?: number;
  readonly resolvers: Resolvers;
  /** Asked when a process of another node has been granted a lock: the answer waits for the promise. */
  holdSetLock(id: Tuple, pid: Pid): Promise<unknown> | undefined;
  /** Asked when a process of another node gives a lock back: the answer waits for the promise. */
  holdDelLock(id: Tuple, pid: Pid): Promise<unknown> | undefined;
  disconnect(node: Atom): void;
  /** Connects to a node if need be; resolves to whether it is connected. */
  connect(node: Atom): Promise<boolean>;
}
