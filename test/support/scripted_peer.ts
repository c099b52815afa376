// A node whose name server says only what a test tells it to: for versions and misbehaviour that we do not have.
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import { parseCall, parseCast, reply } from '../../src/stdlib/gen.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, type MemoryCluster } from './memory_cluster.js';

const GEN_CAST = atom('$gen_cast');
const GLOBAL_NAME_SERVER = atom('global_name_server');
export const LOCKER: Atom = atom('locker');

export class ScriptedPeer {
  readonly system: System;
  readonly server: Process;
  readonly locker: Process;
  /** The casts and plain messages that came, oldest first. */
  readonly received: Tuple[] = [];
  /** What came to the locker's pid. */
  readonly toLocker: Term[] = [];
  /** Whether calls to set and delete locks are answered with true. */
  answersLocks = true;

  constructor(cluster: MemoryCluster, name: string) {
    this.system = cluster.start(name, 'clock' in cluster ? { clock: cluster.clock as never } : {});
    this.server = this.system.spawn((self) => this.#serve(self), { name: GLOBAL_NAME_SERVER });
    this.locker = this.system.spawn(async (self) => {
      for (;;) this.toLocker.push((await self.next()) as Term);
    });
  }

  async #serve(self: Process): Promise<void> {
    for (;;) {
      const message = (await self.next()) as Term;
      const call = parseCall(message);
      if (call !== undefined) {
        if (this.answersLocks) reply(self, call.from, true);
        continue;
      }
      const told = parseCast(message)?.message ?? message;
      if (told instanceof Tuple) this.received.push(told);
    }
  }

  cast(node: Atom, ...elements: Term[]): void {
    this.server.send(tuple(GLOBAL_NAME_SERVER, node), tuple(GEN_CAST, tuple(...elements)));
  }

  info(node: Atom, ...elements: Term[]): void {
    this.server.send(tuple(GLOBAL_NAME_SERVER, node), tuple(...elements));
  }

  /** `{init_connect, {Vsn, Tag, …}, Node, {locker, no_longer_a_pid, [], LockerPid}}` */
  initConnect(node: Atom, ...version: Term[]): void {
    const hello = tuple(LOCKER, atom('no_longer_a_pid'), [], this.locker.pid);
    this.cast(node, atom('init_connect'), tuple(...version), this.system.node, hello);
  }

  /** The elements of the next message with that tag, taken out of what was received. */
  async expect(tag: string, timeoutMs?: number): Promise<readonly Term[]> {
    let found: Tuple | undefined;
    await eventually(
      `${this.system.node.name} is told ${tag}`,
      () => {
        const index = this.received.findIndex((message) => message.elements[0] === atom(tag));
        if (index >= 0) found = this.received.splice(index, 1)[0];
        return found !== undefined;
      },
      timeoutMs,
    );
    return (found as Tuple).elements;
  }

  /** Whether a message with that tag came. */
  was(tag: string): boolean {
    return this.received.some((message) => message.elements[0] === atom(tag));
  }
}

/** The locker pid and tag of an `init_connect`. */
export function introduction(elements: readonly Term[]): { readonly tag: Term; readonly locker: Pid } {
  const [, vsn, , hello] = elements as [Term, Tuple, Term, Tuple];
  const locker = hello.elements[3];
  if (!(locker instanceof Pid)) throw new Error('no locker in the introduction');
  return { tag: vsn.elements[1] as Term, locker };
}
