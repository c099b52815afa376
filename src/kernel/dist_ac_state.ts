// What `dist_ac` knows: its table of distributed applications and everything that is pending.
//
// OTP's dist_ac waits inside a decision and hears nothing else meanwhile. Here each undecided application has a
// record of its own (`Pending`), and every message is handled when it comes.
import type { From } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';

/** A node list as configured: a tuple is an array inside the array, and any of its nodes will do. */
export type NodeList = readonly (Atom | readonly Atom[])[];

export type RestartTime = number | 'infinity';

/** May the node run the application? `undefined`: it has not loaded it. */
export type Permission = boolean | undefined;

/** Where an application runs, as far as we know; the values of OTP's `#appl.id`. */
export type Id =
  /** Not running. */
  | 'undefined'
  /** We decided to start it; the application controller is at it. */
  | 'run_waiting'
  /** It runs here. */
  | 'local'
  /** A takeover was ordered by hand; the application controller is at it. */
  | 'takeover'
  /** It runs there, we are a standby. */
  | { readonly distributed: Atom }
  /** That node died while it ran it: the restart time is running, or our start is being decided. */
  | { readonly failover: Atom };

/** OTP's `#appl`: one distributed application. */
export interface Appl {
  readonly name: Atom;
  readonly id: Id;
  readonly restartTime: RestartTime;
  readonly nodes: NodeList;
  readonly run: ReadonlyMap<Atom, Permission>;
}

/** Who asked for the decision: the application controller for a caller, or we ourselves. */
export type Mode = 'reply' | 'req';

/** A decision that waits for something another node has to say. */
export interface Pending {
  readonly mode: Mode;
  /** `weights`: of the nodes in `asked`; a node: that it starts the application; `anybody`: that somebody does. */
  readonly wait: 'weights' | 'anybody' | Atom;
  /** The nodes that take part in the choice, fixed when their weights were first asked for. */
  readonly all: ReadonlySet<Atom> | undefined;
  /** Callers of `permit(App, true)` that wait for the outcome. */
  readonly permits: readonly From[];
  /** Tells this wait from an earlier one of the same application. */
  readonly token: number;
}

export interface State {
  readonly self: Atom;
  /** The applications we control, in the order of the configuration. */
  readonly appls: ReadonlyMap<Atom, Appl>;
  /** Weights that other nodes told in this round of an application: application → node → weight. */
  readonly weights: ReadonlyMap<Atom, ReadonlyMap<Atom, number>>;
  /** Nodes that have our weight for this round of an application. */
  readonly informed: ReadonlyMap<Atom, ReadonlySet<Atom>>;
  /** Our own weight, once told: the same number until the application is decided. */
  readonly told: ReadonlyMap<Atom, number>;
  /** Weight messages of ours that wait for an answer, by `askKey`. */
  readonly asked: ReadonlyMap<string, Asked>;
  /** Heard of as started while not started here, latest first. */
  readonly remoteStarted: readonly { readonly node: Atom; readonly app: Atom }[];
  /** Nodes that were introduced, self included. */
  readonly known: readonly Atom[];
  /** Nodes we introduced ourselves to at boot that have not answered. */
  readonly awaiting: ReadonlySet<Atom>;
  /** Applications started here (also those we are a standby for), latest first. */
  readonly started: readonly Atom[];
  /** What other nodes said they loaded before we did. */
  readonly distLoaded: readonly DistLoaded[];
  /** Nodes whose list for an application differs from ours: it is not started while they are connected. */
  readonly mismatched: readonly { readonly app: Atom; readonly node: Atom }[];
  readonly pending: ReadonlyMap<Atom, Pending>;
  /** Running restart timers: application → token. */
  readonly timers: ReadonlyMap<Atom, number>;
  /** The node an instance that is being started here takes over from. */
  readonly source: ReadonlyMap<Atom, Atom>;
  /** A higher-ranked node that announced the application while we are still starting it. */
  readonly yieldTo: ReadonlyMap<Atom, Atom>;
  /** Lower-ranked nodes that were at a start of what runs here when they heard of us: it is no takeover. */
  readonly unaware: readonly Unaware[];
  /** Nodes that said their start failed and have not started the application since. */
  readonly failed: readonly { readonly app: Atom; readonly node: Atom }[];
  /** Applications whose start failed here while they run elsewhere: the others were told not to wait for us. */
  readonly withdrawn: readonly Atom[];
  /** What runs at a node that may not run it any more, until somebody takes it over. */
  readonly unpermitted: ReadonlyMap<Atom, { readonly runner: Atom; readonly token: number }>;
  /** Nodes that others (`to`) were told to leave out, until the application is started. */
  readonly overruled: readonly { readonly app: Atom; readonly node: Atom; readonly to: Atom }[];
  /** Callers that wait for a start ordered by takeover or permit. */
  readonly tReqs: readonly { readonly app: Atom; readonly from: From }[];
  /** Callers that wait for a stop ordered by permit. */
  readonly sReqs: readonly { readonly app: Atom; readonly from: From }[];
  /** Callers of `permit(App, false)` that wait for one of `nodes` to start the application. */
  readonly pReqs: readonly PermitRequest[];
  /** Tokens given out so far. */
  readonly tokens: number;
}

export interface Asked {
  readonly app: Atom;
  readonly node: Atom;
  readonly count: number;
  /** When the last one was sent. */
  readonly at: number;
}

export interface Unaware {
  readonly app: Atom;
  readonly node: Atom;
  /** When it answered our introduction. */
  readonly at: number;
}

export interface DistLoaded {
  readonly app: Atom;
  readonly node: Atom;
  readonly nodes: NodeList;
  readonly permission: boolean;
}

export interface PermitRequest {
  readonly from: From;
  readonly app: Atom;
  readonly nodes: readonly Atom[];
  readonly token: number;
}

/** What the machine may ask of the world, as of now. */
export interface Around {
  /** Connected nodes, hidden ones too. */
  readonly connected: ReadonlySet<Atom>;
  /** How loaded this node is: counted once per decision. */
  weight(): number;
  /** The configured permission of an application. */
  permission(app: Atom): boolean;
  /** Whether the application controller has it among its started applications. */
  startedHere(app: Atom): boolean;
  /** Whether an application that runs here and at a node that comes back is settled at once. */
  readonly rejoin: boolean;
  /** Nodes whose boot does not come to an end: they start nothing before it does. */
  readonly stuck: ReadonlySet<Atom>;
  now(): number;
}

/**
 * `restart`: the restart time of an application whose node died. `look`: a decision has waited long.
 * `announce`: say again that the application runs here. `permit`: nobody took the application over so far;
 * `candidates`: the same, but to be asked about first.
 */
export type TimerKind = 'restart' | 'look' | 'announce' | 'permit' | 'candidates';

/** What the machine wants done, in order. */
export type Effect =
  /** To `dist_ac` on another node. */
  | { readonly do: 'send'; readonly node: Atom; readonly message: Tuple }
  /** To our application controller. */
  | { readonly do: 'ac'; readonly message: Tuple }
  | { readonly do: 'reply'; readonly from: From; readonly result: Term }
  /** A caller of permit may give its global lock back: it waits for a start now. */
  | { readonly do: 'unlock'; readonly from: From }
  /** A node that was never introduced is: without that it would not tell us what it starts. */
  | { readonly do: 'introduce'; readonly node: Atom }
  /** A decision waits long for these nodes: who else waits for whom? */
  | { readonly do: 'circles'; readonly nodes: readonly Atom[] }
  /** Have these nodes started it? The answer comes to `candidatesFound`. */
  | { readonly do: 'candidates'; readonly app: Atom; readonly nodes: readonly Atom[]; readonly token: number }
  /** That node ranks higher and may start the application soon, which runs here. */
  | { readonly do: 'expect'; readonly app: Atom; readonly node: Atom }
  /** That node has announced it, or that it failed. */
  | { readonly do: 'announced'; readonly app: Atom; readonly node: Atom; readonly failed: boolean }
  | {
      readonly do: 'timer';
      readonly what: TimerKind;
      readonly app: Atom;
      readonly ms: number;
      readonly token: number;
    }
  /** One line; the terms are printed behind the text. */
  | {
      readonly do: 'log';
      readonly level: 'error' | 'warning' | 'notice';
      readonly text: string;
      readonly terms: readonly Term[];
    };

export function initialState(self: Atom, appls: readonly Appl[]): State {
  return {
    self,
    appls: new Map(appls.map((appl) => [appl.name, appl])),
    weights: new Map(),
    informed: new Map(),
    told: new Map(),
    asked: new Map(),
    remoteStarted: [],
    known: [self],
    awaiting: new Set(),
    started: [],
    distLoaded: [],
    mismatched: [],
    pending: new Map(),
    timers: new Map(),
    source: new Map(),
    yieldTo: new Map(),
    unaware: [],
    failed: [],
    withdrawn: [],
    unpermitted: new Map(),
    overruled: [],
    tReqs: [],
    sReqs: [],
    pReqs: [],
    tokens: 0,
  };
}

// --- small questions and changes --------------------------------------------------------------------------------

export function distributedAt(id: Id): Atom | undefined {
  return typeof id === 'object' && 'distributed' in id ? id.distributed : undefined;
}

export function failoverFrom(id: Id): Atom | undefined {
  return typeof id === 'object' && 'failover' in id ? id.failover : undefined;
}

export function remoteStartedAt(s: State, app: Atom): Atom | undefined {
  return s.remoteStarted.find((entry) => entry.app === app)?.node;
}

/** Nodes that may run the application. */
export function permitted(appl: Appl): Atom[] {
  return [...appl.run].filter(([, permission]) => permission === true).map(([node]) => node);
}

/** Whether we have it loaded (with the `distributed` parameter that is so from the boot on). */
export function isLoaded(appl: Appl | undefined, self: Atom): boolean {
  return appl !== undefined && appl.run.get(self) !== undefined;
}

export function withAppl(s: State, appl: Appl): State {
  return { ...s, appls: new Map(s.appls).set(appl.name, appl) };
}

export function withId(s: State, app: Atom, id: Id): State {
  const appl = s.appls.get(app);
  return appl === undefined ? s : withAppl(s, { ...appl, id });
}

/** OTP's `dist_update_run`; nothing for an application that is not ours. */
export function withRun(s: State, app: Atom, node: Atom, permission: Permission): State {
  const appl = s.appls.get(app);
  if (appl === undefined) return s;
  return withAppl(s, { ...appl, run: new Map(appl.run).set(node, permission) });
}

export function withKey<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

export function withoutKey<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  if (!map.has(key)) return map;
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

/** The oldest entries go when a peer makes a list grow beyond this. */
const MAX_REMEMBERED = 1000;

export function remember<T>(list: readonly T[], entry: T): readonly T[] {
  return [entry, ...list].slice(0, MAX_REMEMBERED);
}

// --- node lists -------------------------------------------------------------------------------------------------

/** Every node of the list, tuples opened. */
export function flatNodes(nodes: NodeList): Atom[] {
  return nodes.flatMap((entry) => (entry instanceof Atom ? [entry] : [...entry]));
}

/** Equal element by element; the order inside a tuple does not matter. */
export function equalNodes(a: NodeList, b: NodeList): boolean {
  if (a.length !== b.length) return false;
  return a.every((entry, i) => {
    const other = b[i] as Atom | readonly Atom[];
    if (entry instanceof Atom || other instanceof Atom) return entry === other;
    return sorted(entry).join() === sorted(other).join();
  });
}

function sorted(nodes: readonly Atom[]): string[] {
  return nodes.map((node) => JSON.stringify(node.name)).sort();
}

/** A node list from its term; undefined if it is none. */
export function nodeListFromTerm(term: Term): NodeList | undefined {
  if (!Array.isArray(term)) return undefined;
  const nodes: (Atom | readonly Atom[])[] = [];
  for (const entry of term as readonly Term[]) {
    if (entry instanceof Atom) nodes.push(entry);
    else if (entry instanceof Tuple && entry.elements.every((node) => node instanceof Atom)) {
      nodes.push(entry.elements as readonly Atom[]);
    } else return undefined;
  }
  return nodes;
}

export function nodeListToTerm(nodes: NodeList): Term {
  return nodes.map((entry) => (entry instanceof Atom ? entry : new Tuple(entry)));
}

// --- as terms ---------------------------------------------------------------------------------------------------

export const UNDEFINED: Atom = atom('undefined');
const INFINITY = atom('infinity');
const APPL = atom('appl');
const DISTRIBUTED = atom('distributed');
const FAILOVER = atom('failover');

function idToTerm(id: Id): Term {
  if (typeof id === 'string') return atom(id);
  return 'distributed' in id ? tuple(DISTRIBUTED, id.distributed) : tuple(FAILOVER, id.failover);
}

/** `{appl, Name, Id, RestartTime, Nodes, Run}` */
export function applToTerm(appl: Appl): Tuple {
  return tuple(
    APPL,
    appl.name,
    idToTerm(appl.id),
    appl.restartTime === 'infinity' ? INFINITY : appl.restartTime,
    nodeListToTerm(appl.nodes),
    [...appl.run].map(([node, permission]) => tuple(node, permission ?? UNDEFINED)),
  );
}

/** The answer to the call `info`: OTP's state record. */
export function stateToTerm(s: State): Tuple {
  const from = (f: From): Tuple => tuple(f.pid, f.tag);
  return tuple(
    atom('state'),
    [...s.appls.values()].map(applToTerm),
    [...s.weights].flatMap(([app, told]) => [...told].map(([node, weight]) => tuple(app, weight, node))),
    s.remoteStarted.map((entry) => tuple(entry.node, entry.app)),
    [...s.known],
    [...s.started],
    [...s.told].map(([app, weight]) => tuple(app, weight)),
    s.distLoaded.map((l) => tuple(tuple(l.app, l.node), nodeListToTerm(l.nodes), l.permission)),
    s.tReqs.map((r) => tuple(r.app, from(r.from))),
    s.sReqs.map((r) => tuple(r.app, from(r.from))),
    s.pReqs.map((r) => tuple(from(r.from), r.app, false, [...r.nodes])),
  );
}
