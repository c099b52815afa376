// The cases of OTP's distribution_SUITE that are about a peer: links, exits, terms, atoms, busy connections.

import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';
import { until } from '../processes.js';
import { check, same } from '../suite.js';
import { type Case, next, type SuitePeer } from './suite_peer.js';

/** Elixir: `terms` binaries of `kb` KiB go to a process of ours, which tells how many bytes came. */
function bulk(terms: number, kb: number): Case[1] {
  return (peer) =>
    peer.says(
      `pid = Node.spawn(us, :suite, :count, [])
       bin = :binary.copy(<<253>>, ${kb} * 1024)
       for _ <- 1..${terms}, do: send(pid, {:term, bin})
       send(pid, {:done, self()})
       S.one()`,
      `{${terms}, ${terms * kb * 1024}}`,
    );
}

/** With a small limit the connection is busy again and again, and all arrives nevertheless. */
async function bulkBigbig(peer: SuitePeer): Promise<void> {
  await bulk(160, 4)(peer);
  await using narrow = await peer.another('narrow', { channel: { busyLimit: 5 * 1024 } });
  await peer.says(
    `counter = spawn(fn -> Process.register(self(), :counter)
       count = fn count, bytes ->
         receive do {:term, bin} -> count.(count, bytes + byte_size(bin)); {:done, from} -> send(from, bytes) end
       end
       count.(count, 0) end)
     S.until(fn -> Process.whereis(:counter) == counter end)`,
    'true',
  );
  check(await narrow.netKernel.connectNode(peer.theirs), 'not connected');
  let busy = 0;
  const sender = narrow.collector('sender');
  const counter = tuple(atom('counter'), peer.theirs);
  const term = tuple(atom('term'), Buffer.alloc(4096, 253));
  for (let i = 0; i < 160; i++) {
    if (!narrow.system.busy(counter)) sender.send(counter, term);
    else {
      busy++;
      await sender.sendAndDrain(counter, term);
    }
  }
  await sender.sendAndDrain(counter, tuple(atom('done'), sender.pid));
  same(format(await next(sender)), `${160 * 4096}`, 'bytes that came');
  check(busy > 10, `the connection was busy ${busy} times`);
}

async function groupLeader(peer: SuitePeer): Promise<void> {
  await peer.says(
    `pid = Node.spawn(us, :suite, :leader, [])
     ask = fn leader ->
       :erlang.group_leader(leader, pid)
       send(pid, {self(), :group_leader})
       S.one() == {pid, leader}
     end
     first = ask.(self())
     S.down(us)
     {first, ask.(spawn(fn -> :ok end)), S.up?(us)}`,
    '{true, true, true}',
  );
}

/** What is sent while the connection is being set up, to a name and to a pid. */
async function optimistic(peer: SuitePeer): Promise<void> {
  for (const term of ['<<1::1>>', '&:lists.map/2']) {
    await peer.says(
      `S.down(us)
       send({:echo, us}, {self(), ${term}})
       {pid, back} = S.one()
       S.down(us)
       {back === ${term}, S.echo(pid, ${term})}`,
      '{true, true}',
    );
  }
}

/** Signals of BEAM to a node that does not read wait, and none is lost. */
async function toBusy(peer: SuitePeer): Promise<void> {
  await peer.says(
    'Node.spawn(us, :suite, :keep, [:sink]); S.until(fn -> :pong == :net_adm.ping(us) end)',
    'true',
  );
  const sink = await peer.named('sink');
  await peer.says(
    `send({:echo, us}, {self(), 1}); S.one()
     Process.register(spawn(fn -> receive do pid -> Process.register(spawn(fn ->
       Process.flag(:trap_exit, true)
       receive do :link -> Process.link(pid) end
       receive do {:exit2, reason} -> Process.exit(pid, reason) end
       receive do reason -> exit(reason) end
     end), :linker) end end), :holder)`,
    'true',
  );
  sink.send(tuple(atom('holder'), peer.theirs), sink.pid);
  await peer.says('S.until(fn -> Process.whereis(:linker) != nil end)', 'true');
  peer.node.freeze();
  try {
    await peer.says(
      `Process.register(S.fill(us), :filler)
       for signal <- [:link, {:exit2, :told}, :controlled_suicide], do: send(:linker, signal)
       # it is suspended in the first of them
       S.until(fn -> Process.info(Process.whereis(:linker), :status) == {:status, :suspended} end)`,
      'true',
    );
    check(sink.linkedPids().length === 0, 'a link came through a connection that nobody reads');
  } finally {
    peer.node.thaw();
  }
  await peer.says('Process.exit(Process.whereis(:filler), :kill)', 'true');
  const exits = [format(await next(sink, 20_000)), format(await next(sink, 20_000))];
  check(
    exits.every((exit, i) => exit.endsWith([',told}', ',controlled_suicide}'][i] ?? '')),
    exits.join(),
  );
  sink.end(atom('kill'));
}

/** A process of theirs dies while the connection is busy: link, monitor, exit are all told, with its reason. */
async function lostExit(peer: SuitePeer): Promise<void> {
  await peer.says(
    `Process.register(spawn(fn -> receive do reason -> exit(reason) end end), :victim)
     Node.spawn(us, :suite, :keep, [:watcher]); :ok`,
    ':ok',
  );
  const watcher = await peer.named('watcher');
  const victim = tuple(atom('victim'), peer.theirs);
  watcher.monitor(victim);
  await peer.says(
    `send({:echo, us}, {self(), 1}); S.one()
     S.until(fn -> Process.info(Process.whereis(:victim), :monitored_by) != {:monitored_by, []} end)`,
    'true',
  );
  peer.node.freeze();
  try {
    await peer.says(
      'Process.register(S.fill(us), :filler); send(:victim, :controlled_suicide); S.until(fn -> !Process.whereis(:victim) end)',
      'true',
    );
  } finally {
    peer.node.thaw();
  }
  await peer.says('Process.exit(Process.whereis(:filler), :kill)', 'true');
  const down = format(await next(watcher, 20_000));
  check(/^\{'DOWN',.*,controlled_suicide\}$/.test(down), down);
  watcher.end(atom('kill'));
}

/** The other way round: BEAM stands still, our connection is busy, our signals wait and arrive. */
async function fromBusy(peer: SuitePeer): Promise<void> {
  const ours = peer.node.collector('ours');
  await peer.says(
    `spawn(fn -> Process.register(self(), :theirs)
       Process.flag(:trap_exit, true)
       send({:ours, us}, self())
       send(:their_end, {:got, S.one(60_000)})
     end)
     S.keeper(:their_end)`,
    'true',
  );
  const theirs = (await next(ours)) as Pid;
  await peer.freezeBeam();
  try {
    const nobody = tuple(atom('nobody'), peer.theirs);
    await until('our connection is busy', 20_000, () => {
      while (!peer.node.system.busy(nobody)) ours.send(nobody, Buffer.alloc(100_000));
      return true;
    });
    ours.link(theirs);
    ours.end(atom('controlled_suicide'));
  } finally {
    peer.beam.proc.signal('SIGCONT');
  }
  const answer = await peer.ask('S.kept(:their_end)');
  check(/^\{:EXIT, #PID<.*>, :controlled_suicide\}$/.test(answer), answer);
}

async function linkToDead(peer: SuitePeer): Promise<void> {
  await peer.says(
    `Process.flag(:trap_exit, true)
     {pid, ref} = :erlang.spawn_opt(us, :suite, :exit, [:die], [:monitor])
     {:DOWN, ^ref, :process, ^pid, :die} = S.one()
     Process.link(pid)
     {S.one() == {:EXIT, pid, :noproc}, pid in elem(Process.info(self(), :links), 1), S.one(50)}`,
    '{true, false, :silence}',
  );
  const ours = peer.node.collector('dead_linker');
  ours.trapExit = true;
  await peer.says('send({:dead_linker, us}, spawn(fn -> :ok end)); :sent', ':sent');
  const dead = (await next(ours)) as Pid;
  await peer.says('S.echo(S.spawn_echo(us), 1)', 'true');
  ours.link(dead);
  check(/^\{'EXIT',.*,noproc\}$/.test(format(await next(ours))), 'our link to a dead process');
  check(ours.linkedPids().length === 0, 'the link is still there');
  ours.end(atom('kill'));
}

async function linkToDeadNewNode(peer: SuitePeer): Promise<void> {
  {
    await using _ = await peer.another('twice');
    await peer.says(
      'Process.register(spawn(fn -> {pid, from} = {S.spawn_echo(us), S.one(60_000)}; send(from, pid) end), :old); S.until(fn -> S.up?(us) end)',
      'true',
      'twice',
    );
  }
  await peer.says('S.until(fn -> not S.up?(us) end)', 'true', 'twice');
  await using _ = await peer.another('twice');
  await peer.says(
    `Process.flag(:trap_exit, true)
     send(:old, self())
     pid = S.one()
     Process.link(pid)
     {S.one() == {:EXIT, pid, :noproc}, pid in elem(Process.info(self(), :links), 1)}`,
    '{true, false}',
    'twice',
  );
  // and a process of theirs, of a start before this one
  const ours = peer.node.collector('old_linker');
  ours.trapExit = true;
  await peer.says('send({:old_linker, us}, self()); :sent', ':sent');
  const now = (await next(ours)) as Pid;
  ours.link(new Pid(now.node, now.number, now.serial, now.creation - 1));
  check(/^\{'EXIT',.*,noproc\}$/.test(format(await next(ours))), 'our link to a process of an earlier node');
  ours.end(atom('kill'));
}

async function trapBif(peer: SuitePeer): Promise<void> {
  const ours = peer.node.collector('trapper');
  const nowhere = atom('abc@127.0.0.77');
  peer.node.netKernel.monitorNode(ours, nowhere, true);
  ours.send(tuple(atom('glirp'), nowhere), atom('hoo'));
  same(format(await next(ours)), "{nodedown,'abc@127.0.0.77'}", 'of a node that does not exist');
  ours.end(atom('kill'));
}

async function never(peer: SuitePeer): Promise<void> {
  await using lonely = await peer.another('lonely', { autoConnect: 'never' });
  const ours = lonely.collector('ours');
  ours.send(tuple(atom('nobody'), peer.theirs), 1);
  const ref = ours.monitor(tuple(atom('nobody'), peer.theirs));
  check(format(await next(ours)).endsWith(',noconnection}'), `a monitor connected: ${format(ref)}`);
  same(lonely.events.join(), '', 'connected by a signal');
  check(await lonely.netKernel.connectNode(peer.theirs), 'an explicit attempt failed');
  await peer.says('S.until(fn -> S.up?(us) end)', 'true', 'lonely');
}

async function once(peer: SuitePeer): Promise<void> {
  await using shy = await peer.another('shy', { autoConnect: 'once' });
  const ours = shy.collector('ours');
  const ping = async (): Promise<string> => {
    ours.monitor(tuple(atom('nobody'), peer.theirs));
    return /,(\w+)\}$/.exec(format(await next(ours)))?.[1] ?? '';
  };
  same(await ping(), 'noproc', 'the first connection');
  await peer.says('S.down(us)', 'true', 'shy');
  await until('it is down here', 20_000, () => shy.events.length === 2);
  same(await ping(), 'noconnection', 'after the connection was lost');
  await peer.says(':net_kernel.connect_node(us)', 'true', 'shy');
  same(await ping(), 'noproc', 'after BEAM connected');
  shy.netKernel.disconnect(peer.theirs);
  same(await ping(), 'noconnection', 'after we disconnected');
  check(await shy.netKernel.connectNode(peer.theirs), 'an explicit attempt failed');
  same(await ping(), 'noproc', 'after an explicit attempt');
}

async function parallel(peer: SuitePeer): Promise<void> {
  for (const [receiver, messages] of [
    ['drop', 300],
    ['disconnect', 50],
  ] as const) {
    await peer.says(
      `receiver = Node.spawn(us, :suite, :${receiver}, [:${receiver}])
       me = self()
       senders = for _ <- 1..64 do
         spawn(fn ->
           receive do :go -> for _ <- 1..${messages}, do: send(receiver, {self(), "Some data"}) end
           send(me, {self(), :done})
         end)
       end
       for s <- senders, do: send(s, :go)
       Enum.uniq(for s <- senders, do: (receive do {^s, :done} -> :done after 20_000 -> :silence end))`,
      '[:done]',
    );
    peer.node.system.whereis(atom(receiver))?.end(atom('kill'));
    await peer.says('S.until(fn -> :net_kernel.connect_node(us) end)', 'true');
    await peer.says('S.echo(S.spawn_echo(us), :after)', 'true');
  }
}

/** Elixir: the list goes there and back, twice, and backwards. */
function roundtrip(terms: string): Case[1] {
  return (peer) =>
    peer.says(
      `terms = ${terms}
       pid = S.spawn_echo(us)
       for list <- [terms, terms, Enum.reverse(terms)], do: S.echo(pid, list)`,
      '[true, true, true]',
    );
}

const UNICODE = `(
  text = fn range -> List.to_string(Enum.to_list(range)) end
  ext = fn name -> <<118, byte_size(name)::16, name::binary>> end
  host = fn n -> ext.(text.(0x1F600..(0x1F600 + n)) <> "@host") end
  term = fn bytes -> :erlang.binary_to_term(<<131, bytes::binary>>) end
  Enum.flat_map([249, 30], fn n ->
    [term.(<<103, host.(n)::binary, 4711::32, 17::32, 1>>), term.(<<102, host.(n)::binary, 4711::32, 2>>),
     term.(<<114, 3::16, host.(n)::binary, 3, 4711::32, 17::32, 4711::32>>)]
  end) ++
  for(range <- [0x1F600..0x1F6FE, 0..254, 100..163, 200..354, 2000..2254, 65500..65533],
    do: String.to_atom(text.(range))) ++
  for(n <- 1..500, do: String.to_atom(text.((50000 + n)..(50254 + n)))))`;

/** Atoms that share one place of the cache, from many processes at once. */
function contended(prefix: string): Case[1] {
  return (peer) =>
    peer.says(
      `:erts_debug.set_internal_state(:available_internal_state, true)
       index = fn atom -> :erts_debug.get_internal_state({:atom_out_cache_index, atom}) end
       wanted = index.(:wanted)
       find = fn find, found, i ->
         atom = :"${prefix}#{i}"
         found = if index.(atom) == wanted, do: [atom | found], else: found
         if length(found) == 10, do: found, else: find.(find, found, i + 1)
       end
       me = self()
       pairs = for atom <- find.(find, [], 0) do
         spawn(fn ->
           pid = S.spawn_echo(us)
           for i <- 1..500, do: send(pid, {self(), {i, atom}})
           send(me, Enum.all?(1..500, fn i -> receive do {^pid, {^i, ^atom}} -> true after 20_000 -> false end end))
         end)
       end
       Enum.uniq(for _ <- pairs, do: S.one(20_000))`,
      '[true]',
    );
}

/** While two processes of BEAM send something large five times, small messages go there and back. */
function latency(large: string): Case[1] {
  return (peer) =>
    peer.says(
      `payload = :binary.copy("x", 8_000_000)
       drop = Node.spawn(us, :suite, :drop, [])
       echo = S.spawn_echo(us)
       large = ${large}
       senders = for _ <- 1..2, do: spawn_monitor(fn -> for _ <- 1..5, do: large.() end)
       answers = for i <- 1..30, do: S.echo(echo, i)
       for {_, ref} <- senders, do: (receive do {:DOWN, ^ref, _, _, _} -> :ok end)
       Enum.uniq(answers)`,
      '[true]',
    );
}

/** Elixir: a process that does something first, and ends with the payload; waits for its end. */
function endsWithPayload(first: string): string {
  return `fn ->
    {_, ref} = spawn_monitor(fn -> ${first}; exit(payload) end)
    receive do {:DOWN, ^ref, _, _, _} -> :ok end
  end`;
}

/** Senders are killed in the middle of large messages: what had come of those is given up, nothing else is. */
async function exitFragments(peer: SuitePeer): Promise<void> {
  await peer.says('S.echo(S.spawn_echo(us), 1)', 'true');
  const ups = peer.node.events.length;
  await peer.says(
    `payload = for _ <- 1..10, do: :binary.copy("x", 100_000)
     pid = S.spawn_echo(us)
     for _ <- 1..150 do
       sender = spawn(fn -> for _ <- 1..20, do: S.echo(pid, payload) end)
       Process.sleep(:rand.uniform(8))
       Process.exit(sender, :kill)
     end
     S.echo(pid, payload)`,
    'true',
  );
  same(peer.node.events.slice(ups).join(), '', 'the connection stays');
}

/** Connections to nodes that are not there, from many processes; none leaves anything behind. */
async function refcRace(peer: SuitePeer): Promise<void> {
  const { system } = peer.node;
  const nodes = Array.from({ length: 50 }, (_, i) => atom(`none${i}@127.0.0.1`));
  const ours = peer.node.collector('racer');
  for (let round = 0; round < 5; round++) {
    for (const node of nodes) {
      ours.send(tuple(atom('none'), node), atom('msg'));
      ours.monitor(tuple(atom('none'), node));
    }
    for (const _ of nodes) check(format(await next(ours)).endsWith(',noconnection}'), 'no such node');
  }
  const left = () => nodes.filter((node) => system.findEntry(node) !== undefined).length;
  await until('no entry is left', 20_000, () => left() === 0);
  ours.end(atom('kill'));
}

const HOPEFUL = `(
  bytes = Enum.into(1..255, <<>>, fn i -> <<i>> end)
  bits = fn bin -> for offset <- Enum.to_list(1..16) ++ [bit_size(bin) - 3] do
    <<head::size(offset)-bitstring, tail::bitstring>> = bin
    [head, tail, {tail}]
  end end
  large = <<1::1, :binary.copy("U", 1_000_000)::binary, 6::6>>
  a = &:gurka.banan/3
  [bits.(bytes), 1234567890, large, a, &:erlang.node/1, self(), bits.(:binary.part(bytes, 0, 32)), make_ref(), :an_atom,
   fn -> {<<5::7>>, a} end])`;

/** Bit strings and external funs sent while the connection is being set up, and when it stands; from both sides. */
async function hopeful(peer: SuitePeer): Promise<void> {
  await peer.says(
    `data = ${HOPEFUL}
     S.down(us)
     send({:echo, us}, {self(), data})
     {pid, first} = S.one(20_000)
     Process.register(spawn(fn -> got = S.one(60_000); send(:compared, {:got, got === data}) end), :beam_receives)
     S.keeper(:compared)
     send({:hopeful, us}, data)
     {first === data, S.echo(pid, data)}`,
    '{true, true}',
  );
}

async function hopefulBothWays(peer: SuitePeer): Promise<void> {
  const ours = peer.node.collector('hopeful');
  await hopeful(peer);
  const data = await next(ours);
  await peer.disconnected();
  ours.send(tuple(atom('beam_receives'), peer.theirs), data);
  await peer.says('S.kept(:compared)', 'true');
  // to a node that is not there
  ours.send(tuple(atom('dummy'), atom('dummy@dummy')), data);
  ours.end(atom('kill'));
}

/** Signals of a process with the flag async_dist do not wait for a busy connection, and arrive in their order. */
async function asyncDist(peer: SuitePeer): Promise<void> {
  await peer.says(
    `Node.spawn(us, :suite, :keep, [:receiver]); S.until(fn -> :pong == :net_adm.ping(us) end)
     Process.register(spawn(fn -> receive do pid -> Process.register(spawn(fn ->
       Process.flag(:async_dist, true)
       receive do :go -> :ok end
       ref = Process.monitor(pid)
       send(pid, {:pid, 1})
       send({:receiver, us}, {:reg_name, 2})
       Process.demonitor(ref)
       Process.link(pid)
       request = :erlang.spawn_request(us, :suite, :exit, [:spawned], [:monitor])
       Process.exit(pid, :told)
       send(:beam_results, :all_sent)
       send(:beam_results, {:spawn_reply, ^request, :ok, child} = S.one(20_000))
       {:DOWN, ^request, :process, ^child, reason} = S.one()
       send(:beam_results, reason)
       exit(:over)
     end), :async) end end), :async_holder)
     Process.register(spawn(fn -> receive do from -> for _ <- 1..3, do: send(from, S.one(60_000)) end end), :beam_results)`,
    'true',
  );
  const receiver = await peer.named('receiver');
  receiver.send(tuple(atom('async_holder'), peer.theirs), receiver.pid);
  await peer.says('S.until(fn -> Process.whereis(:async) != nil end)', 'true');
  peer.node.freeze();
  try {
    await peer.says(
      `Process.register(S.fill(us), :filler)
       send(:beam_results, self()); send(:async, :go); S.one()`,
      ':all_sent',
    );
  } finally {
    peer.node.thaw();
  }
  await peer.says('Process.exit(Process.whereis(:filler), :kill)', 'true');
  const came: string[] = [];
  for (let i = 0; i < 4; i++) came.push(format(await next(receiver, 20_000)).replace(/<.*>/, 'P'));
  same(came.join(' '), "{pid,1} {reg_name,2} {'EXIT',P,told} {'EXIT',P,over}", 'what came, in its order');
  receiver.end(atom('kill'));
}

/** Hidden, with an identifier of its connection, as BEAM lists it. */
async function nodes2(peer: SuitePeer): Promise<void> {
  await peer.says(
    `:pong = :net_adm.ping(us)
     info = fn -> List.keyfind(:erlang.nodes(:hidden, %{connection_id: true, node_type: true}), us, 0) end
     {^us, %{connection_id: first, node_type: :hidden}} = info.()
     S.down(us)
     :pong = :net_adm.ping(us)
     {^us, %{connection_id: second, node_type: :hidden}} = info.()
     {is_integer(first), second > first}`,
    '{true, true}',
  );
}

export const CASES: readonly Case[] = [
  [
    'ping',
    async (peer) => {
      await peer.says('Enum.uniq(for _ <- 1..1024, do: :net_adm.ping(us))', '[:pong]');
      await peer.says('Enum.uniq(for _ <- 1..100, do: :net_adm.ping(:"__pucko__@127.0.0.1"))', '[:pang]');
      for (let i = 0; i < 100; i++) {
        check(!(await peer.node.netKernel.connectNode(atom('__pucko__@127.0.0.1'))), 'connected to nobody');
      }
    },
  ],
  ['bulk_send_small', bulk(64, 32)],
  ['bulk_send_big', bulk(32, 64)],
  ['bulk_send_bigbig', bulkBigbig],
  ['group_leader', groupLeader],
  ['nodes2', nodes2, 25],
  ['optimistic_dflags', optimistic],
  ['link_to_busy, exit_to_busy', toBusy],
  ['link_to_busy, exit_to_busy: BEAM stands still', fromBusy],
  // OTP 23.2 itself never sends the signals of a process that ends while its connection is busy
  ['lost_exit', lostExit, 25],
  ['link_to_dead', linkToDead],
  ['link_to_dead_new_node', linkToDeadNewNode],
  [
    'ref_port_roundtrip',
    (peer) =>
      peer.says(
        `Process.flag(:trap_exit, true)
         term = {hd(:erlang.ports()), make_ref()}
         pid = Node.spawn_link(us, :suite, :exit, [term])
         S.one() == {:EXIT, pid, term}`,
        'true',
      ),
  ],
  [
    'nil_roundtrip',
    (peer) =>
      peer.says(
        `Process.flag(:trap_exit, true)
         pid = Node.spawn_link(us, :suite, :bounce, [self()])
         send(pid, [])
         {S.one(), S.one() == {:EXIT, pid, []}}`,
        '{[], true}',
      ),
  ],
  ['trap_bif_1, trap_bif_2, trap_bif_3', trapBif],
  ['dist_auto_connect_never', never],
  ['dist_auto_connect_once', once],
  ['dist_parallel_send', parallel],
  ['atom_roundtrip', roundtrip('for i <- 1..2000, do: {:"a#{i}", "a#{i}"}')],
  ['unicode_atom_roundtrip', roundtrip(UNICODE)],
  ['contended_atom_cache_entry', contended('atom')],
  ['contended_unicode_atom_cache_entry', contended('\u{1f608}atom')],
  ['message_latency_large_message', latency('fn -> send(drop, payload) end')],
  ['message_latency_large_link_exit', latency(endsWithPayload('Process.link(drop)'))],
  [
    'message_latency_large_monitor_exit',
    latency(endsWithPayload('send(drop, {:monitor, self()}); receive do :ok -> :ok end')),
  ],
  ['message_latency_large_exit2', latency('fn -> Process.exit(drop, payload) end')],
  ['exit_dist_fragments', exitFragments],
  ['dist_entry_refc_race', refcRace],
  ['hopeful_data_encoding, hopeful_export_fun_bug', hopefulBothWays],
  [
    'huge_iovec',
    (peer) =>
      peer.says('S.echo(S.spawn_echo(us), for(_ <- 1..16_384, do: :crypto.strong_rand_bytes(65)))', 'true'),
  ],
  ['async_dist_port_dctrlr', asyncDist, 27],
];
