// Findings about `sync_nodes_*`: who waits for whom at boot, and who is never introduced to whom.
import { awaitedNodes, entriesOf, type Finding, type NodeConfig } from './config_check_files.js';

export function syncFindings(configs: readonly NodeConfig[]): Finding[] {
  return [
    ...configs.flatMap(ownFindings),
    ...configs.flatMap((own) => waitFindings(own, configs)),
    ...introductionFindings(configs),
    ...settingsThatDiffer(configs),
  ];
}

/** One file by itself. */
function ownFindings({ file, node, config }: NodeConfig): Finding[] {
  const found: Finding[] = [];
  const { syncNodesTimeoutMs } = config.kernel;
  const awaited = awaitedNodes(config);
  if (awaited.length > 0 && syncNodesTimeoutMs === undefined) {
    const text = `${file} has no sync_nodes_timeout: its sync_nodes_mandatory and sync_nodes_optional are ignored, nobody is waited for and nobody introduced`;
    found.push({ severity: 'error', code: 'no_sync_timeout', text, files: [file] });
  }
  if (node !== undefined && awaited.includes(node)) {
    const text = `${node} is in its own sync_nodes list: harmless, but not needed`;
    found.push({ severity: 'warning', code: 'waits_for_itself', text, files: [file] });
  }
  const twice = awaited.find((each, i) => awaited.indexOf(each) !== i);
  if (twice !== undefined) {
    const text = `${twice} is in the sync_nodes lists of ${file} twice: its second coming is waited for until the timeout`;
    found.push({ severity: 'error', code: 'waits_twice', text, files: [file] });
  }
  return found;
}

/** A node that waits is only noticed by nodes that connect to it, so both have to name each other. */
function waitFindings(own: NodeConfig, configs: readonly NodeConfig[]): Finding[] {
  const { node, file, config } = own;
  if (node === undefined || config.kernel.syncNodesTimeoutMs === undefined) return [];
  return configs.flatMap((other): Finding[] => {
    if (other.node === undefined || other === own || connects(other, node)) return [];
    const mandatory = config.kernel.syncNodesMandatory.some((each) => each.name === other.node);
    if (!mandatory && !awaitedNodes(config).includes(other.node)) return [];
    const then = mandatory ? 'and dies when its timeout is over' : 'until its timeout is over';
    const text = `${node} waits for ${other.node}, which does not name ${node}: started later, ${other.node} never connects, ${node} waits on ${then}`;
    const severity = mandatory ? 'error' : 'warning';
    return [{ severity, code: 'one_sided_wait', text, files: [file, other.file] }];
  });
}

function connects({ config }: NodeConfig, node: string): boolean {
  return config.kernel.syncNodesTimeoutMs !== undefined && awaitedNodes(config).includes(node);
}

/** Two nodes of one list that neither waits for the other never learn what the other runs. */
function introductionFindings(configs: readonly NodeConfig[]): Finding[] {
  const found: Finding[] = [];
  for (const { application, nodes } of entriesOf(configs)) {
    for (const a of nodes) {
      for (const b of nodes) {
        if (a >= b || introduced(a, b, configs)) continue;
        const text = `${a} and ${b} may both run ${application}, but neither has the other in sync_nodes_mandatory or sync_nodes_optional: they are not introduced, and starting ${application} may wait for ever or start it twice`;
        const files = configs.filter(({ node }) => node === a || node === b).map(({ file }) => file);
        found.push({ severity: 'error', code: 'not_introduced', text, files });
      }
    }
  }
  return found;
}

/** Whether one of them connects to the other at boot. A node whose file is not known is introduced if anybody names it. */
function introduced(a: string, b: string, configs: readonly NodeConfig[]): boolean {
  const [ofA, ofB] = [a, b].map((name) => configs.find(({ node }) => node === name));
  const unknown = ofA === undefined ? a : ofB === undefined ? b : undefined;
  if (unknown !== undefined) return configs.some((each) => connects(each, unknown));
  return connects(ofA as NodeConfig, b) || connects(ofB as NodeConfig, a);
}

/** Parameters that the documentation wants to be the same everywhere. */
function settingsThatDiffer(configs: readonly NodeConfig[]): Finding[] {
  const settings = {
    sync_nodes_timeout: 'some nodes give up earlier than others',
    net_ticktime: 'nodes disagree on when a silent one is down',
    prevent_overlapping_partitions: 'half of that protection is worse than none',
  } as const;
  const setting = ({ config: { kernel } }: NodeConfig, name: keyof typeof settings): unknown =>
    ({
      sync_nodes_timeout: kernel.syncNodesTimeoutMs,
      net_ticktime: kernel.netTicktimeS,
      prevent_overlapping_partitions: kernel.preventOverlappingPartitions,
    })[name];
  return (Object.keys(settings) as (keyof typeof settings)[]).flatMap((name): Finding[] => {
    const values = new Set(configs.map((own) => setting(own, name)));
    if (values.size < 2 || (name === 'sync_nodes_timeout' && values.has(undefined))) return [];
    const shown = configs.map((own) => `${String(setting(own, name))} in ${own.file}`).join(', ');
    const text = `${name} differs (${shown}): ${settings[name]}`;
    return [{ severity: 'warning', code: 'settings_differ', text, files: configs.map(({ file }) => file) }];
  });
}
