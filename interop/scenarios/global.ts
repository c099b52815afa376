// `global` among otpnodes and BEAM nodes: names, locks, joining, conflicts, torn networks, nodes that die or freeze.
import type { Cluster, Kind } from '../cluster.js';
import { agreed, type Member, members, settled } from '../global/members.js';
import { pause, until } from '../processes.js';
import type { Release } from '../releases.js';
import { check, kindName, type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  const beam = suite.release;
  const us = 'otpnode';
  suite.test('global: names and locks go both ways (global 2, 3, 4)', (cluster) =>
    names(cluster, { abc: us, bcd: beam, def: us, efg: beam }),
  );
  suite.test('global: a network is joined through one member (global 8)', (cluster) =>
    joining(cluster, { a: beam, b: beam, c: beam, x: us, y: us }),
  );
  for (const [small, great] of [
    [us, beam],
    [beam, us],
  ] as const) {
    suite.test(
      `global: conflicts of names between ${kindName(small)}, the smaller, and ${kindName(great)} (global 9)`,
      (cluster) => conflicts(cluster, { abc: small, xyz: great }),
    );
  }
  suite.test('global: 200 names are registered on both sides while nodes connect (global 19)', (cluster) =>
    manyNames(cluster, { abc: us, bcd: beam }),
  );
  suite.test('global: traffic of all kinds from all sides; in the end all agree (global 3, 19)', (cluster) =>
    traffic(cluster, { a: us, b: beam, c: us, d: beam, e: us, f: beam }),
  );
  suite.test(
    'global: an otpnode that is killed, or stops, does not part BEAM nodes (global 15, 24)',
    (cluster) => dies(cluster, { abc: beam, bcd: us, def: beam, x: us }),
  );
  suite.test('global: an otpnode frozen and continued joins all the same (global 23)', (cluster) =>
    frozen(cluster, { abc: beam, bcd: us, def: beam }),
  );
  suite.test(
    'global: a name moves from otpnode to a BEAM node that finds it free, without a gap elsewhere',
    (cluster) => moves(cluster, { abc: beam, bcd: us, def: beam }),
  );
  mixed(suite);
  // OTP 23 knows no prevention: only where it is off for all are the islands comparable
  for (const prevent of beam.otp === '23' ? [false] : [true, false]) {
    const mixes: readonly Kinds[] = [
      { a: beam, b: beam, c: beam, d: beam },
      { e: us, f: beam, g: beam, h: beam },
      { e: beam, f: beam, g: us, h: beam },
      { e: us, f: us, g: us, h: beam },
    ];
    suite.test(
      `global: a connection lost, ${prevent ? 'with' : 'without'} prevention of overlapping partitions: ` +
        'the islands of BEAM (global 13, 14)',
      async (cluster) => {
        for (const kinds of mixes) {
          const what = Object.values(kinds).map((kind) => kindName(kind));
          const seen = await islands(cluster, kinds, prevent);
          check(ISLANDS[`${prevent}`].includes(seen), `islands of ${what.join(', ')}: ${seen}`);
        }
      },
    );
  }
}

/** Networks of several releases, once in a run that has them. OTP 27 and 29 refuse 23. */
function mixed(suite: Suite): void {
  const { releases } = suite;
  if (releases.size < 2 || !suite.first) return;
  for (const mix of [
    ['25', '27', '29'],
    ['23', '25'],
  ]) {
    const [first, ...more] = mix.map((otp) => releases.get(otp));
    if (first === undefined || more.includes(undefined)) continue;
    const kinds: Record<string, Kind> = { a: 'otpnode', b: first, c: 'otpnode' };
    for (const [i, one] of more.entries()) kinds[`d${i}`] = one as Release;
    suite.test(
      `global: names, locks and traffic among otpnode and OTP ${mix.join(', ')}`,
      (cluster) => traffic(cluster, kinds),
      { release: releases.get('25') ?? suite.release, mixed: mix },
    );
  }
}

/**
 * Whom each of four nodes is connected to when the first two lost each other. With prevention usually both are
 * alone; BEAM nodes too now and then let one stay, when a report overtakes the news of the loss itself.
 */
const ISLANDS: Readonly<Record<'true' | 'false', readonly string[]>> = {
  true: ['[] | [] | [3] | [2]', '[2, 3] | [] | [0, 3] | [0, 2]', '[] | [2, 3] | [1, 3] | [1, 2]'],
  false: ['[2, 3] | [2, 3] | [0, 1, 3] | [0, 1, 2]'],
};

type Kinds = Readonly<Record<string, Kind>>;

async function names(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [a, b, c, d] = nodes as [Member, Member, Member, Member];
  for (const other of [b, c, d]) same(await a.connect(other), 'true', 'connect');
  for (const node of nodes) same(await node.sync(), ':ok', `sync on ${node.role}`);
  await settled(nodes);
  for (const node of nodes) same(await node.register(`{:of, :${node.role}}`), 'true', 'register');
  same(await c.register('{:of, :bcd}'), 'false', 'a name that is taken');
  const all = nodes.map((node) => `{{:of, :${node.role}}, ${node.atom}}`);
  for (const node of nodes) same(await node.names(), `[${all.join(', ')}]`, `names on ${node.role}`);
  same(await b.reRegister('{:of, :abc}'), 'true', 're_register');
  same(await a.reRegister('{:of, :efg}'), 'true', 're_register');
  await c.unregister('{:of, :bcd}');
  await c.end('{:of, :def}');
  same(await agreed(nodes), `[{{:of, :abc}, ${b.atom}}, {{:of, :efg}, ${a.atom}}]`, 'names');
  // a lock held on BEAM excludes otpnode, and the other way round
  same(
    await b.eval(
      `:global.trans({:r, self()}, fn -> :erpc.call(${d.atom}, :global, :set_lock, [{:r, :other}, [${a.atom}], 0]) end)`,
    ),
    'false',
    'a lock that is held',
  );
  for (const round of [0, 1]) {
    const taken = await Promise.all(nodes.map((node) => node.traffic(5)));
    same(taken.join(), ':ok,:ok,:ok,:ok', `traffic ${round}`);
    for (const node of nodes) for (let i = 2; i < 5; i += 3) await node.unregister(`{${node.atom}, ${i}}`);
  }
  await settled(nodes);
  await agreed(nodes);
  await a.proc.kill();
  await settled([b, c, d]);
  same(await agreed([b, c, d]), `[{{:of, :abc}, ${b.atom}}]`, 'names after a node died');
}

async function joining(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [a, b, c, x, y] = nodes as [Member, Member, Member, Member, Member];
  await a.connect(b);
  await b.connect(c);
  await settled([a, b, c]);
  await c.register(':of_c');
  await x.register(':of_x');
  same(await x.connect(b), 'true', 'connect');
  same(await x.sync(), ':ok', 'sync');
  await settled([a, b, c, x]);
  await y.connect(x);
  await settled(nodes);
  same(await agreed(nodes), `[of_c: ${c.atom}, of_x: ${x.atom}]`, 'names');
}

async function conflicts(cluster: Cluster, kinds: Kinds): Promise<void> {
  const [small, great] = (await members(cluster, kinds)) as [Member, Member];
  const methods = ['random_exit_name', 'random_notify_name', 'notify_all_name', 'keep_second'];
  for (const node of [small, great]) for (const method of methods) await node.register(`:${method}`, method);
  await small.connect(great);
  await settled([small, great]);
  // the smaller node resolves: its own process is the second
  const kept = `[keep_second: ${small.atom}, random_exit_name: ${small.atom}, random_notify_name: ${small.atom}]`;
  same(await agreed([small, great]), kept, 'names');
  const conflict = (text: string) =>
    [...text.matchAll(/\{:global_name_conflict, :(\w+)/g)]
      .map((m) => m[1])
      .sort()
      .join();
  await until('both are told', 20_000, async () => {
    same(conflict(await small.told()), 'notify_all_name', 'the smaller is told');
    same(conflict(await great.told()), 'notify_all_name,random_notify_name', 'the greater is told');
    return true;
  });
  await small.proc.line(/global: Name conflict terminating \{:?random_exit_name/, 5000);
}

async function manyNames(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [a, b] = nodes as [Member, Member];
  const wanted: Promise<string>[] = [];
  for (let i = 0; i < 100; i++) {
    wanted.push(a.register(`{:a, ${i}}`), b.register(`{:b, ${i}}`));
    if (i === 10) wanted.push(a.connect(b));
    if (i % 10 === 0) await Promise.all(wanted.slice(-4));
  }
  const got = await Promise.all(wanted);
  check(
    got.every((one) => one === 'true'),
    `not all were registered: ${got}`,
  );
  await settled(nodes);
  const all = await agreed(nodes);
  same(String([...all.matchAll(/\{\{:[ab], \d+\}/g)].length), '200', 'names');
}

async function traffic(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [first, ...others] = nodes as [Member, ...Member[]];
  const busy = nodes.map((node) => node.traffic(15));
  await Promise.all(others.map((node, i) => node.connect(nodes[i] as Member)));
  await first.connect(nodes[3] as Member);
  same((await Promise.all(busy)).join(), nodes.map(() => ':ok').join(), 'traffic');
  await settled(nodes, 60_000);
  const all = await agreed(nodes);
  same(String([...all.matchAll(/@/g)].length), String(nodes.length * 5 * 2), 'names that are left');
}

async function dies(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [a, b, c, x] = nodes as [Member, Member, Member, Member];
  for (const other of [b, c, x]) await a.connect(other);
  await settled(nodes);
  await b.register(':of_b');
  await agreed(nodes);
  await b.proc.kill();
  await settled([a, c, x]);
  same(await agreed([a, c, x]), '[]', 'names');
  x.proc.signal('SIGTERM');
  await x.proc.exited;
  await settled([a, c]);
  // killed in the middle of joining, at a different moment each time
  for (let i = 0; i < 8; i++) {
    const [late] = (await members(cluster, { [`late${i}`]: 'otpnode' })) as [Member];
    const joined = late.connect(a).catch(() => '');
    await pause(i * 40);
    await late.proc.kill();
    await joined;
    const since = Date.now();
    same(await c.register(`{:after, ${i}}`), 'true', 'register');
    check(Date.now() - since < 5000, `registering took ${Date.now() - since} ms`);
  }
  await settled([a, c]);
}

async function frozen(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [a, b, c] = nodes as [Member, Member, Member];
  await a.connect(c);
  await settled([a, c]);
  for (let i = 0; i < 6; i++) {
    const joined = a.connect(b);
    await joined;
    await pause(i * 45);
    b.proc.signal('SIGSTOP');
    await pause(1200);
    b.proc.signal('SIGCONT');
    await settled(nodes);
    same(await b.register(`{:round, ${i}}`), 'true', 'register');
    await agreed(nodes);
    await b.leave();
    await settled([a, c]);
  }
}

async function moves(cluster: Cluster, kinds: Kinds): Promise<void> {
  const nodes = await members(cluster, kinds);
  const [abc, bcd, def] = nodes as [Member, Member, Member];
  await bcd.connect(def);
  await settled([bcd, def]);
  for (let round = 0; round < 5; round++) {
    same(await bcd.register(':x'), 'true', 'register');
    await until('def has it', 20_000, async () => (await def.names()) === `[x: ${bcd.atom}]`);
    // whoever looks on def at any time finds a process
    await def.eval(
      `Process.register(spawn(fn ->
         look = fn look, gaps ->
           gaps = if :global.whereis_name(:x) == :undefined, do: gaps + 1, else: gaps
           receive do {:how_many, pid} -> send(pid, {:gaps, gaps}) after 0 -> look.(look, gaps) end
         end
         look.(look, 0)
       end), :looking)`,
    );
    // in the first round it comes only now, later it knows the name already
    const concealed =
      round === 0 ? abc.connect(bcd).then(() => bcd.conceal(':x', abc)) : bcd.conceal(':x', abc);
    same(await concealed, 'true', 'concealed');
    same(await abc.eval(':global.whereis_name(:x)'), ':undefined', 'the name on abc');
    same(await bcd.names(), `[x: ${bcd.atom}]`, 'names on bcd');
    if (round === 3) {
      same(await bcd.reveal(), 'true', 'revealed');
      same(await abc.names(), `[x: ${bcd.atom}]`, 'names on abc');
    } else {
      same(
        await abc.eval('elem(GenServer.start(Agent.Server, fn -> 0 end, name: {:global, :x}), 0)'),
        ':ok',
        'the start on abc',
      );
      for (const node of nodes) same(await node.names(), `[x: ${abc.atom}]`, `names on ${node.role}`);
      await bcd.reveal();
    }
    const gaps = await def.eval('send(:looking, {:how_many, self()}); receive do {:gaps, n} -> n end');
    same(gaps, '0', 'gaps seen on def');
    await settled(nodes);
    await def.unregister(':x');
    await agreed(nodes);
  }
}

/** Four nodes, the connection of the first two is cut: who is connected to whom then, by position. */
async function islands(cluster: Cluster, kinds: Kinds, prevent: boolean): Promise<string> {
  const nodes = await members(cluster, kinds, prevent);
  const [a, b, c, d] = nodes as [Member, Member, Member, Member];
  for (const other of [b, c, d]) await a.connect(other);
  await settled(nodes);
  await a.disconnect(b);
  let last = '';
  let since = Date.now();
  // until nothing changes any more
  const seen = await until('the islands stand', 20_000, async () => {
    const now = (await Promise.all(nodes.map((node) => node.nodes()))).join(' | ');
    if (now !== last) since = Date.now();
    last = now;
    return Date.now() - since > 700 ? now : undefined;
  });
  const places = nodes.reduce((text, node, i) => text.replaceAll(node.atom, String(i)), seen);
  await Promise.all([a, b, c, d].map((node) => node.proc.kill()));
  return places;
}
