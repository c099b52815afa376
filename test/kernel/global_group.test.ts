import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEpmdServer } from '../../src/dist/epmd.js';
import { BadArg, ConfigError } from '../../src/errors.js';
import { loadConfig } from '../../src/kernel/config.js';
import { GroupConfig, globalGroups } from '../../src/kernel/global_group_config.js';
import { type Node, startNode } from '../../src/node.js';
import { call } from '../../src/stdlib/gen.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { GlobalCluster, type GlobalNode, idle } from '../support/global_cluster.js';
import { eventually } from '../support/memory_cluster.js';

const NAME = atom('name');

const nodeName = (name: string): Atom => atom(`${name}@127.0.0.1`);
const where = (kind: 'node' | 'group', name: string): Tuple =>
  tuple(atom(kind), atom(kind === 'node' ? `${name}@127.0.0.1` : name));

/** One item of `info/0`, as Erlang writes it, without the host. */
function info(node: Awaited<ReturnType<GlobalCluster['grouped']>>, item: string): string {
  const found = (node.group.info() as Term[]).find((each) => (each as Tuple).elements[0] === atom(item));
  return format((found as Tuple).elements[1] as Term).replaceAll(/'|@127.0.0.1/g, '');
}

const known = (node: GlobalNode): string =>
  node.global
    .knownNodes()
    .map((peer) => peer.name.replace('@127.0.0.1', ''))
    .sort()
    .join(' ');

const configured = (text: string, node = 'a@h'): GroupConfig =>
  new GroupConfig(atom(node), globalGroups(parseTerm(text)));

test('global_groups: whose names are shared, and who is visible to whom', () => {
  const own = configured('[{g1, [b@h, a@h]}, {g2, hidden, [c@h]}, {g3, normal, []}]');
  assert.deepEqual(
    own.ownNodes.map((node) => node.name),
    ['a@h', 'b@h'],
  );
  assert.deepEqual([own.name?.name, own.publish, own.others.length], ['g1', 'normal', 2]);
  assert.deepEqual(
    ['a@h', 'b@h', 'c@h'].map((node) => own.isParticipant(atom(node))),
    [true, true, false],
  );
  const seen = (config: GroupConfig, hidden: boolean): boolean[] =>
    ['b@h', 'c@h'].map((node) => config.isVisibleTo(atom(node), hidden));
  assert.deepEqual(seen(own, false), [true, true]);
  assert.deepEqual(seen(own, true), [true, false]); // a hidden node is visible in its own group
  assert.deepEqual(seen(configured('[{g, hidden, [a@h, b@h]}]'), false), [true, false]);
  assert.deepEqual(seen(new GroupConfig(atom('a@h'), undefined), true), [false, false]);
  assert.equal(configured('[]').configured, false);
  const none = configured('[{g, [b@h]}]');
  assert.deepEqual([none.name?.name, none.ownNodes.length, none.configured], ['no_name', 0, true]);
});

test('global_groups: what is wrong fails the start', () => {
  for (const wrong of [
    'x',
    '[x]',
    '[{g}]',
    '[{g, x}]',
    '[{g, ["a"]}]',
    '[{g, seen, [a@h]}]',
    '[{g, [a@h], normal}]',
  ]) {
    assert.throws(() => globalGroups(parseTerm(wrong)), ConfigError, wrong);
  }
  assert.throws(() => configured('[{g, [a@h]}, {f, [a@h]}]'), /groups g and f/);
  assert.equal(configured('[{g, [b@h]}, {f, [b@h]}]').name?.name, 'no_name');
});

test('names are shared in a group and with nobody else, and every group can be asked', async () => {
  const cluster = new GlobalCluster();
  const groups = 'g1: a b, g2: c';
  const [a, b, c] = [
    await cluster.grouped('a', groups),
    await cluster.grouped('b', groups),
    await cluster.grouped('c', groups),
  ];
  const watcher = idle(a);
  a.group.monitorNodes(watcher.pid, true);
  for (const [one, other] of [
    [a, b],
    [a, c],
    [b, c],
  ] as const)
    cluster.join(one, other);
  await eventually('the group is one', () => known(a) === 'b' && known(b) === 'a');
  await a.global.sync();
  await assert.rejects(a.global.sync([nodeName('c')]), BadArg);
  await c.global.sync(); // nobody to wait for
  const [here, there] = [idle(a), idle(c)];
  assert.equal(await a.global.registerName(a.self, NAME, here.pid), true);
  assert.equal(await c.global.registerName(c.self, NAME, there.pid), true);
  assert.equal(b.global.whereisName(NAME)?.key, here.pid.key);
  assert.equal(c.global.whereisName(NAME)?.key, there.pid.key);
  assert.equal(known(c), '');
  assert.equal(info(a, 'synced_nodes'), '[b]');
  assert.equal(info(c, 'synced_nodes'), '[]');
  assert.equal(format(b.group.globalGroups()), '{g1,[g2]}');
  await eventually('members that come are told', () => watcher.mailbox.size === 1);
  assert.equal(format(watcher.mailbox.shift() as Term), "{nodeup,'b@127.0.0.1'}");

  // names of other groups
  assert.equal((await b.group.search.whereisName(NAME))?.key, here.pid.key);
  assert.equal((await b.group.search.whereisName(NAME, where('group', 'g2')))?.key, there.pid.key);
  assert.equal((await c.group.search.whereisName(NAME, where('node', 'b')))?.key, here.pid.key);
  assert.equal(await c.group.search.whereisName(atom('none')), undefined);
  assert.equal(await c.group.search.whereisName(NAME, where('group', 'g9')), undefined);
  assert.deepEqual(await c.group.search.registeredNames(where('group', 'g1')), [NAME]);
  const sent = await c.group.search.send(c.self.pid, NAME, 7, where('group', 'g1'));
  assert.equal(format(sent), format(here.pid));
  await eventually('the message came', () => here.mailbox.size === 1);
  const lost = await c.group.search.send(c.self.pid, atom('none'), 7);
  assert.equal(format(lost), '{badarg,{none,7}}');

  // the loss of a node of another group is nobody's business; that of a member is told
  cluster.cut(a.system, c.system);
  cluster.cut(a.system, b.system);
  await eventually('the member is gone', () => known(a) === '' && watcher.mailbox.size === 1);
  assert.equal(format(watcher.mailbox.shift() as Term), "{nodedown,'b@127.0.0.1'}");
  assert.equal(info(a, 'no_contact'), '[b]');
  await eventually('its names, too', () => b.global.whereisName(NAME) === undefined);
});

test('a node without groups, or with other ones, shares no names and does not wait', async () => {
  const cluster = new GlobalCluster();
  const [a, b, plain] = [
    await cluster.grouped('a', 'g: a b plain'),
    await cluster.grouped('b', 'g: a b'),
    await cluster.grouped('plain', ''),
  ];
  cluster.join(a, plain);
  cluster.join(a, b);
  await eventually('the check is over', () => info(a, 'sync_error') === '[b,plain]');
  await plain.global.sync();
  await a.global.sync();
  assert.equal(await a.global.registerName(a.self, NAME, idle(a).pid), true);
  assert.equal(known(a) + known(b) + known(plain), '');
  assert.equal(plain.global.whereisName(NAME), undefined);
  assert.equal(plain.group.globalGroups(), atom('undefined'));
  assert.deepEqual(plain.group.ownNodes(), [plain.system.node, a.system.node]);
});

test('sync checks all members once more: those that agree share names, the others are told of in the log', async () => {
  const cluster = new GlobalCluster();
  const [a, b, c] = [
    await cluster.grouped('a', 'g: a b c'),
    await cluster.grouped('b', 'g: a b c'),
    await cluster.grouped('c', ''),
  ];
  cluster.join(a, b);
  cluster.join(a, c);
  await eventually('a and b are one', () => known(a) === 'b');
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const { node } = other.system;
    one.global.groupNodedown(node, one.system.findEntry(node)?.channel?.connectionId);
  }
  await eventually('they are not any more', () => known(a) === '');
  a.group.sync();
  await eventually('they are again', () => known(a) === 'b' && info(a, 'synced_nodes') === '[b]');
  assert.equal(info(a, 'sync_error'), '[c]');
  await eventually('it is told', () =>
    a.logs.some((line) => line.includes("Could not synchronize with node 'c@127.0.0.1'")),
  );
});

test('requests of other nodes are answered as OTP answers them, whatever they are', async () => {
  const cluster = new GlobalCluster();
  const [a, b] = [await cluster.grouped('a', 'g: a b'), await cluster.grouped('b', 'g: a b')];
  cluster.join(a, b);
  await eventually('they are one', () => known(b) === 'a');
  const ask = async (request: string): Promise<string> => {
    const term = parseTerm(request);
    const answer = await new Promise<Term>((resolve) => {
      a.system.spawn(async (self) => {
        resolve(await call(self, tuple(atom('global_group'), b.system.node), term));
      });
    });
    return format(answer).replaceAll(/'|@127.0.0.1/g, '');
  };
  assert.equal(await ask('own_nodes'), '[a,b]');
  assert.equal(await ask('global_groups'), '{g,[]}');
  assert.equal(await ask('{whereis_name, x}'), 'undefined');
  assert.equal(await ask('{whereis_name, {group, g}, x}'), 'undefined');
  assert.equal(await ask('{registered_names, {group, other}}'), '[]');
  assert.equal(await ask('{send, x, 1}'), '{badarg,{x,1}}');
  assert.equal(await ask("{ng_add_check, 'a@127.0.0.1', ['b@127.0.0.1', 'a@127.0.0.1']}"), 'agreed');
  assert.equal(await ask("{ng_add_check, 'a@127.0.0.1', hidden, ['a@127.0.0.1']}"), 'not_agreed');
  assert.equal(await ask('{monitor_nodes, true}'), 'ok');
  assert.equal(await ask('{monitor_nodes, false}'), 'ok');
  assert.equal(await ask('{monitor_nodes, x}'), 'error');
  assert.equal(await ask('{whereis_name, g, x}'), '{illegal_message,{whereis_name,g,x}}');
  assert.equal(await ask('"x"'), '{illegal_message,"x"}');
  const junk = ['{disconnect_node, 1}', '{config_ok, 3, x, y}', '{find_name, 1, 2}', '{conf_check, 3}', '7'];
  for (const message of junk) {
    const term = parseTerm(message);
    b.system.whereis(atom('global_group'))?.deliver(term);
    b.system.whereis(atom('global_group'))?.deliver(tuple(atom('$gen_cast'), term));
    b.system.whereis(atom('global_group_check'))?.deliver(term);
  }
  assert.equal(await ask('own_nodes'), '[a,b]');
  assert.ok(b.system.whereis(atom('global_group_check'))?.alive);
});

test('a hidden group is visible to its members alone, and so is a hidden node in a group', async (t) => {
  const epmd = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'] });
  t.after(() => epmd.close());
  const start = async (name: string, groups: string, hidden = false): Promise<Node> => {
    const node = await startNode({
      name: `${name}@127.0.0.1`,
      cookie: 'c',
      epmd: { port: epmd.port },
      listen: { host: '127.0.0.1' },
      config: loadConfig({ flags: [{ application: 'kernel', words: ['global_groups', groups] }] }),
      hidden,
    });
    t.after(() => node.stop());
    return node;
  };
  const groups = "[{g,hidden,['a@127.0.0.1','b@127.0.0.1']},{h,['c@127.0.0.1','d@127.0.0.1']}]";
  const [a, b, c] = [await start('a', groups), await start('b', groups), await start('c', groups)];
  const d = await start('d', groups, true);
  for (const [one, other] of [
    [a, b],
    [a, c],
    [c, d],
    [d, b],
  ] as const)
    assert.ok(await one.connect(other.name));
  const seen = (node: Node): string =>
    [node.netKernel.nodes(), node.netKernel.nodes('hidden')]
      .map((nodes) =>
        nodes
          .map((peer) => peer.name[0])
          .sort()
          .join(''),
      )
      .join(' ');
  assert.deepEqual([a, b, c, d].map(seen), ['b c', 'a d', 'd a', 'c b']);
  await eventually('members share names', () => a.global.knownNodes().length === 1);
});
