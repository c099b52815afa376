// Global groups: BEAM nodes of a group with otpnode inside of it, outside of it, and with another opinion of it.

import { loadConfig } from '../../src/kernel/config.js';
import { type Node, startNode } from '../../src/node.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { tuple } from '../../src/terms/tuple.js';
import { type Cluster, HOST, nodeName, type Peer } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  suite.test('global groups: names are shared in a group, and asked for in another', (cluster) =>
    inside(cluster, suite),
  );
  suite.test('global groups: a node without groups, and one of another opinion, disturb nobody', (cluster) =>
    outside(cluster, suite),
  );
}

const groupsOf = (...groups: readonly (readonly [string, readonly string[]])[]): string => {
  const lists = groups.map(
    ([name, nodes]) => `{${name}, [${nodes.map((n) => `'${nodeName(n)}'`).join(', ')}]}`,
  );
  return `[{kernel, [{global_groups, [${lists.join(', ')}]}]}].\n`;
};

/** A node of ours, with what it logged. */
async function ours(
  cluster: Cluster,
  role: string,
  config: string,
): Promise<{ readonly node: Node; readonly logs: string[] }> {
  const logs: string[] = [];
  const node = await startNode({
    name: nodeName(role),
    cookie: cluster.cookie,
    epmd: { port: cluster.epmdPort },
    listen: { host: HOST },
    config: loadConfig({ sources: [{ config: cluster.config(role, config) }] }),
    log: (level, text) => void logs.push(`${level}: ${text}`),
  });
  return { node, logs };
}

async function beam(cluster: Cluster, suite: Suite, role: string, config: string): Promise<Peer> {
  const peer = await cluster.start(role, suite.release, { app: false, config });
  await cluster.registered(peer);
  return peer;
}

const info = (peer: Peer, item: string): Promise<string> => peer.eval(`:global_group.info()[:${item}]`);
const REGISTER = (name: string): string =>
  `:global.register_name(:${name}, spawn(fn -> Process.sleep(:infinity) end))`;

async function inside(cluster: Cluster, suite: Suite): Promise<void> {
  const config = groupsOf(['g1', ['abc', 'otp']], ['g2', ['def']]);
  const [abc, def] = await Promise.all([
    beam(cluster, suite, 'abc', config),
    beam(cluster, suite, 'def', config),
  ]);
  const { node, logs } = await ours(cluster, 'otp', config);
  const us = `:"${node.name.name}"`;
  try {
    await abc.eval('Process.register(self(), :eval); :global_group.monitor_nodes(true)');
    await node.connect(abc.node);
    await node.connect(def.node);
    await until('the group is one', 20_000, async () => {
      same(await info(abc, 'synced_nodes'), `[${us}]`, 'synchronised with abc');
      same(node.global.knownNodes().join(), atom(abc.node).toString(), 'known to us');
      return true;
    });
    same(await abc.eval(':global.sync()'), ':ok', 'sync of abc');
    same(await def.eval(':global.sync()'), ':ok', 'sync of def');
    await node.global.sync();

    // each group has its names
    same(await abc.eval(REGISTER('theirs')), ':yes', 'a name of abc');
    same(await def.eval(REGISTER('theirs')), ':yes', 'the same name of def');
    const worker = node.spawn(() => new Promise(() => {}));
    await new Promise<void>((resolve) => {
      node.spawn(async (self) => {
        check(await node.global.registerName(self, atom('mine'), worker), 'the name mine is free');
        resolve();
      });
    });
    same(node.global.whereisName(atom('theirs'))?.node.name ?? 'nobody', abc.node, 'theirs here');
    same(await abc.eval('node(:global.whereis_name(:mine))'), us, 'mine on abc');
    same(await def.eval(':global.whereis_name(:mine)'), ':undefined', 'mine on def');

    // and the other group may be asked, both ways
    same(await def.eval('node(:global_group.whereis_name(:mine))'), us, 'mine asked for by def');
    same(await def.eval(`node(:global_group.whereis_name({:node, ${us}}, :mine))`), us, 'mine asked of us');
    same(
      await def.eval(`Enum.sort(:global_group.registered_names({:node, ${us}}))`),
      '[:mine, :theirs]',
      'names of our group',
    );
    const g2 = tuple(atom('group'), atom('g2'));
    const found = await node.globalGroup.search.whereisName(atom('theirs'), g2);
    same(found?.node.name ?? 'nobody', def.node, 'theirs of g2');
    same(format(await node.globalGroup.search.registeredNames(g2)), '[theirs]', 'names of g2');

    // what members and people ask by rpc
    const asked = (call: string): Promise<string> => abc.eval(`:rpc.call(${us}, :global_group, ${call})`);
    same(await asked(':global_groups, []'), '{:g1, [:g2]}', 'global_groups');
    same(await asked(':own_nodes, []'), `[:"${abc.node}", ${us}]`, 'own_nodes');
    same(await asked(':monitor_nodes, [true]'), ':ok', 'monitor_nodes');
    same(
      await abc.eval(`:rpc.call(${us}, :global_group, :info, [])[:synced_nodes]`),
      `[:"${abc.node}"]`,
      'info',
    );

    // a check by hand leaves all as it is, on both sides
    same(await abc.eval(':global_group.sync()'), ':ok', 'sync by hand');
    node.globalGroup.sync();
    await until('still one', 20_000, async () => {
      same(await info(abc, 'synced_nodes'), `[${us}]`, 'synchronised with abc');
      same(node.global.knownNodes().length.toString(), '1', 'known to us');
      return true;
    });
    same(await abc.eval('node(:global.whereis_name(:mine))'), us, 'mine on abc after all');
    const wrong = logs.filter((line) => /^(warning|error)/.test(line));
    same(wrong.join('\n'), '', 'our log');
  } finally {
    await node.stop();
  }
  await until('our name is gone', 20_000, async () => {
    same(await abc.eval(':global.whereis_name(:mine)'), ':undefined', 'mine on abc');
    return true;
  });
}

async function outside(cluster: Cluster, suite: Suite): Promise<void> {
  const config = groupsOf(['g', ['abc', 'bcd', 'odd']]);
  const [abc, bcd] = await Promise.all([
    beam(cluster, suite, 'abc', config),
    beam(cluster, suite, 'bcd', config),
  ]);
  await abc.eval(`Node.connect(:"${bcd.node}")`);
  const plain = await ours(cluster, 'plain', '[].\n');
  const odd = await ours(cluster, 'odd', groupsOf(['g', ['abc', 'odd']]));
  const connect = async ({ node }: typeof plain): Promise<void> => {
    await node.connect(abc.node);
    await node.connect(bcd.node);
  };
  try {
    await connect(plain);
    await until('abc and bcd are one', 20_000, async () => {
      same(await info(abc, 'synced_nodes'), `[:"${bcd.node}"]`, 'synchronised with abc');
      return true;
    });
    for (const peer of [abc, bcd]) same(await peer.eval(':global.sync()'), ':ok', `sync of ${peer.role}`);
    // OTP 23 and 24 do not tell a node that it is in no group of theirs
    if (Number(suite.release.otp) >= 25) await plain.node.global.sync();
    // with a member of another opinion connected, `sync` of a BEAM node waits for it, whoever that is
    await connect(odd);
    await until('odd is not of them', 20_000, async () => {
      same(String(odd.node.global.knownNodes().length), '0', 'known to odd');
      same(await info(abc, 'no_contact'), '[]', 'missed by abc');
      return true;
    });
    await odd.node.global.sync();
    same(await info(abc, 'synced_nodes'), `[:"${bcd.node}"]`, 'synchronised with abc after all');
    same(await abc.eval(REGISTER('theirs')), ':yes', 'a name of abc');
    same(await bcd.eval('node(:global.whereis_name(:theirs))'), `:"${abc.node}"`, 'on bcd');
    same(await bcd.eval(':global.trans({:lock, self()}, fn -> :done end)'), ':done', 'a lock');
    for (const { node } of [plain, odd]) {
      same(String(node.global.whereisName(atom('theirs'))), 'undefined', `theirs on ${node.name.name}`);
      const connected = node.netKernel.nodes().map((peer) => peer.name);
      same(connected.sort().join(' '), [abc.node, bcd.node].join(' '), 'the connections stay');
    }
  } finally {
    await Promise.all([plain.node.stop(), odd.node.stop()]);
  }
}
