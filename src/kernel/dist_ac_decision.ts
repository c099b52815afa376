// Who starts an application: a pure function. Every node computes it from the same data and comes to the same
// result; nobody orders anybody (OTP's dist_ac:find_start_node).
import { Atom } from '../terms/atom.js';
import { flatNodes, type NodeList } from './dist_ac_state.js';

export interface View {
  readonly self: Atom;
  readonly nodes: NodeList;
  /** The nodes of the list that may run the application. */
  readonly all: ReadonlySet<Atom>;
  /** Where it runs as far as we know that as a standby. */
  readonly distributedAt: Atom | undefined;
  /** Where it runs as far as we heard before starting it here. */
  readonly remoteStartedAt: Atom | undefined;
  /** Introduced nodes. */
  readonly known: ReadonlySet<Atom>;
  /** Weights told so far, our own included. */
  readonly weights: ReadonlyMap<Atom, number>;
}

export type Decision =
  /** That node has to start it; it may be us. `byWeight`: weights were compared on the way. */
  | { readonly kind: 'choose'; readonly node: Atom; readonly byWeight: boolean }
  /** It runs there already and stays. */
  | { readonly kind: 'runs_at'; readonly node: Atom }
  /** The weights of these nodes are needed first. */
  | { readonly kind: 'ask'; readonly nodes: readonly Atom[] }
  /** We are no candidate and nobody is known to run it: wait for whoever starts it. */
  | { readonly kind: 'anybody' }
  /** Nobody may run it. */
  | { readonly kind: 'no_permission' };

/** The nodes of the list that are permitted. */
export function candidates(nodes: NodeList, permitted: readonly Atom[]): Set<Atom> {
  const may = new Set(permitted);
  return new Set(flatNodes(nodes).filter((node) => may.has(node)));
}

/**
 * Goes through the list in its order. A node outside a tuple is chosen as soon as it is permitted, even if the
 * application runs at a later one; inside a tuple a running application stays where it is, else the lowest weight
 * wins, and of equal weights the smaller node name.
 */
export function decide(view: View): Decision {
  if (!view.all.has(view.self)) {
    if (view.remoteStartedAt !== undefined) return { kind: 'runs_at', node: view.remoteStartedAt };
    return view.all.size > 0 ? { kind: 'anybody' } : { kind: 'no_permission' };
  }
  let byWeight = false;
  for (const entry of view.nodes) {
    const decision = entry instanceof Atom ? decideNode(view, entry, byWeight) : decideTuple(view, entry);
    if (decision !== undefined) return decision;
    byWeight ||= !(entry instanceof Atom);
  }
  return { kind: 'anybody' };
}

function decideNode(view: View, node: Atom, byWeight: boolean): Decision | undefined {
  if (!view.all.has(node)) return undefined;
  if (node === view.distributedAt || node === view.remoteStartedAt) return { kind: 'runs_at', node };
  return { kind: 'choose', node, byWeight };
}

function decideTuple(view: View, members: readonly Atom[]): Decision | undefined {
  const running = view.remoteStartedAt ?? view.distributedAt;
  if (running !== undefined && members.includes(running) && view.all.has(running)) {
    return { kind: 'runs_at', node: running };
  }
  const missing = [...view.all].filter((node) => !view.weights.has(node));
  if (missing.length > 0) return { kind: 'ask', nodes: missing };
  const best = [...view.all]
    .filter((node) => members.includes(node) && view.known.has(node))
    .map((node) => ({ node, weight: view.weights.get(node) as number }))
    .sort((a, b) => a.weight - b.weight || compareNames(a.node, b.node))[0];
  return best && { kind: 'choose', node: best.node, byWeight: true };
}

/** Atoms are ordered by the code points of their text. */
export function compareNames(a: Atom, b: Atom): number {
  const x = [...a.name];
  const y = [...b.name];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}
