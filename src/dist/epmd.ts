// An EPMD server: what `epmd` of BEAM is, byte for byte (erl_dist_protocol "EPMD Protocol"; epmd_srv.c).
//
//   120 ALIVE2_REQ  port:u16 type:u8 proto:u8 highest:u16 lowest:u16 nlen:u16 name elen:u16 extra
//                   → 118 result:u8 creation:u32, for highest below 6: 121 result:u8 creation:u16
//   122 PORT2_REQ   name → 119 result:u8 [port:u16 type:u8 proto:u8 highest:u16 lowest:u16 nlen:u16 name elen:u16 extra]
//   110 NAMES_REQ   → port:u32 and a line for each name
//   100 DUMP_REQ    → port:u32 and a line for each name, also for those that were; each with a NUL behind it
//   107 KILL_REQ    → OK, or NO while nodes are registered
//   115 STOP_REQ    name → STOPPED, or NOEXISTSTOPPED, only with relaxed command check
//
// Requests have a two-byte length in front. One request per connection, which is closed after the answer; but after
// ALIVE2_REQ it stays, and the name with it until the connection ends or anything more is sent. All but PORT2_REQ
// and NAMES_REQ are for peers on this host only. What breaks a rule is closed without an answer.
import { createServer, isIP, type Server, type Socket } from 'node:net';
import { ConnectionError } from '../errors.js';
import { type Log, silent } from '../erts/log.js';
import { type Entry, EpmdNames } from './epmd_names.js';

const ALIVE2_REQ = 120;
const PORT2_REQ = 122;
const NAMES_REQ = 110;
const DUMP_REQ = 100;
const KILL_REQ = 107;
const STOP_REQ = 115;
const ALIVE2_X_RESP = 118;
const ALIVE2_RESP = 121;
const PORT2_RESP = 119;

/** ALIVE2_REQ without name and extra. */
const ALIVE2_FIXED = 13;
/** The creation in an answer that refuses. */
const NO_CREATION = 99;
const MAX_NAME = 255;
/** BEAM's daemon does not look up the longest name that it registers; no node name can be so long with its host. */
const MAX_LOOKUP = 254;
/** `MAXSYMLEN`: four bytes for each character of a name. */
const MAX_EXTRA = 255 * 4;
/** Requests are shorter than this, their length included. */
const MAX_REQUEST = 3 * MAX_EXTRA;
const PACKET_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 65_536;

export interface EpmdServerOptions {
  /** 4369 by default; 0 for any free one. */
  readonly port?: number | undefined;
  /** Listen on these and on loopback; on all interfaces by default (`ERL_EPMD_ADDRESS`). */
  readonly addresses?: readonly string[] | undefined;
  /** Allow `KILL` while nodes are registered, and `STOP`. */
  readonly relaxedCommandCheck?: boolean | undefined;
  /** Connections that sent no whole request are closed after this; 60 s by default. */
  readonly packetTimeoutMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly log?: Log | undefined;
  readonly nowSeconds?: (() => number) | undefined;
}

/** A running server. */
export class EpmdServer {
  readonly port: number;
  /** Resolves when it was killed by a request, or closed. */
  readonly ended: Promise<void>;
  readonly #servers: readonly Server[];
  readonly #options: EpmdServerOptions;
  readonly #names: EpmdNames;
  readonly #sockets = new Map<number, Socket>();
  readonly #log: Log;
  #connections = 0;
  #end: () => void = () => {};

  /** Made by {@link startEpmdServer}. */
  constructor(servers: readonly Server[], port: number, options: EpmdServerOptions) {
    this.port = port;
    this.#servers = servers;
    this.#options = options;
    this.#names = new EpmdNames(options.nowSeconds);
    this.#log = options.log ?? silent;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    for (const server of servers) server.on('connection', (socket) => this.#connected(socket));
  }

  /** Ends it at once; all names are gone. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#end();
  }

  #connected(socket: Socket): void {
    const id = ++this.#connections;
    socket.on('error', () => {});
    if (this.#sockets.size >= (this.#options.maxConnections ?? MAX_CONNECTIONS)) {
      this.#log(
        'warning',
        `epmd has ${this.#sockets.size} connections, which is its limit: one more was closed`,
      );
      socket.destroy();
      return;
    }
    this.#sockets.set(id, socket);
    /** The name that this connection keeps registered; null when ALIVE2_REQ was refused. */
    let keeps: string | null | undefined;
    let received: Buffer = Buffer.alloc(0);
    const gone = (): void => {
      this.#sockets.delete(id);
      if (typeof keeps === 'string') this.#names.unregister(keeps, id);
      socket.destroy();
    };
    socket.on('close', gone);
    socket.on('end', gone);
    socket.setTimeout(this.#options.packetTimeoutMs ?? PACKET_TIMEOUT_MS, gone);
    socket.on('data', (chunk) => {
      if (keeps !== undefined) return gone();
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const whole = 2 + received.readUInt16BE(0);
      if (whole < 3 || whole >= MAX_REQUEST || received.length > whole) return gone();
      if (received.length < whole) return;
      const request = received.subarray(2);
      if (request[0] === ALIVE2_REQ) {
        keeps = this.#alive2(request, socket, id);
        if (keeps !== undefined) {
          socket.setTimeout(0);
          return;
        }
      } else this.#answer(request, socket);
      // Nothing more is read, but what was answered is still written; whoever does not take it runs into the timeout.
      socket.destroySoon();
    });
  }

  #answer(request: Buffer, socket: Socket): void {
    const local = isLocal(socket);
    switch (request[0]) {
      case PORT2_REQ:
        this.#port2(request, socket);
        break;
      case NAMES_REQ:
        socket.write(this.#portAnd(this.#names.active().map((n) => `name ${n.name} at port ${n.port}\n`)));
        break;
      case DUMP_REQ:
        if (local) socket.write(this.#dump());
        break;
      case KILL_REQ:
        if (local) this.#kill(socket);
        break;
      case STOP_REQ:
        if (local && this.#options.relaxedCommandCheck === true) this.#stop(request, socket);
        break;
    }
  }

  /** The name that is registered now; null if it was refused, undefined if the request breaks a rule. */
  #alive2(request: Buffer, socket: Socket, connection: number): string | null | undefined {
    if (!isLocal(socket) || request.length <= ALIVE2_FIXED) return undefined;
    const nameEnd = 11 + request.readUInt16BE(9);
    if (nameEnd + 2 > request.length) return undefined;
    const extraEnd = nameEnd + 2 + request.readUInt16BE(nameEnd);
    const nameBytes = request.subarray(11, nameEnd);
    if (extraEnd > request.length || nameBytes.includes(0)) return undefined;
    const name = nameOf(nameBytes, MAX_NAME);
    const extra = Buffer.from(request.subarray(nameEnd + 2, extraEnd));
    const highest = request.readUInt16BE(5);
    const creation =
      name === undefined || extra.length > MAX_EXTRA
        ? undefined
        : this.#names.register({
            name,
            port: request.readUInt16BE(1),
            type: request.readUInt8(3),
            protocol: request.readUInt8(4),
            highest,
            lowest: request.readUInt16BE(7),
            extra,
            connection,
          });
    socket.write(alive2Answer(highest, creation));
    return creation === undefined ? null : name;
  }

  #port2(request: Buffer, socket: Socket): void {
    const end = request[request.length - 1] === 0 ? request.length - 1 : request.length;
    const bytes = request.subarray(1, end);
    const name = bytes.length === 0 || bytes.includes(0) ? undefined : nameOf(bytes, MAX_LOOKUP);
    if (name === undefined) return;
    const entry = this.#names.find(name);
    socket.write(entry === undefined ? Buffer.of(PORT2_RESP, 1) : port2Answer(entry));
  }

  #dump(): Buffer {
    const active = this.#names.active();
    const unused = this.#names.unused();
    return this.#portAnd([
      ...active.map((n) => `active name     <${n.name}> at port ${n.port}, fd = ${n.connection}\n\0`),
      ...unused.map((n) => `old/unused name <${n.name}>, port = ${n.port}, fd = ${n.connection} \n\0`),
    ]);
  }

  #kill(socket: Socket): void {
    if (this.#names.size > 0 && this.#options.relaxedCommandCheck !== true) {
      socket.write('NO');
      return;
    }
    socket.write('OK');
    socket.once('close', () => this.close());
  }

  #stop(request: Buffer, socket: Socket): void {
    if (request.length <= 1) return;
    const stopped = this.#names.unregister(request.subarray(1).toString().replace(/\0.*$/s, ''));
    if (stopped !== undefined) this.#sockets.get(stopped.connection)?.destroy();
    // BEAM's daemon says both when there is no such name; clients read 7 bytes.
    socket.write(stopped === undefined ? 'NOEXISTSTOPPED' : 'STOPPED');
  }

  #portAnd(lines: readonly string[]): Buffer {
    const port = Buffer.alloc(4);
    port.writeUInt32BE(this.port);
    return Buffer.concat([port, Buffer.from(lines.join(''))]);
  }
}

/** Listens, and serves until it is closed or killed. Throws `ConnectionError` if an address cannot be bound. */
export async function startEpmdServer(options: EpmdServerOptions = {}): Promise<EpmdServer> {
  const servers: Server[] = [];
  let port = options.port ?? 4369;
  try {
    for (const host of hosts(options.addresses ?? [])) {
      const server = await bind(host, port);
      if (server === undefined) continue;
      servers.push(server);
      const address = server.address();
      // Port 0 means any: the other interfaces get the same one.
      if (typeof address === 'object' && address !== null) port = address.port;
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return new EpmdServer(servers, port, options);
}

/** What `epmd` binds to: every interface, or the given ones and loopback. */
function hosts(addresses: readonly string[]): string[] {
  if (addresses.length === 0) return ['0.0.0.0', '::'];
  for (const address of addresses) {
    if (isIP(address) === 0) {
      throw new ConnectionError('bad_option', address, `epmd: "${address}" is no IP address to listen on`);
    }
  }
  return [...new Set(['127.0.0.1', '::1', ...addresses])];
}

/** Undefined: the host has no IPv6, which is no reason not to serve IPv4. */
function bind(host: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: false });
    server.once('error', (error: NodeJS.ErrnoException) => {
      const noIpv6 = error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL';
      if (noIpv6 && (host === '::' || host === '::1')) resolve(undefined);
      else reject(cannotBind(host, port, error));
    });
    server.listen({ host, port, ipv6Only: true }, () => resolve(server));
  });
}

function cannotBind(host: string, port: number, error: NodeJS.ErrnoException): ConnectionError {
  const why = error.code === 'EADDRINUSE' ? 'it is in use, perhaps by another epmd' : error.message;
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new ConnectionError('unreachable', at, `epmd cannot listen on ${at}: ${why}`, error);
}

/** Whether the peer is on this host: loopback, or the same address at both ends. */
function isLocal(socket: Socket): boolean {
  const remote = socket.remoteAddress ?? '';
  return remote === '::1' || remote.startsWith('127.') || remote === socket.localAddress;
}

/** A name in UTF-8 of at most so many characters. */
function nameOf(bytes: Buffer, limit: number): string | undefined {
  try {
    const name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return name.length > limit && [...name].length > limit ? undefined : name;
  } catch {
    return undefined;
  }
}

function alive2Answer(highest: number, creation: number | undefined): Buffer {
  const answer = Buffer.alloc(highest >= 6 ? 6 : 4);
  answer.writeUInt8(highest >= 6 ? ALIVE2_X_RESP : ALIVE2_RESP, 0);
  answer.writeUInt8(creation === undefined ? 1 : 0, 1);
  answer.writeUIntBE(creation ?? NO_CREATION, 2, answer.length - 2);
  return answer;
}

function port2Answer(entry: Entry): Buffer {
  const name = Buffer.from(entry.name);
  const head = Buffer.alloc(12);
  head.writeUInt8(PORT2_RESP, 0);
  head.writeUInt16BE(entry.port, 2);
  head.writeUInt8(entry.type, 4);
  head.writeUInt8(entry.protocol, 5);
  head.writeUInt16BE(entry.highest, 6);
  head.writeUInt16BE(entry.lowest, 8);
  head.writeUInt16BE(name.length, 10);
  const extraLength = Buffer.alloc(2);
  extraLength.writeUInt16BE(entry.extra.length);
  return Buffer.concat([head, name, extraLength, entry.extra]);
}
