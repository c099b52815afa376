// otpnode as a visible member of the Erlang clusters of RabbitMQ and ejabberd, two nodes each (`--brokers`): their tools
// work, calls go both ways, and their logs have no line that is not there with a BEAM node in its place.
import { type Broker, ejabberd, missing, rabbitmq, type Said } from '../brokers.js';
import type { Cluster, Kind } from '../cluster.js';
import { type CrowdMember, crowd } from '../crowd/crowd.js';
import { until } from '../processes.js';
import { check, kindName, type Suite, same } from '../suite.js';

/** What is done with a broker while a member is there. */
type Work = (broker: Broker, member: CrowdMember) => Promise<void>;

export function run(suite: Suite): void {
  if (!suite.wishes.brokers || !suite.first) return;
  const lacking = missing();
  if (lacking !== undefined) throw new Error(lacking);
  const options = { epmd: 'none', timeoutMs: 400_000 } as const;
  suite.test(
    'brokers: otpnode is a member of a cluster of RabbitMQ',
    (cluster) => play(cluster, suite, rabbitmqs, askRabbitmq),
    options,
  );
  suite.test(
    'brokers: otpnode is a member of a cluster of ejabberd',
    (cluster) => play(cluster, suite, ejabberds, askEjabberd),
    options,
  );
}

async function play(
  cluster: Cluster,
  suite: Suite,
  start: (cluster: Cluster, join: CrowdMember) => Promise<readonly Broker[]>,
  work: Work,
): Promise<void> {
  await cluster.startEpmd('beam');
  // the two are made a cluster while an otpnode is there
  const [witness] = (await crowd(cluster, { witness: 'otpnode' })) as [CrowdMember];
  const brokers = await start(cluster, witness);
  const said: Set<string>[] = [];
  for (const kind of [suite.release, 'otpnode'] as const) {
    const from = brokers.map(({ proc }) => proc.lines.length);
    for (const end of ['SIGTERM', 'SIGKILL'] as const) await visit(cluster, kind, brokers, work, end);
    said.push(
      new Set(brokers.flatMap(({ proc }, i) => proc.lines.slice(from[i]).map((line) => kindOf(line.text)))),
    );
  }
  const [theirs, ours] = said as [Set<string>, Set<string>];
  const more = [...ours].filter((line) => !theirs.has(line));
  check(more.length === 0, `logged with otpnode, not with a BEAM node:\n${more.join('\n')}`);
}

/** A member comes, is worked with, and goes. */
async function visit(
  cluster: Cluster,
  kind: Kind,
  brokers: readonly Broker[],
  work: Work,
  end: NodeJS.Signals,
): Promise<void> {
  const [member] = (await crowd(cluster, { [`m${cluster.procs.length}`]: kind })) as [CrowdMember];
  const [first] = brokers as [Broker];
  same(await member.ask(`{connect, '${first.node}'}`), 'true', 'connect');
  for (const broker of brokers) await sees(member, broker.node, true);
  for (const broker of brokers) {
    await work(broker, member);
    const node = await member.ask(`{rpc, '${broker.node}', erlang, node, []}`);
    same(node, `'${broker.node}'`, `rpc from ${kindName(kind)} to ${broker.node}`);
  }
  same(await member.register(`of_${member.role}`), 'true', 'a name for all');
  if (end === 'SIGTERM') {
    member.proc.endInput();
  } else member.proc.signal(end);
  await member.proc.exited;
}

async function sees(member: CrowdMember, node: string, yes: boolean): Promise<void> {
  await until(`${member.role} is in sync with ${node}`, 30_000, async () => {
    for (const what of ['nodes', 'synced']) {
      const seen = await member.ask(what);
      if (seen.includes(`'${node}'`) !== yes) throw new Error(`${what}: ${seen}`);
    }
    return true;
  });
}

// --- RabbitMQ -------------------------------------------------------------------------------------------------------

async function rabbitmqs(cluster: Cluster, witness: CrowdMember): Promise<readonly Broker[]> {
  const brokers = await Promise.all([rabbitmq(cluster, 'rabbit'), rabbitmq(cluster, 'hare')]);
  const [rabbit, hare] = brokers as [Broker, Broker];
  await witness.ask(`{connect, '${rabbit.node}'}`);
  await witness.ask(`{connect, '${hare.node}'}`);
  await fine(hare.ctl('stop_app'));
  await fine(hare.ctl('reset'));
  await fine(hare.ctl('join_cluster', rabbit.node));
  await fine(hare.ctl('start_app'));
  for (const { node } of brokers) await sees(witness, node, true);
  return brokers;
}

async function askRabbitmq(broker: Broker, member: CrowdMember): Promise<void> {
  const cluster = await fine(broker.ctl('cluster_status'));
  const running = /Running Nodes\S*\s+([\s\S]*?)\n\S*Versions/.exec(cluster)?.[1] ?? '';
  same(running.trim().split(/\s+/).sort().join(), 'hare@127.0.0.1,rabbit@127.0.0.1', 'running nodes');
  check(cluster.includes('(none)'), `cluster_status: ${cluster}`);
  const status = await fine(broker.ctl('status'));
  check(status.includes(`Node name: ${broker.node}`), `status: ${status}`);
  for (const list of ['list_connections', 'list_channels', 'list_queues']) await fine(broker.ctl(list));
  const call = `rpc:call(${member.node}, erlang, node, []).`;
  same((await fine(broker.ctl('eval', call))).trim(), member.node, `rpc from ${broker.node}`);
  const everywhere = `lists:sort(element(1, rpc:multicall(erlang, node, []))).`;
  check((await fine(broker.ctl('eval', everywhere))).includes(member.node), 'multicall reaches the member');
}

// --- ejabberd -------------------------------------------------------------------------------------------------------

async function ejabberds(cluster: Cluster, witness: CrowdMember): Promise<readonly Broker[]> {
  const brokers = await Promise.all([ejabberd(cluster, 'ejabberd'), ejabberd(cluster, 'ejabberd2')]);
  const [first, second] = brokers as [Broker, Broker];
  await witness.ask(`{connect, '${first.node}'}`);
  await fine(second.ctl('--no-timeout', 'join_cluster', first.node));
  for (const { node } of brokers) await sees(witness, node, true);
  return brokers;
}

async function askEjabberd(broker: Broker, member: CrowdMember): Promise<void> {
  const status = await fine(broker.ctl('status'));
  check(status.includes(`The node '${broker.node}' is started with status: started`), `status: ${status}`);
  const nodes = (await fine(broker.ctl('list_cluster'))).trim().split(/\s+/).sort().join();
  same(nodes, `'ejabberd2@127.0.0.1','ejabberd@127.0.0.1'`, 'list_cluster');
  same((await fine(broker.ctl('connected_users_number'))).trim(), '0', 'connected_users_number');
  same((await fine(broker.ctl('ping', member.node.slice(1, -1)))).trim(), 'pong', 'ping of the member');
  const args = `['${member.node.slice(1, -1)}', erlang, node, []]`;
  same(
    await member.ask(`{rpc, '${broker.node}', rpc, call, ${args}}`),
    member.node,
    `rpc from ${broker.node}`,
  );
}

// --- both -----------------------------------------------------------------------------------------------------------

/** What a command said; fails unless its exit code is 0. */
async function fine(command: Promise<Said>): Promise<string> {
  const { code, text } = await command;
  check(code === 0, `exit code ${code}: ${text}`);
  return text;
}

/** A log line without what differs from one to the next. */
function kindOf(line: string): string {
  return line
    .replace(/^\d{4}-\S+ \S+ /, '')
    .replaceAll(/<[\d.]+>/g, 'PID')
    .replaceAll(/'?m\d+@[\d.]+'?/g, 'MEMBER')
    .replaceAll(/rabbitmqcli-[^@' ]+@[\d.]+/g, 'TOOL')
    .replaceAll(/\d+/g, 'N');
}
