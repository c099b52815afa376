// Process groups and their members, as one owner has them.
import { keyOf } from '../terms/order.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';

/** Groups of one owner: this node, or a peer's scope. A process may be in a group several times. */
export class Groups {
  readonly groups: Map<unknown, { readonly group: Term; pids: Pid[] }> = new Map();
  size = 0;

  add(group: Term, pids: readonly Pid[]): void {
    const key = keyOf(group);
    const known = this.groups.get(key);
    if (known === undefined) this.groups.set(key, { group, pids: [...pids] });
    else for (const pid of pids) known.pids.push(pid);
    this.size += pids.length;
  }

  /** Takes each process out once; gives those that were in. */
  remove(group: Term, pids: readonly Pid[]): Pid[] {
    const key = keyOf(group);
    const known = this.groups.get(key);
    if (known === undefined) return [];
    const removed = pids.length > 1 ? takeOut(known.pids, pids) : takeLast(known.pids, pids[0]);
    if (known.pids.length === 0) this.groups.delete(key);
    this.size -= removed.length;
    return removed;
  }

  /** The members of a group; one that is in several times is there as often. */
  members(group: Term): readonly Pid[] {
    return this.groups.get(keyOf(group))?.pids ?? [];
  }

  /** `[{Group, [Pid]}]`. */
  toTerm(): Tuple[] {
    return [...this.groups.values()].map(({ group, pids }) => tuple(group, [...pids]));
  }
}

/** Takes each of `pids` out of `members` once; those that were in. */
function takeOut(members: Pid[], pids: readonly Pid[]): Pid[] {
  const absent = without(pids, members);
  const kept = without(members, pids);
  members.length = 0;
  for (const pid of kept) members.push(pid);
  return without(pids, absent);
}

/** `takeOut` of one, which is not to cost what a large group does. */
function takeLast(members: Pid[], pid: Pid | undefined): Pid[] {
  const index = members.findLastIndex((member) => member.key === pid?.key);
  return members.splice(index, index < 0 ? 0 : 1);
}

/** `A -- B`: each of `taken` removes one occurrence. */
export function without(pids: readonly Pid[], taken: readonly Pid[]): Pid[] {
  const counts = new Map<string, number>();
  for (const { key } of taken) counts.set(key, (counts.get(key) ?? 0) + 1);
  return pids.filter(({ key }) => {
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    return count === 0;
  });
}
