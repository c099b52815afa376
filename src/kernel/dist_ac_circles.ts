// Other nodes' dist_ac that wait for each other.
//
// OTP's dist_ac waits inside its decisions, and takes nothing else meanwhile. Two applications in one tuple or in crossed
// lists are enough for a circle: b has started d2 and waits for c's weight for d1; c waits for b's announcement of d2,
// which b cannot make. No message of theirs says so; but what a dist_ac is in and what it has not read yet can be asked
// of its runtime. We ask when a node does not answer, and say in the log who waits for whom. Two circles we open:
//
// - A start that is done and only not announced we announce on that node's behalf: the same message comes from the node
//   itself later.
// - A node waits for a start while it has not read the introduction of the node that runs the application, or is to
//   start it: then it waits for another one, us perhaps, that will not start it. We announce all others, and last the
//   one where it runs: whoever it waits for, it goes on, and ends as a standby of the right one.
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { appStarted } from './dist_ac_messages.js';
import type { Rpc } from './rpc.js';

const DIST_AC = atom('dist_ac');
const ERLANG = atom('erlang');
const WHEREIS = atom('whereis');
const PROCESS_INFO = atom('process_info');
const CURRENT_STACKTRACE = atom('current_stacktrace');
const MESSAGE_QUEUE_LEN = atom('message_queue_len');
const MESSAGES = atom('messages');
const WEIGHT = atom('dist_ac_weight');
const NEW_NODE = atom('dist_ac_new_node');
const STARTED = atom('dist_ac_app_started');
const RUN = atom('ac_application_run');
const OK = atom('ok');

const ANSWER_MS = 2000;
/** A longer queue is not fetched. */
const MOST_MESSAGES = 1000;

/** What a dist_ac waits for, by OTP's function that it is in. */
const WAITS: ReadonlyMap<string, 'weights' | 'start' | 'introductions'> = new Map([
  ['collect_answers', 'weights'],
  ['wait_dist_start', 'start'],
  ['wait_dist_start2', 'start'],
  ['wait_dacs', 'introductions'],
]);

/** A dist_ac that waits inside, and what it has not read. */
export interface Blocked {
  readonly node: Atom;
  readonly waits: 'weights' | 'start' | 'introductions';
  /** Who told his weight for what, and has no answer. */
  readonly weights: readonly { readonly node: Atom; readonly app: Atom }[];
  /** Who introduced himself, and has no answer. */
  readonly introduced: readonly Atom[];
  /** What was started there and is not announced. */
  readonly started: readonly Atom[];
  /** What others have announced and it has not read. */
  readonly announced: readonly Atom[];
}

/** An application as we see it. */
export interface Place {
  readonly app: Atom;
  /** The nodes of its list. */
  readonly nodes: readonly Atom[];
  /** Where it runs, or who is to start it. */
  readonly at: Atom;
  /** Nodes that rank before the one where it runs: who starts it waits for one of them; see dist_ac_displaced.ts. */
  readonly ahead?: readonly Atom[];
}

/** Asks these nodes; says who waits for whom, and opens the circles it can. Returns who waits. */
export async function openCircles(
  self: Process,
  rpc: Rpc,
  nodes: readonly Atom[],
  places: readonly Place[],
): Promise<readonly Blocked[]> {
  const blocked: Blocked[] = [];
  for (const node of nodes) {
    const one = await askWhy(self, rpc, node);
    if (one !== undefined) blocked.push(one);
  }
  const said = whoWaitsForWhom(blocked);
  if (said.length === 0) return blocked;
  for (const { to, node, app } of unannounced(blocked)) {
    self.send(tuple(DIST_AC, to), appStarted(node, app, undefined));
    said.push(`told ${to.name} that ${app.name} runs on ${node.name}`);
  }
  said.push(...tellMisled(self, blocked, places));
  self.system.log('warning', `dist_ac: who waits for whom: ${said.join('; ')}`);
  return blocked;
}

/** Asks these nodes, and tells who waits behind a node that starts nothing where it runs. */
export async function openWaits(
  self: Process,
  rpc: Rpc,
  nodes: readonly Atom[],
  places: readonly Place[],
): Promise<void> {
  for (const node of nodes) {
    const one = await askWhy(self, rpc, node);
    const said = one === undefined ? [] : tellMisled(self, [one], places);
    if (said.length > 0) {
      const why = `${node.name} waits until another node starts an application`;
      self.system.log('warning', `dist_ac: who waits for whom: ${[why, ...said].join('; ')}`);
    }
  }
}

function tellMisled(self: Process, blocked: readonly Blocked[], places: readonly Place[]): string[] {
  return misled(blocked, places).map(({ to, app, nodes, at }) => {
    for (const node of [...nodes, at]) self.send(tuple(DIST_AC, to), appStarted(node, app, undefined));
    return `told ${to.name} that ${app.name} belongs to ${at.name}`;
  });
}

/** Whether the dist_ac of a node waits inside for a start. */
export async function waitsForStart(self: Process, rpc: Rpc, node: Atom): Promise<boolean> {
  return (await askWhy(self, rpc, node))?.waits === 'start';
}

/** Who waits for whom, a sentence each. */
function whoWaitsForWhom(blocked: readonly Blocked[]): string[] {
  const waits = (node: Atom): Blocked['waits'] | undefined => blocked.find((one) => one.node === node)?.waits;
  return blocked.flatMap(({ node, weights, introduced, started, waits: own }) => [
    ...(own === 'start' ? [`${node.name} waits until another node starts an application`] : []),
    ...weights
      .filter((asked) => waits(asked.node) === 'weights')
      .map((asked) => `${asked.node.name} waits for the weight of ${node.name} for ${asked.app.name}`),
    ...introduced.map((other) => `${other.name} waits for ${node.name} to answer its introduction`),
    ...started.map((app) => `${node.name} has started ${app.name} and not announced it`),
  ]);
}

/** Who is to be told of which start: all that wait for a start are told of each that is done elsewhere. */
function unannounced(
  blocked: readonly Blocked[],
): { readonly to: Atom; readonly node: Atom; readonly app: Atom }[] {
  return blocked.flatMap(({ node, started }) =>
    blocked
      .filter((other) => other.node !== node && other.waits === 'start' && other.started.length === 0)
      .flatMap((other) => started.map((app) => ({ to: other.node, node, app }))),
  );
}

/**
 * Who waits for a start by one of these nodes, and has not read the introduction of the node where it runs; or, where others
 * rank before that node, waits for one of them. With an announcement unread it waits for something else.
 */
function misled(
  blocked: readonly Blocked[],
  places: readonly Place[],
): { readonly to: Atom; readonly app: Atom; readonly nodes: readonly Atom[]; readonly at: Atom }[] {
  return places.flatMap(({ app, nodes, at, ahead }) =>
    blocked
      .filter(({ node, waits }) => waits === 'start' && nodes.includes(node) && node !== at)
      .filter(
        ({ introduced, announced }) =>
          introduced.includes(at) || (ahead !== undefined && !announced.includes(app)),
      )
      .map(({ node }) => ({ to: node, app, nodes: nodes.filter((one) => one !== node && one !== at), at })),
  );
}

/** What that node's dist_ac waits for; undefined if for nothing, or if the node does not say. */
async function askWhy(self: Process, rpc: Rpc, node: Atom): Promise<Blocked | undefined> {
  const ask = (fun: Atom, ...args: Term[]): Promise<Term> => rpc(self, node, ERLANG, fun, args, ANSWER_MS);
  const pid = await ask(WHEREIS, DIST_AC);
  if (!(pid instanceof Pid)) return undefined;
  const info = await ask(PROCESS_INFO, pid, [CURRENT_STACKTRACE, MESSAGE_QUEUE_LEN]);
  if (!Array.isArray(info)) return undefined;
  const [stack, length] = info.map((entry) => (entry instanceof Tuple ? entry.elements[1] : undefined));
  const waits = waitsIn(stack);
  if (waits === undefined || typeof length !== 'number' || length > MOST_MESSAGES) return undefined;
  const messages = await ask(PROCESS_INFO, pid, MESSAGES);
  return isTagged(messages, MESSAGES, 2) ? read(node, waits, messages.elements[1] as Term) : undefined;
}

/** The innermost function of dist_ac on the stack that waits. */
function waitsIn(stack: Term | undefined): Blocked['waits'] | undefined {
  if (!Array.isArray(stack)) return undefined;
  for (const frame of stack as readonly Term[]) {
    if (!(frame instanceof Tuple)) continue;
    const [module, fun] = frame.elements;
    const waits = module === DIST_AC && fun instanceof Atom ? WAITS.get(fun.name) : undefined;
    if (waits !== undefined) return waits;
  }
  return undefined;
}

/** Reads what a dist_ac has not read. */
export function read(node: Atom, waits: Blocked['waits'], messages: Term): Blocked {
  const weights: { node: Atom; app: Atom }[] = [];
  const introduced: Atom[] = [];
  const started: Atom[] = [];
  const announced: Atom[] = [];
  for (const message of Array.isArray(messages) ? (messages as readonly Term[]) : []) {
    if (!(message instanceof Tuple)) continue;
    const [tag, a, b, c] = message.elements;
    if (tag === WEIGHT && a instanceof Atom && c instanceof Atom) weights.push({ node: c, app: a });
    else if (tag === NEW_NODE && b instanceof Atom) introduced.push(b);
    else if (tag === RUN && a instanceof Atom && b === OK) started.push(a);
    else if (tag === STARTED && b instanceof Atom) announced.push(b);
  }
  return { node, waits, weights, introduced, started, announced };
}
