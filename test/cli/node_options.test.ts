import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitErlFlags } from '../../src/cli/erl_words.js';
import { readFlags } from '../../src/cli/flags.js';
import { configOf, nodeOptions, type Surroundings } from '../../src/cli/node_options.js';
import type { NodeOptions } from '../../src/index.js';

const WHERE: Surroundings = { env: { HOME: '/home/me' }, cwd: '/', hostname: 'box.example.org', pid: 77 };

function options(line: string, where: Partial<Surroundings> = {}): NodeOptions {
  const flags = readFlags(splitErlFlags(line));
  const surroundings = { ...WHERE, ...where };
  return nodeOptions(flags, configOf(flags, surroundings), surroundings, () => {});
}

const nameOf = (line: string, where: Partial<Surroundings> = {}): readonly unknown[] => {
  const { name, nameMode } = options(`${line} --cookie C`, where);
  return [name, nameMode];
};

test('names get the host of this machine, long or short, and the process id for %p', () => {
  assert.deepEqual(nameOf('--name a@1.2.3.4'), ['a@1.2.3.4', 'longnames']);
  assert.deepEqual(nameOf('--name a'), ['a@box.example.org', 'longnames']);
  assert.deepEqual(nameOf('--sname a'), ['a@box', 'shortnames']);
  assert.deepEqual(nameOf('--sname a@other'), ['a@other', 'shortnames']);
  assert.deepEqual(nameOf('--name svc-%p@h.x'), ['svc-77@h.x', 'longnames']);
  assert.throws(() => nameOf('--name a', { hostname: 'box' }), /Can't set long node name!.*--name a@HOST/);
  assert.throws(() => nameOf('--name a@h.x --sname b'), /a node has one name/);
  assert.throws(() => nameOf('-hidden'), /a node needs a name/);
});

test('the cookie of the command line, else the places of its file', () => {
  assert.equal(options('--sname a --cookie C').cookie, 'C');
  assert.equal(options('--sname a -nocookie').cookie, 'nocookie');
  const { cookie } = options('--sname a', { env: { HOME: '/h', XDG_CONFIG_HOME: '/x' } });
  assert.deepEqual(cookie, { home: '/h', xdgConfigHome: '/x' });
  assert.throws(() => options('--sname a --cookie λ'), /Latin-1/);
});

test('EPMD: port and addresses of the environment, the port of the command line first', () => {
  const env = { HOME: '/h', ERL_EPMD_PORT: '5000', ERL_EPMD_ADDRESS: '10.0.0.1, ::1' };
  const { epmd } = options('--sname a --cookie C -start_epmd false', { env });
  assert.deepEqual(epmd, { start: false, family: 4, addresses: ['10.0.0.1', '::1'], port: 5000 });
  assert.equal((options('--sname a -nocookie -epmd_port 5001', { env }).epmd as { port: number }).port, 5001);
  assert.throws(() => options('--sname a', { env: { ERL_EPMD_PORT: 'x' } }), /ERL_EPMD_PORT is a port/);
});

test('parameters of kernel become options of the node', () => {
  const words =
    'net_ticktime 8 net_setuptime 3 dist_auto_connect never connect_all false inet_dist_listen_min 9000 inet_dist_listen_max 9010 inet_dist_use_interface {127,0,0,1}';
  const made = options(`--sname a --cookie C -proto_dist inet6_tcp -erl_epmd_port 7000 -kernel ${words}`);
  assert.deepEqual(
    [made.netTicktime, made.setupTimeMs, made.autoConnect, made.connectAll, made.fixedPort, made.listen],
    [
      8,
      3000,
      'never',
      false,
      7000,
      { family: 6, checkIp: false, host: '127.0.0.1', portMin: 9000, portMax: 9010 },
    ],
  );
  assert.equal(options('--sname a --cookie C -dist_listen false').listen, false);
});

test('options of the sockets: the interface and dist_nodelay of their own count first', () => {
  const words =
    'inet_dist_listen_options [{nodelay,false},{keepalive,true},{backlog,5},{ip,{127,0,0,2}}] ' +
    'inet_dist_connect_options [{nodelay,false},{ip,{127,0,0,3}},{port,9100}] check_ip true';
  const made = options(`--sname a --cookie C -kernel ${words}`);
  const sockets = { noDelay: false, keepAlive: true, backlog: 5 };
  assert.deepEqual(made.listen, { family: 4, checkIp: true, ...sockets, host: '127.0.0.2' });
  assert.deepEqual(made.connect, { noDelay: false, localAddress: '127.0.0.3', localPort: 9100 });
  const first = options(
    `--sname a --cookie C -kernel ${words} dist_nodelay true inet_dist_use_interface {127,0,0,1}`,
  );
  assert.deepEqual(first.listen, { family: 4, checkIp: true, ...sockets, noDelay: true, host: '127.0.0.1' });
  assert.equal(first.connect?.noDelay, true);
  assert.throws(() => options('--sname a -epmd_module mine'), /to live without EPMD use -erl_epmd_port/);
});

test('what OTP has no parameter for is in the environment of otpnode', () => {
  const made = options('--sname a --cookie C -otpnode weight 3 heal rejoin remote_control true');
  assert.deepEqual([made.weight, made.heal, made.remoteControl], [3, 'rejoin', true]);
  assert.equal(options('--sname a --cookie C -otpnode heal off').heal, 'off');
  assert.equal(options('--sname a --cookie C').heal, undefined);
  assert.throws(
    () => options('--sname a -otpnode heal on'),
    /application: otpnode; erroneous parameter: heal.*on is not off or rejoin/,
  );
  assert.throws(
    () => options('--sname a -otpnode weight -1'),
    /application: otpnode; erroneous parameter: weight/,
  );
});
