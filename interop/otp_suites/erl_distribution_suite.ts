// The cases of OTP's erl_distribution_SUITE that are about a peer: ticks, names, cookies, who is told of nodes.
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { Process } from '../../src/erts/process.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { tuple } from '../../src/terms/tuple.js';
import type { BareNode } from '../bare_node.js';
import { elixirString, nodeName } from '../cluster.js';
import { until } from '../processes.js';
import { Stalls } from '../stalls.js';
import { check, same } from '../suite.js';
import { type Case, next, type SuitePeer } from './suite_peer.js';

/** A node that others see: what it connects to is then visible for it as well. */
const VISIBLE = { flags: DEFAULT_DFLAGS };

/** What timers, the network and BEAM add to a time on any machine; what a busy one adds is measured. */
const USUAL_MS = 1500;

/** BEAM, whose own ticktime is long, is given up when ours is over: at the earliest and the latest by the intensity. */
function tick(tickIntensity: number): Case[1] {
  return async (peer) => {
    const ticktimeMs = 1200;
    await using node = await peer.another('ticking', { channel: { ticktimeMs, tickIntensity } });
    check(await node.netKernel.connectNode(peer.theirs), 'not connected');
    const stalls = new Stalls();
    const since = performance.now();
    await until('given up', 20_000, () => node.events.length === 2);
    const ms = performance.now() - since;
    const latest = ticktimeMs + ticktimeMs / tickIntensity + USUAL_MS + stalls.stop();
    same(node.events.join(), 'up beam,down beam net_tick_timeout', 'events');
    const earliest = ticktimeMs - ticktimeMs / tickIntensity - 50;
    check(ms > earliest && ms < latest, `given up after ${ms} ms`);
  };
}

async function tickChange(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('changing');
  check(await node.netKernel.connectNode(peer.theirs), 'not connected');
  same(String(node.netKernel.ticktime.set(60)), 'unchanged', 'the present one');
  same(String(node.netKernel.ticktime.set(1, 0)), 'change_initiated', 'another one');
  await until('BEAM, which did not change its own, is given up', 20_000, () => node.events.length === 2);
  same(node.events[1] ?? '', 'down beam net_tick_timeout', 'why');
}

async function connectNode(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('alone');
  check(await node.netKernel.connectNode(node.system.node), 'a node is not connected to itself');
  check(!(await node.netKernel.connectNode(atom('a@b@c'))), 'connected to an illegal name');
  same(node.events.join(), '', 'events');
  await peer.says('{:net_adm.ping(:"a@b@c"), S.echo(S.spawn_echo(us), 1)}', '{:pang, true}');
}

async function setopts(peer: SuitePeer): Promise<void> {
  await peer.says(
    `:pong = :net_adm.ping(us)
     for value <- [false, true] do
       :ok = :net_kernel.setopts(us, [nodelay: value])
       {:net_kernel.getopts(us, [:nodelay]), S.echo(S.spawn_echo(us), value)}
     end`,
    '[{{:ok, [nodelay: false]}, true}, {{:ok, [nodelay: true]}, true}]',
  );
}

async function tableWaste(peer: SuitePeer): Promise<void> {
  const { system, netKernel } = peer.node;
  const nodes = Array.from({ length: 256 }, (_, i) => atom(`erl_distribution_${i}@127.0.0.1`));
  for (const node of nodes) check(!(await netKernel.connectNode(node)), `connected to ${node.name}`);
  check(
    nodes.every((node) => system.findEntry(node) === undefined),
    'entries are left',
  );
  await peer.says('S.echo(S.spawn_echo(us), 1)', 'true');
}

async function setupTime(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('impatient', { setupTimeMs: 500 });
  await peer.freezeBeam();
  try {
    const stalls = new Stalls();
    const since = performance.now();
    check(!(await node.netKernel.connectNode(peer.theirs)), 'connected to a node that stands still');
    const ms = performance.now() - since;
    check(ms > 450 && ms < 1000 + USUAL_MS + stalls.stop(), `given up after ${ms} ms`);
  } finally {
    peer.beam.proc.signal('SIGCONT');
  }
}

/** A process of that node which is told of nodes, with these options. */
function monitor(node: BareNode, ...options: readonly string[]): Process {
  const self = node.system.spawn(() => new Promise(() => {}));
  for (const one of options) same(format(node.netKernel.monitorNodes(self, true, parseTerm(one))), 'ok', one);
  return self;
}

/** What it was told. */
function told(self: Process): string[] {
  const all: string[] = [];
  for (let message = self.poll(); message !== undefined; message = self.poll()) all.push(format(message));
  return all;
}

/** Elixir: what BEAM is told, with these options, of a node that does something and goes. */
const TOLD = (options: string, act: string) => `
  :ok = :net_kernel.monitor_nodes(true, ${options})
  ${act}
  S.until(fn -> not S.up?(us) end)
  first = S.one()
  {first, S.one()}`;

async function nodedownReason(peer: SuitePeer): Promise<void> {
  const options = '[nodedown_reason, {node_type, all}]';
  await using node = await peer.another('reasons', VISIBLE);
  const self = monitor(node, options);
  const downs = async (what: string, disconnect: () => Promise<unknown> | unknown, reason: string) => {
    check(await node.netKernel.connectNode(peer.theirs), 'not connected');
    await peer.says('S.until(fn -> S.up?(us) end) and S.greeted()', 'true', 'reasons');
    await disconnect();
    const messages = [format(await next(self)), format(await next(self))].join();
    const up = "{nodeup,'beam@127.0.0.1',[{node_type,visible}]}";
    const down = `{nodedown,'beam@127.0.0.1',[{node_type,visible},{nodedown_reason,${reason}}]}`;
    same(
      messages.replace(
        /\[\{nodedown_reason,(\w+)\},\{node_type,visible\}\]/,
        '[{node_type,visible},{nodedown_reason,$1}]',
      ),
      `${up},${down}`,
      what,
    );
    await peer.says('S.until(fn -> not S.up?(us) end)', 'true', 'reasons');
  };
  await downs('BEAM disconnects', () => peer.ask('S.down(us)', 'reasons'), 'connection_closed');
  await downs('we disconnect', () => node.netKernel.disconnect(peer.theirs), 'disconnect');
  // what BEAM is told of ours
  const seen = await peer.ask(
    TOLD('[:nodedown_reason, node_type: :all]', ':pong = :net_adm.ping(us); S.down(us)'),
    'reasons',
  );
  const ours = nodeName('reasons');
  check(
    seen.startsWith(`{{:nodeup, :"${ours}", [node_type: :visible]}, {:nodedown, :"${ours}", [`) &&
      seen.includes('nodedown_reason: :disconnect'),
    seen,
  );
}

async function nodeType(peer: SuitePeer): Promise<void> {
  for (const [role, flags, type] of [
    ['seen', DEFAULT_DFLAGS, 'visible'],
    ['unseen', undefined, 'hidden'],
  ] as const) {
    await using node = await peer.another(role, flags === undefined ? {} : { flags });
    const name = nodeName(role);
    await peer.says(
      TOLD(`[node_type: :${type}]`, `:net_kernel.connect_node(us); S.down(us)`),
      `{{:nodeup, :"${name}", [node_type: :${type}]}, {:nodedown, :"${name}", [node_type: :${type}]}}`,
      role,
    );
    await until('it is down here', 20_000, () => node.events.length === 2);
  }
}

/** With an identifier of the connection, told by BEAM and by us. */
async function misc(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('misc', VISIBLE);
  await peer.says(
    `:ok = :net_kernel.monitor_nodes(true, %{node_type: :all, nodedown_reason: true, connection_id: true})
     :pong = :net_adm.ping(us)
     {:nodeup, ^us, %{node_type: :visible, connection_id: id}} = S.one()
     {^us, %{connection_id: ^id}} = List.keyfind(:erlang.nodes(:connected, %{connection_id: true}), us, 0)
     S.down(us)
     {:nodedown, ^us, %{node_type: :visible, connection_id: ^id, nodedown_reason: reason}} = S.one()
     reason`,
    ':disconnect',
    'misc',
  );
  await until('it is down here', 20_000, () => node.events.length === 2);
  const self = monitor(node, '#{connection_id => true}');
  check(await node.netKernel.connectNode(peer.theirs), 'not connected');
  node.netKernel.disconnect(peer.theirs);
  const [up = '', down = ''] = told(self);
  same(up.replace(/\d+\}\}$/, 'N}}'), "{nodeup,'beam@127.0.0.1',#{connection_id => N}}", 'nodeup');
  same(down.replace('nodedown', 'nodeup'), up, 'the same connection');
}

/** A nodeup comes before, a nodedown after all messages of the node: here, and there. */
async function otp6481(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('stream', VISIBLE);
  const self = monitor(node, '[]');
  self.register(atom('taker'));
  await peer.says(
    `send_on = fn send_on, n -> send({:taker, us}, n); send_on.(send_on, n + 1) end
     sender = spawn(fn -> send_on.(send_on, 1) end)
     S.until(fn -> S.up?(us) end)
     Process.sleep(100)
     Process.exit(sender, :kill)
     S.until(fn -> not Process.alive?(sender) end)
     S.down(us)`,
    'true',
    'stream',
  );
  await until('it is down here', 20_000, () => node.events.length === 2);
  const all = told(self);
  check(all.length > 10, `only ${all.length} messages`);
  same(all[0] ?? '', "{nodeup,'beam@127.0.0.1'}", 'the first');
  same(all.at(-1) ?? '', "{nodedown,'beam@127.0.0.1'}", 'the last');
  check(
    all.slice(1, -1).every((text, i) => text === String(i + 1)),
    'messages are missing, or in another order',
  );
  // and what BEAM sees of our stream
  const asked = peer.ask(
    `Process.register(self(), :taker)
     :ok = :net_kernel.monitor_nodes(true, [node_type: :visible])
     first = S.one()
     collect = fn collect, n -> case S.one() do
       ^n -> collect.(collect, n + 1)
       last -> {n, last}
     end end
     {n, last} = collect.(collect, 1)
     {elem(first, 0), n > 1000, elem(last, 0)}`,
    'stream',
  );
  await peer.says('S.until(fn -> Process.whereis(:taker) != nil end)', 'true');
  const taker = tuple(atom('taker'), peer.theirs);
  for (let n = 1; n <= 2000; n++) await self.sendAndDrain(taker, n);
  await until('BEAM has it all', 20_000, async () => (await peer.ask('S.up?(us)', 'stream')) === 'true');
  const channel = node.system.findEntry(peer.theirs)?.channel;
  await channel?.drained();
  node.netKernel.disconnect(peer.theirs);
  same(await asked, '{:nodeup, true, :nodedown}', 'as BEAM sees it');
}

const BAD_OPTIONS = [
  '[gurka]',
  '#{gurka => true}',
  'gurka',
  '[{node_type,hidden},{node_type,visible}]',
  '[{node_type,all},{node_type,visible}]',
  '[{node_type,blaha}]',
  '#{node_type => blaha}',
];

async function errors(peer: SuitePeer): Promise<void> {
  const self = peer.node.collector('erring');
  for (const options of BAD_OPTIONS) {
    if (!options.startsWith('[') && Number(peer.suite.release.otp) < 25) continue; // older than maps
    const answer = await peer.ask(
      `{:ok, tokens, _} = :erl_scan.string(String.to_charlist(${elixirString(`${options}.`)}))
       {:ok, options} = :erl_parse.parse_term(tokens)
       IO.iodata_to_binary(:io_lib.format("~0p", [:net_kernel.monitor_nodes(true, options)]))`,
    );
    const ours = format(peer.node.netKernel.monitorNodes(self, true, parseTerm(options)));
    same(elixirString(ours), answer, options);
  }
  self.end(atom('kill'));
}

/** Every combination of options, for a visible and a hidden node. */
async function combinations(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('all', VISIBLE);
  const types = ['hidden', 'visible', 'all'].map((type) => `{node_type,${type}}`);
  const self = monitor(
    node,
    '[]',
    '[nodedown_reason]',
    ...types.map((type) => `[${type}]`),
    ...types.map((type) => `[nodedown_reason,${type}]`),
  );
  node.netKernel.monitorNodes(self, true);
  for (const [theirs, type, times] of [
    [peer.theirs, 'visible', 7],
    [atom(nodeName('observer')), 'hidden', 4],
  ] as const) {
    check(await node.netKernel.connectNode(theirs), 'not connected');
    node.netKernel.disconnect(theirs);
    const all = told(self);
    const typed = (what: string) =>
      all.filter((text) => text.startsWith(`{${what},`) && text.includes(`{node_type,${type}}`)).length;
    same(`${typed('nodeup')} ${typed('nodedown')}`, '4 4', `with the type ${type}`);
    same(
      String(all.filter((text) => text.includes('{nodedown_reason,disconnect}')).length),
      type === 'visible' ? '3' : '2',
      'with the reason',
    );
    check(all.length >= 2 * times, `${all.length} messages: ${all.join()}`);
  }
}

/** More subscriptions of one process than 16 bits count. */
async function many(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('many', VISIBLE);
  const self = monitor(node);
  const times = 2 ** 16 + 17;
  for (let i = 0; i < times; i++) node.netKernel.monitorNodes(self, true);
  check(await node.netKernel.connectNode(peer.theirs), 'not connected');
  node.netKernel.disconnect(peer.theirs);
  const all = told(self);
  same(
    `${all.length} ${all.filter((text) => text.startsWith('{nodeup,')).length}`,
    `${2 * times} ${times}`,
    'messages',
  );
}

/** The nodedown of a connection comes before the nodeup of the next, however fast that is; here and there. */
async function downUp(peer: SuitePeer): Promise<void> {
  await using node = await peer.another('yoyo');
  const self = monitor(node, '[{node_type,all}]');
  await peer.says(
    `:ok = :net_kernel.monitor_nodes(true, [node_type: :hidden])
     spam = fn spam -> send({:dummy, us}, :trigger); spam.(spam) end
     spammer = spawn(fn -> spam.(spam) end)
     change = fn -> receive do {kind, ^us, _} -> kind after 20_000 -> :silence end end
     :nodeup = change.()
     seen = for _ <- 1..20 do
       {:ok, info} = :net_kernel.node_info(us)
       Process.exit(info[:owner], :kill)
       {change.(), change.()}
     end
     ref = Process.monitor(spammer)
     Process.exit(spammer, :kill)
     receive do {:DOWN, ^ref, _, _, _} -> Enum.uniq(seen) end`,
    '[nodedown: :nodeup]',
    'yoyo',
  );
  await peer.says('S.down(us)', 'true', 'yoyo');
  await until('it is down here', 20_000, () => node.netKernel.nodes('connected').length === 0);
  const kinds = told(self).map((text) => /^\{(\w+)/.exec(text)?.[1]);
  check(
    kinds.every((kind, i) => kind === (i % 2 === 0 ? 'nodeup' : 'nodedown')),
    kinds.join(),
  );
  check(kinds.length >= 42, `${kinds.length} changes`);
}

/** Nodes with cookies of their own connect when one knows the other's, or both have one for the pair. */
async function cookies(peer: SuitePeer): Promise<void> {
  let cookie = 'ours_alone';
  await using node = await peer.another('secretive', { cookie: () => cookie });
  const connects = async (): Promise<string> =>
    `${await peer.ask('pong = :net_adm.ping(us); if pong == :pong, do: S.down(us); pong', 'secretive')}`;
  const weConnect = async (): Promise<boolean> => {
    await until('nothing is connected', 20_000, () => node.netKernel.nodes('connected').length === 0);
    const connected = await node.netKernel.connectNode(peer.theirs);
    if (connected) {
      node.netKernel.disconnect(peer.theirs);
      await peer.says('S.until(fn -> not S.up?(us) end)', 'true', 'secretive');
    }
    return connected;
  };
  same(`${await connects()} ${await weConnect()}`, ':pang false', 'different cookies');
  await peer.says(':erlang.set_cookie(us, :ours_alone)', 'true', 'secretive');
  same(`${await connects()} ${await weConnect()}`, ':pong true', 'BEAM knows ours');
  await peer.says(':erlang.set_cookie(us, :of_the_pair)', 'true', 'secretive');
  same(`${await connects()} ${await weConnect()}`, ':pang false', 'BEAM has one for the pair, we have not');
  cookie = 'of_the_pair';
  same(`${await connects()} ${await weConnect()}`, ':pong true', 'both have one for the pair');
}

export const CASES: readonly Case[] = [
  ['tick', tick(4)],
  ['tick_intensity', tick(24)],
  ['tick_change', tickChange],
  ['connect_node, illegal_nodenames', connectNode],
  ['setopts', setopts],
  ['table_waste', tableWaste],
  ['net_setuptime', setupTime],
  ['monitor_nodes_nodedown_reason', nodedownReason],
  ['monitor_nodes_node_type', nodeType],
  ['monitor_nodes_misc', misc, 25],
  ['monitor_nodes_otp_6481', otp6481],
  ['monitor_nodes_errors', errors],
  ['monitor_nodes_combinations', combinations],
  ['monitor_nodes_many', many],
  ['monitor_nodes_down_up', downUp],
  ['differing_cookies, connection_cookie', cookies],
];
