// Cases of OTP's global_SUITE with otpnode in the place of two of four nodes; docs/otp-suites.md has the list.
import { atom } from '../../src/terms/atom.js';
import { tuple } from '../../src/terms/tuple.js';
import type { Cluster, Kind } from '../cluster.js';
import { atRest, type CrowdMember, type CrowdOptions, crowd } from '../crowd/crowd.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';
import { SuitePeer } from '../suite_peer.js';

/** Four nodes, a and c otpnode, b and d BEAM. */
class Four implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly nodes: readonly CrowdMember[];
  readonly #kind: Exclude<Kind, 'otpnode'>;

  private constructor(cluster: Cluster, nodes: readonly CrowdMember[], kind: Exclude<Kind, 'otpnode'>) {
    this.cluster = cluster;
    this.nodes = nodes;
    this.#kind = kind;
  }

  static async open(cluster: Cluster, suite: Suite): Promise<Four> {
    await cluster.startEpmd('beam');
    const beam = suite.release;
    const nodes = await crowd(cluster, { a: 'otpnode', b: beam, c: 'otpnode', d: beam }, { shared: 1 });
    return new Four(cluster, nodes, beam);
  }

  /** The nodes, in one network without a name. */
  async joined(): Promise<readonly [CrowdMember, CrowdMember, CrowdMember, CrowdMember]> {
    await connected(this.nodes);
    const [a] = this.nodes as [CrowdMember];
    for (const [name] of (await a.ask('names')).matchAll(/(?<=\[\{|\},\{)[^,{}]+(?=,\{')/g)) {
      await a.ask(`{step, {unregister, ${name}}}`);
    }
    same(await atRest(this.nodes), '[]', 'names at first');
    return this.nodes as [CrowdMember, CrowdMember, CrowdMember, CrowdMember];
  }

  /** More nodes, otpnode and BEAM by turns. */
  more(roles: readonly string[], options: CrowdOptions = {}): Promise<CrowdMember[]> {
    const kinds = roles.map((role, i): [string, Kind] => [role, i % 2 === 0 ? 'otpnode' : this.#kind]);
    return crowd(this.cluster, Object.fromEntries(kinds), { shared: 1, ...options });
  }

  /** Two BEAM nodes of these roles. */
  beams(roles: readonly string[]): Promise<CrowdMember[]> {
    return crowd(this.cluster, Object.fromEntries(roles.map((role) => [role, this.#kind])));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Connects all with all until they are one network. */
async function connected(nodes: readonly CrowdMember[]): Promise<void> {
  await until('all are one network', 30_000, async () => {
    for (const [i, node] of nodes.entries())
      for (const other of nodes.slice(i + 1)) await node.connect(other);
    await atRest(nodes, 4000);
    return true;
  });
}

/** Waits until all see these names, each with the node of its process: `{name,'a@…'}`. */
async function see(
  nodes: readonly CrowdMember[],
  names: Readonly<Record<string, CrowdMember>>,
): Promise<void> {
  const wanted = Object.entries(names).map(([name, node]) => `{${name},${node.node}}`);
  await until(`the names are ${wanted.join()}`, 20_000, async () => {
    for (const node of nodes) same(places(await node.ask('names')), `[${wanted.join()}]`, `on ${node.role}`);
    return true;
  });
}

function places(names: string): string {
  return names.replaceAll(/\{('\w+@[\d.]+'),\d+,\d+\}/g, '$1');
}

/** Leaves a process on that node that holds a lock; `true` or `false`. */
function lock(node: CrowdMember, id: string, nodes: readonly CrowdMember[]): Promise<string> {
  return node.ask(`{lock, ${id}, [${nodes.map((other) => other.node).join(', ')}]}`);
}

async function stop(nodes: readonly CrowdMember[]): Promise<void> {
  for (const { proc } of nodes) proc.endInput();
  await Promise.all(nodes.map(({ proc }) => proc.exited));
}

type Case = readonly [name: string, body: (four: Four) => Promise<void>];

const CASES: readonly Case[] = [
  [
    'names, name_die, name_exit, leftover_name',
    async (four) => {
      const nodes = await four.joined();
      const [a, b, c, d] = nodes;
      same(await a.register('test'), 'true', 'register');
      await see(nodes, { test: a });
      same(await b.register('test'), 'false', 'a name that is taken');
      same(await d.register('test2'), 'true', 'register');
      await see(nodes, { test: a, test2: d });
      await c.ask('{step, {unregister, test}}');
      await see(nodes, { test2: d });
      for (const killer of [c, b]) {
        await killer.ask('{step, {kill, test2}}');
        await see(nodes, {});
        // at once, before all others have noticed
        same(await c.register('test2'), 'true', 'the name is free');
        await see(nodes, { test2: c });
      }
    },
  ],
  [
    're_register_name',
    async (four) => {
      const nodes = await four.joined();
      const [a] = nodes;
      same(await a.register('test'), 'true', 'register');
      for (const node of [...nodes, ...nodes]) {
        await node.ask('{step, {re_register, test}}');
        await see(nodes, { test: node });
      }
    },
  ],
  [
    'locks, lock_die, otp_1849, otp_5737',
    async (four) => {
      const nodes = await four.joined();
      for (const [holder, other] of [
        [nodes[0], nodes[1]],
        [nodes[1], nodes[0]],
        [nodes[3], nodes[2]],
      ] as const) {
        same(await lock(holder, '{r, me}', nodes), 'true', `${holder.role} takes the lock`);
        same(await lock(other, '{r, you}', nodes), 'false', `${other.role} does not`);
        // the same requester, twice
        for (const again of [other, holder])
          same(await lock(again, '{r, me}', nodes), 'true', 'one requester');
        await holder.ask('{unlock, {r, me}}');
        same(await lock(nodes[2], '{r, you}', nodes), 'false', 'held by the other one yet');
        await other.ask('{unlock, {r, me}}');
        same(await lock(other, '{r, you}', nodes), 'true', 'free');
        await other.ask('{kill_locker, {r, you}}');
        await atRest(nodes);
      }
    },
  ],
  [
    'names_hidden, locks_hidden',
    async (four) => {
      const nodes = await four.joined();
      const [a, b] = nodes;
      await using hidden = await SuitePeer.start(four.cluster, 'hidden', { hidden: true });
      check(await hidden.node.connect(b.node.slice(1, -1)), 'the hidden one is connected');
      same(await a.register('test'), 'true', 'register');
      same(await lock(b, '{h, me}', nodes), 'true', 'lock');
      await see(nodes, { test: a });
      const self = hidden.node.system.spawn(() => new Promise(() => {}));
      // its own name and lock of that kind are nobody else's business
      check(await hidden.node.global.registerName(self, atom('own'), self.pid), 'a name of its own');
      const id = tuple(atom('h'), atom('you'));
      check(await hidden.node.global.setLock(self, id, [hidden.node.name], 0), 'a lock of its own');
      await see(nodes, { test: a });
      same(String(hidden.node.global.registeredNames().length), '1', 'names of the hidden one');
      same(String(hidden.node.global.knownNodes().length), '0', 'nodes that it knows');
      await b.ask('{unlock, {h, me}}');
      await atRest(nodes);
    },
  ],
  [
    'bad_input, garbage_messages',
    async (four) => {
      const nodes = await four.joined();
      const [a, b] = nodes;
      const to = `{global_name_server, ${a.node}}`;
      for (const garbage of [
        'garbage',
        `{'$gen_cast', garbage}`,
        `{'$gen_cast', {init_connect, x, y, z}}`,
        `{'$gen_cast', {exchange, ${b.node}, [], [], 17}}`,
        `{'$gen_cast', {resolved, ${b.node}, [], [], unused, [], 17}}`,
        `{'$gen_cast', {new_nodes, x, y, z, u, v}}`,
        `{'$gen_cast', {in_sync, nobody, true}}`,
        `{'$gen_cast', {lock_set, self, true, []}}`,
        `{init_connect_ack, nobody, 1, 2}`,
        `{cancel_connect, nobody, 1}`,
        `{lost_connection, nobody, 1, 2, nothing}`,
        `{remove_connection, nobody}`,
        `{'DOWN', 1, 2, 3, 4}`,
        `{'EXIT', 1, 2}`,
        `{nodedown, nobody}`,
      ]) {
        await b.ask(`{rpc, ${b.node}, erlang, send, [${to}, ${garbage}]}`);
      }
      await b.ask(`{rpc, ${b.node}, gen_server, call, [${to}, garbage, 50]}`);
      await b.ask(`{rpc, ${b.node}, gen_server, call, [${to}, {set_lock, garbage}, 50]}`);
      same(await a.register('test'), 'true', 'register after all that');
      await see(nodes, { test: a });
    },
  ],
  [
    'names_and_locks, sync_0',
    async (four) => {
      const nodes = await four.joined();
      const [a, b, c, d] = nodes;
      for (const node of nodes) same(await node.ask('{step, sync}'), '[]', 'sync');
      same(await lock(a, '{r, me}', nodes), 'true', 'lock');
      for (const node of nodes) same(await node.register(`of_${node.role}`), 'true', 'register');
      await see(nodes, { of_a: a, of_b: b, of_c: c, of_d: d });
      await a.ask('{unlock, {r, me}}');
      await atRest(nodes);
    },
  ],
  [
    'ring, line, simple_ring, simple_line',
    async (four) => {
      const nodes = await four.joined();
      for (const pairs of [
        ['ab', 'bc', 'cd', 'da'],
        ['ab', 'bc', 'cd'],
        ['ca', 'db', 'ab'],
      ]) {
        for (const node of nodes) for (const other of nodes) if (other !== node) await node.disconnect(other);
        await until('all are alone', 20_000, async () => {
          for (const node of nodes) {
            for (const what of ['nodes', 'known']) same(await node.ask(what), '[]', `${node.role}: ${what}`);
          }
          return true;
        });
        for (const node of nodes) {
          await node.ask('{step, {unregister, same}}');
          same(await node.register('same'), 'true', 'each has the name');
        }
        await Promise.all(
          pairs.map((pair) => {
            const [one, other] = [...pair].map((role) => nodes.find((node) => node.role === role));
            return (one as CrowdMember).connect(other as CrowdMember);
          }),
        );
        const names = places(await atRest(nodes, 20_000));
        same(names, `[{same,${nodes[0].node}}]`, `after ${pairs.join(' ')}`);
      }
    },
  ],
  [
    'simple_disconnect, global_disconnect',
    async (four) => {
      const nodes = await four.joined();
      const [a, b, , d] = nodes;
      same(await b.register('stays'), 'true', 'register');
      for (const one of [a, d]) {
        const rest = nodes.filter((node) => node !== one);
        await one.ask('leave');
        await until(`${one.role} is alone`, 20_000, async () => (await one.ask('nodes')) === '[]');
        await atRest(rest);
        await see(rest, { stays: b });
        await see([one], {});
        await connected(nodes);
        await see(nodes, { stays: b });
      }
    },
  ],
  [
    'simple_resolve, simple_resolve2, simple_resolve3, otp_3162',
    async (four) => {
      const methods = [
        'random_exit_name',
        'random_notify_name',
        'notify_all_name',
        'keep_greater',
        'none',
        'bad',
        'crash',
      ];
      const outcome = async (pair: readonly CrowdMember[]): Promise<string> => {
        const [one, other] = pair as [CrowdMember, CrowdMember];
        for (const node of pair) {
          for (const method of methods) same(await node.register(method, method), 'true', 'register');
        }
        await one.connect(other);
        const names = places(await atRest(pair, 20_000));
        return names.replaceAll(one.node, 'ONE').replaceAll(other.node, 'OTHER');
      };
      const yardstick = await four.beams(['r1', 's1']);
      const expected = await outcome(yardstick);
      await stop(yardstick);
      // who is smaller resolves
      for (const roles of [
        ['r2', 's2'],
        ['s3', 'r3'],
      ]) {
        const pair = (await four.more(roles)).sort((a, b) => (a.role < b.role ? -1 : 1));
        same(await outcome(pair), expected, `between ${pair.map(({ role, kind }) => `${role} ${kind}`)}`);
        await stop(pair);
      }
    },
  ],
  [
    'mass_death, global_lost_nodes',
    async (four) => {
      const nodes = await four.joined();
      const many = await four.more(['m1', 'm2', 'm3', 'm4']);
      await connected([...nodes, ...many]);
      for (const [i, node] of many.entries()) same(await node.register(`mass${i}`), 'true', 'register');
      await atRest([...nodes, ...many]);
      for (const { proc } of many) proc.signal('SIGKILL');
      await atRest(nodes, 20_000);
      await see(nodes, {});
    },
  ],
  [
    'external_nodes',
    async (four) => {
      const nodes = await four.joined();
      const extra = (await four.beams(['ext'])) as [CrowdMember];
      await connected([...nodes, ...extra]);
      same(await extra[0].ask('{register_external, foreign}'), 'yes', 'register');
      await see(nodes, { foreign: extra[0] });
      same(await nodes[0].register('foreign'), 'false', 'taken');
      await extra[0].proc.kill();
      await see(nodes, {});
      await atRest(nodes, 20_000);
    },
  ],
  [
    'connect_all_false',
    async (four) => {
      const three = await four.more(['x1', 'x2', 'x3'], { connectAll: false });
      const [x1, x2, x3] = three as [CrowdMember, CrowdMember, CrowdMember];
      await x1.connect(x2);
      await x2.connect(x3);
      same(await x1.register('same'), 'true', 'register');
      same(await x3.register('same'), 'true', 'nobody tells of it');
      same(await x1.ask('nodes'), `[${x2.node}]`, 'x1 is not told of x3');
      for (const node of three) same(await node.ask('known'), '[]', `${node.role} knows`);
      same(await lock(x1, '{r, me}', three), 'true', 'locks work');
      same(await lock(x3, '{r, you}', three), 'false', 'locks work');
      await stop(three);
    },
  ],
  [
    'lost_unregister, both_known_1',
    async (four) => {
      const three = await four.more(['l1', 'l2', 'l3'], { prevent: false });
      const [l1, l2, l3] = three as [CrowdMember, CrowdMember, CrowdMember];
      await connected(three);
      same(await l1.register('test'), 'true', 'register');
      await see(three, { test: l1 });
      await l2.disconnect(l3);
      await l2.ask('{step, {unregister, test}}');
      await see([l1, l2], {});
      await see([l3], { test: l1 });
      // while somebody holds the lock of global, nothing is exchanged
      same(await lock(l1, '{global, l1}', [l1]), 'true', 'the lock of global');
      await l2.connect(l3);
      await see([l1, l2], {});
      await l1.ask('{unlock, {global, l1}}');
      // the name is back
      await see(three, { test: l1 });
      await atRest(three, 20_000);
      await stop(three);
    },
  ],
];

/** `global:disconnect/0` and prevention are there since OTP 25. */
const SINCE_25: ReadonlySet<string> = new Set(['simple_disconnect, global_disconnect']);

export function run(suite: Suite): void {
  const cases = CASES.filter(([name]) => Number(suite.release.otp) >= 25 || !SINCE_25.has(name));
  suite.sharing(
    (cluster) => Four.open(cluster, suite),
    cases.map(([name, body]) => [`global_SUITE: ${name}`, body] as const),
    { epmd: 'none' },
  );
}
