// Connections with BEAM: every header mode, messages of all sizes, links and monitors, ticks, both sides dialling.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capabilities } from '../../src/dist/control.js';
import * as flag from '../../src/dist/dflags.js';
import type { Process } from '../../src/erts/process.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { BareNode } from '../bare_node.js';
import { type Cluster, nodeName, type Peer } from '../cluster.js';
import { pause, until } from '../processes.js';
import { Stalls } from '../stalls.js';
import { check, type Suite, same } from '../suite.js';

const OBSERVER: Atom = atom(nodeName('observer'));
const HIDDEN = flag.DEFAULT_DFLAGS & ~flag.DFLAG_PUBLISHED;

const MODES: readonly (readonly [string, bigint])[] = [
  ['all flags', HIDDEN],
  ['no fragments', HIDDEN & ~flag.DFLAG_FRAGMENTS],
  ['no atom cache', HIDDEN & ~flag.DFLAG_DIST_HDR_ATOM_CACHE],
  ['neither', HIDDEN & ~flag.DFLAG_FRAGMENTS & ~flag.DFLAG_DIST_HDR_ATOM_CACHE],
  ['old forms', HIDDEN & ~flag.DFLAG_SEND_SENDER & ~flag.DFLAG_EXIT_PAYLOAD & ~flag.DFLAG_ALTACT_SIG],
];

export function run(suite: Suite): void {
  for (const [name, flags] of MODES) {
    suite.test(`distribution, ${name}: messages, links, monitors, spawns`, (cluster) =>
      everything(cluster, flags),
    );
  }
  suite.test('distribution: a binary of 200 MB there and back', (cluster) => huge(cluster, 200_000_000));
  suite.test('distribution: 5000 distinct atoms a second, both ways', manyAtoms);
  suite.test('distribution: thousands of links and monitors while the connection is cut', manyLinks);
  for (const role of ['aaa', 'zzz']) {
    suite.test(
      `distribution: ${role} and BEAM dial each other at the same time, again and again`,
      (cluster) => simultaneous(cluster, role),
    );
  }
  suite.test('distribution: a peer with ticktime 4 stays connected in silence', shortTicktime);
  suite.test('distribution: a frozen peer is given up in time', frozen);
  suite.test('distribution: BEAM asks for a name and gets one', nameless);
}

/** Answers `{From, Term}` with `{echoed, Term}`. */
async function echo(self: Process): Promise<void> {
  for (;;) {
    const message = await self.next();
    if (!(message instanceof Tuple)) continue;
    const [from, term] = message.elements;
    await self.sendAndDrain(from as Pid, tuple(atom('echoed'), term as Term));
  }
}

/** Elixir: the term comes back the same. */
function echoes(node: BareNode, term: string, timeoutMs = 20_000): string {
  return `term = ${term}
    send({:echo, ${node.atom}}, {self(), term})
    receive do {:echoed, back} -> back === term after ${timeoutMs} -> :no_answer end`;
}

const TERMS = [
  '1',
  '[1, 2.0, -7, 12345678901234567890123, "text", ~c"list", <<1::size(3)>>, %{a: %{}}, {}, [1 | 2]]',
  'for i <- 1..400, do: :"atom#{i}"',
  ':"ünï" ',
  'String.to_atom(String.duplicate("é", 255))',
  '{self(), make_ref(), &:erlang.node/0, fn x -> x end, true, nil, :""}',
  ':binary.copy("x", 65_000)',
  ':binary.copy("x", 65_536)',
  '{:binary.copy("x", 200_000), for(i <- 1..300, do: :"more#{i}")}',
  'for i <- 1..50_000, do: {i, :ok}',
  ':binary.copy("x", 20_000_000)',
];

async function everything(cluster: Cluster, flags: bigint): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours', { flags });
  node.serve('echo', echo);
  // what is sent while the connection is being set up comes in old forms and in one frame
  same(await cluster.ask(echoes(node, '{:first, :binary.copy("x", 200_000)}')), 'true', 'the first message');
  for (const term of TERMS) same(await cluster.ask(echoes(node, term)), 'true', term);

  const collector = node.collector('collector');
  collector.trapExit = true;
  const ours = `{:collector, ${node.atom}}`;
  node.system.remoteMain = (_module, _fun, args) => (self) => {
    self.send(args[0] as Pid, tuple(atom('child'), self.pid));
    self.exit(tuple(atom('done'), 1));
  };
  const questions: [string, string][] = [
    [
      `ref = Process.monitor(${ours})
       Process.demonitor(ref)
       ref2 = Process.monitor({:nobody, ${node.atom}})
       receive do {:DOWN, ^ref2, :process, {:nobody, _}, reason} -> reason after 20_000 -> :silence end`,
      ':noproc',
    ],
    [
      `req = :erlang.spawn_request(${node.atom}, :m, :f, [self()], [:monitor])
       receive do {:spawn_reply, ^req, :ok, pid} ->
         receive do {:child, ^pid} ->
           receive do {:DOWN, ^req, :process, ^pid, reason} -> reason after 20_000 -> :no_down end
         after 20_000 -> :no_message end
       after 20_000 -> :no_reply end`,
      '{:done, 1}',
    ],
    [
      `Process.flag(:trap_exit, true)
       pid = :erlang.spawn_opt(${node.atom}, :m, :f, [self()], [:link])
       receive do {:EXIT, ^pid, reason} -> reason after 20_000 -> :silence end`,
      '{:done, 1}',
    ],
    [
      `req = :erlang.spawn_request(${node.atom}, :m, :f, [self()], [:nonsense])
       receive do {:spawn_reply, ^req, :error, reason} -> reason after 20_000 -> :silence end`,
      ':badopt',
    ],
  ];
  for (const [question, answer] of questions) same(await cluster.ask(question), answer, question);

  // BEAM processes that link to ours, are linked by ours, end for reasons and are told to end
  const beam = await cluster.ask(`
    pid = spawn(fn -> Process.flag(:trap_exit, true)
      receive do {:link, p} -> Process.link(p); send(p, {:linked, self()}) end
      receive do {:EXIT, _, reason} -> exit({:told, reason}) end
    end)
    Process.register(pid, :partner)`);
  same(beam, 'true', 'the partner');
  const partner = tuple(atom('partner'), OBSERVER);
  const ref = collector.monitor(partner);
  collector.send(partner, tuple(atom('link'), collector.pid));
  const linked = await next(collector);
  const pid = (linked as Tuple).elements[1] as Pid;
  collector.unlink(pid);
  collector.link(pid);
  collector.exitSignal(pid, tuple(atom('stop'), 'please'.length));
  const ends = [format(await next(collector)), format(await next(collector))].sort();
  const told = '{told,{stop,6}}';
  check(
    ends.some((end) => end.startsWith("{'DOWN',") && end.endsWith(`${told}}`)),
    `DOWN: ${ends.join()}`,
  );
  check(
    ends.some((end) => end.startsWith("{'EXIT',") && end.endsWith(`${told}}`)),
    `EXIT: ${ends.join()}`,
  );
  check(
    !node.system.distEntry(OBSERVER).monitors.has(node.system.ids.indexOfRef(ref)),
    'the monitor is gone',
  );

  if (!capabilities(node.system.distEntry(OBSERVER).channel?.flags ?? 0n).alias) return;
  const [alias, other] = [collector.alias(), collector.alias()];
  collector.unalias(other);
  node.system.remoteMain = () => () => {};
  const asked = cluster.ask(`
    {pid, alias, other} = receive do m -> m after 0 -> Process.register(self(), :aliases); receive do m -> m end end
    send(other, :never)
    send(alias, :by_alias)
    mine = :erlang.alias([:reply])
    send(pid, {:mine, mine})
    receive do :answered -> :once after 20_000 -> :silence end`);
  await until('the process is there', 20_000, async () =>
    (await cluster.ask('Process.whereis(:aliases) != nil')) === 'true' ? true : undefined,
  );
  collector.send(tuple(atom('aliases'), OBSERVER), tuple(collector.pid, alias, other));
  same(format(await next(collector)), 'by_alias', 'by alias');
  const mine = (await next(collector)) as Tuple;
  collector.send(mine.elements[1] as never, atom('answered'));
  same(await asked, ':once', 'the alias of BEAM');
}

async function next(self: Process): Promise<Term> {
  return until('a message', 20_000, async () => self.poll());
}

async function huge(cluster: Cluster, bytes: number): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours');
  node.serve('echo', echo);
  same(await cluster.ask(echoes(node, ':binary.copy("x", 1_000_000)')), 'true', '1 MB');
  same(await cluster.ask(echoes(node, `:binary.copy("x", ${bytes})`, 60_000)), 'true', `${bytes} bytes`);
}

async function manyAtoms(cluster: Cluster): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours');
  node.serve('echo', echo);
  const seen = await cluster.ask(`
    for second <- 1..3 do
      atoms = for i <- 1..5000, do: :"distinct_#{second}_#{i}"
      for chunk <- Enum.chunk_every(atoms, 7), do: send({:echo, ${node.atom}}, {self(), {:steady, chunk}})
      for chunk <- Enum.chunk_every(atoms, 7) do
        receive do {:echoed, {:steady, ^chunk}} -> :ok after 20_000 -> exit(:no_answer) end
      end
    end
    :all`);
  same(seen, ':all', 'atoms');
}

async function manyLinks(cluster: Cluster): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours');
  const { system } = node;
  system.remoteMain = (_module, _fun, args) => async (self) => {
    // what BEAM spawns here links back and monitors as well
    self.trapExit = true;
    self.monitor(args[0] as Pid);
    self.link(args[0] as Pid);
    for (;;) await self.next();
  };
  for (let round = 0; round < 4; round++) {
    const lost = cluster.ask(`
      me = self()
      parents = for _ <- 1..1000 do
        spawn(fn ->
          Process.flag(:trap_exit, true)
          child = :erlang.spawn_link(${node.atom}, :m, :f, [self()])
          ref = Process.monitor(child)
          send(me, :ready)
          exits = receive do {:EXIT, ^child, reason} -> reason end
          downs = receive do {:DOWN, ^ref, _, _, reason} -> reason end
          send(me, {self(), exits, downs})
        end)
      end
      for _ <- parents, do: (receive do :ready -> :ok end)
      Process.register(self(), :ready_to_cut)
      results = for p <- parents, do: (receive do {^p, e, d} -> {e, d} after 20_000 -> :silence end)
      Enum.uniq(results)`);
    await until('all are linked', 20_000, async () => {
      const ready = await cluster.ask('Process.whereis(:ready_to_cut) != nil');
      return ready === 'true' && system.distEntry(OBSERVER).links.size >= 1000 ? true : undefined;
    });
    const { links, monitors, watchers, spawns } = system.distEntry(OBSERVER);
    if (round % 2 === 0) node.netKernel.disconnect(OBSERVER);
    else await cluster.ask(`:erlang.disconnect_node(${node.atom})`);
    same(await lost, '[noconnection: :noconnection]', 'what the BEAM processes got');
    await until(
      'nothing is left',
      20_000,
      () => links.size + monitors.size + watchers.size + spawns.size === 0,
    );
    for (const process of system.processes())
      if (process.registeredName === undefined) process.end(atom('kill'));
  }
}

async function simultaneous(cluster: Cluster, role: string): Promise<void> {
  await using node = await BareNode.start(cluster, role);
  node.serve('echo', echo);
  for (let round = 0; round < 150; round++) {
    node.events.length = 0;
    const dialled = cluster.ask(`:net_kernel.connect_node(${node.atom})`);
    if (round % 3 > 0) await new Promise((resolve) => setImmediate(resolve));
    // BEAM's own attempt takes some tenths of a millisecond to come: meet it at all of its stages
    await pause((round % 10) / 5);
    const [ours, theirs] = await Promise.all([node.netKernel.connectNode(OBSERVER), dialled]);
    same(`${ours} ${theirs}`, 'true true', `round ${round}`);
    same(await cluster.ask(echoes(node, `${round}`)), 'true', `round ${round}`);
    same(node.events.join(), 'up observer', `round ${round}`);
    same(await cluster.ask(`:erlang.disconnect_node(${node.atom})`), 'true', 'disconnect');
    await until('down', 20_000, async () =>
      node.netKernel.nodes('connected').length === 0 ? true : undefined,
    );
  }
  check(!node.log.some((line) => line.startsWith('error')), node.log.join('\n'));
}

const TICKTIME_4 = '[{kernel, [{net_ticktime, 4}]}].\n';

/** A BEAM node that gives up after 4 s of silence, connected. */
async function tickingPeer(cluster: Cluster, suite: Suite, node: BareNode): Promise<Peer> {
  const peer = await cluster.start('bcd', suite.release, { app: false, config: TICKTIME_4 });
  await cluster.registered(peer);
  await until(
    'connected',
    20_000,
    async () => (await node.netKernel.connectNode(atom(peer.node))) || undefined,
  );
  return peer;
}

async function shortTicktime(cluster: Cluster, suite: Suite): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours');
  await tickingPeer(cluster, suite, node);
  await pause(8000);
  same(node.events.join(), 'up bcd', 'in silence');
}

async function frozen(cluster: Cluster, suite: Suite): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours', { channel: { ticktimeMs: 2000 } });
  const peer = await tickingPeer(cluster, suite, node);
  peer.proc.signal('SIGSTOP');
  const stalls = new Stalls();
  const since = performance.now();
  await until('given up', 20_000, async () => (node.events.length > 1 ? true : undefined));
  const ms = performance.now() - since;
  same(node.events.join(), 'up bcd,down bcd net_tick_timeout', 'events');
  check(ms > 1400 && ms < 2800 + stalls.stop(), `given up after ${ms} ms`);
}

async function nameless(cluster: Cluster): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours', { nameMode: 'shortnames', host: 'localhost' });
  const call = `Us = '${node.system.node.name}',
    true = net_kernel:connect_node(Us),
    yes = gen_server:call({net_kernel, Us}, {is_auth, node()}),
    io:format("I am ~p, ~p~n", [node(), nodes(hidden)]), halt().`;
  // the trees of other releases have no /etc/hosts
  const inetrc = join(cluster.dir, 'inetrc');
  writeFileSync(inetrc, '{host, {127,0,0,1}, ["localhost"]}.\n{lookup, [file, native]}.\n');
  const names: string[] = [];
  for (let i = 0; i < 2; i++) {
    const erl = `${cluster.release.bin}/erl`;
    const words = ['-noinput', '-sname', 'undefined', '-setcookie', cluster.cookie, '-eval', call];
    const proc = cluster.run('nameless', [erl, ...words], { ERL_INETRC: inetrc });
    const line = await proc.line(/I am .*/, 15_000);
    names.push(/'([^']+)'/.exec(line.text)?.[1] ?? '');
    await until('it is gone', 20_000, async () => (node.events.length === 2 * (i + 1) ? true : undefined));
  }
  check(/^[0-9A-Z]+@/.test(names[0] ?? ''), `its name is ${names[0]}`);
  same(names[1] ?? '', names[0] ?? '', 'the name of the next');
}
