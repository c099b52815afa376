// The messages between the dist_ac processes of two nodes (OTP's dist_ac.erl, protocol version 1).
//
// None has an acknowledgement. What comes is checked here; whatever has another shape is no message of ours.
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import {
  type Appl,
  applToTerm,
  type NodeList,
  nodeListFromTerm,
  nodeListToTerm,
  type Permission,
  UNDEFINED,
} from './dist_ac_state.js';

const NEW_NODE = atom('dist_ac_new_node');
const APP_LOADED = atom('dist_ac_app_loaded');
const APP_UNLOADED = atom('dist_ac_app_unloaded');
const WEIGHT = atom('dist_ac_weight');
const APP_STARTED = atom('dist_ac_app_started');
const APP_STOPPED = atom('dist_ac_app_stopped');
const NEW_PERMISSION = atom('dist_ac_new_permission');
const APPL = atom('appl');
const LOCAL = atom('local');
const RUN_WAITING = atom('run_waiting');
const OK = atom('ok');
const ERROR = atom('error');

/** The protocol's version: the same in every release so far. */
export const VSN = 1;

/** What another node's introduction tells of one application. */
export interface ApplSeen {
  readonly name: Atom;
  readonly nodes: NodeList | undefined;
  readonly run: ReadonlyMap<Atom, Permission>;
  /** It runs there. */
  readonly local: boolean;
  /** It is being started there, by that node's own decision. */
  readonly starting: boolean;
}

/** A start's result: undefined for `ok`, else the reason. */
export type StartError = { readonly reason: Term } | undefined;

export type PeerMessage =
  | {
      readonly type: 'new_node';
      readonly node: Atom;
      readonly appls: readonly ApplSeen[];
      readonly started: readonly Atom[];
    }
  | {
      readonly type: 'app_loaded';
      readonly node: Atom;
      readonly app: Atom;
      readonly nodes: NodeList;
      readonly permission: boolean;
      readonly heKnowsMe: boolean;
    }
  | { readonly type: 'app_unloaded'; readonly node: Atom; readonly app: Atom }
  | { readonly type: 'weight'; readonly app: Atom; readonly weight: number; readonly node: Atom }
  | { readonly type: 'app_started'; readonly node: Atom; readonly app: Atom; readonly error: StartError }
  | { readonly type: 'app_stopped'; readonly app: Atom }
  | {
      readonly type: 'new_permission';
      readonly node: Atom;
      readonly app: Atom;
      readonly permission: boolean;
      readonly isHis: boolean;
    };

/** `{dist_ac_new_node, Vsn, Node, Appls, Started}`: an introduction, or the answer to one. */
export function newNode(node: Atom, appls: Iterable<Appl>, started: readonly Atom[]): Tuple {
  return tuple(
    NEW_NODE,
    VSN,
    node,
    [...appls].map(applToTerm),
    started.map((app) => tuple(node, app)),
  );
}

/** `{dist_ac_app_loaded, Node, App, Nodes, Permission, HeKnowsMe}` */
export function appLoaded(
  node: Atom,
  app: Atom,
  nodes: NodeList,
  permission: boolean,
  heKnowsMe: boolean,
): Tuple {
  return tuple(APP_LOADED, node, app, nodeListToTerm(nodes), permission, heKnowsMe);
}

/** `{dist_ac_app_unloaded, Node, App}` */
export function appUnloaded(node: Atom, app: Atom): Tuple {
  return tuple(APP_UNLOADED, node, app);
}

/** `{dist_ac_weight, App, Weight, Node}` */
export function weightOf(app: Atom, weight: number, node: Atom): Tuple {
  return tuple(WEIGHT, app, weight, node);
}

/** `{dist_ac_app_started, Node, App, ok | {error, Reason}}` */
export function appStarted(node: Atom, app: Atom, error: StartError): Tuple {
  return tuple(APP_STARTED, node, app, error === undefined ? OK : tuple(ERROR, error.reason));
}

/** `{dist_ac_app_stopped, App}` */
export function appStopped(app: Atom): Tuple {
  return tuple(APP_STOPPED, app);
}

/** `{dist_ac_new_permission, Node, App, Bool, IsHisApp}` */
export function newPermission(node: Atom, app: Atom, permission: boolean, isHis: boolean): Tuple {
  return tuple(NEW_PERMISSION, node, app, permission, isHis);
}

/** What a message of another dist_ac says; undefined if it is none. */
export function peerMessage(message: Term): PeerMessage | undefined {
  if (!(message instanceof Tuple)) return undefined;
  const [tag, a, b, c, d, e] = message.elements;
  switch (message.elements.length) {
    case 2:
      return tag === APP_STOPPED && a instanceof Atom ? { type: 'app_stopped', app: a } : undefined;
    case 3:
      if (tag !== APP_UNLOADED || !(a instanceof Atom) || !(b instanceof Atom)) return undefined;
      return { type: 'app_unloaded', node: a, app: b };
    case 4:
      return tag === WEIGHT
        ? weightMessage(a, b, c)
        : tag === APP_STARTED
          ? startedMessage(a, b, c)
          : undefined;
    case 5:
      if (tag === NEW_NODE) return newNodeMessage(a, b, c, d);
      return tag === NEW_PERMISSION ? permissionMessage(a, b, c, d) : undefined;
    case 6:
      return tag === APP_LOADED ? loadedMessage(a, b, c, d, e) : undefined;
    default:
      return undefined;
  }
}

type Field = Term | undefined;

function weightMessage(app: Field, weight: Field, node: Field): PeerMessage | undefined {
  if (!(app instanceof Atom) || typeof weight !== 'number' || !(node instanceof Atom)) return undefined;
  return { type: 'weight', app, weight, node };
}

function startedMessage(node: Field, app: Field, result: Field): PeerMessage | undefined {
  if (!(node instanceof Atom) || !(app instanceof Atom)) return undefined;
  if (result === OK) return { type: 'app_started', node, app, error: undefined };
  if (!(result instanceof Tuple) || result.elements.length !== 2 || result.elements[0] !== ERROR)
    return undefined;
  return { type: 'app_started', node, app, error: { reason: result.elements[1] as Term } };
}

function newNodeMessage(vsn: Field, node: Field, appls: Field, started: Field): PeerMessage | undefined {
  if (
    typeof vsn !== 'number' ||
    !(node instanceof Atom) ||
    !Array.isArray(appls) ||
    !Array.isArray(started)
  ) {
    return undefined;
  }
  return {
    type: 'new_node',
    node,
    appls: (appls as readonly Term[]).flatMap((appl) => applSeen(appl) ?? []),
    started: (started as readonly Term[]).flatMap((entry) =>
      entry instanceof Tuple && entry.elements.length === 2 && entry.elements[1] instanceof Atom
        ? entry.elements[1]
        : [],
    ),
  };
}

function applSeen(term: Term): ApplSeen | undefined {
  if (!(term instanceof Tuple) || term.elements.length !== 6 || term.elements[0] !== APPL) return undefined;
  const [, name, id, , nodes, run] = term.elements;
  if (!(name instanceof Atom) || !Array.isArray(run)) return undefined;
  const permissions = new Map<Atom, Permission>();
  for (const entry of run as readonly Term[]) {
    if (!(entry instanceof Tuple) || entry.elements.length !== 2) continue;
    const [node, permission] = entry.elements;
    if (!(node instanceof Atom)) continue;
    if (typeof permission === 'boolean') permissions.set(node, permission);
    else if (permission === UNDEFINED) permissions.set(node, undefined);
  }
  return {
    name,
    nodes: nodeListFromTerm(nodes as Term),
    run: permissions,
    local: id === LOCAL,
    starting: id === RUN_WAITING,
  };
}

function permissionMessage(
  node: Field,
  app: Field,
  permission: Field,
  isHis: Field,
): PeerMessage | undefined {
  if (!(node instanceof Atom) || !(app instanceof Atom)) return undefined;
  if (typeof permission !== 'boolean' || typeof isHis !== 'boolean') return undefined;
  return { type: 'new_permission', node, app, permission, isHis };
}

function loadedMessage(
  node: Field,
  app: Field,
  list: Field,
  permission: Field,
  heKnowsMe: Field,
): PeerMessage | undefined {
  if (!(node instanceof Atom) || !(app instanceof Atom)) return undefined;
  const nodes = nodeListFromTerm(list as Term);
  if (nodes === undefined || typeof permission !== 'boolean' || typeof heKnowsMe !== 'boolean')
    return undefined;
  return { type: 'app_loaded', node, app, nodes, permission, heKnowsMe };
}
