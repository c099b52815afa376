// Scenarios of the boot: who is waited for, and what becomes of those that wait.
import { type Config, type Peer, ROLES, type Role, type StartOptions } from '../cluster.js';
import { until } from '../processes.js';
import { check } from '../suite.js';
import type { Play, Scenario } from './play.js';

const others = (role: Role): Role[] => ROLES.filter((other) => other !== role);

export const BOOT: readonly Scenario[] = [
  {
    name: 'a mandatory node is absent: all that wait end with exit code 1',
    play: async (play) => {
      const config: Config = { syncTimeoutMs: 1500 };
      await play.begin('abc', { config });
      await play.begin('bcd', { config });
      for (const role of ['abc', 'bcd'] as const) {
        const { proc } = play.peer(role);
        await play.ends(role, 1);
        check((proc.ended?.at ?? 0) - proc.startedAt >= 1500, `${role} did not wait`);
        const line = proc.lines.find(({ text }) => text.includes('mandatory_nodes_down'))?.text ?? '';
        check(line.includes('def@127.0.0.1'), `${role} does not say which node was missing`);
      }
    },
  },
  {
    name: 'an optional node is absent: the whole timeout is waited; the late one is standby at once',
    play: async (play) => {
      const config = (role: Role): Config =>
        play.config({ mandatory: [], optional: others(role), syncTimeoutMs: 2500 });
      const from = Date.now();
      await play.start('abc', { config: config('abc') });
      await play.start('bcd', { config: config('bcd') });
      const line = await play.peer('abc').startLine(20_000);
      check(line.at - from >= 2500, `abc waited ${line.at - from} ms`);
      await play.runs('without def', 'abc');
      await play.start('def', { config: config('def') });
      await play.runs('def is late', 'abc');
    },
  },
  {
    name: 'an optional abc is late: bcd runs it, then abc takes over',
    play: async (play) => {
      const config = play.config({ mandatory: [], optional: ROLES, syncTimeoutMs: 2000 });
      await play.start('bcd', { config });
      await play.start('def', { config });
      await play.runs('without abc', 'bcd');
      await play.start('abc', { config });
      await play.runs('abc is late', 'abc');
    },
  },
  {
    name: 'no sync_nodes_timeout: the lists are ignored and nobody is waited for',
    play: async (play) => {
      for (const role of ['abc', 'def'] as const) {
        const peer = await play.start(role, {
          config: { syncTimeoutMs: undefined, distributed: `[{distro, ['${role}@127.0.0.1']}]` },
        });
        await play.runs(`${role} alone`, role);
        await peer.kill();
      }
    },
  },
  {
    name: 'abc is up without the application: the others wait for it; it dies: bcd starts it at once',
    play: async (play) => {
      for (const role of play.order.roles) await play.start(role, { app: role !== 'abc' });
      for (const role of ['bcd', 'def'] as const) await play.starting(role);
      await play.runs('nobody may', [], 'D1');
      const killed = await play.kill('abc');
      await play.answers('abc dies', killed, 0);
      await play.runs('abc died', 'bcd');
    },
  },
  {
    name: 'abc is up without the application, then starts it: those that waited are standbys',
    play: async (play) => {
      for (const role of play.order.roles) await play.start(role, { app: role !== 'abc' });
      for (const role of ['bcd', 'def'] as const) await play.starting(role);
      await play.canLoad('abc');
      await play.asks('abc', 'ensure_all_started', ':distro', '{:ok, [:distro]}');
      await play.runs('abc starts it', 'abc');
    },
  },
  {
    name: 'back within the restart time: it starts normally, and nobody else does',
    play: async (play) => {
      const config: Config = { restartMs: 5000 };
      await play.coldStart({ config });
      const killed = await play.kill('abc');
      await play.start('abc', { config });
      const line = await play.peer('abc').startLine(10_000);
      check(line.at - killed < 5000, `abc was back too late for this test: ${line.at - killed} ms`);
      await play.runs('abc is back', 'abc');
      await until('the restart time is over', 8000, () => Date.now() > killed + 5300);
      await play.runs('the restart time is over', 'abc');
    },
  },
];

/** What comes of a second instance, at its start, or when global finds two of them. */
const SECOND = [
  /Application distro exited: /,
  /\(EXIT\) already started/,
  /global: Name conflict terminating/,
];

/** A trap of OTP: dist_ac introduces itself to those that are connected at the end of the boot, and never again. */
export const PARTIAL: readonly Scenario[] = [
  {
    name: 'bcd comes back and waits for def alone: not introduced to abc it may start a second instance, which has to go',
    mayLog: SECOND,
    play: async (play) => {
      await play.coldStart({ variant: 'tutorial' });
      await play.kill('bcd');
      await play.start('bcd', { config: { mandatory: ['def'] }, variant: 'tutorial' });
      const waits = await settles(play, 'bcd');
      if (play.beamAlone && !waits) await play.peer('bcd').hasStartTypes('normal');
      // the name is taken: otpnode's command ends then, iex goes on without it; otpnode as abc tells bcd that it runs it (D20)
      await play.runs('bcd is back', 'abc', 'D20');
      // who waits has its own lock for starts
      if (waits) await play.kill('bcd');
    },
  },
  {
    name: 'no sync_nodes_timeout, three nodes: who comes later is not introduced to abc, which goes on',
    mayLog: SECOND,
    play: async (play) => {
      const options: StartOptions = {
        config: play.config({ syncTimeoutMs: undefined }),
        variant: 'tutorial',
      };
      await play.start('abc', options);
      await play.runs('abc alone', 'abc');
      for (const role of ['bcd', 'def'] as const) await play.start(role, options);
      const waiting: Role[] = [];
      for (const role of ['bcd', 'def'] as const) if (await settles(play, role)) waiting.push(role);
      await play.runs('all are there', 'abc', 'D20');
      await play.kill(...waiting);
    },
  },
];

/** Waits until a node that comes later has tried to start it, or knows better; true if it waits for ever. */
async function settles(play: Play, role: 'bcd' | 'def'): Promise<boolean> {
  const peer = play.peer(role);
  let waits = false;
  await until(`${role} has tried to start it, knows better, or waits for ever`, 20_000, async () => {
    if (peer.proc.ended !== undefined || peer.startTypes().length > 0) return true;
    waits = !play.ours('abc', role) && (await waitsForEver(play, peer));
    if (!waits) await peer.started(0);
    return true;
  });
  return waits;
}

/**
 * Whether a node waits for abc to announce the application, which abc cannot, never introduced to it. It does when
 * abc's answer to its loading comes before its start: a race among BEAM nodes.
 */
async function waitsForEver(play: Play, peer: Peer): Promise<boolean> {
  const at = await peer.rpc(
    ':erlang',
    ':process_info',
    `[:erpc.call(${peer.atom}, :erlang, :whereis, [:dist_ac]), :current_function]`,
  );
  const known = await play.peer('abc').rpc(':gen_server', ':call', '[:dist_ac, :get_known_nodes]');
  return at.includes('wait_dist_start') && !known.includes(peer.node);
}
