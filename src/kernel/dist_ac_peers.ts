// What dist_ac does when another node tells it something, or goes down (OTP's dist_ac:handle_info).

import { type Atom, atom } from '../terms/atom.js';
import { tuple } from '../terms/tuple.js';
import { permissionTaken, settled } from './dist_ac_candidates.js';
import {
  settleDoubles,
  startedUnaware,
  startKnown,
  startsUnaware,
  staysHere,
  tellRunning,
} from './dist_ac_heal.js';
import { appLoaded, appStarted, newNode, type PeerMessage, type StartError } from './dist_ac_messages.js';
import { changeRequest, evaluate, giveUp, roundOver, runsAt, startAppl } from './dist_ac_start.js';
import {
  type Appl,
  type Around,
  distributedAt,
  type Effect,
  equalNodes,
  failoverFrom,
  isLoaded,
  type NodeList,
  remember,
  type State,
  withAppl,
  withId,
  withKey,
  withoutKey,
  withRun,
} from './dist_ac_state.js';
import { weightArrived } from './dist_ac_weight.js';

const OK = atom('ok');
const STARTED = atom('started');
const STOP_IT = atom('stop_it');
const NOT_RUNNING = atom('not_running');

/** A start that failed elsewhere is answered with "it still runs here" after so long: when all have heard the first. */
const ANNOUNCE_AGAIN_MS = 250;

type Message<T extends PeerMessage['type']> = Extract<PeerMessage, { type: T }>;

/** Handles a message of another dist_ac. */
export function peerArrived(s: State, m: PeerMessage, fx: Effect[], around: Around): State {
  switch (m.type) {
    case 'new_node':
      return introduced(s, m, fx, around);
    case 'app_loaded':
      return loadedElsewhere(s, m, fx, around);
    case 'app_unloaded':
      return unloadedElsewhere(s, m);
    case 'weight':
      return weightArrived(s, m, fx, around);
    case 'app_started':
      return m.error === undefined
        ? startedElsewhere(s, m.node, m.app, fx, around)
        : failedElsewhere(s, m.node, m.app, m.error, fx, around);
    case 'app_stopped':
      return stoppedElsewhere(s, m.app, fx);
    case 'new_permission':
      return permissionElsewhere(s, m, fx, around);
  }
}

// --- introductions ----------------------------------------------------------------------------------------------

/**
 * An introduction, or the answer to ours: whichever, both sides know each other afterwards. Answered at once,
 * and once per connection: what looks like an introduction may be an answer with nothing started, and two nodes
 * that answer those would never stop.
 */
function introduced(s: State, m: Message<'new_node'>, fx: Effect[], around: Around): State {
  if (m.node === s.self || !around.connected.has(m.node)) return s;
  if (s.awaiting.has(m.node)) {
    const awaiting = new Set(s.awaiting);
    awaiting.delete(m.node);
    const heard = m.started
      .filter((app) => !s.remoteStarted.some((entry) => entry.app === app && entry.node === m.node))
      .map((app) => ({ node: m.node, app }));
    const answered = { ...s, awaiting, remoteStarted: [...s.remoteStarted, ...heard] };
    if (around.rejoin) tellRunning(s, m.node, m.appls, fx);
    // after a boot nothing runs here yet, unless we went on without this answer
    const settled = settleDoubles(becomesKnown(answered, m, fx), m.node, m.appls, fx);
    return waitersLookAgain(startsUnaware(settled, m.node, m.appls, around), fx, around);
  }
  if (m.started.length > 0 || s.known.includes(m.node)) return s;
  const local = [...s.appls.values()].filter((appl) => appl.id === 'local');
  const running = local.map((appl) => appl.name);
  for (const appl of local) expectTakeover(s, appl, m.node, fx);
  fx.push({ do: 'send', node: m.node, message: newNode(s.self, s.appls.values(), running) });
  const next = becomesKnown(s, m, fx);
  return waitersLookAgain(around.rejoin ? settleDoubles(next, m.node, m.appls, fx) : next, fx, around);
}

/** A node in an earlier element of the list takes the application over when it starts it. */
function expectTakeover(s: State, appl: Appl, node: Atom, fx: Effect[]): void {
  if (appl.id === 'local' && ranksBefore(appl, node, s.self)) fx.push({ do: 'expect', app: appl.name, node });
}

/** Copies what the node says of itself: its permission, or that it has not loaded the application. */
function becomesKnown(s: State, m: Message<'new_node'>, fx: Effect[]): State {
  let next: State = { ...s, known: s.known.includes(m.node) ? s.known : [m.node, ...s.known] };
  for (const seen of m.appls) {
    const appl = next.appls.get(seen.name);
    if (appl === undefined) continue;
    next = withRun(next, seen.name, m.node, seen.run.get(m.node));
    if (seen.nodes !== undefined) next = compareLists(next, appl, m.node, seen.nodes, fx);
  }
  return next;
}

/** Open decisions may be settled by what a new node runs. */
function waitersLookAgain(s: State, fx: Effect[], around: Around): State {
  let next = s;
  for (const app of s.pending.keys()) next = evaluate(next, app, fx, around);
  return next;
}

/** Lists that differ: OTP's receiver goes down. We stay, say so, and do not start it while that node is there. */
export function compareLists(s: State, appl: Appl, node: Atom, nodes: NodeList, fx: Effect[]): State {
  const others = s.mismatched.filter((entry) => entry.app !== appl.name || entry.node !== node);
  if (equalNodes(appl.nodes, nodes)) return { ...s, mismatched: others };
  if (others.length === s.mismatched.length) {
    fx.push({
      do: 'log',
      level: 'error',
      text:
        `dist_ac on node ${s.self.name}: Distribution mismatch for application "${appl.name.name}" on nodes ` +
        `${s.self.name} and ${node.name}. It is not started here until their node lists in \`distributed\` agree.`,
      terms: [],
    });
  }
  return { ...s, mismatched: remember(others, { app: appl.name, node }) };
}

// --- loading ----------------------------------------------------------------------------------------------------

function loadedElsewhere(s: State, m: Message<'app_loaded'>, fx: Effect[], around: Around): State {
  const appl = s.appls.get(m.app);
  if (appl === undefined || !isLoaded(appl, s.self)) {
    const others = s.distLoaded.filter((entry) => entry.app !== m.app || entry.node !== m.node);
    const entry = { app: m.app, node: m.node, nodes: m.nodes, permission: m.permission };
    return { ...s, distLoaded: remember(others, entry) };
  }
  expectTakeover(s, appl, m.node, fx);
  const compared = compareLists(s, appl, m.node, m.nodes, fx);
  if (!equalNodes(appl.nodes, m.nodes)) return compared;
  if (!m.heKnowsMe) {
    const permission = appl.run.get(s.self) === true;
    fx.push({
      do: 'send',
      node: m.node,
      message: appLoaded(s.self, m.app, appl.nodes, permission, true),
    });
  }
  if (appl.id === 'local' && !s.known.includes(m.node) && !ranksBefore(appl, m.node, s.self)) {
    // it was never introduced, so it would wait for an announcement that nobody makes
    fx.push({ do: 'introduce', node: m.node });
    fx.push({ do: 'send', node: m.node, message: appStarted(s.self, m.app, undefined) });
  }
  return evaluate(withRun(compared, m.app, m.node, m.permission), m.app, fx, around);
}

function unloadedElsewhere(s: State, m: Message<'app_unloaded'>): State {
  const next = withRun(s, m.app, m.node, undefined);
  return { ...next, distLoaded: s.distLoaded.filter((e) => e.app !== m.app || e.node !== m.node) };
}

// --- started and stopped ----------------------------------------------------------------------------------------

/** The announcement is an order: whoever runs the application stops it, and everybody is a standby of that node. */
function startedElsewhere(s: State, node: Atom, app: Atom, fx: Effect[], around: Around): State {
  if (node === s.self) return s;
  if (startedUnaware(s, node, app, around)) return staysHere(s, node, app, fx);
  fx.push({ do: 'announced', app, node, failed: false });
  let next: State = settled(s, app, fx);
  next = { ...next, failed: s.failed.filter((e) => e.app !== app || e.node !== node) };
  const appl = next.appls.get(app);
  if (next.pending.has(app)) return releasePermits(runsAt(next, app, node, fx), app, fx);
  if (appl === undefined || !next.started.includes(app)) {
    const others = next.remoteStarted.filter((entry) => entry.app !== app);
    return { ...roundOver(next, app), remoteStarted: remember(others, { node, app }) };
  }
  if (appl.id === 'run_waiting' || appl.id === 'takeover') {
    // we are starting it, too: the last announcement wins, and ours comes last unless the other ranks higher
    if (appl.id === 'run_waiting' && ranksBefore(appl, node, s.self)) {
      return { ...next, yieldTo: withKey(next.yieldTo, app, node) };
    }
    return { ...next, source: withKey(next.source, app, node) };
  }
  changeRequest(fx, app, tuple(STARTED, node));
  next = withId({ ...roundOver(next, app), timers: withoutKey(next.timers, app) }, app, {
    distributed: node,
  });
  return releasePermits(next, app, fx);
}

/** Whether `a` stands in an earlier element of the list than `b`. */
function ranksBefore(appl: Appl, a: Atom, b: Atom): boolean {
  const rank = (node: Atom): number =>
    appl.nodes.findIndex((entry) => entry === node || (Array.isArray(entry) && entry.includes(node)));
  return rank(a) >= 0 && rank(b) >= 0 && rank(a) < rank(b);
}

/** Callers of `permit(App, false)` waited for somebody else to start it. */
function releasePermits(s: State, app: Atom, fx: Effect[]): State {
  for (const request of s.pReqs) {
    if (request.app === app) fx.push({ do: 'reply', from: request.from, result: OK });
  }
  return { ...s, pReqs: s.pReqs.filter((request) => request.app !== app) };
}

/**
 * A start failed at that node. Where OTP takes that, too, for an order to stop, an instance that runs here goes
 * on, and who waited for that node goes on with the next one.
 */
function failedElsewhere(
  s: State,
  node: Atom,
  app: Atom,
  error: NonNullable<StartError>,
  fx: Effect[],
  around: Around,
): State {
  const appl = s.appls.get(app);
  if (node === s.self || appl === undefined) return s;
  fx.push({ do: 'announced', app, node, failed: true });
  const others = s.failed.filter((entry) => entry.app !== app || entry.node !== node);
  let next: State = { ...startKnown(s, node, app), failed: remember(others, { app, node }) };
  const pending = next.pending.get(app);
  if (pending !== undefined) {
    const awaited = pending.wait === node || pending.wait === 'anybody';
    if (awaited && pending.mode === 'reply') return giveUp(next, app, tuple(node, error.reason), fx);
    return evaluate(next, app, fx, around);
  }
  next = candidateGone(next, node, app, fx);
  if (appl.id === 'local' && appl.run.get(s.self) === true) {
    const token = next.tokens + 1;
    fx.push({ do: 'timer', what: 'announce', app, ms: ANNOUNCE_AGAIN_MS, token });
    return { ...next, tokens: token };
  }
  return distributedAt(appl.id) === node ? withId(next, app, 'undefined') : next;
}

/** A node that was to take the application over from us will not; with the last one gone it is just stopped. */
function candidateGone(s: State, node: Atom, only: Atom | undefined, fx: Effect[]): State {
  const sReqs = [...s.sReqs];
  const pReqs = s.pReqs.flatMap((request) => {
    if ((only !== undefined && request.app !== only) || !request.nodes.includes(node)) return [request];
    const nodes = request.nodes.filter((other) => other !== node);
    if (nodes.length > 0) return [{ ...request, nodes }];
    changeRequest(fx, request.app, STOP_IT);
    sReqs.unshift({ app: request.app, from: request.from });
    return [];
  });
  return { ...s, pReqs, sReqs };
}

/** It runs nowhere now. The message does not say who says so; while it runs here we know better. */
function stoppedElsewhere(s: State, app: Atom, fx: Effect[]): State {
  const remoteStarted = s.remoteStarted.filter((entry) => entry.app !== app);
  const id = s.appls.get(app)?.id;
  if (id === undefined || id === 'local' || id === 'run_waiting' || id === 'takeover') {
    return { ...s, remoteStarted };
  }
  return withId(
    { ...settled(s, app, fx), remoteStarted, timers: withoutKey(s.timers, app) },
    app,
    'undefined',
  );
}

function permissionElsewhere(s: State, m: Message<'new_permission'>, fx: Effect[], around: Around): State {
  if (!m.permission) fx.push({ do: 'announced', app: m.app, node: m.node, failed: true });
  let next = withRun(s, m.app, m.node, m.permission);
  const appl = next.appls.get(m.app);
  if (appl === undefined) return next;
  if (!m.permission && m.isHis) next = permissionTaken(next, m.app, m.node, fx);
  else if (s.unpermitted.get(m.app)?.runner === m.node) next = settled(next, m.app, fx);
  if (next.pending.has(m.app)) return evaluate(next, m.app, fx, around);
  const ours = appl.run.get(s.self) === true && next.started.includes(m.app) && around.startedHere(m.app);
  if (m.permission || !m.isHis || !ours) return next;
  return startAppl(next, m.app, 'req', [], fx, around);
}

// --- a node goes down -------------------------------------------------------------------------------------------

/** Forgets all about the node, begins the restart time of what it ran, and looks at every open decision again. */
export function nodeDown(s: State, node: Atom, fx: Effect[], around: Around): State {
  const ran = [...s.appls.values()].filter((appl) => distributedAt(appl.id) === node);
  let next = candidateGone(forgotten(s, node), node, undefined, fx);
  // OTP's order: of equal times the last application of the configuration comes first
  for (const appl of ran.reverse()) next = runnerDied(next, appl, node, fx);
  for (const app of [...next.pending.keys()]) next = evaluate(next, app, fx, around);
  return next;
}

function forgotten(s: State, node: Atom): State {
  const others = <T extends { readonly node: Atom }>(list: readonly T[]): readonly T[] =>
    list.filter((entry) => entry.node !== node);
  let next: State = {
    ...s,
    known: s.known.filter((known) => known !== node),
    awaiting: new Set([...s.awaiting].filter((other) => other !== node)),
    remoteStarted: others(s.remoteStarted),
    distLoaded: others(s.distLoaded),
    mismatched: others(s.mismatched),
    failed: others(s.failed),
    unaware: others(s.unaware),
    overruled: others(s.overruled).filter((entry) => entry.to !== node),
    unpermitted: new Map([...s.unpermitted].filter(([, { runner }]) => runner !== node)),
    weights: new Map([...s.weights].map(([app, told]) => [app, withoutKey(told, node)])),
    informed: new Map(
      [...s.informed].map(([app, nodes]) => [app, new Set([...nodes].filter((n) => n !== node))]),
    ),
    asked: new Map([...s.asked].filter(([, asked]) => asked.node !== node)),
    source: new Map([...s.source].filter(([, from]) => from !== node)),
    yieldTo: new Map([...s.yieldTo].filter(([, to]) => to !== node)),
  };
  for (const appl of next.appls.values()) next = withAppl(next, { ...appl, run: withoutKey(appl.run, node) });
  return next;
}

function runnerDied(s: State, was: Appl, node: Atom, fx: Effect[]): State {
  const app = was.name;
  if (was.run.get(s.self) !== true) {
    changeRequest(fx, app, NOT_RUNNING);
    return withId(s, app, 'undefined');
  }
  const next = withId(s, app, { failover: node });
  if (was.restartTime === 'infinity') return { ...next, timers: withoutKey(next.timers, app) };
  const token = next.tokens + 1;
  fx.push({ do: 'timer', what: 'restart', app, ms: was.restartTime, token });
  return { ...next, tokens: token, timers: withKey(next.timers, app, token) };
}

/** The restart time of an application is over. */
export function restartTimeOver(s: State, app: Atom, token: number, fx: Effect[], around: Around): State {
  if (s.timers.get(app) !== token) return s;
  const next = { ...s, timers: withoutKey(s.timers, app) };
  const id = next.appls.get(app)?.id;
  if (id === undefined || failoverFrom(id) === undefined) return next;
  return startAppl(next, app, 'req', [], fx, around);
}

/** Says again that the application runs here: somebody has told the others that his start of it failed. */
export function announceAgain(s: State, app: Atom, fx: Effect[]): State {
  if (s.appls.get(app)?.id !== 'local') return s;
  for (const node of s.known) {
    if (node !== s.self) fx.push({ do: 'send', node, message: appStarted(s.self, app, undefined) });
  }
  return s;
}
