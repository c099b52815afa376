// Whatever a connected peer sends to the services of a node ends in an answer, a line in the log or nothing: no service
// ends, no process is left, what was kept for the peer goes with it, and the node still answers.
//
// Messages are made of the words that each service knows, in right and wrong places, and of random terms. Left out is
// what makes a BEAM node end a service too: exits in the name of its parent, and orders of `sys` and of supervisors.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import * as control from '../../src/dist/control.js';
import { loadConfig } from '../../src/kernel/config.js';
import { type Node, startNode } from '../../src/node.js';
import { type Atom, atom, atomOrBoolean } from '../../src/terms/atom.js';
import { ImproperList } from '../../src/terms/list.js';
import { TermMap } from '../../src/terms/map.js';
import { integer } from '../../src/terms/number.js';
import { equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { arbitraryTerm } from '../support/arbitrary_term.js';
import { eventually } from '../support/memory_cluster.js';
import { ScriptedPeer } from '../support/wire.js';

const wordsOf = (text: string): (Atom | boolean)[] => text.split(' ').map(atomOrBoolean);

/** What each service knows. */
const VOCABULARY: Readonly<Record<string, readonly (Atom | boolean)[]>> = {
  net_kernel: wordsOf(
    'is_auth spawn spawn_link spawn_opt registered_send link aux_ticker ticktime new_ticktime',
  ),
  global_name_server: wordsOf(
    'init_connect init_connect_ack cancel_connect locker no_longer_a_pid lock_set exchange resolved unused new_nodes vsn ' +
      'lock in_sync async_del_name async_del_lock lost_connection remove_connection whereis insert delete register ' +
      'unregister register_ext set_lock del_lock sync get_known get_synced get_names_ext get_protocol_version info global',
  ),
  rex: wordsOf(
    'call block_call cast sbcast send features_request user send_stdout_to_caller erlang node apply',
  ),
  dist_ac: wordsOf(
    'dist_ac_new_node dist_ac_app_loaded dist_ac_app_unloaded dist_ac_weight dist_ac_app_started dist_ac_app_stopped ' +
      'dist_ac_new_permission appl local ok error undefined distro run_waiting failover takeover load_application permit',
  ),
  application_controller: wordsOf(
    'load_application start_application permit_application start_type set_env unset_env config_change which_applications ' +
      'loaded_applications info application distro temporary kernel application_started ac_load_application_reply',
  ),
  user: wordsOf(
    'io_request put_chars get_chars get_line get_until get_password setopts getopts get_geometry requests unicode latin1 ' +
      'io_lib format columns',
  ),
  logger: wordsOf('add_handler set_handler_config remove_handler get_config log'),
  error_logger: wordsOf('info_report notify error info_msg error_report gl'),
  logger_proxy: wordsOf('log error warning info debug pid mfa file line domain time gl report report_cb'),
  kernel_sup: wordsOf('which_children count_children get_childspec start_child'),
  init: wordsOf('script_loaded get_arguments get_plain_arguments request_status fetch_loaded'),
  erl_prim_loader: wordsOf('get_file get_cwd list_dir read_file_info'),
  global_locker: wordsOf('lock_set'),
  global_group: wordsOf(
    'global_groups own_nodes info sync monitor_nodes whereis_name registered_names send ng_add_check find_name find_name_res ' +
      'registered_names_res conf_check config_ok config_error nodeup nodedown disable_pinging normal hidden all node group',
  ),
  pg: wordsOf('discover sync join leave monitor group unmonitor'),
};
const NAMES = Object.keys(VOCABULARY);
const GEN_CALL = atom('$gen_call');
const GEN_CAST = atom('$gen_cast');
const SYSTEM = atom('system');
const ALIAS = atom('alias');
const DOWN = atom('DOWN');
const NODEDOWN = atom('nodedown');

const deep = (depth: number): Term => {
  let term: Term = [];
  for (let i = 0; i < depth; i++) term = i % 2 === 0 ? [term] : tuple(term);
  return term;
};
const DEEP = deep(3000);

/** Messages per peer, and peers. */
const MESSAGES = 20;
const RUNS = 42;

/** A message for who knows these words; `own` are pids of the node. */
function message(words: readonly Term[], peer: ScriptedPeer, own: readonly Pid[]): fc.Arbitrary<Term> {
  const known = fc.constantFrom(...words);
  const node = own[0]?.node as Atom;
  const pids = fc.oneof(
    fc.nat(3).map((n) => new Pid(peer.node, n, 0, peer.creation)),
    fc.constantFrom(...own, new Pid(node, 9999, 1, 3), new Pid(atom('third@127.0.0.1'), 1, 2 ** 31, 7)),
  );
  const refs = fc.nat(5).map((n) => new Reference(peer.node, peer.creation, [n, n, n]));
  const numbers = fc.oneof(
    fc.integer({ min: -2, max: 9 }),
    fc.constantFrom<Term>(2 ** 53 - 1, integer(2n ** 70n)),
  );
  const leaf = fc.oneof(
    { weight: 4, arbitrary: known },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Term>(node, peer.node, atom('third@127.0.0.1'), atom('nonsense'), true),
    },
    { weight: 2, arbitrary: pids },
    refs,
    numbers,
    fc.constantFrom<Term>([], tuple(), new TermMap([]), new Uint8Array(3), DEEP),
    arbitraryTerm(),
  );
  const { term } = fc.letrec<{ term: Term; items: Term[] }>((tie) => ({
    items: fc.array(tie('term'), { maxLength: 6 }),
    term: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      leaf,
      fc.tuple(known, tie('items')).map(([tag, items]) => new Tuple([tag, ...items])),
      tie('items'),
      tie('items').map((items) => new Tuple(items)),
      fc.array(fc.tuple(leaf, tie('term')), { maxLength: 3 }).map((pairs) => new TermMap(pairs)),
    ),
  }));
  const request = fc.oneof(
    term,
    fc.tuple(known, fc.array(term, { maxLength: 6 })).map(([tag, items]) => new Tuple([tag, ...items])),
  );
  const tag = fc.oneof(
    refs,
    refs.map((ref) => new ImproperList([ALIAS], ref)),
    refs.map((ref) => [new ImproperList([ALIAS], ref), 1] as Term),
    term,
  );
  const from = fc.oneof({ weight: 9, arbitrary: fc.tuple(pids, tag).map((pair) => new Tuple(pair)) }, term);
  const debug = fc.constantFrom<Term>(
    atom('get_state'),
    atom('get_status'),
    tuple(atom('debug'), atom('get')),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.tuple(from, request).map(([who, what]) => tuple(GEN_CALL, who, what)) },
    { weight: 3, arbitrary: request.map((what) => tuple(GEN_CAST, what)) },
    { weight: 4, arbitrary: request },
    fc.tuple(pids, request).map((pair) => new Tuple(pair)),
    fc.tuple(from, debug).map(([who, what]) => tuple(SYSTEM, who, what)),
    fc.tuple(refs, pids, term).map(([ref, pid, why]) => tuple(DOWN, ref, atom('process'), pid, why)),
    leaf.map((which) => tuple(NODEDOWN, which)),
  );
}

interface Fuzzed {
  readonly node: Node;
  readonly lines: string[];
}

async function booted(t: TestContext, more: readonly string[]): Promise<Fuzzed> {
  const lines: string[] = [];
  const words = ['distributed', "[{distro,['fuzzed@127.0.0.1']}]", ...more];
  const config = { flags: [{ application: 'kernel', words }] };
  const node = await startNode({
    name: 'fuzzed@127.0.0.1',
    cookie: 'c',
    listen: false,
    epmd: false,
    autoConnect: 'never',
    config: loadConfig(config),
    log: (_, text) => void lines.push(text),
    output: () => {},
  });
  t.after(() => node.stop());
  return { node, lines };
}

/** Resolves when `net_kernel` has answered that peer: then all that it sent before has arrived. */
async function answered(peer: ScriptedPeer): Promise<void> {
  const ref = new Reference(peer.node, peer.creation, [peer.received.length, 2, 3]);
  const self = new Pid(peer.node, 1, 0, peer.creation);
  const asked = tuple(GEN_CALL, tuple(self, ref), tuple(atom('is_auth'), peer.node));
  peer.say(tuple(control.REG_SEND, self, atom(''), atom('net_kernel')), asked);
  const answer = tuple(ref, atom('yes'));
  await eventually('net_kernel answers', () =>
    peer.received.some(({ payload }) => payload !== undefined && equals(payload, answer)),
  );
}

/** A service by its name, or any process of the node by its pid. */
type Target = string | number;

const ALL = Object.values(VOCABULARY).flat();
const FAULT = /internal error|crashed|(Type|Range|Reference|Assertion)Error/;

/** Every third peer is of the group. */
const GROUP = Array.from({ length: RUNS / 3 }, (_, i) => `'peer${3 * i}@127.0.0.1'`);
const KINDS: readonly (readonly [string, readonly string[]])[] = [
  ['a node', []],
  ['a node of a global group', ['global_groups', `[{group,['fuzzed@127.0.0.1',${GROUP}]}]`]],
];

for (const [kind, parameters] of KINDS)
  test(`${kind}: absurd messages to every service and process harm none`, async (t) => {
    const fuzzed = await booted(t, parameters);
    const { node, lines } = fuzzed;
    const { system } = node;
    await node.pg.scope();
    await eventually(
      'dist_ac has introduced itself',
      () => system.whereis(atom('dist_ac'))?.links.size === 1,
    );
    lines.length = 0;
    const own = system.processes();
    const pids = own.map(({ pid }) => pid);
    let peers = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constantFrom<Target>(...NAMES), fc.nat(own.length - 1)),
        fc.nat(),
        async (target, seed) => {
          const peer = new ScriptedPeer(system, { name: `peer${++peers}@127.0.0.1` });
          const from = new Pid(peer.node, 1, 0, peer.creation);
          const known = typeof target === 'string' ? (VOCABULARY[target] as readonly Term[]) : ALL;
          const said =
            typeof target === 'string'
              ? tuple(control.REG_SEND, from, atom(''), atom(target))
              : tuple(control.SEND_SENDER, from, pids[target] as Pid);
          for (const one of fc.sample(message(known, peer, pids), { numRuns: MESSAGES, seed }))
            peer.say(said, one);
          await answered(peer);
          await eventually('all is taken', () => own.every(({ mailbox }) => mailbox.size === 0));
          const ended = own.filter(({ alive }) => !alive).map(({ pid }) => pid.key);
          const fault = lines.find((line) => FAULT.test(line))?.slice(0, 2000);
          assert.deepEqual(
            [ended, fault],
            [[], undefined],
            lines.map((line) => line.slice(0, 500)).join('\n'),
          );
          lines.length = 0;
          peer.channel.close(atom('disconnect'));
          assert.equal(system.findEntry(peer.node), undefined);
        },
      ),
      { numRuns: RUNS, seed: 20, endOnFailure: true },
    );
    await eventually('no process is left', () => system.processCount === own.length);
    await answered(new ScriptedPeer(system, { name: 'after@127.0.0.1' }));
  });
