// Findings about `global_groups`: who will share no names with whom.
import { ConfigError } from '../errors.js';
import { atom } from '../terms/atom.js';
import { entriesOf, type Finding, type NodeConfig } from './config_check_files.js';
import { GroupConfig } from './global_group_config.js';

/** A file whose node is known, and what its groups mean to that node. */
interface Grouped {
  readonly file: string;
  readonly node: string;
  readonly groups: GroupConfig;
}

export function groupFindings(configs: readonly NodeConfig[]): Finding[] {
  if (configs.every(({ config }) => config.kernel.globalGroups === undefined)) return [];
  const found: Finding[] = [];
  const grouped = configs.flatMap(({ file, node, config }): Grouped[] => {
    if (node === undefined) return [];
    try {
      return [{ file, node, groups: new GroupConfig(atom(node), config.kernel.globalGroups) }];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const text = `${file}: ${error.hint ?? error.message}: the node does not start`;
      found.push({ severity: 'error', code: 'in_two_groups', text, files: [file] });
      return [];
    }
  });
  return [...found, ...grouped.flatMap(loneFindings), ...differing(grouped), ...across(configs, grouped)];
}

/** Nodes outside of all groups, while others are in some. */
function loneFindings({ file, node, groups }: Grouped): Finding[] {
  if (groups.ownNodes.length > 0) return [];
  const text = groups.configured
    ? `${node} is in no group of the global_groups in ${file}: it shares global names with nobody`
    : `${file} has no global_groups, while other files have: ${node} shares no names with the nodes in groups`;
  return [{ severity: 'warning', code: 'in_no_group', text, files: [file] }];
}

/** Two nodes share names only if both list the same nodes for the group. */
function differing(grouped: readonly Grouped[]): Finding[] {
  return grouped.flatMap((a, i) =>
    grouped.slice(i + 1).flatMap((b): Finding[] => {
      const meant = a.groups.isMember(atom(b.node)) || b.groups.isMember(atom(a.node));
      if (!meant || a.groups.ownNodes.join() === b.groups.ownNodes.join()) return [];
      const list = ({ groups }: Grouped): string =>
        groups.ownNodes.map((node) => node.name).join(', ') || 'none';
      const text =
        `${a.node} and ${b.node} list different nodes for their global group (${list(a)} in ${a.file}, ` +
        `${list(b)} in ${b.file}): they share no names`;
      return [{ severity: 'error', code: 'groups_differ', text, files: [a.file, b.file] }];
    }),
  );
}

/** A distributed application whose nodes are not all in one group: its names stay behind when it moves. */
function across(configs: readonly NodeConfig[], grouped: readonly Grouped[]): Finding[] {
  return entriesOf(configs).flatMap(({ application, nodes, node, file }): Finding[] => {
    const own = grouped.find((each) => each.node === node);
    const outside = nodes.find((each) => own?.groups.isParticipant(atom(each)) === false);
    if (outside === undefined || !nodes.includes(node as string)) return [];
    const text = `${application} may run on ${outside} and on ${node}, which are in different global groups: its global names are not known in both`;
    return [{ severity: 'warning', code: 'application_across_groups', text, files: [file] }];
  });
}
