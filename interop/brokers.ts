// RabbitMQ and ejabberd, as Debian installs them, with folders and ports of their own, as nodes of a test's cluster.
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, HOST } from './cluster.js';
import { freePort } from './epmd_names.js';
import type { Proc } from './processes.js';

const RABBITMQ = '/usr/lib/rabbitmq/bin';
const EJABBERDCTL = '/usr/sbin/ejabberdctl';
/** Both run with the machine's own Erlang. */
const ERL = '/usr/bin/erl';

/** What a command said, both of its outputs, and its exit code. */
export interface Said {
  readonly code: number;
  readonly text: string;
}

/** One node of a broker. */
export interface Broker {
  readonly node: string;
  readonly proc: Proc;
  /** Runs its command line tool, `rabbitmqctl` or `ejabberdctl`. */
  ctl(...words: readonly string[]): Promise<Said>;
}

/** Says what is missing to play with brokers; undefined: nothing is. */
export function missing(): string | undefined {
  const absent = [
    ...(existsSync(join(RABBITMQ, 'rabbitmq-server')) ? [] : ['rabbitmq-server']),
    ...(existsSync(EJABBERDCTL) ? [] : ['ejabberd']),
  ];
  if (absent.length > 0) {
    const packages = absent.join(' ');
    return `--brokers needs ${packages} of Debian: apt-get install ${packages}; it need not run as a service`;
  }
  return process.getuid?.() === 0 ? undefined : '--brokers needs root, as ejabberdctl does';
}

/** Starts a RabbitMQ node and waits until it is up. */
export async function rabbitmq(cluster: Cluster, role: string): Promise<Broker> {
  const folder = cluster.folder(role);
  const cookie = join(cluster.dir, '.erlang.cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, cluster.cookie);
  chmodSync(cookie, 0o400);
  writeFileSync(join(folder, 'rabbitmq.conf'), 'log.console = true\n');
  const node = `${role}@${HOST}`;
  const env = {
    RABBITMQ_NODENAME: node,
    RABBITMQ_USE_LONGNAME: 'true',
    RABBITMQ_NODE_IP_ADDRESS: HOST,
    RABBITMQ_NODE_PORT: String(await freePort()),
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'schema'),
    // its script makes way for the node, which is what is to be ended
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const proc = cluster.run(`${role} (RabbitMQ)`, [join(RABBITMQ, 'rabbitmq-server')], env, folder);
  await proc.line(/Server startup complete/, 90_000);
  const tool = [join(RABBITMQ, 'rabbitmqctl'), '--longnames', '-n', node];
  return { node, proc, ctl: (...words) => command(cluster, [...tool, ...words], env) };
}

/** Starts an ejabberd node and waits until it is up. */
export async function ejabberd(cluster: Cluster, role: string): Promise<Broker> {
  const folder = cluster.folder(role);
  const [spool, logs] = [cluster.folder(join(role, 'spool')), cluster.folder(join(role, 'log'))];
  const config = join(folder, 'ejabberd.yml');
  const listen = `listen: [{port: ${await freePort()}, ip: "${HOST}", module: ejabberd_c2s}]`;
  const modules = 'modules: {mod_ping: {}, mod_roster: {}, mod_disco: {}}';
  writeFileSync(config, `hosts: [localhost]\nloglevel: info\n${listen}\n${modules}\n`);
  writeFileSync(join(folder, 'inetrc'), '{lookup, ["file"]}.\n');
  // the tool reads this as a shell script: it would change to the user ejabberd otherwise
  writeFileSync(
    join(folder, 'ejabberdctl.cfg'),
    `EXEC_CMD=as_current_user\nERL_OPTIONS="-setcookie ${cluster.cookie}"\n`,
  );
  const node = `${role}@${HOST}`;
  // what `ejabberdctl foreground` runs, without the shell around it
  const words = ['-name', node, '-setcookie', cluster.cookie, '-noinput', '-start_epmd', 'false'];
  const env = {
    ERL_LIBS: '/usr/lib/x86_64-linux-gnu',
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(logs, 'ejabberd.log'),
    ERL_INETRC: join(folder, 'inetrc'),
  };
  const start = [ERL, ...words, '-mnesia', 'dir', `"${spool}"`, '-s', 'ejabberd'];
  const proc = cluster.run(`${role} (ejabberd)`, start, env, folder);
  await proc.line(/ is started in the node /, 60_000);
  const tool = [EJABBERDCTL, '--node', node, '--config-dir', folder, '--spool', spool, '--logs', logs];
  return { node, proc, ctl: (...more) => command(cluster, [...tool, ...more], {}) };
}

function command(cluster: Cluster, words: readonly string[], env: NodeJS.ProcessEnv): Promise<Said> {
  const [file, ...args] = words as [string, ...string[]];
  return new Promise((resolve) => {
    const options = { env: { ...cluster.env(), ...env }, cwd: cluster.dir, timeout: 60_000 };
    execFile(file, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), text: `${stdout}${stderr}` }),
    );
  });
}
