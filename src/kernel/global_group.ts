// The process `global_group`: which nodes of the own global group have the same configuration as this one, so that
// `global` shares names with them and with no others (OTP: global_group.erl).
//
//   nodeup of a member     erpc global_group:get_own_nodes() -> the same list: synchronise; another: {disconnect_node, Us}
//   nodeup of another      {disconnect_node, Us}: global forgets the node, the connection stays
//   <- {disconnect_node, Node}                                               so do we
//   {conf_check, 3, Us, {Pid, Ref}, sync, Group, PublishType, Nodes} (cast)  by `sync/0`; of OTP 23 and 24 at their start
//   <- {config_ok | config_error, Vsn, {Pid, Ref}, Node}                     to Pid; OTP 24 and older: to global_group_check
// It runs on every node: one without `global_groups` answers, and does what a node of a group tells it.
//
// Left out: a change of `global_groups` while the node runs, which is a release upgrade's.
import type { Process } from '../erts/process.js';
import type { NodeEvent, System } from '../erts/system.js';
import { type From, reply } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink as startServer } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { compare, equals } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import * as erpc from './erpc.js';
import { answerCall } from './global_group_calls.js';
import type { GroupConfig } from './global_group_config.js';
import { GroupSearch, type SearchedGlobal } from './global_group_search.js';
import { LocalEvents } from './local_events.js';

/** What this needs of `global`. */
export interface GroupedGlobal extends SearchedGlobal {
  /** A member with the same configuration: names are shared from now on. */
  groupNodeup(node: Atom, connectionId: number): void;
  /** No member, or one with another configuration: names are not shared. */
  groupNodedown(node: Atom, connectionId: number | undefined): void;
}

type State = 'sync' | 'sync_error' | 'no_contact';

type OwnEvent =
  | { readonly type: 'up' | 'down'; readonly node: Atom; readonly connectionId: number }
  | {
      readonly type: 'checked';
      readonly node: Atom;
      readonly connectionId: number;
      readonly nodes: Term | undefined;
    };

/** The registered name. */
export const GLOBAL_GROUP: Atom = atom('global_group');
const CHECK = atom('global_group_check');
const VERSION = 3;
const GEN_CAST = atom('$gen_cast');
const NODEUP = atom('nodeup');
const NODEDOWN = atom('nodedown');
const DISCONNECT_NODE = atom('disconnect_node');
const CONF_CHECK = atom('conf_check');
const CONFIG_OK = atom('config_ok');
const CONFIG_ERROR = atom('config_error');
const GET_OWN_NODES = atom('get_own_nodes');
const FIND_NAME = atom('find_name');
const FIND_NAME_RES = atom('find_name_res');
const REGISTERED_NAMES = atom('registered_names');
const REGISTERED_NAMES_RES = atom('registered_names_res');
const SYNC = atom('sync');
const NORMAL = atom('normal');
const DOWN = atom('DOWN');
const UNDEFINED = atom('undefined');

/** The process `global_group`, and what this node asks of it; see the top of this file. */
export class GlobalGroup implements GenServer<undefined> {
  readonly module: Atom = GLOBAL_GROUP;
  readonly #system: System;
  readonly #config: GroupConfig;
  readonly #global: GroupedGlobal;
  /** Names in all groups. */
  readonly search: GroupSearch;
  readonly #events = new LocalEvents<OwnEvent>();
  /** The other members. */
  readonly #states = new Map<Atom, State>();
  /** Who is told of members that come and go. */
  #monitors: { readonly pid: Pid; readonly ref: Reference }[] = [];
  /** The configuration check that `sync` began: its reference, and the members that did not answer yet. */
  #check: { readonly session: Reference; readonly waiting: Map<Atom, Reference> } | undefined;
  #self!: Process;

  constructor(system: System, config: GroupConfig, global: GroupedGlobal) {
    this.#system = system;
    this.#config = config;
    this.#global = global;
    this.search = new GroupSearch(system, config, global);
  }

  /** Starts the server, and the process that takes the answers of OTP 24 and older. */
  startLink(supervisor: Process): Promise<StartResult> {
    return startServer(supervisor, this, [], { name: GLOBAL_GROUP });
  }

  init(self: Process): { state: undefined } {
    this.#self = self;
    self.asyncDist = true;
    this.#states.clear();
    this.#monitors = [];
    this.#check = undefined;
    const { ownNodes } = this.#config;
    for (const node of ownNodes) if (node !== self.node) this.#states.set(node, 'no_contact');
    const listener = (event: NodeEvent): void => {
      const { node, channel } = event;
      if (channel.visible) {
        this.#events.post(self, { type: event.type, node, connectionId: channel.connectionId });
      }
    };
    this.#system.nodeListeners.add(listener);
    self.signal.addEventListener('abort', () => this.#system.nodeListeners.delete(listener), { once: true });
    self.spawnLink(
      async (dispatcher) => {
        for (;;) {
          const message = (await dispatcher.next()) as Term;
          if (isTagged(message, CONFIG_OK, 4) || isTagged(message, CONFIG_ERROR, 4)) self.deliver(message);
        }
      },
      { name: CHECK },
    );
    for (const channel of this.#system.channels()) {
      if (channel.visible) this.#up(channel.node, channel.connectionId);
    }
    return { state: undefined };
  }

  // --- what users and other nodes ask ---------------------------------------------------------------------------

  /** `global_groups/0`: `{Own, Others}`, or `undefined` where none are configured. */
  globalGroups(): Term {
    const { configured, name, others } = this.#config;
    return configured
      ? tuple(
          name as Atom,
          others.map((group) => group.name),
        )
      : UNDEFINED;
  }

  /** `own_nodes/0`: the nodes of the own group, connected or not; without groups all connected ones. */
  ownNodes(): Atom[] {
    return this.#config.configured
      ? [...this.#config.ownNodes]
      : [this.#system.node, ...this.#system.nodes()];
  }

  /** `sync/0`: asks all members once more whether they have the same groups. */
  sync(): void {
    const { configured, ownNodes, name, publish } = this.#config;
    if (!configured) return;
    const self = this.#self;
    for (const node of this.#system.nodes()) if (!this.#config.isMember(node)) this.#exclude(node);
    const session = self.makeRef();
    const waiting = new Map<Atom, Reference>();
    for (const node of this.#states.keys()) {
      const there = tuple(GLOBAL_GROUP, node);
      waiting.set(node, self.monitor(there));
      const who = tuple(self.pid, session);
      const check = tuple(CONF_CHECK, VERSION, self.node, who, SYNC, name as Atom, atom(publish), ownNodes);
      self.send(there, tuple(GEN_CAST, check));
    }
    for (const ref of this.#check?.waiting.values() ?? []) self.demonitor(ref, { flush: true });
    this.#check = { session, waiting };
  }

  /** `info/0`. */
  info(): Term {
    const inState = (state: State): Atom[] =>
      [...this.#states]
        .filter(([, its]) => its === state)
        .map(([node]) => node)
        .sort(compare);
    const { configured, name, ownNodes, others } = this.#config;
    return [
      tuple(atom('state'), atom(configured ? 'synced' : 'no_conf')),
      tuple(atom('own_group_name'), name ?? []),
      tuple(atom('own_group_nodes'), ownNodes),
      tuple(atom('synced_nodes'), inState('sync')),
      tuple(atom('sync_error'), inState('sync_error')),
      tuple(atom('no_contact'), inState('no_contact')),
      tuple(
        atom('other_groups'),
        others.map((group) => tuple(group.name, group.nodes)),
      ),
      tuple(
        atom('monitoring'),
        this.#monitors.map(({ pid }) => pid),
      ),
    ];
  }

  // --- the server -------------------------------------------------------------------------------------------------

  handleCall(request: Term, from: From, state: undefined): Step<undefined> {
    const answer = answerCall(this, request, from);
    if (!(answer instanceof Promise)) return { state, reply: answer };
    void answer.then((value) => {
      if (this.#self.alive) reply(this.#self, from, value);
    });
    return { state };
  }

  handleCast(message: Term, state: undefined): Step<undefined> {
    if (!(message instanceof Tuple)) return { state };
    const { elements } = message;
    const [what, second, third] = elements;
    if (what === FIND_NAME && elements.length === 3 && second instanceof Pid) {
      const found = this.#global.whereisName(third as Term) ?? UNDEFINED;
      this.#self.send(second, tuple(FIND_NAME_RES, found));
    } else if (what === REGISTERED_NAMES && elements.length === 2 && second instanceof Pid) {
      this.#self.send(second, tuple(REGISTERED_NAMES_RES, this.#global.registeredNames()));
    } else if (what === CONF_CHECK && elements[4] === SYNC) {
      const [, vsn, node, from, , name, ...rest] = elements as Term[];
      const [publish, nodes] = rest.length === 1 ? [NORMAL, rest[0]] : rest;
      if (node instanceof Atom && nodes !== undefined) {
        this.#confCheck(vsn as Term, node, from as Term, tuple(name as Term, publish as Term, nodes));
      }
    }
    return { state };
  }

  handleInfo(message: Term, state: undefined): Step<undefined> {
    const event = this.#events.of(message);
    if (event !== undefined) this.#ownEvent(event);
    else if (isTagged(message, DISCONNECT_NODE, 2)) this.#disconnected(message.elements[1] as Term);
    else if (isTagged(message, CONFIG_OK, 4)) this.#checked(message, 'sync');
    else if (isTagged(message, CONFIG_ERROR, 4)) this.#checked(message, 'sync_error');
    else if (isTagged(message, DOWN, 5)) this.#down(message);
    return { state };
  }

  // --- nodes that come and go ---------------------------------------------------------------------------------------

  #ownEvent(event: OwnEvent): void {
    const { node, connectionId } = event;
    if (event.type === 'up') this.#up(node, connectionId);
    else if (event.type === 'checked') this.#compared(node, connectionId, event.nodes);
    else {
      this.#tell(NODEDOWN, node);
      this.#setState(node, 'no_contact');
    }
  }

  #up(node: Atom, connectionId: number): void {
    if (!this.#config.configured) this.#tell(NODEUP, node);
    else if (!this.#config.isMember(node)) this.#exclude(node);
    else {
      this.#setState(node, 'sync_error');
      this.#system.spawn(async (self) => {
        const nodes = await erpc
          .call(self, node, GLOBAL_GROUP, GET_OWN_NODES, [], Number.POSITIVE_INFINITY)
          .catch(() => undefined);
        this.#events.post(this.#self, { type: 'checked', node, connectionId, nodes });
      });
    }
  }

  /** A member told its group: it is ours, or we part. */
  #compared(node: Atom, connectionId: number, nodes: Term | undefined): void {
    if (this.#connectionOf(node) !== connectionId) return;
    if (!this.#isOwnList(nodes)) {
      this.#exclude(node);
      this.#setState(node, 'sync_error');
      return;
    }
    this.#tell(NODEUP, node);
    this.#global.groupNodeup(node, connectionId);
    this.#setState(node, 'sync');
  }

  #isOwnList(nodes: Term | undefined): boolean {
    return (
      Array.isArray(nodes) && equals([...(nodes as readonly Term[])].sort(compare), this.#config.ownNodes)
    );
  }

  /** Names are shared with that node no more; it is told. */
  #exclude(node: Atom): void {
    const connectionId = this.#connectionOf(node);
    this.#global.groupNodedown(node, connectionId);
    if (connectionId === undefined) return;
    this.#self.send(tuple(GLOBAL_GROUP, node), tuple(DISCONNECT_NODE, this.#self.node));
  }

  /** `{disconnect_node, Node}`: we are of no concern to that node's group; also `global` says it of a member. */
  #disconnected(node: Term): void {
    if (!(node instanceof Atom)) return;
    if (this.#states.get(node) === 'sync') this.#tell(NODEDOWN, node);
    this.#global.groupNodedown(node, this.#connectionOf(node));
    this.#setState(node, 'sync_error');
  }

  #connectionOf(node: Atom): number | undefined {
    return this.#system.findEntry(node)?.channel?.connectionId;
  }

  #setState(node: Atom, state: State): void {
    if (this.#states.has(node)) this.#states.set(node, state);
  }

  // --- the configuration check --------------------------------------------------------------------------------------

  #confCheck(vsn: Term, node: Atom, from: Term, theirs: Tuple): void {
    const connectionId = this.#connectionOf(node);
    if (connectionId === undefined) return;
    const isNew = typeof vsn === 'number' && vsn >= VERSION;
    const asker = from instanceof Tuple ? from.elements[0] : undefined;
    if (isNew && !(asker instanceof Pid)) return;
    const { configured, name, publish, ownNodes } = this.#config;
    const same = configured && equals(theirs, tuple(name as Atom, atom(publish), ownNodes));
    if (same) this.#global.groupNodeup(node, connectionId);
    else this.#exclude(node);
    this.#setState(node, same ? 'sync' : 'sync_error');
    const to = isNew ? (asker as Pid) : tuple(CHECK, node);
    this.#self.send(to, tuple(same ? CONFIG_OK : CONFIG_ERROR, vsn, from, this.#self.node));
  }

  /** A member's answer to our check. */
  #checked(message: Tuple, state: 'sync' | 'sync_error'): void {
    const [, , from, node] = message.elements as Term[];
    const check = this.#check;
    if (check === undefined || !(node instanceof Atom)) return;
    const ref = check.waiting.get(node);
    if (ref === undefined || !equals(from as Term, tuple(this.#self.pid, check.session))) return;
    check.waiting.delete(node);
    this.#self.demonitor(ref, { flush: true });
    const connectionId = this.#connectionOf(node);
    if (state === 'sync' && connectionId !== undefined) this.#global.groupNodeup(node, connectionId);
    else this.#notInAgreement(node);
    this.#setState(node, state);
  }

  #notInAgreement(node: Atom): void {
    this.#global.groupNodedown(node, this.#connectionOf(node));
    this.#system.log(
      'error',
      `global_group: Could not synchronize with node ${format(node)}\n` +
        'because global_groups parameter were not in agreement.',
      { node: node.name },
    );
  }

  #down(message: Tuple): void {
    const [, ref, , item, reason] = message.elements as Term[];
    if (!(ref instanceof Reference)) return;
    this.#monitors = this.#monitors.filter((each) => each.ref.key !== ref.key);
    const node = item instanceof Tuple ? item.elements[1] : undefined;
    if (!(node instanceof Atom) || this.#check?.waiting.get(node)?.key !== ref.key) return;
    this.#check.waiting.delete(node);
    if (reason === atom('noconnection')) {
      this.#global.groupNodedown(node, this.#connectionOf(node));
      this.#setState(node, 'no_contact');
    } else {
      this.#notInAgreement(node);
      this.#setState(node, 'sync_error');
    }
  }

  /** Another node has been given groups and thinks that we are of its own: `agreed` or `not_agreed`. */
  addCheck(node: Term, publish: Term, nodes: Term): Term {
    const agreed = publish === atom(this.#config.publish) && this.#isOwnList(nodes);
    if (node instanceof Atom) this.#setState(node, agreed ? 'sync' : 'sync_error');
    return atom(agreed ? 'agreed' : 'not_agreed');
  }

  // --- who is told ----------------------------------------------------------------------------------------------------

  /** `monitor_nodes/1` of that process: `{nodeup, Node}` and `{nodedown, Node}` of members. */
  monitorNodes(pid: Pid, flag: boolean): void {
    if (flag) this.#monitors.push({ pid, ref: this.#self.monitor(pid) });
    else {
      const own = this.#monitors.filter((each) => each.pid.key === pid.key);
      for (const { ref } of own) this.#self.demonitor(ref, { flush: true });
      this.#monitors = this.#monitors.filter((each) => each.pid.key !== pid.key);
    }
  }

  #tell(what: Atom, node: Atom): void {
    if (this.#config.configured && !this.#config.isMember(node)) return;
    for (const { pid } of this.#monitors) this.#self.send(pid, tuple(what, node));
  }
}
