import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErlangError, Exit } from '../../src/errors.js';
import type { Process } from '../../src/erts/process.js';
import * as signal from '../../src/erts/signal.js';
import type { System } from '../../src/erts/system.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { isTagged, type Tuple, tuple } from '../../src/terms/tuple.js';
import { eventually, MemoryCluster } from '../support/memory_cluster.js';
import { inProcess, same } from '../support/process.js';

const EXIT = atom('EXIT');
const DOWN = atom('DOWN');
const NORMAL = atom('normal');
const KILL = atom('kill');
const NOPROC = atom('noproc');
const NOCONNECTION = atom('noconnection');
const PROCESS = atom('process');

function idle(system: System, name?: Atom): Process {
  return system.spawn(async (self) => void (await self.receive(() => undefined)), name ? { name } : {});
}

function pair(): { cluster: MemoryCluster; a: System; b: System } {
  const cluster = new MemoryCluster();
  const [a, b] = [cluster.start('a'), cluster.start('b')];
  cluster.connect(a, b);
  return { cluster, a, b };
}

const exited = (from: Pid, reason: Term): Term => tuple(EXIT, from, reason);

test('exit signals: kill cannot be trapped, a link passes killed on, normal ends nobody but its sender', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const victim = idle(system);
    self.link(victim.pid);
    self.exitSignal(victim.pid, KILL);
    same(await self.next(), exited(victim.pid, atom('killed')));
    const calm = idle(system);
    self.exitSignal(calm.pid, NORMAL);
    assert.ok(calm.alive);
    const trapping = idle(system);
    trapping.trapExit = true;
    self.exitSignal(trapping.pid, atom('why'));
    assert.ok(trapping.alive);
    assert.equal(trapping.mailbox.size, 1);
    signal.link(trapping, self.pid);
    trapping.end(KILL); // a link's reason `kill` is one like any other
    same(await self.next(), exited(trapping.pid, KILL));
    const own = system.spawn((p) => p.exitSignal(p.pid, NORMAL));
    await eventually('it ended itself', () => !own.alive);
    assert.equal(own.exitReason, NORMAL);
  });
});

test('exit reasons: return, throw, exit, error', async () => {
  const system = new MemoryCluster().start('a');
  const reason = async (main: () => void): Promise<Term> => {
    const process = system.spawn(main);
    await eventually('the end', () => !process.alive);
    return process.exitReason as Term;
  };
  assert.equal(await reason(() => {}), NORMAL);
  const thrown = (error: unknown) => () => {
    throw error;
  };
  assert.equal(await reason(thrown(new Exit(atom('x')))), atom('x'));
  same(await reason(thrown(new ErlangError(atom('x'), [1]))), tuple(atom('x'), [1]));
  const crash = (await reason(thrown(new TypeError('no')))) as Tuple;
  assert.ok(isTagged(crash.elements[0], atom('javascript'), 2));
  const [frame] = crash.elements[1] as readonly Tuple[];
  assert.equal(frame?.elements.length, 4, 'the stack has the form of Erlang’s');
});

test('a chain of linked processes ends without recursion', async () => {
  const system = new MemoryCluster().start('a');
  const chain = [...Array(20_000)].map(() => idle(system));
  for (let i = 1; i < chain.length; i++) signal.link(chain[i] as Process, (chain[i - 1] as Process).pid);
  await eventually('they run', () => chain.every((process) => process.waiting));
  chain[0]?.end(atom('boom'));
  assert.ok(chain.every((process) => process.exitReason === atom('boom')));
  assert.equal(system.processCount, 0);
});

test('links across nodes: exits both ways, noproc for the dead, unlink acknowledged', async () => {
  const { a, b } = pair();
  await inProcess(a, async (self) => {
    const far = idle(b);
    self.link(far.pid);
    await eventually('the link', () => far.remoteLinks.size === 1);
    self.unlink(far.pid);
    await eventually('the acknowledgement', () => far.remoteLinks.size === 0 && self.remoteLinks.size === 0);
    far.end(atom('unseen'));
    self.link(far.pid);
    same(await self.next(), exited(far.pid, NOPROC));
    const old = new Pid(b.node, 3, 0, b.creation - 1);
    signal.linkArrived(a, b.distEntry(a.node).channel as never, old, self.pid);
    const other = idle(b);
    self.link(other.pid);
    await eventually('the link', () => other.remoteLinks.size === 1);
    other.end(atom('seen'));
    same(await self.next(), exited(other.pid, atom('seen')));
    assert.equal(self.remoteLinks.size, 1, 'only the one that was put in by hand');
  });
});

test('an unlink that crosses an exit loses neither: at most one exit comes, none after the unlink', async () => {
  const { a, b } = pair();
  await inProcess(a, async (self) => {
    for (let round = 0; round < 20; round++) {
      const far = idle(b);
      self.link(far.pid);
      await eventually('the link', () => far.remoteLinks.size === 1);
      self.unlink(far.pid);
      far.end(atom('crossing'));
      if (round % 2 === 0) self.link(far.pid); // again before the acknowledgement
      await eventually(
        'it is settled',
        () => b.process(far.pid) === undefined && a.distEntry(b.node).links.size === 0,
      );
      const messages = self.mailbox.toArray();
      assert.equal(messages.length, round % 2 === 0 ? 1 : 0);
      if (round % 2 === 0) await self.next();
    }
  });
});

test('monitors: by pid and name, here and there, each told once, none after demonitor', async () => {
  const { a, b } = pair();
  for (const system of [a, b]) {
    await inProcess(a, async (self) => {
      const name = atom('watched');
      const watched = idle(system, name);
      const byPid = self.monitor(watched.pid);
      const byName = self.monitor(tuple(name, system.node), { tag: atom('gone') });
      const silent = self.monitor(watched.pid);
      self.demonitor(silent);
      if (system === b) await eventually('the monitors', () => watched.remoteWatchers.size === 2);
      watched.end(atom('end'));
      const next = idle(system, name); // the name's monitor does not move to its next owner
      same(await self.next(), tuple(DOWN, byPid, PROCESS, watched.pid, atom('end')));
      same(await self.next(), tuple(atom('gone'), byName, PROCESS, tuple(name, system.node), atom('end')));
      next.end(NORMAL);
      const dead = self.monitor(watched.pid);
      same(await self.next(), tuple(DOWN, dead, PROCESS, watched.pid, NOPROC));
      const nobody = self.monitor(tuple(atom('nobody'), system.node));
      same(await self.next(), tuple(DOWN, nobody, PROCESS, tuple(atom('nobody'), system.node), NOPROC));
      const flushed = self.monitor(watched.pid);
      await eventually('the DOWN', () => self.mailbox.size === 1);
      self.demonitor(flushed, { flush: true });
      assert.equal(self.mailbox.size, 0);
      assert.equal(self.monitors.size, 0);
    });
  }
});

test('the same reference monitored twice by a peer is two monitors', () => {
  const { a, b } = pair();
  const watched = idle(a);
  const watcher = idle(b);
  const ref = b.ids.reference();
  const channel = a.distEntry(b.node).channel;
  assert.ok(channel !== undefined);
  for (let i = 0; i < 2; i++) signal.monitorArrived(a, channel, watcher.pid, watched.pid, ref);
  assert.equal(watched.remoteWatchers.size, 2);
  signal.demonitorArrived(a, watcher.pid, ref);
  assert.equal(watched.remoteWatchers.size, 1);
  assert.equal(a.distEntry(b.node).watchers.size, 1);
  signal.demonitorArrived(a, watcher.pid, ref);
  signal.demonitorArrived(a, watcher.pid, ref);
  assert.equal(a.distEntry(b.node).watchers.size, 0);
});

test('aliases: explicit ones until removed, those of a monitor until it ends or is answered', async () => {
  const { a, b } = pair();
  await inProcess(a, async (self) => {
    const sender = idle(b);
    const explicit = self.alias();
    sender.send(explicit, 1);
    assert.equal(await self.next(), 1);
    self.unalias(explicit);
    const once = self.monitor(sender.pid, { alias: 'reply_demonitor' });
    const several = self.monitor(sender.pid, { alias: 'demonitor' });
    sender.send(explicit, 2);
    sender.send(once, 3);
    sender.send(once, 4);
    sender.send(several, 5);
    sender.send(several, 6);
    sender.send(self.pid, 7);
    for (const expected of [3, 5, 6, 7]) assert.equal(await self.next(), expected);
    sender.end(NORMAL);
    assert.ok(isTagged(await self.next(), DOWN, 5));
    assert.equal(self.aliases.size, 0);
    b.send(sender.pid, several, 8);
    b.send(sender.pid, self.pid, 9);
    assert.equal(await self.next(), 9);
  });
});

test('spawn requests: link and monitor from the beginning, bad options, limits, a requester that is gone', async () => {
  const cluster = new MemoryCluster();
  const a = cluster.start('a');
  const b = cluster.start('b', { processLimit: 5 });
  cluster.connect(a, b);
  b.remoteMain = (_m, _f, args) => (self) => self.exit(args[0] as Term);
  const [m, f] = [atom('m'), atom('f')];
  await inProcess(a, async (self) => {
    const both = self.spawnRequest(b.node, m, f, [atom('done')], { link: true, monitor: true });
    const reply = (await self.next()) as Tuple;
    const child = reply.elements[3] as Pid;
    same(reply, tuple(atom('spawn_reply'), both, atom('ok'), child));
    const ends = [await self.next(), await self.next()] as Term[];
    same(ends[0], exited(child, atom('done')));
    same(ends[1], tuple(DOWN, both, PROCESS, child, atom('done')));
    for (const other of [[atom('nonsense')], [tuple(atom('reply'), atom('yes'))]]) {
      const refused = self.spawnRequest(b.node, m, f, [1], { other });
      same(await self.next(), tuple(atom('spawn_reply'), refused, atom('error'), atom('badopt')));
    }
    const running = [...Array(5)].map(() => idle(b));
    const limited = self.spawnRequest(b.node, m, f, [1], { reply: 'error_only' });
    same(await self.next(), tuple(atom('spawn_reply'), limited, atom('error'), atom('system_limit')));
    for (const process of running) process.end(KILL);
    const quiet = self.spawnRequest(b.node, m, f, [atom('x')], { monitor: true, reply: 'error_only' });
    same((((await self.next()) as Tuple).elements as Term[])[1], quiet);
    const dropped = self.spawnRequest(b.node, m, f, [atom('x')], { monitor: true });
    assert.ok(self.abandonSpawn(b.node, dropped));
    await eventually('it is settled', () => a.distEntry(b.node).spawns.size === 0);
    assert.equal(self.mailbox.size, 0);
    const gone = self.spawnRequest(atom('gone@127.0.0.1'), m, f, []);
    same(await self.next(), tuple(atom('spawn_reply'), gone, atom('error'), NOCONNECTION));
  });
});

test('a lost connection: exits, DOWNs and spawn errors come before the nodedown; nothing is left', async () => {
  const { cluster, a, b } = pair();
  await inProcess(a, async (self) => {
    const far = idle(b);
    self.link(far.pid);
    self.monitor(far.pid);
    const watching = idle(b);
    signal.monitor(watching, self.pid, DOWN, undefined);
    await eventually('all is set up', () => far.remoteLinks.size === 1 && self.remoteWatchers.size === 1);
    const seen: string[] = [];
    a.nodeListeners.add((event) => {
      if (event.type === 'down')
        seen.push(...self.mailbox.toArray().map((m) => ((m as Tuple).elements[0] as Atom).name), 'nodedown');
    });
    cluster.cut(a, b);
    assert.deepEqual(seen, ['EXIT', 'DOWN', 'nodedown']);
    assert.equal(self.remoteLinks.size + self.monitors.size + self.remoteWatchers.size, 0);
    assert.equal(a.findEntry(b.node), undefined, 'a node that is not connected is forgotten');
    self.mailbox.clear();
    self.link(far.pid);
    same(await self.next(), exited(far.pid, NOCONNECTION));
    for (let i = 0; i < 100; i++) self.send(tuple(atom('x'), atom(`n${i}@127.0.0.1`)), 1);
    assert.equal(a.findEntry(atom('n5@127.0.0.1')), undefined);
  });
});
