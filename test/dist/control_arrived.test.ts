// Every control message from a scripted peer: what it does here, and which ones close the connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { Process } from '../../src/erts/process.js';
import { atom } from '../../src/terms/atom.js';
import { ImproperList } from '../../src/terms/list.js';
import { equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually } from '../support/memory_cluster.js';
import { loggedSystem, ScriptedPeer, terms } from '../support/wire.js';

const NO_COOKIE = atom('');
const TOKEN = tuple(1, 2, 3, 4, 5);

interface Stage {
  readonly peer: ScriptedPeer;
  /** A process that only collects. */
  readonly local: Process;
  readonly from: Pid;
  readonly ref: Reference;
  readonly alias: Reference;
  readonly old: Pid;
  readonly gone: Pid;
  readonly third: Pid;
}

function stage(flags: bigint = DEFAULT_DFLAGS) {
  const { system, lines } = loggedSystem('here@127.0.0.1', 1000);
  const peer = new ScriptedPeer(system, { flags });
  const local = system.spawn(() => new Promise(() => {}), { name: atom('local') });
  local.trapExit = true;
  const from = new Pid(peer.node, 5, 0, peer.creation);
  const ref = new Reference(peer.node, peer.creation, [1, 2, 3]);
  const { number, serial } = local.pid;
  const staged: Stage = {
    peer,
    local,
    from,
    ref,
    alias: local.alias(),
    old: new Pid(system.node, number, serial, 999),
    gone: new Pid(system.node, 3000, 0, 1000),
    third: new Pid(atom('third@127.0.0.1'), 1, 0, 3),
  };
  return { ...staged, system, lines };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const settled = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await turn();
};

// --- messages -------------------------------------------------------------------------------------------------

const sends: [string, (s: Stage) => Term][] = [
  ['SEND', (s) => tuple(2, NO_COOKIE, s.local.pid)],
  ['SEND_TT', (s) => tuple(12, NO_COOKIE, s.local.pid, TOKEN)],
  ['SEND_SENDER', (s) => tuple(22, s.from, s.local.pid)],
  ['SEND_SENDER_TT', (s) => tuple(23, s.from, s.local.pid, TOKEN)],
  ['REG_SEND', (s) => tuple(6, s.from, NO_COOKIE, atom('local'))],
  ['REG_SEND of a third node', (s) => tuple(6, s.third, NO_COOKIE, atom('local'))],
  ['REG_SEND_TT', (s) => tuple(16, s.from, NO_COOKIE, atom('local'), TOKEN)],
  ['ALIAS_SEND', (s) => tuple(33, s.from, s.alias)],
  ['ALIAS_SEND_TT', (s) => tuple(34, s.from, s.alias, TOKEN)],
  ['ALTACT_SIG_SEND to a pid', (s) => tuple(37, 0, s.from, s.local.pid)],
  ['ALTACT_SIG_SEND with priority', (s) => tuple(37, 1, s.from, s.local.pid)],
  ['ALTACT_SIG_SEND with token', (s) => tuple(37, 2, s.from, s.local.pid, TOKEN)],
  ['ALTACT_SIG_SEND to an alias', (s) => tuple(37, 4, s.from, s.alias)],
  ['ALTACT_SIG_SEND to a name', (s) => tuple(37, 8, s.from, atom('local'))],
];
for (const [name, control] of sends) {
  test(`${name} delivers its message`, async () => {
    const s = stage();
    s.peer.say(control(s), tuple(atom('hello'), 1));
    await settled();
    assert.ok(equals(s.local.poll() as Term, tuple(atom('hello'), 1)));
    assert.ok(s.peer.channel.open);
  });
}

const losses: [string, (s: Stage) => Term][] = [
  ['to a process that is gone', (s) => tuple(22, s.from, s.gone)],
  ['to a process of an earlier incarnation', (s) => tuple(22, s.from, s.old)],
  ['to a process of a third node', (s) => tuple(22, s.from, s.third)],
  ['to a name that nobody has', (s) => tuple(6, s.from, NO_COOKIE, atom('nobody'))],
  ['to the name true', (s) => tuple(6, s.from, NO_COOKIE, true)],
  ['to an alias that is none', (s) => tuple(33, s.from, s.ref)],
  ['by ALTACT_SIG_SEND to an alias that is none', (s) => tuple(37, 5, s.from, s.ref)],
];
for (const [name, control] of losses) {
  test(`a message ${name} is dropped, its payload unread`, async () => {
    const s = stage();
    s.peer.frame([131, 68, 0], terms(control(s)), [255]);
    await settled();
    assert.ok(s.peer.channel.open);
    assert.equal(s.local.mailbox.size, 0);
  });
}

test('bytes behind the payload are ignored', async () => {
  const s = stage();
  s.peer.frame([131, 68, 0], terms(tuple(22, s.from, s.local.pid), 42), [1, 2, 3]);
  await settled();
  assert.equal(s.local.poll(), 42);
});

// --- links, exits, monitors -----------------------------------------------------------------------------------

test('a link to a process that is gone is answered with an exit noproc, also of an earlier incarnation', async () => {
  const s = stage();
  s.peer.say(tuple(1, s.from, s.gone));
  s.peer.say(tuple(1, s.from, s.old));
  await eventually('two exits', () => s.peer.received.length === 2);
  for (const [i, pid] of [s.gone, s.old].entries()) {
    assert.ok(equals(s.peer.received[i]?.control as Term, tuple(24, pid, s.from)));
    assert.equal(s.peer.received[i]?.payload, atom('noproc'));
  }
});

for (const [name, control, payload] of [
  ['PAYLOAD_EXIT', (s: Stage) => tuple(24, s.from, s.local.pid), true],
  ['PAYLOAD_EXIT_TT', (s: Stage) => tuple(25, s.from, s.local.pid, TOKEN), true],
  ['EXIT', (s: Stage) => tuple(3, s.from, s.local.pid, atom('why')), false],
  ['EXIT_TT', (s: Stage) => tuple(13, s.from, s.local.pid, TOKEN, atom('why')), false],
] as const) {
  test(`${name} counts once, and only with a link`, async () => {
    const s = stage();
    const exit = (): void => s.peer.say(control(s), payload ? atom('why') : undefined);
    exit();
    s.peer.say(tuple(1, s.from, s.local.pid));
    exit();
    exit();
    await settled();
    assert.ok(equals(s.local.poll() as Term, tuple(atom('EXIT'), s.from, atom('why'))));
    assert.equal(s.local.poll(), undefined);
    assert.ok(s.peer.channel.open);
  });
}

for (const [name, control, payload] of [
  ['PAYLOAD_EXIT2', (s: Stage) => tuple(26, s.from, s.local.pid), true],
  ['PAYLOAD_EXIT2_TT', (s: Stage) => tuple(27, s.from, s.local.pid, TOKEN), true],
  ['EXIT2', (s: Stage) => tuple(8, s.from, s.local.pid, atom('why')), false],
  ['EXIT2_TT', (s: Stage) => tuple(18, s.from, s.local.pid, TOKEN, atom('why')), false],
  ['ALTACT_SIG_SEND as exit', (s: Stage) => tuple(37, 17, s.from, s.local.pid), true],
  ['ALTACT_SIG_SEND as exit to an alias', (s: Stage) => tuple(37, 20, s.from, s.alias), true],
] as const) {
  test(`${name} needs no link`, async () => {
    const s = stage();
    s.peer.say(control(s), payload ? atom('why') : undefined);
    await settled();
    assert.ok(equals(s.local.poll() as Term, tuple(atom('EXIT'), s.from, atom('why'))));
  });
}

test('exit/2 to a process of an earlier incarnation is ignored', async () => {
  const s = stage();
  s.peer.say(tuple(26, s.from, s.old), atom('kill'));
  await settled();
  assert.ok(s.local.alive && s.peer.channel.open);
});

test('UNLINK_ID is acknowledged with its id, also for a process that is gone, at any size of 64 bits', async () => {
  const s = stage();
  const max = 2n ** 64n - 1n;
  s.peer.say(tuple(1, s.from, s.local.pid));
  s.peer.say(tuple(35, 1, s.from, s.local.pid));
  s.peer.say(tuple(35, max, s.from, s.gone));
  s.peer.say(tuple(24, s.from, s.local.pid), atom('late'));
  await eventually('two acknowledgements', () => s.peer.received.length === 2);
  assert.ok(equals(s.peer.received[0]?.control as Term, tuple(36, 1, s.local.pid, s.from)));
  assert.ok(equals(s.peer.received[1]?.control as Term, tuple(36, max, s.gone, s.from)));
  assert.equal(s.local.poll(), undefined, 'an exit after the unlink is ignored');
});

test('an acknowledgement that matches nothing is ignored', async () => {
  const s = stage();
  s.peer.say(tuple(36, 9, s.from, s.local.pid));
  s.peer.say(tuple(36, 9, s.from, s.gone));
  await settled();
  assert.ok(s.peer.channel.open);
});

test('monitors of what is not there are answered with noproc', async () => {
  const s = stage();
  const watched = [s.gone, s.old, atom('nobody'), true];
  for (const w of watched) s.peer.say(tuple(19, s.from, w, s.ref));
  await eventually('four reports', () => s.peer.received.length === 4);
  for (const [i, w] of watched.entries()) {
    assert.ok(equals(s.peer.received[i]?.control as Term, tuple(28, w, s.from, s.ref)));
    assert.equal(s.peer.received[i]?.payload, atom('noproc'));
  }
});

test('a monitor by pid and one by name with the same reference give two reports, each naming what it named', async () => {
  const s = stage();
  s.peer.say(tuple(19, s.from, s.local.pid, s.ref));
  s.peer.say(tuple(19, s.from, atom('local'), s.ref));
  await settled();
  s.local.end(atom('done'));
  await eventually('two reports', () => s.peer.received.length === 2);
  const said = s.peer.received.map(({ control }) => control);
  assert.ok(said.some((c) => equals(c, tuple(28, s.local.pid, s.from, s.ref))));
  assert.ok(said.some((c) => equals(c, tuple(28, atom('local'), s.from, s.ref))));
});

test('no report follows a demonitor, and one of an unknown monitor is ignored', async () => {
  const s = stage();
  s.peer.say(tuple(19, s.from, s.local.pid, s.ref));
  s.peer.say(tuple(20, s.from, s.local.pid, s.ref));
  s.peer.say(tuple(20, s.from, atom('nobody'), s.ref));
  await settled();
  s.local.end(atom('done'));
  await settled();
  assert.deepEqual(s.peer.received, []);
});

for (const form of [21, 28] as const) {
  test(`a report of a monitor (${form}) becomes a DOWN once`, async () => {
    const s = stage();
    const ref = s.local.monitor(s.from);
    const report = (): void => {
      if (form === 21) s.peer.say(tuple(21, s.from, s.local.pid, ref, atom('done')));
      else s.peer.say(tuple(28, s.from, s.local.pid, ref), atom('done'));
    };
    report();
    report();
    await settled();
    const down = tuple(atom('DOWN'), ref, atom('process'), s.from, atom('done'));
    assert.ok(equals(s.local.poll() as Term, down));
    assert.equal(s.local.poll(), undefined);
  });
}

test('GROUP_LEADER sets the leader; of a process that is gone it is ignored', async () => {
  const s = stage();
  s.peer.say(tuple(7, s.from, s.local.pid));
  s.peer.say(tuple(7, s.from, s.gone));
  await settled();
  assert.ok(equals(s.local.groupLeader as Pid, s.from));
  assert.ok(s.peer.channel.open);
});

// --- spawning -------------------------------------------------------------------------------------------------

const MFA = tuple(atom('m'), atom('f'), 1);

for (const [name, control] of [
  ['SPAWN_REQUEST', (s: Stage, o: Term) => tuple(29, s.ref, s.from, s.from, MFA, o)],
  ['SPAWN_REQUEST_TT', (s: Stage, o: Term) => tuple(30, s.ref, s.from, s.from, MFA, o, TOKEN)],
] as const) {
  test(`${name} is answered before the child says anything, with what was set up`, async () => {
    const s = stage();
    s.system.remoteMain = (_m, _f, args) => (self) => self.send(s.from, args[0] as Term);
    s.peer.say(control(s, [atom('link'), atom('monitor')]), [7]);
    await eventually('reply, message, exit, report', () => s.peer.received.length === 4);
    const [reply, message, ...ends] = s.peer.received;
    assert.ok(reply?.control instanceof Tuple);
    const { elements } = reply.control;
    assert.equal(elements[0], 31);
    assert.ok(equals(elements[1] as Term, s.ref) && equals(elements[2] as Term, s.from));
    assert.equal(elements[3], 3);
    const child = elements[4] as Pid;
    assert.equal(message?.payload, 7);
    assert.ok(ends.some((e) => equals(e.control, tuple(24, child, s.from))));
    assert.ok(ends.some((e) => equals(e.control, tuple(28, child, s.from, s.ref))));
  });
}

test('an unknown option or none that is a list is answered with badopt', async () => {
  const s = stage();
  for (const options of [
    [atom('reply')],
    atom('link'),
    new ImproperList([atom('link')], atom('x')),
    [tuple(atom('reply_tag'), 1)],
  ]) {
    s.peer.say(tuple(29, s.ref, s.from, s.from, MFA, options as Term), [7]);
  }
  await eventually('four replies', () => s.peer.received.length === 4);
  for (const { control } of s.peer.received) {
    assert.ok(equals(control, tuple(31, s.ref, s.from, 0, atom('badopt'))));
  }
});

for (const form of [31, 32] as const) {
  test(`a spawn reply (${form}) reaches the requester, with link and monitor`, async () => {
    const s = stage();
    const ref = s.local.spawnRequest(s.peer.node, atom('m'), atom('f'), [1], { link: true, monitor: true });
    await eventually('the request', () => s.peer.received.length === 1);
    const token = form === 32 ? [TOKEN] : [];
    s.peer.say(tuple(form, ref, s.local.pid, 3, s.from, ...token));
    s.peer.say(tuple(28, s.from, s.local.pid, ref), atom('done'));
    s.peer.say(tuple(24, s.from, s.local.pid), atom('done'));
    await settled();
    assert.ok(equals(s.local.poll() as Term, tuple(atom('spawn_reply'), ref, atom('ok'), s.from)));
    assert.ok(
      equals(s.local.poll() as Term, tuple(atom('DOWN'), ref, atom('process'), s.from, atom('done'))),
    );
    assert.ok(equals(s.local.poll() as Term, tuple(atom('EXIT'), s.from, atom('done'))));
  });
}

// --- what closes the connection -------------------------------------------------------------------------------

const malformed: [string, (s: Stage) => Term, Term?][] = [
  ['a control message that is no tuple', () => [1, 2]],
  ['an empty tuple', () => tuple()],
  ['an unknown operation', (s) => tuple(99, s.from, s.local.pid)],
  ['an operation that is no number', (s) => tuple(atom('link'), s.from, s.local.pid)],
  ['NODE_LINK', () => tuple(5)],
  ['too few elements', (s) => tuple(1, s.from)],
  ['too many elements', (s) => tuple(1, s.from, s.local.pid, 1)],
  ['SEND to no pid', () => tuple(2, NO_COOKIE, atom('local')), 1],
  ['SEND_SENDER to no pid', (s) => tuple(22, s.from, 17), 1],
  ['REG_SEND to no atom', (s) => tuple(6, s.from, NO_COOKIE, s.local.pid), 1],
  ['REG_SEND of no pid', () => tuple(6, atom('x'), NO_COOKIE, atom('local')), 1],
  ['ALTACT_SIG_SEND of no pid', (s) => tuple(37, 0, atom('x'), s.local.pid), 1],
  ['ALIAS_SEND to no reference', (s) => tuple(33, s.from, s.local.pid), 1],
  ['ALTACT_SIG_SEND with odd flags', (s) => tuple(37, atom('x'), s.from, s.local.pid), 1],
  ['ALTACT_SIG_SEND to name and alias', (s) => tuple(37, 12, s.from, s.alias), 1],
  ['ALTACT_SIG_SEND without its token', (s) => tuple(37, 2, s.from, s.local.pid), 1],
  ['ALTACT_SIG_SEND as exit to a name', (s) => tuple(37, 24, s.from, atom('local')), 1],
  ['LINK for another node', (s) => tuple(1, s.third, s.local.pid)],
  ['LINK for one of our processes', (s) => tuple(1, s.local.pid, s.local.pid)],
  ['LINK to a process of a third node', (s) => tuple(1, s.from, s.third)],
  ['LINK to no pid', (s) => tuple(1, s.from, atom('local'))],
  ['EXIT for another node', (s) => tuple(24, s.third, s.local.pid), 1],
  ['EXIT to an earlier incarnation', (s) => tuple(24, s.from, s.old), 1],
  ['EXIT in the old form to an earlier incarnation', (s) => tuple(3, s.from, s.old, 1)],
  ['EXIT2 for another node', (s) => tuple(26, s.third, s.local.pid), 1],
  ['UNLINK for another node', (s) => tuple(4, s.third, s.local.pid)],
  ['UNLINK_ID for another node', (s) => tuple(35, 1, s.third, s.local.pid)],
  ['UNLINK_ID to an earlier incarnation', (s) => tuple(35, 1, s.from, s.old)],
  ['UNLINK_ID with id 0', (s) => tuple(35, 0, s.from, s.local.pid)],
  ['UNLINK_ID with a negative id', (s) => tuple(35, -1, s.from, s.local.pid)],
  ['UNLINK_ID with an id of 65 bits', (s) => tuple(35, 2n ** 64n, s.from, s.local.pid)],
  ['UNLINK_ID with an id that is no number', (s) => tuple(35, atom('x'), s.from, s.local.pid)],
  ['UNLINK_ID_ACK for another node', (s) => tuple(36, 1, s.third, s.local.pid)],
  ['MONITOR_P for another node', (s) => tuple(19, s.third, s.local.pid, s.ref)],
  ['MONITOR_P without a reference', (s) => tuple(19, s.from, s.local.pid, 1)],
  ['MONITOR_P of a process of a third node', (s) => tuple(19, s.from, s.third, s.ref)],
  ['MONITOR_P of neither pid nor name', (s) => tuple(19, s.from, tuple(atom('local'), s.peer.node), s.ref)],
  ['DEMONITOR_P for another node', (s) => tuple(20, s.third, s.local.pid, s.ref)],
  ['DEMONITOR_P without a reference', (s) => tuple(20, s.from, s.local.pid, 1)],
  ['a report for another node', (s) => tuple(28, s.third, s.local.pid, s.ref), 1],
  ['a report to a third node', (s) => tuple(28, s.from, s.third, s.ref), 1],
  ['GROUP_LEADER that is no pid', (s) => tuple(7, atom('user'), s.local.pid)],
  [
    'a pid of ours with an impossible number',
    (s) => tuple(22, s.from, new Pid(s.local.node, 2 ** 28, 0, 1000)),
    1,
  ],
  [
    'SPAWN_REQUEST with a reference of ours',
    (s) => tuple(29, s.local.makeRef(), s.from, s.from, MFA, []),
    [1],
  ],
  ['SPAWN_REQUEST for another node', (s) => tuple(29, s.ref, s.third, s.from, MFA, []), [1]],
  ['SPAWN_REQUEST without a function', (s) => tuple(29, s.ref, s.from, s.from, atom('m'), []), [1]],
  ['SPAWN_REQUEST whose arguments are no list', (s) => tuple(29, s.ref, s.from, s.from, MFA, []), 1],
  ['SPAWN_REPLY with a pid of another node', (s) => tuple(31, s.ref, s.local.pid, 0, s.third)],
  ['SPAWN_REPLY that is neither pid nor atom', (s) => tuple(31, s.ref, s.local.pid, 0, 17)],
  ['SEND without its payload', (s) => tuple(22, s.from, s.local.pid)],
  ['an exit without its payload', (s) => tuple(26, s.from, s.local.pid)],
];
for (const [name, control, payload] of malformed) {
  test(`${name} closes the connection, with one line in the log`, async () => {
    const s = stage();
    s.peer.say(control(s), payload);
    await settled();
    assert.equal(s.peer.channel.open, false);
    assert.equal(s.system.channels().length, 0);
    const [line] = s.lines.filter(({ level }) => level === 'error');
    assert.match(line?.text ?? '', /^connection to peer@127\.0\.0\.1: malformed message from the peer: ./);
    assert.ok(String(line?.fields?.['frame']).length <= 128);
  });
}

const broken: [string, (s: Stage) => Buffer][] = [
  ['a frame of one byte', () => Buffer.from([131])],
  [
    'a frame without header',
    (s) => Buffer.concat([Buffer.from([112, 131]), terms(tuple(1, s.from, s.local.pid))]),
  ],
  ['an unknown header', () => Buffer.from([131, 71, 0])],
  ['a term with its own version', () => Buffer.from([131, 68, 0, 131, 97, 1])],
  [
    'a compressed payload',
    (s) =>
      Buffer.concat([
        Buffer.from([131, 68, 0]),
        terms(tuple(22, s.from, s.local.pid)),
        Buffer.from([80, 0, 0, 0, 1, 0]),
      ]),
  ],
  [
    'a payload with its own version',
    (s) =>
      Buffer.concat([
        Buffer.from([131, 68, 0]),
        terms(tuple(22, s.from, s.local.pid)),
        Buffer.from([131, 97, 1]),
      ]),
  ],
  ['a reference outside the table', () => Buffer.from([131, 68, 0, 82, 0])],
  ['a corrupt cache', () => Buffer.from([131, 68, 1, 0, 0, 97, 1])],
  [
    'a payload that ends early',
    (s) =>
      Buffer.concat([
        Buffer.from([131, 68, 0]),
        terms(tuple(22, s.from, s.local.pid)),
        Buffer.from([109, 0, 0, 1, 0, 1]),
      ]),
  ],
  ['a further piece of nothing', () => Buffer.from([131, 70, ...new Array(15).fill(0), 1])],
];
for (const [name, bytes] of broken) {
  test(`${name} closes the connection`, async () => {
    const s = stage();
    s.peer.frame(bytes(s));
    await settled();
    assert.equal(s.peer.channel.open, false);
    assert.equal(s.lines.filter(({ level }) => level === 'error').length, 1);
  });
}

test('a bad peer ends its own connection only', async () => {
  const { system } = loggedSystem('here@127.0.0.1');
  const good = new ScriptedPeer(system, { name: 'good@127.0.0.1' });
  const bad = new ScriptedPeer(system, { name: 'bad@127.0.0.1' });
  bad.frame([1, 2, 3]);
  await settled();
  assert.deepEqual(system.nodes(), [good.node]);
});

test('with priority, messages and exits to an alias that takes such come before those that wait', async () => {
  const { peer, local, from, alias } = stage();
  const urgent = local.alias({ priority: true });
  peer.say(tuple(22, from, local.pid), 1);
  peer.say(tuple(37, 5, from, alias), 2); // an alias without priority
  peer.say(tuple(37, 1, from, local.pid), 3); // a pid
  peer.say(tuple(33, from, urgent), 4); // without the flag
  peer.say(tuple(37, 5, from, urgent), atom('first'));
  peer.say(tuple(37, 21, from, urgent), atom('why'));
  peer.say(tuple(37, 5, from, urgent), atom('third'));
  await eventually('all messages', () => local.mailbox.size === 7);
  assert.equal(await local.receive((message) => (message === 2 ? message : undefined)), 2);
  const taken = Array.from({ length: 3 }, () => local.poll() as Term);
  assert.ok(equals(taken, [atom('first'), tuple(atom('EXIT'), from, atom('why')), atom('third')]));
  peer.say(tuple(37, 5, from, urgent), 6);
  await eventually('one more', () => local.mailbox.size === 4);
  assert.deepEqual(
    Array.from({ length: 4 }, () => local.poll()),
    [6, 1, 3, 4],
  );
});
