// Several systems in one Node.js process, joined by connections that pass terms by reference: no bytes, no sockets.
// A signal arrives one turn of the event loop later, in order. `cut` loses a connection as a broken network would,
// `freeze` stops a node as SIGSTOP does.
import type { DistChannel, Watched } from '../../src/erts/dist_entry.js';
import * as signal from '../../src/erts/signal.js';
import { spawnReplyArrived, spawnRequestArrived } from '../../src/erts/spawn_request.js';
import { System, type SystemOptions } from '../../src/erts/system.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';

let creations = 1000;
let connections = 0;

class MemoryChannel implements DistChannel {
  readonly node: Atom;
  readonly creation: number;
  readonly flags = -1n;
  readonly visible = true;
  readonly connectionId: number = ++connections;
  readonly busy = false;
  readonly traffic = { received: 0, written: 0 };
  /** The peer's end. */
  other!: MemoryChannel;
  readonly own: System;
  readonly #cluster: MemoryCluster;
  open = true;

  constructor(cluster: MemoryCluster, own: System, peer: System) {
    this.#cluster = cluster;
    this.own = own;
    this.node = peer.node;
    this.creation = peer.creation;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  #at(arrive: (system: System, channel: MemoryChannel) => void): void {
    const { other } = this;
    setImmediate(() => {
      this.#cluster.arrived(this.own, other.own, () => {
        if (other.open) arrive(other.own, other);
      });
    });
  }

  send(from: Pid, to: Pid, message: Term): void {
    this.#at((system) => system.process(to)?.deliver(message));
    void from;
  }
  regSend(_from: Pid, name: Atom, message: Term): void {
    this.#at((system) => system.whereis(name)?.deliver(message));
  }
  aliasSend(_from: Pid, alias: Reference, message: Term): void {
    this.#at((system) => system.aliasArrived(alias, message));
  }
  link(from: Pid, to: Pid): void {
    this.#at((system, channel) => signal.linkArrived(system, channel, from, to));
  }
  unlink(id: bigint, from: Pid, to: Pid): void {
    this.#at((system, channel) => signal.unlinkArrived(system, channel, id, from, to));
  }
  unlinkAck(id: bigint, from: Pid, to: Pid): void {
    this.#at((system) => signal.unlinkAckArrived(system, id, from, to));
  }
  exit(from: Pid, to: Pid, reason: Term): void {
    this.#at((system) => signal.exitArrived(system, from, to, reason));
  }
  exit2(from: Pid, to: Pid, reason: Term): void {
    this.#at((system) => signal.exit2Arrived(system, from, to, reason));
  }
  monitor(watcher: Pid, watched: Watched, ref: Reference): void {
    this.#at((system, channel) => signal.monitorArrived(system, channel, watcher, watched, ref));
  }
  demonitor(watcher: Pid, _watched: Watched, ref: Reference): void {
    this.#at((system) => signal.demonitorArrived(system, watcher, ref));
  }
  monitorExit(_watched: Watched, _watcher: Pid, ref: Reference, reason: Term): void {
    this.#at((system, channel) => signal.monitorExitArrived(system, channel.node, ref, reason));
  }
  groupLeader(leader: Pid, to: Pid): void {
    this.#at((system) => signal.groupLeaderArrived(system, leader, to));
  }
  spawnRequest(
    ref: Reference,
    from: Pid,
    leader: Pid,
    mfa: readonly [Atom, Atom],
    args: readonly Term[],
    options: readonly Term[],
  ): void {
    this.#at((system, channel) =>
      spawnRequestArrived(system, channel, ref, from, leader, mfa, args, options),
    );
  }
  spawnReply(ref: Reference, _to: Pid, flags: number, result: Pid | Atom): void {
    this.#at((system, channel) => spawnReplyArrived(system, channel.node, ref, flags, result));
  }
  close(reason: Term): void {
    this.lose(reason);
    this.other.lose(atom('connection_closed'));
  }
  lose(reason: Term): void {
    if (!this.open) return;
    this.open = false;
    this.own.connectionDown(this, reason);
  }
}

/** The systems of a test, by short name (`a` is `a@127.0.0.1`). */
export class MemoryCluster {
  readonly #systems = new Map<Atom, System>();
  /** With it a signal to a node that is not connected connects it, as `dist_auto_connect` does. */
  autoConnect = true;
  readonly #split = new Set<string>();
  /** Signals that frozen systems did not send or take yet, in order. */
  readonly #held: { readonly from: System; readonly to: System; readonly arrive: () => void }[] = [];
  readonly #frozen = new Set<System>();
  /** Called before each signal arrives; tests count them, and let something happen in between. */
  onSignal: (from: System, to: System) => void = () => {};

  /** A new system; one of the same name replaces the earlier, as a restarted node. */
  start(name: string, options: Omit<SystemOptions, 'node' | 'creation'> = {}): System {
    const node = atom(`${name}@127.0.0.1`);
    const system = new System({ ...options, node, creation: ++creations });
    this.#systems.set(node, system);
    system.connector = (entry) => {
      const peer = this.#systems.get(entry.node);
      if (!this.autoConnect || peer === undefined || !this.#canConnect(system, peer)) return false;
      setImmediate(() => {
        if (this.#canConnect(system, peer)) this.connect(system, peer);
        else system.connectionFailed(entry.node);
      });
      return true;
    };
    return system;
  }

  /** Both live, and nothing is between them. */
  #canConnect(a: System, b: System): boolean {
    const live = [a, b].every((system) => this.#systems.get(system.node) === system);
    return live && !this.#split.has(pair(a, b));
  }

  connect(a: System, b: System): void {
    if (a.distEntry(b.node).channel !== undefined) return;
    const [x, y] = [new MemoryChannel(this, a, b), new MemoryChannel(this, b, a)];
    x.other = y;
    y.other = x;
    a.connectionUp(x);
    b.connectionUp(y);
  }

  /** Loses the connection on both sides and refuses new ones until `heal`. */
  cut(a: System, b: System, reason: Term = atom('connection_closed')): void {
    this.#split.add(pair(a, b));
    (a.distEntry(b.node).channel as MemoryChannel | undefined)?.lose(reason);
    (b.distEntry(a.node).channel as MemoryChannel | undefined)?.lose(reason);
  }

  /** Allows connections again; makes none. */
  heal(a: System, b: System): void {
    this.#split.delete(pair(a, b));
  }

  /** @internal */
  arrived(from: System, to: System, arrive: () => void): void {
    this.onSignal(from, to);
    if (this.#frozen.has(from) || this.#frozen.has(to)) this.#held.push({ from, to, arrive });
    else arrive();
  }

  /** Nothing that the node sends or is sent arrives until `thaw`. */
  freeze(system: System): void {
    this.#frozen.add(system);
  }

  thaw(system: System): void {
    this.#frozen.delete(system);
    for (const signal of this.#held.splice(0)) {
      if (this.#frozen.has(signal.from) || this.#frozen.has(signal.to)) this.#held.push(signal);
      else signal.arrive();
    }
  }

  /** The node vanishes, as by kill -9. */
  kill(system: System): void {
    this.#systems.delete(system.node);
    for (const channel of system.channels() as MemoryChannel[]) {
      channel.open = false;
      channel.other.lose(atom('connection_closed'));
    }
  }
}

function pair(a: System, b: System): string {
  return [a.node.name, b.node.name].sort().join('|');
}

/** Resolves when `condition` holds; fails with `what` after `timeoutMs`. Asks at every turn of the event loop. */
export async function eventually(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
