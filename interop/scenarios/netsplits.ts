// Torn networks and what is left when they are mended: connections cut, nodes frozen, cookies changed, cables pulled. With
// prevention of overlapping partitions which islands come of a cut depends on what is heard first, among BEAM nodes as
// well; so islands are judged by what holds for all of them, and survivors by those of BEAM nodes alone.
import type { Cluster, Kind } from '../cluster.js';
import { Cable, namespacesRefused, type Side } from '../crowd/cable.js';
import { atRest, type CrowdMember, type CrowdOptions, crowd, saysNoMore } from '../crowd/crowd.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

interface Split {
  readonly nodes: readonly CrowdMember[];
  readonly left: readonly CrowdMember[];
  readonly right: readonly CrowdMember[];
  readonly prevent: boolean;
  readonly cable: Cable | undefined;
}

/** A way to tear a network and to mend it. */
interface Way {
  readonly name: string;
  readonly tear: (split: Split) => Promise<void>;
  /** Makes connecting possible again. */
  readonly mend: (split: Split) => Promise<void>;
  /** Who is on the right when all is torn: the roles, of `abcdef`. */
  readonly right: string;
  /** Whether nothing arrives from the other side any more, so that nobody there can part nodes of this one. */
  readonly silent: boolean;
  readonly cable?: boolean;
}

const WAYS: readonly Way[] = [
  { name: 'connections are cut', tear: cut, mend: async () => {}, right: 'def', silent: false },
  { name: 'a node is frozen', tear: freeze, mend: async () => {}, right: 'e', silent: true },
  { name: 'cookies are changed', tear: changeCookies, mend: restoreCookies, right: 'def', silent: false },
  { name: 'a cable is pulled', tear: pull, mend: plug, right: 'def', silent: true, cable: true },
];

/** Seconds until a silent node is given up. */
const TICKTIME = 2;
const ROLES = 'abcdef';

export async function run(suite: Suite): Promise<void> {
  const beam = suite.release;
  const refused = await namespacesRefused();
  suite.refused = refused !== undefined;
  if (refused !== undefined && suite.first) {
    console.log(`netsplits: no cable is pulled, for network namespaces cannot be made here: ${refused}`);
  }
  for (const [i, way] of WAYS.entries()) {
    if (way.cable === true && refused !== undefined) continue;
    for (const prevent of [true, false]) {
      // OTP 23 knows no prevention; with others than the whole matrix of OTP 25 each way is played once
      if (beam.otp === '23' ? prevent : !(suite.whole && suite.product) && prevent === (i % 2 === 1)) {
        continue;
      }
      suite.test(
        `netsplit: ${way.name}, ${prevent ? 'with' : 'without'} prevention (global 13, 14)`,
        async (cluster) => {
          // frozen and restarted by turns: `e` is otpnode in one, a BEAM node in the other
          const ours = prevent ? 'ace' : 'bd';
          const kinds = (us: string, network: number) =>
            [...ROLES].map((role): [string, Kind] => [
              `${role}${network}`,
              us.includes(role) ? 'otpnode' : beam,
            ]);
          if (way.cable !== true) await cluster.startEpmd('beam');
          // both at once: most of the time goes into waiting
          const [mixed, alone] = await Promise.all([
            play(cluster, kinds(ours, 1), way, prevent),
            play(cluster, kinds('', 2), way, prevent),
          ]);
          same(mixed.names, alone.names, 'the survivors');
          saysNoMore(mixed.nodes, alone.nodes, prevent ? ISLANDS : OURS);
        },
        { epmd: 'none' },
      );
    }
  }
}

/** What otpnode says in words of its own, with the cure: about networks without TLS, and other cookies. */
const OURS = /^listening on \S+ without TLS|^connection attempt (to|from) node NODE/;
/** And what prevention says, which differs from one run to the next. */
const ISLANDS = new RegExp(
  `${OURS.source}|^'global' at node NODE (requested disconnect from|disconnected) node NODE`,
);

interface Outcome {
  readonly nodes: readonly CrowdMember[];
  /** Who has which name in the end. */
  readonly names: string;
}

async function play(
  cluster: Cluster,
  kinds: readonly (readonly [string, Kind])[],
  way: Way,
  prevent: boolean,
): Promise<Outcome> {
  await using cable = way.cable === true ? await Cable.lay(cluster) : undefined;
  const side = (role: string): Side => (way.right.includes(role.charAt(0)) ? 'right' : 'left');
  const options: CrowdOptions = {
    ...{ prevent, netTicktime: TICKTIME, shared: 1 },
    ...(cable === undefined ? {} : { place: (role) => cable.place(side(role)) }),
  };
  const nodes = await crowd(cluster, Object.fromEntries(kinds), options);
  const split: Split = {
    ...{ nodes, prevent, cable },
    left: nodes.filter(({ role }) => side(role) === 'left'),
    right: nodes.filter(({ role }) => side(role) === 'right'),
  };
  await allConnected(nodes);
  for (const node of nodes) same(await node.register(`{own, ${node.role}}`), 'true', 'register');
  await way.tear(split);
  const islands = await torn(split, way);
  for (const island of islands) await contest(island);
  await way.mend(split);
  const names = await allConnected(nodes);
  for (const node of nodes) if (node.proc.ended === undefined) node.proc.endInput();
  await Promise.all(nodes.map((node) => node.proc.exited));
  // without what tells a process and the two networks apart
  const placed = names.replaceAll(/\{('\w+@[\d.]+'),\d+,\d+\}/g, '$1');
  return { nodes, names: placed.replaceAll(/\b([a-f])[12]\b/g, '$1') };
}

/** Connects all with all, which BEAM nodes do not do again by themselves, until they are one network; its names. */
function allConnected(nodes: readonly CrowdMember[]): Promise<string> {
  return until('all are one network again', 60_000, async () => {
    const pairs = nodes.flatMap((node, i) => nodes.slice(i + 1).map((other) => [node, other] as const));
    await Promise.all(pairs.map(([node, other]) => node.connect(other)));
    return atRest(nodes, 4000);
  });
}

/**
 * Waits until the network is torn: no connection from left to right, and islands in which all know all and nobody
 * else. Without prevention, and where nothing arrives from the other side, those are the two sides.
 */
async function torn({ nodes, left, right, prevent }: Split, way: Way): Promise<readonly CrowdMember[][]> {
  return until('islands in which all know all', 30_000, async () => {
    const seen = new Map(
      await Promise.all(nodes.map(async (node) => [node, await node.ask('nodes')] as const)),
    );
    const islands: CrowdMember[][] = [];
    for (const node of nodes) {
      const island = nodes.filter((other) => other === node || seen.get(node)?.includes(other.node));
      const sides = [left, right].filter((one) => one.some((member) => island.includes(member)));
      check(sides.length === 1, `${node.role} is connected to both sides: ${seen.get(node)}`);
      for (const other of island) {
        const all = island.filter((member) => member !== other).map((member) => member.node);
        same(
          seen.get(other) as string,
          `[${all.join(',')}]`,
          `nodes of ${other.role}, which ${node.role} sees`,
        );
      }
      if (!islands.some((known) => known.includes(node))) islands.push(island);
    }
    if (!prevent || way.silent) same(String(islands.length), '2', 'islands');
    for (const island of islands) await atRest(island, 1000);
    return islands;
  });
}

/** In each island the least of its nodes gets one name, the greatest another. */
async function contest(island: readonly CrowdMember[]): Promise<void> {
  const [least, greatest] = [island[0] as CrowdMember, island.at(-1) as CrowdMember];
  for (const method of ['random_exit_name', 'random_notify_name']) {
    same(await least.register(`{contested, ${method}}`, method), 'true', 'register');
  }
  same(await greatest.register('{contested, keep_greater}', 'keep_greater'), 'true', 'register');
  for (const node of island) {
    const again = await node.register('{contested, random_exit_name}');
    same(again, 'false', 'a name that is taken in this island');
  }
}

// --- the ways -------------------------------------------------------------------------------------------------------

async function cut({ left, right }: Split): Promise<void> {
  const pairs = left.flatMap((node) => right.map((other) => [node, other] as const));
  await Promise.all(pairs.map(([node, other]) => node.disconnect(other)));
}

async function freeze({ left, right }: Split): Promise<void> {
  for (const { proc } of right) proc.signal('SIGSTOP');
  await until('the frozen are given up', 20_000, async () => {
    for (const node of left) {
      const seen = await node.ask('nodes');
      for (const frozen of right) check(!seen.includes(frozen.node), `${node.role} sees ${seen}`);
    }
    return true;
  });
  for (const { proc } of right) proc.signal('SIGCONT');
}

async function changeCookies({ left, right }: Split): Promise<void> {
  for (const node of right) same(await node.ask('{cookie, another}'), 'true', 'cookie');
  await until('no connection is left', 10_000, async () => {
    await cut({ left, right } as Split);
    for (const node of left) {
      const seen = await node.ask('nodes');
      for (const other of right) check(!seen.includes(other.node), `${node.role} sees ${seen}`);
    }
    return true;
  });
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    same(await (one[0] as CrowdMember).connect(other[0] as CrowdMember), 'false', 'with another cookie');
  }
}

async function restoreCookies({ nodes }: Split): Promise<void> {
  for (const node of nodes) same(await node.ask('{cookie, cookie}'), 'true', 'cookie');
}

async function pull({ cable }: Split): Promise<void> {
  await cable?.pull();
}

async function plug({ cable }: Split): Promise<void> {
  await cable?.plug();
}
