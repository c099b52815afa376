// What a peer's control messages do here (OTP: dist.c, erts_net_message).
//
// A message that no correct peer sends throws `DecodeError`; the channel then closes the connection. We refuse at
// least what BEAM refuses. The forms without the negotiated extras (operations 2, 3, 8, 12, 13, 18, 21) are
// accepted for ever: BEAM encodes what waits for a connection before it knows the flags.
import { DecodeError } from '../errors.js';
import type { DistChannel, Watched } from '../erts/dist_entry.js';
import { NOPROC } from '../erts/exit_reason.js';
import * as signal from '../erts/signal.js';
import * as spawns from '../erts/spawn_request.js';
import type { System } from '../erts/system.js';
import { Atom, isAtom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import * as op from './control.js';

/** The term behind a control message. Decoded only if somebody is there to get it. */
export interface Payload {
  decode(): Term;
}

/** Numbers of our pids stay below it on every release: a greater one was made up. */
const MAX_OWN_NUMBER = 2 ** 28;
const MAX_UNLINK_ID = 2n ** 64n - 1n;

/** Delivers one message. `elements` are those of the control tuple, as many as the operation has. */
type Deliver = (system: System, channel: DistChannel, elements: readonly Term[], payload: Payload) => void;

interface Operation {
  readonly arity: number;
  readonly deliver: Deliver;
}

/** By operation number. `ALTACT_SIG_SEND` alone has no fixed arity (0). */
const OPERATIONS: (Operation | undefined)[] = [];

function operation(number: number, arity: number, deliver: Deliver): void {
  OPERATIONS[number] = { arity, deliver };
}

/** What a control message says is done. Throws `DecodeError` for what no correct peer sends. */
export function controlArrived(system: System, channel: DistChannel, control: Term, payload: Payload): void {
  if (!(control instanceof Tuple)) throw malformed('the control message is no tuple');
  const { elements } = control;
  const number = elements[0];
  const known = typeof number === 'number' ? OPERATIONS[number] : undefined;
  if (known === undefined) throw malformed(`unknown operation ${format(number ?? [], 80)}`);
  if (known.arity !== 0) expectFields(elements, known.arity);
  known.deliver(system, channel, elements, payload);
}

operation(op.SEND, 3, (system, _, e, payload) => sendArrived(system, e[2], payload));
operation(op.SEND_TT, 4, (system, _, e, payload) => sendArrived(system, e[2], payload));
operation(op.SEND_SENDER, 3, (system, _, e, payload) => sendArrived(system, e[2], payload));
operation(op.SEND_SENDER_TT, 4, (system, _, e, payload) => sendArrived(system, e[2], payload));
operation(op.REG_SEND, 4, (system, _, e, payload) => regSendArrived(system, e[1], e[3], payload));
operation(op.REG_SEND_TT, 5, (system, _, e, payload) => regSendArrived(system, e[1], e[3], payload));
operation(op.ALIAS_SEND, 3, (system, _, e, payload) => aliasSendArrived(system, e[2], payload));
operation(op.ALIAS_SEND_TT, 4, (system, _, e, payload) => aliasSendArrived(system, e[2], payload));
operation(op.ALTACT_SIG_SEND, 0, altactArrived);

operation(op.LINK, 3, (system, channel, e) =>
  signal.linkArrived(system, channel, ofPeer(channel, e[1]), onThisNode(system, e[2])),
);
operation(op.UNLINK, 3, (system, channel, e) =>
  signal.unlinkArrived(system, channel, 0n, ofPeer(channel, e[1]), living(system, e[2])),
);
operation(op.UNLINK_ID, 4, (system, channel, e) =>
  signal.unlinkArrived(system, channel, unlinkId(e[1]), ofPeer(channel, e[2]), living(system, e[3])),
);
operation(op.UNLINK_ID_ACK, 4, (system, channel, e) =>
  signal.unlinkAckArrived(system, unlinkId(e[1]), ofPeer(channel, e[2]), onThisNode(system, e[3])),
);
operation(op.EXIT, 4, (system, channel, e) => exitArrived(system, channel, e, e[3] as Term));
operation(op.EXIT_TT, 5, (system, channel, e) => exitArrived(system, channel, e, e[4] as Term));
operation(op.PAYLOAD_EXIT, 3, (system, channel, e, payload) =>
  exitArrived(system, channel, e, payload.decode()),
);
operation(op.PAYLOAD_EXIT_TT, 4, (system, channel, e, payload) =>
  exitArrived(system, channel, e, payload.decode()),
);
operation(op.EXIT2, 4, (system, channel, e) => exit2Arrived(system, channel, e[1], e[2], () => e[3] as Term));
operation(op.EXIT2_TT, 5, (system, channel, e) =>
  exit2Arrived(system, channel, e[1], e[2], () => e[4] as Term),
);
operation(op.PAYLOAD_EXIT2, 3, (system, channel, e, payload) =>
  exit2Arrived(system, channel, e[1], e[2], () => payload.decode()),
);
operation(op.PAYLOAD_EXIT2_TT, 4, (system, channel, e, payload) =>
  exit2Arrived(system, channel, e[1], e[2], () => payload.decode()),
);
operation(op.MONITOR_P, 4, monitorArrived);
operation(op.DEMONITOR_P, 4, demonitorArrived);
operation(op.MONITOR_P_EXIT, 5, (system, channel, e) =>
  monitorExitArrived(system, channel, e, () => e[4] as Term),
);
operation(op.PAYLOAD_MONITOR_P_EXIT, 4, (system, channel, e, payload) =>
  monitorExitArrived(system, channel, e, () => payload.decode()),
);
operation(op.GROUP_LEADER, 3, (system, _, e) =>
  signal.groupLeaderArrived(system, pid(system, e[1]), pid(system, e[2])),
);
operation(op.SPAWN_REQUEST, 6, spawnRequestArrived);
operation(op.SPAWN_REQUEST_TT, 7, spawnRequestArrived);
operation(op.SPAWN_REPLY, 5, spawnReplyArrived);
operation(op.SPAWN_REPLY_TT, 6, spawnReplyArrived);

// --- messages -------------------------------------------------------------------------------------------------

/** To a pid that is not there, of an earlier incarnation or of a third node: nothing happens. */
function sendArrived(system: System, to: Term | undefined, payload: Payload): void {
  const receiver = system.process(pid(system, to));
  if (receiver !== undefined) receiver.deliver(payload.decode());
}

function regSendArrived(
  system: System,
  from: Term | undefined,
  name: Term | undefined,
  payload: Payload,
): void {
  pid(system, from);
  if (typeof name === 'boolean') return;
  if (!(name instanceof Atom)) throw malformed('the name is no atom');
  const receiver = system.whereis(name);
  if (receiver !== undefined) receiver.deliver(payload.decode());
}

function aliasSendArrived(system: System, alias: Term | undefined, payload: Payload, urgent = false): void {
  if (aliasOwner(system, alias) === undefined) return;
  system.aliasArrived(alias as Reference, payload.decode(), urgent);
}

/** Whose alias that is; undefined if it is active no more. */
function aliasOwner(system: System, alias: Term | undefined): Pid | undefined {
  if (!(alias instanceof Reference)) throw malformed('the alias is no reference');
  return system.aliasOwner(alias)?.pid;
}

/** A priority counts only where the receiver made such an alias: whatever else comes with it is taken in order. */
function altactArrived(system: System, channel: DistChannel, e: readonly Term[], payload: Payload): void {
  const flags = e[1];
  if (typeof flags !== 'number' || flags < 0) throw malformed('the flags are no bits');
  expectFields(e, (flags & op.ALTACT_TOKEN) === 0 ? 4 : 5);
  const alias = (flags & op.ALTACT_ALIAS) !== 0;
  const name = (flags & op.ALTACT_NAME) !== 0;
  const urgent = (flags & op.ALTACT_PRIORITY) !== 0;
  if (alias && name) throw malformed('the flags say both alias and name');
  pid(system, e[2]);
  if ((flags & op.ALTACT_EXIT) === 0) {
    if (alias) aliasSendArrived(system, e[3], payload, urgent);
    else if (name) regSendArrived(system, e[2], e[3], payload);
    else sendArrived(system, e[3], payload);
    return;
  }
  if (name) throw malformed('an exit signal to a name');
  const to = alias ? aliasOwner(system, e[3]) : e[3];
  const first = urgent && alias && system.takesPriority(e[3] as Reference);
  if (to !== undefined) exit2Arrived(system, channel, e[2], to, () => payload.decode(), first);
}

// --- links, monitors, exits -----------------------------------------------------------------------------------

function exitArrived(system: System, channel: DistChannel, e: readonly Term[], reason: Term): void {
  signal.exitArrived(system, ofPeer(channel, e[1]), living(system, e[2]), reason);
}

function exit2Arrived(
  system: System,
  channel: DistChannel,
  from: Term | undefined,
  to: Term | undefined,
  reason: () => Term,
  urgent = false,
): void {
  const sender = ofPeer(channel, from);
  const receiver = pid(system, to);
  if (system.process(receiver) !== undefined) signal.exit2Arrived(system, sender, receiver, reason(), urgent);
}

/** {_, Watcher, Watched, Ref} */
function monitorArrived(system: System, channel: DistChannel, e: readonly Term[]): void {
  const [, watcher, watched, ref] = e;
  const from = ofPeer(channel, watcher);
  if (!(ref instanceof Reference)) throw malformed('the monitor is no reference');
  if (typeof watched === 'boolean') channel.monitorExit(watched, from, ref, NOPROC);
  else signal.monitorArrived(system, channel, from, ours(system, watched), ref);
}

/** {_, Watcher, Watched, Ref} */
function demonitorArrived(system: System, channel: DistChannel, e: readonly Term[]): void {
  const [, watcher, watched, ref] = e;
  const from = ofPeer(channel, watcher);
  if (!(ref instanceof Reference)) throw malformed('the monitor is no reference');
  if (typeof watched !== 'boolean') ours(system, watched);
  signal.demonitorArrived(system, from, ref);
}

/** {_, Watched, Watcher, Ref …} */
function monitorExitArrived(
  system: System,
  channel: DistChannel,
  e: readonly Term[],
  reason: () => Term,
): void {
  const [, watched, watcher, ref] = e;
  if (!(watched instanceof Atom) && typeof watched !== 'boolean') ofPeer(channel, watched);
  if (!(ref instanceof Reference)) throw malformed('the monitor is no reference');
  const to = onThisNode(system, watcher);
  if (system.process(to) !== undefined) {
    signal.monitorExitArrived(system, channel.node, ref, reason());
  }
}

// --- spawning -------------------------------------------------------------------------------------------------

/** {_, ReqId, From, GroupLeader, {Module, Function, Arity}, Options …} */
function spawnRequestArrived(
  system: System,
  channel: DistChannel,
  e: readonly Term[],
  payload: Payload,
): void {
  const [, ref, from, leader, mfa, options] = e;
  if (!(ref instanceof Reference) || ref.node !== channel.node) {
    throw malformed('the request is no reference of the peer');
  }
  if (!(mfa instanceof Tuple)) throw malformed('no {Module, Function, Arity}');
  const [module, fun, arity] = mfa.elements;
  expectFields(mfa.elements, 3);
  if (!isAtom(module) || !isAtom(fun) || typeof arity !== 'number') {
    throw malformed('no {Module, Function, Arity}');
  }
  const requester = ofPeer(channel, from);
  const gl = pid(system, leader);
  const args = payload.decode();
  if (!Array.isArray(args)) throw malformed('the arguments are no list');
  spawns.spawnRequestArrived(
    system,
    channel,
    ref,
    requester,
    gl,
    [module, fun],
    args as readonly Term[],
    options as Term,
  );
}

/** {_, ReqId, To, Flags, Result …} */
function spawnReplyArrived(system: System, channel: DistChannel, e: readonly Term[]): void {
  const [, ref, to, flags, result] = e;
  if (!(ref instanceof Reference)) throw malformed('the request is no reference');
  onThisNode(system, to);
  if (typeof flags !== 'number' || flags < 0) throw malformed('the flags are no bits');
  if (!(result instanceof Atom)) ofPeer(channel, result);
  spawns.spawnReplyArrived(system, channel.node, ref, flags, result as Pid | Atom);
}

// --- checks ---------------------------------------------------------------------------------------------------

function malformed(what: string): DecodeError {
  return new DecodeError('bad_value', what, 0);
}

function expectFields(elements: readonly Term[], count: number): void {
  if (elements.length !== count) throw malformed(`${elements.length} elements where ${count} are expected`);
}

/** A pid of any node; one that claims to be ours could be ours. */
function pid(system: System, term: Term | undefined): Pid {
  if (!(term instanceof Pid)) throw malformed('a pid is expected');
  if (term.node === system.node && term.number >= MAX_OWN_NUMBER) {
    throw malformed(`a pid of this node with the number ${term.number}`);
  }
  return term;
}

/** A pid of the peer: nobody signs for others. */
function ofPeer(channel: DistChannel, term: Term | undefined): Pid {
  if (!(term instanceof Pid)) throw malformed('a pid is expected');
  if (term.node !== channel.node) throw malformed(`the sender is a process of ${term.node.name}`);
  return term;
}

/** A pid of this node, of this or an earlier incarnation. */
function onThisNode(system: System, term: Term | undefined): Pid {
  const known = pid(system, term);
  if (known.node !== system.node) throw malformed(`the receiver is a process of ${known.node.name}`);
  return known;
}

/** A pid of this incarnation. */
function living(system: System, term: Term | undefined): Pid {
  const known = onThisNode(system, term);
  if (known.creation !== system.creation) {
    throw malformed('the receiver is a process of an earlier incarnation of this node');
  }
  return known;
}

/** A pid of this node or a registered name. */
function ours(system: System, term: Term | undefined): Watched {
  return term instanceof Atom ? term : onThisNode(system, term);
}

function unlinkId(term: Term | undefined): bigint {
  const id = typeof term === 'number' || typeof term === 'bigint' ? BigInt(term) : 0n;
  if (id < 1n || id > MAX_UNLINK_ID) throw malformed('the id of an unlink is outside 1 to 2^64-1');
  return id;
}
