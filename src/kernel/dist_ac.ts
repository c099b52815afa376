// Distributed applications: which node runs what (OTP: dist_ac.erl).
//
// Every node of a `distributed` list computes the same decision from the same data; seven messages keep the data
// equal (dist_ac_messages). At boot, when kernel_config lets it go, this process takes the lock
// `{dist_ac, sync_dacs}` on all nodes, introduces itself to their dist_ac, and is in sync when all have answered.
// Afterwards: the application controller asks who is to start an application (dist_ac_start), other nodes tell what
// they load, start and stop (dist_ac_peers), a nodedown begins the restart time of what ran there.
//
// Unlike OTP's it never waits inside: introductions, weights and announcements are answered at any time, also
// while decisions of its own are open, so it can be part of no deadlock. `release_handler` is left out.
import type { Process } from '../erts/process.js';
import { type From, reply } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { keyOf } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { distributedAppls, distributionSpec } from './dist_ac_config.js';
import * as control from './dist_ac_control.js';
import { newNode, peerMessage } from './dist_ac_messages.js';
import { announceAgain, nodeDown, peerArrived, restartTimeOver } from './dist_ac_peers.js';
import { evaluate, runningAt, runsAt } from './dist_ac_start.js';
import {
  type Appl,
  type Around,
  type Effect,
  initialState,
  type State,
  stateToTerm,
  type TimerKind,
} from './dist_ac_state.js';

export const DIST_AC: Atom = atom('dist_ac');
const GO = atom('go');
const TOOK_CONTROL = atom('dist_ac_took_control');
const SYNC_DACS = atom('sync_dacs');
const AC = atom('application_controller');
const NODEDOWN = atom('nodedown');
const OK = atom('ok');
const ERROR = atom('error');
const INFO = atom('info');
const GET_KNOWN_NODES = atom('get_known_nodes');
const GET_NODES = atom('get_nodes');
const LOAD_APPLICATION = atom('load_application');
const TAKEOVER_APPLICATION = atom('takeover_application');
const PERMIT_APPLICATION = atom('permit_application');
const DISTRIBUTION_CHANGED = atom('distribution_changed');
const ONLY_LOADED = atom('only_loaded');
const AC_LOAD = atom('ac_load_application_req');
const AC_UNLOADED = atom('ac_application_unloaded');
const AC_START = atom('ac_start_application_req');
const AC_RUN = atom('ac_application_run');
const AC_NOT_RUN = atom('ac_application_not_run');
const AC_NOT_STARTED = atom('ac_application_not_started');
const AC_STOPPED = atom('ac_application_stopped');
const SYNC_LOCKED = atom('dist_ac_sync_locked');
const SYNC_PID = atom('dist_ac_sync_pid');
const SYNC_LATE = atom('dist_ac_sync_late');
const TIMER = atom('dist_ac_timer');
/** Gives the lock of a takeover or permit back. */
export const RELEASE: Atom = atom('dist_ac_release_lock');

/** How long a start waits for a lock of somebody else on this node before it tries again. */
const LOCK_RETRY_MS = 100;
/** After so long without all answers the lock of the synchronisation is given back: somebody may need it to answer. */
const SYNC_UNLOCK_MS = 5000;
/** After so long without all answers we go on; who answers later is known from then on. */
const SYNC_GIVE_UP_MS = 30_000;
/** Weight messages of one node about one application within a second; more are a loop, and one too many ends it. */
const WEIGHTS_PER_SECOND = 50;

/** What it needs of `global`, `rpc` and the application controller. */
export interface DistAcOptions {
  /** The applications of the parameter `distributed`. */
  readonly appls: readonly Appl[];
  /** The configured permission of an application. */
  readonly permission: (app: Atom) => boolean;
  /** How loaded this node is. */
  readonly weight: () => number;
  /** Whether the application controller has it among its started applications. */
  readonly startedHere: (app: Atom) => boolean;
  /** Makes the application controller pass requests for the application to this process. */
  readonly takeControl: (app: Atom, controller: Process) => void;
  /** Whether our own lock table would grant the lock now. */
  readonly canLock: (id: Tuple) => boolean;
  /** `global:set_lock` for process `self`, tried without end. */
  readonly setLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
  readonly delLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
  /** `erlang:whereis(dist_ac)` on another node. */
  readonly whereis: (self: Process, node: Atom) => Promise<Pid | undefined>;
  /** A node that ranks higher may start the application soon, which runs here; see name_handover.ts. */
  readonly expectTakeover?: (app: Atom, node: Atom) => void;
  /** That node has announced it, or that its start failed. */
  readonly announced?: (app: Atom, node: Atom, failed: boolean) => void;
  /** Told once the introductions are over. */
  readonly onSynced?: () => void;
}

/** The registered name `dist_ac`; it waits for `{go, Pid}` before it does anything of its own. */
export function startDistAc(supervisor: Process, options: DistAcOptions): Promise<StartResult> {
  return startLink(supervisor, new DistAc(options), [], { name: DIST_AC });
}

/** A step of the machine: a new state, and what is to be done. */
type Change = (s: State, fx: Effect[], around: Around) => State;

class DistAc implements GenServer<State> {
  readonly module: Atom = DIST_AC;
  readonly #options: DistAcOptions;
  /** What has to wait until the introductions are over. */
  #queue: ((self: Process) => void)[] | undefined = [];
  #state: State | undefined;
  /** Nodes whose `dist_ac` is being looked up. */
  readonly #looking = new Set<Atom>();
  #locker: Pid | undefined;
  #introducing = false;
  #late: unknown;
  /** Who holds the lock of a caller of permit. */
  readonly #holders = new Map<unknown, Pid>();
  readonly #weights = new Map<string, number>();
  #weightsSince = 0;

  constructor(options: DistAcOptions) {
    this.#options = options;
  }

  init(self: Process): { state: State } {
    self.trapExit = true;
    self.asyncDist = true;
    const { system } = self;
    const listener = (event: { type: string; node: Atom; channel: { visible: boolean } }): void => {
      if (event.type === 'down' && event.channel.visible) self.deliver(tuple(NODEDOWN, event.node));
    };
    system.nodeListeners.add(listener);
    self.signal.addEventListener('abort', () => system.nodeListeners.delete(listener), { once: true });
    this.#state = initialState(system.node, this.#options.appls);
    return { state: this.#state };
  }

  formatState(s: State): Term {
    return stateToTerm(s);
  }

  // --- messages -----------------------------------------------------------------------------------------------

  handleInfo(message: Term, state: State, self: Process): Step<State> {
    this.#state = state;
    if (message instanceof Tuple) this.#arrived(message, self);
    return { state: this.#state };
  }

  #arrived(message: Tuple, self: Process): void {
    const peer = peerMessage(message);
    if (peer !== undefined) {
      if (peer.type === 'weight' && this.#loops(peer.app, peer.node, self)) return;
      this.#do(self, (s, fx, around) => peerArrived(s, peer, fx, around));
      if (peer.type === 'new_node') this.#answered(self);
      return;
    }
    const [tag, a, b, c] = message.elements;
    if (tag === NODEDOWN && a instanceof Atom) {
      this.#do(self, (s, fx, around) => nodeDown(s, a, fx, around));
      this.#answered(self);
    } else if (tag === GO && a instanceof Pid) this.#go(self, a);
    else if (tag === TIMER) {
      if (a instanceof Atom && b instanceof Atom && typeof c === 'number') this.#timer(self, a, b, c);
    } else if (tag === SYNC_LOCKED) this.#introduce(self);
    else if (tag === SYNC_PID) this.#introduceTo(self, a as Atom, b as Term);
    else if (tag === SYNC_LATE) this.#synced(self);
    else if (a instanceof Atom) this.#afterSync(self, () => this.#controller(self, tag as Term, a, b));
  }

  /** From our application controller. */
  #controller(self: Process, tag: Term, app: Atom, result: Term | undefined): void {
    if (tag === AC_START) this.#start(self, app);
    else this.#do(self, (s, fx, around) => fromController(s, tag, app, result, fx, around));
  }

  /** A start is decided while nobody else synchronises: then the nodes that take part do not change meanwhile. */
  #start(self: Process, app: Atom): void {
    if (!this.#options.canLock(tuple(DIST_AC, self.pid))) {
      self.sendAfter(LOCK_RETRY_MS, self.pid, tuple(AC_START, app));
      return;
    }
    this.#do(self, (s, fx, around) => control.startRequested(s, app, fx, around));
  }

  #timer(self: Process, what: Atom, app: Atom, token: Term): void {
    if (typeof token !== 'number') return;
    this.#do(self, (s, fx, around) => {
      switch (what.name as TimerKind) {
        case 'restart':
          return restartTimeOver(s, app, token, fx, around);
        case 'announce':
          return announceAgain(s, app, fx);
        case 'permit':
          return control.permitTimeOver(s, app, token, fx);
        case 'look':
          return look(s, app, token, fx, around);
        default:
          return s;
      }
    });
  }

  /** A weight that answers an answer would go to and fro for ever. */
  #loops(app: Atom, node: Atom, self: Process): boolean {
    const now = self.system.clock.now();
    if (now - this.#weightsSince > 1000) {
      this.#weights.clear();
      this.#weightsSince = now;
    }
    const key = `${app.name}\0${node.name}`;
    const count = (this.#weights.get(key) ?? 0) + 1;
    this.#weights.set(key, count);
    return count === WEIGHTS_PER_SECOND;
  }

  // --- calls --------------------------------------------------------------------------------------------------

  handleCall(request: Term, from: From, state: State, self: Process): Step<State> {
    this.#state = state;
    if (request === INFO) return { state, reply: stateToTerm(state) };
    if (request === GET_KNOWN_NODES) return { state, reply: [...state.known] };
    if (isTagged(request, GET_NODES, 2)) {
      const appl = state.appls.get(request.elements[1] as Atom);
      const nodes = appl === undefined ? [] : control.aliveNodes(state, appl);
      return { state, reply: nodes };
    }
    // whatever changes something is for this node's own processes
    if (from.pid.node === self.node && request instanceof Tuple) {
      this.#afterSync(self, () => this.#request(self, request.elements, from));
    }
    return { state: this.#state };
  }

  #request(self: Process, [tag, app, a, b, c]: readonly Term[], from: From): void {
    if (tag === DISTRIBUTION_CHANGED) {
      const changed = distributedAppls(self.node, app as Term, this.#options.permission);
      this.#do(self, (s) => control.distributionChanged(s, changed));
      reply(self, from, OK);
    } else if (!(app instanceof Atom)) return;
    else if (tag === TAKEOVER_APPLICATION && a instanceof Atom) {
      this.#do(self, (s, fx, around) => control.takeover(s, app, a, from, fx, around));
    } else if (tag === PERMIT_APPLICATION && typeof a === 'boolean') {
      const holder = isTagged(b, DIST_AC, 2) ? b.elements[1] : undefined;
      if (holder instanceof Pid) this.#holders.set(fromKey(from), holder);
      this.#do(self, (s, fx, around) => control.permit(s, app, a, c === ONLY_LOADED, from, fx, around));
    } else if (tag === LOAD_APPLICATION) this.#load(self, app, a as Term, from);
  }

  /** `application:load/2`: `default`, `{App, Nodes}` or `{App, Time, Nodes}`. */
  #load(self: Process, app: Atom, spec: Term, from: From): void {
    const appl = distributionSpec(spec, app);
    if ('error' in appl) {
      reply(self, from, tuple(ERROR, appl.error));
      return;
    }
    const state = this.#state as State;
    const replaced = appl.appl ?? state.appls.get(app);
    if (replaced !== undefined && replaced.nodes.length > 0) {
      if (!state.appls.has(app)) this.#options.takeControl(app, self);
      this.#do(self, (s, fx, around) =>
        appl.appl === undefined
          ? control.loaded(s, app, fx, around)
          : control.loadWith(s, appl.appl, fx, around),
      );
    }
    reply(self, from, OK);
  }

  // --- the boot -----------------------------------------------------------------------------------------------

  #go(self: Process, kernelConfig: Pid): void {
    for (const app of (this.#state as State).appls.keys()) this.#options.takeControl(app, self);
    self.send(kernelConfig, TOOK_CONTROL);
    const nodes = [self.node, ...self.system.nodes()];
    const { setLock, delLock } = this.#options;
    this.#locker = self.spawnLink(async (locker) => {
      const id = tuple(DIST_AC, SYNC_DACS);
      try {
        await setLock(locker, id, nodes);
      } finally {
        locker.send(self.pid, tuple(SYNC_LOCKED, true));
      }
      await locker.receive((message) => (message === RELEASE ? true : undefined), SYNC_UNLOCK_MS);
      await delLock(locker, id, nodes);
    });
  }

  /** Looks for the dist_ac of every visible node that is not known yet: of now, and never again. */
  #introduce(self: Process): void {
    const state = this.#state as State;
    this.#introducing = true;
    const nodes = self.system.nodes().filter((node) => !state.known.includes(node));
    this.#state = { ...state, awaiting: new Set([...state.awaiting, ...nodes]) };
    for (const node of nodes) {
      this.#looking.add(node);
      self.spawnLink(async (looker) => {
        const pid = await this.#options.whereis(looker, node).catch(() => undefined);
        looker.send(self.pid, tuple(SYNC_PID, node, pid ?? false));
      });
    }
    this.#late = self.sendAfter(SYNC_GIVE_UP_MS, self.pid, tuple(SYNC_LATE, true));
    this.#answered(self);
  }

  #introduceTo(self: Process, node: Atom, pid: Term): void {
    if (!this.#looking.delete(node)) return;
    const state = this.#state as State;
    if (pid instanceof Pid) self.send(pid, newNode(self.node, state.appls.values(), []));
    else if (state.known.includes(node)) {
      self.send(tuple(DIST_AC, node), newNode(self.node, state.appls.values(), []));
    } else
      this.#state = { ...state, awaiting: new Set([...state.awaiting].filter((other) => other !== node)) };
    this.#answered(self);
  }

  /** In sync when every node we introduced ourselves to has answered or is gone. */
  #answered(self: Process): void {
    const { awaiting } = this.#state as State;
    for (const node of this.#looking) if (!self.system.nodes().includes(node)) this.#looking.delete(node);
    if (this.#introducing && awaiting.size === 0 && this.#looking.size === 0) this.#synced(self);
  }

  #synced(self: Process): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const { awaiting } = this.#state as State;
    if (awaiting.size > 0) {
      const names = [...awaiting].map((node) => node.name).join(', ');
      self.system.log('warning', `dist_ac: ${names} did not answer our introduction; going on without`);
    }
    self.cancelTimer(this.#late);
    this.#introducing = false;
    this.#queue = undefined;
    if (this.#locker !== undefined) self.send(this.#locker, RELEASE);
    this.#options.onSynced?.();
    for (const waiting of queue) waiting(self);
  }

  #afterSync(self: Process, what: (self: Process) => void): void {
    if (this.#queue === undefined) what(self);
    else this.#queue.push(what);
  }

  // --- the machine's effects ----------------------------------------------------------------------------------

  #do(self: Process, change: Change): void {
    const fx: Effect[] = [];
    this.#state = change(this.#state as State, fx, this.#around(self));
    for (const effect of fx) this.#perform(self, effect);
  }

  #around(self: Process): Around {
    const { system } = self;
    const { weight, permission, startedHere } = this.#options;
    return {
      connected: new Set(system.channels().map((channel) => channel.node)),
      weight,
      permission,
      startedHere,
      now: () => system.clock.now(),
    };
  }

  #perform(self: Process, effect: Effect): void {
    switch (effect.do) {
      case 'send':
        self.send(tuple(DIST_AC, effect.node), effect.message);
        break;
      case 'ac':
        self.send(AC, effect.message);
        break;
      case 'reply':
        this.#holders.delete(fromKey(effect.from));
        reply(self, effect.from, effect.result);
        break;
      case 'unlock': {
        const holder = this.#holders.get(fromKey(effect.from));
        if (holder !== undefined) self.send(holder, RELEASE);
        break;
      }
      case 'expect':
        this.#options.expectTakeover?.(effect.app, effect.node);
        break;
      case 'announced':
        this.#options.announced?.(effect.app, effect.node, effect.failed);
        break;
      case 'timer':
        self.sendAfter(effect.ms, self.pid, tuple(TIMER, atom(effect.what), effect.app, effect.token));
        break;
      case 'log': {
        const terms = effect.terms.map((term) => format(term, 1000));
        self.system.log(effect.level, [effect.text, ...terms].join(' '));
      }
    }
  }
}

function fromController(
  s: State,
  tag: Term,
  app: Atom,
  result: Term | undefined,
  fx: Effect[],
  around: Around,
): State {
  switch (tag) {
    case AC_LOAD:
      return control.loadRequested(s, app, fx, around);
    case AC_UNLOADED:
      return control.unloaded(s, app, fx);
    case AC_RUN: {
      const error = isTagged(result, ERROR, 2) ? { reason: result.elements[1] as Term } : undefined;
      return control.startEnded(s, app, error, fx, around);
    }
    case AC_NOT_RUN:
      return control.stopDone(s, app, fx);
    case AC_NOT_STARTED:
      return control.notCarriedOut(s, app, fx);
    case AC_STOPPED:
      return control.stopped(s, app, fx);
    default:
      return s;
  }
}

function fromKey(from: From): unknown {
  return keyOf(tuple(from.pid, from.tag));
}

/** A decision has waited long: say for whom, and become a standby if the application runs after all. */
function look(s: State, app: Atom, token: number, fx: Effect[], around: Around): State {
  const pending = s.pending.get(app);
  const appl = s.appls.get(app);
  if (pending === undefined || appl === undefined || pending.token !== token) return s;
  if (pending.wait === 'weights' && pending.all !== undefined) {
    const running = runningAt(s, appl, pending.all, around);
    if (running !== undefined) return runsAt(s, app, running, fx);
  }
  const silent = [...(pending.all ?? [])].filter((node) => node !== s.self && !s.weights.get(app)?.has(node));
  const names = silent.map((node) => node.name).join(', ');
  const who =
    pending.wait === 'anybody'
      ? 'any node to start it'
      : pending.wait === 'weights'
        ? `the weight of ${names}, which comes when it is started there`
        : `${pending.wait.name} to start it`;
  fx.push({ do: 'log', level: 'notice', text: `the start of ${app.name} waits for ${who}`, terms: [] });
  return evaluate(s, app, fx, around);
}
