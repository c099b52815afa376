// What a peer may send while a connection is being set up: nothing is read but what somebody waits for, so that of a
// flood at most two reads of a socket are held here, and the rest waits in the kernel of who sends it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { connect, listen } from '../../src/dist/inet_tcp_dist.js';
import { TlsDialler, listen as tlsListen } from '../../src/dist/inet_tls_dist.js';
import type { Listener } from '../../src/dist/listener.js';
import type { TlsOptions } from '../../src/dist/tls_options.js';
import { tlsFile } from '../support/tls_files.js';

const HOST = '127.0.0.1';
/** Far more than the kernel keeps of a connection. */
const FLOOD = 64 * 2 ** 20;
const CHUNK = 2 ** 16;
/** What the kernel may keep at both ends of a connection on the same machine, and what TLS has encrypted. */
const KERNEL = 24 * 2 ** 20;
/** What we hold of a connection when its handshake is over: two reads of a socket. */
const HELD = 2 * CHUNK;
const PEM = readFileSync(tlsFile('node.pem'));
const OWN = { certificates: [{ certfile: tlsFile('node.pem') }], cacertfile: tlsFile('ca.pem') };
const TLS: TlsOptions = { server: OWN, client: OWN };

/** Messages of 100 bytes, as many as fit into a chunk; what does not fit goes on in the next one. */
function messages(lengthBytes: 2 | 4): Buffer {
  const message = Buffer.alloc(lengthBytes + 100, 'x');
  message.writeUIntBE(100, 0, lengthBytes);
  const count = Math.floor(CHUNK / message.length);
  return Buffer.concat(Array.from({ length: count }, () => message));
}

/** Sends messages without end. */
class Flooder {
  readonly #socket: Socket;
  readonly #chunk: Buffer;
  /** Bytes that were taken from it. */
  taken = 0;

  constructor(socket: Socket, lengthBytes: 2 | 4) {
    this.#socket = socket;
    this.#chunk = messages(lengthBytes);
    socket.on('error', () => {});
    this.#more();
  }

  /** Returns when nothing more is taken, or all was. */
  async stuck(): Promise<void> {
    for (let turns = 0, before = -1; turns < 500 && this.taken < FLOOD; turns++) {
      if (this.taken !== before) turns = 0;
      before = this.taken;
      await new Promise(setImmediate);
    }
  }

  #more = (): void => {
    this.#socket.write(this.#chunk, (error) => {
      if (error !== null && error !== undefined) return;
      this.taken += this.#chunk.length;
      if (this.taken < FLOOD) this.#more();
    });
  };
}

interface Flooded {
  readonly flooder: Flooder;
  readonly socket: DistSocket;
}

/** Somebody who floods has connected to us; the listener has not been told yet what to do with connections. */
async function accepted(
  t: TestContext,
  tls: boolean,
): Promise<Omit<Flooded, 'socket'> & { listener: Listener }> {
  const listener = tls ? await tlsListen({ host: HOST, tls: TLS }) : await listen({ host: HOST });
  const { port } = listener;
  const socket = tls
    ? tlsConnect({ host: HOST, port, rejectUnauthorized: false })
    : netConnect({ host: HOST, port });
  t.after(() => {
    socket.destroy();
    listener.close();
  });
  await once(socket, tls ? 'secureConnect' : 'connect');
  return { flooder: new Flooder(socket, tls ? 4 : 2), listener };
}

/** We have dialled somebody who floods. */
async function dialled(t: TestContext, tls: boolean): Promise<Flooded> {
  const server = tls ? createTlsServer({ key: PEM, cert: PEM }) : createServer();
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const flooding = once(server, tls ? 'secureConnection' : 'connection').then(([socket]) => socket as Socket);
  const socket = await (tls ? new TlsDialler(TLS).connect(HOST, port) : connect(HOST, port));
  const peer = await flooding;
  t.after(() => {
    peer.destroy();
    server.close();
  });
  return { flooder: new Flooder(peer, tls ? 4 : 2), socket };
}

/** A handshake of some messages, then a while until the connection is used. */
async function isBounded({ flooder, socket }: Flooded): Promise<void> {
  for (let i = 0; i < 3; i++) {
    assert.equal((await socket.recv()).length, 100);
    await flooder.stuck();
  }
  assert.ok(flooder.taken < KERNEL, `${flooder.taken} bytes were taken`);
  const { socket: raw, rest } = socket.handOver();
  assert.ok(
    rest.length + raw.readableLength <= HELD,
    `${rest.length} + ${raw.readableLength} bytes are held`,
  );
  await flooder.stuck();
  assert.ok(flooder.taken < KERNEL, `${flooder.taken} bytes were taken before anybody reads`);
  raw.destroy();
}

for (const tls of [false, true]) {
  const over = tls ? 'TLS' : 'TCP';

  test(`${over}: of a client that floods little is held, before the node is ready, in the handshake and after it`, async (t) => {
    const { flooder, listener } = await accepted(t, tls);
    await flooder.stuck();
    assert.ok(flooder.taken < KERNEL, `${flooder.taken} bytes were taken before the node is ready`);
    const socket = await new Promise<DistSocket>((resolve) => listener.accept(resolve));
    await isBounded({ flooder, socket });
  });

  test(`${over}: of a server that floods little is held, in the handshake and after it`, async (t) => {
    await isBounded(await dialled(t, tls));
  });
}
