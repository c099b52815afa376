// Distribution over TLS with real nodes: one optfile for both, mutual verification, strangers refused.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTlsOptions } from '../src/dist/tls_options.js';
import { type TestCertificate, tlsFile } from '../test/support/tls_files.js';
import type { Cluster } from './cluster.js';
import { Network, printed } from './network.js';
import { until } from './processes.js';
import { check, type Suite, same } from './suite.js';

/** One file for both sides: certificates, and what else there is to say. */
function optfile(
  cluster: Cluster,
  certificate: TestCertificate,
  authority: TestCertificate,
  more = '',
): string {
  const file = join(cluster.dir, `${certificate}-${authority}.conf`);
  const own = `{certfile, "${tlsFile(certificate)}"}, {cacertfile, "${tlsFile(authority)}"}, {verify, verify_peer}${more}`;
  writeFileSync(
    file,
    `%% mutual verification\n[{server, [${own}, {fail_if_no_peer_cert, true}]},\n {client, [${own}]}].\n`,
  );
  return file;
}

const TLS = ['-proto_dist', 'inet_tls'];

/** Connects to us, says so, and is connected to by us after it disconnected. */
const BOTH_WAYS = `
  P(net_adm:ping('ts@127.0.0.1')), P(nodes()),
  erlang:monitor_node('ts@127.0.0.1', true), erlang:disconnect_node('ts@127.0.0.1'),
  receive {nodedown, N} -> P(N) end`;

async function bothWays(cluster: Cluster, versions: string): Promise<void> {
  await using network = await Network.open(cluster);
  const file = optfile(cluster, 'node.pem', 'ca.pem', versions);
  const ts = await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: file }) });
  const erl = network.erl('erl@127.0.0.1', BOTH_WAYS, { words: [...TLS, '-ssl_dist_optfile', file] });
  same(await printed(erl), 'pong', 'ping');
  await erl.line(/^P: \['ts@127.0.0.1'\]$/, 5000);
  await erl.line(/^P: 'ts@127.0.0.1'$/, 5000);
  await until('the connection is gone', 5000, () => ts.netKernel.nodes().length === 0);
  check(await ts.connect('erl@127.0.0.1'), `our own attempt failed: ${network.lines.at(-1)}`);
}

/** The words of the command line instead of a file. */
async function words(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const opts = ['server', 'client'].flatMap((role) => [
    ...[`${role}_certfile`, tlsFile('node.pem'), `${role}_cacertfile`, tlsFile('ca.pem')],
    ...[`${role}_verify`, 'verify_peer'],
  ]);
  await network.node('ts@127.0.0.1', { tls: readTlsOptions({ opts }) });
  const erl = network.erl('erl@127.0.0.1', BOTH_WAYS, { words: [...TLS, '-ssl_dist_opt', ...opts] });
  same(await printed(erl), 'pong', 'ping');
}

/** Whoever has a certificate of a strange authority is refused in both directions, and our log tells why. */
async function strangers(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ours = optfile(cluster, 'node.pem', 'ca.pem');
  const theirs = optfile(cluster, 'stranger.pem', 'other_ca.pem');
  const ts = await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: ours }) });
  const erl = network.erl('erl@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))", {
    words: [...TLS, '-ssl_dist_optfile', theirs],
  });
  same(await printed(erl), 'pang', 'ping');
  check(
    network.lines.some((line) =>
      /^connection attempt from .* rejected: TLS: it answered ".*alert/.test(line),
    ),
    `no line tells of its refusal: ${network.lines.join('\n')}`,
  );
  check(!(await ts.connect('erl@127.0.0.1')), 'we connected to a stranger');
  check(
    network.lines.some((line) =>
      /^cannot connect to .*: TLS: (it answered|the server's certificate is not)/.test(line),
    ),
    `no line tells of our refusal: ${network.lines.join('\n')}`,
  );
}

/** A node that accepts our certificate, but whose own is by a strange authority. */
async function strangeClient(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ours = optfile(cluster, 'node.pem', 'ca.pem');
  const theirs = optfile(cluster, 'stranger.pem', 'ca.pem');
  await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: ours }) });
  const erl = network.erl('erl@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))", {
    words: [...TLS, '-ssl_dist_optfile', theirs],
  });
  same(await printed(erl), 'pang', 'ping');
  check(
    network.lines.some((line) => /rejected: TLS: its certificate is not valid/.test(line)),
    `no line tells why: ${network.lines.join('\n')}`,
  );
}

/** Without TLS nobody gets in, and the log says what is missing. */
async function withoutTls(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ours = optfile(cluster, 'node.pem', 'ca.pem');
  const ts = await network.node('ts@127.0.0.1', {
    tls: readTlsOptions({ optfile: ours }),
    setupTimeMs: 2000,
  });
  const erl = network.erl('erl@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))");
  same(await printed(erl), 'pang', 'ping');
  check(
    network.lines.some((line) => line.includes('it does not speak TLS: it must be started with -proto_dist')),
    `no line tells why: ${network.lines.join('\n')}`,
  );
  check(!(await ts.connect('erl@127.0.0.1')), 'we connected without TLS');
}

/** IPv6 over TLS: `-proto_dist inet6_tls`. */
async function ipv6(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster, ['::1']);
  const file = optfile(cluster, 'node.pem', 'ca.pem');
  await network.node('ts@::1', {
    tls: readTlsOptions({ optfile: file }),
    listen: { family: 6, host: '::1' },
  });
  const erl = network.erl('erl@::1', "P(net_adm:ping('ts@::1'))", {
    words: ['-proto_dist', 'inet6_tls', '-ssl_dist_optfile', file],
  });
  same(await printed(erl), 'pong', 'ping');
}

export function run(suite: Suite): void {
  const test = (name: string, body: (cluster: Cluster) => Promise<void>): void =>
    suite.test(`TLS: ${name}`, body, { epmd: 'none' });
  const versions = ["'tlsv1.2'", "'tlsv1.3'", "'tlsv1.3','tlsv1.2'"];
  test('one optfile, mutual verification, both directions', (cluster) => bothWays(cluster, ''));
  for (const version of versions) {
    test(`version ${version}`, (cluster) => bothWays(cluster, `, {versions, [${version}]}`));
  }
  test('-ssl_dist_opt', words);
  test('strangers are refused', strangers);
  test('a client with a strange certificate is refused', strangeClient);
  test('a node without TLS is told from one with it', withoutTls);
  test('inet6_tls', ipv6);
}
