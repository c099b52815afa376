// The cases of OTP's ei_connect_SUITE: otpnode in the place of the C node, and a real C node, erl_call, that asks otpnode.
import { connect } from '../../src/dist/inet_tcp_dist.js';
import { startNode } from '../../src/node.js';
import { call } from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { charlist } from '../../src/terms/binary.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { HOST, nodeName } from '../cluster.js';
import { check, same } from '../suite.js';
import { type Case, next, type SuitePeer } from './suite_peer.js';

/** A process of ours, and a process of theirs, `:receiver`, that keeps the first message. */
async function pair(peer: SuitePeer, name: string) {
  const ours = peer.node.collector(name);
  await peer.says(
    `S.keeper(:kept)
     receiver = spawn(fn -> send(:kept, {:got, S.one(60_000)}) end)
     Process.register(receiver, :receiver)
     send({:${name}, us}, receiver); true`,
    'true',
  );
  const theirs = (await next(ours)) as Pid;
  return { ours, theirs };
}

/** A message to a pid, or to a name, comes as it was sent. */
function sends(name: string, to: 'pid' | 'name', term: Term, expected: string): Case[1] {
  return async (peer) => {
    const { ours, theirs } = await pair(peer, name);
    ours.send(to === 'pid' ? theirs : tuple(atom('receiver'), peer.theirs), term);
    await peer.says(`S.kept(:kept) === ${expected}`, 'true');
    ours.end(atom('kill'));
  };
}

async function formatPid(peer: SuitePeer): Promise<void> {
  const { ours, theirs } = await pair(peer, 'formatter');
  ours.send(theirs, theirs);
  await peer.says('node(S.kept(:kept)) == node()', 'true');
  ours.end(atom('kill'));
}

async function rpc(peer: SuitePeer): Promise<void> {
  const answer = await new Promise<Term>((resolve, reject) => {
    peer.node.system.spawn((self) => {
      const request = tuple(
        atom('call'),
        atom('lists'),
        atom('reverse'),
        [charlist('!edalg ud jeH')],
        atom('user'),
      );
      return call(self, tuple(atom('rex'), peer.theirs), request).then(resolve, reject);
    });
  });
  same(format(answer), '"Hej du glade!"', 'lists:reverse');
}

async function funs(peer: SuitePeer): Promise<void> {
  await peer.says(
    `pid = S.spawn_echo(us)
     me = self()
     inner = &:lists.reverse/1
     outer = fn x -> {me, x, inner.([1, 2])} end
     term = {inner, outer, <<1, 2, 3::5>>}
     send(pid, {self(), term})
     {^pid, {back_inner, back_outer, _} = back} = S.one()
     {back === term, back_inner.([3, 4]), back_outer.(5) == {me, 5, [2, 1]}}`,
    '{true, [4, 3], true}',
  );
}

/** Fifteen nodes connect at once, and each sends a message. */
async function threaded(peer: SuitePeer): Promise<void> {
  await peer.says(
    `for i <- 0..14 do
       S.keeper(:"kept#{i}")
       Process.register(spawn(fn -> send(:"kept#{i}", {:got, S.one(60_000)}) end), :"mth#{i}")
     end
     true`,
    'true',
  );
  const nodes = await Promise.all(Array.from({ length: 15 }, (_, i) => peer.another(`thread${i}`)));
  for (const [i, node] of nodes.entries())
    node.collector('sender').send(tuple(atom(`mth${i}`), peer.theirs), i);
  await peer.says('for i <- 0..14, do: S.kept(:"kept#{i}")', `[${nodes.map((_, i) => i).join(', ')}]`);
  for (const node of nodes) await node[Symbol.asyncDispose]();
}

/** A node is dialled at its port; no EPMD is asked. */
async function hostPort(peer: SuitePeer): Promise<void> {
  const port = (await peer.cluster.names())?.get(peer.beam.role) ?? 0;
  await using node = await peer.another('direct', { dial: () => connect(HOST, port) });
  const ours = node.collector('ours');
  await peer.says(
    'S.keeper(:kept); Process.register(spawn(fn -> send(:kept, {:got, S.one(60_000)}) end), :receiver)',
    'true',
  );
  ours.send(tuple(atom('receiver'), peer.theirs), tuple(atom('a'), atom('message')));
  await peer.says('S.kept(:kept)', '{:a, :message}');
}

/** Elixir: takes lists until `done`; how many they hold, whether all differ and are of our node. */
const COLLECT = `
  collect = fn collect, all -> case S.one(20_000) do
    :done -> {length(all), length(Enum.uniq(all)), Enum.all?(all, fn one -> node(one) == us end)}
    list -> collect.(collect, list ++ all)
  end end
  send(:kept, {:got, collect.(collect, [])})`;

/** So many references or pids of ours differ from each other, also for BEAM. */
function unique(name: string, lists: number, make: (peer: SuitePeer) => Term): Case[1] {
  return async (peer) => {
    const ours = peer.node.collector(name);
    await peer.says(`S.keeper(:kept); Process.register(spawn(fn -> ${COLLECT} end), :receiver)`, 'true');
    const receiver = tuple(atom('receiver'), peer.theirs);
    for (let i = 0; i < lists; i++) {
      await ours.sendAndDrain(
        receiver,
        Array.from({ length: 1000 }, () => make(peer)),
      );
    }
    await ours.sendAndDrain(receiver, atom('done'));
    await peer.says('S.kept(:kept)', `{${lists * 1000}, ${lists * 1000}, true}`);
    ours.end(atom('kill'));
  };
}

async function linkUnlink(peer: SuitePeer): Promise<void> {
  const ours = peer.node.collector('linked');
  ours.trapExit = true;
  await peer.says(
    `Process.register(spawn(fn ->
       pid = S.named_pid(us, :linked)
       loop = fn loop ->
         receive do
           {:link, from} -> Process.link(pid); send(from, :ok)
           {:unlink, from} -> Process.unlink(pid); send(from, :ok)
           {:exit, reason} -> exit(reason)
         end
         loop.(loop)
       end
       loop.(loop)
     end), :link_srv)`,
    'true',
  );
  const links = async (what: string, count: number) => {
    await peer.says(
      `send(:link_srv, {:${what}, self()}); :ok = S.one(); S.echo(S.spawn_echo(us), 1)`,
      'true',
    );
    check(ours.linkedPids().length === count, `${ours.linkedPids().length} links after ${what}`);
  };
  await links('link', 1);
  await links('unlink', 0);
  await links('link', 1);
  await peer.says('send(:link_srv, {:exit, :bang}); :sent', ':sent');
  check(/^\{'EXIT',.*,bang\}$/.test(format(await next(ours))), 'the exit');
  check(ours.linkedPids().length === 0, 'a link is left');
  ours.end(atom('kill'));
}

/** OTP's own C node, erl_call, connects to otpnode and calls a function there. */
async function erlCall(peer: SuitePeer): Promise<void> {
  const node = await startNode({
    name: nodeName('served'),
    cookie: peer.cluster.cookie,
    epmd: { port: peer.cluster.epmdPort },
    listen: { host: HOST },
  });
  try {
    node.code.define('suite', 'rpc_test', 1, ([list]) => [...(list as Term[])].reverse());
    const answer = await peer.ask(
      `root = to_string(:code.root_dir())
       tool = System.find_executable("erl_call") || hd(Path.wildcard(root <> "/{bin,erts-*/bin,lib/erl_interface-*/bin}/erl_call"))
       {said, 0} = System.cmd(tool, ["-name", to_string(us), "-c", "${peer.cluster.cookie}", "-a", "suite rpc_test [[1,2,a]]"], stderr_to_stdout: true)
       said`,
      'served',
    );
    same(answer, '"[a, 2, 1]"', 'what erl_call printed');
  } finally {
    await node.stop();
  }
}

export const CASES: readonly Case[] = [
  ['ei_send', sends('sender', 'pid', tuple(atom('a'), atom('message')), '{:a, :message}')],
  [
    'ei_reg_send',
    sends(
      'sender',
      'name',
      tuple(atom('another'), [atom('strange')], atom('message')),
      '{:another, [:strange], :message}',
    ),
  ],
  [
    'ei_reg_send_large',
    sends(
      'sender',
      'name',
      tuple(atom('another'), Buffer.alloc(32 << 20)),
      '{:another, :binary.copy(<<0>>, 33_554_432)}',
    ),
  ],
  ['ei_format_pid', formatPid],
  ['ei_rpc', rpc],
  // that of OTP 23.2 crashes, asking BEAM as well
  ['ei_rpc: erl_call asks otpnode', erlCall, 25],
  ['ei_send_funs', funs],
  ['ei_threaded_send', threaded],
  ['ei_connect_host_port_test', hostPort],
  ['ei_make_ref', unique('referrer', 27, (peer) => peer.node.system.ids.reference())],
  ['ei_make_pid', unique('spawner', 10, (peer) => peer.node.system.spawn(() => {}).pid)],
  ['ei_link_unlink', linkUnlink],
];
