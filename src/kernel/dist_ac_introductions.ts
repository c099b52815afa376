// Introductions: at boot to every visible node, under the lock `{dist_ac, sync_dacs}`; and again, if so configured,
// to nodes that come back after the network was torn (OTP: dist_ac:sync_dacs, which knows only the boot).
//
// Everything that takes time is done by processes of its own, which tell dist_ac by message.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { Blocked } from './dist_ac_circles.js';
import { configuredNodes } from './dist_ac_heal.js';
import { newNode, type PeerMessage } from './dist_ac_messages.js';
import { DIST_AC, type DistAcOptions, RELEASE } from './dist_ac_options.js';
import { places } from './dist_ac_start.js';
import type { State } from './dist_ac_state.js';
import { LocalEvents } from './local_events.js';

const SYNC_DACS = atom('sync_dacs');

/** After so long without the lock we go on without: who holds it may be waiting for us. */
const LOCK_WITHIN_MS = 15_000;
/** After so long without all answers the lock is given back: somebody may need it to answer. */
const UNLOCK_MS = 5000;
/** After so long without all answers we look who waits for whom; then again with growing pauses. */
const UNANSWERED_MS = 5000;
const LONGEST_PAUSE_MS = 60_000;
/** After so long without all answers we go on; who answers later is known from then on. */
const GIVE_UP_MS = 30_000;
/** A node that comes back is introduced after this time: if it has booted, it does so itself. */
const REJOIN_AFTER_MS = 1000;
const REDIAL_EVERY_MS = 5000;
const MAX_EARLY = 1000;

/** What the helping processes and timers tell. */
type OwnEvent =
  | { readonly type: 'locked' | 'late' | 'unanswered' | 'redial' }
  | { readonly type: 'blocked'; readonly blocked: readonly Blocked[] }
  | { readonly type: 'found'; readonly node: Atom; readonly pid: Pid | undefined }
  | { readonly type: 'rejoin'; readonly node: Atom };

/** The state of dist_ac as far as introductions concern it. */
export interface IntroductionsHost {
  state(): State;
  /** Handles a message of another dist_ac. */
  handle(self: Process, message: PeerMessage): void;
  setAwaiting(awaiting: ReadonlySet<Atom>): void;
  /** All nodes have answered, or the time for that is over. */
  synced(self: Process): void;
}

export class Introductions {
  readonly #options: DistAcOptions;
  readonly #host: IntroductionsHost;
  readonly #events = new LocalEvents<OwnEvent>();
  /** Nodes whose `dist_ac` is being looked up. */
  readonly #looking = new Set<Atom>();
  /** Nodes whose connection was lost, by their creation then: with another one they have restarted. */
  readonly #lost = new Map<Atom, number>();
  /** Introductions that came before we hold the lock. */
  readonly #early: PeerMessage[] = [];
  #pauseMs = UNANSWERED_MS / 2;
  #phase: 'locking' | 'introducing' | 'synced' = 'locking';
  #locker: Pid | undefined;
  /** Whether lost nodes will be dialled again. */
  #redial = false;

  constructor(options: DistAcOptions, host: IntroductionsHost) {
    this.#options = options;
    this.#host = host;
  }

  /** The boot: takes the lock, and holds it until all have answered. */
  begin(self: Process): void {
    const nodes = [self.node, ...self.system.nodes()];
    const { setLock, delLock } = this.#options;
    this.#events.postAfter(self, LOCK_WITHIN_MS, { type: 'locked' });
    this.#locker = self.spawnLink(async (locker) => {
      const id = tuple(DIST_AC, SYNC_DACS);
      try {
        await setLock(locker, id, nodes);
      } finally {
        this.#events.post(self, { type: 'locked' });
      }
      await locker.receive((message) => (message === RELEASE ? true : undefined), UNLOCK_MS);
      await delLock(locker, id, nodes);
    });
  }

  /**
   * Whether an introduction has to wait until we hold the lock. Answered earlier, the other node would go on to
   * its starts and could wait for one of ours with its own lock set, which we need first.
   */
  comesEarly(message: PeerMessage): boolean {
    if (this.#phase !== 'locking') return false;
    if (this.#early.length < MAX_EARLY) this.#early.push(message);
    return true;
  }

  /** Takes the messages of the helping processes and timers; false for all others. */
  arrived(self: Process, message: Term): boolean {
    const event = this.#events.of(message);
    switch (event?.type) {
      case 'locked':
        this.#introduce(self);
        return true;
      case 'found':
        this.#found(self, event.node, event.pid);
        return true;
      case 'late':
        this.#synced(self);
        return true;
      case 'blocked':
        this.#blocked(self, event.blocked);
        return true;
      case 'unanswered':
        this.#unanswered(self);
        return true;
      case 'rejoin':
        this.#rejoin(self, event.node);
        return true;
      case 'redial':
        this.#dialLost(self);
        return true;
      default:
        return false;
    }
  }

  /** To every visible node that is not known yet: of now, and never again. */
  #introduce(self: Process): void {
    if (this.#phase !== 'locking') return;
    this.#phase = 'introducing';
    const { known } = this.#host.state();
    this.#lookFor(
      self,
      self.system.nodes().filter((node) => !known.includes(node)),
    );
    this.#events.postAfter(self, UNANSWERED_MS, { type: 'unanswered' });
    this.#events.postAfter(self, GIVE_UP_MS, { type: 'late' });
    for (const message of this.#early.splice(0)) this.#host.handle(self, message);
    this.answered(self);
  }

  /** Looks up the dist_ac of these nodes. */
  #lookFor(self: Process, nodes: readonly Atom[]): void {
    this.#host.setAwaiting(new Set([...this.#host.state().awaiting, ...nodes]));
    for (const node of nodes) {
      this.#looking.add(node);
      self.spawnLink(async (looker) => {
        const pid = await this.#options.whereis(looker, node).catch(() => undefined);
        this.#events.post(self, { type: 'found', node, pid });
      });
    }
  }

  #found(self: Process, node: Atom, pid: Pid | undefined): void {
    if (!this.#looking.delete(node)) return;
    const state = this.#host.state();
    const introduction = newNode(self.node, state.appls.values(), []);
    if (pid !== undefined) self.send(pid, introduction);
    else if (state.known.includes(node)) self.send(tuple(DIST_AC, node), introduction);
    else this.#host.setAwaiting(new Set([...state.awaiting].filter((other) => other !== node)));
    this.answered(self);
  }

  /** In sync when every node we introduced ourselves to has answered or is gone. */
  answered(self: Process): void {
    const nodes = self.system.nodes();
    for (const node of this.#looking) if (!nodes.includes(node)) this.#looking.delete(node);
    if (this.#phase !== 'introducing' || this.#looking.size > 0) return;
    if (this.#host.state().awaiting.size === 0) this.#synced(self);
  }

  /** Who does not answer may wait for others that do not answer either. */
  #unanswered(self: Process): void {
    const state = this.#host.state();
    if (state.awaiting.size === 0) return;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#events.postAfter(self, this.#pauseMs, { type: 'unanswered' });
    const { openCircles } = this.#options;
    if (openCircles === undefined) return;
    const there = self.system.nodes();
    const nodes = new Set(
      [...configuredNodes(state), ...state.awaiting].filter((node) => there.includes(node)),
    );
    self.spawn(async (asker) => {
      const blocked = await openCircles(asker, [...nodes], places(state));
      this.#events.post(self, { type: 'blocked', blocked });
    });
  }

  /**
   * If all nodes that take part wait, one of those that know us for a start, and none has a start to announce, then
   * nobody but us starts anything: we go on without the other answers.
   */
  #blocked(self: Process, blocked: readonly Blocked[]): void {
    if (this.#phase !== 'introducing') return;
    const { known } = this.#host.state();
    const there = self.system.nodes();
    const others = [...configuredNodes(this.#host.state())].filter((node) => there.includes(node));
    const allWait = others.every((node) =>
      blocked.some((one) => one.node === node && one.started.length === 0),
    );
    const forUs = blocked.some((one) => one.waits === 'start' && known.includes(one.node));
    if (allWait && forUs) this.#synced(self);
  }

  #synced(self: Process): void {
    if (this.#phase === 'synced') return;
    this.#phase = 'synced';
    const { awaiting } = this.#host.state();
    if (awaiting.size > 0) {
      const names = [...awaiting].map((node) => node.name).join(', ');
      self.system.log('warning', `dist_ac: ${names} did not answer our introduction; going on without`);
    }
    if (this.#locker !== undefined) self.send(this.#locker, RELEASE);
    this.#host.synced(self);
  }

  // --- nodes that come back -----------------------------------------------------------------------------------

  /** Before the node is forgotten. */
  nodeDown(self: Process, node: Atom, creation: number): void {
    for (let i = this.#early.length - 1; i >= 0; i--) {
      const early = this.#early[i];
      if (early?.type === 'new_node' && early.node === node) this.#early.splice(i, 1);
    }
    if (this.#host.state().known.includes(node)) this.#lost.set(node, creation);
    if (this.#options.heal === 'rejoin' && !this.#redial) this.#dialLater(self);
  }

  #dialLost(self: Process): void {
    this.#redial = false;
    if (this.#lost.size === 0) return;
    for (const node of this.#lost.keys()) this.#options.connect?.(node);
    this.#dialLater(self);
  }

  #dialLater(self: Process): void {
    this.#redial = true;
    this.#events.postAfter(self, REDIAL_EVERY_MS, { type: 'redial' });
  }

  /** A node that was lost and has not restarted does not introduce itself. */
  nodeUp(self: Process, node: Atom, creation: number): void {
    const before = this.#lost.get(node);
    this.#lost.delete(node);
    if (this.#phase !== 'synced') return;
    const state = this.#host.state();
    if (this.#options.heal === 'rejoin') {
      if (!configuredNodes(state).has(node)) return;
      if (before === creation) this.#introduceAgain(self, node);
      else this.#events.postAfter(self, REJOIN_AFTER_MS, { type: 'rejoin', node });
    } else if (before === creation) warnOfTwoSides(self, state, node);
  }

  /**
   * At once: what runs on both sides is to be settled before global finds two processes of one name and kills one,
   * which ends an application that nobody stopped. That the node has a dist_ac we know from before.
   */
  #introduceAgain(self: Process, node: Atom): void {
    self.system.log(
      'warning',
      `${node.name} is back after the connection was lost, and neither node has restarted: introducing us again (heal: 'rejoin')`,
    );
    this.introduce(self, node);
  }

  /** Introduces us to the dist_ac of a node, unless it knows us or is about to. */
  introduce(self: Process, node: Atom): void {
    const state = this.#host.state();
    if (this.#phase !== 'synced' || state.known.includes(node) || state.awaiting.has(node)) return;
    this.#host.setAwaiting(new Set([...state.awaiting, node]));
    self.send(tuple(DIST_AC, node), newNode(self.node, state.appls.values(), []));
  }

  #rejoin(self: Process, node: Atom): void {
    const { known, awaiting } = this.#host.state();
    if (known.includes(node) || awaiting.has(node) || !self.system.nodes().includes(node)) return;
    this.#lookFor(self, [node]);
  }
}

function warnOfTwoSides(self: Process, state: State, node: Atom): void {
  const running = [...state.appls.values()]
    .filter((appl) => appl.id === 'local')
    .map((appl) => appl.name.name);
  const here = running.length === 0 ? 'nothing' : running.join(', ');
  self.system.log(
    'warning',
    `${node.name} is back after the connection was lost, and neither node has restarted: their dist_ac do not know ` +
      `each other any more. What runs on both sides goes on there (here: ${here}) until the nodes of one side are ` +
      `restarted; heal: 'rejoin' would settle it`,
  );
}
