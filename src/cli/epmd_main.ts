// `otpnode epmd`: an EPMD in the words of BEAM's `epmd`, as a server, as a daemon, or asking one that runs.

import { type EpmdServerOptions, startEpmdServer } from '../dist/epmd.js';
import { isEpmd, isInUse, startEpmd } from '../dist/epmd_start.js';
import { dump, type EpmdAddress, kill, names, stop } from '../dist/erl_epmd.js';

const EPMD_USAGE = `usage: otpnode epmd [-port No] [-address List] [-relaxed_command_check] [-packet_timeout Seconds] [-daemon]
       otpnode epmd [-port No] -names | -dump | -kill | -stop Name | -started

  -port No                listen on, or ask at, another port than 4369 (ERL_EPMD_PORT)
  -address List           listen on these comma-separated addresses and on loopback only (ERL_EPMD_ADDRESS)
  -relaxed_command_check  allow -kill while nodes are registered, and -stop (ERL_EPMD_RELAXED_COMMAND_CHECK)
  -packet_timeout Seconds close connections that are idle for so long (60)
  -daemon                 run detached; ends quietly if one runs already
  -names                  list the registered nodes
  -dump                   list them and those that were
  -kill                   end the running epmd
  -stop Name              unregister a name
  -started                exit code 0 if one runs, else 1
`;

type Command = 'serve' | 'daemon' | 'names' | 'dump' | 'kill' | 'stop' | 'started' | 'help';

/** What the words of the command line ask for. */
export interface EpmdCommand {
  readonly command: Command;
  readonly stopName: string;
  readonly server: EpmdServerOptions;
}

/** Where the output goes; tests put their own in its place. */
export interface EpmdOutput {
  out(text: string): void;
  err(text: string): void;
}

const terminal: EpmdOutput = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** The words make no sense: its text says which. */
class UsageError extends Error {}

const COMMANDS: ReadonlyMap<string | undefined, Command> = new Map(
  (['daemon', 'names', 'dump', 'kill', 'stop', 'started', 'help'] as const).map((c) => [c, c]),
);

/** Reads the words behind `otpnode epmd`, with one dash or two, and the variables that BEAM's `epmd` reads. */
export function parseEpmd(argv: readonly string[], env: NodeJS.ProcessEnv): EpmdCommand {
  let command: Command = 'serve';
  let stopName = '';
  let port = env['ERL_EPMD_PORT'];
  let addresses = env['ERL_EPMD_ADDRESS'] ?? '';
  let relaxedCommandCheck = env['ERL_EPMD_RELAXED_COMMAND_CHECK'] !== undefined;
  let packetTimeout: string | undefined;
  const words = argv[Symbol.iterator]();
  const value = (option: string): string => {
    const next = words.next();
    if (next.done === true) throw new UsageError(`-${option} needs a value`);
    return next.value;
  };
  for (let next = words.next(); next.done !== true; next = words.next()) {
    const option = /^--?([a-z_]+)$/.exec(next.value)?.[1];
    const asked = COMMANDS.get(option);
    if (option === 'port') port = value(option);
    else if (option === 'address') addresses = value(option);
    else if (option === 'relaxed_command_check') relaxedCommandCheck = true;
    else if (option === 'packet_timeout') packetTimeout = value(option);
    else if (asked !== undefined) command = asked;
    else throw new UsageError(`${next.value} is no option of epmd`);
    if (asked === 'stop') stopName = value(asked);
  }
  return {
    command,
    stopName,
    server: {
      port: port === undefined ? undefined : number(port, 'port', 65535),
      addresses: addresses.split(/[ ,]+/).filter((address) => address !== ''),
      relaxedCommandCheck,
      packetTimeoutMs:
        packetTimeout === undefined ? undefined : number(packetTimeout, 'packet_timeout', 1_000_000) * 1000,
    },
  };
}

function number(text: string, option: string, highest: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > highest) {
    throw new UsageError(`-${option} takes a number from 1 to ${highest}, not "${text}"`);
  }
  return value;
}

/** Runs `otpnode epmd`. Resolves to its exit code; as a server, when it was ended. */
export async function epmdMain(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  output: EpmdOutput = terminal,
): Promise<number> {
  try {
    return await run(parseEpmd(argv, env), output);
  } catch (error) {
    output.err(`epmd: ${(error as Error).message.replace(/^epmd:? /, '')}\n`);
    if (error instanceof UsageError) output.err(EPMD_USAGE);
    return 1;
  }
}

async function run({ command, stopName, server }: EpmdCommand, output: EpmdOutput): Promise<number> {
  const address: EpmdAddress = { port: server.port };
  const upAndRunning = `epmd: up and running on port ${server.port ?? 4369} with data:\n`;
  switch (command) {
    case 'help':
      output.out(EPMD_USAGE);
      return 0;
    case 'serve':
      return await serve(server, output);
    case 'daemon':
      await startEpmd(server);
      return 0;
    case 'started':
      return await names(address).then(
        () => 0,
        () => 1,
      );
    case 'names': {
      const lines = (await names(address)).map((node) => `name ${node.name} at port ${node.port}\n`);
      output.out(upAndRunning + lines.join(''));
      return 0;
    }
    case 'dump':
      output.out(upAndRunning + (await dump(address)));
      return 0;
    case 'kill':
      if (await kill(address)) {
        output.out('Killed\n');
        return 0;
      }
      output.out('Killing not allowed - living nodes in database.\n');
      return 1;
    case 'stop': {
      const answer = await stop(stopName, address);
      if (answer === 'closed')
        throw new Error('the running epmd was not started with -relaxed_command_check');
      output.out(`${answer.toUpperCase()}\n`);
      return answer === 'stopped' ? 0 : 1;
    }
  }
}

async function serve(options: EpmdServerOptions, output: EpmdOutput): Promise<number> {
  try {
    const server = await startEpmdServer(options);
    await server.ended;
    return 0;
  } catch (error) {
    if (!isInUse(error) || !(await isEpmd(options))) throw error;
    output.err(`epmd: one runs already on port ${options.port ?? 4369}\n`);
    return 0;
  }
}
