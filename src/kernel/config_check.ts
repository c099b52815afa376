// What will go wrong in a cluster whose nodes boot from these configurations, in plain words.
//
// OTP checks none of this: it waits for ever, loses the application, or runs it twice. Each rule is a function of
// the whole cluster; a finding says which files and nodes it is about.
import { distributedFindings } from './config_check_distributed.js';
import { awaitedNodes, type Finding, mentionedNodes, type NodeConfig } from './config_check_files.js';
import { groupFindings } from './config_check_groups.js';
import { syncFindings } from './config_check_sync.js';

export type { Finding, NodeConfig } from './config_check_files.js';

/** All findings, errors first. `unresolved` are the hosts of node names that no resolver knows. */
export function checkCluster(configs: readonly NodeConfig[], unresolved: readonly string[] = []): Finding[] {
  const named = withNames(configs);
  const found = [
    ...distributedFindings(named),
    ...syncFindings(named),
    ...groupFindings(named),
    ...nameFindings(named, unresolved),
  ];
  const unique = new Map(found.map((finding) => [`${finding.code} ${finding.text}`, finding]));
  return [...unique.values()].sort((x, y) => Number(y.severity === 'error') - Number(x.severity === 'error'));
}

/**
 * Whose file is whose, where it was not said: the one node of the cluster that a file waits for all others of, or
 * the one whose name begins as the file's.
 */
export function withNames(configs: readonly NodeConfig[]): readonly NodeConfig[] {
  const all = new Set(configs.flatMap(mentionedNodes));
  const taken = new Set(configs.flatMap(({ node }) => node ?? []));
  return configs.map((own) => {
    if (own.node !== undefined) return own;
    const awaited = new Set(awaitedNodes(own.config));
    const left = [...all].filter((node) => !awaited.has(node) && !taken.has(node));
    const base = own.file.replace(/^.*\//, '').replace(/\.config$/, '');
    const byName = left.filter((node) => node.startsWith(`${base}@`));
    const [node] = byName.length === 1 ? byName : left.length === 1 ? left : [];
    if (node === undefined) return own;
    taken.add(node);
    return { ...own, node };
  });
}

/** The hosts of all node names. */
export function hostsOf(configs: readonly NodeConfig[]): string[] {
  const hosts = configs.flatMap(mentionedNodes).map((node) => node.split('@')[1]);
  return [...new Set(hosts.filter((host): host is string => host !== undefined && host !== ''))];
}

/** Node names that cannot be right. */
function nameFindings(configs: readonly NodeConfig[], unresolved: readonly string[]): Finding[] {
  const found: Finding[] = [];
  const add = (severity: Finding['severity'], code: string, text: string, files: readonly string[]): void => {
    found.push({ severity, code, text, files });
  };
  const all = [...new Set(configs.flatMap(mentionedNodes))];
  const filesWith = (node: string): string[] =>
    configs.filter((each) => mentionedNodes(each).includes(node)).map(({ file }) => file);
  for (const node of all) {
    const [head, host, more] = node.split('@');
    if (!head || !host || more !== undefined) {
      add('error', 'bad_node_name', `${node} is no node name: it has the form name@host`, filesWith(node));
    } else if (unresolved.includes(host)) {
      add(
        'error',
        'unknown_host',
        `the host ${host} of ${node} does not resolve: nobody can connect`,
        filesWith(node),
      );
    }
    const twin = all.find((other) => other !== node && other.split('@')[0] === head);
    if (twin !== undefined && node < twin) {
      const text = `${node} and ${twin} are two different nodes: is that meant?`;
      add('warning', 'similar_names', text, [...filesWith(node), ...filesWith(twin)]);
    }
  }
  const dotted = all.filter((node) => node.split('@')[1]?.includes('.'));
  if (dotted.length > 0 && dotted.length < all.length) {
    const short = all.filter((node) => !dotted.includes(node));
    const text = `${short.join(', ')} use short names, ${dotted.join(', ')} long ones: they cannot connect to each other`;
    add(
      'error',
      'mixed_names',
      text,
      configs.map(({ file }) => file),
    );
  }
  return found;
}
