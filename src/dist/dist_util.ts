// The handshake of two nodes, from either end (OTP: dist_util:handshake_we_started/1, handshake_other_started/1).
//
// Two straight functions over whole messages. They hold no policy: who may connect, which attempt wins when both
// dial, which cookie counts, which name a nameless client gets, are asked of the caller. They never close the
// connection: whoever gets the HandshakeError does.
import { randomInt } from 'node:crypto';
import { DecodeError, HandshakeError, OtpnodeError } from '../errors.js';
import { type Clock, realClock } from '../erts/timer.js';
import { type Atom, atom } from '../terms/atom.js';
import {
  DFLAG_NAME_ME,
  DFLAG_PUBLISHED,
  expandMandatory25,
  MANDATORY_DFLAGS,
  missingFlags,
} from './dflags.js';
import * as message from './handshake.js';
import { type Certified, isHost, splitNode } from './node_name.js';

/** One end of a connection during the handshake: whole messages, without their length. */
export interface HandshakeIo {
  /** Where the peer is, for people: `host:port`. */
  readonly address: string;
  /** What the peer's certificate says; undefined if it showed none. */
  readonly certified?: Certified | undefined;
  send(message: Buffer): void;
  /** The next message. Rejects when the connection ends. */
  recv(): Promise<Buffer>;
}

/** Time of each step unless told otherwise (`net_setuptime`). */
export const NET_SETUPTIME_MS = 7000;

interface OurSide {
  /** Our full node name; when we ask for one, the host alone. */
  readonly ourName: string;
  /** Our `DFLAG_*` bits. */
  readonly flags: bigint;
  /** Whether that node sees us, if `flags` say that we are visible; every node by default. */
  readonly visibleTo?: (node: Atom) => boolean;
  readonly creation: number;
  /** The cookie for that node. */
  readonly cookie: (node: Atom) => string;
  /** Flags a peer must have beside the mandatory ones. */
  readonly requireFlags?: bigint;
  /** Time of each step, `NET_SETUPTIME_MS` by default. */
  readonly setupTimeMs?: number | undefined;
  readonly clock?: Clock;
}

export interface WeStartedOptions extends OurSide {
  /** Whom we dialled. */
  readonly node: Atom;
  /** Ask the peer for a name (`-name undefined`); `ourName` is then our host. */
  readonly nameMe?: boolean;
  /** The peer has a connection to us already: whether we really make a new one. By default we do. */
  readonly isPending?: () => boolean;
}

/**
 * What we answer to a node that wants to connect (`net_kernel`'s accept_pending):
 * - `ok`: no other attempt is under way
 * - `ok_simultaneous`: we dial it too, and give up our attempt
 * - `nok`: we dial it too, and go on with our attempt
 * - `alive`: we have a connection to it; if it insists, the new one replaces it once the cookie was right
 * - `not_allowed`: it is not on the allow list
 * - `close`: none of these; its attempt ends without an answer
 */
export type Verdict = 'ok' | 'ok_simultaneous' | 'nok' | 'alive' | 'not_allowed' | 'close';

/** What is known of a node that wants to connect. */
export interface Candidate {
  readonly node: Atom;
  /** With `MANDATORY_25_DIGEST` written out; the lower half alone when it sent an old name message. */
  readonly flags: bigint;
  readonly address: string;
}

/** A name we give to a client that has none. */
export interface GivenName {
  readonly node: Atom;
  readonly creation: number;
}

export interface OtherStartedPolicy extends OurSide {
  /** Asked once per attempt, after the flags were found sufficient. */
  readonly accept: (peer: Candidate) => Verdict;
  /** A name for a client of that host which has none; undefined refuses it. Without it, all are refused. */
  readonly nameClient?: (host: string) => GivenName | undefined;
}

/** A completed handshake. */
export interface Handshake {
  readonly node: Atom;
  readonly creation: number;
  /** The peer's flags, `MANDATORY_25_DIGEST` written out. */
  readonly peerFlags: bigint;
  /** What both sides have: these count from now on. */
  readonly flags: bigint;
  /** Both sides are visible (`PUBLISHED`). */
  readonly visible: boolean;
  /** What the peer named us, when we asked it to. */
  readonly ourName: GivenName | undefined;
  /** The peer had no name; it bears the one that we gave it. */
  readonly namedByUs: boolean;
}

/** The handshake of a connection that we made. Rejects with a `HandshakeError`, whatever the peer does. */
export async function handshakeWeStarted(io: HandshakeIo, options: WeStartedOptions): Promise<Handshake> {
  const attempt = new Attempt(io, options, options.node.name, `connection attempt to node`);
  const nameMe = options.nameMe === true;
  const flags = flagsFor(options, options.node, nameMe);
  const creation = nameMe ? 0 : options.creation;
  io.send(message.encodeName({ flags, creation, name: options.ourName }));

  const status = await attempt.read(message.decodeStatus, 'its status');
  const ourName = statusReceived(attempt, options, status);

  const challenge = await attempt.read(message.decodeChallenge, 'its challenge');
  if (challenge.name !== options.node.name) {
    throw attempt.failed(
      'bad_message',
      `the node there is called ${printable(challenge.name)}; EPMD may hold an old port, or the name means another host`,
    );
  }
  const peerFlags = expandMandatory25(challenge.flags);
  checkFlags(attempt, peerFlags, options);

  const cookie = options.cookie(options.node);
  const ourChallenge = randomInt(2 ** 32);
  io.send(message.encodeReply(ourChallenge, message.digest(cookie, challenge.challenge)));
  const ack = await attempt.read(message.decodeAck, 'its challenge ack').catch((error: HandshakeError) => {
    // that is how a node refuses a digest; its own log says so
    if (error.code !== 'closed') throw error;
    throw attempt.failed(
      'bad_cookie',
      'it closed the connection when it had our digest: most likely the cookies differ; start both nodes with the same cookie',
    );
  });
  if (!message.sameDigest(ack, message.digest(cookie, ourChallenge))) {
    throw attempt.failed('bad_cookie', 'it does not know our cookie: start both nodes with the same cookie');
  }
  return completed(options.node, challenge.creation, flags, peerFlags, { ourName });
}

/** Acts on the peer's status; returns the name it gives us, when we asked for one. */
function statusReceived(
  attempt: Attempt,
  options: WeStartedOptions,
  status: message.Status,
): GivenName | undefined {
  const nameMe = options.nameMe === true;
  switch (status.status) {
    case 'ok':
    case 'ok_simultaneous':
      if (nameMe)
        throw attempt.failed('bad_status', `it answered ${status.status} instead of giving us a name`);
      return undefined;
    case 'alive': {
      if (nameMe) throw attempt.failed('bad_status', 'it answered alive instead of giving us a name');
      const goOn = options.isPending?.() ?? true;
      attempt.io.send(message.encodeStatus({ status: goOn ? 'true' : 'false' }));
      if (goOn) return undefined;
      throw attempt.failed('alive', 'it has a connection to us already, which stays');
    }
    case 'nok':
      throw attempt.failed('nok', 'it dials us at the same time and its attempt goes on');
    case 'not_allowed':
      throw attempt.failed(
        'not_allowed',
        'it does not allow us to connect: our name is not on its allow list (net_kernel:allow/1), ' +
          'or it requires flags that we lack (its log tells)',
      );
    case 'named': {
      if (!nameMe) throw attempt.failed('bad_status', 'it gave us a name, though we have one');
      if (splitNode(status.name)?.host !== options.ourName) {
        throw attempt.failed(
          'bad_status',
          `it named us ${printable(status.name)}, which is not a name on ${options.ourName}`,
        );
      }
      return { node: atom(status.name), creation: status.creation };
    }
    case 'true':
    case 'false':
      throw attempt.failed(
        'bad_status',
        `it answered with the status ${status.status}, which it may not send`,
      );
    case 'unknown':
      throw attempt.failed('bad_status', `it answered with the unknown status ${printable(status.text)}`);
  }
}

/** The handshake of a connection that was made to us. Rejects with a `HandshakeError`, whatever the peer does. */
export async function handshakeOtherStarted(io: HandshakeIo, policy: OtherStartedPolicy): Promise<Handshake> {
  const attempt = new Attempt(io, policy, io.address, 'connection attempt from node');
  const name = await attempt.read(message.decodeName, 'its name');
  const nameMe = (name.flags & DFLAG_NAME_ME) !== 0n;
  if (nameMe ? !isHost(name.name) : splitNode(name.name) === undefined) {
    throw attempt.failed('bad_message', `${printable(name.name)} is no ${nameMe ? 'host' : 'node'} name`);
  }
  attempt.peer = nameMe ? `(nameless) on ${name.name}` : name.name;
  let peerFlags = expandMandatory25(name.flags);
  const refuse = (): void => io.send(message.encodeStatus({ status: 'not_allowed' }));
  checkFlags(attempt, peerFlags, policy, name.old ? 0xffffffffn : undefined, refuse);

  const given = nameMe ? nameGiven(attempt, policy, name.name) : undefined;
  const node = given?.node ?? atom(name.name);
  let creation = given?.creation ?? name.creation;
  if (given === undefined) await answer(attempt, policy, { node, flags: peerFlags, address: io.address });

  const flags = flagsFor(policy, node, nameMe);
  const challenge = randomInt(2 ** 32);
  io.send(message.encodeChallenge({ flags, challenge, creation: policy.creation, name: policy.ourName }));
  if (name.old) {
    const complement = await attempt.read(message.decodeComplement, 'its complement');
    peerFlags = expandMandatory25(name.flags | complement.flagsHigh);
    creation = complement.creation;
    checkFlags(attempt, peerFlags, policy);
  }

  const reply = await attempt.read(message.decodeReply, 'its challenge reply');
  const cookie = policy.cookie(node);
  if (!message.sameDigest(reply.digest, message.digest(cookie, challenge))) {
    throw attempt.failed('bad_cookie', 'invalid challenge reply: start both nodes with the same cookie');
  }
  io.send(message.encodeAck(message.digest(cookie, reply.challenge)));
  return completed(node, creation, flags, peerFlags, { namedByUs: nameMe });
}

/** What we tell a node of ourselves. */
function flagsFor({ flags, visibleTo }: OurSide, node: Atom, nameMe: boolean): bigint {
  if (nameMe) return (flags & ~DFLAG_PUBLISHED) | DFLAG_NAME_ME;
  return visibleTo?.(node) === false ? flags & ~DFLAG_PUBLISHED : flags;
}

/** Gives a client its name, or refuses. */
function nameGiven(attempt: Attempt, policy: OtherStartedPolicy, host: string): GivenName {
  const given = policy.nameClient?.(host);
  if (given === undefined) {
    attempt.io.send(message.encodeStatus({ status: 'not_allowed' }));
    throw attempt.failed('not_allowed', 'it asks for a name, and this node gives none to it');
  }
  attempt.peer = given.node.name;
  attempt.io.send(message.encodeStatus({ status: 'named', name: given.node.name, creation: given.creation }));
  return given;
}

/** Tells the peer the policy's verdict; returns only if the handshake goes on. */
async function answer(attempt: Attempt, policy: OtherStartedPolicy, peer: Candidate): Promise<void> {
  const verdict = peer.node.name === policy.ourName ? 'not_allowed' : policy.accept(peer);
  if (verdict !== 'close') attempt.io.send(message.encodeStatus({ status: verdict }));
  switch (verdict) {
    case 'ok':
    case 'ok_simultaneous':
      return;
    case 'nok':
      throw attempt.failed('nok', 'we dial it at the same time and our attempt goes on');
    case 'not_allowed': {
      const certified = attempt.io.certified === undefined ? '' : ', or its certificate is not for its host';
      const why = `it is not on the allow list${certified}`;
      throw attempt.failed('not_allowed', peer.node.name === policy.ourName ? 'it bears our own name' : why);
    }
    case 'close':
      throw attempt.failed('alive', 'another connection of that node is just being set up');
    case 'alive': {
      const insists = await attempt.read(message.decodeStatus, 'whether it replaces its old connection');
      if (insists.status === 'true') return;
      if (insists.status === 'false') {
        throw attempt.failed('alive', 'we have a connection to it already, which stays');
      }
      throw attempt.failed('bad_status', `true or false was expected, ${insists.status} came`);
    }
  }
}

/** Refuses a peer that lacks a flag we need; `known` are the bits that it has told so far. */
function checkFlags(
  attempt: Attempt,
  peerFlags: bigint,
  side: OurSide,
  known?: bigint,
  refuse?: () => void,
): void {
  let required = MANDATORY_DFLAGS | (side.requireFlags ?? 0n);
  if (known !== undefined) required &= known;
  const missing = missingFlags(peerFlags, required);
  if (missing.length === 0) return;
  refuse?.();
  throw attempt.failed(
    'missing_flags',
    `it cannot handle ${missing.join(', ')}, which this node requires: it must be OTP 23 or later`,
  );
}

function completed(
  node: Atom,
  creation: number,
  ourFlags: bigint,
  peerFlags: bigint,
  more: { ourName?: GivenName | undefined; namedByUs?: boolean },
): Handshake {
  const flags = ourFlags & peerFlags;
  return {
    node,
    creation,
    peerFlags,
    flags,
    visible: (flags & DFLAG_PUBLISHED) !== 0n,
    ourName: more.ourName,
    namedByUs: more.namedByUs === true,
  };
}

/** One attempt: reads within the time of a step and words what went wrong. */
class Attempt {
  readonly io: HandshakeIo;
  /** Who the peer is, as far as it is known. */
  peer: string;
  readonly #what: string;
  readonly #setupTimeMs: number;
  readonly #clock: Clock;

  constructor(io: HandshakeIo, side: OurSide, peer: string, what: string) {
    this.io = io;
    this.peer = peer;
    this.#what = what;
    this.#setupTimeMs = side.setupTimeMs ?? NET_SETUPTIME_MS;
    this.#clock = side.clock ?? realClock;
  }

  /** Reads one message; `what` is what we wait for. */
  async read<T>(decode: (bytes: Buffer) => T, what: string): Promise<T> {
    try {
      return decode(await this.#inTime(this.io.recv(), what));
    } catch (error) {
      if (error instanceof HandshakeError) throw error;
      if (error instanceof DecodeError) throw this.failed('bad_message', error.message);
      const why = error instanceof OtpnodeError ? error.message : String(error);
      throw this.failed('closed', `${why} (while we waited for ${what})`);
    }
  }

  failed(code: HandshakeError['code'], why: string): HandshakeError {
    const verb = this.#what.endsWith('from node') ? 'rejected' : 'failed';
    return new HandshakeError(code, this.peer, `${this.#what} ${this.peer} ${verb}: ${why}`);
  }

  async #inTime<T>(received: Promise<T>, what: string): Promise<T> {
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = this.#clock.setTimeout(
        () => reject(this.failed('timeout', `${this.#setupTimeMs} ms passed while we waited for ${what}`)),
        this.#setupTimeMs,
      );
    });
    try {
      return await Promise.race([received, late]);
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }
}

/** A peer's text, fit for a log line. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 255));
}
