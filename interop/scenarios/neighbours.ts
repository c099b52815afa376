// What a visible node owes its neighbours: each call that BEAM makes of it ends, and with the answer that BEAM gives.
import { type Cluster, type Kind, nodeName, type Peer } from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import { check, kindName, type Suite, same } from '../suite.js';

const ABC = `:"${nodeName('abc')}"`;

/** Elixir code evaluated on bcd while abc is under test, and its value. */
const QUESTIONS: readonly (readonly [string, string])[] = [
  [`Node.ping(${ABC})`, ':pong'],
  [`:net_adm.ping(${ABC})`, ':pong'],
  [`${ABC} in Node.list(:visible)`, 'true'],
  [`${ABC} in Node.list(:hidden)`, 'false'],
  [`:rpc.call(${ABC}, :erlang, :whereis, [:dist_ac]) |> node()`, ABC],
  [`:erpc.call(${ABC}, :erlang, :whereis, [:dist_ac]) |> is_pid()`, 'true'],
  [`:rpc.call(${ABC}, :erlang, :whereis, [:no_such_name])`, ':undefined'],
  [`:rpc.call(${ABC}, :erlang, :node, [])`, ABC],
  [`:erpc.multicall([${ABC}, node()], :erlang, :node, []) |> length()`, '2'],
  [`:rpc.call(${ABC}, :no_such_module, :f, [1]) |> elem(0)`, ':badrpc'],
  [`:rpc.call(${ABC}, :no_such_module, :f, [1]) |> elem(1) |> elem(1) |> elem(0)`, ':undef'],
  [':global.sync()', ':ok'],
  [':global.trans({:a_resource, self()}, fn -> :inside end)', ':inside'],
  [
    // while bcd holds it on all nodes, def gets it on none, not even on abc alone
    `:global.trans({:held, self()}, fn ->
       :erpc.call(:"${nodeName('def')}", :global, :set_lock, [{:held, :other}, [${ABC}], 0])
     end)`,
    'false',
  ],
  [
    `:yes = :global.register_name(:of_bcd, Process.whereis(:kernel_sup))
     node(:erpc.call(:"${nodeName('def')}", :global, :whereis_name, [:of_bcd]))`,
    `:"${nodeName('bcd')}"`,
  ],
  [':global.unregister_name(:of_bcd); :global.sync(); :global.whereis_name(:of_bcd)', ':undefined'],
  [
    `ref = Process.monitor({:no_such_name, ${ABC}})
     receive do {:DOWN, ^ref, :process, what, reason} -> {what, reason} after 5000 -> :silence end`,
    `{{:no_such_name, ${ABC}}, :noproc}`,
  ],
  [`try do GenServer.call({:no_such_name, ${ABC}}, :x) catch :exit, {reason, _} -> reason end`, ':noproc'],
  [
    `pid = :global.whereis_name(Distro.DistroCal)
     ref = Process.monitor(pid)
     receive do {:DOWN, ^ref, _, _, reason} -> reason after 200 -> :alive end`,
    ':alive',
  ],
  [':gen_server.call({:dist_ac, node()}, :info) |> elem(0)', ':state'],
  [`:gen_server.call({:dist_ac, ${ABC}}, :info) |> elem(0)`, ':state'],
  [':application.permit(:distro, false)', ':ok'],
  [':application.permit(:distro, true)', ':ok'],
  [':application_controller.info()[:running][:distro]', `{:distributed, ${ABC}}`],
  [':net_adm.names() |> elem(1) |> length()', '4'],
  ['Distro.DistroCal.add(1, 2)', '3'],
];

export function run(suite: Suite): void {
  for (const kind of [suite.release, 'otpnode'] as const) {
    suite.test(`neighbours: what Elixir nodes ask of ${kindName(kind)} is answered`, (cluster) =>
      answers(cluster, suite, kind),
    );
    suite.test(`permit by hand moves the application from Elixir to ${kindName(kind)} and back`, (cluster) =>
      permits(cluster, suite, kind),
    );
  }
}

async function answers(cluster: Cluster, suite: Suite, kind: Kind): Promise<void> {
  await suite.busily(async () => {
    await cluster.start('abc', kind);
    await cluster.start('bcd', suite.release);
    await cluster.start('def', suite.release);
    await cluster.runsOn('abc');
    for (const role of ['bcd', 'def'] as const) await cluster.peer(role).started();
  });
  const wrong: string[] = [];
  for (const [question, answer] of QUESTIONS) {
    const got = await cluster
      .peer('bcd')
      .eval(question)
      .catch((error: Error) => error.message);
    if (got !== answer) wrong.push(`${question}\n  gave ${got}, expected ${answer}`);
  }
  check(wrong.length === 0, wrong.join('\n'));
  // and after all that the cluster still does its work
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  for (const peer of cluster.alive()) silent(peer);
}

async function permits(cluster: Cluster, suite: Suite, kind: Kind): Promise<void> {
  await suite.busily(async () => {
    await cluster.start('abc', suite.release, { variant: 'tk' });
    await cluster.start('bcd', kind, { variant: 'tk' });
    await cluster.start('def', suite.release, { variant: 'tk' });
    await cluster.runsOn('abc');
    // one that is not yet a standby is not asked: on BEAM alone that permit never ends
    for (const role of ['bcd', 'def'] as const) await cluster.peer(role).started();
  });
  const abc = cluster.peer('abc');
  same(await abc.eval(':application.permit(:distro, false)'), ':ok', 'permit false on abc');
  await cluster.runsOn('bcd');
  await cluster.peer('bcd').hasStartTypes(`{takeover,${nodeName('abc')}}`);
  same(await abc.eval(':application.permit(:distro, true)'), ':ok', 'permit true on abc');
  await cluster.runsOn('abc');
  await abc.hasStartTypes(`normal {takeover,${nodeName('bcd')}}`);
  same(
    await cluster.peer('def').eval(':application.takeover(:distro, :temporary)'),
    ':ok',
    'takeover on def',
  );
  await cluster.runsOn('def');
  for (const peer of cluster.alive()) silent(peer);
}

function silent(peer: Peer): void {
  const lines = unexpectedLines(peer);
  check(lines.length === 0, `${peer.node} logged what BEAM would not:\n${lines.join('\n')}`);
}
