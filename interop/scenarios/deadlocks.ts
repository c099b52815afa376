// Where OTP's dist_ac waits for ever: cases in which BEAM nodes alone, or with one of them as it were in our place, wait
// for each other in a circle. otpnode in each position: the circle does not close, or it is opened; in any case no
// otpnode waits for ever.

import { type Config, ROLES } from '../cluster.js';
import { BY_HAND } from '../deadlocks/by_hand.js';
import { A, B, C, NOT_FOR_EVER_MS, PLAIN, Play } from '../deadlocks/play.js';
import { until } from '../processes.js';
import { check, type Suite } from '../suite.js';

/** Two applications whose choice depends on one another. */
const TUPLE = `[${A}, {${B}, ${C}}]`;
const CROSSED = `[${A}, ${C}, ${B}]`;

export function run(suite: Suite): void {
  const { whole } = suite;
  // only a run of all mixes has the time for all of them, and then with one release
  const all = whole && suite.product;
  for (const ours of ROLES) {
    if (all || ours === 'abc' || (whole && ours === 'bcd')) {
      suite.test(`deadlock: two applications in one tuple fail over at once, otpnode=${ours}`, (cluster) =>
        twoFailOver(new Play(cluster, suite, ours), TUPLE, TUPLE),
      );
    }
    if (all || (whole && ours === 'bcd')) {
      suite.test(
        `deadlock: two applications with crossed lists fail over at once, otpnode=${ours}`,
        (cluster) => twoFailOver(new Play(cluster, suite, ours), PLAIN, CROSSED),
      );
    }
    if (whole && ours !== 'def') {
      suite.test(`deadlock: a standby that nobody introduced, otpnode=${ours}`, (cluster) =>
        stranger(new Play(cluster, suite, ours)),
      );
    }
    for (const one of BY_HAND) {
      if (!all && !(whole && ours === one.first)) continue;
      suite.test(`deadlock: ${one.name}, otpnode=${ours}`, (cluster) =>
        one.play(new Play(cluster, suite, ours)),
      );
    }
    if (all || ours === 'bcd') {
      suite.test(
        `deadlock: a standby that never started it, the return of the first, otpnode=${ours}`,
        (cluster) => lateStandby(new Play(cluster, suite, ours)),
      );
    }
  }
}

/** Nodes that were never introduced, since nobody waits for anybody at boot. */
const STRANGERS: Config = { distributed: `[{d1, [${A}, ${B}]}]`, mandatory: [], syncTimeoutMs: undefined };

async function twoFailOver(play: Play, first: string, second: string): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${first}}, {d2, 500, ${second}}]` });
  for (const app of ['d1', 'd2'] as const) {
    for (const role of ROLES) await play.load(role, app);
    for (const role of ROLES) play.start(role, app);
    for (const role of ROLES) await play.startedOk(role, app, 20_000);
    await play.runsOnOne(app, ['abc'], 10_000);
  }
  await play.peer('abc').kill();
  if (play.ours !== 'abc') {
    for (const app of ['d1', 'd2'] as const) await play.runsOnOne(app, ['bcd', 'def'], 10_000);
    for (const role of ['bcd', 'def'] as const) check(await play.answers(role), `${role} is blocked`);
    return;
  }
  // BEAM alone: it happens nearly always, and then only we can open the circle
  await until('the failovers are over, or stuck', 20_000, async () => {
    const where = [await play.where('d1'), await play.where('d2')];
    return where.every((one) => one !== '') || !(await play.answers('bcd'));
  });
  const stuck = !(await play.answers('bcd'));
  await play.boot('abc');
  await play.booted('abc', NOT_FOR_EVER_MS);
  for (const app of ['d1', 'd2'] as const) {
    await play.load('abc', app);
    play.start('abc', app);
  }
  for (const app of ['d1', 'd2'] as const) await play.startedOk('abc', app, NOT_FOR_EVER_MS);
  for (const app of ['d1', 'd2'] as const) await play.runsOnOne(app, ['abc'], 10_000);
  for (const role of ['bcd', 'def'] as const) check(await play.answers(role), `${role} is blocked`);
  if (!stuck) return;
  await play
    .peer('abc')
    .proc.line(/who waits for whom: .*\S+ waits for .*; told \S+ that d[12] runs on/, 1000);
}

async function lateStandby(play: Play): Promise<void> {
  await play.coldStart({ distributed: `[{d1, 500, ${PLAIN}}]` });
  for (const role of ROLES) await play.load(role, 'd1');
  for (const role of ['abc', 'def'] as const) play.start(role, 'd1');
  for (const role of ['abc', 'def'] as const) await play.startedOk(role, 'd1', 20_000);
  await play.peer('abc').kill();
  await until('def waits for bcd', 10_000, async () =>
    play.ours === 'def' ? true : !(await play.answers('def')),
  );
  await play.boot('abc');
  await until('abc is connected', 20_000, async () => (await play.peer('abc').nodes()).includes('def'));
  play.start('bcd', 'd1');
  await play.booted('abc', NOT_FOR_EVER_MS);
  if (play.ours === 'abc') {
    const said = /who waits for whom: .*def@\S+ waits until another node starts an application/;
    await play.peer('abc').proc.line(said, NOT_FOR_EVER_MS);
  }
  await play.load('abc', 'd1');
  play.start('abc', 'd1');
  for (const role of ['abc', 'bcd'] as const) await play.startedOk(role, 'd1', NOT_FOR_EVER_MS);
  await play.runsOnOne('d1', ['abc'], 10_000);
  for (const role of ROLES) await until(`${role} is not blocked`, 15_000, () => play.answers(role));
}

/** abc runs it, bcd loads it, which connects them, and starts it: on BEAM alone it waits for ever. */
async function stranger(play: Play): Promise<void> {
  await play.coldStart(STRANGERS, ['abc', 'bcd']);
  await play.load('abc', 'd1');
  play.start('abc', 'd1');
  await play.startedOk('abc', 'd1', 10_000);
  await play.load('bcd', 'd1');
  // what it heard from abc meanwhile it has read: started earlier, both would run it, which is another matter
  await until('bcd has heard that abc may run it', 5000, async () =>
    (await play.peer('bcd').rpc(':dist_ac', ':info')).includes(`"${play.peer('abc').node}": true`),
  );
  play.start('bcd', 'd1');
  await play.startedOk('bcd', 'd1', 20_000);
  await play.runsOnOne('d1', ['abc'], 5000);
  await play.peer('abc').kill();
  await play.runsOnOne('d1', ['bcd'], 5000);
}
