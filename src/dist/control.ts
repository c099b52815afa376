// Control messages: what a connection says, apart from ticks ("Protocol between Connected Nodes" of the
// distribution protocol; OTP: dist.c). Each is a tuple with the operation in front; those marked P carry a term
// behind it. This file has their numbers and makes the outgoing ones; `control_arrived` takes the incoming ones.
import type { Watched } from '../erts/dist_entry.js';
import { type Atom, atom } from '../terms/atom.js';
import { integer } from '../terms/number.js';
import type { Pid } from '../terms/pid.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import {
  DFLAG_ALIAS,
  DFLAG_ALTACT_SIG,
  DFLAG_DIST_HDR_ATOM_CACHE,
  DFLAG_DIST_MONITOR,
  DFLAG_DIST_MONITOR_NAME,
  DFLAG_EXIT_PAYLOAD,
  DFLAG_FRAGMENTS,
  DFLAG_SEND_SENDER,
  DFLAG_SPAWN,
  DFLAG_UNLINK_ID,
  DFLAG_V4_NC,
} from './dflags.js';

/** {1, From, To} */
export const LINK = 1;
/** {2, '', To} P */
export const SEND = 2;
/** {3, From, To, Reason} */
export const EXIT = 3;
/** {4, From, To}: only without `UNLINK_ID` */
export const UNLINK = 4;
/** {6, From, '', Name} P */
export const REG_SEND = 6;
/** {7, Leader, To} */
export const GROUP_LEADER = 7;
/** {8, From, To, Reason} */
export const EXIT2 = 8;
/** {12, '', To, Token} P */
export const SEND_TT = 12;
/** {13, From, To, Token, Reason} */
export const EXIT_TT = 13;
/** {16, From, '', Name, Token} P */
export const REG_SEND_TT = 16;
/** {18, From, To, Token, Reason} */
export const EXIT2_TT = 18;
/** {19, Watcher, Watched, Ref} */
export const MONITOR_P = 19;
/** {20, Watcher, Watched, Ref} */
export const DEMONITOR_P = 20;
/** {21, Watched, Watcher, Ref, Reason} */
export const MONITOR_P_EXIT = 21;
/** {22, From, To} P */
export const SEND_SENDER = 22;
/** {23, From, To, Token} P */
export const SEND_SENDER_TT = 23;
/** {24, From, To} P */
export const PAYLOAD_EXIT = 24;
/** {25, From, To, Token} P */
export const PAYLOAD_EXIT_TT = 25;
/** {26, From, To} P */
export const PAYLOAD_EXIT2 = 26;
/** {27, From, To, Token} P */
export const PAYLOAD_EXIT2_TT = 27;
/** {28, Watched, Watcher, Ref} P */
export const PAYLOAD_MONITOR_P_EXIT = 28;
/** {29, ReqId, From, GroupLeader, {Module, Function, Arity}, Options} P: the list of arguments */
export const SPAWN_REQUEST = 29;
/** {30, ReqId, From, GroupLeader, {Module, Function, Arity}, Options, Token} P */
export const SPAWN_REQUEST_TT = 30;
/** {31, ReqId, To, Flags, Result} */
export const SPAWN_REPLY = 31;
/** {32, ReqId, To, Flags, Result, Token} */
export const SPAWN_REPLY_TT = 32;
/** {33, From, Alias} P */
export const ALIAS_SEND = 33;
/** {34, From, Alias, Token} P */
export const ALIAS_SEND_TT = 34;
/** {35, Id, From, To} */
export const UNLINK_ID = 35;
/** {36, Id, From, To} */
export const UNLINK_ID_ACK = 36;
/** {37, Flags, From, To} P, or {37, Flags, From, To, Token} P */
export const ALTACT_SIG_SEND = 37;

/** Flags of `ALTACT_SIG_SEND`. */
export const ALTACT_PRIORITY = 1;
export const ALTACT_TOKEN = 2;
export const ALTACT_ALIAS = 4;
export const ALTACT_NAME = 8;
export const ALTACT_EXIT = 16;

/** The names of the operations, for logs and tools. */
export const OPERATIONS: ReadonlyMap<number, string> = new Map([
  [LINK, 'LINK'],
  [SEND, 'SEND'],
  [EXIT, 'EXIT'],
  [UNLINK, 'UNLINK'],
  [REG_SEND, 'REG_SEND'],
  [GROUP_LEADER, 'GROUP_LEADER'],
  [EXIT2, 'EXIT2'],
  [SEND_TT, 'SEND_TT'],
  [EXIT_TT, 'EXIT_TT'],
  [REG_SEND_TT, 'REG_SEND_TT'],
  [EXIT2_TT, 'EXIT2_TT'],
  [MONITOR_P, 'MONITOR_P'],
  [DEMONITOR_P, 'DEMONITOR_P'],
  [MONITOR_P_EXIT, 'MONITOR_P_EXIT'],
  [SEND_SENDER, 'SEND_SENDER'],
  [SEND_SENDER_TT, 'SEND_SENDER_TT'],
  [PAYLOAD_EXIT, 'PAYLOAD_EXIT'],
  [PAYLOAD_EXIT_TT, 'PAYLOAD_EXIT_TT'],
  [PAYLOAD_EXIT2, 'PAYLOAD_EXIT2'],
  [PAYLOAD_EXIT2_TT, 'PAYLOAD_EXIT2_TT'],
  [PAYLOAD_MONITOR_P_EXIT, 'PAYLOAD_MONITOR_P_EXIT'],
  [SPAWN_REQUEST, 'SPAWN_REQUEST'],
  [SPAWN_REQUEST_TT, 'SPAWN_REQUEST_TT'],
  [SPAWN_REPLY, 'SPAWN_REPLY'],
  [SPAWN_REPLY_TT, 'SPAWN_REPLY_TT'],
  [ALIAS_SEND, 'ALIAS_SEND'],
  [ALIAS_SEND_TT, 'ALIAS_SEND_TT'],
  [UNLINK_ID, 'UNLINK_ID'],
  [UNLINK_ID_ACK, 'UNLINK_ID_ACK'],
  [ALTACT_SIG_SEND, 'ALTACT_SIG_SEND'],
]);

/** What the negotiated flags allow, looked up once for each connection. */
export interface Capabilities {
  /** Frames begin with a distribution header (131), not with 112. */
  readonly header: boolean;
  readonly atomCache: boolean;
  readonly fragments: boolean;
  readonly sendSender: boolean;
  readonly exitPayload: boolean;
  readonly monitor: boolean;
  readonly unlinkId: boolean;
  readonly spawn: boolean;
  readonly alias: boolean;
  readonly altact: boolean;
  readonly v4nc: boolean;
}

export function capabilities(flags: bigint): Capabilities {
  const all = (wanted: bigint): boolean => (flags & wanted) === wanted;
  return {
    header: (flags & (DFLAG_DIST_HDR_ATOM_CACHE | DFLAG_FRAGMENTS)) !== 0n,
    atomCache: all(DFLAG_DIST_HDR_ATOM_CACHE),
    fragments: all(DFLAG_FRAGMENTS),
    sendSender: all(DFLAG_SEND_SENDER),
    exitPayload: all(DFLAG_EXIT_PAYLOAD),
    monitor: all(DFLAG_DIST_MONITOR | DFLAG_DIST_MONITOR_NAME),
    unlinkId: all(DFLAG_UNLINK_ID),
    spawn: all(DFLAG_SPAWN),
    alias: all(DFLAG_ALIAS),
    altact: all(DFLAG_ALTACT_SIG),
    v4nc: all(DFLAG_V4_NC),
  };
}

/** The cookie's place, unused. */
const UNUSED: Atom = atom('');

// Outgoing messages, in the form that this peer takes.

export const link = (from: Pid, to: Pid): Tuple => tuple(LINK, from, to);

export const send = (can: Capabilities, from: Pid, to: Pid): Tuple =>
  can.sendSender ? tuple(SEND_SENDER, from, to) : tuple(SEND, UNUSED, to);

export const regSend = (from: Pid, name: Atom): Tuple => tuple(REG_SEND, from, UNUSED, name);

/** Undefined: the peer knows no aliases. */
export const aliasSend = (can: Capabilities, from: Pid, alias: Reference): Tuple | undefined =>
  can.altact
    ? tuple(ALTACT_SIG_SEND, ALTACT_ALIAS, from, alias)
    : can.alias
      ? tuple(ALIAS_SEND, from, alias)
      : undefined;

export const unlink = (can: Capabilities, id: bigint, from: Pid, to: Pid): Tuple =>
  can.unlinkId ? tuple(UNLINK_ID, integer(id), from, to) : tuple(UNLINK, from, to);

export const unlinkAck = (id: bigint, from: Pid, to: Pid): Tuple =>
  tuple(UNLINK_ID_ACK, integer(id), from, to);

export const groupLeader = (leader: Pid, to: Pid): Tuple => tuple(GROUP_LEADER, leader, to);

export const monitor = (watcher: Pid, watched: Watched, ref: Reference): Tuple =>
  tuple(MONITOR_P, watcher, watched, ref);

export const demonitor = (watcher: Pid, watched: Watched, ref: Reference): Tuple =>
  tuple(DEMONITOR_P, watcher, watched, ref);

export const spawnRequest = (
  ref: Reference,
  from: Pid,
  leader: Pid,
  mfa: readonly [Atom, Atom],
  arity: number,
  options: readonly Term[],
): Tuple => tuple(SPAWN_REQUEST, ref, from, leader, tuple(mfa[0], mfa[1], arity), options);

export const spawnReply = (ref: Reference, to: Pid, flags: number, result: Pid | Atom): Tuple =>
  tuple(SPAWN_REPLY, ref, to, flags, result);

/** With the reason in it, for a peer without `EXIT_PAYLOAD`. */
export const exit = (from: Pid, to: Pid, reason: Term): Tuple => tuple(EXIT, from, to, reason);
/** With the reason behind it. */
export const payloadExit = (from: Pid, to: Pid): Tuple => tuple(PAYLOAD_EXIT, from, to);
export const exit2 = (from: Pid, to: Pid, reason: Term): Tuple => tuple(EXIT2, from, to, reason);
export const payloadExit2 = (from: Pid, to: Pid): Tuple => tuple(PAYLOAD_EXIT2, from, to);
export const monitorExit = (watched: Watched | boolean, watcher: Pid, ref: Reference, reason: Term): Tuple =>
  tuple(MONITOR_P_EXIT, watched, watcher, ref, reason);
export const payloadMonitorExit = (watched: Watched | boolean, watcher: Pid, ref: Reference): Tuple =>
  tuple(PAYLOAD_MONITOR_P_EXIT, watched, watcher, ref);
