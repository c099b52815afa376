// Other nodes' dist_ac that wait for each other: what their runtimes say of them, and what is done about it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCircles, openWaits, type Place } from '../../src/kernel/dist_ac_circles.js';
import { Atom, atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { DistAcCluster, introduce, type ScriptedPeer, settle, terms } from '../support/dist_ac_cluster.js';

/** What `process_info` says of the dist_ac of each node: the function it is in, its queue. */
type Seen = Readonly<Record<string, readonly [fun: string, messages: string, length?: number]>>;

/** Nodes b and c as seen; what a logged, and who was told what. */
async function play(
  seen: Seen,
  places: readonly Place[] = [],
  work: typeof openCircles | typeof openWaits = openCircles,
): Promise<{ logs: string; b: ScriptedPeer; c: ScriptedPeer; fetched: number }> {
  const cluster = new DistAcCluster();
  const a = await cluster.boot('a', { distributed: '[{d1, [a, {b, c}]}]' });
  const [b, c] = [await introduce(cluster, a, 'b'), await introduce(cluster, a, 'c')];
  let fetched = 0;
  const rpc = async (
    _self: unknown,
    node: Atom,
    _m: Atom,
    fun: Atom,
    args: readonly Term[],
  ): Promise<Term> => {
    const name = node.name.slice(0, 1);
    const [inside, messages, length = 1] = seen[name] ?? ['loop', '[]'];
    if (fun.name === 'whereis') return (name === 'b' ? b : c).distAc.pid;
    if (args[1] instanceof Atom) {
      fetched++;
      return terms(`{messages, ${messages}}`);
    }
    return terms(
      `[{current_stacktrace, [{dist_ac, ${inside}, 7, []}, {gen_server, loop, 7, []}]}, {message_queue_len, ${length}}]`,
    );
  };
  await new Promise<void>((resolve) => {
    a.system.spawn(async (self) => {
      await work(self, rpc, [b.system.node, c.system.node], places);
      resolve();
    });
  });
  await settle();
  cluster[Symbol.dispose]();
  const logs = a.logs.filter((line) => line.includes('who waits for whom')).join('\n');
  return { logs, b, c, fetched };
}

test('one waits for a weight, the other for an announcement that the first cannot make: it is made for it', async () => {
  const { logs, b, c } = await play({
    b: ['collect_answers', '[{ac_application_run, d2, ok}, {dist_ac_new_node, 1, a, [], []}]'],
    c: ['wait_dist_start', '[{dist_ac_weight, d1, 6, b}, junk, {dist_ac_new_node, 1, a, [], []}]'],
  });
  assert.equal(await c.got('dist_ac_app_started'), '{dist_ac_app_started,b,d2,ok}');
  assert.equal(b.count('dist_ac_app_started'), 0);
  for (const said of [
    'b@127.0.0.1 has started d2 and not announced it',
    'c@127.0.0.1 waits until another node starts an application',
    'b@127.0.0.1 waits for the weight of c@127.0.0.1 for d1',
    'a@127.0.0.1 waits for b@127.0.0.1 to answer its introduction',
    'told c@127.0.0.1 that d2 runs on b@127.0.0.1',
  ]) {
    assert.ok(logs.includes(said), `${said}: not in ${logs}`);
  }
});

test('who waits without a start that is only not announced is named, and told nothing', async () => {
  const { logs, b, c } = await play({
    b: ['wait_dacs', '[]'],
    c: ['wait_dist_start', '[{dist_ac_new_node, 1, b, [], []}, {ac_application_run, d1, {error, no}}]'],
  });
  assert.match(logs, /b@127\.0\.0\.1 waits for c@127\.0\.0\.1 to answer its introduction/);
  assert.equal(b.count('dist_ac_app_started') + c.count('dist_ac_app_started'), 0);
});

test('who waits for a start and has not read who is to make it, is told', async () => {
  const [d1, a, b, c] = ['d1', 'a@127.0.0.1', 'b@127.0.0.1', 'c@127.0.0.1'].map((name) => atom(name)) as [
    Atom,
    Atom,
    Atom,
    Atom,
  ];
  const seen: Seen = {
    b: ['collect_answers', '[{dist_ac_new_node, 1, a, [], []}]'],
    c: ['wait_dist_start', '[{dist_ac_new_node, 1, a, [], []}]'],
  };
  const told = await play(seen, [{ app: d1, nodes: [a, b, c], at: a }]);
  assert.deepEqual(
    told.c.received.filter((message) => message.includes('started')),
    ['{dist_ac_app_started,b,d1,ok}', '{dist_ac_app_started,a,d1,ok}'],
  );
  assert.equal(told.b.count('started'), 0);
  assert.match(told.logs, /told c@127\.0\.0\.1 that d1 belongs to a@127\.0\.0\.1/);
  // it may wait for b, as it has to
  const right = await play(seen, [{ app: d1, nodes: [a, b, c], at: b }]);
  assert.equal(right.c.count('started'), 0);
});

test('who waits behind a node that starts nothing where it runs is told; what it waits for otherwise is left alone', async () => {
  const [d1, a, b, c] = ['d1', 'a@127.0.0.1', 'b@127.0.0.1', 'c@127.0.0.1'].map((name) => atom(name)) as [
    Atom,
    Atom,
    Atom,
    Atom,
  ];
  const places = [{ app: d1, nodes: [a, b, c], at: c, ahead: [a] }];
  const told = await play({ b: ['wait_dist_start', '[]'] }, places, openWaits);
  assert.deepEqual(
    told.b.received.filter((message) => message.includes('started')),
    ['{dist_ac_app_started,a,d1,ok}', '{dist_ac_app_started,c,d1,ok}'],
  );
  assert.match(told.logs, /told b@127\.0\.0\.1 that d1 belongs to c@127\.0\.0\.1/);
  // told before, and not read: it waits for another application
  const unread = '[{dist_ac_app_started, c, d1, ok}]';
  const other = await play({ b: ['wait_dist_start', unread] }, places, openWaits);
  assert.deepEqual([other.b.count('app_started'), other.logs], [0, '']);
  const weights = await play({ b: ['collect_answers', '[]'] }, places, openWaits);
  assert.deepEqual([weights.b.count('app_started'), weights.logs], [0, '']);
});

test('who does not wait is not spoken of; a long queue is not fetched; nonsense does no harm', async () => {
  const idle = await play({ b: ['loop', '[{ac_application_run, d1, ok}]'], c: ['handle_info', '[]'] });
  assert.deepEqual([idle.logs, idle.fetched, idle.c.count('dist_ac_app_started')], ['', 0, 0]);
  const long = await play({ b: ['wait_dist_start', '[]', 100_000] });
  assert.deepEqual([long.logs, long.fetched], ['', 0]);
  const odd = await play({
    b: ['collect_answers', 'nonsense'],
    c: ['wait_dist_start', '[{dist_ac_weight}, {ac_application_run, 1, ok}]'],
  });
  assert.equal(odd.b.count('dist_ac_app_started') + odd.c.count('dist_ac_app_started'), 0);
});
