// Scenarios of torn networks. Nodes connect once by themselves, then only when told to. (abc cut off from both with
// overlapping partitions prevented is a race on BEAM: bcd and def drop each other, or do not.)
import { type Config, ROLES, type Role } from '../cluster.js';
import { type Play, RESTART_MS, type Scenario } from './play.js';

type Link = readonly [Role, Role];
const FROM_ABC: readonly Link[] = [
  ['abc', 'bcd'],
  ['abc', 'def'],
];

/** Cold start, a cut, what runs then; all is connected again, and who keeps it. */
async function split(
  play: Play,
  prevent: boolean,
  links: readonly Link[],
  islands: readonly Role[],
): Promise<void> {
  const more = ['{dist_auto_connect, once}', `{prevent_overlapping_partitions, ${prevent}}`];
  await play.coldStart({ config: { more }, variant: 'tutorial' });
  const cut = Date.now();
  await play.cut(...links);
  const line = await play.peer('bcd').startLine(RESTART_MS + 10_000);
  play.took('bcd starts its own', line.at - cut, RESTART_MS);
  await play.runs('torn', islands);
  for (const [from, to] of [...FROM_ABC, ['bcd', 'def'] as const]) await play.connect(from, to);
  // global keeps the pid on the node with the smallest name; the others' supervisors give up
  await play.runs('connected again', 'abc');
}

/** The same, torn by another cookie: whoever tries to connect is refused, until the cookie is the old one again. */
async function otherCookie(play: Play): Promise<void> {
  const config: Config = { more: ['{prevent_overlapping_partitions, false}'] };
  await play.coldStart({ config, variant: 'tutorial' });
  const { cookie } = play.cluster;
  await abcTakes(play, `${cookie}_no_more`);
  const cut = Date.now();
  await play.cut(...FROM_ABC);
  const line = await play.peer('bcd').startLine(RESTART_MS + 10_000);
  play.took('bcd starts its own', line.at - cut, RESTART_MS);
  await play.runs('torn', ['abc', 'bcd']);
  for (const [from, to] of [
    ['abc', 'bcd'],
    ['bcd', 'abc'],
  ] as const) {
    const pong = await play.peer(from).rpc(':net_adm', ':ping', `[${play.peer(to).atom}]`);
    play.expects(`${from} pings ${to}`, pong, ':pang');
  }
  await play.runs('refused', ['abc', 'bcd']);
  await abcTakes(play, cookie);
  for (const [from, to] of FROM_ABC) await play.connect(from, to);
  await play.runs('connected again', 'abc');
}

/** What abc takes for the cookie of the others. */
async function abcTakes(play: Play, cookie: string): Promise<void> {
  for (const [, to] of FROM_ABC) {
    await play.peer('abc').rpc(':erlang', ':set_cookie', `[${play.peer(to).atom}, :${cookie}]`);
  }
}

export const SPLITS: readonly Scenario[] = [
  {
    name: 'abc is cut off, overlapping partitions allowed: two islands; abc keeps it',
    play: (play) => split(play, false, FROM_ABC, ['abc', 'bcd']),
  },
  {
    name: 'one link is cut, overlapping partitions prevented: three islands; abc keeps it',
    since: 25,
    play: (play) => split(play, true, [['abc', 'bcd']], ROLES),
  },
  {
    name: 'one link is cut, overlapping partitions allowed: abc and bcd run it; abc keeps it',
    play: (play) => split(play, false, [['abc', 'bcd']], ['abc', 'bcd']),
  },
  {
    name: 'another cookie on abc: two islands, attempts to connect are refused; abc keeps it',
    // who of two that dial each other is the one that is refused
    mayLog: [/Connection attempt (from|to) node .* (rejected|aborted)/],
    play: otherCookie,
  },
];
