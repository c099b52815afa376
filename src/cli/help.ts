// The text of `otpnode --help`, laid out by yargs, which is loaded for nothing else: that takes longer than starting a node.
import yargs from 'yargs';

/** The text of `--help` for a terminal of that width. */
export async function helpText(columns = 100): Promise<string> {
  const cli = yargs([])
    .scriptName('otpnode')
    .wrap(Math.min(columns, 110))
    .version(false)
    .help(false)
    .usage(
      'otpnode --name NAME@HOST [--cookie C] [--app APP] [-config FILE…]\n' +
        'otpnode COMMAND [ARGUMENTS]\n\n' +
        'Runs a node of an Erlang cluster. The words of erl and iex are understood, with one dash or two.',
    );
  for (const [name, text] of COMMAND_TEXTS) cli.command(name, text);
  for (const [group, options] of OPTIONS) {
    cli.options(Object.fromEntries(options.map(([name, description]) => [name, { description, group }])));
  }
  return `${await cli
    .epilogue(
      'Example, one node of three:\n' +
        '  otpnode --name abc@127.0.0.1 --cookie C --app distro -config config/a\n\n' +
        'Configuration files have the form of sys.config: see docs/cli.md and docs/configuration.md.',
    )
    .getHelp()}\n`;
}

const COMMAND_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['demo', 'three nodes, a failover and a takeover, told as they happen'],
  ['check', 'read the configuration files of a cluster and say what will go wrong'],
  ['status', 'ask a running node who runs what'],
  ['epmd', 'the port mapper daemon: serve, -daemon, -names, -kill'],
  ['inspect', 'show bytes of the external term format or of a connection as a tree'],
];

type Option = readonly [name: string, description: string];

const OPTIONS: readonly (readonly [group: string, options: readonly Option[]])[] = [
  [
    'The node',
    [
      ['name', 'long name, abc@127.0.0.1; %p stands for the process id'],
      ['sname', 'short name, abc or abc@host'],
      ['cookie', 'the cookie (-setcookie C); without it ~/.erlang.cookie, as with erl'],
      ['setcookie NODE C', 'the cookie for one other node'],
      ['hidden', 'be a hidden node'],
      ['join N…', 'connect to these nodes, again when the connection is lost'],
    ],
  ],
  [
    'Applications',
    [
      ['app', 'start it: distro is built in, others are found through -pa'],
      ['pa DIR…', 'where applications are looked for: DIR/APP.js or a package'],
      ['config FILE…', 'configuration, FILE.config; a later one wins per key'],
      ['kernel K V…', 'a parameter of kernel, or of another application: -APP K V'],
      ['erl', 'more words of erl in one string'],
    ],
  ],
  [
    'Distribution',
    [
      ['proto_dist', 'inet_tcp, inet6_tcp, inet_tls or inet6_tls'],
      ['ssl_dist_optfile', 'a file with the options of TLS, in the form of OTP'],
      ['ssl_dist_opt K V…', 'single options of TLS: server_certfile F'],
      ['dist_listen', 'false: accept no connections'],
      ['start_epmd', 'false: start no port mapper where there is none'],
      ['epmd_port', 'the port of the port mapper (ERL_EPMD_PORT)'],
      ['erl_epmd_port', 'one port for all nodes, no port mapper'],
      ['connect_all', 'false: no full mesh'],
    ],
  ],
  [
    'Other',
    [
      ['log-level', 'debug, info (default), notice, warning, error, critical, alert, emergency, none'],
      ['log-format', 'auto (default), line or json'],
      ['help', 'this text'],
      ['version', 'the version'],
    ],
  ],
];
