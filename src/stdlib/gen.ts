// How behaviours are called, as OTP's gen.erl: requests, replies, and the names a server can be reached by.
//
// A request is `{'$gen_call', {Caller, Tag}, Request}` behind a monitor of the same target, its answer
// `{Tag, Reply}`, or DOWN. Our tags are `[alias | Ref]`: the answer goes to the alias, and one that comes too
// late is dropped. To peers without aliases the tag is the plain reference. A server echoes any tag as it came.
import { BadArg, Exit } from '../errors.js';
import { ALIAS_FLAG } from '../erts/dist_entry.js';
import { NOCONNECTION, NOPROC } from '../erts/exit_reason.js';
import type { NameService } from '../erts/name_service.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ImproperList } from '../terms/list.js';
import { equals } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { DEFAULT_TIMEOUT_MS, type Limits, leftOf, receiveWithin, timeoutOf } from './limits.js';

/** Where a server is: a pid, a local name, `{Name, Node}`, `{global, Name}` or `{via, Module, Name}`. */
export type ServerRef = Pid | Atom | Tuple;

/** Who asked, and the tag its answer must carry. */
export interface From {
  readonly pid: Pid;
  readonly tag: Term;
}

/** A request on its way. */
export interface RequestId {
  readonly ref: Reference;
  readonly server: ServerRef;
}

/**
 * What became of a request. `error` is `noproc`, `{nodedown, Node}`, `aborted` (by the caller's signal) or the reason the
 * server ended with.
 */
export type Response = { readonly reply: Term } | { readonly error: Term } | { readonly timeout: true };

/** Answers of several nodes, and those that gave none. */
export interface MultiCallResult {
  readonly replies: (readonly [Atom, Term])[];
  readonly bad: Atom[];
}

const GEN_CALL = atom('$gen_call');
const GEN_CAST = atom('$gen_cast');
const ALIAS = atom('alias');
const DOWN = atom('DOWN');
const GLOBAL = atom('global');
const VIA = atom('via');
const TIMEOUT = atom('timeout');
const NODEDOWN = atom('nodedown');
const CALLING_SELF = atom('calling_self');
const GEN_SERVER = atom('gen_server');
const CALL = atom('call');
const INFINITY = atom('infinity');
const ABORTED = atom('aborted');
/** A name that no process can have: a monitor of it answers `noproc`. */
const NOBODY = atom('undefined');
/** Characters of a reason in an error's message. */
const MAX_WHY = 200;

// --- names ----------------------------------------------------------------------------------------------------

/** The process or remote name behind a server's name now; undefined if nobody has it. */
export function whereisServer(system: System, server: ServerRef): Pid | Tuple | undefined {
  if (server instanceof Pid) return server;
  if (server instanceof Atom) return system.whereis(server)?.pid;
  const service = nameServiceOf(system, server);
  if (service !== undefined) return service.service?.whereisName(service.name);
  const [first, second] = server.elements;
  if (server.elements.length !== 2 || !(first instanceof Atom) || !(second instanceof Atom)) {
    throw new BadArg('a server is a pid, a name, {Name, Node}, {global, Name} or {via, Module, Name}');
  }
  return second === system.node ? system.whereis(first)?.pid : server;
}

/** The resolver and the name of `{global, Name}` and `{via, Module, Name}`; undefined for anything else. */
export function nameServiceOf(
  system: System,
  server: Tuple,
): { readonly service: NameService | undefined; readonly name: Term } | undefined {
  const [first, second, third] = server.elements;
  if (first === GLOBAL && server.elements.length === 2) {
    return { service: system.nameServices.get('global'), name: second as Term };
  }
  if (first !== VIA || server.elements.length !== 3 || !(second instanceof Atom)) return undefined;
  return { service: system.nameServices.get(second.name), name: third as Term };
}

/** The node that a server's reference names, as far as it names one. */
export function nodeOfServer(system: System, server: ServerRef): Atom {
  const target = whereisServer(system, server);
  if (target instanceof Pid) return target.node;
  const node = target?.elements[1];
  return node instanceof Atom ? node : system.node;
}

// --- asking ---------------------------------------------------------------------------------------------------

/**
 * Asks a server and waits for its answer, 5000 ms unless told otherwise. Throws `Exit` with OTP's reason
 * `{Why, {gen_server, call, Args}}` where Why is `timeout`, `noproc`, `{nodedown, Node}`, `calling_self`, `aborted` or
 * what the server ended with.
 */
export async function call(self: Process, server: ServerRef, request: Term, limits?: Limits): Promise<Term> {
  const response = await callAs(self, GEN_CALL, server, request, limits);
  if ('reply' in response) return response.reply;
  const args: Term[] = [server, request];
  if (limits !== undefined) args.push(timeoutOf(limits, DEFAULT_TIMEOUT_MS) ?? INFINITY);
  const why = 'error' in response ? response.error : TIMEOUT;
  throw new Exit(tuple(why, tuple(GEN_SERVER, CALL, args)), failure(server, why));
}

/** What went wrong, in words: of a long reason the beginning. */
function failure(server: ServerRef, why: Term): string {
  const text = format(why);
  const shown = text.length > MAX_WHY ? `${text.slice(0, MAX_WHY)}...` : text;
  return `the call of ${format(server)} failed: ${shown}`;
}

/** `call` with another label than `'$gen_call'`, as `sys` and `gen_event` use. Never throws for the server's sake. */
export async function callAs(
  self: Process,
  label: Term,
  server: ServerRef,
  request: Term,
  limits?: Limits,
): Promise<Response> {
  const target = whereisServer(self.system, server);
  if (target === undefined) return { error: NOPROC };
  if (target instanceof Pid && target.key === self.pid.key) return { error: CALLING_SELF };
  // what waits already cannot be the answer: a server with many messages waiting calls as fast as an idle one
  const skip = self.mailbox.size;
  return responseWithin(self, post(self, label, target, request), limits, skip);
}

/**
 * Asks without waiting. The answer is taken by `receiveResponse`, or recognised among other messages by
 * `checkResponse`. Throws `ConnectionError` `busy_dist_port` as `Process.send` does.
 */
export function sendRequest(self: Process, server: ServerRef, request: Term): RequestId {
  self.throwIfBusy(whereisServer(self.system, server) ?? NOBODY);
  return beginRequest(self, server, request);
}

/** `sendRequest` for callers that wait: it is sent however much waits before it. */
export function beginRequest(self: Process, server: ServerRef, request: Term): RequestId {
  const target = whereisServer(self.system, server) ?? NOBODY;
  return { ref: post(self, GEN_CALL, target, request).ref, server };
}

function post(self: Process, label: Term, target: Pid | Atom | Tuple, request: Term): RequestId {
  const { system } = self;
  const aliased = hasAlias(system, target);
  const ref = self.monitor(target, aliased ? { alias: 'reply_demonitor' } : {});
  const tag: Term = aliased ? new ImproperList([ALIAS], ref) : ref;
  system.send(self.pid, target, tuple(label, tuple(self.pid, tag), request));
  return { ref, server: target };
}

/** Whether the answer can come to an alias: always, except over a live connection to a peer that has none. */
function hasAlias(system: System, target: ServerRef): boolean {
  const node = system.nodeOf(target);
  if (node === system.node) return true;
  const channel = system.findEntry(node)?.channel;
  return channel === undefined || (channel.flags & ALIAS_FLAG) !== 0n;
}

/** Waits for the answer of a request, 5000 ms unless told otherwise; then gives it up: a later answer is dropped. */
export function receiveResponse(self: Process, id: RequestId, limits?: Limits): Promise<Response> {
  return responseWithin(self, id, limits, 0);
}

async function responseWithin(
  self: Process,
  id: RequestId,
  limits: Limits | undefined,
  skip: number,
): Promise<Response> {
  const match = (message: Term): Response | undefined => responseIn(self, message, id);
  const response = await receiveWithin(self, match, limits, DEFAULT_TIMEOUT_MS, skip);
  if (typeof response === 'string') {
    abandon(self, id);
    return response === 'timeout' ? { timeout: true } : { error: ABORTED };
  }
  if ('reply' in response) self.demonitor(id.ref, { flush: true });
  return response;
}

/** What became of the request, if `message` tells: for processes that receive all their messages in one place. */
export function checkResponse(self: Process, message: Term, id: RequestId): Response | undefined {
  const response = responseIn(self, message, id);
  if (response !== undefined && 'reply' in response) self.demonitor(id.ref, { flush: true });
  return response;
}

/** Gives a request up: an answer that still comes is dropped. */
export function abandon(self: Process, id: RequestId): void {
  self.demonitor(id.ref, { flush: true });
  self.dropReply(id.ref);
}

function responseIn(self: Process, message: Term, id: RequestId): Response | undefined {
  const ref = responseRef(message);
  if (ref === undefined || !equals(ref, id.ref)) return undefined;
  const { elements } = message as Tuple;
  if (elements.length === 2) return { reply: elements[1] as Term };
  const reason = elements[4] as Term;
  if (reason !== NOCONNECTION) return { error: reason };
  return { error: tuple(NODEDOWN, nodeOfServer(self.system, id.server)) };
}

/** The request that a message `{Tag, Reply}` or `{'DOWN', Ref, …}` answers. */
export function responseRef(message: Term): Reference | undefined {
  if (!(message instanceof Tuple)) return undefined;
  const { elements } = message;
  if (elements.length === 2) return refOfTag(elements[0] as Term);
  if (elements.length !== 5 || elements[0] !== DOWN) return undefined;
  const ref = elements[1];
  return ref instanceof Reference ? ref : undefined;
}

/** The reference of a tag of ours: `Ref` or `[alias | Ref]`. */
function refOfTag(tag: Term): Reference | undefined {
  if (tag instanceof Reference) return tag;
  return plainAlias(tag);
}

/** Sends `{'$gen_cast', Message}`; a server that is not there loses it. */
export function cast(self: Process, server: ServerRef, message: Term): void {
  const target = whereisServer(self.system, server);
  if (target !== undefined) self.send(target, tuple(GEN_CAST, message));
}

/**
 * Asks the server of that name on each node (`gen_server:multi_call`). Nodes that cannot be reached, lack the
 * name, or do not answer in time are in `bad`, in the order given. Waits without limit unless told otherwise.
 */
export async function multiCall(
  self: Process,
  nodes: readonly Atom[],
  name: Atom,
  request: Term,
  limits?: Limits,
): Promise<MultiCallResult> {
  const left = leftOf(self, limits);
  const ids = nodes.map((node) => post(self, GEN_CALL, tuple(name, node), request));
  const replies: (readonly [Atom, Term])[] = [];
  const bad: Atom[] = [];
  for (const [i, id] of ids.entries()) {
    const node = nodes[i] as Atom;
    const response = await receiveResponse(self, id, left());
    if ('reply' in response) replies.push([node, response.reply]);
    else bad.push(node);
  }
  return { replies, bad };
}

// --- answering ------------------------------------------------------------------------------------------------

/** The caller and the request of a message `{'$gen_call', {Pid, Tag}, Request}`. */
export function parseCall(message: Term): { from: From; request: Term } | undefined {
  if (!isTagged(message, GEN_CALL, 3)) return undefined;
  const from = parseFrom(message.elements[1] as Term);
  return from === undefined ? undefined : { from, request: message.elements[2] as Term };
}

/** The caller of a term `{Pid, Tag}`. */
export function parseFrom(term: Term): From | undefined {
  if (!(term instanceof Tuple) || term.elements.length !== 2) return undefined;
  const [pid, tag] = term.elements;
  return pid instanceof Pid ? { pid, tag: tag as Term } : undefined;
}

/** The message of `{'$gen_cast', Message}`. */
export function parseCast(message: Term): { message: Term } | undefined {
  return isTagged(message, GEN_CAST, 2) ? { message: message.elements[1] as Term } : undefined;
}

/** Answers a request: `{Tag, Reply}` to the alias that the tag names, else to the caller. Never throws. */
export function reply(self: Process, from: From, value: Term): void {
  const { system } = self;
  const alias = from.tag instanceof Reference ? undefined : aliasOf(from.tag);
  const to =
    alias !== undefined && alias.node === from.pid.node && hasAlias(system, from.pid) ? alias : from.pid;
  system.send(self.pid, to, tuple(from.tag, value));
}

/** The alias of a tag `[alias | Ref]` or `[[alias | Ref] | Other]`. */
function aliasOf(tag: Term): Reference | undefined {
  if (tag instanceof ImproperList) return plainAlias(tag) ?? plainAlias(tag.items[0]);
  return Array.isArray(tag) ? plainAlias((tag as readonly Term[])[0]) : undefined;
}

function plainAlias(tag: Term | undefined): Reference | undefined {
  if (!(tag instanceof ImproperList) || tag.items.length !== 1 || tag.items[0] !== ALIAS) return undefined;
  return tag.tail instanceof Reference ? tag.tail : undefined;
}
