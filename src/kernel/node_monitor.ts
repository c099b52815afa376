// Who is told that nodes come and go: `net_kernel:monitor_nodes/1,2` and `erlang:monitor_node/2`.
//
// {nodeup, Node} and {nodedown, Node}, with a list or a map of what was asked for as third element when options
// were given. A nodeup comes before any message of its connection, a nodedown after all of them and after the
// exits and DOWNs of what ran there; that of an old connection comes before the nodeup of the next.
import type { DistChannel } from '../erts/dist_entry.js';
import type { Process } from '../erts/process.js';
import type { NodeEvent, System } from '../erts/system.js';
import { type Atom, atom } from '../terms/atom.js';
import { TermMap } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';

const NODEUP = atom('nodeup');
const NODEDOWN = atom('nodedown');
const NODE_TYPE = atom('node_type');
const NODEDOWN_REASON = atom('nodedown_reason');
const CONNECTION_ID = atom('connection_id');
const VISIBLE = atom('visible');
const HIDDEN = atom('hidden');
const ALL = atom('all');
const OK = atom('ok');
const ERROR = atom('error');

/** What a process asked for. Two calls with equal options count twice. */
interface Subscription {
  readonly process: Process;
  readonly form: 'plain' | 'list' | 'map';
  readonly nodes: 'visible' | 'hidden' | 'all';
  readonly nodeType: boolean;
  readonly reason: boolean;
  readonly connectionId: boolean;
}

export class NodeMonitor {
  #subscriptions: Subscription[] = [];
  /** By node: processes to tell of its nodedown, once for each call. */
  readonly #watched = new Map<Atom, Process[]>();
  /** Processes whose exit is noticed. */
  readonly #known = new WeakSet<Process>();

  constructor(system: System) {
    system.nodeListeners.add((event) => this.#tell(event));
  }

  /**
   * `net_kernel:monitor_nodes(Flag, Options)` of process `self`; options as a list or a map of terms. Returns `ok`
   * or the error that OTP returns.
   */
  monitorNodes(self: Process, flag: boolean, options: Term = []): Term {
    const wanted = parse(self, options);
    if (!('process' in wanted)) return wanted.error;
    if (flag) {
      this.#subscriptions.push(wanted);
      this.#untilExit(self);
    } else {
      this.#subscriptions = this.#subscriptions.filter((s) => !same(s, wanted));
    }
    return OK;
  }

  /** `erlang:monitor_node(Node, Flag)` for a node that is connected or being connected. */
  monitorNode(self: Process, node: Atom, flag: boolean): void {
    const watching = this.#watched.get(node) ?? [];
    if (flag) {
      watching.push(self);
      this.#untilExit(self);
    } else if (watching.includes(self)) watching.splice(watching.indexOf(self), 1);
    if (watching.length > 0) this.#watched.set(node, watching);
    else this.#watched.delete(node);
  }

  /** The node could not be connected. */
  connectionFailed(node: Atom): void {
    this.#nodedown(node);
  }

  #untilExit(self: Process): void {
    if (this.#known.has(self)) return;
    this.#known.add(self);
    self.signal.addEventListener('abort', () => this.#forget(self), { once: true });
  }

  #forget(self: Process): void {
    this.#subscriptions = this.#subscriptions.filter((s) => s.process !== self);
    for (const [node, watching] of this.#watched) {
      const left = watching.filter((process) => process !== self);
      if (left.length > 0) this.#watched.set(node, left);
      else this.#watched.delete(node);
    }
  }

  #tell(event: NodeEvent): void {
    if (event.type === 'down') this.#nodedown(event.node);
    for (const subscription of this.#subscriptions) {
      if (concerns(subscription, event.channel)) subscription.process.deliver(message(subscription, event));
    }
  }

  #nodedown(node: Atom): void {
    const watching = this.#watched.get(node);
    this.#watched.delete(node);
    for (const process of watching ?? []) process.deliver(tuple(NODEDOWN, node));
  }
}

function concerns(subscription: Subscription, channel: DistChannel): boolean {
  return subscription.nodes === 'all' || (subscription.nodes === 'visible') === channel.visible;
}

function message(subscription: Subscription, event: NodeEvent): Tuple {
  const tag = event.type === 'up' ? NODEUP : NODEDOWN;
  if (subscription.form === 'plain') return tuple(tag, event.node);
  const info: [Term, Term][] = [];
  if (subscription.connectionId) info.push([CONNECTION_ID, event.channel.connectionId]);
  if (subscription.reason && event.type === 'down') info.push([NODEDOWN_REASON, event.reason]);
  if (subscription.nodeType) info.push([NODE_TYPE, event.channel.visible ? VISIBLE : HIDDEN]);
  if (subscription.form === 'map') return tuple(tag, event.node, new TermMap(info));
  return tuple(
    tag,
    event.node,
    info.map(([key, value]) => tuple(key, value)),
  );
}

function same(a: Subscription, b: Subscription): boolean {
  return (
    a.process === b.process &&
    a.form === b.form &&
    a.nodes === b.nodes &&
    a.nodeType === b.nodeType &&
    a.reason === b.reason &&
    a.connectionId === b.connectionId
  );
}

function parse(process: Process, options: Term): Subscription | { readonly error: Term } {
  if (options instanceof TermMap) return parseMap(process, options);
  if (Array.isArray(options)) return parseList(process, options as readonly Term[]);
  return bad('invalid_options', options);
}

function parseList(process: Process, options: readonly Term[]): Subscription | { readonly error: Term } {
  let type: Term | undefined;
  const unknown: Term[] = [];
  for (const option of options) {
    if (option === NODEDOWN_REASON || option === CONNECTION_ID) continue;
    if (!(option instanceof Tuple) || option.elements.length !== 2 || option.elements[0] !== NODE_TYPE) {
      unknown.push(option);
      continue;
    }
    const value = option.elements[1] as Term;
    if (type !== undefined && type !== value) {
      return bad('option_value_mismatch', [tuple(NODE_TYPE, value), tuple(NODE_TYPE, type)]);
    }
    if (nodesOf(value) === undefined) return bad('bad_option_value', option);
    type = value;
  }
  if (unknown.length > 0) return bad('unknown_options', unknown);
  return {
    process,
    form: options.length === 0 ? 'plain' : 'list',
    nodes: nodesOf(type ?? VISIBLE) ?? 'visible',
    nodeType: type !== undefined,
    reason: options.includes(NODEDOWN_REASON),
    connectionId: options.includes(CONNECTION_ID),
  };
}

function parseMap(process: Process, options: TermMap): Subscription | { readonly error: Term } {
  let unknown = options;
  for (const key of [CONNECTION_ID, NODEDOWN_REASON, NODE_TYPE]) {
    const value = options.get(key);
    if (value === undefined) continue;
    const good = key === NODE_TYPE ? nodesOf(value) !== undefined : typeof value === 'boolean';
    if (!good) return bad('bad_option_value', new TermMap([[key, value]]));
    unknown = unknown.without(key);
  }
  if (unknown.size > 0) return bad('unknown_options', unknown);
  const type = options.get(NODE_TYPE);
  return {
    process,
    form: 'map',
    nodes: nodesOf(type ?? VISIBLE) ?? 'visible',
    nodeType: type !== undefined,
    reason: options.get(NODEDOWN_REASON) === true,
    connectionId: options.get(CONNECTION_ID) === true,
  };
}

function nodesOf(type: Term): Subscription['nodes'] | undefined {
  return type === VISIBLE ? 'visible' : type === HIDDEN ? 'hidden' : type === ALL ? 'all' : undefined;
}

function bad(why: string, what: Term): { readonly error: Term } {
  return { error: tuple(ERROR, tuple(atom(why), what)) };
}
