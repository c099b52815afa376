// Prevention of overlapping partitions (OTP: global.erl, "Prevent Overlapping Partitions Algorithm").
//
// A node that loses another tells all it knows (`lost_connection`); each that hears it tells it on, once, and parts
// from the lost node (`remove_connection`, which makes that node close the connection). What remains are islands
// in which everybody knows everybody. A node that is given up so is marked: its nodedown is told to nobody.
import { randomBytes } from 'node:crypto';
import type { Process } from '../erts/process.js';
import type { Clock } from '../erts/timer.js';
import type { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { integer } from '../terms/number.js';
import type { Term } from '../terms/term.js';
import {
  lostConnection,
  type PeerMessage,
  removeConnection,
  VERIFIED_CONNECT,
  VERSIONS_OF_NODES,
} from './global_messages.js';
import type { Peers } from './global_peers.js';
import { LocalEvents } from './local_events.js';

/** A node that was asked to close the connection has so long to do it. */
const PART_LIMIT_MS = 2000;

/** What this needs of the name server. */
export interface PartitionHost {
  /** Sends a plain message to the name server of a node, if it is connected. */
  send(node: Atom, message: Term): void;
  disconnect(node: Atom): void;
  /** The node is given up: it leaves our tables now, though its connection may last a moment longer. */
  gone(node: Atom): void;
  /** Whether names may be shared with that node (`global_groups`). */
  isParticipant(node: Atom): boolean;
  /** Whether that node is in the own global group. Such a node stays connected when it is given up. */
  isMember(node: Atom): boolean;
  exclude(node: Atom): void;
}

export class Partitions {
  readonly #self: Process;
  readonly #peers: Peers;
  readonly #host: PartitionHost;
  readonly #seen: LostConnections;
  readonly #creation: number | bigint;
  readonly #events = new LocalEvents<{ readonly node: Atom; readonly connection: number }>();
  #operations = 0;

  constructor(self: Process, peers: Peers, host: PartitionHost) {
    this.#self = self;
    this.#peers = peers;
    this.#host = host;
    this.#seen = new LostConnections(self.system.clock);
    this.#creation = extendedCreation(self.system.creation);
  }

  /** We lost a node: all others are told. */
  tellLost(node: Atom): void {
    const message = lostConnection(this.#self.node, this.#creation, ++this.#operations, node);
    for (const other of this.#peers.atLeast(VERSIONS_OF_NODES, node)) this.#host.send(other, message);
  }

  /** A lost B: everybody parts from B, since A cannot reach it; from A, if B is us. */
  lostConnection(report: Extract<PeerMessage, { type: 'lost_connection' }>): void {
    const { node: a, lost: b } = report;
    if (!this.#seen.note(a, b, report.creation, report.operation)) return;
    const peers = this.#peers;
    for (const other of peers.atLeast(VERSIONS_OF_NODES, a)) this.#host.send(other, report.message);
    const removed = b === this.#self.node ? a : b;
    if (!peers.isPotentiallyKnown(removed) || !this.#host.isParticipant(removed)) return;
    if (peers.versionOf(removed) < VERSIONS_OF_NODES) {
      this.#host.gone(removed);
      this.#host.disconnect(removed);
      this.#log('disconnected old', removed);
    } else if (peers.versionOf(removed) >= VERIFIED_CONNECT && this.#host.isMember(removed)) {
      this.#host.send(removed, removeConnection(this.#self.node));
      this.#host.exclude(removed);
      this.#log('excluded global group member', removed);
    } else {
      this.part(removed);
      this.#log('requested disconnect from', removed);
    }
  }

  /** A node asks us to part from it: it has done so, whether we know it or not. */
  removeConnection(node: Atom): void {
    const known = this.#peers.isPotentiallyKnown(node);
    if (!known && !this.#peers.connections.has(node)) return;
    if (known && this.#host.isMember(node)) {
      this.#host.exclude(node);
      this.#log('excluded global group member', node);
      return;
    }
    this.#host.gone(node);
    this.#host.disconnect(node);
    if (known) this.#log('disconnected', node);
  }

  /**
   * Parts from a node: asks it to close the connection, and closes it ourselves if it has not done so after a
   * while, for then it did not know us and would stay connected without being synchronised.
   */
  part(node: Atom): void {
    const connection = this.#peers.connections.get(node);
    this.#host.send(node, removeConnection(this.#self.node));
    this.#host.gone(node);
    if (connection === undefined) return;
    this.#events.postAfter(this.#self, PART_LIMIT_MS, { node, connection });
  }

  /** What `part` left to be done later, if that is what the message says. */
  handled(message: Term): boolean {
    const parting = this.#events.of(message);
    if (parting === undefined) return false;
    if (this.#peers.connections.get(parting.node) === parting.connection) this.#host.disconnect(parting.node);
    return true;
  }

  #log(what: string, node: Atom): void {
    this.#self.system.log(
      'warning',
      `'global' at node ${format(this.#self.node)} ${what} node ${format(node)} in order to prevent ` +
        'overlapping partitions',
      { node: node.name },
    );
  }
}

/** How long a report is remembered. */
const REMEMBER_MS: number = 60 * 60 * 1000;

/** Reports remembered at most; the oldest go first. */
const MAX_REPORTS = 10_000;

interface Report {
  readonly creation: number | bigint;
  readonly operation: number | bigint;
  readonly at: number;
}

export class LostConnections {
  readonly #clock: Clock;
  /** By `NodeA NodeB`, oldest first. */
  readonly #reports = new Map<string, Report>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers that A lost B. False: that report, or a later one of the same incarnation of A, was seen before. */
  note(a: Atom, b: Atom, creation: number | bigint, operation: number | bigint): boolean {
    const now = this.#clock.now();
    const key = `${a.name} ${b.name}`;
    const seen = this.#reports.get(key);
    if (
      seen !== undefined &&
      now - seen.at < REMEMBER_MS &&
      seen.creation === creation &&
      operation <= seen.operation
    ) {
      return false;
    }
    this.#reports.delete(key);
    this.#reports.set(key, { creation, operation, at: now });
    for (const [oldest, report] of this.#reports) {
      if (this.#reports.size <= MAX_REPORTS && now - report.at < REMEMBER_MS) break;
      this.#reports.delete(oldest);
    }
    return true;
  }
}

/** A node's creation, extended by random high bits so that it differs for each start of its `global`. */
function extendedCreation(creation: number): number | bigint {
  const high = BigInt(randomBytes(4).readUInt32BE() % 2 ** 27);
  return integer((high << 32n) + BigInt(creation));
}
