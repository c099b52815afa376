// Seventeen questions that a node of Erlang answers, asked by a BEAM node of otpnode, a visible one, and of another
// BEAM node of the same release. Both must give the answer that is written here.

import type { Process } from '../../src/erts/process.js';
import { type Node, startNode } from '../../src/node.js';
import { type GenServer, start } from '../../src/stdlib/gen_server.js';
import type { StartResult } from '../../src/stdlib/proc_lib.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple } from '../../src/terms/tuple.js';
import { type Cluster, HOST, nodeName, type Peer } from '../cluster.js';
import { until } from '../processes.js';
import { type Suite, same } from '../suite.js';

/** Elixir, with `target` for the node that is asked, and the answer as Elixir shows it. */
const QUESTIONS: readonly (readonly [string, string, string])[] = [
  ['connect', ':net_kernel.connect_node(target)', 'true'],
  [
    'visible',
    ':pong = :net_adm.ping(target); target in Node.list() and target not in Node.list(:hidden)',
    'true',
  ],
  ['gen_server:call', 'GenServer.call({:probe, target}, {:echo, {1, "x"}})', '{1, "x"}'],
  ['noproc', 'try do GenServer.call({:nobody, target}, 1) catch :exit, {reason, _} -> reason end', ':noproc'],
  [
    'global:register_name',
    `:pong = :net_adm.ping(target)
     :global.sync()
     pid = GenServer.call({:probe, target}, :self)
     known = fn name, registered ->
       {registered, :global.whereis_name(name) == pid, GenServer.call({:global, name}, {:echo, 1}), :global.unregister_name(name)}
     end
     ours = known.({:named, target}, :global.register_name({:named, target}, pid))
     theirs = known.({:named, target}, GenServer.call({:probe, target}, {:register, {:named, target}}))
     {ours, theirs}`,
    '{{:yes, true, 1, :ok}, {:yes, true, 1, :ok}}',
  ],
  ['global:sync', ':global.sync()', ':ok'],
  ['rpc', ':rpc.call(target, :erlang, :node, []) == target', 'true'],
  ['erpc', ':erpc.call(target, :erlang, :node, []) == target', 'true'],
  ['a binary of 1 MB', echo(':crypto.strong_rand_bytes(1_000_000)'), 'true'],
  ['a binary of 20 MB', echo(':binary.copy(:crypto.strong_rand_bytes(20_000), 1000)'), 'true'],
  [
    'mixed terms',
    echo(`[1, -1.5, 123_456_789_012_345_678_901_234_567_890, "bytes", ~c"chars", <<5::size(3)>>, [1, 2 | 3], {},
       %{1 => :a, 1.0 => "b", {:k, []} => %{}}, &:erlang.node/0, :"ünï", String.to_atom("日本"), nil, true, "",
       self(), make_ref(), hd(:erlang.ports())]`),
    'true',
  ],
  [
    'a local fun there and back',
    `x = 40
     fun = fn y -> x + y end
     back = GenServer.call({:probe, target}, {:echo, fun})
     {back === fun, back.(2)}`,
    '{true, 42}',
  ],
  [
    'a monitor, alive and at its end',
    `pid = GenServer.call({:probe, target}, :another)
     ref = Process.monitor(pid)
     alive = GenServer.call(pid, {:echo, :alive})
     stopped = GenServer.call(pid, :stop)
     {alive, stopped, (receive do {:DOWN, ^ref, :process, ^pid, reason} -> reason after 5000 -> :silence end)}`,
    '{:alive, :ok, :normal}',
  ],
  [
    'sys:get_status',
    `{:status, pid, {:module, module}, [dictionary, state, parent, debug, misc]} = :sys.get_status({:probe, target})
     {node(pid) == target, module, is_list(dictionary), state, is_pid(parent), debug, is_list(misc)}`,
    '{true, :gen_server, true, :running, true, [], true}',
  ],
  [
    'spawn_request',
    `ref = :erlang.spawn_request(target, :erlang, :node, [], [:monitor])
     receive do {:spawn_reply, ^ref, :ok, pid} ->
       down = receive do {:DOWN, ^ref, :process, ^pid, reason} -> reason after 5000 -> :silence end
       {node(pid) == target, down}
     after 5000 -> :no_reply end`,
    '{true, :normal}',
  ],
  [
    '1000 calls',
    'Enum.count(1..1000, fn i -> GenServer.call({:probe, target}, {:echo, i}) === i end)',
    '1000',
  ],
  ['ping', ':net_adm.ping(target)', ':pong'],
];

/** Elixir: whether a term comes back as it was sent. */
function echo(term: string): string {
  return `term = ${term}
     GenServer.call({:probe, target}, {:echo, term}, 30_000) === term`;
}

/** The server that answers on a BEAM node. */
const SERVER = `
  defmodule Probe do
    use GenServer
    def init(arg), do: {:ok, arg}
    def handle_call({:echo, term}, _, state), do: {:reply, term, state}
    def handle_call(:self, _, state), do: {:reply, self(), state}
    def handle_call({:register, name}, _, state), do: {:reply, :global.register_name(name, self()), state}
    def handle_call(:another, _, state) do
      {:ok, pid} = GenServer.start(Probe, [])
      {:reply, pid, state}
    end
    def handle_call(:stop, _, state), do: {:stop, :normal, :ok, state}
  end
  {:ok, _} = GenServer.start(Probe, [], name: :probe)
  :started`;

export function run(suite: Suite): void {
  suite.sharing(
    Probe.open,
    QUESTIONS.map(([what, question, answer]) => [
      `probe: ${what}`,
      (probe: Probe) => probe.ask(what, question, answer),
    ]),
  );
}

class Probe {
  readonly #asker: Peer;
  readonly #ours: Node;
  readonly #beam: Peer;

  private constructor(asker: Peer, ours: Node, beam: Peer) {
    this.#asker = asker;
    this.#ours = ours;
    this.#beam = beam;
  }

  static async open(this: void, cluster: Cluster, suite: Suite): Promise<Probe> {
    const [asker, beam] = await Promise.all(
      ['asker', 'beam'].map((role) => cluster.start(role, suite.release, { app: false, config: '[].\n' })),
    );
    const ours = await startNode({
      name: nodeName('ours'),
      cookie: cluster.cookie,
      epmd: { port: cluster.epmdPort },
      listen: { host: HOST },
    });
    await new Promise<void>((resolve, reject) => {
      ours.spawn((self) =>
        start(self, server(ours), [], { name: atom('probe') }).then(() => resolve(), reject),
      );
    });
    const probe = new Probe(asker as Peer, ours, beam as Peer);
    for (const peer of [probe.#asker, probe.#beam]) await cluster.registered(peer);
    await until(
      'the server of BEAM is there',
      20_000,
      async () => (await probe.#beam.eval(SERVER)) === ':started',
    );
    return probe;
  }

  /** Asks both for the same. */
  async ask(what: string, question: string, answer: string): Promise<void> {
    for (const node of [this.#beam.node, this.#ours.name.name]) {
      const got = await this.#asker.eval(`target = :"${node}"\n${question}`, 60_000);
      same(got, answer, `${what}, asked of ${node}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ours.stop();
  }
}

/** The same server on otpnode. */
function server(node: Node): GenServer<Term> {
  return {
    init: () => ({ state: [] }),
    handleCall: (request, _, state, self) => {
      const [tag, arg = []] = request instanceof Tuple ? request.elements : [request];
      switch (format(tag ?? [])) {
        case 'echo':
          return { reply: arg, state };
        case 'self':
          return { reply: self.pid, state };
        case 'register':
          return registered(node, self, arg).then((reply) => ({ reply, state }));
        case 'another':
          return start(self, server(node), []).then((started) => ({ reply: startedPid(started), state }));
        default:
          return { reply: atom('ok'), stop: atom('normal'), state };
      }
    },
  };
}

async function registered(node: Node, self: Process, name: Term): Promise<Term> {
  return atom((await node.global.registerName(self, name, self.pid)) ? 'yes' : 'no');
}

function startedPid(started: StartResult): Pid {
  if (!('ok' in started)) throw new Error('the server did not start');
  return started.ok;
}
