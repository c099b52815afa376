// What can be wrong at a start: each time one clear line, the right exit code, no stack trace, no hang.
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Cluster, Peer } from '../cluster.js';
import { HOST, nodeName, OTPNODE } from '../cluster.js';
import { freePort } from '../epmd_names.js';
import { type Proc, until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const ALONE = `[{kernel, [{distributed, [{distro, 1000, ['${nodeName('abc')}']}]}]}].\n`;

/** A file, and what the one line must say. */
const BAD_FILES: readonly (readonly [string, string, RegExp])[] = [
  ['no dot', '[{kernel, []}]\n', /abc\.config.*no ending <dot> found/],
  ['not one list', '{kernel, []}.\n', /abc\.config.*must contain ONE list ended by <dot>/],
  ['a syntax error', '[{kernel,\n  [{distributed, [}]}].\n', /abc\.config.*2.*syntax error before/],
  ['a key that is no atom', '[{kernel, [{"x", 1}]}].\n', /application: kernel; invalid parameter name: "x"/],
  ['a key twice', '[{kernel, [{x, 1}, {x, 2}]}].\n', /application: kernel; duplicate parameter: x/],
  ['a malformed entry', '[{kernel, [{distributed, later}]}].\n', /erroneous parameter: distributed/],
  ['a bad time', '[{kernel, [{sync_nodes_timeout, soon}]}].\n', /badopt.*sync_nodes_timeout.*soon/],
  ['a bad node list', "[{kernel, [{sync_nodes_timeout, 100}, {sync_nodes_mandatory, 'n@h'}]}].\n", /badopt/],
];

export function run(suite: Suite): void {
  for (const [what, text, pattern] of BAD_FILES) {
    const name = `command line: a configuration with ${what} is refused in one line`;
    suite.test(
      name,
      async (cluster) => {
        const peer = await cluster.start('abc', 'otpnode', { config: text });
        await endsWithOneLine(peer.proc, pattern);
      },
      { epmd: 'none' },
    );
  }
  suite.test(
    'command line: a configuration that is not there is named, with its neighbours',
    async (cluster) => {
      cluster.config('right', ALONE);
      const words = ['--name', nodeName('abc'), '--cookie', 'x', '-config', `${cluster.dir}/wrong`];
      const proc = cluster.run('abc', [...OTPNODE, ...words]);
      await endsWithOneLine(proc, /wrong\.config.*not found.*right\.config/);
    },
    { epmd: 'none' },
  );
  suite.test('command line: a wrong cookie is told by both sides', wrongCookie);
  suite.test('command line: a mandatory node on a host that does not exist', wrongHost);
  suite.test('command line: a name that is taken', nameTaken);
  suite.test('command line: a port that is taken', portTaken);
  suite.test("command line: EPMD's port is held by something else", epmdTaken, { epmd: 'none' });
  suite.test('command line: EPMD goes and comes back', epmdGone);
  suite.test('command line: short names, and a hidden node', shortNames);
  suite.test('command line: SIGTERM stops like init:stop', graceful);
}

/** The process ends with code 1 and says one line, in which `pattern` is. */
async function endsWithOneLine(proc: Proc, pattern: RegExp, timeoutMs = 30_000): Promise<void> {
  await until(`${proc.name} ends`, timeoutMs, () => proc.ended);
  same(String(proc.ended?.code), '1', `exit code of ${proc.name} (${proc.output()})`);
  check(pattern.test(proc.output()), `it does not say ${pattern}:\n${proc.output()}`);
  check(proc.lines.length === 1, `more lines than needed:\n${proc.output()}`);
}

function noStackTrace(proc: Proc): void {
  const frame = proc.lines.find((line) => /^\s+at .*(:\d+|<anonymous>|node:)/.test(line.text));
  check(frame === undefined, `a stack trace:\n${proc.output()}`);
}

async function wrongCookie(cluster: Cluster, suite: Suite): Promise<void> {
  const bcd = await cluster.start('bcd', suite.release, { app: false, config: '[].\n' });
  await bcd.proc.line(/Interactive Elixir/, 20_000);
  const config = { mandatory: ['bcd'], syncTimeoutMs: 2000 };
  const abc = await cluster.start('abc', 'otpnode', { cookie: 'another', config });
  await until('abc ends', 20_000, () => abc.proc.ended);
  same(String(abc.proc.ended?.code), '1', 'exit code of abc');
  check(/bcd@127\.0\.0\.1.*cookie|cookie.*bcd@127\.0\.0\.1/.test(abc.proc.output()), abc.proc.output());
  check(/mandatory_nodes_down/.test(abc.proc.output()), abc.proc.output());
  noStackTrace(abc.proc);
  check(!abc.proc.output().includes('another'), 'the cookie is in the log');

  const accepting = await cluster.start('def', 'otpnode', { cookie: 'another', app: false, config: '[].\n' });
  await cluster.registered(accepting);
  same(await bcd.eval(`Node.ping(${accepting.atom})`), ':pang', 'ping with a wrong cookie');
  await accepting.proc.line(/bcd@127\.0\.0\.1.*cookie|cookie.*bcd@127\.0\.0\.1/, 20_000);
  check(accepting.proc.ended === undefined, 'def ended because of a wrong cookie');
  noStackTrace(accepting.proc);
}

async function wrongHost(cluster: Cluster): Promise<void> {
  const config =
    "[{kernel, [{sync_nodes_mandatory, ['bcd@no-such-host.invalid']}, {sync_nodes_timeout, 1500}]}].\n";
  const abc = await cluster.start('abc', 'otpnode', { config, app: false });
  await until('abc ends', 20_000, () => abc.proc.ended);
  same(String(abc.proc.ended?.code), '1', 'exit code of abc');
  check(/no-such-host\.invalid/.test(abc.proc.output()), abc.proc.output());
  check(/mandatory_nodes_down.*bcd@no-such-host\.invalid/.test(abc.proc.output()), abc.proc.output());
  noStackTrace(abc.proc);
}

async function nameTaken(cluster: Cluster, suite: Suite): Promise<void> {
  for (const kind of [suite.release, 'otpnode'] as const) {
    const role = kind === 'otpnode' ? 'abc' : 'bcd';
    const first = await cluster.start(role, kind, { app: false, config: '[].\n' });
    await cluster.registered(first);
    const second = await cluster.start(role, 'otpnode', { app: false, config: '[].\n' });
    await endsWithOneLine(second.proc, new RegExp(`the name ${role} is taken`));
    check(first.proc.ended === undefined, `${role} ended because of its double`);
  }
}

async function portTaken(cluster: Cluster): Promise<void> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  try {
    const limits = ['min', 'max'].map((end) => `{inet_dist_listen_${end}, ${port}}`);
    const config = `[{kernel, [${limits.join(', ')}, {inet_dist_use_interface, {127,0,0,1}}]}].\n`;
    const abc = await cluster.start('abc', 'otpnode', { config, app: false });
    await endsWithOneLine(abc.proc, new RegExp(`${port}`));
  } finally {
    server.close();
  }
}

async function epmdTaken(cluster: Cluster): Promise<void> {
  const server = createServer((socket) =>
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  );
  await new Promise<void>((resolve) => server.listen(cluster.epmdPort, HOST, resolve));
  try {
    const abc = await cluster.start('abc', 'otpnode', { config: '[].\n', app: false });
    await endsWithOneLine(abc.proc, new RegExp(`${cluster.epmdPort}`), 20_000);
  } finally {
    server.close();
  }
}

async function epmdGone(cluster: Cluster): Promise<void> {
  const abc = await cluster.start('abc', 'otpnode', { config: ALONE });
  await cluster.runsOn('abc');
  await cluster.epmd?.kill();
  await abc.proc.line(/epmd/i, 20_000);
  check(await abc.runs(), 'abc stopped because EPMD is gone');
  await cluster.startEpmd('beam');
  await registeredAgain(cluster, abc);
  noStackTrace(abc.proc);
}

async function registeredAgain(cluster: Cluster, peer: Peer): Promise<void> {
  await until(`${peer.node} registered again`, 20_000, async () => (await cluster.names())?.has(peer.role));
}

async function shortNames(cluster: Cluster, suite: Suite): Promise<void> {
  const common = ['--cookie', cluster.cookie];
  for (const [name, words, seen] of [
    ['seen', [], '{true, 3.0, [:seen@localhost], []}'],
    ['hidden', ['-hidden'], '{true, 3.0, [], [:hidden@localhost]}'],
  ] as const) {
    const node = `:${name}@localhost`;
    const sname = ['--sname', `${name}@localhost`];
    cluster.run(name, [...OTPNODE, ...sname, ...words, ...common, '--app', 'distro']);
    await until(`${name} is registered`, 20_000, async () => (await cluster.names())?.has(name));
    const asks =
      `IO.inspect({Node.connect(${node}), :rpc.call(${node}, Distro.DistroCal, :add, [1, 2.0]), ` +
      'Node.list(), Node.list(:hidden)})';
    const elixir = [join(suite.release.bin, 'elixir'), '--sname', 'asks@localhost', ...common, '-e', asks];
    const asking = cluster.run('asks', elixir);
    await asking.exited;
    same(asking.output().trim(), seen, `what Elixir says of ${name}`);
  }
}

async function graceful(cluster: Cluster): Promise<void> {
  const abc = await cluster.start('abc', 'otpnode', { config: ALONE });
  await cluster.runsOn('abc');
  abc.proc.signal('SIGTERM');
  const ended = await abc.proc.exited;
  same(String(ended.code), '0', 'exit code after SIGTERM');
  same(String((await cluster.names())?.has('abc')), 'false', 'still registered with EPMD');
  // without an EPMD it starts one that outlives it, and can be told to end
  const port = await freePort();
  const env = { ERL_EPMD_PORT: String(port) };
  const lone = cluster.run('lone', [...OTPNODE, '--name', nodeName('lone'), '--cookie', 'x'], env);
  try {
    await until('our own EPMD answers', 15_000, async () =>
      (await epmdAsks(cluster, env, '-names')).includes('lone'),
    );
    lone.signal('SIGTERM');
    same(String((await lone.exited).code), '0', 'exit code of a lone node');
    same(
      (await epmdAsks(cluster, env, '-names')).includes('name lone').toString(),
      'false',
      'lone still registered',
    );
  } finally {
    await epmdAsks(cluster, env, '-kill');
  }
}

async function epmdAsks(cluster: Cluster, env: NodeJS.ProcessEnv, word: string): Promise<string> {
  const proc = cluster.run(`epmd ${word}`, [...OTPNODE, 'epmd', word], env);
  await proc.exited;
  return proc.output();
}
