// Cases of OTP's pg_SUITE with otpnode in the place of a peer node; docs/otp-suites.md has the list. Each case has a scope of
// its own, as there.
import type { PgScope } from '../../src/kernel/pg_scope.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import { tuple } from '../../src/terms/tuple.js';
import type { Cluster, Peer } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';
import { SuitePeer } from '../suite_peer.js';

const G = atom('g');

/** A BEAM node and an otpnode that are connected. */
class Pair implements AsyncDisposable {
  readonly peer: SuitePeer;
  readonly beam: Peer;

  private constructor(peer: SuitePeer, beam: Peer) {
    this.peer = peer;
    this.beam = beam;
  }

  static async open(cluster: Cluster, suite: Suite): Promise<Pair> {
    const beam = await cluster.start('beam', suite.release, { app: false, config: '[].\n' });
    await cluster.registered(beam);
    await beam.proc.line(/Interactive Elixir/, 15_000);
    const pair = new Pair(await SuitePeer.start(cluster), beam);
    await pair.connect();
    return pair;
  }

  /** The scope of that name on both; BEAM's first. */
  async scope(name: string): Promise<PgScope> {
    await this.startThere(name);
    return this.peer.node.pg.scope(atom(name));
  }

  async startThere(name: string): Promise<void> {
    same(await this.eval(`elem(:pg.start(:${name}), 0)`), ':ok', `start of ${name}`);
  }

  eval(code: string): Promise<string> {
    return this.beam.eval(code.replaceAll('PEER', this.peer.atom));
  }

  /** So many processes here. */
  here(count: number): Pid[] {
    return Array.from({ length: count }, () => this.peer.node.spawn(() => new Promise(() => {})));
  }

  /** Lets so many new processes join a group there, `times` times each; they are registered as `{name}1` … */
  async joinThere(scope: string, group: string, count: number, times = 1): Promise<void> {
    await this.eval(
      `for i <- 1..${count} do
         pid = spawn(fn -> Process.sleep(:infinity) end)
         Process.register(pid, :"${scope}_${group}_#{i}")
         :pg.join(:${scope}, :${group}, List.duplicate(pid, ${times}))
       end`,
    );
  }

  /** Waits until both have so many members of otpnode and of BEAM in a group. */
  async members(scope: PgScope, group: string, ours: number, theirs: number): Promise<void> {
    const { name } = scope.name;
    const [here, there] = [ours, theirs].map(String) as [string, string];
    await until(`${name} ${group} has ${here} members of otpnode and ${there} of BEAM`, 20_000, async () => {
      const local = scope.getLocalMembers(atom(group)).length;
      same(String(local), here, 'local members of otpnode');
      same(String(scope.getMembers(atom(group)).length - local), there, 'members of BEAM on otpnode');
      const [all, own] = (
        await this.eval(
          `{length(:pg.get_members(:${name}, :${group})), length(:pg.get_local_members(:${name}, :${group}))}`,
        )
      ).match(/\d+/g) as [string, string];
      same(own, there, 'local members of BEAM');
      same(String(Number(all) - Number(own)), here, 'members of otpnode on BEAM');
      return true;
    });
  }

  async connect(): Promise<void> {
    same(await this.eval('Node.connect(PEER)'), 'true', 'connect');
  }

  async disconnect(): Promise<void> {
    await this.eval('Node.disconnect(PEER)');
    await until('the two are parted', 20_000, async () => {
      const seen = this.peer.node.system.nodes();
      check(
        seen.every((node) => node.name !== this.beam.node),
        `otpnode sees ${format(seen)}`,
      );
      return (await this.eval('PEER in Node.list()')) === 'false';
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}

type Case = readonly [name: string, body: (pair: Pair) => Promise<void>];

const CASES: readonly Case[] = [
  [
    'pg, single',
    async (pair) => {
      const pg = await pair.scope('pg');
      const [one, two] = pair.here(2) as [Pid, Pid];
      pg.join(G, one);
      pg.join(G, [one, two]);
      await pair.members(pg, 'g', 3, 0);
      same(format(pg.whichLocalGroups()), '[g]', 'groups here');
      check(!pg.leave(atom('missing'), one), 'leaving a group one is not in');
      check(pg.leave(G, [one, two]) && pg.leave(G, one), 'leaving');
      await pair.members(pg, 'g', 0, 0);
      same(await pair.eval(':pg.which_groups(:pg)'), '[]', 'groups there');
    },
  ],
  [
    'leave_exit_race',
    async (pair) => {
      const pg = await pair.scope('leave_exit_race');
      for (let i = 0; i < 100; i++) {
        const pid = pair.peer.node.spawn(() => {});
        pg.join(G, pid);
        pg.leave(G, pid);
      }
      await pair.members(pg, 'g', 0, 0);
    },
  ],
  [
    'process_owner_check, nolocal',
    async (pair) => {
      const pg = await pair.scope('nolocal');
      await pair.joinThere('nolocal', 'g', 1, 2);
      await pair.members(pg, 'g', 0, 2);
      const [foreign] = pg.getMembers(G) as [Pid];
      for (const pids of [foreign, [foreign, foreign], [...pair.here(1), foreign]]) {
        let refused = '';
        try {
          pg.join(G, pids);
        } catch (error) {
          refused = format((error as { reason: never }).reason);
        }
        check(refused.startsWith('{nolocal,'), `a process of another node was let in: ${refused}`);
      }
      await pair.members(pg, 'g', 0, 2);
    },
  ],
  [
    'overlay_missing, errors',
    async (pair) => {
      const pg = await pair.scope('overlay_missing');
      pg.join(G, pair.here(1));
      await pair.members(pg, 'g', 1, 0);
      // who is no known scope changes nothing, and nothing that is sent ends this one
      await pair.eval(
        `for m <- [{:join, self(), :g, self()}, {:leave, self(), self(), [:g]}, :garbage, {:join, 1, 2, 3}, {:update, self(), 1},
                   {:"$gen_cast", :garbage}, {:"$gen_cast", {:sync, 1, 2}}, {:nodeup, 1}, {:discover, :me}] do
           send({:overlay_missing, PEER}, m)
         end
         try do GenServer.call({:overlay_missing, PEER}, :garbage, 100) catch :exit, _ -> :ok end`,
      );
      await pair.members(pg, 'g', 1, 0);
    },
  ],
  [
    'two, empty_group_by_remote_leave',
    async (pair) => {
      const pg = await pair.scope('two');
      const [pid] = pair.here(1) as [Pid];
      pg.join(G, pid);
      await pair.members(pg, 'g', 1, 0);
      pair.peer.node.system.process(pid)?.exitArrived(pid, atom('kill'), 'exit2');
      await pair.members(pg, 'g', 0, 0);
      await pair.joinThere('two', 'g', 2);
      await pair.members(pg, 'g', 0, 2);
      await pair.eval('for i <- [2, 1], do: :pg.leave(:two, :g, Process.whereis(:"two_g_#{i}"))');
      await pair.members(pg, 'g', 0, 0);
      same(format(pg.whichGroups()), '[]', 'a group without members is gone');
    },
  ],
  [
    'thundering_herd',
    async (pair) => {
      const pg = await pair.scope('thundering_herd');
      const [pid] = pair.here(1) as [Pid];
      for (let i = 0; i < 2000; i++) pg.join(atom(`group${i}`), pid);
      await pair.joinThere('thundering_herd', 'g', 1);
      await pair.members(pg, 'g', 0, 1);
      await pair.eval(
        `[scope, pid] = [Process.whereis(:thundering_herd), Process.whereis(:thundering_herd_g_1)]
         for _ <- 1..2000, do: GenServer.cast({:thundering_herd, PEER}, {:sync, scope, [{:g, [pid, pid]}]})`,
      );
      pg.join(G, pid);
      await until('the last of the syncs counts', 20_000, () => pg.getMembers(G).length === 3);
      same(await pair.eval('length(:pg.which_groups(:thundering_herd))'), '2001', 'groups there');
    },
  ],
  [
    'initial, double',
    async (pair) => {
      // ours is there first, with members
      const pg = await pair.peer.node.pg.scope(atom('initial'));
      const [pid] = pair.here(1) as [Pid];
      pg.join(G, pid);
      await pair.startThere('initial');
      await pair.members(pg, 'g', 1, 0);
      pg.join(G, [pid]);
      await pair.members(pg, 'g', 2, 0);
    },
  ],
  [
    'netsplit, foursplit',
    async (pair) => {
      const pg = await pair.scope('netsplit');
      const [pid] = pair.here(1) as [Pid];
      pg.join(atom('one'), pid);
      await pair.joinThere('netsplit', 'invisible', 1);
      await pair.members(pg, 'invisible', 0, 1);
      await pair.disconnect();
      await until(
        'members of the other side are gone',
        20_000,
        () => pg.getMembers(atom('invisible')).length === 0,
      );
      await pair.eval(
        `pid = Process.whereis(:netsplit_invisible_1)
         :ok = :pg.leave(:netsplit, :invisible, pid)
         :ok = :pg.join(:netsplit, :visible, pid)`,
      );
      pg.leave(atom('one'), pid);
      pg.join(G, pid);
      await pair.joinThere('netsplit', 'g', 1);
      await pair.connect();
      await pair.members(pg, 'g', 1, 1);
      await pair.members(pg, 'visible', 0, 1);
      await pair.members(pg, 'invisible', 0, 0);
      await pair.members(pg, 'one', 0, 0);
    },
  ],
  [
    'trisplit',
    async (pair) => {
      const pg = await pair.scope('trisplit');
      await pair.joinThere('trisplit', 'three', 1);
      await pair.disconnect();
      await pair.connect();
      await pair.joinThere('trisplit', 'one', 1);
      await using late = await SuitePeer.start(pair.peer.cluster, 'late');
      const third = await late.node.pg.scope(atom('trisplit'));
      check(await late.node.connect(pair.beam.node), 'the third is connected');
      await until('it has what both have', 20_000, () => third.getMembers(atom('one')).length === 1);
      await pair.members(pg, 'one', 0, 1);
      await pair.members(pg, 'three', 0, 1);
    },
  ],
  [
    'exchange',
    async (pair) => {
      const pg = await pair.scope('exchange');
      pg.join(G, pair.here(10));
      await pair.joinThere('exchange', 'g', 10);
      await pair.eval('for i <- 1..3, do: Process.exit(Process.whereis(:"exchange_g_#{i}"), :kill)');
      await pair.members(pg, 'g', 10, 7);
      await pair.disconnect();
      pg.join(atom('second'), pair.here(5));
      await pair.joinThere('exchange', 'third', 10);
      await pair.connect();
      await pair.members(pg, 'g', 10, 7);
      await pair.members(pg, 'second', 5, 0);
      await pair.members(pg, 'third', 0, 10);
    },
  ],
  [
    'scope_restart',
    async (pair) => {
      const pg = await pair.scope('scope_restart');
      const [pid] = pair.here(1) as [Pid];
      pg.join(G, [pid, pid]);
      await pair.joinThere('scope_restart', 'g', 1);
      await pair.members(pg, 'g', 2, 1);
      await pair.eval('GenServer.stop(:scope_restart)');
      await until('its members are gone', 20_000, () => pg.getMembers(G).length === 2);
      await pair.startThere('scope_restart');
      await pair.members(pg, 'g', 2, 0);
      // and ours
      const scope = pair.peer.node.system.whereis(atom('scope_restart'));
      scope?.exitArrived(scope.pid, atom('kill'), 'exit2');
      await until('BEAM has dropped ours', 20_000, async () => {
        same(await pair.eval('length(:pg.get_members(:scope_restart, :g))'), '0', 'members there');
        return true;
      });
      await pair.eval('{:ok, _} = {:pg.join(:scope_restart, :g, Process.whereis(:scope_restart_g_1)), 1}');
      await pair.members(await pair.peer.node.pg.scope(atom('scope_restart')), 'g', 0, 1);
    },
  ],
  [
    'missing_scope_join, disconnected_start',
    async (pair) => {
      const pg = await pair.scope('missing_scope');
      await pair.eval('GenServer.stop(:missing_scope)');
      const [pid] = pair.here(1) as [Pid];
      pg.join(G, pid);
      await pair.disconnect();
      await pair.startThere('missing_scope');
      await pair.connect();
      await pair.members(pg, 'g', 1, 0);
    },
  ],
  [
    'forced_sync, protocol_upgrade',
    async (pair) => {
      const pg = await pair.scope('forced_sync');
      pg.join(atom('one'), pair.here(1));
      await pair.joinThere('forced_sync', 'one', 1);
      await pair.members(pg, 'one', 1, 1);
      await pair.eval(
        `[scope, pid] = [Process.whereis(:forced_sync), Process.whereis(:forced_sync_one_1)]
         GenServer.cast({:forced_sync, PEER}, {:sync, scope, [{:one, [pid, pid]}, {:fake, [pid, pid]}]})`,
      );
      await until('the fake counts', 20_000, () => pg.getMembers(atom('fake')).length === 2);
      same(String(pg.getMembers(atom('one')).length), '3', 'one');
      // asked for, the right ones come
      const own = pair.peer.node.system.whereis(atom('forced_sync'))?.pid as Pid;
      pair.peer.node.client.send(
        tuple(atom('forced_sync'), atom(pair.beam.node)),
        tuple(atom('discover'), own),
      );
      await pair.members(pg, 'one', 1, 1);
      await pair.members(pg, 'fake', 0, 0);
      // a scope of a version to come is answered in the old form
      same(
        await pair.eval(
          `send({:forced_sync, PEER}, {:discover, self(), 7})
           receive do {:"$gen_cast", {:sync, pid, [{:one, [_]}]}} ->
             receive do {:discover, ^pid} -> :both after 2000 -> :no_discover end
           after 2000 -> :no_sync end`,
        ),
        ':both',
        'a scope that we do not know',
      );
    },
  ],
  [
    'group_leave',
    async (pair) => {
      const pg = await pair.scope('group_leave');
      await pair.joinThere('group_leave', 'g', 1, 16);
      await pair.members(pg, 'g', 0, 16);
      await pair.eval(':pg.leave(:group_leave, :g, List.duplicate(Process.whereis(:group_leave_g_1), 4))');
      await pair.members(pg, 'g', 0, 12);
      await using gone = await SuitePeer.start(pair.peer.cluster, 'gone');
      const there = await gone.node.pg.scope(atom('group_leave'));
      there.join(
        G,
        gone.node.spawn(() => new Promise(() => {})),
      );
      check(await gone.node.connect(pair.beam.node), 'connected');
      await until('BEAM sees it', 20_000, async () => (await count(pair, 'group_leave')) === '13');
      await gone.node.stop();
      await until('BEAM does not any more', 20_000, async () => (await count(pair, 'group_leave')) === '12');
    },
  ],
];

/** Monitors of groups are there since OTP 25. */
const MONITORS: Case = [
  'monitor_nonempty_scope, monitor_scope, monitor, multi_monitor',
  async (pair) => {
    const pg = await pair.scope('monitors');
    const told: string[] = [];
    const stop = pg.monitor(
      (change, group, pids) => void told.push(`${change} ${format(group)} ${pids.length}`),
    );
    const [pid] = pair.here(1) as [Pid];
    pg.join(G, pid);
    await pair.joinThere('monitors', 'g', 1);
    await pair.members(pg, 'g', 1, 1);
    same(told.sort().join(', '), 'join g 1, join g 1', 'what a listener here was told');
    // who monitors there gets what is, then what changes
    await pair.eval(
      `me = self()
       spawn(fn ->
         {ref, %{g: two}} = :pg.monitor_scope(:monitors)
         {ref2, two2} = :pg.monitor(:monitors, :g)
         Process.register(self(), :monitoring)
         send(me, :ready)
         told = for _ <- 1..4 do receive do {^ref, what, g, pids} -> {1, what, g, length(pids)}; {^ref2, what, g, pids} -> {2, what, g, length(pids)} end end
         receive do {:told, to} -> send(to, {length(two), length(two2), Enum.sort(told)}) end
       end)
       receive do :ready -> :ok end`,
    );
    pg.join(G, [pid, pid]);
    pg.leave(G, pid);
    same(
      await pair.eval(
        'send(:monitoring, {:told, self()}); receive do told -> told after 20_000 -> :silence end',
      ),
      '{2, 2, [{1, :join, :g, 2}, {1, :leave, :g, 1}, {2, :join, :g, 2}, {2, :leave, :g, 1}]}',
      'what is told there',
    );
    stop();
    await pair.disconnect();
    await pair.connect();
    await pair.members(pg, 'g', 2, 1);
  },
];

function count(pair: Pair, scope: string): Promise<string> {
  return pair.eval(`length(:pg.get_members(:${scope}, :g))`);
}

export function run(suite: Suite): void {
  const cases = Number(suite.release.otp) >= 25 ? [...CASES, MONITORS] : CASES;
  suite.sharing(
    (cluster) => Pair.open(cluster, suite),
    cases.map(([name, body]) => [`pg_SUITE: ${name}`, body] as const),
  );
}
