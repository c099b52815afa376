// The messages of the distribution handshake (erl_dist_protocol "Distribution Handshake"; OTP: dist_util), without
// their length: 2 bytes over TCP, 4 over TLS. Big-endian. Each has its layout above its codec.
//
//   A (dials)              B (listens)
//   name        ------->                 A's name, flags, creation
//               <-------   status        ok, ok_simultaneous, nok, not_allowed, alive, named:…
//   (status     ------->)                true or false, only after alive
//               <-------   challenge     B's name, flags, creation, a random number
//   (complement ------->)                only after an old name message
//   reply       ------->                 digest of B's number, a random number
//               <-------   ack           digest of A's number
import { createHash, timingSafeEqual } from 'node:crypto';
import { Reader } from '../bytes/reader.js';
import { Writer } from '../bytes/writer.js';
import { DecodeError } from '../errors.js';

const NAME = 0x4e; // N
const OLD_NAME = 0x6e; // n
const STATUS = 0x73; // s
const COMPLEMENT = 0x63; // c
const REPLY = 0x72; // r
const ACK = 0x61; // a
const DIGEST_BYTES = 16;
const NAMED = 'named:';
/** The version in old name messages. */
const VERSION = 5;

export interface NameMessage {
  readonly flags: bigint;
  /** Unknown until the complement has come, when `old`. */
  readonly creation: number;
  readonly name: string;
  /** Came as `n`: the upper half of the flags and the creation follow in a complement. */
  readonly old: boolean;
}

/** `N` flags:u64 creation:u32 nlen:u16 name:nlen (more is ignored) */
export function encodeName(message: Omit<NameMessage, 'old'>): Buffer {
  const out = new Writer(64);
  out.u8(NAME);
  out.u64(message.flags);
  out.u32(message.creation);
  out.u16(message.name.length);
  out.latin1(message.name);
  return out.take();
}

/** `n` version:u16 flags:u32 name (what OTP 23 and 24 send when they do not know the peer's version) */
export function encodeOldName(flags: bigint, name: string): Buffer {
  const out = new Writer(64);
  out.u8(OLD_NAME);
  out.u16(VERSION);
  out.u32(Number(flags & 0xffffffffn));
  out.latin1(name);
  return out.take();
}

export function decodeName(bytes: Buffer): NameMessage {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag === NAME) {
    const flags = input.u64();
    const creation = input.u32();
    return { flags, creation, name: input.latin1(input.u16()), old: false };
  }
  if (tag !== OLD_NAME) throw wrongTag('a name message (N or n)', tag);
  input.u16();
  const flags = BigInt(input.u32());
  return { flags, creation: 0, name: input.latin1(input.remaining), old: true };
}

export type PlainStatus = 'ok' | 'ok_simultaneous' | 'nok' | 'not_allowed' | 'alive' | 'true' | 'false';
/** `named`: the peer gives us the name that we asked for. */
export type Status =
  | { readonly status: PlainStatus }
  | { readonly status: 'named'; readonly name: string; readonly creation: number }
  | { readonly status: 'unknown'; readonly text: string };

const PLAIN: ReadonlySet<string> = new Set([
  'ok',
  'ok_simultaneous',
  'nok',
  'not_allowed',
  'alive',
  'true',
  'false',
]);

/** `s` text, or `s` "named:" nlen:u16 name:nlen creation:u32 (more is ignored) */
export function encodeStatus(status: Exclude<Status, { status: 'unknown' }>): Buffer {
  const out = new Writer(64);
  out.u8(STATUS);
  if (status.status === 'named') {
    out.latin1(NAMED);
    out.u16(status.name.length);
    out.latin1(status.name);
    out.u32(status.creation);
  } else out.latin1(status.status);
  return out.take();
}

export function decodeStatus(bytes: Buffer): Status {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag !== STATUS) throw wrongTag('a status message (s)', tag);
  const text = input.rest().toString('latin1');
  if (text.startsWith(NAMED)) {
    const named = new Reader(bytes, 1 + NAMED.length);
    const name = named.latin1(named.u16());
    return { status: 'named', name, creation: named.u32() };
  }
  if (PLAIN.has(text)) return { status: text as PlainStatus };
  return { status: 'unknown', text: text.slice(0, 80) };
}

export interface ChallengeMessage {
  readonly flags: bigint;
  readonly challenge: number;
  readonly creation: number;
  readonly name: string;
}

/** `N` flags:u64 challenge:u32 creation:u32 nlen:u16 name:nlen (more is ignored) */
export function encodeChallenge(message: ChallengeMessage): Buffer {
  const out = new Writer(64);
  out.u8(NAME);
  out.u64(message.flags);
  out.u32(message.challenge);
  out.u32(message.creation);
  out.u16(message.name.length);
  out.latin1(message.name);
  return out.take();
}

export function decodeChallenge(bytes: Buffer): ChallengeMessage {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag === OLD_NAME) {
    throw new DecodeError('bad_tag', 'an old challenge (n): the peer is OTP 22 or older', 0, tag);
  }
  if (tag !== NAME) throw wrongTag('a challenge message (N)', tag);
  const flags = input.u64();
  const challenge = input.u32();
  const creation = input.u32();
  return { flags, challenge, creation, name: input.latin1(input.u16()) };
}

/** `c` flagsHigh:u32 creation:u32: what an old name message had no room for */
export function encodeComplement(flags: bigint, creation: number): Buffer {
  const out = new Writer(16);
  out.u8(COMPLEMENT);
  out.u32(Number(flags >> 32n));
  out.u32(creation);
  return out.take();
}

/** `flagsHigh` is returned in its place: to be or-ed to the lower half. */
export function decodeComplement(bytes: Buffer): { flagsHigh: bigint; creation: number } {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag !== COMPLEMENT) throw wrongTag('a complement message (c)', tag);
  return { flagsHigh: BigInt(input.u32()) << 32n, creation: input.u32() };
}

/** `r` challenge:u32 digest:16 */
export function encodeReply(challenge: number, digest: Buffer): Buffer {
  const out = new Writer(32);
  out.u8(REPLY);
  out.u32(challenge);
  out.bytes(digest);
  return out.take();
}

export function decodeReply(bytes: Buffer): { challenge: number; digest: Buffer } {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag !== REPLY) throw wrongTag('a challenge reply (r)', tag);
  return { challenge: input.u32(), digest: lastDigest(input) };
}

/** `a` digest:16 */
export function encodeAck(digest: Buffer): Buffer {
  return Buffer.concat([Buffer.of(ACK), digest]);
}

export function decodeAck(bytes: Buffer): Buffer {
  const input = new Reader(bytes);
  const tag = input.u8();
  if (tag !== ACK) throw wrongTag('a challenge ack (a)', tag);
  return lastDigest(input);
}

function lastDigest(input: Reader): Buffer {
  if (input.remaining !== DIGEST_BYTES) {
    throw new DecodeError('bad_value', `a digest has 16 bytes, ${input.remaining} came`, input.offset);
  }
  return input.rest();
}

function wrongTag(expected: string, tag: number): DecodeError {
  return new DecodeError('bad_tag', `${expected} was expected, tag ${tag} came`, 0, tag);
}

/** What proves the cookie: MD5 of its Latin-1 bytes and the challenge in decimal. */
export function digest(cookie: string, challenge: number): Buffer {
  return createHash('md5').update(cookie, 'latin1').update(String(challenge)).digest();
}

/** Compares in a time that tells nothing. */
export function sameDigest(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
