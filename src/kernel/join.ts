// Joining a cluster: BEAM nodes do not redial, so a node that was evicted, or was there first, stays alone. This one
// connects to its seeds, and again whenever it has lost one.
//
// Between attempts it waits twice as long each time, with jitter, so that many nodes do not dial in step. A node that
// `global` is just removing (prevention of overlapping partitions) is left alone until that is done.
import { type Atom, atom } from '../terms/atom.js';

export interface JoinOptions {
  /**
   * Node names, or a function that finds them (DNS, a file, an orchestrator). It is asked before each attempt, and while all are
   * connected every `maxPauseMs`.
   */
  readonly seeds: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  /** Connect again when a seed cannot be reached or is lost; true by default. */
  readonly retry?: boolean;
  /** The first pause between attempts, 500 ms by default. */
  readonly minPauseMs?: number;
  /** The longest pause, 30 s by default. */
  readonly maxPauseMs?: number;
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
  /** Resolves to whether all seeds were connected in the first attempt. */
  readonly first: Promise<boolean>;
  /** Connects to nobody any more; so does the end of a `using` block. */
  stop(): void;
}

const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

/** Connects to the seeds, and keeps connected to them until it is stopped. */
export function join(node: JoiningNode, options: JoinOptions): Joining {
  const { minPauseMs = MIN_PAUSE_MS, maxPauseMs = MAX_PAUSE_MS, retry = true } = options;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  /** Those found last, and when. */
  let found: { readonly seeds: readonly Atom[]; readonly at: number } | undefined;
  const complete = async (): Promise<boolean> => {
    const fresh = found !== undefined && performance.now() - found.at < maxPauseMs;
    if (found !== undefined && fresh && missing(node, found.seeds).length === 0) return true;
    const seeds = await find(node, options);
    if (seeds === undefined) return false;
    found = { seeds, at: performance.now() };
    return connectAll(node, seeds);
  };
  const attempt = async (pauseMs: number): Promise<boolean> => {
    const connected = await complete();
    if (retry && !stopped) {
      const next = connected ? minPauseMs : Math.min(pauseMs * 2, maxPauseMs);
      const pause = connected ? minPauseMs : pauseMs;
      timer = setTimeout(() => void attempt(next), pause * (0.5 + Math.random() / 2));
      timer.unref();
    }
    return connected;
  };
  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
  };
  return { first: attempt(minPauseMs), stop, [Symbol.dispose]: stop };
}

function missing(node: JoiningNode, seeds: readonly Atom[]): Atom[] {
  return seeds.filter((seed) => seed !== node.name && !node.isConnected(seed));
}

/** The seeds as they are now; undefined if they could not be found. */
async function find(node: JoiningNode, { seeds }: JoinOptions): Promise<readonly Atom[] | undefined> {
  try {
    return (typeof seeds === 'function' ? await seeds() : seeds).map((name) => atom(name));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    node.warn(`the nodes to join could not be found: ${why}`);
    return undefined;
  }
}

/** Whether all seeds are connected now. */
async function connectAll(node: JoiningNode, seeds: readonly Atom[]): Promise<boolean> {
  const connected = await Promise.all(
    missing(node, seeds).map((seed) => !node.isRemoving(seed) && node.connect(seed)),
  );
  return connected.every((each) => each);
}
