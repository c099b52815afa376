// What ends with a block of code: `using` for monitors, aliases, connections and membership of groups.
//
//   using watch = monitoring(self, pid);
//   using peer = await connecting(node, 'abc@127.0.0.1');
//   using member = membership(scope, atom('g'), self.pid);
import { ConnectionError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { CallOptions } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import type { Tuple } from '../terms/tuple.js';
import type { PgScope } from './pg_scope.js';

/** Something with a reference, until the end of the block. */
export interface Held extends Disposable {
  readonly ref: Reference;
}

/** Monitors a process until the end of the block; a `DOWN` that has come by then is removed from the mailbox. */
export function monitoring(self: Process, target: Pid | Atom | Tuple): Held {
  const ref = self.monitor(target);
  return {
    ref,
    [Symbol.dispose]: () => {
      if (self.alive) self.demonitor(ref, { flush: true });
    },
  };
}

/** An alias of a process until the end of the block: what is sent to it later is dropped. */
export function aliasing(self: Process): Held {
  const ref = self.alias();
  return { ref, [Symbol.dispose]: () => self.unalias(ref) };
}

/** What connections need of a node. */
export interface ConnectingNode {
  /** Resolves to whether that node is connected now. */
  connect(node: Atom, limits?: CallOptions): Promise<boolean>;
  readonly netKernel: { disconnect(node: Atom): boolean; nodes(kind: 'connected'): Atom[] };
}

/**
 * A connection that ends with the block. One that was there before stays. Rejects with `ConnectionError` if the node cannot
 * be reached; the log has the reason. Given up as `Node.connect`: what comes of the attempt then stays.
 */
export async function connecting(
  node: ConnectingNode,
  peer: string | Atom,
  limits?: CallOptions,
): Promise<Disposable & { readonly node: Atom }> {
  const name = typeof peer === 'string' ? atom(peer) : peer;
  const before = node.netKernel.nodes('connected').includes(name);
  if (!(await node.connect(name, limits))) {
    throw new ConnectionError('unreachable', name.name, `cannot connect to ${name.name}: the log says why`);
  }
  return {
    node: name,
    [Symbol.dispose]: () => {
      if (!before) node.netKernel.disconnect(name);
    },
  };
}

/** Membership of processes of this node in a group of `pg`, until the end of the block. */
export function membership(scope: PgScope, group: Term, pids: Pid | readonly Pid[]): Disposable {
  scope.join(group, pids);
  return { [Symbol.dispose]: () => scope.leaveIfThere(group, pids) };
}
