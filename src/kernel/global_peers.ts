// What this node's `global` knows of other nodes (OTP: the field `known` of its state, and `synced`).
import type { Atom } from '../terms/atom.js';
import { type NodeVersion, PROTOCOL_VERSION } from './global_messages.js';

/** Nodes known at most: beyond it what peers tell of others is not believed. */
const MAX_KNOWN = 10_000;

export class Peers {
  readonly own: Atom;
  /** Nodes of our partition, with the version of their `global`; 0 where nobody told. */
  readonly known: Map<Atom, number> = new Map();
  /** Nodes whose `init_connect` came and that are not known yet. */
  readonly pending: Map<Atom, number> = new Map();
  /** Nodes that have the same names as we. */
  readonly synced: Set<Atom> = new Set();
  /** Nodes of our partition that we have been told of and are connecting to. */
  readonly coming: Set<Atom> = new Set();
  /** Nodes given up on purpose: their nodedown is told to nobody. */
  readonly removing: Set<Atom> = new Set();
  /** The connected visible nodes, with the number of the connection. */
  readonly connections: Map<Atom, number> = new Map();

  constructor(own: Atom) {
    this.own = own;
  }

  versionOf(node: Atom): number {
    if (node === this.own) return PROTOCOL_VERSION;
    return this.known.get(node) ?? this.pending.get(node) ?? 0;
  }

  isPotentiallyKnown(node: Atom): boolean {
    return this.known.has(node) || this.pending.has(node);
  }

  knownNodes(): NodeVersion[] {
    return [...this.known].map(([node, version]) => ({ node, version }));
  }

  /** Makes nodes known; those that were not are returned. */
  addToKnown(nodes: readonly NodeVersion[]): Atom[] {
    const added: Atom[] = [];
    for (const { node, version } of nodes) {
      if (node === this.own || this.known.size >= MAX_KNOWN) continue;
      const before = this.known.get(node);
      if (before === undefined) added.push(node);
      if (before === undefined || before === 0) this.known.set(node, version || this.versionOf(node));
    }
    return added;
  }

  /** Known and pending nodes of at least that version, but for one. */
  atLeast(version: number, except: Atom): Atom[] {
    const nodes = [...this.known, ...this.pending]
      .filter(([node, its]) => its >= version && node !== except)
      .map(([node]) => node);
    return [...new Set(nodes)];
  }
}
