// What the rules of `config_check` are about: the files of a cluster's nodes, and what of them is looked at.
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import type { Config } from './config.js';

export interface Finding {
  /** An error costs the cluster its application or a node; a warning is not what its author thinks. */
  readonly severity: 'error' | 'warning';
  /** Stable, for machines. */
  readonly code: string;
  readonly text: string;
  readonly files: readonly string[];
}

/** The configuration of one node. */
export interface NodeConfig {
  readonly file: string;
  /** Its name, if it is known; see `withNames`. */
  readonly node: string | undefined;
  readonly config: Config;
}

/** One entry of `distributed`, as written. */
export interface Entry {
  readonly file: string;
  readonly node: string | undefined;
  readonly application: string;
  readonly timeMs: number;
  /** The list with its tuples as lists. */
  readonly groups: readonly (readonly string[])[];
  /** All of them, in order. */
  readonly nodes: readonly string[];
  /** Nodes in a tuple of their own. */
  readonly singles: readonly string[];
}

/** The entries of `distributed` of all files; those that OTP ignores are there, too. */
export function entriesOf(configs: readonly NodeConfig[]): Entry[] {
  return configs.flatMap(({ file, node, config }) => {
    const list = config.environments.get(atom('kernel'))?.get(atom('distributed'));
    return (Array.isArray(list) ? (list as readonly Tuple[]) : []).map((entry): Entry => {
      const nodes = entry.elements.at(-1) as readonly Term[];
      const groups = nodes.map((each) => (each instanceof Tuple ? each.elements.map(name) : [name(each)]));
      const time = entry.elements.length === 2 ? 0 : (entry.elements[1] as Term);
      const timeMs = time instanceof Atom ? Number.POSITIVE_INFINITY : Number(time);
      const singles = nodes.flatMap((each) =>
        each instanceof Tuple && each.elements.length === 1 ? each.elements.map(name) : [],
      );
      const application = name(entry.elements[0] as Term);
      return { file, node, application, timeMs, groups, nodes: groups.flat(), singles };
    });
  });
}

function name(term: Term): string {
  return term instanceof Atom ? term.name : String(term);
}

/** The nodes of `sync_nodes_mandatory` and `sync_nodes_optional`. */
export function awaitedNodes({ kernel }: Config): string[] {
  return [...kernel.syncNodesMandatory, ...kernel.syncNodesOptional].map((node) => node.name);
}

/** All nodes that a file names. */
export function mentionedNodes(own: NodeConfig): string[] {
  return [...entriesOf([own]).flatMap((entry) => entry.nodes), ...awaitedNodes(own.config)];
}
