// The handshake with real nodes in both roles: hidden nodes, names given and taken, cookies of pairs, allow lists,
// nodes that return before their old connection is noticed dead, and two that dial each other at once.
import { DEFAULT_DFLAGS } from '../src/dist/dflags.js';
import { type Handshake, handshakeWeStarted } from '../src/dist/dist_util.js';
import { portPlease } from '../src/dist/erl_epmd.js';
import { connect } from '../src/dist/inet_tcp_dist.js';
import type { Node } from '../src/node.js';
import { atom } from '../src/terms/atom.js';
import { format } from '../src/terms/format.js';
import { tuple } from '../src/terms/tuple.js';
import type { Cluster } from './cluster.js';
import { freePort } from './epmd_names.js';
import { Network, printed } from './network.js';
import { until } from './processes.js';
import { check, type Suite, same } from './suite.js';

const TS = "'ts@127.0.0.1'";
const ERL = 'erl@127.0.0.1';

const nodes = (of: Node, kind?: 'hidden'): string =>
  of.netKernel
    .nodes(kind)
    .map((node) => node.name)
    .join();

/** Waits until an `erl` is registered, prints `up` and lives on. */
async function erlUp(network: Network, words: readonly string[] = [], code = 'P(up)') {
  const erl = network.erl(ERL, code, { words });
  same(await printed(erl), 'up', 'the start of erl');
  return erl;
}

async function hidden(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ts = await network.node('ts@127.0.0.1', { hidden: true });
  const visible = network.erl(ERL, `P({net_adm:ping(${TS}), nodes(), nodes(hidden)})`);
  same(await printed(visible), `{pong,[],[${TS}]}`, 'a hidden node of ours');
  same(nodes(ts, 'hidden'), ERL, 'our hidden nodes');
  await visible.kill();

  const other = await network.node('other@127.0.0.1');
  const theirs = network.erl(ERL, "P({net_adm:ping('other@127.0.0.1'), nodes(), nodes(hidden)})", {
    words: ['-hidden'],
  });
  same(await printed(theirs), "{pong,[],['other@127.0.0.1']}", 'a hidden node of theirs');
  same(nodes(other, 'hidden'), ERL, 'the hidden nodes of the other');
}

/** `-name undefined@Host`: they ask us for a name, and get the same again with the next creation. */
async function weNameThem(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ts = await network.node('ts@127.0.0.1');
  const names: string[] = [];
  for (let i = 0; i < 2; i++) {
    const erl = network.erl('undefined@127.0.0.1', `P({net_kernel:connect_node(${TS}), node()})`);
    const [, connected, name = ''] = /^\{(\w+),(.*)\}$/.exec(await printed(erl)) ?? [];
    same(connected ?? '', 'true', 'its attempt');
    check(/^'[0-9A-Z]+@127\.0\.0\.1'$/.test(name), `it is called ${name}`);
    same(`'${nodes(ts, 'hidden')}'`, name, 'our hidden nodes');
    names.push(name);
    await erl.kill();
    await until('it is gone', 20_000, () => nodes(ts, 'hidden') === '');
  }
  same(names[1] ?? '', names[0] ?? '', 'the second name');
}

/** The same of ours: they give us a name. */
async function theyNameUs(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const erl = await erlUp(
    network,
    [],
    'P(up), F = fun(F) -> case nodes(hidden) of [N] -> P(N); [] -> timer:sleep(20), F(F) end end, F(F)',
  );
  const ts = await network.node('undefined@127.0.0.1', { nameFrom: ERL });
  check(/^[0-9A-Z]+@127\.0\.0\.1$/.test(ts.name.name), `we are called ${ts.name.name}`);
  await erl.line(new RegExp(`^P: '${ts.name.name}'$`), 20_000);
  same(nodes(ts, 'hidden'), ERL, 'our hidden nodes');
}

async function cookieOfAPair(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const code = (cookie: string): string =>
    `erlang:set_cookie(${TS}, '${cookie}'), P(net_adm:ping(${TS})), P(done)`;
  const ts = await network.node('ts@127.0.0.1', { cookies: { [ERL]: 'of the pair' } });
  const wrong = network.erl(ERL, code('wrong'));
  same(await printed(wrong), 'pang', 'with another cookie');
  await network.told(/^connection attempt from node erl@127\.0\.0\.1 rejected: invalid challenge reply/);
  check(!(await ts.connect(ERL)), 'we connected with another cookie');
  await wrong.kill();
  const right = network.erl(ERL, code('of the pair'));
  same(await printed(right), 'pong', 'with the cookie of the pair');
  await right.kill();
  await until('it is gone', 20_000, () => nodes(ts) === '');
  ts.auth.setCookie(atom(ERL), 'a third');
  same(await printed(network.erl(ERL, code('a third'))), 'pong', 'after the cookie was changed');
}

async function allowLists(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  await network.node('ts@127.0.0.1', { allow: ['friend@127.0.0.1'] });
  const erl = network.erl(ERL, `P(net_adm:ping(${TS})), net_kernel:allow(['friend@127.0.0.1']), P(up)`);
  same(await printed(erl), 'pang', 'a node that is not on our list');
  await network.told(/^connection attempt from node erl@127\.0\.0\.1 rejected: it is not on the allow list$/);
  await erl.line(/^P: up$/, 20_000);
  const other = await network.node('other@127.0.0.1');
  check(!(await other.connect(ERL)), 'we connected, though we are not on its list');
  await network.told(/^connection attempt to node erl@127\.0\.0\.1 failed: it does not allow us/);
  const friend = await network.node('friend@127.0.0.1');
  check(await friend.connect(ERL), 'a friend is refused');
}

/** We come back under our name while the old connection still stands: `alive`, answered by true and by false. */
async function returning(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const erl = await erlUp(
    network,
    [],
    `net_kernel:monitor_nodes(true), P(up),
     L = fun(L) -> receive {X, N} when X =:= nodeup; X =:= nodedown -> P({X, N}), L(L) end end, L(L)`,
  );
  const epmd = { port: cluster.epmdPort };
  const attempt = async (creation: number, isPending: boolean): Promise<Handshake> => {
    const socket = await connect('127.0.0.1', (await portPlease('erl', epmd)).port);
    const handshake = await handshakeWeStarted(socket, {
      node: atom(ERL),
      ourName: 'back@127.0.0.1',
      flags: DEFAULT_DFLAGS,
      creation,
      cookie: () => cluster.cookie,
      isPending: () => isPending,
    });
    socket.handOver().socket.resume();
    return handshake;
  };
  await attempt(100, true);
  await erl.line(/^P: \{nodeup,'back@127.0.0.1'\}$/, 20_000);
  const before = erl.lines.length;
  await attempt(101, false).then(
    () => check(false, 'the handshake went on after false'),
    (error: Error) =>
      check(/it has a connection to us already, which stays/.test(error.message), error.message),
  );
  check(erl.lines.length === before, `it said ${erl.output(before)}`);
  // OTP 23 waits for the old connection to die by itself
  if (Number(cluster.release.otp) < 24) return;
  await attempt(102, true);
  await erl.line(/^P: \{nodedown,'back@127.0.0.1'\}$/, 20_000, before);
  await erl.line(/^P: \{nodeup,'back@127.0.0.1'\}$/, 20_000, before);
}

const ROUNDS = 100;

/**
 * Both dial at the same moment, again and again: each round ends with one connection, whoever has the greater name. With
 * OTP 23 also when their `global` knows us: what it has to say of a former connection would break the next one.
 */
async function simultaneous(cluster: Cluster, name: string): Promise<void> {
  await using network = await Network.open(cluster);
  const ts = await network.node(name);
  const old = cluster.release.otp === '23';
  const code = `
    register(dialler, self()), P(up), X = '${name}',
    K = fun(K) -> case ${!old} orelse lists:member(X, gen_server:call(global_name_server, get_known)) of
      true -> ok;
      false -> receive after 1 -> K(K) end
    end end,
    L = fun(L) -> receive {go, From} ->
      erlang:monitor_node(X, true), From ! ready,
      receive {nodedown, X} -> ok end,
      C = net_kernel:connect_node(X), K(K), From ! {connected, C}, L(L)
    end end, L(L)`;
  await erlUp(network, [], code);
  const failures: string[] = [];
  await new Promise<void>((resolve) => {
    ts.spawn(async (self) => {
      const next = async () => format((await self.receive((message) => message, 10_000)) ?? atom('nothing'));
      for (let round = 0; round < (old ? 20 : ROUNDS) && failures.length === 0; round++) {
        if (!(await ts.connect(ERL))) failures.push('we could not connect');
        self.send(tuple(atom('dialler'), atom(ERL)), tuple(atom('go'), self.pid));
        const ready = await next();
        ts.netKernel.disconnect(atom(ERL));
        const ours = await ts.connect(ERL);
        const theirs = await next();
        if (ready === 'ready' && ours && theirs === '{connected,true}' && nodes(ts) === ERL) continue;
        failures.push(`round ${round}: ${ready}, we ${ours}, they ${theirs}, nodes ${nodes(ts)}`);
      }
      resolve();
    });
  });
  check(failures.length === 0, `${failures.join('\n')}\n${network.lines.slice(-8).join('\n')}`);
}

/** With one port for all, OTP 23 does not know our version and sends the old name message. */
async function oldName(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const fixedPort = await freePort();
  const ts = await network.node('ts@127.0.0.1', { fixedPort, epmd: false });
  const erl = network.erl('erl@127.0.0.2', `P(net_adm:ping(${TS})), P(nodes())`, {
    words: ['-erl_epmd_port', String(fixedPort), '-kernel', 'inet_dist_use_interface', '{127,0,0,2}'],
  });
  same(await printed(erl), 'pong', 'ping');
  same(nodes(ts), 'erl@127.0.0.2', 'our nodes');
  ts.netKernel.disconnect(atom('erl@127.0.0.2'));
  check(await ts.connect('erl@127.0.0.2'), 'our own attempt failed');
}

export function run(suite: Suite): void {
  const test = (name: string, body: (cluster: Cluster) => Promise<void>): void =>
    suite.test(`handshake: ${name}`, body, { epmd: 'none' });
  test('hidden nodes on either side', hidden);
  test('we name a node that has no name', weNameThem);
  test('a node names us', theyNameUs);
  test('cookies of pairs', cookieOfAPair);
  test('allow lists on either side', allowLists);
  test('a node that returns before its end was noticed', returning);
  test('both dial at once, ours the lesser name', (cluster) => simultaneous(cluster, 'aaa@127.0.0.1'));
  test('both dial at once, ours the greater name', (cluster) => simultaneous(cluster, 'zzz@127.0.0.1'));
  test('one port for all, and old name messages', oldName);
}
