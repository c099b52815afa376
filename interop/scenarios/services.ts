// What the tools of a BEAM node ask of any node: rpc, sys, supervisors, I/O, log events, observer, remote shells.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProtocol, typedClient } from '../../src/kernel/typed_client.js';
import { type Node, startNode } from '../../src/node.js';
import * as io from '../../src/stdlib/io.js';
import { atom } from '../../src/terms/atom.js';
import { text } from '../../src/terms/binary.js';
import { format } from '../../src/terms/format.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import { type Cluster, HOST, inTerminal, nodeName } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const NODE = nodeName('ours');
const OURS = `:"${NODE}"`;
const OBSERVER = atom(nodeName('observer'));
const PID_OF = (name: string): string => `:rpc.call(${OURS}, :erlang, :whereis, [${name}])`;

/** Elixir code evaluated on BEAM, and its value. */
const QUESTIONS: readonly (readonly [string, string])[] = [
  [`:rpc.call(${OURS}, :erlang, :node, [])`, OURS],
  [`:rpc.block_call(${OURS}, :erlang, :node, [])`, OURS],
  [
    `:gen_server.multi_call([${OURS}], :rex, {:call, :erlang, :node, [], self()}) |> elem(0) |> hd() |> elem(1)`,
    OURS,
  ],
  [`:gen_server.multi_call([${OURS}], :nobody, :x)`, `{[], [${OURS}]}`],
  [`:rpc.call(${OURS}, :os, :cmd, [~c"id"])`, `{:badrpc, {:EXIT, {:undef, [{:os, :cmd, [~c"id"], []}]}}}`],
  [`:rpc.call(${OURS}, :erlang, :get_cookie, []) |> elem(0)`, ':badrpc'],
  [
    `try do :erpc.call(${OURS}, :os, :cmd, [~c"id"]) catch :error, {:exception, reason, _} -> reason end`,
    ':undef',
  ],
  [`:rpc.sbcast([${OURS}], :nobody, 1)`, `{[], [${OURS}]}`],
  [`:rpc.call(${OURS}, :test, :thrower, [7])`, '7'],
  [`:rpc.call(${OURS}, :test, :exiter, [7])`, '{:badrpc, {:EXIT, 7}}'],
  [`:sys.get_state({:rex, ${OURS}})`, '0'],
  [`:sys.get_status({:rex, ${OURS}}) |> elem(2)`, '{:module, :rpc}'],
  [`:sys.suspend({:error_logger, ${OURS}})`, ':ok'],
  [`:sys.resume({:error_logger, ${OURS}})`, ':ok'],
  [`:supervisor.which_children({:kernel_sup, ${OURS}}) |> List.keymember?(:rex, 0)`, 'true'],
  [
    `:supervisor.count_children({:kernel_sup, ${OURS}}) |> Keyword.keys()`,
    '[:specs, :active, :supervisors, :workers]',
  ],
  [`:gen_event.which_handlers({:error_logger, ${OURS}})`, '[:default]'],
  [`:io.format(${PID_OF(':user')}, ~c"~p ~s~n", [{1, ~c"x"}, ~c"said"])`, ':ok'],
  [`:io.format(${PID_OF(':user')}, ~c"~p~n", [Enum.to_list(1..60)])`, ':ok'],
  [`:io.get_line(${PID_OF(':user')}, ~c"> ")`, ':eof'],
  [`:rpc.call(${OURS}, :observer_backend, :sys_info, [])[:otp_release]`, '~c"25"'],
  [
    `Node.spawn(${OURS}, :observer_backend, :procs_info, [self()])
     receive do {:procs_info, _, procs} -> elem(hd(procs), 0) after 2000 -> :silence end`,
    ':etop_proc_info',
  ],
  [
    `{:ok, server} = :rpc.call(${OURS}, :appmon_info, :start_link2, [self(), self(), []])
     GenServer.cast(server, {self(), :app_ctrl, ${OURS}, true, []})
     receive do {:delivery, ^server, :app_ctrl, _, apps} -> List.keymember?(apps, :kernel, 1) after 2000 -> :silence end`,
    'true',
  ],
  [
    `Process.flag(:trap_exit, true)
     pid = Node.spawn_link(${OURS}, fn -> :ok end)
     receive do {:EXIT, ^pid, {{:badfun, _}, _}} -> :badfun after 2000 -> :silence end`,
    ':badfun',
  ],
];

export function run(suite: Suite): void {
  suite.test('services: what the tools of a BEAM node ask is answered', asked);
  suite.test('services: functions of a BEAM node are called, its servers too', asking);
  suite.test('services: remote shells are refused at once', (cluster) => shells(cluster, suite));
}

interface Ours {
  readonly node: Node;
  readonly output: string[];
}

async function start(cluster: Cluster): Promise<Ours> {
  await cluster.ask('1');
  const output: string[] = [];
  const node = await startNode({
    name: NODE,
    cookie: cluster.cookie,
    epmd: { port: cluster.epmdPort },
    listen: { host: HOST },
    output: (said) => output.push(said),
  });
  node.code.define('test', 'thrower', 1, async ([value]) => {
    const { Thrown } = await import('../../src/errors.js');
    throw new Thrown(value as Term);
  });
  node.code.define('test', 'exiter', 1, ([value], self) => self.exit(value as Term));
  return { node, output };
}

async function asked(cluster: Cluster): Promise<void> {
  const { node, output } = await start(cluster);
  try {
    const wrong: string[] = [];
    for (const [question, answer] of QUESTIONS) {
      // charlists look different in old Elixirs
      const got = (await cluster.ask(question).catch((error: Error) => error.message)).replaceAll(
        `'25'`,
        `~c"25"`,
      );
      if (got.replaceAll(`'id'`, `~c"id"`) !== answer)
        wrong.push(`${question}\n  gave ${got}, expected ${answer}`);
    }
    check(wrong.length === 0, wrong.join('\n'));
    const lines = output.join('').split('\n');
    same(lines[0] ?? '', '{1,"x"} said', 'output of the BEAM node');
    check(
      lines[1]?.startsWith('[1,2,3,') === true && lines[2]?.startsWith(' ') === true,
      'lines as OTP breaks them',
    );
  } finally {
    await node.stop();
  }
}

async function asking(cluster: Cluster): Promise<void> {
  const { node } = await start(cluster);
  try {
    const release = await node.client.apply(OBSERVER, atom('erlang'), atom('system_info'), [
      atom('otp_release'),
    ]);
    check(Number(text(release)) >= 23, `otp_release is ${format(release)}`);
    const yes = await node.client.call(
      tuple(atom('net_kernel'), OBSERVER),
      tuple(atom('is_auth'), node.name),
    );
    same(format(yes), 'yes', 'net_kernel');
    const missing = await node.client
      .call(tuple(atom('nobody'), OBSERVER), 1)
      .catch((error: { code?: string }) => error.code);
    same(String(missing), 'noproc', 'a name that is not there');
    await reading(cluster, node);
    await agent(cluster, node);
    const all = await node.client.multiCall([OBSERVER, atom('gone@127.0.0.1')], atom('nobody'), 1);
    same(all.bad.map((bad) => bad.name).join(), `${OBSERVER.name},gone@127.0.0.1`, 'multiCall');
  } finally {
    await node.stop();
  }
}

/** A process of ours reads from an I/O server of the BEAM node, and writes to it. */
async function reading(cluster: Cluster, node: Node): Promise<void> {
  const file = join(cluster.dir, 'lines.txt');
  writeFileSync(file, 'första\nsecond\nend');
  await cluster.ask(`spawn(fn ->
    {:ok, file} = :file.open(${JSON.stringify(file)}, [:read, :write, {:encoding, :utf8}])
    Process.register(file, :lines)
    Process.sleep(:infinity)
  end)`);
  const leader = await until('the file is open', 20_000, async () => {
    const pid = await node.client.apply(OBSERVER, atom('erlang'), atom('whereis'), [atom('lines')]);
    return pid instanceof Pid ? pid : undefined;
  });
  const read = await node.task(async (self) => {
    self.groupLeader = leader;
    const lines = [await io.getLine(self), await io.getChars(self, 3), await io.getLine(self)];
    lines.push(await io.getLine(self), await io.getLine(self));
    await io.format(self, '~p~n', [tuple(atom('written'), 1)]);
    return lines;
  });
  same(JSON.stringify(read), '["första\\n","sec","ond\\n","end",null]', 'what was read');
  check(readFileSync(file, 'utf8').endsWith('end{written,1}\n'), 'what was written is there');
}

/** An Elixir agent is asked by functions of its own node, and a call of it is given up. */
async function agent(cluster: Cluster, node: Node): Promise<void> {
  await cluster.ask('{:ok, _} = Agent.start(fn -> %{a: 1} end, name: :agent)');
  const client = typedClient(node.client, tuple(atom('agent'), OBSERVER), AgentProtocol);
  const [module, a, b] = [atom('Elixir.Map'), atom('a'), atom('b')];
  same(format(await client.get(module, atom('get'), [a])), '1', 'get');
  await client.update(module, atom('put'), [b, 2]);
  client.cast(module, atom('put'), [b, 3]);
  same(format(await client.getAndUpdate(module, atom('pop'), [a])), '1', 'get_and_update');
  same(await cluster.ask('Agent.get(:agent, & &1)'), '%{b: 3}', 'the state');
  const controller = new AbortController();
  const slow = client.with({ signal: controller.signal }).get(atom('Elixir.Process'), atom('sleep'));
  const failed = slow.catch((error: { code?: string }) => error.code);
  controller.abort();
  same(String(await failed), 'aborted', 'a call that is given up');
}

async function shells(cluster: Cluster, suite: Suite): Promise<void> {
  const { node } = await start(cluster);
  try {
    const command = [
      join(suite.release.bin, 'iex'),
      '--name',
      nodeName('shell'),
      '--cookie',
      cluster.cookie,
      '--remsh',
      NODE,
    ];
    const proc = cluster.run('iex --remsh', inTerminal(command));
    await until('iex says why not', 20_000, async () =>
      /Could not find IEx on remote node|Could not load .* on .*nofile/.test(proc.output())
        ? true
        : undefined,
    );
    await proc.exited;
  } finally {
    await node.stop();
  }
}
