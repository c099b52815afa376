// The EPMD client: registers a name, looks up ports and names (OTP: erl_epmd; erl_dist_protocol "EPMD Protocol").
//
//   ALIVE2_REQ  120 port:u16 type:u8 proto:u8 highest:u16 lowest:u16 nlen:u16 name elen:u16 extra
//   answers     118 result:u8 creation:u32, or from a daemon before OTP 23: 121 result:u8 creation:u16
//   PORT2_REQ   122 name
//   answer      119 result:u8 [port:u16 type:u8 proto:u8 highest:u16 lowest:u16 nlen:u16 name elen:u16 extra]
//   NAMES_REQ   110, DUMP_REQ 100: answer port:u32 text…, ended by the close
//   KILL_REQ    107, STOP_REQ 115 name: answer is text
//
// Requests have a two-byte length in front, answers have none: they end with their own fields or with the connection.
//
// From the package `epmd-client` come: the encoding of all requests but STOP, and the decoding of ALIVE2 answers of
// old daemons and of PORT2 answers. Ours are: version 6 in the registration and the 32-bit creation of its answer;
// the versions and the extra field of a PORT2 answer (the package cuts the one wrongly, hides the others, and
// refuses nodes whose lowest version is 6); NAMES answers (the package reads the node `rename2` as `2`); sockets (an
// error of the package's own ends the process, and an answer in two pieces is two answers to it); timeouts, IPv6,
// duplicate names, and (in epmd_registration.ts) registering again after EPMD was restarted.
import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import decoder from 'epmd-client/protocol/decoder.js';
import encoder from 'epmd-client/protocol/encoder.js';
import { EpmdError } from '../errors.js';

/** Where an EPMD is. */
export interface EpmdAddress {
  /** 127.0.0.1 by default, ::1 when `family` is 6. */
  readonly host?: string | undefined;
  /** 4369 by default (`ERL_EPMD_PORT`). */
  readonly port?: number | undefined;
  readonly family?: 4 | 6 | undefined;
  /** Time for the whole exchange; 10 s by default. */
  readonly timeoutMs?: number | undefined;
}

const EPMD_PORT = 4369;
/** We speak the distribution protocol of OTP 23 and later; lowest 5 is what OTP itself registers. */
const HIGHEST_VERSION = 6;
const LOWEST_VERSION = 5;
/** Where the versions stand in ALIVE2_REQ and in a PORT2 answer. */
const ALIVE2_VERSIONS = 5;
const PORT2_LOWEST = 8;
const TIMEOUT_MS = 10_000;
/** Ten thousand names of the greatest length are not half of it. */
const MAX_ANSWER = 8 * 1024 * 1024;
/** How long a name's holder may take to answer, when somebody else wants the name. */
const HOLDER_TIMEOUT_MS = 1000;

const ALIVE2_X_RESP = 118;
const PORT2_RESP = 119;
const ALIVE2_RESP = 121;
const STOP_REQ = 115;

/** A registered node, as EPMD tells it. */
export interface NodeInfo {
  readonly name: string;
  readonly port: number;
  /** 77 normal, 72 hidden; nothing depends on it. */
  readonly type: number;
  readonly protocol: number;
  readonly highest: number;
  readonly lowest: number;
  readonly extra: Buffer;
  /** The version both sides speak; 0 if there is none. */
  readonly version: number;
}

/** A creation for a node that no EPMD gave one: random, above those of old daemons. */
export function randomCreation(): number {
  return randomInt(4, 2 ** 32);
}

/** Where a node of that name (the part before the `@`) listens on that host. `EpmdError` `unknown_name` if nowhere. */
export async function portPlease(name: string, address: EpmdAddress = {}): Promise<NodeInfo> {
  const info = await exchange(encoder.portPleaseRequest(name), address, port2Answer);
  if (info === 'unknown') {
    throw new EpmdError(
      'unknown_name',
      where(address),
      `no node ${name} is registered with EPMD at ${where(address)}`,
    );
  }
  return info;
}

/** All names that are registered there, with their ports. */
export async function names(
  address: EpmdAddress = {},
): Promise<readonly { readonly name: string; readonly port: number }[]> {
  const text = await untilClosed(encoder.namesRequest(), address, true);
  return text.split('\n').flatMap((line) => {
    const [, name, port] = /^name (\S+) at port (\d+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, port: Number(port) }];
  });
}

/** What `epmd -dump` prints. Only from the same host. */
export async function dump(address: EpmdAddress = {}): Promise<string> {
  return (await untilClosed(encoder.dumpRequest(), address, true)).replaceAll('\0', '');
}

/** Ends the daemon; false if it refused because nodes are registered. */
export async function kill(address: EpmdAddress = {}): Promise<boolean> {
  return (await untilClosed(encoder.killRequest(), address, false)) === 'OK';
}

/** Removes a name; `closed` from a daemon without relaxed command check. */
export async function stop(
  name: string,
  address: EpmdAddress = {},
): Promise<'stopped' | 'noexist' | 'closed'> {
  const answer = await untilClosed(Buffer.concat([Buffer.of(STOP_REQ), Buffer.from(name)]), address, false);
  return answer === 'STOPPED' ? 'stopped' : answer.startsWith('NOEXIST') ? 'noexist' : 'closed';
}

/** Whether the error says that nothing accepts connections there. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof EpmdError && error.code === 'unreachable';
}

/** Whether something accepts connections there. */
function isListening(address: EpmdAddress = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open(address);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(address.timeoutMs ?? TIMEOUT_MS, () => done(false));
    socket.once('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}

/** The encoded ALIVE2_REQ, with the versions that we speak. */
function aliveRequest(name: string, port: number): Buffer {
  const request = encoder.aliveRequest(port, name);
  request.writeUInt16BE(HIGHEST_VERSION, ALIVE2_VERSIONS);
  request.writeUInt16BE(LOWEST_VERSION, ALIVE2_VERSIONS + 2);
  return request;
}

/**
 * Registers a name: it is held for as long as the socket is open and nothing is written to it. Throws `EpmdError`:
 * `unreachable`, `timeout`, `closed`, `bad_answer`, or `duplicate_name`, which tells who holds the name.
 */
export async function alive(
  name: string,
  port: number,
  address: EpmdAddress,
): Promise<{ socket: Socket; creation: number }> {
  const socket = open(address);
  try {
    const answer = await ask(socket, aliveRequest(name, port), address, aliveAnswer);
    if (answer.result === 0) return { socket, creation: answer.creation };
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.destroy();
  throw new EpmdError(
    'duplicate_name',
    where(address),
    `the name ${name} is taken: EPMD at ${where(address)} has it for ${await holder(name, address)}; ` +
      'stop that node or choose another name',
  );
}

/** Who has a name, in words. */
async function holder(name: string, address: EpmdAddress): Promise<string> {
  try {
    const timeoutMs = HOLDER_TIMEOUT_MS;
    const info = await portPlease(name, { ...address, timeoutMs });
    const answers = await isListening({ ...address, port: info.port, timeoutMs });
    return `the node at port ${info.port}, which ${answers ? 'answers' : 'does not answer'}`;
  } catch {
    return 'a node that it does not tell';
  }
}

// --- answers: undefined means that more bytes are needed -----------------------------------------------------------

function aliveAnswer(bytes: Buffer): { result: number; creation: number } | undefined {
  if (bytes.length < 2) return undefined;
  const result = bytes.readUInt8(1);
  switch (bytes[0]) {
    case ALIVE2_X_RESP:
      return bytes.length < 6 ? undefined : { result, creation: bytes.readUInt32BE(2) };
    case ALIVE2_RESP:
      if (bytes.length < 4) return undefined;
      if (result !== 0) return { result, creation: 0 };
      return { result, creation: decoder.decode(bytes.subarray(0, 4)).data.creation.readUInt16BE(0) };
    default:
      throw new Error(`tag ${bytes[0]} instead of 118 or 121`);
  }
}

/** `unknown` when the daemon does not know the name. */
function port2Answer(bytes: Buffer): NodeInfo | 'unknown' | undefined {
  if (bytes.length < 2) return undefined;
  if (bytes[0] !== PORT2_RESP) throw new Error(`tag ${bytes[0]} instead of 119`);
  if (bytes[1] !== 0) return 'unknown';
  if (bytes.length < 12) return undefined;
  const extraAt = 12 + bytes.readUInt16BE(10);
  if (bytes.length < extraAt + 2) return undefined;
  const end = extraAt + 2 + bytes.readUInt16BE(extraAt);
  if (bytes.length < end) return undefined;
  const highest = bytes.readUInt16BE(6);
  const lowest = bytes.readUInt16BE(PORT2_LOWEST);
  const overlap = lowest <= HIGHEST_VERSION && highest >= LOWEST_VERSION;
  // The package refuses versions it does not know: it is shown those it does.
  const known = Buffer.from(bytes.subarray(0, end));
  known.writeUInt16BE(5, 6);
  known.writeUInt16BE(5, PORT2_LOWEST);
  const { port, nodeType: type, protocol, name } = decoder.decode(known).data;
  const extra = known.subarray(extraAt + 2);
  const version = overlap ? Math.min(highest, HIGHEST_VERSION) : 0;
  return { name, port, type, protocol, highest, lowest, extra, version };
}

// --- the exchange ----------------------------------------------------------------------------------------------------

/** Sends one request, reads one answer, closes. */
async function exchange<T>(
  request: Buffer,
  address: EpmdAddress,
  decode: (bytes: Buffer, ended: boolean) => T | undefined,
): Promise<T> {
  const socket = open(address);
  try {
    return await ask(socket, request, address, decode);
  } finally {
    socket.destroy();
  }
}

/** The text that the daemon sends until it closes; `withPort`: behind the port it listens on. */
function untilClosed(request: Buffer, address: EpmdAddress, withPort: boolean): Promise<string> {
  const text = (bytes: Buffer, ended: boolean): string | undefined => {
    if (!ended) return undefined;
    if (!withPort) return bytes.toString();
    if (bytes.length < 4) return undefined;
    const port = bytes.readUInt32BE(0);
    if (port !== (address.port ?? EPMD_PORT)) throw new Error(`it says that it listens on port ${port}`);
    return bytes.toString('utf8', 4);
  };
  return exchange(request, address, text);
}

function open(address: EpmdAddress): Socket {
  const family = address.family ?? 4;
  const host = address.host ?? (family === 6 ? '::1' : '127.0.0.1');
  return connect({ host, port: address.port ?? EPMD_PORT, family });
}

/** Writes the request and collects bytes until `decode` makes something of them. The socket stays open. */
function ask<T>(
  socket: Socket,
  request: Buffer,
  address: EpmdAddress,
  decode: (bytes: Buffer, ended: boolean) => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const at = where(address);
    const fail = (code: EpmdError['code'], why: string, cause?: unknown): void => {
      detach();
      reject(new EpmdError(code, at, why, cause));
    };
    const attempt = (ended: boolean): void => {
      try {
        const answer = decode(Buffer.concat(chunks), ended);
        if (answer !== undefined) {
          detach();
          resolve(answer);
        } else if (ended) fail('closed', `EPMD at ${at} closed the connection before it had answered`);
      } catch (error) {
        fail('bad_answer', `EPMD at ${at} gave an answer that is none: ${(error as Error).message}`, error);
      }
    };
    const data = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER) fail('bad_answer', `EPMD at ${at} gave an answer of over ${MAX_ANSWER} bytes`);
      else attempt(false);
    };
    const end = (): void => attempt(true);
    const timeoutMs = address.timeoutMs ?? TIMEOUT_MS;
    const late = (): void => fail('timeout', `EPMD at ${at} did not answer within ${timeoutMs} ms`);
    const timer = setTimeout(late, timeoutMs);
    const detach = (): void => {
      clearTimeout(timer);
      socket.off('data', data).off('close', end);
    };
    socket.on('data', data);
    socket.once('close', end);
    // Stays for good: without a listener an error of the socket would end the whole process.
    socket.on('error', (error) => {
      const refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      const why = refused ? 'nothing listens there; start one with: otpnode epmd -daemon' : error.message;
      fail('unreachable', `cannot reach EPMD at ${at}: ${why}`, error);
    });
    socket.write(encoder.requestWrapper(request));
  });
}

/** `host:port` for people. */
export function where(address: EpmdAddress = {}): string {
  const host = address.host ?? (address.family === 6 ? '::1' : '127.0.0.1');
  return `${host.includes(':') ? `[${host}]` : host}:${address.port ?? EPMD_PORT}`;
}
