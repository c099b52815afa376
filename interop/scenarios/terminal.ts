// A person at a real interactive iex: the tutorial's calls typed into a pseudo-terminal, answered by whoever runs the application.
import { type Cluster, type Kind, nodeName, type Peer } from '../cluster.js';
import { check, kindName, type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  for (const abc of [suite.release, 'otpnode'] as const) {
    suite.test(`iex in a terminal: what is typed is answered by ${kindName(abc)}`, (cluster) =>
      typed(cluster, suite, abc),
    );
    suite.test(`arithmetic: ${kindName(abc)} gives what Elixir's own server gives`, (cluster) =>
      arithmetic(cluster, suite, abc),
    );
  }
}

async function typed(cluster: Cluster, suite: Suite, abc: Kind): Promise<void> {
  const def = await suite.busily(async () => {
    await cluster.start('abc', abc);
    await cluster.start('bcd', abc);
    const peer = await cluster.start('def', suite.release, { terminal: true });
    await peer.proc.line(/Interactive Elixir/, 30_000);
    await cluster.runsOn('abc');
    return peer;
  });
  await answered(def, 'Distro.DistroCal.add(1, 2)', /^3$/);
  await answered(def, 'Distro.DistroCal.add(1, 2.0)', /^3\.0$/);
  await answered(def, 'Distro.DistroCal.add(1180591620717411303424, 1)', /^1180591620717411303425$/);
  await answered(
    def,
    'Distro.DistroCal.add("a", 1)',
    /\(ArithmeticError\) bad argument in arithmetic expression/,
  );
  await def.proc.line(/:erlang\.\+\("a", 1\)/, 20_000); // iex shows what was added
  await cluster.runsOn('abc'); // restarted
  await answered(def, 'Node.list() |> length()', /^2$/);
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  await answered(def, 'Distro.DistroCal.add(20, 22)', /^42$/);
  def.proc.type('System.halt(0)\r');
  await def.proc.exited;
}

/** Types a line and waits for its answer; colours and cursor movements of the terminal are taken out. */
async function answered(peer: Peer, input: string, answer: RegExp): Promise<void> {
  const from = peer.proc.lines.length;
  peer.proc.type(`${input}\r`);
  const looksFor = {
    test: (text: string) => answer.test(withoutEscapes(text)),
    toString: () => String(answer),
  };
  await peer.proc.line(looksFor, 15_000, from);
}

function withoutEscapes(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').trim();
}

/** At most three of them may fail: a supervisor's patience. */
const SUMS: readonly (readonly [string, string])[] = [
  ['1', '2'],
  ['1', '2.0'],
  ['0.1', '0.2'],
  ['1180591620717411303424', '1'],
  ['9007199254740991', '1'],
  ['-9223372036854775808', '-1'],
  ['1180591620717411303424', '-1180591620717411303424'],
  ['1.0e308', '1.0e308'],
  ['1180591620717411303424', '0.5'],
  ['"a"', '1'],
];

/** Every sum by the calculator and, beside it, by Elixir itself: the same value, or the same error. */
async function arithmetic(cluster: Cluster, suite: Suite, abc: Kind): Promise<void> {
  await suite.busily(async () => {
    await cluster.start('abc', abc);
    await cluster.start('bcd', suite.release);
    await cluster.start('def', suite.release);
    await cluster.runsOn('abc');
  });
  const def = cluster.peer('def');
  for (const [x, y] of SUMS) {
    const expected = await def.eval(
      `try do apply(Kernel, :+, [${x}, ${y}]) rescue e -> {:raised, Exception.message(e)} end`,
    );
    const actual = await def.eval(
      `try do Distro.DistroCal.add(${x}, ${y}) catch :exit, {{reason, stack}, {GenServer, :call, [{:global, Distro.DistroCal}, {:cal, ${x}, ${y}}, 5000]}} -> {:raised, Exception.message(Exception.normalize(:error, reason, stack))} end`,
    );
    same(actual, expected, `${x} + ${y}`);
    if (actual.startsWith('{:raised')) await cluster.runsOn('abc');
  }
  // an unknown request crashes the server with the reason that Elixir's has, and it comes back
  const unknown = await def.eval(
    'try do GenServer.call({:global, Distro.DistroCal}, {:no_such, 1}) catch :exit, {{reason, [_ | _]}, {GenServer, :call, _}} -> reason end',
  );
  check(unknown.startsWith(':function_clause'), `an unknown request gives ${unknown}`);
  await cluster.runsOn('abc');
  same(
    await def.eval(`node(:global.whereis_name(Distro.DistroCal))`),
    `:"${nodeName('abc')}"`,
    'who has the name',
  );
}
