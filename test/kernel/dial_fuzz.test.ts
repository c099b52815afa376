// Whatever somebody answers whom a node dials, before, during and after the handshake: the attempt or the connection ends with
// at most a line in the log, nothing is left of it, and the next node is connected.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { type HandshakeIo, handshakeOtherStarted } from '../../src/dist/dist_util.js';
import { listen } from '../../src/dist/inet_tcp_dist.js';
import { listen as tlsListen } from '../../src/dist/inet_tls_dist.js';
import type { TlsOptions } from '../../src/dist/tls_options.js';
import { type Node, startNode } from '../../src/node.js';
import { eventually } from '../support/memory_cluster.js';
import { mutated } from '../support/mutated.js';
import { tlsFile } from '../support/tls_files.js';

const HOST = '127.0.0.1';
const SEED = 20;
const OWN = { certificates: [{ certfile: tlsFile('node.pem') }], cacertfile: tlsFile('ca.pem') };
const TLS: TlsOptions = { server: OWN, client: OWN };

interface Dialler {
  readonly node: Node;
  readonly lines: string[];
  readonly processes: number;
}

/** A node that dials every other at that port. */
async function dialler(t: TestContext, port: number, tls: boolean): Promise<Dialler> {
  const lines: string[] = [];
  const node = await startNode({
    name: 'dialler@127.0.0.1',
    cookie: 'c',
    epmd: false,
    fixedPort: port,
    setupTimeMs: 300,
    listen: false,
    log: (_, text) => void lines.push(text),
    ...(tls ? { tls: TLS } : {}),
  });
  t.after(() => node.stop());
  return { node, lines, processes: node.system.processCount };
}

/** What a server says, of which one message is wrong: which, and in what way. */
interface Wrong {
  readonly message: number;
  readonly change: (bytes: Buffer) => Buffer;
  readonly frames: Uint8Array;
}

const RIGHT: Wrong = { message: -1, change: (bytes) => bytes, frames: new Uint8Array() };

/** Answers a handshake with one message changed; if that goes well all the same, sends frames. */
async function misbehave(socket: DistSocket, ourName: string, wrong: Wrong): Promise<void> {
  let number = 0;
  const io: HandshakeIo = {
    address: socket.address,
    send: (bytes) => socket.send(number++ === wrong.message ? wrong.change(bytes) : bytes),
    recv: () => socket.recv(),
  };
  const side = { ourName, flags: DEFAULT_DFLAGS, creation: 5, cookie: () => 'c', setupTimeMs: 100 };
  try {
    await handshakeOtherStarted(io, { ...side, accept: () => 'ok' });
  } catch {
    socket.close();
    return;
  }
  const { socket: raw } = socket.handOver();
  raw.on('error', () => {});
  raw.resume();
  if (wrong === RIGHT) return;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(wrong.frames.length);
  raw.end(Buffer.concat([length, wrong.frames]));
}

/** Nothing is left; no line tells of a fault of ours. */
async function isUnharmed({ node, lines, processes }: Dialler): Promise<void> {
  await eventually('all are gone', () => node.netKernel.connectionNodes().length === 0);
  await eventually('no process is left', () => node.system.processCount === processes);
  const fault = lines.find((line) => /internal error|(Type|Range|Reference|Assertion)Error/.test(line));
  assert.equal(fault, undefined);
}

for (const tls of [false, true]) {
  const over = tls ? 'TLS' : 'TCP';

  test(`${over}: answers that are no handshake`, async (t) => {
    const status = Buffer.from([0, 3, ...Buffer.from('sok')]);
    const challenge = Buffer.from([
      0, 36, 0x4e, 0, 0, 0, 0, 13, 0xf7, 0xfb, 0xff, 1, 2, 3, 4, 0, 0, 0, 4, 0, 17,
    ]);
    const named = Buffer.concat([status, challenge, Buffer.from('server1@127.0.0.1')]);
    const bytes = fc.oneof(
      fc.constantFrom(status, named).chain((one) => mutated(one)),
      fc.uint8Array({ maxLength: 100 }).map((random) => Buffer.from(random)),
    );
    let serve = (_: Socket): void => {};
    const server = createServer((socket) => {
      socket.on('error', () => {});
      serve(socket);
    }).listen(0, HOST);
    await once(server, 'listening');
    t.after(() => server.close());
    const own = await dialler(t, (server.address() as AddressInfo).port, tls);
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom('end', 'reset', 'stay'), async (said, how) => {
        serve = (socket) => {
          socket.resume();
          socket.write(said, () => {
            if (how === 'end') socket.end();
            else if (how === 'reset') socket.resetAndDestroy();
          });
        };
        assert.equal(await own.node.connect('server1@127.0.0.1'), false);
      }),
      { numRuns: tls ? 40 : 60, seed: SEED },
    );
    await isUnharmed(own);
  });

  test(`${over}: a handshake with one answer changed, and frames behind it`, async (t) => {
    const listener = await (tls ? tlsListen({ host: HOST, tls: TLS }) : listen({ host: HOST }));
    t.after(() => listener.close());
    const own = await dialler(t, listener.port, tls);
    let serve = (socket: DistSocket): Promise<void> => misbehave(socket, '', RIGHT);
    listener.accept((socket) => void serve(socket));
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map((rest) => Uint8Array.from([131, 68, 0, 104, ...rest])),
    );
    let servers = 0;
    let connected = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(), frames, async (message, seed, said) => {
        const name = `server${++servers}@127.0.0.1`;
        const change = (bytes: Buffer): Buffer =>
          fc.sample(mutated(bytes), { numRuns: 1, seed })[0] as Buffer;
        serve = (socket) => misbehave(socket, name, { message, change, frames: said });
        if (await own.node.connect(name)) connected++;
      }),
      { numRuns: tls ? 40 : 100, seed: SEED },
    );
    assert.ok(connected > 0 && connected < servers, `${connected} of ${servers} handshakes went well`);
    await isUnharmed(own);
    serve = (socket) => misbehave(socket, 'last@127.0.0.1', RIGHT);
    assert.equal(await own.node.connect('last@127.0.0.1'), true);
  });
}
