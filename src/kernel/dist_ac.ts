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
import type { NodeEvent } from '../erts/system.js';
import { type From, reply } from '../stdlib/gen.js';
import { type GenServer, type Step, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { keyOf } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { askCandidates } from './dist_ac_candidates.js';
import { distributedAppls, distributionSpec } from './dist_ac_config.js';
import * as control from './dist_ac_control.js';
import { Introductions } from './dist_ac_introductions.js';
import { peerMessage } from './dist_ac_messages.js';
import { DIST_AC, type DistAcOptions, RELEASE } from './dist_ac_options.js';
import { announceAgain, nodeDown, peerArrived, restartTimeOver } from './dist_ac_peers.js';
import { look, places } from './dist_ac_start.js';
import { StartLock } from './dist_ac_start_lock.js';
import {
  type Around,
  type Effect,
  initialState,
  type State,
  stateToTerm,
  type TimerKind,
} from './dist_ac_state.js';
import { Watch } from './dist_ac_watch.js';
import { WeightLoops } from './dist_ac_weight.js';
import { LocalEvents } from './local_events.js';

const GO = atom('go');
const TOOK_CONTROL = atom('dist_ac_took_control');
const AC = atom('application_controller');
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
const NOT_ALLOWED = atom('not_allowed');
const AC_LOAD = atom('ac_load_application_req');
const AC_UNLOADED = atom('ac_application_unloaded');
const AC_START = atom('ac_start_application_req');
const AC_RUN = atom('ac_application_run');
const AC_NOT_RUN = atom('ac_application_not_run');
const AC_NOT_STARTED = atom('ac_application_not_started');
const AC_STOPPED = atom('ac_application_stopped');

/** How long a start waits for a lock of somebody else on this node before it tries again. */
const LOCK_RETRY_MS = 100;

/** The registered name `dist_ac`; it waits for `{go, Pid}` before it does anything of its own. */
export function startDistAc(supervisor: Process, options: DistAcOptions): Promise<StartResult> {
  return startLink(supervisor, new DistAc(options), [], { name: DIST_AC });
}

/** What this node's own code tells dist_ac in its mailbox; no message of a peer can stand for it. */
type OwnEvent =
  | { readonly type: 'node'; readonly up: boolean; readonly node: Atom; readonly creation: number }
  | { readonly type: 'timer'; readonly what: TimerKind; readonly app: Atom; readonly token: number };

/** A step of the machine: a new state, and what is to be done. */
type Change = (s: State, fx: Effect[], around: Around) => State;

class DistAc implements GenServer<State> {
  readonly module: Atom = DIST_AC;
  readonly #options: DistAcOptions;
  readonly #events = new LocalEvents<OwnEvent>();
  #letGo = false;
  /** What has to wait until the introductions are over. */
  #queue: ((self: Process) => void)[] | undefined = [];
  /** What steps return is a copy of this: some changes happen between messages. */
  #state: State | undefined;
  readonly #introductions: Introductions;
  readonly #watch: Watch;
  /** Who holds the lock of a caller of permit. */
  readonly #holders = new Map<unknown, Pid>();
  readonly #weights = new WeightLoops();
  readonly #startLock: StartLock;

  constructor(options: DistAcOptions) {
    this.#options = options;
    this.#startLock = new StartLock(options);
    this.#introductions = new Introductions(options, {
      state: () => this.#state as State,
      handle: (self, peer) => this.#do(self, (s, fx, around) => peerArrived(s, peer, fx, around)),
      setAwaiting: (awaiting) => {
        this.#state = { ...(this.#state as State), awaiting };
      },
      synced: (self) => this.#synced(self),
    });
    this.#watch = new Watch(options, {
      state: () => this.#state as State,
      change: (self, change) => this.#do(self, change),
    });
  }

  init(self: Process): { state: State } {
    self.trapExit = true;
    self.asyncDist = true;
    const { system } = self;
    const listener = (event: NodeEvent): void => {
      if (!event.channel.visible) return;
      const { creation } = event.channel;
      this.#events.post(self, { type: 'node', up: event.type === 'up', node: event.node, creation });
    };
    system.nodeListeners.add(listener);
    self.signal.addEventListener('abort', () => system.nodeListeners.delete(listener), { once: true });
    this.#state = initialState(system.node, this.#options.appls);
    // from the start: what somebody starts during our boot waits for its end, and is not taken for a local application
    for (const app of this.#state.appls.keys()) this.#options.takeControl(app, self);
    return { state: this.#state as State };
  }

  formatState(): Term {
    return stateToTerm(this.#state as State);
  }

  // --- messages -----------------------------------------------------------------------------------------------

  handleInfo(message: Term, _state: State, self: Process): Step<State> {
    const event = this.#events.of(message);
    if (event?.type === 'node') this.#nodeEvent(event.up, event.node, event.creation, self);
    else if (event?.type === 'timer') this.#timer(self, event.what, event.app, event.token);
    else if (message instanceof Tuple) this.#arrived(message, self);
    return { state: this.#state as State };
  }

  #arrived(message: Tuple, self: Process): void {
    const peer = peerMessage(message);
    if (peer !== undefined) {
      if (peer.type === 'weight' && this.#weights.loop(peer.app, peer.node, self.system.clock.now())) return;
      if (peer.type === 'new_node' && this.#introductions.comesEarly(peer)) return;
      this.#do(self, (s, fx, around) => peerArrived(s, peer, fx, around));
      if (peer.type === 'new_node') this.#introductions.answered(self);
      return;
    }
    if (this.#introductions.arrived(self, message) || this.#watch.arrived(self, message)) return;
    const [tag, a, b] = message.elements;
    if (tag === GO && a instanceof Pid) this.#go(self, a);
    else if (a instanceof Atom) this.#afterSync(self, () => this.#controller(self, tag as Term, a, b));
  }

  #nodeEvent(up: boolean, node: Atom, creation: number, self: Process): void {
    if (up) {
      this.#introductions.nodeUp(self, node, creation);
      return;
    }
    this.#introductions.nodeDown(self, node, creation);
    this.#do(self, (s, fx, around) => nodeDown(s, node, fx, around));
    this.#introductions.answered(self);
  }

  /** From our application controller. */
  #controller(self: Process, tag: Term, app: Atom, result: Term | undefined): void {
    if (tag === AC_START) this.#start(self, app);
    else this.#do(self, (s, fx, around) => fromController(s, tag, app, result, fx, around));
  }

  #start(self: Process, app: Atom): void {
    if (!this.#startLock.lets(self, app)) self.sendAfter(LOCK_RETRY_MS, self.pid, tuple(AC_START, app));
    else this.#do(self, (s, fx, around) => control.startRequested(s, app, fx, around));
  }

  #timer(self: Process, what: TimerKind, app: Atom, token: number): void {
    this.#do(self, (s, fx, around) => {
      switch (what) {
        case 'restart':
          return restartTimeOver(s, app, token, fx, around);
        case 'announce':
          return announceAgain(s, app, fx);
        case 'permit':
          return control.permitTimeOver(s, app, token, fx);
        case 'candidates':
          return askCandidates(s, app, token, fx);
        case 'look':
          return look(s, app, token, fx, around);
        default:
          return s;
      }
    });
  }

  // --- calls --------------------------------------------------------------------------------------------------

  /** Nobody casts: OTP's would end, and its node with it. */
  handleCast(): Step<State> {
    return { state: this.#state as State };
  }

  handleCall(request: Term, from: From, _state: State, self: Process): Step<State> {
    const state = this.#state as State;
    if (request === INFO) return { state, reply: stateToTerm(state) };
    if (request === GET_KNOWN_NODES) return { state, reply: [...state.known] };
    if (isTagged(request, GET_NODES, 2)) {
      const appl = state.appls.get(request.elements[1] as Atom);
      const nodes = appl === undefined ? [] : control.aliveNodes(state, appl);
      return { state, reply: nodes };
    }
    // whatever changes something is for this node's own processes
    if (from.pid.node !== self.node) return { state, reply: tuple(ERROR, NOT_ALLOWED) };
    if (request instanceof Tuple) {
      this.#afterSync(self, () => this.#request(self, request.elements, from));
    }
    return { state: this.#state as State };
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
      void this.#permit(self, app, a, c === ONLY_LOADED, from);
    } else if (tag === LOAD_APPLICATION) this.#load(self, app, a as Term, from);
  }

  /** What may not run here any more is taken over by the nodes behind us: they are made ready for it first. */
  async #permit(self: Process, app: Atom, bool: boolean, onlyLoaded: boolean, from: From): Promise<void> {
    const { expectTakeover } = this.#options;
    const successors = bool ? [] : control.successors(this.#state as State, app);
    await Promise.all(successors.map((node) => expectTakeover?.(app, node)));
    const others = bool || onlyLoaded ? [] : control.candidatesFor(this.#state as State, app);
    const found = await Promise.all(others.map((node) => this.#watch.ask(self, app, node)));
    if (!self.alive) return;
    const idle = new Set(found.filter(({ started }) => started === false).map(({ node }) => node));
    this.#do(self, (s, fx, around) => control.permit(s, app, bool, onlyLoaded, idle, from, fx, around));
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

  // --- introductions ------------------------------------------------------------------------------------------

  #go(self: Process, kernelConfig: Pid): void {
    if (this.#letGo) return;
    this.#letGo = true;
    self.send(kernelConfig, TOOK_CONTROL);
    this.#introductions.begin(self);
  }

  #synced(self: Process): void {
    const queue = this.#queue;
    this.#queue = undefined;
    this.#options.onSynced?.();
    for (const waiting of queue ?? []) waiting(self);
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
    this.#watch.changed(self);
  }

  #around(self: Process): Around {
    const { system } = self;
    const { weight, permission, startedHere } = this.#options;
    return {
      connected: new Set(system.channels().map((channel) => channel.node)),
      weight,
      permission,
      startedHere,
      stuck: this.#startLock.stuck(),
      rejoin: this.#options.heal === 'rejoin',
      now: () => system.clock.now(),
    };
  }

  /** In a process of its own: nodes are asked, and may be slow. */
  #openCircles(self: Process, nodes: readonly Atom[]): void {
    const { openCircles } = this.#options;
    if (openCircles === undefined) return;
    const known = places(this.#state as State);
    self.system.spawn(async (asker) => {
      await openCircles(asker, nodes, known);
    });
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
        void this.#options.expectTakeover?.(effect.app, effect.node);
        break;
      case 'introduce':
        this.#introductions.introduce(self, effect.node);
        break;
      case 'candidates':
        this.#watch.askAll(self, effect.app, effect.nodes, effect.token);
        break;
      case 'circles':
        this.#openCircles(self, effect.nodes);
        break;
      case 'announced':
        this.#options.announced?.(effect.app, effect.node, effect.failed);
        break;
      case 'timer':
        this.#events.postAfter(self, effect.ms, {
          type: 'timer',
          what: effect.what,
          app: effect.app,
          token: effect.token,
        });
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

export { DIST_AC, type DistAcOptions } from './dist_ac_options.js';
