// What dist_ac does for this node: results and requests of the application controller, and the calls `takeover`,
// `permit`, `load` (OTP's dist_ac:handle_call and the ac_… messages).
import type { From } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import { leavesOut, permissionTaken, settled } from './dist_ac_candidates.js';
import {
  appLoaded,
  appStarted,
  appStopped,
  appUnloaded,
  newPermission,
  type StartError,
} from './dist_ac_messages.js';
import { compareLists } from './dist_ac_peers.js';
import { changeRequest, evaluate, giveUp, startAppl } from './dist_ac_start.js';
import {
  type Appl,
  type Around,
  distributedAt,
  type Effect,
  equalNodes,
  failoverFrom,
  flatNodes,
  permitted,
  remember,
  type State,
  withAppl,
  withId,
  withKey,
  withoutKey,
  withRun,
} from './dist_ac_state.js';

const OK = atom('ok');
const ERROR = atom('error');
const STOPPED = atom('stopped');
const STARTED = atom('started');
const STOP_IT = atom('stop_it');
const TAKEOVER = atom('takeover');
const LOAD_REPLY = atom('ac_load_application_reply');
const ALREADY_RUNNING_LOCALLY = atom('already_running_locally');
const NOT_RUNNING_DISTRIBUTED = atom('not_running_distributed');
const NOT_LOADED = atom('not_loaded');
const NOT_STARTED = atom('not_started');

/** A permission taken away is carried out here when nobody else started the application within this time. */
const PERMIT_WITHIN_MS = 30_000;

// --- loading ----------------------------------------------------------------------------------------------------

/** An application of ours is loaded: tell every node of its list, connected or not. */
export function loaded(s: State, app: Atom, fx: Effect[], around: Around): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  const permission = around.permission(app);
  let next = withRun(s, app, s.self, permission);
  const heard = s.distLoaded.filter((entry) => entry.app === app);
  for (const entry of heard) {
    next = compareLists(next, appl, entry.node, entry.nodes, fx);
    if (equalNodes(appl.nodes, entry.nodes)) next = withRun(next, app, entry.node, entry.permission);
  }
  next = { ...next, distLoaded: s.distLoaded.filter((entry) => entry.app !== app) };
  const differing = new Set(next.mismatched.filter((e) => e.app === app).map((e) => e.node));
  for (const node of new Set(flatNodes(appl.nodes))) {
    // a node with another list would end itself when it hears of ours
    if (node === s.self || differing.has(node)) continue;
    const heKnowsMe = heard.some((entry) => entry.node === node);
    fx.push({
      do: 'send',
      node,
      message: appLoaded(s.self, app, appl.nodes, permission, heKnowsMe),
    });
  }
  return next;
}

/** `application:load/1`: the application controller waits for the answer. */
export function loadRequested(s: State, app: Atom, fx: Effect[], around: Around): State {
  const next = loaded(s, app, fx, around);
  fx.push({ do: 'ac', message: tuple(LOAD_REPLY, app, OK) });
  return next;
}

export function unloaded(s: State, app: Atom, fx: Effect[]): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  for (const node of othersOf(s, appl)) {
    fx.push({ do: 'send', node, message: appUnloaded(s.self, app) });
  }
  return withAppl(s, { ...appl, id: 'undefined', run: new Map() });
}

/** `application:load/2` with a node list of its own: replaces the configured one. */
export function loadWith(s: State, appl: Appl, fx: Effect[], around: Around): State {
  const run = new Map(flatNodes(appl.nodes).map((node) => [node, undefined] as const));
  return loaded(withAppl(s, { ...appl, run }), appl.name, fx, around);
}

/** A release upgrade changed `distributed`: times and lists are replaced, nothing moves. */
export function distributionChanged(s: State, changed: readonly Appl[]): State {
  let next = s;
  for (const { name, restartTime, nodes } of changed) {
    const appl = next.appls.get(name);
    if (appl !== undefined) next = withAppl(next, { ...appl, restartTime, nodes });
  }
  return next;
}

// --- starts and stops at this node ------------------------------------------------------------------------------

/** The application controller asks who is to start it. */
export function startRequested(s: State, app: Atom, fx: Effect[], around: Around): State {
  return startAppl(rejoined(s, app, fx), app, 'reply', [], fx, around);
}

/** The application controller started it here, or failed to. */
export function startEnded(s: State, app: Atom, error: StartError, fx: Effect[], around: Around): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  const yieldTo = s.yieldTo.get(app);
  const source = s.source.get(app);
  let next: State = { ...s, yieldTo: withoutKey(s.yieldTo, app), source: withoutKey(s.source, app) };
  const result = error === undefined ? OK : tuple(ERROR, error.reason);
  next = answerTakeovers(next, app, result, fx);
  const running = yieldTo ?? (error === undefined ? undefined : source);
  if (running !== undefined && next.known.includes(running)) {
    announceRunsAt(next, app, running, fx);
    if (error === undefined) {
      changeRequest(fx, app, tuple(STARTED, running));
      return withId(next, app, { distributed: running });
    }
    return around.startedHere(app)
      ? withId(next, app, { distributed: running })
      : withdrawn(next, appl, running, fx);
  }
  announce(next, app, error, fx);
  if (error === undefined) return withId(settled(next, app, fx), app, 'local');
  next = withId(next, app, 'undefined');
  return around.startedHere(app) ? next : notStarted(next, app);
}

function announce(s: State, app: Atom, error: StartError, fx: Effect[]): void {
  for (const node of s.known) {
    if (node !== s.self) fx.push({ do: 'send', node, message: appStarted(s.self, app, error) });
  }
}

/**
 * It goes on running where it ran. Nothing to that node: any announcement of ours would stop its instance. The
 * others may wait for ours and for nobody else's: it wakes them, and the second one says where it really runs.
 */
function announceRunsAt(s: State, app: Atom, running: Atom, fx: Effect[]): void {
  for (const node of s.known) {
    if (node === s.self || node === running) continue;
    fx.push({ do: 'send', node, message: appStarted(s.self, app, undefined) });
    fx.push({ do: 'send', node, message: appStarted(running, app, undefined) });
  }
}

/** Our takeover failed and nobody tries again: the others must not count on us when that node dies. */
function withdrawn(s: State, appl: Appl, running: Atom, fx: Effect[]): State {
  const app = appl.name;
  for (const node of othersOf(s, appl)) {
    fx.push({ do: 'send', node, message: newPermission(s.self, app, false, false) });
  }
  const next = notStarted(withRun(withId(s, app, 'undefined'), app, s.self, false), app);
  return {
    ...next,
    remoteStarted: remember(next.remoteStarted, { node: running, app }),
    withdrawn: [...next.withdrawn, app],
  };
}

/** It is started again: count on us. */
function rejoined(s: State, app: Atom, fx: Effect[]): State {
  const appl = s.appls.get(app);
  if (appl === undefined || !s.withdrawn.includes(app)) return s;
  for (const node of othersOf(s, appl)) {
    fx.push({ do: 'send', node, message: newPermission(s.self, app, true, false) });
  }
  return { ...withRun(s, app, s.self, true), withdrawn: s.withdrawn.filter((other) => other !== app) };
}

/** The application controller did not carry a request out: it has not started the application. */
export function notCarriedOut(s: State, app: Atom, fx: Effect[]): State {
  const id = s.appls.get(app)?.id;
  if (id !== 'run_waiting' && id !== 'takeover') return s;
  const next = answerTakeovers(s, app, tuple(ERROR, tuple(NOT_STARTED, app)), fx);
  const source = next.source.get(app);
  const heard =
    source === undefined ? next.remoteStarted : remember(next.remoteStarted, { node: source, app });
  return notStarted(
    withId({ ...next, source: withoutKey(next.source, app), remoteStarted: heard }, app, 'undefined'),
    app,
  );
}

/** A stop that we ordered is done. */
export function stopDone(s: State, app: Atom, fx: Effect[]): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  let next = answerTakeovers(settled(s, app, fx), app, tuple(ERROR, STOPPED), fx);
  for (const { app: other, from } of next.sReqs)
    if (other === app) fx.push({ do: 'reply', from, result: OK });
  next = { ...next, sReqs: next.sReqs.filter((request) => request.app !== app) };
  const elsewhere = distributedAt(appl.id);
  if (appl.id === 'local') {
    for (const node of next.known) {
      if (node !== s.self) fx.push({ do: 'send', node, message: appStopped(app) });
    }
  } else if (elsewhere !== undefined) {
    next = { ...next, remoteStarted: remember(next.remoteStarted, { node: elsewhere, app }) };
  }
  next = giveUp(next, app, STOPPED, fx);
  return withId({ ...next, timers: withoutKey(next.timers, app) }, app, 'undefined');
}

/** It was stopped by hand, or it ended by itself. */
export function stopped(s: State, app: Atom, fx: Effect[]): State {
  return notStarted(stopDone(s, app, fx), app);
}

function notStarted(s: State, app: Atom): State {
  return { ...s, started: s.started.filter((other) => other !== app) };
}

function answerTakeovers(s: State, app: Atom, result: Term, fx: Effect[]): State {
  for (const request of s.tReqs) {
    if (request.app === app) fx.push({ do: 'reply', from: request.from, result });
  }
  return { ...s, tReqs: s.tReqs.filter((request) => request.app !== app) };
}

/** The nodes of its list that were introduced, self included. */
export function aliveNodes(s: State, appl: Appl): Atom[] {
  const known = new Set(s.known);
  return [...new Set(flatNodes(appl.nodes))].filter((node) => known.has(node));
}

function othersOf(s: State, appl: Appl): Atom[] {
  return [...new Set(flatNodes(appl.nodes))].filter((node) => node !== s.self);
}

// --- by hand ----------------------------------------------------------------------------------------------------

/** `application:takeover(App, RestartType)`: answered when it runs here. */
export function takeover(
  s: State,
  app: Atom,
  restartType: Atom,
  from: From,
  fx: Effect[],
  around: Around,
): State {
  const appl = s.appls.get(app);
  const reply = (result: Term): State => {
    fx.push({ do: 'reply', from, result });
    return s;
  };
  if (appl?.id === 'local') return reply(tuple(ERROR, tuple(ALREADY_RUNNING_LOCALLY, app)));
  const node = appl && distributedAt(appl.id);
  if (node === undefined || !around.startedHere(app)) {
    return reply(tuple(ERROR, tuple(NOT_RUNNING_DISTRIBUTED, app)));
  }
  changeRequest(fx, app, tuple(TAKEOVER, node, restartType));
  const next = withId({ ...s, source: withKey(s.source, app, node) }, app, 'takeover');
  return { ...next, tReqs: [{ app, from }, ...next.tReqs] };
}

/** The nodes that may take over what runs here. */
export function candidatesFor(s: State, app: Atom): readonly Atom[] {
  const appl = s.appls.get(app);
  if (appl?.id !== 'local') return [];
  return permitted(appl).filter((node) => node !== s.self && s.known.includes(node));
}

/**
 * `application:permit(App, Bool)`. `onlyLoaded`: it is not started here, so nothing is moved. `idle`: nodes that have not
 * started it; told as the others are they would take it for theirs to start, and would not.
 */
export function permit(
  s: State,
  app: Atom,
  bool: boolean,
  onlyLoaded: boolean,
  idle: ReadonlySet<Atom>,
  from: From,
  fx: Effect[],
  around: Around,
): State {
  const appl = s.appls.get(app);
  if (appl === undefined) {
    fx.push({ do: 'reply', from, result: tuple(ERROR, tuple(NOT_LOADED, app)) });
    return s;
  }
  let next: State = {
    ...withRun(s, app, s.self, bool),
    withdrawn: s.withdrawn.filter((other) => other !== app),
  };
  if (!bool && appl.id === 'local') next = leavesOut(next, appl, idle, fx);
  for (const node of othersOf(s, appl)) {
    const isHis = appl.id === 'local' && !idle.has(node);
    fx.push({ do: 'send', node, message: newPermission(s.self, app, bool, isHis) });
  }
  if (bool && s.unpermitted.get(app)?.runner === s.self) next = settled(next, app, fx);
  if (!onlyLoaded && bool && appl.id !== 'local') return startAppl(next, app, 'req', [from], fx, around);
  if (!onlyLoaded && !bool) return permitTaken(next, appl, idle, from, fx, around);
  fx.push({ do: 'reply', from, result: OK });
  return next;
}

/** The nodes of which one takes over what runs here, if it may not run here any more. */
export function successors(s: State, app: Atom): readonly Atom[] {
  const appl = s.appls.get(app);
  if (appl?.id !== 'local') return [];
  const may = new Set(permitted(appl).filter((node) => node !== s.self && s.known.includes(node)));
  for (const entry of appl.nodes) {
    const next = (entry instanceof Atom ? [entry] : entry).filter((node) => may.has(node));
    if (next.length > 0) return next;
  }
  return [];
}

/** Who runs it and may not any more waits for another node to start it; without one it is stopped. */
function permitTaken(
  s: State,
  appl: Appl,
  idle: ReadonlySet<Atom>,
  from: From,
  fx: Effect[],
  around: Around,
): State {
  const app = appl.name;
  if (
    appl.id === 'undefined' ||
    distributedAt(appl.id) !== undefined ||
    failoverFrom(appl.id) !== undefined
  ) {
    fx.push({ do: 'reply', from, result: OK });
    return evaluate(s, app, fx, around);
  }
  const now = s.appls.get(app) as Appl;
  const nodes = permitted(now).filter(
    (node) => node !== s.self && around.connected.has(node) && !idle.has(node),
  );
  if (nodes.length === 0) {
    changeRequest(fx, app, STOP_IT);
    return { ...s, sReqs: [{ app, from }, ...s.sReqs] };
  }
  const token = s.tokens + 1;
  fx.push({ do: 'timer', what: 'permit', app, ms: PERMIT_WITHIN_MS, token });
  const waiting = { ...s, tokens: token, pReqs: [{ from, app, nodes, token }, ...s.pReqs] };
  return permissionTaken(waiting, app, s.self, fx);
}

/** Nobody took the application over that may not run here any more: stop it. */
export function permitTimeOver(s: State, app: Atom, token: number, fx: Effect[]): State {
  const late = s.pReqs.filter((request) => request.app === app && request.token === token);
  if (late.length === 0) return s;
  fx.push({
    do: 'log',
    level: 'warning',
    text: `${app.name} may not run here any more and nobody took it over within ${PERMIT_WITHIN_MS / 1000} s: it is stopped. Not started by`,
    terms: late.flatMap((request) => [...request.nodes]),
  });
  changeRequest(fx, app, STOP_IT);
  return {
    ...s,
    pReqs: s.pReqs.filter((request) => !late.includes(request)),
    sReqs: [...late.map(({ from }) => ({ app, from })), ...s.sReqs],
  };
}
