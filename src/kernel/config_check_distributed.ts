// Findings about `distributed`: who may run what, where lists disagree, and which lists make BEAM nodes wait for
// each other for ever.
import { type Entry, entriesOf, type Finding, type NodeConfig } from './config_check_files.js';

/** BEAM nodes decide one application after the other; restart times so far apart do not meet. */
const APART_MS = 500;

export function distributedFindings(configs: readonly NodeConfig[]): Finding[] {
  const entries = entriesOf(configs);
  const applications = [...new Set(entries.map((entry) => entry.application))];
  return [
    ...entries.flatMap(entryFindings),
    ...applications.flatMap((application) =>
      agreementFindings(
        application,
        entries.filter((entry) => entry.application === application),
        configs,
      ),
    ),
    ...configs.flatMap(({ file }) => deadlockFindings(entries.filter((entry) => entry.file === file))),
    ...configs.flatMap(settingFindings),
  ];
}

/** One entry by itself. */
function entryFindings({ file, node, application, timeMs, nodes, singles }: Entry): Finding[] {
  const found: Finding[] = [];
  const add = (severity: Finding['severity'], code: string, text: string): void => {
    found.push({ severity, code, text, files: [file] });
  };
  if (timeMs < 0) {
    const text = `${application} has the restart time ${timeMs}: a negative one makes OTP ignore the entry without a word, so that ${application} runs on every node that starts it`;
    add('error', 'negative_time', text);
  }
  if (nodes.length === 0) add('error', 'no_nodes', `${application} may run on no node: its list is empty`);
  for (const single of singles) {
    add(
      'warning',
      'single_node_tuple',
      `{${single}} in the list of ${application} is a tuple of one node, the same as ${single}`,
    );
  }
  const twice = nodes.find((each, i) => nodes.indexOf(each) !== i);
  if (twice !== undefined) add('error', 'node_twice', `${twice} is in the list of ${application} twice`);
  if (node !== undefined && !nodes.includes(node)) {
    const text = `${node} is not in the list of ${application}: it never runs there, and starting it there waits for another node`;
    add('warning', 'not_in_own_list', text);
  }
  return found;
}

/** One application over all files. */
function agreementFindings(
  application: string,
  entries: readonly Entry[],
  configs: readonly NodeConfig[],
): Finding[] {
  const found: Finding[] = [];
  const files = entries.map(({ file }) => file);
  const lists = new Map(entries.map((entry) => [canonical(entry), entry]));
  if (lists.size > 1) {
    const shown = [...lists.values()].map((entry) => `${entry.file} has ${show(entry)}`).join(', ');
    const text = `the node lists of ${application} differ: ${shown}; a BEAM node that is told of the other list ends itself`;
    found.push({ severity: 'error', code: 'lists_differ', text, files });
  }
  const times = [...new Set(entries.map(({ timeMs }) => timeMs))];
  if (times.length > 1) {
    const shown = entries.map(({ file, timeMs }) => `${timeMs} in ${file}`).join(', ');
    const text = `the restart times of ${application} differ (${shown}): each node waits its own, the slowest member of a tuple decides`;
    found.push({ severity: 'warning', code: 'times_differ', text, files });
  }
  const missing = configs.filter(({ file }) => !files.includes(file));
  const listed = entries.flatMap(({ nodes }) => nodes);
  for (const { file, node } of missing) {
    const who = node ?? 'its node';
    if (node !== undefined && !listed.includes(node)) continue;
    const text = `${file} does not distribute ${application}, which others do: ${who} runs it by itself whenever it starts it there`;
    found.push({ severity: 'error', code: 'missing_entry', text, files: [file] });
  }
  return found;
}

/** The list with the nodes of a tuple sorted, for their order means nothing. */
function canonical({ groups }: Entry): string {
  return groups.map((group) => [...group].sort().join(' ')).join(' | ');
}

function show({ groups }: Entry): string {
  const list = groups.map((group) => (group.length === 1 ? group[0] : `{${group.join(', ')}}`));
  return `[${list.join(', ')}]`;
}

/** Pairs of applications that make the `dist_ac`s of BEAM nodes wait for each other. */
function deadlockFindings(entries: readonly Entry[]): Finding[] {
  const found: Finding[] = [];
  entries.forEach((first, i) => {
    if (entries.findIndex(({ application }) => application === first.application) < i) {
      const text = `${first.application} is in distributed twice: the first entry counts`;
      found.push({ severity: 'error', code: 'application_twice', text, files: [first.file] });
    }
    for (const second of entries.slice(i + 1)) {
      if (second.application !== first.application) found.push(...pairFindings(first, second));
    }
  });
  return found;
}

function pairFindings(first: Entry, second: Entry): Finding[] {
  const names = `${first.application} and ${second.application}`;
  const files = [first.file];
  const near = Math.abs(first.timeMs - second.timeMs) < APART_MS;
  const shared = first.groups.find((group) =>
    second.groups.some((other) => group.filter((node) => other.includes(node)).length > 1),
  );
  if (shared !== undefined && near) {
    const text = `${names} share the tuple {${shared.join(', ')}} and a restart time: when the node before it dies, BEAM nodes wait for each other's answers for ever; give them times ${APART_MS} ms apart`;
    return [{ severity: 'error', code: 'deadlock_tuple', text, files }];
  }
  const crossed = crossing(first, second);
  if (crossed === undefined) return [];
  const text = `${names} rank ${crossed.join(' and ')} in opposite orders: starting both at once, BEAM nodes wait for each other for ever; use one order`;
  return [{ severity: near ? 'error' : 'warning', code: 'deadlock_order', text, files }];
}

/** Two nodes that have opposite ranks in the two lists. */
function crossing(first: Entry, second: Entry): readonly [string, string] | undefined {
  const rank = (entry: Entry, node: string): number =>
    entry.groups.findIndex((group) => group.includes(node));
  for (const a of first.nodes) {
    for (const b of first.nodes) {
      if (rank(first, a) >= rank(first, b)) continue;
      const [inA, inB] = [rank(second, a), rank(second, b)];
      if (inA >= 0 && inB >= 0 && inA > inB) return [a, b];
    }
  }
  return undefined;
}

/** Settings beside the list that undo it. */
function settingFindings({ file, node, config }: NodeConfig): Finding[] {
  const { kernel } = config;
  const found: Finding[] = [];
  const who = node ?? `the node of ${file}`;
  if (kernel.distributed !== undefined && kernel.startDistAc === false) {
    const text = `start_dist_ac is false on ${who}: it takes no part in what distributed says, and waits for nobody`;
    found.push({ severity: 'error', code: 'no_dist_ac', text, files: [file] });
  }
  for (const { application } of kernel.distributed ?? []) {
    if (kernel.permissions.get(application) !== false) continue;
    const text = `permissions forbids ${application.name} on ${who} until somebody calls application:permit/2`;
    found.push({ severity: 'warning', code: 'not_permitted', text, files: [file] });
  }
  return found;
}
