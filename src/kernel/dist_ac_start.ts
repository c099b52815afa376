// Deciding who starts an application, without ever waiting for the answer: what is still open is kept in
// `State.pending` and looked at again when something happens that may settle it (OTP's dist_ac:start_appl,
// start_distributed and the two wait_dist_start).
import type { From } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { Place } from './dist_ac_circles.js';
import { candidates, type Decision, decide } from './dist_ac_decision.js';
import { weightOf } from './dist_ac_messages.js';
import {
  type Appl,
  type Around,
  distributedAt,
  type Effect,
  failoverFrom,
  flatNodes,
  type Mode,
  type Pending,
  permitted,
  remoteStartedAt,
  type State,
  UNDEFINED,
  withId,
  withKey,
  withoutKey,
} from './dist_ac_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const START_REPLY = atom('ac_start_application_reply');
const CHANGE_REQ = atom('ac_change_application_req');
const START_IT = atom('start_it');
const STARTED = atom('started');
const TAKEOVER = atom('takeover');
const FAILOVER = atom('failover');
const NOT_STARTED = atom('not_started');
const STOP_IT = atom('stop_it');
const APP_NOT_LOADED = atom('app_not_loaded');
const DISTRIBUTION_MISMATCH = atom('distribution_mismatch');
const UNKNOWN_APPLICATION = atom('unknown_application');

/** A decision that waits longer than this is looked at, and reported. */
const LOOK_AFTER_MS = 5000;

/** Begins the decision about an application, or begins it again. */
export function startAppl(
  s: State,
  app: Atom,
  mode: Mode,
  permits: readonly From[],
  fx: Effect[],
  around: Around,
): State {
  const appl = s.appls.get(app);
  const open = s.pending.get(app);
  if (appl?.id === 'local') return answer(s, permits, OK, fx);
  if (mode === 'req' && (appl?.id === 'run_waiting' || appl?.id === 'takeover')) {
    return waitForOwnStart(s, app, permits, fx);
  }
  const pending: Pending = {
    mode: open?.mode === 'reply' ? 'reply' : mode,
    wait: open?.wait ?? 'anybody',
    all: open?.all,
    permits: [...(open?.permits ?? []), ...permits],
    token: s.tokens + 1,
  };
  return evaluate(
    { ...s, tokens: s.tokens + 1, pending: withKey(s.pending, app, pending) },
    app,
    fx,
    around,
    open === undefined,
  );
}

/** Looks again at an open decision; nothing if there is none. */
export function evaluate(s: State, app: Atom, fx: Effect[], around: Around, fresh = false): State {
  const pending = s.pending.get(app);
  if (pending === undefined) return s;
  const appl = s.appls.get(app);
  if (appl === undefined) return giveUp(s, app, tuple(UNKNOWN_APPLICATION, app), fx);
  const reason = refusal(s, appl, around);
  if (reason !== undefined) return giveUp(s, app, reason, fx);
  const failed = new Set(s.failed.filter((entry) => entry.app === app).map((entry) => entry.node));
  const may = permitted(appl).filter(
    (node) => !failed.has(node) && !around.stuck.has(node) && (pending.all?.has(node) ?? true),
  );
  const all = candidates(appl.nodes, may);
  const own = s.told.get(app) ?? around.weight();
  const decision = decide({
    self: s.self,
    nodes: appl.nodes,
    all,
    distributedAt: distributedAt(appl.id),
    remoteStartedAt: remoteStartedAt(s, app),
    known: new Set(s.known),
    weights: new Map(s.weights.get(app) ?? []).set(s.self, own),
  });
  const informed =
    decision.kind === 'ask' || (decision.kind === 'choose' && decision.byWeight)
      ? inform(s, app, own, all, decision, fx, around)
      : s;
  return act(informed, appl, pending, all, decision, fx, around, fresh);
}

/** Why the application must not be started now. */
function refusal(s: State, appl: Appl, around: Around): Tuple | undefined {
  const other = s.mismatched.find((entry) => entry.app === appl.name && around.connected.has(entry.node));
  if (other !== undefined) return tuple(DISTRIBUTION_MISMATCH, appl.name, other.node);
  const unloaded = [...appl.run].filter(([, permission]) => permission === undefined).map(([node]) => node);
  if (!unloaded.some((node) => around.connected.has(node))) return undefined;
  return tuple(APP_NOT_LOADED, appl.name, unloaded.reverse());
}

/** A weight that was told and not matched for so long was dropped by the other node. */
export const ANSWER_WITHIN_MS = 30_000;

/**
 * Tells our weight to every node that takes part and does not have it. One application at a time: what OTP cannot use
 * yet it keeps, and of all that it keeps of a node it sees the latest only, whichever application that is about.
 */
function inform(
  s: State,
  app: Atom,
  own: number,
  all: ReadonlySet<Atom>,
  decision: Decision,
  fx: Effect[],
  around: Around,
): State {
  const informed = new Set(s.informed.get(app) ?? []);
  const asked = new Map(s.asked);
  const missing = decision.kind === 'ask' ? decision.nodes : [];
  for (const node of all) {
    const waits = asked.has(askKey(app, node));
    if (node === s.self || (informed.has(node) && (!missing.includes(node) || waits))) continue;
    if (isAskedForAnother(asked, app, node, around.now())) continue;
    fx.push({ do: 'send', node, message: weightOf(app, own, s.self) });
    informed.add(node);
    const key = askKey(app, node);
    asked.set(key, { app, node, count: (asked.get(key)?.count ?? 0) + 1, at: around.now() });
  }
  return { ...s, told: withKey(s.told, app, own), informed: withKey(s.informed, app, informed), asked };
}

function isAskedForAnother(asked: State['asked'], app: Atom, node: Atom, now: number): boolean {
  return [...asked.values()].some(
    (one) => one.node === node && one.app !== app && now - one.at < ANSWER_WITHIN_MS,
  );
}

export function askKey(app: Atom, node: Atom): string {
  return `${app.name}\0${node.name}`;
}

function act(
  s: State,
  appl: Appl,
  pending: Pending,
  all: ReadonlySet<Atom>,
  decision: Decision,
  fx: Effect[],
  around: Around,
  fresh: boolean,
): State {
  switch (decision.kind) {
    case 'runs_at':
      return runsAt(s, appl.name, decision.node, fx);
    case 'choose': {
      if (decision.node === s.self) return orderStart(s, appl, pending, fx);
      if (distributedAt(appl.id) === decision.node) return runsAt(s, appl.name, decision.node, fx);
      const running = runningAt(s, appl, all, around);
      if (running !== undefined) return runsAt(s, appl.name, running, fx);
      return wait(s, appl.name, { ...pending, wait: decision.node }, fx, fresh);
    }
    case 'ask':
      return wait(s, appl.name, { ...pending, wait: 'weights', all }, fx, fresh);
    case 'anybody':
      return wait(s, appl.name, { ...pending, wait: 'anybody' }, fx, fresh);
    case 'no_permission':
      return noPermission(s, appl.name, pending, fx);
  }
}

/**
 * A permitted node that runs the application now. With it we become a standby at once, where OTP waits for the
 * node that ought to run it and may never start it.
 */
function runningAt(s: State, appl: Appl, all: ReadonlySet<Atom>, around: Around): Atom | undefined {
  const node = remoteStartedAt(s, appl.name) ?? distributedAt(appl.id);
  return node !== undefined && all.has(node) && around.connected.has(node) ? node : undefined;
}

function wait(s: State, app: Atom, pending: Pending, fx: Effect[], fresh: boolean): State {
  if (fresh || s.pending.get(app)?.wait !== pending.wait) {
    fx.push({ do: 'timer', what: 'look', app, ms: LOOK_AFTER_MS, token: pending.token });
  }
  return { ...s, pending: withKey(s.pending, app, pending) };
}

/** A decision has waited long: say for whom, and become a standby if the application runs after all. */
export function look(s: State, app: Atom, token: number, fx: Effect[], around: Around): State {
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
  const others = new Set(
    flatNodes(appl.nodes).filter((node) => node !== s.self && around.connected.has(node)),
  );
  for (const node of others) if (!s.known.includes(node)) fx.push({ do: 'introduce', node });
  fx.push({ do: 'circles', nodes: [...others] });
  return evaluate(s, app, fx, around);
}

/** Where each application runs as far as we know, or who is to start it as far as we wait for it. */
export function places(s: State): Place[] {
  return [...s.appls.values()].flatMap((appl) => {
    const wait = s.pending.get(appl.name)?.wait;
    const at =
      appl.id === 'local' ? s.self : (distributedAt(appl.id) ?? (wait instanceof Atom ? wait : undefined));
    return at === undefined ? [] : [{ app: appl.name, nodes: [...new Set(flatNodes(appl.nodes))], at }];
  });
}

// --- outcomes ---------------------------------------------------------------------------------------------------

function orderStart(s: State, appl: Appl, pending: Pending, fx: Effect[]): State {
  const app = appl.name;
  const dead = failoverFrom(appl.id);
  const standbyOf = distributedAt(appl.id);
  const remote = remoteStartedAt(s, app);
  if (pending.mode === 'reply') {
    toAc(fx, START_REPLY, app, remote === undefined ? START_IT : tuple(TAKEOVER, remote));
  } else if (dead !== undefined) toAc(fx, CHANGE_REQ, app, tuple(FAILOVER, dead, UNDEFINED));
  else if (standbyOf !== undefined) toAc(fx, CHANGE_REQ, app, tuple(TAKEOVER, standbyOf, UNDEFINED));
  else toAc(fx, CHANGE_REQ, app, START_IT);
  const from = remote ?? standbyOf;
  const ordered = finished(withId(s, app, 'run_waiting'), app);
  const sourced = from === undefined ? ordered : { ...ordered, source: withKey(ordered.source, app, from) };
  return waitForOwnStart(sourced, app, pending.permits, fx);
}

/** The application runs at that node: we are a standby. */
export function runsAt(s: State, app: Atom, node: Atom, fx: Effect[]): State {
  const pending = s.pending.get(app);
  toAc(fx, pending?.mode === 'reply' ? START_REPLY : CHANGE_REQ, app, tuple(STARTED, node));
  return answer(finished(withId(s, app, { distributed: node }), app), pending?.permits ?? [], OK, fx);
}

function noPermission(s: State, app: Atom, pending: Pending, fx: Effect[]): State {
  if (pending.mode === 'reply') toAc(fx, START_REPLY, app, NOT_STARTED);
  else toAc(fx, CHANGE_REQ, app, STOP_IT);
  return answer(finished(withId(s, app, 'undefined'), app), pending.permits, OK, fx);
}

/** The decision ends without a result. The application is not among those started here, nor is it with our AC. */
export function giveUp(s: State, app: Atom, reason: Term, fx: Effect[]): State {
  const pending = s.pending.get(app);
  if (pending === undefined) return s;
  if (pending.mode === 'reply') toAc(fx, START_REPLY, app, tuple(ERROR, reason));
  else
    fx.push({ do: 'log', level: 'error', text: 'Error when restarting application', terms: [app, reason] });
  return answer({ ...s, pending: withoutKey(s.pending, app) }, pending.permits, tuple(ERROR, reason), fx);
}

/** What is done after every decision: the round is over, what was collected for it is dropped. */
export function finished(s: State, app: Atom): State {
  return {
    ...roundOver(s, app),
    pending: withoutKey(s.pending, app),
    timers: withoutKey(s.timers, app),
    remoteStarted: s.remoteStarted.filter((entry) => entry.app !== app),
    started: s.started.includes(app) ? s.started : [app, ...s.started],
  };
}

/** Forgets the weights of a round; messages of ours that wait for an answer stay on record. */
export function roundOver(s: State, app: Atom): State {
  return {
    ...s,
    weights: withoutKey(s.weights, app),
    informed: withoutKey(s.informed, app),
    told: withoutKey(s.told, app),
  };
}

function waitForOwnStart(s: State, app: Atom, permits: readonly From[], fx: Effect[]): State {
  for (const from of permits) fx.push({ do: 'unlock', from });
  return { ...s, tReqs: [...permits.map((from) => ({ app, from })), ...s.tReqs] };
}

function answer(s: State, callers: readonly From[], result: Term, fx: Effect[]): State {
  for (const from of callers) fx.push({ do: 'reply', from, result });
  return s;
}

function toAc(fx: Effect[], tag: Atom, app: Atom, what: Term): void {
  fx.push({ do: 'ac', message: tuple(tag, app, what) });
}

/** `{ac_change_application_req, App, What}`: a request that nobody asked for. */
export function changeRequest(fx: Effect[], app: Atom, what: Term): void {
  toAc(fx, CHANGE_REQ, app, what);
}
