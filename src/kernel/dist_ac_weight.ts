// Weights: `{dist_ac_weight, App, Weight, Node}` is question and answer in one. Each of ours is matched by one of
// the other node, whenever it decides; one that matches none of ours is a question and gets an answer at once,
// where OTP keeps it until it decides itself (and may never do so).
import type { Atom } from '../terms/atom.js';
import { weightOf } from './dist_ac_messages.js';
import { ANSWER_WITHIN_MS, askKey, evaluate } from './dist_ac_start.js';
import {
  type Around,
  type Asked,
  type Effect,
  failoverFrom,
  flatNodes,
  type State,
  withKey,
  withoutKey,
} from './dist_ac_state.js';

/** The weight we give for an application we do not have: nobody shall wait for us to start it. */
const NEVER = 1_000_000;

export function weightArrived(
  s: State,
  m: { readonly app: Atom; readonly weight: number; readonly node: Atom },
  fx: Effect[],
  around: Around,
): State {
  if (m.node === s.self) return s;
  const id = s.appls.get(m.app)?.id;
  const open =
    s.pending.has(m.app) || id === 'undefined' || (id !== undefined && failoverFrom(id) !== undefined);
  const asked = s.asked.get(askKey(m.app, m.node));
  if (asked !== undefined && isAnswer(s, asked, around.now())) {
    const next = matched(s, asked);
    const counted = open ? evaluate(withWeight(next, m.app, m.node, m.weight), m.app, fx, around) : next;
    return askForOthers(counted, fx, around);
  }
  if (id === 'run_waiting') {
    // whoever asks now has to find that we win
    fx.push({ do: 'send', node: m.node, message: weightOf(m.app, 0, s.self) });
    return s;
  }
  const own = id === undefined ? NEVER : (s.told.get(m.app) ?? around.weight());
  fx.push({ do: 'send', node: m.node, message: weightOf(m.app, own, s.self) });
  if (id === undefined) return s;
  const told = { ...s, told: withKey(s.told, m.app, own) };
  if (!open || !flatNodes(s.appls.get(m.app)?.nodes ?? []).includes(m.node)) return told;
  const informed = new Set(told.informed.get(m.app) ?? []).add(m.node);
  const next = withWeight(
    { ...told, informed: withKey(told.informed, m.app, informed) },
    m.app,
    m.node,
    m.weight,
  );
  return evaluate(next, m.app, fx, around);
}

/** Weights of other applications may have waited for this answer. */
function askForOthers(s: State, fx: Effect[], around: Around): State {
  let next = s;
  for (const [app, { wait }] of s.pending) if (wait === 'weights') next = evaluate(next, app, fx, around);
  return next;
}

function isAnswer(s: State, asked: Asked, now: number): boolean {
  const collecting =
    s.pending.get(asked.app)?.wait === 'weights' && !s.weights.get(asked.app)?.has(asked.node);
  return collecting || now - asked.at < ANSWER_WITHIN_MS;
}

function matched(s: State, asked: Asked): State {
  const key = askKey(asked.app, asked.node);
  if (asked.count === 1) return { ...s, asked: withoutKey(s.asked, key) };
  return { ...s, asked: withKey(s.asked, key, { ...asked, count: asked.count - 1 }) };
}

function withWeight(s: State, app: Atom, node: Atom, weight: number): State {
  return { ...s, weights: withKey(s.weights, app, withKey(s.weights.get(app) ?? new Map(), node, weight)) };
}

/** Weight messages of one node about one application within a second; more are a loop, and one too many ends it. */
const WEIGHTS_PER_SECOND = 50;

/** A weight that answers an answer would go to and fro for ever. */
export class WeightLoops {
  readonly #counts = new Map<string, number>();
  #since = 0;

  /** Counts a weight that arrived; true for the one that is to be dropped. */
  loop(app: Atom, node: Atom, now: number): boolean {
    if (now - this.#since > 1000) {
      this.#counts.clear();
      this.#since = now;
    }
    const key = `${app.name}\0${node.name}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count === WEIGHTS_PER_SECOND;
  }
}
