// The ticktime of a node, and its change over time (OTP: net_kernel:set_net_ticktime/1,2).
//
// A change is announced to nobody, so the nodes of a cluster are changed one after the other within a transition
// period: during it ticks are sent at the shorter of both intervals, and the peers judged by the longer one.
import type { Clock } from '../erts/timer.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';

const ONGOING_CHANGE_TO = atom('ongoing_change_to');

const TRANSITION_SECONDS = 60;

/** What a new ticktime is applied to: the live connections. */
export interface Ticking {
  /** Judges peers by, and ticks at, that ticktime. */
  readonly apply: (ticktimeMs: number) => void;
  /** One tick to everybody, out of turn. */
  readonly tick: () => void;
}

export type TicktimeChange = 'unchanged' | 'change_initiated' | { readonly ongoingChangeTo: number };

export class Ticktime {
  readonly #clock: Clock;
  readonly #intensity: number;
  readonly #ticking: Ticking;
  #ms: number;
  /** The ticktime in ms that a transition under way leads to. */
  #target: number | undefined;
  #timer: unknown;

  constructor(clock: Clock, ms: number, intensity: number, ticking: Ticking) {
    this.#clock = clock;
    this.#ms = ms;
    this.#intensity = intensity;
    this.#ticking = ticking;
  }

  /** What connections are judged by now, in milliseconds. */
  get ms(): number {
    return this.#ms;
  }

  /** `get_net_ticktime/0`, in seconds. */
  get(): number | { readonly ongoingChangeTo: number } {
    if (this.#target !== undefined) return { ongoingChangeTo: Math.floor(this.#target / 1000) };
    return Math.floor(this.#ms / 1000);
  }

  /** The same as a term: seconds, or `{ongoing_change_to, Seconds}`. */
  term(): Term {
    const now = this.get();
    return typeof now === 'number' ? now : tuple(ONGOING_CHANGE_TO, now.ongoingChangeTo);
  }

  /** `set_net_ticktime/2`. A longer time counts at once, a shorter one when the transition ends. */
  set(seconds: number, transitionSeconds: number = TRANSITION_SECONDS): TicktimeChange {
    if (this.#target !== undefined) return { ongoingChangeTo: Math.floor(this.#target / 1000) };
    const intervalMs = Math.max(1, Math.ceil((seconds * 1000) / this.#intensity));
    const target = intervalMs * this.#intensity;
    if (target === this.#ms) return 'unchanged';
    const shorter = Math.min(target, this.#ms) / this.#intensity;
    this.#target = target;
    if (target > this.#ms) this.#count(target);
    this.#transition(shorter, this.#clock.now() + transitionSeconds * 1000);
    return 'change_initiated';
  }

  /** Ends a transition that is under way. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #transition(intervalMs: number, until: number): void {
    this.#ticking.tick();
    const left = until - this.#clock.now();
    const last = left <= intervalMs;
    this.#timer = this.#clock.setTimeout(
      () => {
        if (last) this.#ended();
        else this.#transition(intervalMs, until);
      },
      last ? Math.max(0, left) : intervalMs,
      true,
    );
  }

  #ended(): void {
    const target = this.#target as number;
    this.#target = undefined;
    if (target !== this.#ms) this.#count(target);
  }

  #count(ms: number): void {
    this.#ms = ms;
    this.#ticking.apply(ms);
  }
}
