// Joining a cluster: BEAM nodes do not redial, so a node that was evicted, or was there first, stays alone. This one
// connects to its seeds, and again whenever it has lost one.
//
// Between attempts it waits twice as long each time, with jitter, so that many nodes do not dial in step. A node that
// `global` is just removing (prevention of overlapping partitions) is left alone until that is done.
import { splitNode } from '../dist/node_name.js';
import { onAbort } from '../stdlib/limits.js';
import { type Atom, atom } from '../terms/atom.js';

export interface JoinOptions {
  /**
   * Node names, or a function that finds them (DNS, a file, an orchestrator). It is asked before each attempt, and while all are
   * connected every `maxPauseMs`; one that has given no answer by then is asked again. What is no node name is told and left
   * out. Its signal is aborted when nobody waits for the answer any more.
   */
  readonly seeds:
    | readonly string[]
    | ((signal: AbortSignal) => readonly string[] | Promise<readonly string[]>);
  /** Connect again when a seed cannot be reached or is lost; true by default. */
  readonly retry?: boolean;
  /** The first pause between attempts, 500 ms by default. */
  readonly minPauseMs?: number;
  /** The longest pause, 30 s by default. */
  readonly maxPauseMs?: number;
  /** Aborted: as `stop`. */
  readonly signal?: AbortSignal;
}

/** What joining needs of a node. */
export interface JoiningNode {
  readonly name: Atom;
  /** Whether it is connected to that node. */
  isConnected(node: Atom): boolean;
  /** Whether the node must be left alone for now. */
  isRemoving(node: Atom): boolean;
  /** Resolves to whether that node is connected now. */
  connect(node: Atom): Promise<boolean>;
  /** Seeds could not be found. */
  warn(text: string): void;
}

/** A joining that goes on. */
export interface Joining extends Disposable {
  /** Resolves to whether all seeds were connected in the first attempt; false if it was stopped before. */
  readonly first: Promise<boolean>;
  /** Connects to nobody any more; so does the end of a `using` block. */
  stop(): void;
}

const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

/** Connects to the seeds, and keeps connected to them until it is stopped. */
export function join(node: JoiningNode, options: JoinOptions): Joining {
  const { minPauseMs = MIN_PAUSE_MS, maxPauseMs = MAX_PAUSE_MS, retry = true } = options;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  /** Those found last, and when. */
  let found: { readonly seeds: readonly Atom[]; readonly at: number } | undefined;
  const complete = async (): Promise<boolean> => {
    if (stopping.signal.aborted) return false;
    const fresh = found !== undefined && performance.now() - found.at < maxPauseMs;
    if (found !== undefined && fresh && missing(node, found.seeds).length === 0) return true;
    const seeds = await find(node, options.seeds, maxPauseMs, stopping.signal);
    if (seeds === undefined || stopping.signal.aborted) return false;
    found = { seeds, at: performance.now() };
    return connectAll(node, seeds);
  };
  const attempt = async (pauseMs: number): Promise<boolean> => {
    const connected = await complete();
    if (retry && !stopping.signal.aborted) {
      const next = connected ? minPauseMs : Math.min(pauseMs * 2, maxPauseMs);
      const pause = connected ? minPauseMs : pauseMs;
      timer = setTimeout(() => void attempt(next), pause * (0.5 + Math.random() / 2));
      timer.unref();
    }
    return connected;
  };
  const stop = (): void => {
    stopping.abort();
    clearTimeout(timer);
    forget?.();
  };
  const forget = options.signal === undefined ? undefined : onAbort(options.signal, stop);
  if (options.signal?.aborted === true) stop();
  return { first: attempt(minPauseMs), stop, [Symbol.dispose]: stop };
}

function missing(node: JoiningNode, seeds: readonly Atom[]): Atom[] {
  return seeds.filter((seed) => seed !== node.name && !node.isConnected(seed));
}

/** The seeds as they are now; undefined if they could not be found. */
async function find(
  node: JoiningNode,
  seeds: JoinOptions['seeds'],
  limitMs: number,
  stopped: AbortSignal,
): Promise<readonly Atom[] | undefined> {
  try {
    const names = typeof seeds === 'function' ? await answerOf(seeds, limitMs, stopped) : seeds;
    if (!Array.isArray(names)) throw new Error(`expected an array of node names, got ${shown(names)}`);
    const good = names.filter(isNodeName);
    const bad = names.filter((name) => !isNodeName(name));
    if (bad.length > 0) node.warn(`no nodes to join, for they have not the form name@host: ${shown(bad)}`);
    return [...new Set(good)].map((name) => atom(name));
  } catch (error) {
    if (stopped.aborted) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    node.warn(`the nodes to join could not be found: ${why}`);
    return undefined;
  }
}

/** What a function of the user answers, unless it takes longer than `limitMs` or nobody wants to know any more. */
async function answerOf(
  seeds: Exclude<JoinOptions['seeds'], readonly string[]>,
  limitMs: number,
  stopped: AbortSignal,
): Promise<unknown> {
  const over = new AbortController();
  const givenUp = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true });
  });
  const forget = onAbort(stopped, () => over.abort(new Error('joining was stopped')));
  const timer = setTimeout(() => over.abort(new Error(`no answer within ${limitMs} ms`)), limitMs);
  timer.unref();
  try {
    return await Promise.race([givenUp, seeds(over.signal)]);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

function isNodeName(name: unknown): name is string {
  return typeof name === 'string' && splitNode(name) !== undefined;
}

/** The beginning of what is no list of names. */
function shown(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // a circle, or a bigint
  }
  return (text ?? String(value)).slice(0, 200);
}

/** Whether all seeds are connected now. */
async function connectAll(node: JoiningNode, seeds: readonly Atom[]): Promise<boolean> {
  const connected = await Promise.all(
    missing(node, seeds).map((seed) => !node.isRemoving(seed) && node.connect(seed)),
  );
  return connected.every((each) => each);
}
