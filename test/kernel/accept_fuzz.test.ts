// Whatever somebody says who connects to a node, before, during and after the handshake: the attempt or the connection ends
// with at most a line in the log, nothing is left of it, and the next peer is let in.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as netConnect } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { type HandshakeIo, handshakeWeStarted } from '../../src/dist/dist_util.js';
import { connect, listen } from '../../src/dist/inet_tcp_dist.js';
import { TlsDialler } from '../../src/dist/inet_tls_dist.js';
import type { TlsOptions } from '../../src/dist/tls_options.js';
import { type Node, startNode } from '../../src/node.js';
import { atom } from '../../src/terms/atom.js';
import { eventually } from '../support/memory_cluster.js';
import { mutated } from '../support/mutated.js';
import { tlsFile } from '../support/tls_files.js';

const HOST = '127.0.0.1';
const SEED = 20;
/** More attempts than that at a time are refused: one that is never given up would show. */
const MAX_HANDSHAKES = 5;
const OWN = { certificates: [{ certfile: tlsFile('node.pem') }], cacertfile: tlsFile('ca.pem') };
const TLS: TlsOptions = { server: { ...OWN, verify: 'verify_peer' }, client: OWN };

interface Target {
  readonly node: Node;
  readonly lines: string[];
  dial(): Promise<DistSocket>;
  readonly port: number;
}

async function target(t: TestContext, tls: boolean): Promise<Target> {
  const lines: string[] = [];
  const free = await listen({ host: HOST });
  free.close();
  const { port } = free;
  const node = await startNode({
    name: 'fuzzed@127.0.0.1',
    cookie: 'c',
    epmd: false,
    fixedPort: port,
    setupTimeMs: 300,
    listen: { host: HOST, maxHandshakes: MAX_HANDSHAKES },
    log: (_, text) => void lines.push(text),
    ...(tls ? { tls: TLS } : {}),
  });
  t.after(() => node.stop());
  const dialler = new TlsDialler(TLS);
  return { node, lines, port, dial: () => (tls ? dialler.connect(HOST, port) : connect(HOST, port)) };
}

/** What a client says, of which one message is wrong: which, and in what way. */
interface Wrong {
  readonly message: number;
  readonly change: (bytes: Buffer) => Buffer;
  readonly frames: Uint8Array;
}

let clients = 0;

/** Shakes hands with one message changed; if that goes well all the same, sends frames. */
async function misbehave({ dial }: Target, wrong: Wrong): Promise<void> {
  const socket = await dial();
  let number = 0;
  const io: HandshakeIo = {
    address: socket.address,
    send: (bytes) => socket.send(number++ === wrong.message ? wrong.change(bytes) : bytes),
    recv: () => socket.recv(),
  };
  const name = `client${++clients}@127.0.0.1`;
  const side = { ourName: name, flags: DEFAULT_DFLAGS, creation: 5, cookie: () => 'c', setupTimeMs: 100 };
  try {
    await handshakeWeStarted(io, { ...side, node: atom('fuzzed@127.0.0.1') });
  } catch {
    socket.close();
    return;
  }
  const { socket: raw } = socket.handOver();
  raw.on('error', () => {});
  const length = Buffer.alloc(4);
  length.writeUInt32BE(wrong.frames.length);
  raw.end(Buffer.concat([length, wrong.frames]));
  raw.resume();
  if (!raw.closed) await once(raw, 'close');
}

/** Nothing is left, and a peer that knows how to behave is let in and answered. */
async function isUnharmed(own: Target, processes: number): Promise<void> {
  const { node, lines, dial } = own;
  await eventually('all are gone', () => node.netKernel.nodes('connected').length === 0);
  await eventually('no process is left', () => node.system.processCount === processes);
  const fault = lines.find((line) => /internal error|(Type|Range|Reference|Assertion)Error/.test(line));
  assert.equal(fault, undefined);
  const socket = await dial();
  const side = { ourName: 'last@127.0.0.1', flags: DEFAULT_DFLAGS, creation: 5, cookie: () => 'c' };
  await handshakeWeStarted(socket, { ...side, node: atom('fuzzed@127.0.0.1') });
  await eventually('it is up', () => node.netKernel.nodes('connected').length === 1);
  socket.close();
}

for (const tls of [false, true]) {
  const over = tls ? 'TLS' : 'TCP';
  test(`${over}: bytes that are no handshake`, async (t) => {
    const own = await target(t, tls);
    const processes = own.node.system.processCount;
    const hello = Buffer.from([
      0x16,
      3,
      1,
      0,
      60,
      1,
      0,
      0,
      56,
      3,
      3,
      ...new Uint8Array(32),
      0,
      0,
      2,
      0x13,
      1,
      1,
      0,
    ]);
    const name = Buffer.from([
      0,
      33,
      0x4e,
      0,
      0,
      0,
      0,
      13,
      0xf7,
      0xfb,
      0xff,
      0,
      0,
      0,
      4,
      0,
      17,
      ...Buffer.from('x@127.0.0.1xxxxxx'),
    ]);
    const bytes = fc.oneof(
      fc.constantFrom(hello, name).chain((one) => mutated(one)),
      fc.uint8Array({ maxLength: 100 }).map((random) => Buffer.from(random)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (said, abrupt) => {
        const socket = netConnect(own.port, HOST);
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(said);
        await new Promise(setImmediate);
        if (abrupt) socket.resetAndDestroy();
        else socket.end();
        socket.resume();
        if (!socket.closed) await once(socket, 'close');
      }),
      { numRuns: tls ? 60 : 100, seed: SEED },
    );
    await isUnharmed(own, processes);
  });

  test(`${over}: a handshake with one message changed, and frames behind it`, async (t) => {
    const own = await target(t, tls);
    const processes = own.node.system.processCount;
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map((rest) => Uint8Array.from([131, 68, 0, 104, ...rest])),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.nat(), frames, async (message, seed, said) => {
        const change = (bytes: Buffer): Buffer =>
          fc.sample(mutated(bytes), { numRuns: 1, seed })[0] as Buffer;
        await misbehave(own, { message, change, frames: said });
      }),
      { numRuns: tls ? 40 : 100, seed: SEED },
    );
    await isUnharmed(own, processes);
  });
}
