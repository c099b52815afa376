// The life of connections between nodes over loopback: who dials, who wins, who is let in, who is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DFLAGS, DFLAG_NAME_ME, HIDDEN_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { handshakeWeStarted } from '../../src/dist/dist_util.js';
import { decodeStatus, encodeName } from '../../src/dist/handshake.js';
import { connect, listen } from '../../src/dist/inet_tcp_dist.js';
import { AllowList } from '../../src/dist/node_name.js';
import type { Process } from '../../src/erts/process.js';
import { System } from '../../src/erts/system.js';
import { ping as netAdmPing } from '../../src/kernel/net_adm.js';
import { NetKernel } from '../../src/kernel/net_kernel.js';
import { call } from '../../src/stdlib/gen.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually } from '../support/memory_cluster.js';
import { Net, type TestNode } from '../support/net.js';

const idle = (node: TestNode) => node.system.spawn(() => new Promise(() => {}));
const errors = (node: TestNode): string[] =>
  node.lines.filter(({ level }) => level === 'error').map(({ text }) => text);

const ping = (self: Process, netKernel: NetKernel, node: Atom): Promise<boolean> =>
  netAdmPing(self, node, (lost) => netKernel.disconnect(lost));

/** Runs `body` in a process of that node and gives what it returns. */
function inProcess<T>(node: TestNode, body: (self: ReturnType<typeof idle>) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    node.system.spawn(async (self) => body(self).then(resolve, reject));
  });
}

test('a node dials another, both are told, and a ping is answered', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  assert.equal(await a.netKernel.connectNode(b.name), true);
  assert.equal(await inProcess(a, (self) => ping(self, a.netKernel, b.name)), true);
  assert.equal(await inProcess(b, (self) => ping(self, b.netKernel, a.name)), true);
  assert.deepEqual([a.events, b.events], [['up b'], ['up a']]);
  assert.deepEqual([a.netKernel.nodes(), b.netKernel.nodes()], [[b.name], [a.name]]);
});

test('1000 pings at a time are answered over one connection', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  const pings = Array.from({ length: 1000 }, () => inProcess(a, (self) => ping(self, a.netKernel, b.name)));
  assert.deepEqual(new Set(await Promise.all(pings)), new Set([true]));
  assert.deepEqual(b.events, ['up a']);
});

test('a node that nobody knows is a pang', async () => {
  await using net = new Net();
  const a = await net.start('a');
  assert.equal(await inProcess(a, (self) => ping(self, a.netKernel, atom('x@127.0.0.1'))), false);
});

test('when both dial at once there is one connection in the end, and both requests succeed', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  for (let round = 0; round < 40; round++) {
    a.events.length = 0;
    b.events.length = 0;
    const both = Promise.all([a.netKernel.connectNode(b.name), b.netKernel.connectNode(a.name)]);
    assert.deepEqual(await both, [true, true]);
    await eventually('both up', () => a.events.length === 1 && b.events.length === 1);
    await inProcess(a, (self) => ping(self, a.netKernel, b.name));
    assert.deepEqual([a.events, b.events], [['up b'], ['up a']], `round ${round}`);
    (round % 2 === 0 ? a : b).netKernel.disconnect(round % 2 === 0 ? b.name : a.name);
    await eventually('both down', () => a.events.length === 2 && b.events.length === 2);
  }
});

test('signals to a node that is not connected connect it, in order', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  const [from, to] = [idle(a), b.system.spawn(() => new Promise(() => {}), { name: atom('to') })];
  for (let i = 0; i < 10; i++) from.send(tuple(atom('to'), b.name), i);
  await eventually('all', () => to.mailbox.size === 10);
  for (let i = 0; i < 10; i++) assert.equal(to.poll(), i);
});

test('when it cannot be connected, links and monitors end with noconnection', async () => {
  await using net = new Net();
  const a = await net.start('a');
  const local = idle(a);
  local.trapExit = true;
  const x = atom('x@127.0.0.1');
  local.link(new Pid(x, 1, 0, 1));
  local.monitor(tuple(atom('name'), x));
  a.netKernel.monitorNode(local, x, true);
  await eventually('three messages', () => local.mailbox.size === 3);
  const messages = [local.poll(), local.poll(), local.poll()] as Tuple[];
  assert.ok(messages.some((m) => equals(m, tuple(atom('nodedown'), x))));
  assert.equal(messages.filter((m) => m.elements.at(-1) === atom('noconnection')).length, 2);
});

test('dist_auto_connect never: only explicit requests connect', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a', { autoConnect: 'never' }), await net.start('b')];
  const local = idle(a);
  const ref = local.monitor(tuple(atom('net_kernel'), b.name));
  assert.ok(equals((local.poll() as Tuple).elements[1] as Term, ref));
  assert.equal(await a.netKernel.connectNode(b.name), true);
});

test('dist_auto_connect once: a node that was lost is connected again only by request, or by itself', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a', { autoConnect: 'once' }), await net.start('b')];
  const local = idle(a);
  local.send(tuple(atom('nobody'), b.name), 1);
  await eventually('up', () => a.events.length === 1);
  a.netKernel.disconnect(b.name);
  local.send(tuple(atom('nobody'), b.name), 1);
  await eventually('the other has noticed', () => b.events.length === 2);
  assert.deepEqual(a.events, ['up b', 'down b disconnect']);
  assert.equal(await b.netKernel.connectNode(a.name), true);
  await eventually('up again', () => a.events.length === 3);
});

test('a wrong cookie is refused on both sides with one line that says what to do', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b', { cookie: () => 'other' })];
  assert.equal(await a.netKernel.connectNode(b.name), false);
  await eventually('a line', () => errors(b).length === 1);
  assert.match(errors(b)[0] ?? '', /connection attempt from node a@127\.0\.0\.1 rejected: .*same cookie/);
  assert.ok(!JSON.stringify([a.lines, b.lines]).includes('secret'));
});

test('a pair of nodes can have a cookie of its own', async () => {
  await using net = new Net();
  const a = await net.start('a', { cookie: (node) => (node.name.startsWith('b') ? 'pair' : 'secret') });
  const [b, c] = [await net.start('b', { cookie: () => 'pair' }), await net.start('c')];
  assert.deepEqual(
    [await a.netKernel.connectNode(b.name), await c.netKernel.connectNode(a.name)],
    [true, true],
  );
});

test('only nodes of the allow list may connect', async () => {
  await using net = new Net();
  const a = await net.start('a', { allowed: new AllowList(['b@127.0.0.1']) });
  const [b, c] = [await net.start('b'), await net.start('c')];
  assert.equal(await c.netKernel.connectNode(a.name), false);
  assert.equal(await b.netKernel.connectNode(a.name), true);
  a.netKernel.allow(['c@']);
  assert.equal(await c.netKernel.connectNode(a.name), true);
});

test('names of the other kind are not dialled, and the log tells the cure', async () => {
  await using net = new Net();
  const a = await net.start('a', { nameMode: 'shortnames' });
  assert.equal(await a.netKernel.connectNode(atom('b@host.domain')), false);
  assert.match(errors(a)[0] ?? '', /short names .* start both nodes with -name/);
  assert.equal(await a.netKernel.connectNode(atom('nonsense')), false);
  assert.match(errors(a)[1] ?? '', /no node name/);
});

test('hidden nodes are connected and not in nodes()', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b', { flags: HIDDEN_DFLAGS })];
  await a.netKernel.connectNode(b.name);
  assert.deepEqual(a.netKernel.nodes(), []);
  assert.deepEqual(a.netKernel.nodes('hidden'), [b.name]);
  assert.deepEqual(b.netKernel.nodes('connected'), [a.name]);
});

test('a node that returns before its old connection is noticed dead replaces it: nodedown, then nodeup', async () => {
  await using net = new Net();
  const [a, old] = [await net.start('a'), await net.start('b')];
  await a.netKernel.connectNode(old.name);
  const local = idle(a);
  const ref = local.monitor(tuple(atom('net_kernel'), old.name));
  const b = await net.start('b');
  assert.equal(await b.netKernel.connectNode(a.name), true);
  assert.deepEqual(a.events, ['up b', 'down b connection_closed', 'up b']);
  const down = local.poll() as Tuple;
  assert.ok(equals(down.elements[1] as Term, ref));
  assert.equal(down.elements[4], atom('noconnection'));
  assert.equal(a.system.distEntry(b.name).channel?.creation, b.system.creation);
});

test('one that returns with a wrong cookie leaves the old connection as it was', async () => {
  await using net = new Net();
  const [a, old] = [await net.start('a'), await net.start('b')];
  await a.netKernel.connectNode(old.name);
  const b = await net.start('b', { cookie: () => 'wrong' });
  assert.equal(await b.netKernel.connectNode(a.name), false);
  await eventually('a line', () => errors(a).length === 1);
  assert.deepEqual(a.events, ['up b']);
  assert.equal(await inProcess(a, (self) => ping(self, a.netKernel, old.name)), true);
});

test('a peer that says nothing is given up after the setup time, in both roles', async () => {
  await using net = new Net();
  const a = await net.start('a', { setupTimeMs: 50 });
  const mute = await listen({ host: '127.0.0.1' });
  const held: DistSocket[] = [];
  mute.accept((socket) => held.push(socket));
  net.reroute('mute@127.0.0.1', mute.port);
  assert.equal(await a.netKernel.connectNode(atom('mute@127.0.0.1')), false);
  const socket = await connect('127.0.0.1', a.listener.port);
  await assert.rejects(socket.recv(), { code: 'closed' });
  for (const one of held) one.close();
  await mute.close();
});

test('refused with nok, a node waits for the connection of the other, and gives up when none comes', async () => {
  await using net = new Net();
  const a = await net.start('a', { setupTimeMs: 100 });
  const peer = await listen({ host: '127.0.0.1' });
  peer.accept((socket) => {
    void socket.recv().then(() => {
      socket.send(Buffer.from('snok'));
      socket.close();
    });
  });
  net.reroute('z@127.0.0.1', peer.port);
  const z = atom('z@127.0.0.1');
  assert.equal(await a.netKernel.connectNode(z), false);

  const connected = a.netKernel.connectNode(z);
  const inbound = await connect('127.0.0.1', a.listener.port);
  await handshakeWeStarted(inbound, {
    node: a.name,
    ourName: 'z@127.0.0.1',
    flags: DEFAULT_DFLAGS,
    creation: 7,
    cookie: () => 'secret',
  });
  assert.equal(await connected, true);
  await peer.close();
});

test('a request that waits for the attempt of the peer makes its own when that comes to nothing', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  const half = await connect('127.0.0.1', a.listener.port);
  half.send(encodeName({ flags: DEFAULT_DFLAGS, creation: 1, name: 'b@127.0.0.1' }));
  assert.deepEqual(decodeStatus(await half.recv()), { status: 'ok' });
  const waiting = a.netKernel.connectNode(b.name);
  half.close();
  assert.equal(await waiting, true);
  assert.deepEqual(a.netKernel.nodes(), [b.name]);
});

test('a second attempt while one replaces the connection ends without an answer', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  await a.netKernel.connectNode(b.name);
  const name = encodeName({ flags: DEFAULT_DFLAGS, creation: 1, name: 'b@127.0.0.1' });
  const first = await connect('127.0.0.1', a.listener.port);
  first.send(name);
  assert.deepEqual(decodeStatus(await first.recv()), { status: 'alive' });
  const second = await connect('127.0.0.1', a.listener.port);
  second.send(name);
  await assert.rejects(second.recv(), { code: 'closed' });
  first.close();
  await eventually('up as before', () => a.netKernel.nodes().length === 1);
  assert.equal(await inProcess(a, (self) => ping(self, a.netKernel, b.name)), true);
  assert.deepEqual(a.events, ['up b']);
});

test('a client without a name is given one, and the next of that host gets it again with the next creation', async () => {
  await using net = new Net();
  const a = await net.start('a');
  const names: { node: string; creation: number }[] = [];
  for (let i = 0; i < 2; i++) {
    const socket = await connect('127.0.0.1', a.listener.port);
    const handshake = await handshakeWeStarted(socket, {
      node: a.name,
      nameMe: true,
      ourName: '127.0.0.1',
      flags: DEFAULT_DFLAGS,
      creation: 0,
      cookie: () => 'secret',
    });
    assert.equal(handshake.visible, false);
    assert.ok(handshake.ourName !== undefined && (handshake.flags & DFLAG_NAME_ME) !== 0n);
    names.push({ node: handshake.ourName.node.name, creation: handshake.ourName.creation });
    const system = new System({ node: handshake.ourName.node, creation: handshake.ourName.creation });
    const client = new NetKernel(system, {
      dial: (node) => net.dial(node),
      cookie: () => 'secret',
      flags: HIDDEN_DFLAGS,
      nameMode: 'longnames',
    });
    client.adopt(socket, handshake);
    const yes = await new Promise((resolve, reject) => {
      system.spawn((self) =>
        call(self, tuple(atom('net_kernel'), a.name), tuple(atom('is_auth'), self.node)).then(
          resolve,
          reject,
        ),
      );
    });
    assert.equal(yes, atom('yes'));
    assert.deepEqual(a.netKernel.nodes('hidden'), [system.node]);
    client.stop();
    await eventually('down', () => a.netKernel.nodes('hidden').length === 0);
  }
  assert.equal(names[0]?.node, names[1]?.node);
  assert.equal(names[1]?.creation, (names[0]?.creation ?? 0) + 1);
});

test('a stopped node lets nobody in', async () => {
  await using net = new Net();
  const [a, b] = [await net.start('a'), await net.start('b')];
  a.netKernel.stop();
  assert.equal(await b.netKernel.connectNode(a.name), false);
});

test('stopping ends what is being set up: those who wait are told', async () => {
  await using net = new Net();
  const [a, b, c] = [await net.start('a'), await net.start('b'), await net.start('c')];
  const mute = await listen({ host: '127.0.0.1' });
  const held: DistSocket[] = [];
  mute.accept((socket) => held.push(socket));
  net.reroute('mute@127.0.0.1', mute.port);
  await a.netKernel.connectNode(b.name);
  const replacing = await connect('127.0.0.1', a.listener.port);
  replacing.send(encodeName({ flags: DEFAULT_DFLAGS, creation: 1, name: 'b@127.0.0.1' }));
  await replacing.recv();
  const local = idle(a);
  local.monitor(tuple(atom('name'), atom('mute@127.0.0.1')));
  const waiting = [a.netKernel.connectNode(atom('mute@127.0.0.1')), a.netKernel.connectNode(b.name)];
  await eventually('it is dialled', () => held.length === 1);
  a.netKernel.stop();
  assert.deepEqual(await Promise.all(waiting), [false, true]);
  assert.equal((local.poll() as Tuple).elements.at(-1), atom('noconnection'));
  assert.deepEqual(a.events, ['up b', 'down b disconnect']);
  assert.equal(await a.netKernel.connectNode(c.name), false);
  for (const one of held) one.close();
  replacing.close();
  await mute.close();
});
