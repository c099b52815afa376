// The name table of one node: `Name → {Pid, Method}` (OTP: the ets tables `global_names`, `global_names_ext` and
// `global_pid_names`).
//
// Every pid is monitored; its end, or that of its node, removes the name here, without any message between nodes.
// A name of an external (C) node also ends with the node that registered it.
import type { Atom } from '../terms/atom.js';
import { keyOf } from '../terms/order.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { Watcher } from './global_locks.js';

/** Names in the table at most; beyond it new ones are not inserted. */
const MAX_NAMES = 250_000;

export interface GlobalName {
  readonly name: Term;
  readonly pid: Pid;
  /** The resolve function as it came: a fun of `global`, of the user's code, or of a release we have not. */
  readonly method: Term;
  readonly ref: Reference;
  /** The node that registered a name for a process of an external node. */
  readonly registrar: Atom | undefined;
}

export class NameTable {
  readonly #names = new Map<unknown, GlobalName>();
  /** The names of a process, by pid key: more than one only if that is allowed. */
  readonly #byPid = new Map<string, Set<GlobalName>>();
  readonly #byRef = new Map<string, GlobalName>();
  readonly #watcher: Watcher;

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
  }

  get size(): number {
    return this.#names.size;
  }

  get(name: Term): GlobalName | undefined {
    return this.#names.get(keyOf(name));
  }

  /** Inserts a name, in place of an earlier one. False: the table is full. */
  insert(name: Term, pid: Pid, method: Term, registrar?: Atom): boolean {
    const key = keyOf(name);
    const old = this.#names.get(key);
    if (old !== undefined) this.#forget(old);
    else if (this.#names.size >= MAX_NAMES) return false;
    const made: GlobalName = { name, pid, method, ref: this.#watcher.monitor(pid), registrar };
    this.#names.set(key, made);
    this.#byRef.set(made.ref.key, made);
    const names = this.#byPid.get(pid.key);
    if (names === undefined) this.#byPid.set(pid.key, new Set([made]));
    else names.add(made);
    return true;
  }

  delete(name: Term): void {
    const known = this.get(name);
    if (known === undefined) return;
    this.#names.delete(keyOf(name));
    this.#forget(known);
  }

  /** A monitor ended: the name that it was for goes. */
  down(ref: Reference): void {
    const known = this.#byRef.get(ref.key);
    if (known !== undefined) this.delete(known.name);
  }

  /** Removes all names of processes of a node, as if it were down. */
  nodeGone(node: Atom): void {
    for (const known of [...this.#byRef.values()]) if (known.pid.node === node) this.delete(known.name);
  }

  /** Removes the names that a node registered for processes of external nodes. */
  registrarGone(node: Atom): void {
    for (const known of [...this.#byRef.values()]) if (known.registrar === node) this.delete(known.name);
  }

  #forget(known: GlobalName): void {
    this.#byRef.delete(known.ref.key);
    this.#watcher.demonitor(known.ref);
    const names = this.#byPid.get(known.pid.key);
    names?.delete(known);
    if (names?.size === 0) this.#byPid.delete(known.pid.key);
  }

  namesOf(pid: Pid): Term[] {
    return [...(this.#byPid.get(pid.key) ?? [])].map(({ name }) => name);
  }

  /** The processes of a node that have a name. */
  pidsOf(node: Atom): Pid[] {
    const pids = [...this.#byPid.values()].flatMap((names) => [...names].slice(0, 1));
    return pids.map(({ pid }) => pid).filter((pid) => pid.node === node);
  }

  names(): Term[] {
    return [...this.#names.values()].map(({ name }) => name);
  }

  /** `[{Name, Pid, Method}]`: what an exchange tells. */
  toTerms(): Tuple[] {
    return [...this.#names.values()].map(({ name, pid, method }) => tuple(name, pid, method));
  }

  /** `[{Name, Pid, RegNode}]`: the names of external nodes. */
  externalToTerms(): Tuple[] {
    return [...this.#names.values()].flatMap(({ name, pid, registrar }) =>
      registrar === undefined ? [] : [tuple(name, pid, registrar)],
    );
  }
}
