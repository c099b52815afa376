// Random traffic of `global` from all sides of a crowd: names registered, taken away, processes killed, locks taken and
// left behind, while the nodes join and after. In the end all agree on all names, no lock is left, nobody waits, locks were
// held by one at a time, and no node has logged a line of a kind that the same traffic among BEAM nodes alone does not.
import type { Cluster, Kind } from '../cluster.js';
import { atRest, type CrowdMember, crowd, saysNoMore } from '../crowd/crowd.js';
import { Random } from '../crowd/random.js';
import type { Release } from '../releases.js';
import { check, type Suite, same } from '../suite.js';

/** Traffic while the nodes join, and when they are one network. */
interface Times {
  readonly joiningMs: number;
  readonly joinedMs: number;
}

export function run(suite: Suite): void {
  const beam = suite.release;
  const short = { joiningMs: 1200, joinedMs: 3000 };
  const test = (title: string, seed: number, beams: readonly Release[], size: number, times: Times) =>
    suite.test(
      `traffic ${title}: seed ${seed}, ${size} nodes (global 3, 19)`,
      (cluster) => traffic(cluster, seed, beams, size, times),
      {
        ...{ epmd: 'none', timeoutMs: times.joiningMs + times.joinedMs + 120_000 },
        ...(beams.length > 1 ? { mixed: beams.map(({ otp }) => otp) } : {}),
      },
    );
  test('of all kinds', 1, [beam], 4, short);
  const long = { joiningMs: 10_000, joinedMs: 50_000 };
  if (suite.product) {
    test('for a minute', 2 + Number(beam.otp), [beam], 9, long);
    if (suite.first) {
      const several = ['25', '27', '29'].flatMap((otp) => suite.releases.get(otp) ?? []);
      test('for a minute, several releases', 2, several, 12, long);
    }
  }
  for (let minute = 0; minute < suite.wishes.minutes; minute++) {
    const seed = (Date.now() % 1_000_000) + minute;
    test('for a minute', seed, [beam], 3 + new Random(seed).below(10), long);
  }
}

async function traffic(
  cluster: Cluster,
  seed: number,
  beams: readonly Release[],
  size: number,
  times: Times,
): Promise<void> {
  await cluster.startEpmd('beam');
  const random = new Random(seed);
  const otpnodes = Math.min(6, size - 1, Math.max(1, Math.floor(size / 2)));
  const places = random.shuffled(Array.from({ length: size }, (_, i) => i < otpnodes));
  const kind = (i: number): Release => beams[i % beams.length] as Release;
  const roles = (letter: string) => places.map((_, i) => `${letter}${String(i).padStart(2, '0')}`);
  const mixed = Object.fromEntries(
    roles('m').map((role, i): [string, Kind] => [role, places[i] === true ? 'otpnode' : kind(i)]),
  );
  const alone = Object.fromEntries(roles('b').map((role, i): [string, Kind] => [role, kind(i)]));
  // both at once: most of the time goes into pauses
  const [ours, theirs] = await Promise.all([
    play(cluster, mixed, new Random(seed), times),
    play(cluster, alone, new Random(seed), times),
  ]);
  saysNoMore(ours, theirs);
}

async function play(
  cluster: Cluster,
  kinds: Readonly<Record<string, Kind>>,
  random: Random,
  { joiningMs, joinedMs }: Times,
): Promise<readonly CrowdMember[]> {
  const nodes = await crowd(cluster, kinds);
  // a conflict that is there for sure, so that its log lines are
  for (const node of nodes) same(await node.register('contested'), 'true', 'register');
  const joining = nodes.map((node) => node.ask(trafficOf(random, joiningMs)));
  for (const [i, node] of nodes.entries()) {
    if (i > 0) same(await node.connect(random.pick(nodes.slice(0, i))), 'true', 'connect');
  }
  await Promise.all(joining);
  await atRest(nodes);
  const held = await Promise.all(nodes.map((node) => node.ask(trafficOf(random, joinedMs))));
  oneAtATime(held);
  const names = await atRest(nodes);
  check(names.includes('contested'), `the contested name is left: ${names}`);
  return nodes;
}

const STEPS: readonly ((random: Random) => string)[] = [
  ...Array(5).fill((random: Random) => `{register, ${name(random)}}`),
  (random) => `{re_register, ${name(random)}}`,
  ...Array(2).fill((random: Random) => `{unregister, ${name(random)}}`),
  ...Array(2).fill((random: Random) => `{kill, ${name(random)}}`),
  ...Array(2).fill((random: Random) => `{send, ${name(random)}}`),
  ...Array(3).fill((random: Random) => `{trans, ${resource(random)}, ${random.below(20)}}`),
  ...Array(2).fill((random: Random) => `{try_lock, ${resource(random)}, ${random.below(20)}}`),
  (random) => `{die_locked, ${resource(random)}}`,
  () => 'sync',
  ...Array(4).fill((random: Random) => `{pause, ${5 + random.below(60)}}`),
];

function name(random: Random): string {
  return `{name, ${random.below(12)}}`;
}

function resource(random: Random): string {
  return `{resource, ${random.below(6)}}`;
}

/** The request that makes a node do random things in two processes for that time. */
export function trafficOf(random: Random, ms: number): string {
  const program = () => `[${Array.from({ length: 60 }, () => random.pick(STEPS)(random)).join(', ')}]`;
  return `{traffic, ${ms}, [${program()}, ${program()}]}`;
}

/** Fails if two processes held a lock at the same time; `{Resource, From, To}` of each node. */
function oneAtATime(held: readonly string[]): void {
  const locks = new Map<string, (readonly [from: number, to: number, node: number])[]>();
  for (const [node, text] of held.entries()) {
    for (const [, key, from, to] of text.matchAll(/\{\{resource,(\d+)\},(\d+),(\d+)\}/g)) {
      const known = locks.get(key as string) ?? [];
      known.push([Number(from), Number(to), node]);
      locks.set(key as string, known);
    }
  }
  check(locks.size > 0, 'no lock was held at all');
  for (const [key, times] of locks) {
    times.sort(([a], [b]) => a - b);
    for (const [i, [from, , node]] of times.entries()) {
      const [, before = 0, other] = times[i - 1] ?? [];
      check(before <= from, `resource ${key} was held by nodes ${other} and ${node} at ${from}`);
    }
  }
}
