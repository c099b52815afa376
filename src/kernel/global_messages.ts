// The messages between the name servers of two nodes (OTP: global.erl, "Messages in the protocol"), made and read.
//
// Casts are wrapped in `{'$gen_cast', _}`, the others are plain; all go to the name `global_name_server`. Whatever
// a peer sends is checked here: a message that is not as it should be reads as undefined.
import { Atom, atom } from '../terms/atom.js';
import { TermMap } from '../terms/map.js';
import { isInteger } from '../terms/number.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

export const GLOBAL_NAME_SERVER: Atom = atom('global_name_server');
/** The newest version of the protocol that we speak, OTP 25.1 and later; and the oldest, that of OTP 23. */
export const PROTOCOL_VERSION = 8;
export const OLDEST_VERSION = 5;
/** From here on lockers talk by way of the name servers. */
export const LOCK_SET_BY_PROXY = 6;
/** From here on nodes are told with their versions, and overlapping partitions are prevented. */
export const VERSIONS_OF_NODES = 7;
/** From here on the tags of a session are confirmed, and a session can be cancelled. */
export const VERIFIED_CONNECT = 8;

const INIT_CONNECT = atom('init_connect');
const INIT_CONNECT_ACK = atom('init_connect_ack');
const CANCEL_CONNECT = atom('cancel_connect');
const LOCKER = atom('locker');
const NO_LONGER_A_PID = atom('no_longer_a_pid');
const LOCK_SET = atom('lock_set');
const EXCHANGE = atom('exchange');
const RESOLVED = atom('resolved');
const UNUSED = atom('unused');
const NEW_NODES = atom('new_nodes');
const VSN = atom('vsn');
const LOCK = atom('lock');
const IN_SYNC = atom('in_sync');
const ASYNC_DEL_NAME = atom('async_del_name');
const ASYNC_DEL_LOCK = atom('async_del_lock');
const LOST_CONNECTION = atom('lost_connection');
const REMOVE_CONNECTION = atom('remove_connection');
const WHEREIS = atom('whereis');
const INSERT = atom('insert');
const DELETE = atom('delete');

/** `{Name, Pid, Method}` */
export interface NameEntry {
  readonly name: Term;
  readonly pid: Pid;
  readonly method: Term;
}

/** `{insert, {Name, Pid, Method}}` or `{delete, Name}`: what to do to a name table. */
export type Op = { readonly insert: NameEntry } | { readonly delete: Term };

/** `{Name, Pid, RegNode}`: a name of an external node. */
export interface ExternalName {
  readonly name: Term;
  readonly pid: Pid;
  readonly registrar: Atom;
}

/** `{Node, Version}`, or `Node` from peers that do not tell (0 then). */
export interface NodeVersion {
  readonly node: Atom;
  readonly version: number;
}

export type PeerMessage =
  | {
      readonly type: 'init_connect';
      readonly node: Atom;
      readonly version: number;
      readonly tag: Term;
      readonly locker: Pid;
    }
  | { readonly type: 'bad_version'; readonly node: Atom; readonly version: Term }
  | {
      readonly type: 'init_connect_ack';
      readonly node: Atom;
      readonly receiverTag: Term;
      readonly senderTag: Term;
    }
  | { readonly type: 'cancel_connect'; readonly node: Atom; readonly tag: Term }
  | { readonly type: 'lock_set'; readonly message: LockSet }
  | {
      readonly type: 'exchange';
      readonly node: Atom;
      readonly names: readonly NameEntry[];
      readonly tag: Term;
    }
  | {
      readonly type: 'resolved';
      readonly node: Atom;
      readonly result: Resolved;
      readonly tag: Term;
    }
  | {
      readonly type: 'new_nodes';
      readonly node: Atom;
      readonly ops: readonly Op[];
      readonly external: readonly ExternalName[];
      readonly nodes: readonly NodeVersion[];
      readonly lock: Term | undefined;
    }
  | { readonly type: 'in_sync'; readonly node: Atom }
  | { readonly type: 'obsolete' }
  | {
      readonly type: 'lost_connection';
      readonly node: Atom;
      readonly creation: number | bigint;
      readonly operation: number | bigint;
      readonly lost: Atom;
      readonly message: Term;
    }
  | { readonly type: 'remove_connection'; readonly node: Atom }
  | { readonly type: 'whereis'; readonly name: Term; readonly from: Term };

/** What one locker tells the other: whether it holds the lock of the session. `tag` is missing below version 8. */
export interface LockSet {
  readonly locker: Pid;
  readonly set: boolean;
  readonly tag: Term | undefined;
}

/** The peer's half of a resolution. */
export interface Resolved {
  readonly ops: readonly Op[];
  readonly known: readonly NodeVersion[];
  readonly external: readonly ExternalName[];
}

// --- made -----------------------------------------------------------------------------------------------------

/** `{init_connect, {Vsn, MyTag}, Node, {locker, no_longer_a_pid, Known, LockerPid}}` */
export function initConnect(tag: number, own: Atom, known: ReadonlyMap<Atom, number>, locker: Pid): Tuple {
  const hello = tuple(LOCKER, NO_LONGER_A_PID, new TermMap(known), locker);
  return tuple(INIT_CONNECT, tuple(PROTOCOL_VERSION, tag), own, hello);
}

/** `{init_connect_ack, Node, HisTag, MyTag}` */
export function initConnectAck(own: Atom, hisTag: Term, myTag: Term): Tuple {
  return tuple(INIT_CONNECT_ACK, own, hisTag, myTag);
}

/** `{cancel_connect, Node, HisTag}` */
export function cancelConnect(own: Atom, hisTag: Term): Tuple {
  return tuple(CANCEL_CONNECT, own, hisTag);
}

/** `{lock_set, LockerPid, Bool, Known}`, from version 8 on `{lock_set, LockerPid, Bool, Known, HisTag}`. */
export function lockSet(
  locker: Pid,
  set: boolean,
  known: readonly Atom[],
  version: number,
  hisTag: Term,
): Tuple {
  return version < VERIFIED_CONNECT
    ? tuple(LOCK_SET, locker, set, known)
    : tuple(LOCK_SET, locker, set, known, hisTag);
}

/** `{exchange, Node, [{Name, Pid, Method}], [], HisTag}` */
export function exchange(own: Atom, names: readonly Tuple[], hisTag: Term): Tuple {
  return tuple(EXCHANGE, own, names, [], hisTag);
}

/** `{resolved, Node, Ops, Known, unused, NamesExt, HisTag}` */
export function resolved(
  own: Atom,
  ops: readonly Op[],
  known: Term,
  external: readonly Tuple[],
  hisTag: Term,
): Tuple {
  return tuple(RESOLVED, own, opsToTerm(ops), known, UNUSED, external, hisTag);
}

/** `{new_nodes, Node, Ops, NamesExt, Nodes, [{vsn, V}, {lock, LockId}]}` */
export function newNodes(
  own: Atom,
  ops: readonly Op[],
  external: readonly ExternalName[],
  nodes: Term,
  version: number,
  lockId: Term,
): Tuple {
  const externalTerm = external.map(({ name, pid, registrar }) => tuple(name, pid, registrar));
  const extra = [tuple(VSN, version), tuple(LOCK, lockId)];
  return tuple(NEW_NODES, own, opsToTerm(ops), externalTerm, nodes, extra);
}

/** `{in_sync, Node, true}` */
export function inSync(own: Atom): Tuple {
  return tuple(IN_SYNC, own, true);
}

/** `{lost_connection, Node, XCreation, OpId, LostNode}` */
export function lostConnection(own: Atom, creation: Term, operation: number, lost: Atom): Tuple {
  return tuple(LOST_CONNECTION, own, creation, operation, lost);
}

/** `{remove_connection, Node}` */
export function removeConnection(own: Atom): Tuple {
  return tuple(REMOVE_CONNECTION, own);
}

/** Nodes as a peer of that version reads them: `[Node]` below 7, else `[{Node, Vsn}]`. */
export function nodesToTerm(nodes: readonly NodeVersion[], peerVersion: number): Term {
  return peerVersion < VERSIONS_OF_NODES
    ? nodes.map(({ node }) => node)
    : nodes.map(({ node, version }) => tuple(node, version));
}

function opsToTerm(ops: readonly Op[]): Term {
  return ops.map((op) =>
    'insert' in op
      ? tuple(INSERT, tuple(op.insert.name, op.insert.pid, op.insert.method))
      : tuple(DELETE, op.delete),
  );
}

// --- read -----------------------------------------------------------------------------------------------------

/** What a peer's cast says; undefined: it is none of the protocol's, or malformed. */
export function readCast(term: Term): PeerMessage | undefined {
  if (!(term instanceof Tuple)) return undefined;
  const e = term.elements;
  switch (e[0]) {
    case INIT_CONNECT:
      return readInitConnect(e);
    case LOCK_SET: {
      const message = readLockSet(term);
      return message && { type: 'lock_set', message };
    }
    case EXCHANGE: {
      if (e.length !== 5 || !(e[1] instanceof Atom)) return undefined;
      const names = readList(e[2], readName);
      return names && { type: 'exchange', node: e[1], names, tag: e[4] as Term };
    }
    case RESOLVED:
      return readResolved(e);
    case NEW_NODES:
      return readNewNodes(e);
    case IN_SYNC:
      return e.length === 3 && e[1] instanceof Atom ? { type: 'in_sync', node: e[1] } : undefined;
    case ASYNC_DEL_NAME:
    case ASYNC_DEL_LOCK:
      return { type: 'obsolete' };
  }
  return undefined;
}

/** What a peer's plain message says. */
export function readInfo(term: Term): PeerMessage | undefined {
  if (!(term instanceof Tuple)) return undefined;
  const e = term.elements;
  const node = e[1];
  switch (e[0]) {
    case INIT_CONNECT_ACK:
      if (e.length !== 4 || !(node instanceof Atom)) return undefined;
      return { type: 'init_connect_ack', node, receiverTag: e[2] as Term, senderTag: e[3] as Term };
    case CANCEL_CONNECT:
      if (e.length !== 3 || !(node instanceof Atom)) return undefined;
      return { type: 'cancel_connect', node, tag: e[2] as Term };
    case LOST_CONNECTION: {
      const [, , creation, operation, lost] = e;
      if (e.length !== 5 || !(node instanceof Atom) || !(lost instanceof Atom)) return undefined;
      if (!isInteger(creation) || !isInteger(operation)) return undefined;
      return { type: 'lost_connection', node, creation, operation, lost, message: term };
    }
    case REMOVE_CONNECTION:
      return e.length === 2 && node instanceof Atom ? { type: 'remove_connection', node } : undefined;
    case WHEREIS:
      return e.length === 3 ? { type: 'whereis', name: e[1] as Term, from: e[2] as Term } : undefined;
  }
  return undefined;
}

/** `{lock_set, LockerPid, Bool, Known}` or, with the receiver's tag, `{lock_set, LockerPid, Bool, Known, Tag}`. */
export function readLockSet(term: Term): LockSet | undefined {
  if (!isTagged(term, LOCK_SET, 4) && !isTagged(term, LOCK_SET, 5)) return undefined;
  const [, locker, set, , tag] = term.elements;
  return locker instanceof Pid && typeof set === 'boolean' ? { locker, set, tag } : undefined;
}

function readInitConnect(e: readonly Term[]): PeerMessage | undefined {
  const [, vsn, node, hello] = e;
  if (e.length !== 4 || !(node instanceof Atom)) return undefined;
  const [version, tag] = vsn instanceof Tuple ? vsn.elements : [];
  // The tuple may grow in future: the first two elements count.
  if (typeof version !== 'number' || version < OLDEST_VERSION || tag === undefined) {
    return { type: 'bad_version', node, version: vsn as Term };
  }
  if (!isTagged(hello, LOCKER, 4)) return undefined;
  const locker = hello.elements[3];
  if (!(locker instanceof Pid) || locker.node !== node) return undefined;
  return { type: 'init_connect', node, version, tag, locker };
}

function readResolved(e: readonly Term[]): PeerMessage | undefined {
  const node = e[1];
  if (e.length !== 7 || !(node instanceof Atom)) return undefined;
  const ops = readList(e[2], readOp);
  const known = readList(e[3], readNode);
  const external = readList(e[5], readExternal);
  if (ops === undefined || known === undefined || external === undefined) return undefined;
  return { type: 'resolved', node, result: { ops, known, external }, tag: e[6] as Term };
}

function readNewNodes(e: readonly Term[]): PeerMessage | undefined {
  const node = e[1];
  if (e.length !== 6 || !(node instanceof Atom)) return undefined;
  const ops = readList(e[2], readOp);
  const external = readList(e[3], readExternal);
  const nodes = readList(e[4], readNode);
  if (ops === undefined || external === undefined || nodes === undefined) return undefined;
  const extra = Array.isArray(e[5]) ? (e[5] as readonly Term[]) : [];
  const lock = extra.find((item): item is Tuple => isTagged(item, LOCK, 2))?.elements[1];
  return { type: 'new_nodes', node, ops, external, nodes, lock };
}

function readList<T>(term: Term | undefined, read: (item: Term) => T | undefined): T[] | undefined {
  if (!Array.isArray(term)) return undefined;
  const items: T[] = [];
  for (const item of term as readonly Term[]) {
    const value = read(item);
    if (value === undefined) return undefined;
    items.push(value);
  }
  return items;
}

function readName(item: Term): NameEntry | undefined {
  if (!(item instanceof Tuple) || item.elements.length !== 3) return undefined;
  const [name, pid, method] = item.elements as [Term, Term, Term];
  return pid instanceof Pid ? { name, pid, method } : undefined;
}

function readOp(item: Term): Op | undefined {
  if (isTagged(item, DELETE, 2)) return { delete: item.elements[1] as Term };
  if (!isTagged(item, INSERT, 2)) return undefined;
  const insert = readName(item.elements[1] as Term);
  return insert && { insert };
}

function readNode(item: Term): NodeVersion | undefined {
  if (item instanceof Atom) return { node: item, version: 0 };
  if (!(item instanceof Tuple) || item.elements.length !== 2) return undefined;
  const [node, version] = item.elements;
  return node instanceof Atom && typeof version === 'number' ? { node, version } : undefined;
}

function readExternal(item: Term): ExternalName | undefined {
  if (!(item instanceof Tuple) || item.elements.length !== 3) return undefined;
  const [name, pid, registrar] = item.elements as [Term, Term, Term];
  return pid instanceof Pid && registrar instanceof Atom ? { name, pid, registrar } : undefined;
}
