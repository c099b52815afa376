// Whatever bytes come to our EPMD server, the names it keeps stay and it answers; whatever a daemon answers to our client
// ends in a value or an `EpmdError`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { registerNode } from '../../src/dist/epmd_registration.js';
import { dump, names, portPlease } from '../../src/dist/erl_epmd.js';
import { EpmdError } from '../../src/errors.js';
import { mutated } from '../support/mutated.js';
import { scriptedServer } from '../support/scripted_server.js';

const SEED = 20;

/** A request with its length in front. */
const framed = (...bytes: number[]): Buffer => Buffer.from([bytes.length >> 8, bytes.length & 255, ...bytes]);
const REQUESTS: readonly Buffer[] = [
  framed(120, 31, 144, 77, 0, 0, 6, 0, 5, 0, 3, 102, 111, 111, 0, 0), // ALIVE2_REQ foo
  framed(122, 107, 101, 112, 116), // PORT2_REQ kept
  framed(110), // NAMES_REQ
  framed(100), // DUMP_REQ
  framed(107), // KILL_REQ
  framed(115, 107, 101, 112, 116), // STOP_REQ kept
];

async function server(t: TestContext) {
  const epmd = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'], maxConnections: 20 });
  t.after(() => epmd.close());
  return { port: epmd.port, host: '127.0.0.1', timeoutMs: 5000 };
}

test('mutated requests in pieces: names stay, no connection is left, and the server answers', async (t) => {
  const address = await server(t);
  const kept = await registerNode({ name: 'kept', port: 4000, epmd: address });
  t.after(() => kept.close());
  const bytes = fc.oneof(
    fc.constantFrom(...REQUESTS).chain((request) => mutated(request)),
    fc.uint8Array({ maxLength: 80 }).map((random) => Buffer.from(random)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.nat(80), fc.boolean(), async (request, at, abrupt) => {
      const socket = connect(address.port, address.host);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(request.subarray(0, at));
      await new Promise(setImmediate);
      if (abrupt) socket.resetAndDestroy();
      else socket.end(request.subarray(at));
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
    }),
    { numRuns: 200, seed: SEED },
  );
  assert.equal((await portPlease('kept', address)).port, 4000);
  assert.deepEqual(
    (await names(address)).filter(({ name }) => name === 'kept'),
    [{ name: 'kept', port: 4000 }],
  );
});

test('mutated answers: a value or an EpmdError, in time', async (t) => {
  const real = await server(t);
  const kept = await registerNode({ name: 'kept', port: 4000, epmd: real });
  t.after(() => kept.close());
  const answers = [
    Buffer.from([118, 0, 0, 0, 0, 9]), // ALIVE2_X_RESP
    Buffer.from([121, 0, 0, 9]), // ALIVE2_RESP
    Buffer.from([119, 0, 15, 160, 77, 0, 0, 6, 0, 5, 0, 4, 107, 101, 112, 116, 0, 0]), // PORT2_RESP
    Buffer.from('\0\0\x11\x11name kept at port 4000\n', 'latin1'),
  ];
  let answer: Buffer = Buffer.alloc(0);
  let abrupt = false;
  const fake = await scriptedServer((socket) => {
    socket.write(answer);
    if (abrupt) socket.resetAndDestroy();
    else socket.end();
  });
  t.after(() => fake.close());
  const address = { host: '127.0.0.1', port: fake.port, timeoutMs: 1000 };
  const asks = [
    () => portPlease('kept', address),
    () => names(address),
    () => dump(address),
    async () => (await registerNode({ name: 'x', port: 1, epmd: address })).close(),
  ];
  const bytes = fc.oneof(
    fc.constantFrom(...answers).chain((one) => mutated(one)),
    fc.uint8Array({ maxLength: 60 }).map((random) => Buffer.from(random)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom(...asks), fc.boolean(), async (said, ask, reset) => {
      answer = said;
      abrupt = reset;
      try {
        await ask();
      } catch (error) {
        assert.ok(error instanceof EpmdError, String(error));
      }
    }),
    { numRuns: 200, seed: SEED },
  );
});
