// The nodes that this one knows, by kind (OTP: erlang:nodes/1).
import type { System } from '../erts/system.js';
import type { Atom } from '../terms/atom.js';

/** `known` are here those that are connected, and this one. */
export type NodeKind = 'visible' | 'hidden' | 'connected' | 'this' | 'known';

const NODE_KINDS: ReadonlySet<string> = new Set(['visible', 'hidden', 'connected', 'this', 'known']);

export function isNodeKind(name: string): name is NodeKind {
  return NODE_KINDS.has(name);
}

/** The nodes of any of these kinds. */
export function nodesOf(system: System, kinds: readonly NodeKind[]): Atom[] {
  const found = new Set<Atom>();
  for (const kind of kinds) {
    if (kind === 'this' || kind === 'known') found.add(system.node);
    if (kind === 'this') continue;
    for (const { node, visible } of system.channels()) {
      const wanted = kind === 'visible' ? visible : kind === 'hidden' ? !visible : true;
      if (wanted) found.add(node);
    }
  }
  return [...found];
}
