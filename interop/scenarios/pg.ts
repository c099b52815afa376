// `pg` between an otpnode and BEAM nodes: members both ways, several times in a group, and scopes that survive it.

import { startNode } from '../../src/node.js';
import { atom } from '../../src/terms/atom.js';
import { type Cluster, HOST, nodeName } from '../cluster.js';
import { until } from '../processes.js';
import { type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  suite.test('pg: groups have members on otpnode and on BEAM (services 16, 17)', (cluster) =>
    groups(cluster, suite),
  );
}

async function groups(cluster: Cluster, suite: Suite): Promise<void> {
  const peer = await cluster.start('abc', suite.release, { app: false, config: '[].\n' });
  await cluster.registered(peer);
  const node = await startNode({
    name: nodeName('bcd'),
    cookie: cluster.cookie,
    epmd: { port: cluster.epmdPort },
    listen: { host: HOST },
  });
  try {
    const pg = await node.pg.scope();
    const [g, h] = [atom('g'), atom('h')];
    const worker = node.spawn(() => new Promise(() => {}));
    const sizes = 'for group <- [:g, :h], do: length(:pg.get_members(group))';
    const seen = (here: string, there: string) =>
      until(`${here} members here, ${there} there`, 20_000, async () => {
        same([g, h].map((group) => pg.getMembers(group).length).join(), here, 'here');
        same(await peer.eval(sizes), there, 'there');
        return true;
      });
    same(await peer.eval('elem(:pg.start(:pg), 0)'), ':ok', 'start');
    await peer.eval(':pg.join(:g, [Process.whereis(:user), Process.whereis(:init)])');
    pg.join(g, worker);
    pg.join(h, [worker, worker]);
    await node.connect(nodeName('abc'));
    await seen('3,2', '[3, 2]');
    await peer.eval(':pg.join(:g, Process.whereis(:init)); :pg.join(:g, Process.whereis(:init))');
    await peer.eval(':pg.leave(:g, [Process.whereis(:user)])');
    pg.leave(h, worker);
    await seen('4,1', '[4, 1]');
    same(await peer.eval('is_pid(Process.whereis(:pg))'), 'true', 'the scope lives');
  } finally {
    await node.stop();
  }
  await until('our members are gone', 20_000, async () => {
    same(await peer.eval('for group <- [:g, :h], do: length(:pg.get_members(group))'), '[3, 0]', 'members');
    return true;
  });
}
