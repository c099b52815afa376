// The module `application`, asked the same on a BEAM node and on otpnode: loading, dependencies, optional and included
// applications, restart types, parameters, and the errors of all of them.
import type { Status } from '../../src/cli/status.js';
import { type Cluster, HOST, nodeName, OTPNODE } from '../cluster.js';
import { library } from '../golden/libraries.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const HERE = `[:"NODE"]`;

/** Functions of `application` and their arguments, in Elixir; `NODE` is the node that is asked. */
const QUESTIONS: readonly (readonly [string, string])[] = [
  // loading
  ['load', library('lib', { env: '[a: 1, b: :two]' })],
  ['load', library('lib')],
  ['load', ':no_such_application'],
  ['load', '{:application, :lib}'],
  ['load', '{:application, :wrong, :not_a_list}'],
  ['load', '{:application, :wrong, [mod: :not_a_pair]}'],
  ['load', library('needs_lib', { applications: '[:kernel, :lib]' })],
  ['load', library('needs_none', { applications: '[:missing]', optional_applications: '[:missing]' })],
  ['load', library('wants_lib', { applications: '[:lib]', optional_applications: '[:lib]' })],
  ['load', library('needs_missing', { applications: '[:missing]' })],
  ['load', library('part')],
  ['load', library('whole', { included_applications: '[:part]' })],
  // keys and parameters
  ['get_key', ':needs_lib, :applications'],
  ['get_key', ':needs_none, :optional_applications'],
  ['get_key', ':whole, :included_applications'],
  ['get_key', ':lib, :start_phases'],
  ['get_key', ':lib, :mod'],
  ['get_key', ':lib, :no_such_key'],
  ['get_key', ':missing, :vsn'],
  ['get_env', ':lib, :a'],
  ['get_env', ':lib, :c'],
  ['get_env', ':lib, :c, 3'],
  ['set_env', ':lib, :a, {:set, 1}'],
  ['set_env', ':lib, :c, 4'],
  ['get_env', ':lib, :a'],
  ['unset_env', ':lib, :a'],
  ['get_env', ':lib, :a'],
  ['get_env', ':lib, :c'],
  // starting
  ['start', ':lib, :sometimes'],
  ['start', ':no_such_application'],
  ['start', ':needs_lib'],
  ['start', ':needs_missing'],
  ['start', ':needs_none'],
  ['ensure_all_started', ':needs_missing'],
  ['ensure_all_started', ':no_such_application'],
  ['ensure_all_started', ':needs_lib'],
  ['ensure_all_started', ':needs_lib'],
  ['start', ':lib'],
  ['ensure_started', ':lib'],
  ['ensure_all_started', ':wants_lib, :permanent'],
  ['start', ':whole, :transient'],
  ['start', ':part'],
  ['unload', ':lib'],
  // stopping
  ['stop', ':no_such_application'],
  ['stop', ':needs_missing'],
  ['stop', ':needs_lib'],
  ['stop', ':needs_lib'],
  ['unload', ':needs_lib'],
  ['unload', ':needs_lib'],
  // distributed by load/2
  ['load', `${library('dist')}, {:other, ${HERE}}`],
  ['load', `${library('dist')}, {:dist, 0, :nobody}`],
  ['load', `${library('dist')}, {:dist, -1, ${HERE}}`],
  ['load', `${library('dist')}, {:dist, 5, ${HERE}}`],
  ['load', `${library('dist')}, {:dist, 5, ${HERE}}`],
  ['permit', ':dist, false'],
  ['start', ':dist'],
  ['permit', ':dist, true'],
  ['takeover', ':dist, :temporary'],
  ['takeover', ':lib, :temporary'],
  ['takeover', ':missing, :temporary'],
  ['permit', ':missing, true'],
  ['permit', ':lib, true'],
  ['stop', ':dist'],
];

/** What all of it leaves behind, as both kinds of node list it: an Elixir node has more of its own. */
const OWN = '[:lib, :needs_lib, :needs_none, :wants_lib, :part, :whole, :dist]';
const LISTS = [
  `:erpc.call(NODE, :application, :which_applications, []) |> Enum.filter(&(elem(&1, 0) in ${OWN}))`,
  `:erpc.call(NODE, :application, :loaded_applications, []) |> Enum.filter(&(elem(&1, 0) in ${OWN})) |> Enum.sort()`,
];
const INFO = [':started', ':running', ':starting', ':loading', ':start_p_false'].map(
  (key) =>
    `:erpc.call(NODE, :application, :info, [])[${key}] |> Enum.filter(&(elem(&1, 0) in ${OWN})) |> Enum.sort()`,
);
/** The record that `dist_ac` answers with, field by field. */
const DIST_AC = [
  ':gen_server.call({:dist_ac, NODE}, :info)',
  ':erpc.call(NODE, :dist_ac, :info, [])',
  ':gen_server.call({:dist_ac, NODE}, :get_known_nodes)',
  ':gen_server.call({:dist_ac, NODE}, {:get_nodes, :dist})',
];

export function run(suite: Suite): void {
  suite.test('applications: otpnode status is told the same by a BEAM node and by otpnode', (cluster) =>
    status(cluster, suite),
  );
  // `optional_applications` and with it the answers to half of this came with OTP 24
  if (Number(suite.release.otp) < 24) return;
  suite.test('applications: the module application answers as on BEAM', (cluster) => asked(cluster, suite));
}

async function asked(cluster: Cluster, suite: Suite): Promise<void> {
  const config = '[{kernel, [{start_dist_ac, true}]}].\n';
  const beam = await cluster.start('abc', suite.release, {
    config,
    app: false,
    args: ['--erl', '-connect_all false'],
  });
  const args = ['-connect_all', 'false', '-otpnode', 'remote_control', 'true'];
  const ours = await cluster.start('bcd', 'otpnode', { config, app: false, args });
  for (const peer of [beam, ours]) await cluster.registered(peer);
  const both = async (code: string): Promise<[string, string]> => {
    const [on, here] = await Promise.all(
      [beam, ours].map(async ({ node, atom }) => {
        const text = await cluster
          .ask(code.replaceAll(':"NODE"', atom).replaceAll('NODE', atom))
          .catch((error: Error) => error.message);
        return text.replaceAll(node, `NODE@${HOST}`);
      }),
    );
    return [on as string, here as string];
  };
  const differences: string[] = [];
  const ask = async (what: string, code: string): Promise<void> => {
    const [expected, got] = await both(code);
    if (got !== expected) differences.push(`${what}\n  BEAM:    ${expected}\n  otpnode: ${got}`);
  };
  for (const [fun, words] of QUESTIONS) {
    await ask(`application:${fun}(${words})`, `:erpc.call(NODE, :application, :${fun}, [${words}])`);
  }
  for (const code of [...LISTS, ...INFO, ...DIST_AC]) await ask(code, code);
  same(differences.join('\n'), '', `answers that differ from those of ${nodeName('abc')}`);
}

/** What `otpnode status` prints of a node, without what every node has of its own, in one order. */
async function told(cluster: Cluster, node: string): Promise<string> {
  const words = ['status', '--name', node, '--cookie', cluster.cookie, '--json'];
  const proc = cluster.run(`status of ${node}`, [...OTPNODE, ...words]);
  const { code } = await proc.exited;
  check(code === 0, `otpnode status ended with ${code}: ${proc.output()}`);
  const all = JSON.parse(proc.output()) as Status;
  const [distro] = all.distributed ?? [];
  return JSON.stringify({
    application: all.applications.find(({ name }) => name === 'distro'),
    distributed: distro && { ...distro, permitted: [...distro.permitted].sort() },
    known: [...all.known].sort(),
    timers: all.timers,
    pending: all.pending,
    locks: all.locks,
  });
}

async function status(cluster: Cluster, suite: Suite): Promise<void> {
  const config = { restartMs: 60_000 };
  await cluster.start('abc', suite.release, { config });
  const bcd = await cluster.start('bcd', 'otpnode', { config });
  const def = await cluster.start('def', suite.release, { config });
  await cluster.runsOn('abc');
  for (const peer of [bcd, def]) await peer.started();
  const abc = nodeName('abc');
  const agree = async (what: string, timers: string): Promise<void> => {
    await until(`${what} is told by both`, 15_000, async () => {
      const [ours, beam] = (await Promise.all([bcd, def].map((peer) => told(cluster, peer.node)))) as [
        string,
        string,
      ];
      same(ours, beam, what);
      check(beam.includes(`"timers":${timers}`) && beam.includes('"locks":[]'), beam);
      return true;
    });
  };
  await agree('abc runs it', '[]');
  await cluster.peer('abc').kill();
  await agree('abc died', `[{"application":"distro","since":"${abc}","restartMs":"60000"}]`);
}
