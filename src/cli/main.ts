#!/usr/bin/env node
// `otpnode`: starts a node, or one of the commands. What a run does not need is not loaded.
import { readFileSync } from 'node:fs';
import { COMMANDS } from './erl_words.js';

const LINGER_MS = 1000;

type Command = (typeof COMMANDS)[number];

const output = {
  out: (text: string): void => void process.stdout.write(text),
  err: (text: string): void => void process.stderr.write(text),
};

/** Runs the command line; resolves to the exit code. A node runs until it is stopped. */
async function main(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first !== undefined && (COMMANDS as readonly string[]).includes(first)) {
    return await command(first as Command, rest);
  }
  const { readFlags } = await import('./flags.js');
  const flags = readFlags(first === 'help' ? ['--help', ...rest] : argv);
  if (flags.help || argv.length === 0) {
    const { helpText } = await import('./help.js');
    output.out(await helpText(process.stdout.columns));
    return 0;
  }
  if (flags.version) {
    output.out(`otpnode ${version()}\n`);
    return 0;
  }
  const { runNode } = await import('./run.js');
  return await runNode(flags);
}

async function command(name: Command, argv: readonly string[]): Promise<number> {
  switch (name) {
    case 'epmd':
      return await (await import('./epmd_main.js')).epmdMain(argv, process.env);
    case 'check':
      return await (await import('./check.js')).checkMain(argv, output);
    case 'status':
      return await (await import('./status.js')).statusMain(argv, output);
    case 'demo':
      return await (await import('./demo.js')).demoMain(argv, output);
    case 'inspect':
      return (await import('./inspect_main.js')).inspectMain(argv, output);
  }
}

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { finalLine } = await import('./final_line.js');
  output.err(`${finalLine(error)}\n`);
  process.exitCode = 1;
}
// What an application left open (a timer, a socket) does not keep a stopped node from ending.
setTimeout(() => process.exit(), LINGER_MS).unref();
