// What BEAM does, played with otpnode in every role: who runs the application when, what every node says of it, with
// which start types, who ends how. Each scenario is played on BEAM alone as well, and that play is what the
// others are compared with, step by step.

import { Cluster, type Kind, ORDERS, type Role } from '../cluster.js';
import { BOOT, PARTIAL } from '../golden/boot.js';
import { BY_HAND } from '../golden/by_hand.js';
import { DEATHS } from '../golden/deaths.js';
import { FORMS_SCENARIOS } from '../golden/forms.js';
import { LIBRARIES } from '../golden/libraries.js';
import { MISMATCHES } from '../golden/mismatches.js';
import type { Outcome } from '../golden/outcome.js';
import { type Mix, type Order, Play, type Scenario } from '../golden/play.js';
import { SPLITS } from '../golden/splits.js';
import { STOPS } from '../golden/stops.js';
import type { Suite } from '../suite.js';

const SCENARIOS: readonly Scenario[] = [
  ...BOOT,
  ...PARTIAL,
  ...DEATHS,
  ...STOPS,
  ...BY_HAND,
  ...SPLITS,
  ...FORMS_SCENARIOS,
  ...MISMATCHES,
  ...LIBRARIES,
];

/** The roles of otpnode in each mix: as one of the three, and as several of them. */
const ONE: readonly (readonly Role[])[] = [['abc'], ['bcd'], ['def']];
const SEVERAL: readonly (readonly Role[])[] = [
  ['abc', 'bcd', 'def'],
  ['abc', 'bcd'],
  ['abc', 'def'],
  ['bcd', 'def'],
];
const MIXES: readonly (readonly Role[])[] = [...ONE, ...SEVERAL];

const EACH = ['registered', 'at once', 'connected'] as const;

type BeamAlone = (cluster?: Cluster) => Promise<Outcome>;

/** The plays on BEAM alone of each suite, one for each scenario. */
const ALONE = new WeakMap<Suite, readonly BeamAlone[]>();

/** A cold start of its own for each play: all orders and distances are played, none changes what comes of it. */
function order(number: number): Order {
  return {
    roles: ORDERS[number % ORDERS.length] as readonly Role[],
    each: EACH[Math.floor(number / ORDERS.length) % EACH.length] as Order['each'],
  };
}

/**
 * Each scenario in the hands of each role, and of several: in turn, or with `suite.product` of all that can be. A release
 * before 25 plays one mix of each, in turn.
 */
export function run(suite: Suite): void {
  const otp = Number(suite.release.otp);
  const alone = SCENARIOS.map((scenario, i) => onBeamAlone(suite, scenario, order(i)));
  ALONE.set(suite, alone);
  for (const [i, scenario] of SCENARIOS.entries()) {
    if (otp < (scenario.since ?? 0)) continue;
    const beam = alone[i] as BeamAlone;
    const inTurn = [MIXES[i % MIXES.length] as readonly Role[]];
    const each = suite.product ? MIXES : [...ONE, SEVERAL[i % SEVERAL.length] as readonly Role[]];
    const mixes = otp < 25 ? inTurn : each;
    suite.test(`golden:elixir: ${scenario.name}`, (cluster) => beam(cluster).then(() => {}), { waits: true });
    for (const [j, ours] of mixes.entries()) played(suite, scenario, ours, order(i + j + 1), beam);
  }
}

/** One mix for each scenario, from OTP 25 on, compared with the release beside which it is played: they do not differ. */
export function pass(suite: Suite): void {
  if (Number(suite.release.otp) < 25) return;
  const alone = (suite.beside && ALONE.get(suite.beside)) ?? [];
  for (const [i, scenario] of SCENARIOS.entries()) {
    const mixes = MIXES.filter((ours) => ours.length < 3);
    const ours = mixes[(i + Number(suite.release.otp)) % mixes.length] as readonly Role[];
    played(suite, scenario, ours, order(i), alone[i] as BeamAlone);
  }
}

function played(
  suite: Suite,
  scenario: Scenario,
  ours: readonly Role[],
  order: Order,
  beam: BeamAlone,
): void {
  suite.test(
    `golden:otpnode=${ours.join(',')}: ${scenario.name}`,
    async (cluster) => {
      const expected = await beam();
      const play = new Play(cluster, suite, mix(suite, ours), order, expected);
      await scenario.play(play);
      await play.done(scenario.mayLog);
    },
    { waits: true },
  );
}

function mix(suite: Suite, ours: readonly Role[]): Mix {
  const kind = (role: Role): Kind => (ours.includes(role) ? 'otpnode' : suite.release);
  return { abc: kind('abc'), bcd: kind('bcd'), def: kind('def') };
}

/** So often a play on BEAM alone is begun again when a race of BEAM's own ends it otherwise than usual. */
const AGAIN = 2;

/** What a scenario comes to on BEAM alone: played once, by who asks first. What went otherwise at first is printed. */
function onBeamAlone(suite: Suite, scenario: Scenario, order: Order): BeamAlone {
  let outcome: Promise<Outcome> | undefined;
  const play = async (given: Cluster | undefined, again: number): Promise<Outcome> => {
    const cluster = given ?? (await Cluster.open({ release: suite.release }));
    try {
      const own = new Play(cluster, suite, mix(suite, []), order);
      await scenario.play(own);
      await own.done();
      return own.outcome;
    } catch (error) {
      const why = `on BEAM alone: ${(error as Error).message}`;
      if (again === 0) throw new Error(given === undefined ? `${why}\n${cluster.report()}` : why);
      console.log(`otp ${suite.release.otp}: ${scenario.name}: played again, since ${why}`);
    } finally {
      if (given === undefined) await cluster.close();
    }
    return await play(undefined, again - 1);
  };
  return (cluster) => {
    outcome ??= play(cluster, AGAIN);
    return outcome;
  };
}
