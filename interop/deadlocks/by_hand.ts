// Waits without end of BEAM's that begin with a call by hand: `takeover` after a start that failed, `permit` while the
// others have not started the application, a start after a takeover to a node that ranks lower.
import type { Role } from '../cluster.js';
import { until } from '../processes.js';
import { same } from '../suite.js';
import { A, B, C, NOT_FOR_EVER_MS, PLAIN, type Play } from './play.js';

export interface Case {
  readonly name: string;
  /** The position that is played in a short run. */
  readonly first: Role;
  readonly play: (play: Play) => Promise<void>;
}

export const BY_HAND: readonly Case[] = [
  { name: 'a takeover after a start that failed', first: 'bcd', play: takeoverAfterFailure },
  { name: 'a permission taken while nobody else has started it', first: 'bcd', play: permitAlone },
  { name: 'a permission taken while only the last has started it', first: 'def', play: permitPastOne },
  {
    name: 'a start behind a node that starts nothing',
    first: 'abc',
    play: (play) => behindTheFirst(play, PLAIN),
  },
  {
    name: 'a start in a tuple with a node that starts nothing',
    first: 'def',
    play: (play) => behindTheFirst(play, `[{${A}, ${B}}, ${C}]`),
  },
];

/**
 * The start on abc fails, and with it those of the others, whose dist_ac remember it as started all the same. It is
 * started on abc after all, and taken over on bcd: on BEAM the caller waits for ever and keeps the lock of all nodes.
 */
async function takeoverAfterFailure(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  await play.load('abc', 'd1', 'there_is_no_such_module');
  for (const role of ['bcd', 'def'] as const) {
    await play.load(role, 'd1');
    play.start(role, 'd1');
    await play.starting(role, 'd1');
  }
  play.start('abc', 'd1');
  for (const role of ['abc', 'bcd', 'def'] as const) await play.startFails(role, 'd1');
  same(await play.application('abc', 'unload', ':d1'), ':ok', 'unload on abc');
  await play.load('abc', 'd1');
  play.start('abc', 'd1');
  await play.startedOk('abc', 'd1', 20_000);
  const { ours } = play;
  if (ours === 'bcd') {
    const result = await play.application('bcd', 'takeover', ':d1, :temporary');
    same(result, '{:error, {:not_running_distributed, :d1}}', 'takeover on bcd');
    await play.noLock();
    return;
  }
  const taken = play.application('bcd', 'takeover', ':d1, :temporary').catch(() => 'no answer');
  await until(`${ours} has given bcd the lock`, 10_000, async () => (await play.locks(ours)) !== '[]');
  // all that our own node is asked for comes to an end
  if (ours === 'abc') same(await play.application('abc', 'stop', ':d1'), ':ok', 'stop on abc');
  play.start(ours, 'd1');
  await play.startedOk(ours, 'd1', NOT_FOR_EVER_MS);
  if (ours === 'def') {
    same(await play.application('def', 'takeover', ':d1, :temporary'), ':ok', 'takeover on def');
  }
  await play.runsOnOne('d1', [ours], 10_000);
  same(await play.application(ours, 'permit', ':d1, true'), ':ok', `permit on ${ours}`);
  await play.peer('bcd').kill();
  await taken;
  await play.noLock();
}

/** On BEAM the call waits for bcd or def to start it, with the lock of all nodes; they have never started it. */
async function permitAlone(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  for (const role of ['abc', 'bcd', 'def'] as const) await play.load(role, 'd1');
  play.start('abc', 'd1');
  await play.startedOk('abc', 'd1', 10_000);
  same(await play.application('abc', 'permit', ':d1, false'), ':ok', 'permit on abc');
  await until('it runs nowhere', 10_000, async () => (await play.where('d1')) === '');
  await play.goesOn();
  same(await play.application('abc', 'permit', ':d1, true'), ':ok', 'permit on abc');
  await play.runsOnOne('d1', ['abc'], 10_000);
  same(await play.application('abc', 'permit', ':d1, false'), ':ok', 'permit on abc');
  await until('it runs nowhere', 10_000, async () => (await play.where('d1')) === '');
  // a BEAM node that was to start it and had not takes it for started from then on, until it reboots
  for (const role of ['bcd', 'def'] as const) await play.reboots(role, 'd1');
  for (const role of ['bcd', 'def'] as const) await play.startedOk(role, 'd1', NOT_FOR_EVER_MS);
  await play.runsOnOne('d1', ['bcd', 'def'], 10_000);
  await play.goesOn();
}

/** The same, but def has: it waits for bcd, and everybody for it. */
async function permitPastOne(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  for (const role of ['abc', 'bcd', 'def'] as const) await play.load(role, 'd1');
  for (const role of ['abc', 'def'] as const) {
    play.start(role, 'd1');
    await play.startedOk(role, 'd1', 10_000);
  }
  same(await play.application('abc', 'permit', ':d1, false'), ':ok', 'permit on abc');
  await play.runsOnOne('d1', ['def'], NOT_FOR_EVER_MS);
  await play.goesOn();
  await play.reboots('bcd', 'd1');
  await play.startedOk('bcd', 'd1', 10_000);
  await play.runsOnOne('d1', ['bcd'], 10_000);
  await play.goesOn();
}

/** def has taken it over by hand, bcd starts it again: on BEAM alone it waits for abc, which is nobody's turn. */
async function behindTheFirst(play: Play, list: string): Promise<void> {
  const roles = ['abc', 'bcd', 'def'] as const;
  await play.coldStart({ distributed: `[{d1, 500, ${list}}]` });
  // a node that has just booted counts fewer applications, and would win inside a tuple
  for (const role of roles) await play.counts(role);
  for (const role of roles) await play.load(role, 'd1');
  for (const role of roles) play.start(role, 'd1');
  for (const role of roles) await play.startedOk(role, 'd1', 20_000);
  same(await play.application('def', 'takeover', ':d1, :temporary'), ':ok', 'takeover on def');
  await play.runsOnOne('d1', ['def'], 10_000);
  same(await play.application('bcd', 'stop', ':d1'), ':ok', 'stop on bcd');
  play.start('bcd', 'd1');
  await play.startedOk('bcd', 'd1', NOT_FOR_EVER_MS);
  await play.goesOn();
  await play.reboots('bcd', 'd1');
  await play.startedOk('bcd', 'd1', NOT_FOR_EVER_MS);
  // after the reboot it may have started it before it counted as many applications as abc
  await play.runsOnOne('d1', list === PLAIN ? ['def'] : ['bcd', 'def'], 10_000);
  await play.goesOn();
}
