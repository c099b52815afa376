// The rows of the README's table: which modules of tests belong to which area.
const AREAS: readonly (readonly [string, readonly string[]])[] = [
  ['terms, their bytes and their order', ['codec_differential']],
  ['handshake, names, cookies', ['handshake']],
  ['messages, links, monitors, frames', ['distribution', 'churn', 'release_features']],
  ["a node's 17 questions", ['probe']],
  ["cases of OTP's own suites", ['otp_suites', 'suite_global', 'suite_pg', 'suite_rpc']],
  ['addresses, ports, TLS', ['transport', 'tls']],
  ['EPMD', ['epmd_conformance', 'epmd_instances']],
  ['`global` and `pg`', ['global', 'global_groups', 'pg', 'traffic', 'dozens', 'netsplits']],
  [
    'distributed applications',
    ['golden', 'applications', 'tutorial', 'mixed_releases', 'cycles', 'takeovers', 'deadlocks', 'healing'],
  ],
  ['services, tools, shells', ['services', 'neighbours', 'terminal', 'brokers', 'observer_tool']],
  ['command line, README, examples', ['command_line', 'readme', 'demo', 'examples', 'phoenix_pubsub']],
  ['the npm package', ['pack']],
];

/** The area of a module; one that is in none is an area of its own. */
export function areaOf(module: string): string {
  return AREAS.find(([, modules]) => modules.includes(module))?.[0] ?? module.replaceAll('_', ' ');
}

/** All areas of these modules, in the order of the table. */
export function areasOf(modules: readonly string[]): string[] {
  const there = new Set(modules.map(areaOf));
  const known = AREAS.map(([area]) => area);
  return [...known.filter((area) => there.has(area)), ...[...there].filter((area) => !known.includes(area))];
}
