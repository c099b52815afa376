// What dist_ac asks other nodes about now and then, since no message tells it: who waits behind a node that starts
// nothing (dist_ac_displaced), and who has started what a node may not run any more (dist_ac_candidates). It is asked
// in processes of their own, which tell dist_ac by message.
import type { Process } from '../erts/process.js';
import type { Atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { type Candidate, candidatesFound } from './dist_ac_candidates.js';
import { displaced, mayWait } from './dist_ac_displaced.js';
import type { DistAcOptions } from './dist_ac_options.js';
import type { Around, Effect, State } from './dist_ac_state.js';
import { LocalEvents } from './local_events.js';

/** While an application runs behind a node that ranks higher, the others are asked every so often. */
const ASK_EVERY_MS = 5000;

type OwnEvent =
  | { readonly type: 'displaced' }
  | {
      readonly type: 'candidates';
      readonly app: Atom;
      readonly token: number;
      readonly found: readonly Candidate[];
    };

export interface WatchHost {
  state(): State;
  change(self: Process, change: (s: State, fx: Effect[], around: Around) => State): void;
}

export class Watch {
  readonly #options: DistAcOptions;
  readonly #host: WatchHost;
  readonly #events = new LocalEvents<OwnEvent>();
  #asking = false;

  constructor(options: DistAcOptions, host: WatchHost) {
    this.#options = options;
    this.#host = host;
  }

  /** The state has changed. */
  changed(self: Process): void {
    if (this.#asking || displaced(this.#host.state()).length === 0) return;
    this.#asking = true;
    this.#events.postAfter(self, ASK_EVERY_MS, { type: 'displaced' });
  }

  /** Asks these nodes whether they have started it; the answers come to `candidatesFound`. */
  askAll(self: Process, app: Atom, nodes: readonly Atom[], token: number): void {
    void Promise.all(nodes.map((node) => this.ask(self, app, node))).then((found) => {
      if (self.alive) this.#events.post(self, { type: 'candidates', app, token, found });
    });
  }

  /** Asks a node whether it has started it, in a process of its own. */
  async ask(self: Process, app: Atom, node: Atom): Promise<Candidate> {
    const { askCandidate } = this.#options;
    const silent: Candidate = { node, started: undefined, waits: false };
    if (askCandidate === undefined) return silent;
    return await new Promise((resolve) => {
      const process = self.system.spawn(async (asker) => resolve(await askCandidate(asker, node, app)));
      process.signal.addEventListener('abort', () => resolve(silent), { once: true });
    });
  }

  /** Takes the messages of the helping processes and timers; false for all others. */
  arrived(self: Process, message: Term): boolean {
    const event = this.#events.of(message);
    if (event === undefined) return false;
    if (event.type === 'candidates') {
      const { app, token, found } = event;
      this.#host.change(self, (s, fx, around) => candidatesFound(s, app, token, found, fx, around));
    } else {
      this.#asking = false;
      this.#openWaits(self);
      this.changed(self);
    }
    return true;
  }

  #openWaits(self: Process): void {
    const state = this.#host.state();
    const places = displaced(state);
    const nodes = mayWait(state, places);
    const { openWaits } = this.#options;
    if (nodes.length === 0 || openWaits === undefined) return;
    self.system.spawn((asker) => openWaits(asker, nodes, places));
  }
}
