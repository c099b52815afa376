// The README's tutorial, word for word: its three lines in interop/distro, its call at the prompt of iex.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, inTerminal, OTPNODE, type Peer } from '../cluster.js';
import { ROOT } from '../releases.js';
import { Stalls } from '../stalls.js';
import { check, type Suite } from '../suite.js';

export function run(suite: Suite): void {
  suite.test("the README's tutorial does what it says", (cluster) => tutorial(cluster, suite), {
    cookie: 'secret',
  });
}

async function tutorial(cluster: Cluster, suite: Suite): Promise<void> {
  const section =
    /^## The tutorial(.*?)^## /ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '';
  const lines = [...section.matchAll(/^(otpnode|iex) --name (\w+)@127\.0\.0\.1 .*$/gm)];
  check(lines.length === 3, `the README has ${lines.length} lines that start a node`);
  const typed = /^iex\(\S+\)1> (.*)\n(.*)$/m.exec(section);
  check(typed !== null, 'the README has no call at the prompt of iex');

  const env = environment(cluster, suite);
  const start = (role: string): Peer => {
    const [line, program] = lines.find(([, , name]) => name === role) as RegExpExecArray;
    const command = ['sh', '-c', `exec ${line}`];
    const proc = cluster.run(
      `${role}: ${program}`,
      program === 'iex' ? inTerminal(command) : command,
      env,
      join(ROOT, 'interop', 'distro'),
    );
    return cluster.adopt(role, program === 'iex' ? suite.release : 'otpnode', proc);
  };
  const call = async (peer: Peer, from: number) => {
    peer.proc.type(`${typed[1]}\r`);
    await peer.proc.line(new RegExp(`(^|[^\\d])${typed[2]}(\u001b\\S*)?$`), 20_000, from);
  };

  const [, , def] = ['abc', 'bcd', 'def'].map(start) as [Peer, Peer, Peer];
  await def.proc.line(/Interactive Elixir/, 60_000);
  await cluster.runsOn('abc');
  await call(def, def.proc.lines.length);
  const stalls = new Stalls();
  const killed = await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  const after = (await cluster.peer('bcd').startLine(20_000)).at - killed;
  check(
    after >= 5000 && after < 7000 + stalls.stop(),
    `bcd started it ${after} ms after the kill, the README says five seconds`,
  );
  await call(def, def.proc.lines.length);
  start('abc');
  await cluster.runsOn('abc');
}

/** `otpnode`, `iex` and `mix` on PATH; the project is compiled beside, not in, its folder. */
function environment(cluster: Cluster, suite: Suite): NodeJS.ProcessEnv {
  const bin = join(cluster.dir, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'otpnode'), `#!/bin/sh\nexec ${OTPNODE.join(' ')} "$@"\n`);
  chmodSync(join(bin, 'otpnode'), 0o755);
  return {
    PATH: `${bin}:${suite.release.bin}:${process.env['PATH']}`,
    MIX_BUILD_PATH: join(cluster.dir, 'build'),
  };
}
