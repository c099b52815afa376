// Nodes of a memory cluster with `global` on each, and what tests ask of them.
import assert from 'node:assert/strict';
import type { Process } from '../../src/erts/process.js';
import type { System } from '../../src/erts/system.js';
import type { Clock } from '../../src/erts/timer.js';
import { CodeServer } from '../../src/kernel/code.js';
import { serve } from '../../src/kernel/erpc_server.js';
import { Global, type GlobalOptions } from '../../src/kernel/global.js';
import { GlobalGroup } from '../../src/kernel/global_group.js';
import { offerGlobalGroup } from '../../src/kernel/global_group_calls.js';
import { GroupConfig, type GroupTuple, globalGroups } from '../../src/kernel/global_group_config.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { MemoryCluster } from './memory_cluster.js';
import { TurnClock } from './turn_clock.js';

export interface GlobalNode {
  readonly system: System;
  readonly global: Global;
  /** A process of the test on that node. */
  readonly self: Process;
  readonly logs: string[];
}

export class GlobalCluster extends MemoryCluster {
  readonly #globals = new Map<Atom, { readonly system: System; readonly code: CodeServer }>();
  readonly clock: Clock = new TurnClock();

  /** Lets time pass, in ms of the cluster's clock. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimeout(resolve, ms));
  }

  async node(name: string, options: Partial<GlobalOptions> = {}): Promise<GlobalNode> {
    const logs: string[] = [];
    const code = new CodeServer();
    const system = this.start(name, {
      clock: this.clock,
      log: (level, text, fields) => {
        logs.push(`${level} ${text}${fields?.['error'] === undefined ? '' : ` ${fields['error']}`}`);
      },
    });
    const global = new Global(system, {
      connect: (node) => connect(system, node),
      disconnect: (node) => system.distEntry(node).channel?.close(atom('disconnect')),
      code,
      rpc: (self, node, module, fun, args) => this.#rpc(self, node, module, fun, args),
      ...options,
    });
    code.define('erlang', 'whereis', 1, ([name]) => system.whereis(name as Atom)?.pid ?? atom('undefined'));
    this.#globals.set(system.node, { system, code });
    const self = system.spawn(() => new Promise(() => {}));
    self.trapExit = true;
    const started = await global.startLink(self);
    assert.ok('ok' in started);
    return { system, global, self, logs };
  }

  /** A node with `global_group` and this `global_groups`, in short node names: `g1: a b, g2 hidden: c`; '': none. */
  async grouped(name: string, groups: string): Promise<GlobalNode & { readonly group: GlobalGroup }> {
    const config = new GroupConfig(atom(`${name}@127.0.0.1`), groupTuples(groups));
    const node = await this.node(name, { groups: config });
    const group = new GlobalGroup(node.system, config, node.global);
    const { code } = this.#globals.get(node.system.node) as { readonly code: CodeServer };
    offerGlobalGroup(code, config);
    serve(node.system, code);
    assert.ok('ok' in (await group.startLink(node.self)));
    return { ...node, group };
  }

  async nodes(names: string, options: Partial<GlobalOptions> = {}): Promise<GlobalNode[]> {
    return Promise.all(names.split(' ').map((name) => this.node(name, options)));
  }

  /** `rpc:call(Node, Module, Function, Args, Timeout)`. */
  #rpc(self: Process, node: Atom, module: Atom, fun: Atom, args: readonly Term[]): Promise<Term> {
    const target = this.#globals.get(node);
    if (self.system.distEntry(node).channel === undefined || target === undefined) {
      return Promise.resolve(tuple(atom('badrpc'), atom('nodedown')));
    }
    return new Promise((resolve) => {
      target.system.spawn(async (there) => {
        resolve(await target.code.apply(there, module, fun, args));
      });
    });
  }

  join(a: GlobalNode, b: GlobalNode): void {
    this.connect(a.system, b.system);
  }
}

function groupTuples(groups: string): readonly GroupTuple[] | undefined {
  if (groups === '') return undefined;
  const listed = groups.split(',').map((group) => group.split(':') as [string, string]);
  const value = listed.map(([head, nodes]) => {
    const [name, ...publish] = words(head);
    return tuple(
      atom(name as string),
      ...publish.map((type) => atom(type)),
      words(nodes).map((node) => atom(`${node}@127.0.0.1`)),
    );
  });
  return globalGroups(value);
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}

/** Connects to a node; whether that was possible. */
export async function connect(system: System, node: Atom): Promise<boolean> {
  const entry = system.connectedEntry(node);
  if (entry === undefined) return false;
  while (entry.pending !== undefined) await new Promise((resolve) => setImmediate(resolve));
  return entry.channel !== undefined;
}

/** A process that does nothing until it is told to end. */
export function idle(node: GlobalNode): Process {
  return node.system.spawn(() => new Promise(() => {}));
}

/** The names and pids that a node's table has, sorted. */
export function table(node: GlobalNode): string[] {
  return node.global
    .registeredNames()
    .map((name: Term) => `${format(name)} ${format(node.global.whereisName(name) ?? false)}`)
    .sort();
}

/** Whether all of them know all others and are in sync with them. */
export function allInSync(nodes: readonly GlobalNode[]): boolean {
  return nodes.every((node) => {
    const others = nodes.filter((other) => other !== node).map((other) => other.system.node);
    return others.every(
      (other) => node.global.knownNodes().includes(other) && node.global.syncedNodes().includes(other),
    );
  });
}

/** No name differs, no lock is left. */
export function assertAgreed(nodes: readonly GlobalNode[]): void {
  const [first, ...others] = nodes as [GlobalNode, ...GlobalNode[]];
  for (const other of others) assert.deepEqual(table(other), table(first));
  for (const node of nodes)
    assert.deepEqual(
      node.global.locks().map((lock) => format(lock)),
      [],
    );
}

/** Whether these nodes form one partition: all in sync, the same names, no lock left. */
export function settled(nodes: readonly GlobalNode[]): boolean {
  const [first, ...others] = nodes as [GlobalNode, ...GlobalNode[]];
  const names = table(first).join();
  return (
    allInSync(nodes) &&
    others.every((node) => table(node).join() === names) &&
    nodes.every((node) => node.global.locks().length === 0)
  );
}
