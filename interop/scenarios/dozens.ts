// Dozens of nodes, most of them otpnodes, some BEAM: all join at once while they register names and take locks; then a
// third leaves at once, killed or by `global:disconnect/0`, while others come; then those that left in order come back.
// Each time all that are there are one network, the otpnodes agree on all names, no lock is left, and nobody waits.
//
// A BEAM node may lack names: while dozens of BEAM nodes alone join at once, one loses those of a node whose connection
// to it is just being made by both. It has none that the others have not.
import type { Cluster, Kind } from '../cluster.js';
import { type Agreement, atRest, type CrowdMember, crowd, saysNoMore } from '../crowd/crowd.js';
import { Random } from '../crowd/random.js';
import { until } from '../processes.js';
import type { Release } from '../releases.js';
import { check, type Suite, same } from '../suite.js';
import { trafficOf } from './traffic.js';

/** Otpnodes in one Node.js process. */
const SHARED = 8;
/** So many otpnodes and BEAM nodes join at first, and so many come later. */
const FIRST = { otpnodes: 3 * SHARED, beams: 4 };
const LATE = { otpnodes: SHARED, beams: 2 };
const JOINING_MS = 1500;
const PATIENCE_MS = 120_000;

export function run(suite: Suite): void {
  const test = (title: string, beams: readonly Release[]) =>
    suite.test(
      `dozens of nodes${title}: all join at once, a third leaves while others come (global 3, 8, 13, 19)`,
      (cluster) => dozens(cluster, beams),
      {
        ...{ epmd: 'none', timeoutMs: 3 * PATIENCE_MS },
        ...(beams.length > 1 ? { mixed: beams.map(({ otp }) => otp) } : {}),
      },
    );
  test('', [suite.release]);
  if (!suite.first || suite.releases.size === 1) return;
  test(
    ' of several releases',
    ['25', '27', '29'].flatMap((otp) => suite.releases.get(otp) ?? []),
  );
}

async function dozens(cluster: Cluster, beams: readonly Release[]): Promise<void> {
  await cluster.startEpmd('beam');
  const [first, late] = await Promise.all([
    start(cluster, 'm', beams, FIRST),
    start(cluster, 'z', beams, LATE),
  ]);
  const random = new Random(7);
  const traffic = first.map((node) => node.ask(trafficOf(random, JOINING_MS)));
  await join(first, (i) => (i === 0 ? undefined : random.pick(first.slice(0, i))));
  await Promise.all(traffic);
  has(await atRest(first, PATIENCE_MS, agreement), first, []);

  const { killed, leaving, staying } = parted(first);
  await Promise.all([
    ...[...new Set(killed.map(({ proc }) => proc))].map((proc) => proc.kill()),
    ...leaving.map((node) => node.ask('leave')),
    join(late, () => random.pick(staying)),
  ]);
  const there = [...staying, ...late];
  has(await together(there), there, [...killed, ...leaving]);

  await join(leaving, () => random.pick(there));
  const all = [...there, ...leaving];
  has(await together(all), all, killed);
  const ours = (node: CrowdMember) => node.kind === 'otpnode';
  saysNoMore(
    first.filter(ours),
    first.filter((node) => !ours(node)),
    /^listening on \S+ without TLS|^'global' at node NODE (requested disconnect from|disconnected( old)?) node NODE/,
  );
}

function start(
  cluster: Cluster,
  letter: string,
  beams: readonly Release[],
  { otpnodes, beams: count }: typeof FIRST,
): Promise<CrowdMember[]> {
  const role = (i: number): string => `${letter}${String(i).padStart(2, '0')}`;
  // by turns, so that both kinds are asked to connect by both
  const every = Math.ceil(otpnodes / count) + 1;
  const kinds = Array.from({ length: otpnodes + count }, (_, i): [string, Kind] => {
    const beam = i % every === 1 ? beams[Math.floor(i / every) % beams.length] : undefined;
    return [role(i), beam ?? 'otpnode'];
  });
  return crowd(cluster, Object.fromEntries(kinds), { shared: SHARED });
}

/** All at once: each registers a name, one that it has for sure and one that all want, and connects to another. */
async function join(
  nodes: readonly CrowdMember[],
  seedOf: (i: number) => CrowdMember | undefined,
): Promise<void> {
  await Promise.all(
    nodes.map(async (node, i) => {
      const seed = seedOf(i);
      const own = node.register(ownName(node));
      const wanted = node.register('wanted');
      if (seed !== undefined) await node.connect(seed);
      await Promise.all([own, wanted]);
    }),
  );
}

/**
 * Waits until they are one network, in which there may have been islands: who leaves while others come may part those. BEAM
 * nodes do not dial again by themselves.
 */
function together(nodes: readonly CrowdMember[]): Promise<string> {
  const [hub] = nodes as [CrowdMember];
  return until('all that are there are one network', PATIENCE_MS, async () => {
    await Promise.all(nodes.slice(1).map((node) => node.connect(hub)));
    return atRest(nodes, 15_000, agreement);
  });
}

function agreement(one: CrowdMember): Agreement {
  return one.kind === 'otpnode' ? same : noneMore;
}

function noneMore(names: string, first: string, what: string): void {
  const all = new Set(entries(first));
  const more = entries(names).filter((entry) => !all.has(entry));
  check(more.length === 0, `${what}, or fewer: but ${more}`);
}

/** `{Name,{Node,Number,Serial}}` of a list of them. */
function entries(names: string): readonly string[] {
  return names.match(/\{(\w+|\{[^{}]*\}),\{[^{}]*\}\}/g) ?? [];
}

function ownName(node: CrowdMember): string {
  return `{own,${node.role}}`;
}

/** Fails unless the names of all who are there are known, and none of those who are gone. */
function has(names: string, there: readonly CrowdMember[], gone: readonly CrowdMember[]): void {
  for (const node of there) check(names.includes(ownName(node)), `${ownName(node)} is lost: ${names}`);
  for (const node of gone) check(!names.includes(ownName(node)), `${ownName(node)} is still there: ${names}`);
  check(names.includes('{wanted,'), `nobody has the name that all wanted: ${names}`);
}

/**
 * A BEAM node and all otpnodes of a process are killed; two otpnodes leave in order, and a BEAM node if it has
 * `global:disconnect/0`; the rest stays.
 */
function parted(nodes: readonly CrowdMember[]) {
  const [beamKilled, beamLeaving] = nodes.filter((node) => node.kind !== 'otpnode') as [
    CrowdMember,
    CrowdMember,
  ];
  const ours = nodes.filter((node) => node.kind === 'otpnode');
  const last = ours.at(-1) as CrowdMember;
  const killed = nodes.filter((node) => node === beamKilled || node.proc === last.proc);
  const leaves = typeof beamLeaving.kind !== 'string' && Number(beamLeaving.kind.otp) >= 25;
  const leaving = [...(leaves ? [beamLeaving] : []), ...ours.slice(1, 3)];
  return {
    killed,
    leaving,
    staying: nodes.filter((node) => !killed.includes(node) && !leaving.includes(node)),
  };
}
