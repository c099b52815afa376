// `npm run bench`: one BEAM client against a BEAM gen_server and against the same server on otpnode.
//
//   node build/interop/bench/main.js [--rounds N] [--ms N] [--otp NN] [--only TEXT] [--json] [--skip-starts] [--profile DIR]
//
// Both servers run at the same time and are measured in turn, round by round, so that what else the machine does
// meets both. Shown are medians and their ratio. Nothing else should run on the machine.
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster, nodeName, OTPNODE } from '../cluster.js';
import { type Proc, until } from '../processes.js';
import { ROOT, release } from '../releases.js';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '1000' },
    otp: { type: 'string', default: '25' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    'skip-starts': { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});

interface Row {
  readonly name: string;
  readonly beam: number;
  readonly otpnode: number;
  /** otpnode : BEAM, more than 1 is better than BEAM. */
  readonly ratio: number | undefined;
}

const BEAM = 'beam';
const OURS = 'otpnode';
const STARTS = 7;

async function main(): Promise<void> {
  const tested = await release(flags.otp);
  await using cluster = await Cluster.open({ release: tested });
  const conditions =
    `Node.js ${process.version}, OTP ${tested.otp} (Elixir ${tested.elixir}), ${cpus().length} x ${cpus()[0]?.model ?? 'CPU'}, ` +
    `load before ${loadavg()[0]?.toFixed(2)}, loopback, ${flags.rounds} rounds of ${flags.ms} ms, medians`;
  const starts: Row[] = flags['skip-starts'] ? [] : await startUps(cluster, join(tested.bin, 'elixir'));
  const beam = await server(cluster, BEAM, [
    join(tested.bin, 'elixir'),
    ...['--name', nodeName(BEAM), '--cookie', cluster.cookie, '--no-halt'],
    join(ROOT, 'interop', 'bench', 'server.exs'),
  ]);
  const profile = flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`];
  const ours = await server(cluster, OURS, [
    process.execPath,
    ...profile,
    join(ROOT, 'build', 'interop', 'bench', 'server.js'),
    nodeName(OURS),
    cluster.cookie,
  ]);
  const before = { beam: residentMiB(beam), ours: residentMiB(ours) };
  const rows: Row[] = [
    ...(await measured(cluster, join(tested.bin, 'elixir'))),
    ...starts,
    { name: 'MiB resident, idle', beam: before.beam, otpnode: before.ours, ratio: undefined },
    {
      name: 'MiB resident, after the rounds',
      beam: residentMiB(beam),
      otpnode: residentMiB(ours),
      ratio: undefined,
    },
  ];
  if (flags.json) console.log(JSON.stringify({ conditions, rows }, null, 2));
  else console.log(`${conditions}\n\n${table(rows)}`);
  if (flags.profile !== undefined) {
    ours.signal('SIGTERM');
    await ours.exited;
  }
}

/** Starts a server and waits until it is registered. */
async function server(cluster: Cluster, name: string, command: readonly string[]): Promise<Proc> {
  // the servers of a benchmark may wait as busily as they like
  const proc = cluster.run(name, command, { ERL_AFLAGS: undefined });
  await registered(cluster, proc, name);
  return proc;
}

function registered(cluster: Cluster, proc: Proc, name: string): Promise<true> {
  return until(`${name} is registered`, 20_000, async () => {
    if (proc.ended !== undefined) throw new Error(`${name} ended:\n${proc.output()}`);
    return (await cluster.names())?.has(name) === true ? true : undefined;
  });
}

/** Milliseconds from the start of a process until EPMD knows its node: EPMD is up, nothing else is waited for. */
async function startUps(cluster: Cluster, elixir: string): Promise<Row[]> {
  const start = async (name: string, command: readonly string[]): Promise<number> => {
    const proc = cluster.run(name, command, { ERL_AFLAGS: undefined });
    for (;;) {
      if (proc.ended !== undefined) throw new Error(`${name} ended:\n${proc.output()}`);
      if ((await cluster.names())?.has(name) === true) break;
    }
    const took = Date.now() - proc.startedAt;
    await proc.kill();
    return took;
  };
  const cookie = ['--cookie', cluster.cookie];
  const beam: number[] = [];
  const ours: number[] = [];
  const bare: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    beam.push(await start(`b${n}`, [elixir, '--name', nodeName(`b${n}`), ...cookie, '--no-halt']));
    ours.push(await start(`o${n}`, [...OTPNODE, '--name', nodeName(`o${n}`), ...cookie]));
    const proc = cluster.run('bare', [process.execPath, '-e', '0']);
    const ended = await proc.exited;
    bare.push(ended.at - proc.startedAt);
  }
  const row = (name: string, b: number, o: number): Row => ({ name, beam: b, otpnode: o, ratio: b / o });
  return [
    row('ms from start to registered (elixir, otpnode)', median(beam), median(ours)),
    { name: 'ms of a bare node -e 0', beam: Number.NaN, otpnode: median(bare), ratio: undefined },
  ];
}

/** What the BEAM client measured. */
async function measured(cluster: Cluster, elixir: string): Promise<Row[]> {
  const client = cluster.run(
    'client',
    [
      elixir,
      ...['--name', nodeName('client'), '--hidden', '--cookie', cluster.cookie],
      join(ROOT, 'interop', 'bench', 'client.exs'),
      ...[flags.rounds, flags.ms, flags.only, nodeName(BEAM), nodeName(OURS)],
    ],
    { ERL_AFLAGS: undefined },
  );
  const ended = await client.exited;
  if (ended.code !== 0) throw new Error(`the client failed:\n${cluster.report()}`);
  const values = new Map<string, Map<string, number[]>>();
  for (const { text } of client.lines) {
    const [name, node, value] = text.split('\t');
    if (name === undefined || node === undefined || value === undefined) continue;
    const row = values.get(name) ?? new Map<string, number[]>();
    values.set(name, row);
    row.set(node, [...(row.get(node) ?? []), Number(value)]);
  }
  return [...values].map(([name, row]) => {
    const beam = median(row.get(nodeName(BEAM)) ?? []);
    const ours = median(row.get(nodeName(OURS)) ?? []);
    return { name, beam, otpnode: ours, ratio: ours / beam };
  });
}

function residentMiB(proc: Proc): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${proc.pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function table(rows: readonly Row[]): string {
  const number = (value: number) =>
    Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  const line = (...cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line('', 'BEAM', 'otpnode', 'otpnode : BEAM'),
    line('---', '--:', '--:', '--:'),
    ...rows.map((row) => line(row.name, number(row.beam), number(row.otpnode), row.ratio?.toFixed(2) ?? '')),
  ].join('\n');
}

await main();
