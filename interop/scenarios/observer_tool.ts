// What a BEAM node's observer and etop ask of the node that was selected in them: the answers have the form of a BEAM node's
// of the same release. With --windows a real observer is opened, otpnode selected in it, and its pages looked at.
import { existsSync } from 'node:fs';
import { startNode } from '../../src/node.js';
import { type Cluster, HOST, nodeName, OTPNODE } from '../cluster.js';
import { freePort } from '../epmd_names.js';
import { pause, until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const OURS = `:"${nodeName('ours')}"`;

/**
 * Elixir: whether a term has the form of another one. Tuples are of one size, fields of one type; each element of a list
 * is like some element of the other list, so that an empty list is like any.
 */
const LIKE = `
  type = fn
    t when is_integer(t) -> :integer
    t when is_float(t) -> :float
    t when is_atom(t) -> :atom
    t when is_pid(t) -> :pid
    t when is_reference(t) -> :reference
    t when is_binary(t) -> :binary
    t when is_tuple(t) -> :tuple
    t when is_map(t) -> :map
    t when is_list(t) -> :list
  end
  like = fn like, a, b ->
    case {type.(a), type.(b)} do
      {:tuple, :tuple} ->
        tuple_size(a) == tuple_size(b) and
          Enum.all?(Enum.zip(Tuple.to_list(a), Tuple.to_list(b)), fn {x, y} -> like.(like, x, y) end)
      {:list, :list} -> Enum.all?(a, fn x -> Enum.any?(b, fn y -> like.(like, x, y) end) end)
      {same, same} -> true
      _ -> false
    end
  end`;

/** Elixir code with NODE for the node that is asked; its value on otpnode has to be like its value on BEAM. */
const CALLS: readonly string[] = [
  ':rpc.call(NODE, :observer_backend, :vsn, [])',
  ':rpc.call(NODE, :observer_backend, :sys_info, [])',
  ':rpc.call(NODE, :observer_backend, :get_table_list, [:ets, [sys_hidden: true, unread_hidden: true]])',
  ':rpc.call(NODE, :observer_backend, :get_port_list, [])',
  ':rpc.call(NODE, :erlang, :system_info, [:dirty_cpu_schedulers])',
  ':rpc.call(NODE, :erlang, :system_info, [:wordsize])',
  ':rpc.call(NODE, :erlang, :memory, [])',
  ':rpc.call(NODE, :code, :ensure_loaded, [:observer_backend])',
  ':rpc.call(NODE, :erlang, :function_exported, [:observer_backend, :procs_info, 1])',
  `Process.flag(:trap_exit, true)
   Node.spawn_link(NODE, :observer_backend, :procs_info, [self()])
   receive do {:procs_info, _, _} = m -> m after 3000 -> :silence end`,
  `Node.spawn_link(NODE, :observer_backend, :etop_collect, [self()])
   receive do {_, info} when elem(info, 0) == :etop_info -> put_elem(info, 4, []) after 3000 -> :silence end`,
  `pid = Node.spawn_link(NODE, :observer_backend, :fetch_stats, [self(), 100])
   receive do {:stats, _, _, _, _} = m -> send(pid, :stop); m after 3000 -> :silence end`,
  // an application with its tree
  `{:ok, pid} = :rpc.call(NODE, :appmon_info, :start_link2, [self(), self(), []])
   GenServer.cast(pid, {self(), :app_ctrl, NODE, true, []})
   apps = receive do {:delivery, ^pid, :app_ctrl, _, apps} -> apps after 3000 -> :silence end
   GenServer.cast(pid, {self(), :app, :kernel, true, []})
   tree = receive do {:delivery, ^pid, :app, :kernel, tree} -> tree after 3000 -> :silence end
   {List.keyfind(apps, :kernel, 1), put_elem(tree, 3, [])}`,
  // the window of a process
  ...['rex', 'kernel_sup', 'global_name_server'].flatMap((name) => [
    `pid = :rpc.call(NODE, :erlang, :whereis, [:${name}])
     items = ~w(current_function error_handler group_leader heap_size initial_call last_calls links memory message_queue_len
                monitored_by priority reductions registered_name stack_size status total_heap_size trace trap_exit messages)a
     :rpc.call(NODE, :erlang, :process_info, [pid, items])`,
    `pid = :rpc.call(NODE, :erlang, :whereis, [:${name}])
     :rpc.call(NODE, :proc_lib, :translate_initial_call, [pid])`,
    `pid = :rpc.call(NODE, :erlang, :whereis, [:${name}])
     {module, _, _} = :rpc.call(NODE, :proc_lib, :translate_initial_call, [pid])
     {:rpc.call(NODE, module, :module_info, [:attributes]) |> is_list(),
      case :rpc.call(NODE, :sys, :get_status, [pid, 1000]) do {:status, _, {:module, m}, [_ | _] = items} -> {m, length(items)} end}`,
  ]),
];

export function run(suite: Suite): void {
  const since24 = [':rpc.call(NODE, :observer_backend, :get_socket_list, [])'];
  const calls = suite.release.otp === '23' ? CALLS : [...CALLS, ...since24];
  suite.test('observer: what it asks of a node is answered in the form of BEAM', (cluster) =>
    forms(cluster, calls),
  );
  if (!suite.wishes.windows || !suite.first) return;
  const lacking = ['/usr/bin/Xvfb', '/usr/bin/xdotool'].filter((file) => !existsSync(file));
  if (lacking.length > 0) {
    throw new Error('--windows needs: apt-get install xvfb xdotool erlang-observer erlang-wx');
  }
  suite.test('observer: its windows show otpnode', (cluster) => windows(cluster));
}

async function forms(cluster: Cluster, calls: readonly string[]): Promise<void> {
  await cluster.ask('1');
  await using node = await startNode({
    name: nodeName('ours'),
    cookie: cluster.cookie,
    epmd: { port: cluster.epmdPort },
    listen: { host: HOST },
  });
  void node;
  const wrong: string[] = [];
  for (const call of calls) {
    const asked = (of: string) => `(fn -> ${call.replaceAll('NODE', of)} end).()`;
    const code = `${LIKE}
      ours = ${asked(OURS)}
      beams = ${asked('node()')}
      if like.(like, ours, beams), do: :like, else: {ours, beams}`;
    const seen = await cluster.ask(code).catch((error: Error) => error.message);
    if (seen !== ':like') wrong.push(`${call}\n  otpnode and BEAM: ${seen.slice(0, 2000)}`);
  }
  check(wrong.length === 0, wrong.join('\n'));
  const keys = (of: string) =>
    `:rpc.call(${of}, :observer_backend, :sys_info, []) |> Keyword.keys() |> Enum.uniq()`;
  same(await cluster.ask(keys(OURS)), await cluster.ask(keys('node()')), 'what sys_info tells of');
}

/** The tabs of a window of 850 x 600, where xdotool clicks. */
const TABS: Readonly<Record<string, number>> = {
  'Load Charts': 186,
  'Memory Allocators': 333,
  Applications: 481,
  Processes: 601,
  Ports: 698,
};

async function windows(cluster: Cluster): Promise<void> {
  const display = `:${100 + ((await freePort()) % 1000)}`;
  const env = { DISPLAY: display };
  cluster.run('Xvfb', ['Xvfb', display, '-screen', '0', '850x600x24']);
  const ours = cluster.run('ours (otpnode)', [
    ...[...OTPNODE, '--name', nodeName('ours'), '--cookie', cluster.cookie, '--app', 'distro'],
  ]);
  await ours.line(/Distro application in/, 15_000);
  const watcher = nodeName('watcher');
  const erl = cluster.run(
    'observer of erl',
    [
      ...['/usr/bin/erl', '-noinput', '-start_epmd', 'false', '-name', watcher, '-setcookie', cluster.cookie],
      ...[
        '-eval',
        `true = net_kernel:connect_node('${nodeName('ours')}'), ok = observer:start(), io:format("open~n").`,
      ],
    ],
    env,
  );
  await erl.line(/^open$/, 20_000);
  const click = async (x: number, y: number, times = 1) => {
    const words = ['xdotool', 'mousemove', String(x), String(y), 'click', '--repeat', String(times), '1'];
    await cluster.run('xdotool', words, env).exited;
  };
  const state = () =>
    cluster.ask(`inspect(:erpc.call(:"${watcher}", :sys, :get_state, [:observer]), limit: :infinity)`);
  await until('otpnode is selected', 20_000, async () => {
    await click(115, 12);
    await pause(500); // the menu opens
    await click(168, 38);
    await pause(500);
    return (await state()).includes(nodeName('ours'));
  });
  for (const [tab, x] of Object.entries(TABS)) {
    await click(x, 43);
    await pause(2500); // it asks once a second
    check(!/crash|REPORT/.test(erl.output()), `${tab}: ${erl.output()}`);
  }
  await click(TABS['Processes'] as number, 43);
  await pause(1000);
  await click(100, 145, 2);
  await pause(2000);
  check(!/crash|REPORT/.test(erl.output()), `the window of a process: ${erl.output()}`);
  check((await state()).includes(nodeName('ours')), 'otpnode is still selected');
}
