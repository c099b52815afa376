// A typed client of the tutorial's calculator, wherever in the cluster it runs. Start the tutorial, then
//
//   node build/docs/examples/calculator_client.js abc@127.0.0.1 secret 1 2 39
import { argv, env, pid } from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  atom,
  CallError,
  type CallOptions,
  type Client,
  read,
  request,
  startNode,
  tuple,
  typedClient,
} from 'otpnode';

/** The calculator is known to all nodes by this name. */
const SERVER = tuple(atom('global'), atom('Elixir.Distro.DistroCal'));

/** What it answers. */
const Calculator = {
  /** `{cal, X, Y}`: their sum. */
  add: request((x: number, y: number) => tuple(atom('cal'), x, y), read.integer),
};

/** The sum of all numbers, one call after the other. A calculator that moves to another node is found there. */
export async function sum(
  client: Client,
  numbers: readonly number[],
  options: CallOptions = {},
): Promise<number> {
  const calculator = typedClient(client, SERVER, Calculator, options);
  let total = 0;
  for (const each of numbers) total = await calculator.add(total, each);
  return total;
}

/** Joins the cluster, asks, and leaves. */
async function main(peer: string, cookie: string, numbers: readonly number[]): Promise<void> {
  const port = Number(env['ERL_EPMD_PORT'] ?? 4369);
  await using node = await startNode({ name: `client${pid}@127.0.0.1`, cookie, epmd: { port } });
  if (!(await node.connect(peer))) throw new Error(`cannot connect to ${peer}`);
  await node.global.sync(); // a node that has just come knows no names yet
  try {
    console.log(await sum(node.client, numbers, { timeoutMs: 2000, signal: AbortSignal.timeout(10_000) }));
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    // a request that never left cannot have had an effect: it may be sent again without a thought
    console.error(`${error.message} (${error.sent ? 'it may have been done' : 'nothing was done'})`);
    process.exitCode = 1;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [peer = 'abc@127.0.0.1', cookie = 'secret', ...words] = argv.slice(2);
  const numbers = words.map(Number);
  if (!numbers.every(Number.isSafeInteger))
    throw new Error(`only integers are added up, not ${words.join(' ')}`);
  await main(peer, cookie, numbers);
}
