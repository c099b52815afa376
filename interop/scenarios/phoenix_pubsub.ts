// The example of Phoenix.PubSub, with Elixir nodes that speak its messages: those of the adapter PG2 of phoenix_pubsub 2.
import { PhoenixPubSub } from '../../docs/examples/phoenix_pubsub.js';
import { startNode } from '../../src/node.js';
import { from, toJs } from '../../src/terms/convert.js';
import { type Cluster, HOST, nodeName } from '../cluster.js';
import { until } from '../processes.js';
import { type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  suite.test('Phoenix.PubSub: otpnode publishes and subscribes beside Elixir nodes', (cluster) =>
    pubsub(cluster, suite),
  );
}

/** What phoenix_pubsub has on each node, as far as messages between nodes go: groups, workers, dispatch. */
const PHOENIX = `
defmodule Phoenix.PubSub do
  def start(name, pool_size) do
    {:ok, _} = :pg.start(Phoenix.PubSub)
    {:ok, registry} = Registry.start_link(keys: :duplicate, name: name)
    Process.unlink(registry) # whoever evaluates this ends
    adapter = Module.concat(name, "Adapter")
    [_ | rest] = for n <- 1..pool_size, do: :"#{adapter}_#{n}"
    groups = [adapter | rest]
    :persistent_term.put(adapter, List.to_tuple(groups))
    for group <- groups, do: {:ok, _} = GenServer.start(Phoenix.PubSub.PG2Worker, {name, group}, name: group)
    :ok
  end

  def subscribe(name, topic), do: with({:ok, _} <- Registry.register(name, topic, nil), do: :ok)

  def broadcast(name, topic, message) do
    group = group(name)
    for pid <- :pg.get_members(Phoenix.PubSub, group), node(pid) != node() do
      send(pid, {:forward_to_local, topic, message, Phoenix.PubSub})
    end
    local(name, topic, message, Phoenix.PubSub)
  end

  def direct_broadcast(node, name, topic, message) do
    send({group(name), node}, {:forward_to_local, topic, message, Phoenix.PubSub})
    :ok
  end

  def local(name, topic, message, dispatcher) do
    Registry.dispatch(name, topic, {dispatcher, :dispatch, [:none, message]})
  end

  def dispatch(entries, :none, message) do
    Enum.each(entries, fn {pid, _} -> send(pid, message) end)
  end

  defp group(name) do
    groups = :persistent_term.get(Module.concat(name, "Adapter"))
    elem(groups, :erlang.phash2(self(), tuple_size(groups)))
  end
end

defmodule Phoenix.PubSub.PG2Worker do
  use GenServer
  def init({name, group}) do
    :ok = :pg.join(Phoenix.PubSub, group, self())
    {:ok, name}
  end
  def handle_info({:forward_to_local, topic, message, dispatcher}, name) do
    Phoenix.PubSub.local(name, topic, message, dispatcher)
    {:noreply, name}
  end
end
`;

const POOL = 2;
/** A subscriber that keeps what came, asked by name. */
const SUBSCRIBER = `
{:ok, keeper} = Agent.start(fn -> [] end, name: :seen)
test = self()
spawn(fn ->
  Phoenix.PubSub.subscribe(MyApp.PubSub, "orders")
  send(test, :subscribed)
  keep = fn keep -> receive do message -> Agent.update(keeper, &(&1 ++ [message])); keep.(keep) end end
  keep.(keep)
end)
receive do :subscribed -> :ok end`;

async function pubsub(cluster: Cluster, suite: Suite): Promise<void> {
  const start = async (role: string) => {
    const peer = await cluster.start(role, suite.release, { app: false, config: '[].\n' });
    await cluster.registered(peer);
    await until(`${role} compiles modules`, 20_000, async () => {
      same(await peer.eval(':ets.whereis(:elixir_config) != :undefined'), 'true', 'Elixir is up');
      return true;
    });
    await peer.eval(PHOENIX);
    same(await peer.eval(`Phoenix.PubSub.start(MyApp.PubSub, ${POOL})`), ':ok', 'start');
    same(await peer.eval(SUBSCRIBER), ':ok', 'subscribe');
    return peer;
  };
  const [abc, bcd] = await Promise.all([start('abc'), start('bcd')]);
  const node = await startNode({
    name: nodeName('ours'),
    cookie: cluster.cookie,
    epmd: { port: cluster.epmdPort },
    listen: { host: HOST },
  });
  try {
    const service = await PhoenixPubSub.start(node, 'MyApp.PubSub', POOL);
    const seen: string[] = [];
    const subscription = service.subscribe('orders', (message) => seen.push(JSON.stringify(toJs(message))));
    for (const peer of [abc, bcd]) await node.connect(peer.node);
    const members =
      'for n <- ["", "_2"], do: length(:pg.get_members(Phoenix.PubSub, :"Elixir.MyApp.PubSub.Adapter#{n}"))';
    await until('all workers know one another', 20_000, async () => {
      for (const peer of [abc, bcd])
        same(await peer.eval(members), '[3, 3]', `workers known to ${peer.role}`);
      return true;
    });

    // from otpnode to all
    service.broadcast('orders', from({ id: 1, lines: ['a'] }));
    service.broadcast('others', from({ id: 2 }));
    service.broadcast('orders', from({ id: 3 }));
    for (const peer of [abc, bcd]) {
      await until(`${peer.role} has seen them`, 20_000, async () => {
        const got = await peer.eval('Agent.get(:seen, & &1)');
        same(got, '[%{"id" => 1, "lines" => ["a"]}, %{"id" => 3}]', 'seen');
        return true;
      });
    }
    same(seen.join(' '), '{"id":1,"lines":["a"]} {"id":3}', 'seen here');

    // from Elixir: by whichever shard, to all or to one node
    const publish = (i: number) =>
      `Task.async(fn -> Phoenix.PubSub.broadcast(MyApp.PubSub, "orders", %{"id" => ${i}}) end) |> Task.await()`;
    for (let i = 10; i < 20; i++) await (i % 2 === 0 ? abc : bcd).eval(publish(i));
    await bcd.eval(
      `Phoenix.PubSub.direct_broadcast(:"${node.name.name}", MyApp.PubSub, "orders", {:order, "direct"})`,
    );
    await until('all came', 20_000, () => {
      const ids = seen.slice(2).sort().join(' ');
      const expected = [...Array(10).keys()].map((i) => `{"id":${i + 10}}`).join(' ');
      same(ids, `["order","direct"] ${expected}`, 'seen here');
      return true;
    });
    subscription[Symbol.dispose]();
    service.broadcast('orders', 1);
    same(String(seen.length), '13', 'nothing comes any more');
  } finally {
    await node.stop();
  }
}
