// How a node is reached: the words of the command line and the parameters of kernel that rule it, each with otpnode as it
// ships on one side and `erl`, started with the same words, on the other.
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Cluster, HOST, OTPNODE } from '../cluster.js';
import { epmdNames, freePort } from '../epmd_names.js';
import { Network, printed } from '../network.js';
import { type Proc, until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const COOKIE = 'transport';

/** Starts otpnode as it ships, without an application. */
function otpnode(
  cluster: Cluster,
  name: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Proc {
  return cluster.run(`otpnode ${name}`, [...OTPNODE, '--name', name, '--cookie', COOKIE, ...words], env);
}

function erl(cluster: Cluster, name: string, code: string, words: readonly string[] = []): Proc {
  const print = 'P = fun(V) -> io:format("P: ~0p~n", [V]) end, ';
  return cluster.run(`erl ${name}`, [
    join(cluster.release.bin, 'erl'),
    ...['-noinput', '-name', name, '-setcookie', COOKIE, ...words, '-eval', `${print}${code}.`],
  ]);
}

const ready = (proc: Proc) => proc.line(/this is /, 20_000);

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

/** Both take a port of the range, the second the next one, on the one interface. */
async function portRange(cluster: Cluster): Promise<void> {
  await using _ = await Network.open(cluster);
  const min = await freePort();
  const range = ['inet_dist_listen_min', `${min}`, 'inet_dist_listen_max', `${min + 20}`];
  const words = ['-start_epmd', 'false', '-kernel', ...range, 'inet_dist_use_interface', '{127,0,0,1}'];
  const ours = otpnode(cluster, 'ts@127.0.0.1', words);
  await ready(ours);
  const theirs = erl(cluster, 'erl@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))", words);
  same(await printed(theirs), 'pong', 'ping');
  const names = (await epmdNames(cluster.epmdPort)) ?? new Map<string, number>();
  const [ts = 0, other = 0] = [names.get('ts'), names.get('erl')];
  check(
    min <= ts && ts < other && other <= min + 20,
    `the ports of ${min} to ${min + 20}: ${[...names].join(' ')}`,
  );
  for (const port of [ts, other]) {
    check(await accepts(HOST, port), `port ${port} of ${HOST} does not accept`);
    check(!(await accepts('127.0.0.2', port)), `port ${port} of 127.0.0.2 accepts`);
  }
}

/** Without a listener a node is hidden and in no EPMD, and connects to others; so does theirs to us, from OTP 25 on. */
async function noListener(cluster: Cluster): Promise<void> {
  await using _ = await Network.open(cluster);
  const code = `F = fun(F) -> case nodes(hidden) of [N] -> P({N, nodes()}); [] -> timer:sleep(20), F(F) end end, P(up), F(F)`;
  const theirs = erl(cluster, 'erl@127.0.0.1', code, ['-start_epmd', 'false']);
  same(await printed(theirs), 'up', 'the start of erl');
  const silent = ['-start_epmd', 'false', '-dist_listen', 'false'];
  await ready(otpnode(cluster, 'mute@127.0.0.1', [...silent, '--join', 'erl@127.0.0.1']));
  await theirs.line(/^P: \{'mute@127\.0\.0\.1',\[\]\}$/, 20_000);
  await ready(otpnode(cluster, 'ts@127.0.0.1', ['-start_epmd', 'false']));
  const mute = erl(cluster, 'mute2@127.0.0.1', "P({net_adm:ping('ts@127.0.0.1'), nodes(hidden)})", silent);
  same(await printed(mute), "{pong,['ts@127.0.0.1']}", 'from a node of theirs without a listener');
  const names = await epmdNames(cluster.epmdPort);
  same([...(names?.keys() ?? [])].sort().join(), 'erl,ts', 'the names at EPMD');
}

/** One port for all nodes, each on an address of its own; there is no EPMD, and none is started. */
async function withoutEpmd(cluster: Cluster): Promise<void> {
  const port = String(await freePort());
  const words = (host: string) => [
    ...['-start_epmd', 'false', '-erl_epmd_port', port],
    ...['-kernel', 'inet_dist_use_interface', `{${host.replaceAll('.', ',')}}`],
  ];
  await ready(otpnode(cluster, 'ts@127.0.0.2', words('127.0.0.2')));
  const theirs = erl(
    cluster,
    'erl@127.0.0.3',
    "P({net_adm:ping('ts@127.0.0.2'), nodes()})",
    words('127.0.0.3'),
  );
  same(await printed(theirs), "{pong,['ts@127.0.0.2']}", 'their attempt');
  const joining = otpnode(cluster, 'ts2@127.0.0.4', [...words('127.0.0.4'), '--join', 'erl@127.0.0.3']);
  await joining.line(/node erl@127\.0\.0\.3 is up/, 20_000);
  check((await epmdNames(cluster.epmdPort)) === undefined, 'somebody started an EPMD');
}

/** Without EPMD, and without a port for all, a node does not start, and says in a line what to do; as theirs does not. */
async function noEpmdAtAll(cluster: Cluster): Promise<void> {
  const words = ['-start_epmd', 'false'];
  const theirs = erl(cluster, 'erl@127.0.0.1', 'P(up)', words);
  const ours = otpnode(cluster, 'ts@127.0.0.1', words);
  await until('both end', 20_000, () => ours.ended !== undefined && theirs.ended !== undefined);
  same(String(ours.ended?.code), '1', 'our exit code');
  same(String(theirs.ended?.code), '1', 'their exit code');
  const said = ours.lines.map(({ text }) => text).filter((text) => /EPMD/.test(text));
  check(said.length === 1 && /cannot reach EPMD at 127\.0\.0\.1:\d+/.test(said[0] ?? ''), ours.output());
}

/** An EPMD on a port and an address of its own: each side starts one that the other uses, and it outlives who did. */
async function ownEpmd(cluster: Cluster): Promise<void> {
  const env = { ERL_EPMD_ADDRESS: '127.0.0.5' };
  try {
    const ours = otpnode(cluster, 'ts@127.0.0.1', [], env);
    await ready(ours);
    const theirs = erl(
      cluster,
      'erl@127.0.0.1',
      "P({net_adm:ping('ts@127.0.0.1'), erl_epmd:names({127,0,0,1})})",
    );
    check(
      /^\{pong,\{ok,\[\{"(ts|erl)",\d+\},\{"(ts|erl)",\d+\}\]\}\}$/.test(await printed(theirs)),
      theirs.output(),
    );
    const there = await epmdNames(cluster.epmdPort, '127.0.0.5');
    same([...(there?.keys() ?? [])].sort().join(), 'erl,ts', 'the names at the address');
    check((await epmdNames(cluster.epmdPort, '127.0.0.6')) === undefined, 'it listens elsewhere, too');
    await ours.kill();
    await until(
      'its name is gone',
      20_000,
      async () => (await epmdNames(cluster.epmdPort))?.has('ts') === false,
    );
    await theirs.kill();
    await until('all names are gone', 20_000, async () => (await epmdNames(cluster.epmdPort))?.size === 0);
  } finally {
    const kill = cluster.run('epmd -kill', [...OTPNODE, 'epmd', '-port', `${cluster.epmdPort}`, '-kill']);
    await kill.exited;
  }
  check((await epmdNames(cluster.epmdPort)) === undefined, 'EPMD still answers');
}

/** `-proto_dist inet6_tcp`, both ways. */
async function ipv6(cluster: Cluster): Promise<void> {
  await using _ = await Network.open(cluster, ['::1']);
  const words = ['-start_epmd', 'false', '-proto_dist', 'inet6_tcp'];
  await ready(otpnode(cluster, 'ts@::1', words));
  const theirs = erl(cluster, 'erl@::1', "P({net_adm:ping('ts@::1'), nodes()})", words);
  same(await printed(theirs), "{pong,['ts@::1']}", 'their attempt');
  const joining = otpnode(cluster, 'ts2@::1', [...words, '--join', 'erl@::1']);
  await joining.line(/node erl@::1 is up/, 20_000);
}

export function run(suite: Suite): void {
  const test = (name: string, body: (cluster: Cluster) => Promise<void>): void =>
    suite.test(`transport: ${name}`, body, { epmd: 'none' });
  test('a range of ports on one interface', portRange);
  if (Number(suite.release.otp) >= 25) test('-dist_listen false', noListener);
  if (Number(suite.release.otp) >= 25) test('one port for all, no EPMD', withoutEpmd);
  test('no EPMD and no port for all', noEpmdAtAll);
  test('an EPMD of its own port and address', ownEpmd);
  test('inet6_tcp', ipv6);
}
