// The command line as a process: exit codes, one clear line for what is wrong, stopping by signal.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { type EpmdServer, startEpmdServer } from '../../src/dist/epmd.js';

const MAIN = resolve('build/src/cli/main.js');
let epmd: EpmdServer;
let cwd: string;

before(async () => {
  epmd = await startEpmdServer({ port: 0 });
  cwd = mkdtempSync(join(tmpdir(), 'otpnode-cli-'));
});

after(async () => {
  await epmd.close();
  rmSync(cwd, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

class Otpnode {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = '';
  err = '';

  constructor(argv: readonly string[]) {
    const env = { ...process.env, ERL_EPMD_PORT: String(epmd.port), HOME: cwd };
    this.child = spawn(process.execPath, [MAIN, ...argv], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk) => {
      this.out += String(chunk);
    });
    this.child.stderr?.on('data', (chunk) => {
      this.err += String(chunk);
    });
    this.ended = new Promise((done) => {
      this.child.on('close', (code) => done({ code, out: this.out, err: this.err }));
    });
  }

  /** Resolves when the text has been printed. */
  async said(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      const more = new Promise((next) => this.child.stdout?.once('data', next));
      const end = await Promise.race([more, this.ended]);
      if ((end as Partial<Ended>).code !== undefined) assert.fail(`ended before saying ${text}: ${this.err}`);
    }
  }
}

const run = (...argv: readonly string[]): Promise<Ended> => new Otpnode(argv).ended;

/** Each refused command line: exit code 1 and exactly one line. */
const REFUSED: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['an unknown option', ['--nmae', 'x'], /^otpnode: unknown option --nmae; did you mean --name\?\n$/],
  ['an unknown command', ['chekc'], /^otpnode: unknown command chekc; did you mean check\?\n$/],
  ['no name', ['-hidden'], /^otpnode: a node needs a name; for example --name abc@127\.0\.0\.1/],
  ['a wrong name', ['--name', 'a@b@c'], /^otpnode: .*no node name.*\n$/],
  [
    'a missing file',
    ['--sname', 'x@h', '-config', 'nope'],
    /^could not start kernel pid \(application_controller\) \(error in config file "\.\/nope\.config" \(none\): configuration file not found\); nearby are .*nodot\.config/,
  ],
  [
    'a missing dot',
    ['--sname', 'x@h', '-config', 'nodot'],
    /\(error in config file "\.\/nodot\.config" \(none\): no ending <dot> found\)\n$/,
  ],
  [
    'a bad key',
    ['--sname', 'x@h', '-config', 'badkey'],
    /\(invalid config data: application: kernel; invalid parameter name: "x"\)\n$/,
  ],
  [
    'a bad parameter',
    ['--sname', 'x@h', '-kernel', 'sync_nodes_timeout', '0'],
    /^Kernel pid terminated \(application_controller\) \(\{application_start_failure,kernel,\{\{shutdown,\{failed_to_start_child,kernel_config,\{badopt,\{sync_nodes_timeout,0\}\}\}\},\{kernel,start,\[normal,\[\]\]\}\}\}\)/,
  ],
  [
    'an unknown application',
    ['--sname', 'x@h', '--cookie', 'C', '--app', 'calc'],
    /^otpnode: there is no application calc; no -pa DIR is given\n$/,
  ],
];

test('what is wrong with a command line or a configuration is told in one line, exit code 1', async () => {
  writeFileSync(join(cwd, 'nodot.config'), '[{kernel, []}]');
  writeFileSync(join(cwd, 'badkey.config'), '[{kernel, [{"x", 1}]}].');
  const results = await Promise.all(REFUSED.map(([, argv]) => run(...argv)));
  results.forEach(({ code, out, err }, i) => {
    const [what, , expected] = REFUSED[i] as (typeof REFUSED)[number];
    assert.match(err, expected, what);
    assert.deepEqual([code, out, err.split('\n').length], [1, '', 2], `${what}: ${err}`);
  });
});

test('mandatory nodes that do not come: the last line of OTP, exit code 1', async () => {
  const missing = ['-kernel', 'sync_nodes_mandatory', "['nobody@127.0.0.1']", 'sync_nodes_timeout', '200'];
  const { code, err } = await run('--name', 'm@127.0.0.1', '--cookie', 'C', ...missing);
  assert.equal(code, 1);
  assert.equal(
    err,
    "Kernel pid terminated (application_controller) ({application_start_failure,kernel,{{shutdown,{failed_to_start_child,kernel_config,{mandatory_nodes_down,['nobody@127.0.0.1']}}},{kernel,start,[normal,[]]}}})\n",
  );
});

test('a taken name, and a taken port', async () => {
  const first = new Otpnode(['--name', 'taken@127.0.0.1', '--cookie', 'C']);
  await first.said('this is taken@127.0.0.1');
  const second = await run('--name', 'taken@127.0.0.1', '--cookie', 'C');
  assert.equal(second.code, 1);
  assert.match(second.err, /^otpnode: the name taken is taken: .*\n$/);
  first.child.kill('SIGTERM');
  assert.equal((await first.ended).code, 0);
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => holder.once('listening', listening));
  const { port } = holder.address() as { port: number };
  const range = `inet_dist_listen_min ${port} inet_dist_listen_max ${port} inet_dist_use_interface {127,0,0,1}`;
  const third = await run('--name', 'p@127.0.0.1', '--cookie', 'C', '-kernel', ...range.split(' '));
  holder.close();
  assert.equal(third.code, 1);
  assert.match(third.err, new RegExp(`^otpnode: .*${port}.*\\n$`));
});

test('SIGTERM stops applications first, then the node, with exit code 0; logs are JSON when not on a terminal', async () => {
  const node = new Otpnode(['--name', 's@127.0.0.1', '--cookie', 'C', '--app', 'distro']);
  await node.said('Distro application in :normal mode');
  node.child.kill('SIGTERM');
  const { code, out, err } = await node.ended;
  assert.deepEqual([code, err], [0, '']);
  const texts = out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.deepEqual(
    texts.filter((text) => /[Ss]tarted/.test(text)),
    [],
    'reports of progress',
  );
  const order = [
    'SIGTERM received - shutting down',
    'Distro application about to stop',
    'Distro application stopped',
  ];
  assert.deepEqual(
    texts.filter((text) => order.includes(text)),
    order,
  );
});

test('a second signal ends at once what does not stop', async () => {
  const start = 'start: async (type, args, self) => ({ ok: self.spawnLink(() => new Promise(() => {})) })';
  const stop = "prepStop(state, self) { self.system.log('info', 'asked'); return new Promise(() => {}); }";
  writeFileSync(join(cwd, 'hanging.mjs'), `export default { spec: { name: 'hanging' }, ${start}, ${stop} };`);
  for (const [signal, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const name = `hanging-${exitCode}@127.0.0.1`;
    const node = new Otpnode(['--name', name, '--cookie', 'C', '-pa', '.', '--app', 'hanging']);
    await node.said(`this is ${name}`);
    node.child.kill(signal);
    await node.said('asked');
    assert.equal(node.child.exitCode, null);
    node.child.kill(signal);
    const { code, err } = await node.ended;
    assert.deepEqual([code, err], [exitCode, '']);
  }
});

test('an application that does not start ends the node, with its reason in one line', async () => {
  const failing = "export default { spec: { name: 'failing' }, start() { throw new Error('boom'); } };";
  writeFileSync(join(cwd, 'failing.mjs'), failing);
  const { code, err } = await run('--name', 'f@127.0.0.1', '--cookie', 'C', '-pa', '.', '--app', 'failing');
  assert.match(err, /^Could not start application failing: .*boom.*\n$/);
  assert.equal(code, 1);
});

test('an application that is none: what is wrong with it, in one line', async () => {
  const cases = [
    ['none', "spec: { name: 'none' }, start() {}", /start resolved neither to \{ ok \}/],
    ['number', "spec: { name: 'number' }, start: () => ({ ok: 5 })", /start resolved neither to \{ ok \}/],
    ['thrown', "spec: { name: 'thrown' }, start: () => ({ error: new Error('boom') })", /boom/],
    ['listless', "spec: { name: 'listless', applications: 5 }", /5 in the specification is no list of names/],
  ] as const;
  await Promise.all(
    cases.map(async ([name, body, expected]) => {
      writeFileSync(join(cwd, `${name}.mjs`), `export default { ${body} };`);
      const { code, err } = await run(
        '--name',
        `${name}@127.0.0.1`,
        '--cookie',
        'C',
        '-pa',
        '.',
        '--app',
        name,
      );
      assert.match(err, new RegExp(`^Could not start application ${name}: .*\\n$`));
      assert.match(err, expected);
      assert.equal(code, 1);
    }),
  );
});

test('SIGTERM while the node waits for mandatory nodes ends it at once, with exit code 0', async () => {
  const waits = ['-kernel', 'sync_nodes_mandatory', "['nobody@127.0.0.1']", 'sync_nodes_timeout', 'infinity'];
  const node = new Otpnode(['--name', 'b@127.0.0.1', '--cookie', 'C', '--log-level', 'debug', ...waits]);
  await node.said('nobody@127.0.0.1');
  node.child.kill('SIGTERM');
  const { code, out, err } = await node.ended;
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /SIGTERM received - shutting down/);
});

test('a stop while an application waits for its turn is no failure', async () => {
  const waits = ['-kernel', 'distributed', "[{distro,['nobody@127.0.0.1','w@127.0.0.1']}]"];
  const node = new Otpnode(['--name', 'w@127.0.0.1', '--cookie', 'C', '--app', 'distro', ...waits]);
  await node.said('this is w@127.0.0.1');
  node.child.kill('SIGTERM');
  const { code, err } = await node.ended;
  assert.deepEqual([code, err], [0, '']);
});

test('a cookie file is made where there is none', async () => {
  const node = new Otpnode([
    '--name',
    'c@127.0.0.1',
    '--log-format',
    'line',
    '--erl',
    '-kernel net_ticktime 8 logger_level info',
  ]);
  await node.said('[notice] this is c@127.0.0.1');
  assert.match(node.out, /\[info\] Supervisor: \{local,kernel_sup\}\. Started: id=kernel_config,/);
  node.child.kill('SIGINT');
  assert.equal((await node.ended).code, 0);
});

test('--help and --version', async () => {
  const help = await run('--help');
  assert.match(help.out, /--config FILE… +configuration, FILE\.config; a later one wins per key/);
  assert.match((await run('--version')).out, /^otpnode \d+\.\d+\.\d+\n$/);
  assert.deepEqual([help.code, help.err], [0, '']);
});
