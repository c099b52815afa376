import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type EpmdServer, startEpmdServer } from '../../src/dist/epmd.js';
import { type Registration, registerLater, registerNode } from '../../src/dist/epmd_registration.js';
import { dump, kill, names, portPlease, stop } from '../../src/dist/erl_epmd.js';
import type { Clock } from '../../src/erts/timer.js';
import { scriptedServer } from '../support/scripted_server.js';

const LOCAL = ['127.0.0.1'];

async function epmd(t: TestContext, port = 0, relaxedCommandCheck = false): Promise<EpmdServer> {
  const server = await startEpmdServer({ port, addresses: LOCAL, relaxedCommandCheck });
  t.after(() => server.close());
  return server;
}

async function register(t: TestContext, port: number, name: string, more = {}): Promise<Registration> {
  const registration = await registerNode({ name, port: 4000, epmd: { port }, ...more });
  t.after(() => registration.close());
  return registration;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate);
}

test('a registered node is found by name and listed, with what it registered', async (t) => {
  const { port } = await epmd(t);
  const registration = await register(t, port, 'abc');
  assert.ok(Math.abs(registration.creation - Date.now() / 1000) < 5, 'the first creation is the time');
  const info = await portPlease('abc', { port });
  assert.deepEqual(
    { ...info, extra: info.extra.length },
    {
      name: 'abc',
      port: 4000,
      type: 77,
      protocol: 0,
      highest: 6,
      lowest: 5,
      extra: 0,
      version: 6,
    },
  );
  assert.deepEqual(await names({ port }), [{ name: 'abc', port: 4000 }]);
});

test('names that contain the word name are listed whole, the newest first', async (t) => {
  const { port } = await epmd(t);
  for (const name of ['name', 'rename2', 'name1x', 'ünï']) await register(t, port, name);
  assert.deepEqual(
    (await names({ port })).map((n) => n.name),
    ['ünï', 'name1x', 'rename2', 'name'],
  );
  assert.equal((await portPlease('ünï', { port })).name, 'ünï');
});

test('a name that nobody has is an error that says so', async (t) => {
  const { port } = await epmd(t);
  await assert.rejects(portPlease('nobody', { port }), {
    code: 'unknown_name',
    message: `no node nobody is registered with EPMD at 127.0.0.1:${port}`,
  });
});

test('a taken name tells who holds it, and whether that node answers', async (t) => {
  const { port } = await epmd(t);
  await register(t, port, 'abc', { port: 1 });
  await register(t, port, 'def', { port });
  await assert.rejects(register(t, port, 'abc'), {
    code: 'duplicate_name',
    message: new RegExp(
      `^the name abc is taken: EPMD at 127.0.0.1:${port} has it for the node at port 1, which does not`,
    ),
  });
  await assert.rejects(
    register(t, port, 'def'),
    /the node at port \d+, which answers; stop that node or choose/,
  );
});

test('the creation of a name is one more at each start', async (t) => {
  const { port } = await epmd(t);
  const first = await registerNode({ name: 'abc', port: 1, epmd: { port } });
  first.close();
  await until(async () => (await names({ port })).length === 0);
  assert.equal((await register(t, port, 'abc')).creation, first.creation + 1);
});

test('no EPMD is an error with the cure', async (t) => {
  const server = await epmd(t);
  server.close();
  await assert.rejects(registerNode({ name: 'abc', port: 1, epmd: { port: server.port } }), {
    code: 'unreachable',
    message: /nothing listens there; start one with: otpnode epmd -daemon/,
  });
  await assert.rejects(names({ port: server.port }), { code: 'unreachable' });
});

/** A clock whose timers fire when the test says. */
class ManualClock implements Clock {
  readonly delays: number[] = [];
  #due: (() => void)[] = [];
  now(): number {
    return 0;
  }
  setTimeout(callback: () => void, ms: number): unknown {
    this.delays.push(ms);
    this.#due.push(callback);
    return callback;
  }
  clearTimeout(handle: unknown): void {
    this.#due = this.#due.filter((callback) => callback !== handle);
  }
  get waiting(): number {
    return this.#due.length;
  }
  fire(): void {
    for (const callback of this.#due.splice(0)) callback();
  }
}

test('after a restart of EPMD the name comes back with its creation unchanged, and the log has two lines', async (t) => {
  const first = await epmd(t);
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = (_: string, text: string): void => void lines.push(text);
  const registration = await register(t, first.port, 'abc', { clock, log });
  const creation = registration.creation;
  first.close();
  for (let attempts = 0; attempts < 3; attempts++) {
    await until(() => clock.waiting === 1);
    assert.equal(registration.registered, false);
    clock.fire();
  }
  await until(() => clock.waiting === 1);
  const second = await epmd(t, first.port);
  clock.fire();
  await until(() => registration.registered);
  assert.deepEqual(await names({ port: second.port }), [{ name: 'abc', port: 4000 }]);
  assert.equal(registration.creation, creation);
  assert.ok(clock.delays.every((ms) => ms === 2000));
  assert.deepEqual(lines, [
    `EPMD at 127.0.0.1:${first.port} is gone; connections stay, the name is registered again when it is back`,
    `registered again as abc with EPMD at 127.0.0.1:${first.port}`,
  ]);
});

test('a name that was taken meanwhile is tried for again, and told once', async (t) => {
  const first = await epmd(t);
  const clock = new ManualClock();
  const lines: string[] = [];
  const registration = await register(t, first.port, 'abc', {
    clock,
    log: (_: string, text: string) => lines.push(text),
  });
  first.close();
  await until(() => clock.waiting === 1);
  await epmd(t, first.port);
  const thief = await registerNode({ name: 'abc', port: 1, epmd: { port: first.port } });
  for (let attempts = 0; attempts < 2; attempts++) {
    clock.fire();
    await until(() => clock.waiting === 1);
  }
  assert.equal(lines.length, 2);
  assert.match(lines[1] as string, /^the name abc is taken/);
  thief.close();
  await until(async () => (await names({ port: first.port })).length === 0);
  clock.fire();
  await until(() => registration.registered);
});

test('a node that goes on without EPMD registers as soon as there is one', async (t) => {
  const clock = new ManualClock();
  const server = await epmd(t);
  const registration = registerLater({ name: 'abc', port: 7, epmd: { port: server.port }, clock });
  t.after(() => registration.close());
  assert.ok(registration.creation >= 4);
  clock.fire();
  await until(() => registration.registered);
  assert.deepEqual(await names({ port: server.port }), [{ name: 'abc', port: 7 }]);
});

test('dump, kill and stop ask what their names say', async (t) => {
  const strict = await epmd(t);
  await register(t, strict.port, 'abc');
  assert.match(await dump({ port: strict.port }), /^active name {5}<abc> at port 4000, fd = \d+\n$/);
  assert.equal(await kill({ port: strict.port }), false);
  assert.equal(await stop('abc', { port: strict.port }), 'closed');

  const relaxed = await epmd(t, 0, true);
  const registration = await register(t, relaxed.port, 'abc');
  assert.equal(await stop('nobody', { port: relaxed.port }), 'noexist');
  assert.equal(await stop('abc', { port: relaxed.port }), 'stopped');
  await until(() => !registration.registered);
  assert.equal(await kill({ port: relaxed.port }), true);
  await relaxed.ended;
});

test('the answer of an old daemon has 16 bits of creation', async (t) => {
  const old = await scriptedServer((socket) => socket.write(Buffer.of(121, 0, 0, 2)));
  t.after(() => old.close());
  assert.equal((await register(t, old.port, 'abc')).creation, 2);
});

test('the registration asks for version 6 at the most and 5 at the least', async (t) => {
  let request = Buffer.alloc(0);
  const server = await scriptedServer((socket, chunk) => {
    request = Buffer.from(chunk);
    socket.write(Buffer.of(118, 0, 0, 0, 0, 9));
  });
  t.after(() => server.close());
  assert.equal((await register(t, server.port, 'abc')).creation, 9);
  assert.equal(request.toString('hex'), '0010780fa04d000006000500036162630000');
});

test('answers that come byte by byte are read, whatever the extra field holds', async (t) => {
  const answer = Buffer.concat([
    Buffer.from('77001234480000060006', 'hex'),
    Buffer.from([0, 3]),
    Buffer.from('abc'),
    Buffer.from([0, 2, 0xff, 0x00]),
  ]);
  const slow = await scriptedServer(async (socket) => {
    socket.setNoDelay(true);
    for (const byte of answer) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  });
  t.after(() => slow.close());
  const info = await portPlease('abc', { port: slow.port });
  assert.deepEqual(
    [info.port, info.type, info.highest, info.lowest, info.version, info.extra.toString('hex')],
    [0x1234, 72, 6, 6, 6, 'ff00'],
  );
});

test('a node that speaks no version of ours is found, with version 0', async (t) => {
  const server = await scriptedServer((socket) =>
    socket.write(Buffer.from('770012344d00000400040001610000', 'hex')),
  );
  t.after(() => server.close());
  assert.equal((await portPlease('a', { port: server.port })).version, 0);
});

const bad: readonly [string, Buffer | 'close' | 'silence', string][] = [
  ['of another kind', Buffer.from('hello'), 'bad_answer'],
  ['cut short', Buffer.of(119, 0, 1), 'closed'],
  ['not given', 'close', 'closed'],
  ['never given', 'silence', 'timeout'],
];
for (const [what, answer, code] of bad) {
  test(`an answer ${what} is the error ${code}`, async (t) => {
    const server = await scriptedServer((socket) => {
      if (answer === 'close') socket.end();
      else if (answer !== 'silence') socket.end(answer);
    });
    t.after(() => server.close());
    const address = { port: server.port, timeoutMs: answer === 'silence' ? 50 : 5000 };
    await assert.rejects(portPlease('abc', address), { name: 'EpmdError', code });
    await assert.rejects(registerNode({ name: 'abc', port: 1, epmd: address }), { name: 'EpmdError' });
  });
}

test('a list of names whose port is another is refused; lines that are none are skipped', async (t) => {
  let port = 0;
  const server = await scriptedServer((socket) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(port);
    socket.end(
      Buffer.concat([head, Buffer.from('name a at port 1\ngarbage\nname b at port x\nname c at port 2\n')]),
    );
  });
  t.after(() => server.close());
  await assert.rejects(names({ port: server.port }), { code: 'bad_answer' });
  port = server.port;
  assert.deepEqual(await names({ port }), [
    { name: 'a', port: 1 },
    { name: 'c', port: 2 },
  ]);
});
