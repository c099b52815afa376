// Distribution over TLS with real nodes: one optfile for both, mutual verification, strangers refused.
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTlsOptions } from '../src/dist/tls_options.js';
import { atom } from '../src/terms/atom.js';
import { format } from '../src/terms/format.js';
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
  await erl.line(/^P: \['ts@127.0.0.1'\]$/, 20_000);
  await erl.line(/^P: 'ts@127.0.0.1'$/, 20_000);
  await until('the connection is gone', 20_000, () => ts.netKernel.nodes().length === 0);
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
  await network.told(/^connection attempt from .* rejected: TLS: it answered ".*alert/);
  check(!(await ts.connect('erl@127.0.0.1')), 'we connected to a stranger');
  await network.told(/^cannot connect to .*: TLS: (it answered|the server's certificate is not)/);
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
  await network.told(/rejected: TLS: its certificate is not valid/);
}

/** Certificates whose time is over: of theirs our log tells, in both directions, and ours are refused by them. */
async function expired(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const theirs = optfile(cluster, 'expired.pem', 'ca.pem');
  const ours = optfile(cluster, 'node.pem', 'dated_ca.pem');
  const ts = await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: ours }) });
  const erl = network.erl('erl@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))", {
    words: [...TLS, '-ssl_dist_optfile', theirs],
  });
  same(await printed(erl), 'pang', 'ping of a node whose certificate has expired');
  await network.told(
    /^connection attempt .* rejected: TLS: its certificate is not valid .*: it expired on .* 2021/,
  );
  check(!(await ts.connect('erl@127.0.0.1')), 'we connected to it');
  await network.told(/^cannot connect .*: the server's certificate is not valid .*: it expired on .* 2021/);
  const old = await network.node('old@127.0.0.1', { tls: readTlsOptions({ optfile: theirs }) });
  const valid = network.erl('valid@127.0.0.1', "P(net_adm:ping('old@127.0.0.1'))", {
    words: [...TLS, '-ssl_dist_optfile', ours],
  });
  same(await printed(valid), 'pang', 'their ping of ours, whose certificate has expired');
  check(!(await old.connect('valid@127.0.0.1')), 'they let ours in');
}

/** A server has to be who was dialled; whoever dials may be anybody whom the authority knows. */
async function elsewhere(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const right = optfile(cluster, 'node.pem', 'ca.pem');
  const wrong = optfile(cluster, 'elsewhere.pem', 'ca.pem');
  const ts = await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: right }) });
  const ours = await network.node('ours@127.0.0.1', { tls: readTlsOptions({ optfile: wrong }) });
  const pings = (code: string, file: string, name: string) =>
    network.erl(name, code, { words: [...TLS, '-ssl_dist_optfile', file] });
  const theirs = pings('P(up)', wrong, 'elsewhere@127.0.0.1');
  same(await printed(theirs), 'up', 'start');
  check(
    !(await ts.connect('elsewhere@127.0.0.1')),
    'we connected to a node whose certificate is for another host',
  );
  await network.told(
    /^cannot connect .*: the server's certificate is for "DNS:elsewhere.example", not for 127.0.0.1/,
  );
  const erl = pings("P(net_adm:ping('ours@127.0.0.1'))", right, 'erl@127.0.0.1');
  same(await printed(erl), 'pang', 'their ping of ours, whose certificate is for another host');
  check(await ours.connect('erl@127.0.0.1'), 'as a client it was not let in');
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
  await network.told(/it does not speak TLS: it must be started with -proto_dist/);
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

/** Both look up revoked certificates in the same folder: theirs is refused by us, ours by them. */
async function revoked(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const crls = `, {crl_check, true}, {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "${tlsFile('crls')}"}]}}}`;
  const valid = optfile(cluster, 'valid.pem', 'revoking_ca.pem', crls);
  const taken = optfile(cluster, 'revoked.pem', 'revoking_ca.pem', crls);
  await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: valid }) });
  const bad = await network.node('bad@127.0.0.1', { tls: readTlsOptions({ optfile: taken }) });
  const trusted = network.erl(
    'erl@127.0.0.1',
    "P({net_adm:ping('ts@127.0.0.1'), net_adm:ping('bad@127.0.0.1')})",
    {
      words: [...TLS, '-ssl_dist_optfile', valid],
    },
  );
  same(await printed(trusted), '{pong,pang}', 'pings of a node with a valid certificate');
  check(!(await bad.connect('erl@127.0.0.1')), 'a revoked certificate of ours was accepted');
  const strange = network.erl('taken@127.0.0.1', "P(net_adm:ping('ts@127.0.0.1'))", {
    words: [...TLS, '-ssl_dist_optfile', taken],
  });
  same(await printed(strange), 'pang', 'a ping of a node with a revoked certificate');
  await network.told(/rejected: TLS: the certificate "CN=revoked" .* was revoked by its issuer/);
}

/** A certificate and a cookie are replaced while both nodes run: the next connection has the new ones. */
async function rotated(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const certfile = join(cluster.dir, 'own.pem');
  const put = (certificate: TestCertificate): void => {
    copyFileSync(tlsFile(certificate), `${certfile}.new`);
    renameSync(`${certfile}.new`, certfile);
  };
  put('elsewhere.pem');
  const own = `[{certfile, "${certfile}"}, {cacertfile, "${tlsFile('ca.pem')}"}, {verify, verify_peer}]`;
  const ours = join(cluster.dir, 'rotated.conf');
  writeFileSync(ours, `[{server, ${own}}, {client, ${own}}].`);
  const ts = await network.node('ts@127.0.0.1', { tls: readTlsOptions({ optfile: ours }) });
  const erl = network.erl(
    'erl@127.0.0.1',
    `F = fun(F) -> P(net_adm:ping('ts@127.0.0.1')), receive next -> ok after 100 -> ok end, F(F) end,
     spawn(fun() -> P(up), F(F) end),
     C = fun(C) -> case file:consult("cookie") of {ok, [K]} -> erlang:set_cookie(node(), K); _ -> timer:sleep(20), C(C) end end, C(C)`,
    { words: [...TLS, '-ssl_dist_optfile', optfile(cluster, 'node.pem', 'ca.pem')] },
  );
  await erl.line(/^P: pang$/, 20_000);
  put('node2.pem'); // that for another host was refused by them
  await erl.line(/^P: pong$/, 20_000);
  ts.auth.setDefaultCookie('fresh');
  ts.netKernel.disconnect(atom('erl@127.0.0.1'));
  await erl.line(/^P: pang$/, 20_000, erl.lines.length);
  writeFileSync(join(cluster.dir, 'cookie.new'), 'fresh.');
  renameSync(join(cluster.dir, 'cookie.new'), join(cluster.dir, 'cookie'));
  await erl.line(/^P: pong$/, 20_000, erl.lines.length);
}

/** The application fails over from otpnode to Elixir; both boot from one optfile, and a third node asks them. */
async function failover(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const file = optfile(cluster, 'node.pem', 'ca.pem');
  const distributed = "[{distro, 100, ['abc@127.0.0.1', 'bcd@127.0.0.1']}]";
  const config = (other: string) => ({ distributed, mandatory: [other] });
  const words = [...TLS, '-ssl_dist_optfile', file];
  const abc = await cluster.start('abc', 'otpnode', { config: config('bcd'), args: words });
  const bcd = await cluster.start('bcd', cluster.release, {
    config: config('abc'),
    args: ['--erl', `-start_epmd false ${words.join(' ')}`],
  });
  const asker = await network.node('asker@127.0.0.1', {
    hidden: true,
    tls: readTlsOptions({ optfile: file }),
  });
  const add = async (): Promise<void> => {
    const calculator = atom('Elixir.Distro.DistroCal');
    const sum = await asker.client.apply(atom(bcd.node), calculator, atom('add'), [1, 2], {
      timeoutMs: 5000,
    });
    same(format(sum), '3', 'the sum');
  };
  await abc.startLine(30_000);
  await until('bcd answers', 20_000, () => add().then(() => true));
  await abc.kill();
  await bcd.startLine(20_000);
  await until('bcd answers', 20_000, () => add().then(() => true));
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
  test('expired certificates are refused by both', expired);
  test('a server for another host is refused by both', elsewhere);
  test('a node without TLS is told from one with it', withoutTls);
  test('inet6_tls', ipv6);
  test('revoked certificates are refused by both', revoked);
  test('a new certificate and a new cookie count without a restart', rotated);
  test('otpnode and Elixir from one optfile, with a failover', failover);
}
