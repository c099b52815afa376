// What `global_name_server` is called for: locks and names on this node, and what it knows of others.
import type { Process } from '../erts/process.js';
import { type From, reply } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import type { NameChanges } from './global_changes.js';
import { isLockOfSession, type Locker } from './global_locker.js';
import { isLockId, type LockTable } from './global_locks.js';
import { PROTOCOL_VERSION } from './global_messages.js';
import type { NameTable } from './global_names.js';
import type { NameServerOptions } from './global_options.js';
import type { Peers } from './global_peers.js';

export interface CallHost {
  readonly self: Process;
  readonly locks: LockTable;
  readonly names: NameTable;
  readonly peers: Peers;
  readonly locker: Locker;
  readonly changes: NameChanges;
  /** The session with a node under way. */
  tagOf(node: Atom): number | undefined;
  /** The locker of that session holds the lock from now on. */
  sessionLocked(node: Atom, tag: number, pid: Pid): void;
  readonly options: Pick<NameServerOptions, 'holdSetLock' | 'holdDelLock'>;
  sync(nodes: readonly Atom[]): Promise<void>;
  disconnectAll(): Promise<Atom[]>;
  formatState(): Term;
}

/** The answer to a lock given back is held for this long at most. */
export const HOLD_LIMIT_MS = 5000;
const SET_LOCK = atom('set_lock');
const DEL_LOCK = atom('del_lock');
const REGISTER = atom('register');
const REGISTER_EXT = atom('register_ext');
const UNREGISTER = atom('unregister');
const GET_KNOWN = atom('get_known');
const GET_SYNCED = atom('get_synced');
const GET_NAMES_EXT = atom('get_names_ext');
const GET_PROTOCOL_VERSION = atom('get_protocol_version');
const INFO = atom('info');
const SYNC = atom('sync');
const DISCONNECT = atom('disconnect');
const YES = atom('yes');
const OK = atom('ok');

/** What a call is answered with; `later` if it is answered by itself, undefined if there is no such call. */
export type Answer = { readonly reply: Term } | 'later' | undefined;

export class Calls {
  readonly #host: CallHost;

  constructor(host: CallHost) {
    this.#host = host;
  }

  handle(request: Term, from: From): Answer {
    if (request instanceof Atom) return this.#ask(request, from);
    if (!(request instanceof Tuple)) return undefined;
    const [tag, name, pid, method, registrar] = request.elements as readonly Term[] as [
      Term,
      Term,
      Term,
      Term,
      Term,
    ];
    const { length } = request.elements;
    if (tag === SET_LOCK && length === 2 && isLockId(name)) return this.#setLock(name, from);
    if (tag === DEL_LOCK && length === 2 && isLockId(name)) return this.#delLock(name, from);
    if (tag === REGISTER && length === 4 && pid instanceof Pid) {
      this.#host.changes.insert({ name, pid, method }, undefined, { pid: from.pid });
      return { reply: YES };
    }
    if (tag === REGISTER_EXT && length === 5 && pid instanceof Pid && registrar instanceof Atom) {
      this.#host.changes.insert({ name, pid, method }, registrar, { pid: from.pid });
      return { reply: YES };
    }
    if (tag === UNREGISTER && length === 2) {
      this.#host.names.delete(name);
      return { reply: OK };
    }
    if (tag === SYNC && length === 2 && Array.isArray(name)) {
      const nodes = (name as readonly Term[]).filter((node): node is Atom => node instanceof Atom);
      void this.#host.sync(nodes).then(() => reply(this.#host.self, from, OK));
      return 'later';
    }
    return undefined;
  }

  #setLock(id: Tuple, from: From): Answer {
    const host = this.#host;
    const { pid } = from;
    const set = host.locks.set(id, pid);
    const tag = host.tagOf(pid.node);
    if (set && tag !== undefined && isLockOfSession(id, host.locker.process.pid)) {
      host.sessionLocked(pid.node, tag, pid);
    }
    return set ? this.#answerAfter(from, (holder) => host.options.holdSetLock(id, holder)) : { reply: false };
  }

  #delLock(id: Tuple, from: From): Answer {
    this.#host.locks.del(id, from.pid);
    return this.#answerAfter(from, (holder) => this.#host.options.holdDelLock(id, holder));
  }

  /** The answer `true`, held back for a process of another node as long as `holds` wants. */
  #answerAfter(from: From, holds: (pid: Pid) => Promise<unknown> | undefined): Answer {
    const { self } = this.#host;
    const hold = from.pid.node === self.node ? undefined : holds(from.pid);
    if (hold === undefined) return { reply: true };
    const { clock } = self.system;
    let answered = false;
    const answer = (): void => {
      clock.clearTimeout(timer);
      if (!answered && self.alive) reply(self, from, true);
      answered = true;
    };
    const timer = clock.setTimeout(answer, HOLD_LIMIT_MS);
    void hold.then(answer, answer);
    return 'later';
  }

  #ask(request: Atom, from: From): Answer {
    const { self, peers, names } = this.#host;
    switch (request) {
      case GET_KNOWN:
        return { reply: [...peers.known.keys()] };
      case GET_SYNCED:
        return { reply: [...peers.synced] };
      case GET_NAMES_EXT:
        return { reply: names.externalToTerms() };
      case GET_PROTOCOL_VERSION:
        return { reply: PROTOCOL_VERSION };
      case INFO:
        return { reply: this.#host.formatState() };
      case DISCONNECT:
        if (from.pid.node !== self.node) return undefined;
        void this.#host.disconnectAll().then((nodes) => reply(self, from, nodes));
        return 'later';
      default:
        return undefined;
    }
  }
}
