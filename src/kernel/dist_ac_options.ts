// What dist_ac needs of the rest of the node.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Tuple } from '../terms/tuple.js';
import type { Candidate } from './dist_ac_candidates.js';
import type { Blocked, Place } from './dist_ac_circles.js';
import type { Appl } from './dist_ac_state.js';

/** The registered name. */
export const DIST_AC: Atom = atom('dist_ac');

/** The message that makes a process that holds a lock for dist_ac give it back. */
export const RELEASE: Atom = atom('dist_ac_release_lock');

/** What it needs of `global`, `rpc` and the application controller. */
export interface DistAcOptions {
  /** The applications of the parameter `distributed`. */
  readonly appls: readonly Appl[];
  /** The configured permission of an application. */
  readonly permission: (app: Atom) => boolean;
  /** How loaded this node is. */
  readonly weight: () => number;
  /** Whether the application controller has it among its started applications. */
  readonly startedHere: (app: Atom) => boolean;
  /** Makes the application controller pass requests for the application to this process. */
  readonly takeControl: (app: Atom, controller: Process) => void;
  /** Whether our own lock table would grant the lock now. */
  readonly canLock: (id: Tuple) => boolean;
  /** The nodes whose processes hold the lock `dist_ac` in our own table. */
  readonly lockHolders?: () => readonly Atom[];
  /** `global:set_lock` for process `self`, tried without end. */
  readonly setLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
  readonly delLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
  /** `erlang:whereis(dist_ac)` on another node. */
  readonly whereis: (self: Process, node: Atom) => Promise<Pid | undefined>;
  /** These nodes do not answer: says who waits for whom, and opens circles among them; see dist_ac_circles.ts. */
  readonly openCircles?: (
    self: Process,
    nodes: readonly Atom[],
    places: readonly Place[],
  ) => Promise<readonly Blocked[]>;
  /** Tells those of these nodes that wait behind a node that starts nothing where it runs; see dist_ac_displaced.ts. */
  readonly openWaits?: (self: Process, nodes: readonly Atom[], places: readonly Place[]) => Promise<void>;
  /** What a node that may run an application says of it; see dist_ac_candidates.ts. */
  readonly askCandidate?: (self: Process, node: Atom, app: Atom) => Promise<Candidate>;
  /** A node that ranks higher may start the application soon, which runs here; see name_handover.ts. */
  readonly expectTakeover?: (app: Atom, node: Atom) => Promise<void>;
  /** That node has announced it, or that its start failed. */
  readonly announced?: (app: Atom, node: Atom, failed: boolean) => void;
  /**
   * `rejoin`: nodes that come back after the network was torn are introduced again, and what runs on both sides is
   * settled. `off`, the default, as in OTP: they do not know each other until one of them restarts.
   */
  readonly heal?: 'off' | 'rejoin';
  /** Connects to a node; with `rejoin` lost nodes are dialled. */
  readonly connect?: (node: Atom) => void;
  /** Told once the introductions are over. */
  readonly onSynced?: () => void;
}
