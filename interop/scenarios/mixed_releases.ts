// Clusters of several Erlang/OTP releases with otpnode among them: the tutorial's chain from node to node.
import type { Cluster, Kind, Role } from '../cluster.js';
import { ROLES } from '../cluster.js';
import { unexpectedLines } from '../expected_lines.js';
import type { Release } from '../releases.js';
import { check, kindName, type Suite } from '../suite.js';

/** abc, bcd, def. OTP 27 and 29 refuse 23. */
const MIXES: readonly (readonly [string, string, string])[] = [
  ['otpnode', '23', '25'],
  ['23', 'otpnode', '25'],
  ['25', '23', 'otpnode'],
  ['otpnode', '27', '29'],
  ['29', 'otpnode', '27'],
  ['25', '27', 'otpnode'],
  ['27', 'otpnode', '25'],
];

export function run(suite: Suite): void {
  const { releases } = suite;
  // once in a run that has several releases, under the first of them
  if (releases.size < 2 || !suite.first) return;
  for (const mix of MIXES) {
    if (mix.some((one) => one !== 'otpnode' && !releases.has(one))) continue;
    const kind = (one: string): Kind => (one === 'otpnode' ? one : (releases.get(one) as Release));
    const roles: Record<Role, Kind> = { abc: kind(mix[0]), bcd: kind(mix[1]), def: kind(mix[2]) };
    const observer = releases.get('25') ?? suite.release;
    suite.test(
      `mixed releases: ${ROLES.map((role) => `${role}=${kindName(roles[role])}`).join(' ')}`,
      (cluster) => chain(cluster, suite, roles),
      { release: observer, mixed: mix.filter((one) => one !== 'otpnode') },
    );
  }
}

async function chain(cluster: Cluster, suite: Suite, mix: Record<Role, Kind>): Promise<void> {
  await suite.busily(async () => {
    for (const role of ROLES)
      await cluster.registered(await cluster.start(role, mix[role], { variant: 'tk' }));
    await cluster.runsOn('abc');
  });
  await cluster.peer('abc').kill();
  await cluster.runsOn('bcd');
  await cluster.peer('bcd').kill();
  await cluster.runsOn('def');
  await cluster.start('abc', mix.abc, { variant: 'tk', config: { mandatory: ['def'] } });
  await cluster.runsOn('abc');
  await cluster.peer('abc').hasStartTypes('{takeover,def@127.0.0.1}');
  for (const peer of cluster.alive()) {
    const lines = unexpectedLines(peer);
    check(lines.length === 0, `${peer.node} logged what BEAM would not:\n${lines.join('\n')}`);
  }
}
