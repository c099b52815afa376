// A permission taken from the node that runs an application, while nodes that may run it have not started it.
//
// In OTP the next node of the list takes it over, started there or not; its application controller drops what it has
// not started. The caller then waits without end, with the lock of all nodes, and so does the dist_ac of every node
// behind. So after a while the nodes are asked. If none has started it, the one that runs it stops it, as it does
// when nobody else is there. If one has, and waits for another one that has not, it is told to count without that one.
// Several of us may be there: who runs it comes first, the others later, one after the other in the order of the list.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import { appStarted, appStopped, newPermission } from './dist_ac_messages.js';
import { changeRequest, evaluate } from './dist_ac_start.js';
import {
  type Appl,
  type Around,
  type Effect,
  flatNodes,
  permitted,
  remember,
  type State,
  withId,
  withKey,
  withoutKey,
} from './dist_ac_state.js';

const APPLICATION = atom('application');
const INFO = atom('info');
const STARTED = atom('started');
const STARTING = atom('starting');
const START_P_FALSE = atom('start_p_false');
const STOP_IT = atom('stop_it');
const NOT_STARTED = atom('not_started');

/** The node that runs it asks after so long, and again. */
const ASK_AFTER_MS = 5000;
/** Each further node of the list so much later. */
const NEXT_MS = 3000;
const ANSWER_MS = 2000;

/** A node that may run the application. */
export interface Candidate {
  readonly node: Atom;
  /** Whether it was started there; undefined: it does not say. */
  readonly started: boolean | undefined;
  /** Whether its dist_ac waits for another node to start something. */
  readonly waits: boolean;
}

type Rpc = (
  self: Process,
  node: Atom,
  module: Atom,
  fun: Atom,
  args: readonly Term[],
  timeoutMs: number,
) => Promise<Term>;

/** Whether an application was started at a node, or is being started; undefined if the node does not say. */
export async function isStartedAt(
  self: Process,
  rpc: Rpc,
  node: Atom,
  app: Atom,
): Promise<boolean | undefined> {
  const info = await rpc(self, node, APPLICATION, INFO, [], ANSWER_MS);
  if (!Array.isArray(info)) return undefined;
  return (info as readonly Term[]).some((entry) => {
    if (!(entry instanceof Tuple)) return false;
    const [key, list] = entry.elements;
    if (key !== STARTED && key !== STARTING && key !== START_P_FALSE) return false;
    return (
      Array.isArray(list) &&
      (list as readonly Term[]).some((one) => one instanceof Tuple && one.elements[0] === app)
    );
  });
}

/** The node that runs it may not any more: whether somebody takes it over is looked at later. */
export function permissionTaken(s: State, app: Atom, runner: Atom, fx: Effect[]): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  const others = [...new Set(flatNodes(appl.nodes))].filter((node) => node !== runner);
  const ms = runner === s.self ? ASK_AFTER_MS : ASK_AFTER_MS + NEXT_MS * (1 + others.indexOf(s.self));
  return askLater({ ...s, unpermitted: withKey(s.unpermitted, app, { runner, token: 0 }) }, app, ms, fx);
}

function askLater(s: State, app: Atom, ms: number, fx: Effect[]): State {
  const open = s.unpermitted.get(app);
  if (open === undefined) return s;
  const token = s.tokens + 1;
  fx.push({ do: 'timer', what: 'candidates', app, ms, token });
  return { ...s, tokens: token, unpermitted: withKey(s.unpermitted, app, { ...open, token }) };
}

/** Nobody has announced it so far: asks the nodes that may. */
export function askCandidates(s: State, app: Atom, token: number, fx: Effect[]): State {
  const open = s.unpermitted.get(app);
  const appl = s.appls.get(app);
  if (open?.token !== token || appl === undefined) return s;
  const nodes = permitted(appl).filter(
    (node) => node !== s.self && node !== open.runner && s.known.includes(node),
  );
  fx.push({ do: 'candidates', app, nodes, token });
  return s;
}

/** What the nodes say that may run it. */
export function candidatesFound(
  s: State,
  app: Atom,
  token: number,
  found: readonly Candidate[],
  fx: Effect[],
  around: Around,
): State {
  const open = s.unpermitted.get(app);
  if (open?.token !== token) return s;
  const { runner } = open;
  const idle = found.filter(({ started }) => started === false).map(({ node }) => node);
  const able = found.filter(({ started }) => started !== false);
  const again = askLater(s, app, ASK_AFTER_MS, fx);
  if (runner !== s.self && around.startedHere(app)) {
    if (!s.pending.has(app)) return again;
    const failed = idle.reduce((list, node) => remember(list, { app, node }), s.failed);
    // for this round only
    return { ...evaluate({ ...again, failed }, app, fx, around), failed: s.failed };
  }
  const withoutUs = runner === s.self ? idle : [...idle, s.self];
  if (able.length === 0) return nobody(settled(s, app, fx), app, runner, found, withoutUs, fx);
  const waiting = able.filter(({ waits }) => waits).map(({ node }) => node);
  if (waiting.length === 0 || withoutUs.length === 0) return again;
  for (const node of waiting) countsWithout(node, app, runner, withoutUs, s.self, fx);
  fx.push({
    do: 'log',
    level: 'warning',
    text: `${app.name} may not run on ${runner.name} any more, and is not started on ${names(withoutUs)}: told ${names(waiting)} not to wait for that`,
    terms: [],
  });
  const overruled = waiting.flatMap((to) => withoutUs.map((node) => ({ app, node, to })));
  return { ...again, overruled: [...s.overruled, ...overruled] };
}

/** Nobody has started it: it ends where it runs, and nobody waits for anybody. */
function nobody(
  s: State,
  app: Atom,
  runner: Atom,
  found: readonly Candidate[],
  withoutUs: readonly Atom[],
  fx: Effect[],
): State {
  fx.push({
    do: 'log',
    level: 'warning',
    text: `${app.name} may not run on ${runner.name} any more, and nobody else has started it: it is stopped there`,
    terms: [],
  });
  for (const { node, waits } of found) if (waits) goesOn(node, app, runner, withoutUs, fx);
  if (runner === s.self) {
    changeRequest(fx, app, STOP_IT);
    const own = s.pReqs.filter((request) => request.app === app);
    return {
      ...s,
      pReqs: s.pReqs.filter((request) => request.app !== app),
      sReqs: [...own.map(({ from }) => ({ app, from })), ...s.sReqs],
    };
  }
  // it takes that for an order to stop, and its caller is answered
  fx.push({
    do: 'send',
    node: runner,
    message: appStarted(s.self, app, { reason: tuple(NOT_STARTED, app) }),
  });
  for (const to of s.known) {
    if (to !== s.self && to !== runner) fx.push({ do: 'send', node: to, message: appStopped(app) });
  }
  const remoteStarted = s.remoteStarted.filter((entry) => entry.app !== app);
  return withId({ ...s, remoteStarted }, app, 'undefined');
}

/** Whomever of these that node waits for, it goes on, and ends as a standby of the one that runs it. */
function goesOn(to: Atom, app: Atom, runner: Atom, awaited: readonly Atom[], fx: Effect[]): void {
  for (const node of [...awaited.filter((one) => one !== to), runner]) {
    fx.push({ do: 'send', node: to, message: appStarted(node, app, undefined) });
  }
}

/** That node looks again who is to take it over, and leaves these out. */
function countsWithout(
  to: Atom,
  app: Atom,
  runner: Atom,
  without: readonly Atom[],
  self: Atom,
  fx: Effect[],
): void {
  goesOn(to, app, runner, without, fx);
  for (const node of without) {
    if (node !== self) fx.push({ do: 'send', node: to, message: newPermission(node, app, false, false) });
  }
  fx.push({ do: 'send', node: to, message: newPermission(self, app, false, true) });
}

/** Who is to take over what runs here leaves out those that have not started it. */
export function leavesOut(s: State, appl: Appl, idle: ReadonlySet<Atom>, fx: Effect[]): State {
  const able = permitted(appl).filter((node) => node !== s.self && s.known.includes(node) && !idle.has(node));
  const overruled = able.flatMap((to) => [...idle].map((node) => ({ app: appl.name, node, to })));
  for (const { app, node, to } of overruled)
    fx.push({ do: 'send', node: to, message: newPermission(node, app, false, false) });
  return { ...s, overruled: [...s.overruled, ...overruled] };
}

/** It was started, or has stopped: whom the others left out for that may run it as before. */
export function settled(s: State, app: Atom, fx: Effect[]): State {
  if (!s.unpermitted.has(app) && s.overruled.length === 0) return s;
  const run = s.appls.get(app)?.run;
  for (const { node, to } of s.overruled.filter((one) => one.app === app)) {
    if (run?.get(node) === true)
      fx.push({ do: 'send', node: to, message: newPermission(node, app, true, false) });
  }
  return {
    ...s,
    unpermitted: withoutKey(s.unpermitted, app),
    overruled: s.overruled.filter((one) => one.app !== app),
  };
}

function names(nodes: readonly Atom[]): string {
  return nodes.map((node) => node.name).join(', ');
}
