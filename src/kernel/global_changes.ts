// Changes of the name table, each made under a lock on `global` (OTP: `do_ops/5`, `insert_global_name/6`).
//
// A change may come late: whoever locked the tables for it is gone meanwhile, and others have gone on without
// it. So a name stays only if its lock is still held when it is in.
import type { Process } from '../erts/process.js';
import type { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { equals } from '../terms/order.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged } from '../terms/tuple.js';
import { GLOBAL, type LockTable } from './global_locks.js';
import type { ExternalName, NameEntry, Op } from './global_messages.js';
import type { NameTable } from './global_names.js';

/** Who holds the lock: the process that asks, or a synchronisation with this lock identity. */
export type LockedBy = { readonly pid: Pid } | { readonly lock: Term | undefined };

export class NameChanges {
  readonly #self: Process;
  readonly #locks: LockTable;
  readonly #names: NameTable;

  constructor(self: Process, locks: LockTable, names: NameTable) {
    this.#self = self;
    this.#locks = locks;
    this.#names = names;
  }

  /** What two partitions agreed on: inserts first, then deletes. */
  doOps(ops: readonly Op[], external: readonly ExternalName[], lock: Term | undefined): void {
    for (const op of ops) {
      if ('delete' in op) continue;
      const { name, pid } = op.insert;
      const its = external.find((other) => other.pid.key === pid.key && equals(other.name, name));
      this.insert(op.insert, its?.registrar, { lock });
    }
    for (const op of ops) if ('delete' in op) this.#names.delete(op.delete);
  }

  /** `registrar`: the node that registered a process of an external node. */
  insert(entry: NameEntry, registrar: Atom | undefined, by: LockedBy): void {
    const { name, pid, method } = entry;
    if (!this.#names.insert(name, pid, method, registrar)) {
      const text = `global: the table of names is full: ${format(name)} is not registered here`;
      this.#self.system.log('error', text);
      return;
    }
    // The external process ends with the node that registered it.
    if (registrar === this.#self.node) this.#self.link(pid);
    if (!this.#lockStillSet(by)) this.#names.delete(name);
  }

  #lockStillSet(by: LockedBy): boolean {
    const held = this.#locks.holders(GLOBAL);
    if (held === undefined) return !this.#locks.globalLockDown;
    if ('pid' in by) return this.#locks.isHeldBy(GLOBAL, by.pid);
    return isTagged(by.lock, GLOBAL, 2) && equals(by.lock.elements[1] as Term, held.requester);
  }
}
