// After a torn network: nodes that lost each other and did not restart do not know each other any more, and both
// sides may run an application. OTP leaves it so until one side is restarted. With `rejoin` we introduce ourselves
// again, which BEAM nodes answer as they answer a booting node; then the node that ranks higher announces the
// application, and the other one stops its instance.
import { type Atom, atom } from '../terms/atom.js';
import { tuple } from '../terms/tuple.js';
import { compareNames } from './dist_ac_decision.js';
import { type ApplSeen, appStarted } from './dist_ac_messages.js';
import { changeRequest, finished } from './dist_ac_start.js';
import {
  type Appl,
  type Around,
  distributedAt,
  type Effect,
  flatNodes,
  type State,
  withId,
} from './dist_ac_state.js';

const STARTED = atom('started');

/** Settles what runs at that node, as its introduction says, and here or where we are a standby of it. */
export function settleDoubles(s: State, node: Atom, seen: readonly ApplSeen[], fx: Effect[]): State {
  let next = s;
  for (const { name, local } of seen) {
    const appl = next.appls.get(name);
    if (!local || appl === undefined) continue;
    const other = appl.id === 'local' ? next.self : distributedAt(appl.id);
    if (other === undefined || other === node || !next.known.includes(other)) continue;
    const winner = outranks(appl, other, node) ? other : node;
    ranTwice(next, name, other, node, winner, fx);
    if (winner === other) continue;
    changeRequest(fx, name, tuple(STARTED, winner));
    next = finished(withId(next, name, { distributed: winner }), name);
  }
  return next;
}

/** So long an announcement counts as that of a start that was under way. */
const UNAWARE_MS = 15_000;

/**
 * A node that answers our introduction while it starts what runs here has not heard in time; what it will announce
 * is not meant as the order to stop that an announcement is.
 */
export function startsUnaware(s: State, node: Atom, seen: readonly ApplSeen[], around: Around): State {
  const unaware = seen.flatMap(({ name, starting }) => {
    const appl = s.appls.get(name);
    const loses = starting && appl?.id === 'local' && outranks(appl, s.self, node);
    return loses ? [{ app: name, node, at: around.now() }] : [];
  });
  return { ...s, unaware: [...s.unaware.filter((entry) => entry.node !== node), ...unaware] };
}

/** Whether the announcement is that of such a start. */
export function startedUnaware(s: State, node: Atom, app: Atom, around: Around): boolean {
  const entry = s.unaware.find((one) => one.app === app && one.node === node);
  return entry !== undefined && s.appls.get(app)?.id === 'local' && around.now() - entry.at < UNAWARE_MS;
}

/** Answers it with ours: the last announcement wins. */
export function staysHere(s: State, node: Atom, app: Atom, fx: Effect[]): State {
  ranTwice(s, app, s.self, node, s.self, fx);
  return startKnown(s, node, app);
}

/** Such a start has ended. */
export function startKnown(s: State, node: Atom, app: Atom): State {
  return { ...s, unaware: s.unaware.filter((entry) => entry.app !== app || entry.node !== node) };
}

/** Says who goes on, not only to the one that stops: who was on its side counts on it, or runs it, too. */
function ranTwice(s: State, app: Atom, one: Atom, other: Atom, winner: Atom, fx: Effect[]): void {
  fx.push({
    do: 'log',
    level: 'warning',
    text:
      `${app.name} ran on ${one.name} and on ${other.name}, which did not know of each other: ` +
      `it goes on on ${winner.name}, which ranks higher, and stops on the other node`,
    terms: [],
  });
  for (const known of s.known) {
    if (known !== s.self && known !== winner)
      fx.push({ do: 'send', node: known, message: appStarted(winner, app, undefined) });
  }
}

/** Tells a node that was introduced again what runs here and not there: it may believe what was so before. */
export function tellRunning(s: State, node: Atom, seen: readonly ApplSeen[], fx: Effect[]): void {
  for (const { name, local } of seen) {
    if (local || s.appls.get(name)?.id !== 'local') continue;
    fx.push({ do: 'send', node, message: appStarted(s.self, name, undefined) });
  }
}

/** An earlier element of the list ranks higher; inside a tuple the smaller name, whose global names survive, too. */
function outranks(appl: Appl, a: Atom, b: Atom): boolean {
  const rank = (node: Atom): number => {
    const at = appl.nodes.findIndex(
      (entry) => entry === node || (Array.isArray(entry) && entry.includes(node)),
    );
    return at < 0 ? appl.nodes.length : at;
  };
  return rank(a) === rank(b) ? compareNames(a, b) < 0 : rank(a) < rank(b);
}

/** The nodes that are configured for an application of ours. */
export function configuredNodes(s: State): Set<Atom> {
  const nodes = new Set([...s.appls.values()].flatMap((appl) => flatNodes(appl.nodes)));
  nodes.delete(s.self);
  return nodes;
}
