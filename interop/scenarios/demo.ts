// `npm start`: the demo with a real iex in it, and without Erlang; it tells what happens, and leaves nothing behind.
import { type Cluster, OTPNODE } from '../cluster.js';
import { epmdNames } from '../epmd_names.js';
import { check, type Suite, same } from '../suite.js';

/** What `npm start` may take, in ms. */
const LIMIT_MS = 60_000;

export function run(suite: Suite): void {
  const elixir = `iex, Elixir ${suite.release.elixir} on OTP ${suite.release.otp}`;
  suite.test('the demo, where iex is installed', (cluster) =>
    demo(cluster, `${suite.release.bin}:${process.env['PATH']}`, elixir),
  );
  if (!suite.whole) return;
  suite.test('the demo, on a machine without Erlang', (cluster) => demo(cluster, cluster.dir, 'otpnode'), {
    epmd: 'none',
  });
}

/** Plays it with that PATH; `bcd` is what plays bcd. */
async function demo(cluster: Cluster, path: string, bcd: string): Promise<void> {
  const proc = cluster.run('demo', [...OTPNODE, 'demo'], { PATH: path });
  const ended = await proc.exited;
  same(String(ended.code), '0', 'exit code of the demo');
  check(ended.at - proc.startedAt < LIMIT_MS, `it took ${ended.at - proc.startedAt} ms`);
  const told = [
    `started abc (otpnode), bcd (${bcd}), def (otpnode)`,
    'asked on def: Distro.DistroCal.add(1, 2) = 3',
    'kill -9 abc',
    `distro runs on bcd (${bcd})`,
    'asked on def: Distro.DistroCal.add(20, 22) = 42',
    'abc has taken distro over from bcd',
    '(refused: 0)',
    'asked on bcd: Distro.DistroCal.add(40, 2) = 42',
    'iex --name me@127.0.0.1',
  ];
  let from = 0;
  for (const text of told) {
    const at = proc.lines.findIndex((line, i) => i >= from && line.text.includes(text));
    check(at >= 0, `it does not tell "${text}", or not in its turn`);
    from = at;
  }
  const port = Number(/EPMD, ours, listens on port (\d+)/.exec(proc.output())?.[1]);
  same(String(await epmdNames(port)), 'undefined', 'names at the EPMD of the demo, which should have ended');
}
