// Which instances of the application lived when: read from what the applications said and how their processes ended,
// so nothing in between is missed.
import { type Cluster, nodeName } from './cluster.js';

/** One instance: from the first line of its start to its last words, or the end of its process (ms since the epoch). */
export interface Instance {
  readonly node: string;
  /** The start type without punctuation: `normal`, `{takeover,bcd@127.0.0.1}`. */
  readonly type: string;
  readonly from: number;
  /** `Infinity` while it lives. */
  readonly to: number;
}

/** All instances that there were in a cluster, in the order of their starts. */
export function instances(cluster: Cluster): Instance[] {
  const all = cluster.procs.flatMap((proc) => {
    const node = nodeName(proc.name.replace(/ .*/, ''));
    const died = proc.ended?.at ?? Number.POSITIVE_INFINITY;
    const own: Instance[] = [];
    for (const { at, text } of proc.lines) {
      const type = /Distro application in (.+?) mode/.exec(text)?.[1]?.replace(/[:"'\\ ]/g, '');
      if (type !== undefined) own.push({ node, type, from: at, to: died });
      const last = own.at(-1);
      if (last !== undefined && /Distro application stopped/.test(text))
        own[own.length - 1] = { ...last, to: at };
    }
    return own;
  });
  return all.sort((a, b) => a.from - b.from);
}

/** Two instances that lived at one time: for how many ms, and whether the later one took over from the earlier. */
export interface Overlap {
  readonly text: string;
  readonly ms: number;
  readonly takeover: boolean;
}

/** Every overlap of two instances; ms is `Infinity` while both live. */
export function overlaps(all: readonly Instance[]): Overlap[] {
  return all.flatMap((later, i) =>
    all.slice(0, i).flatMap((earlier) => {
      const ms = Math.min(earlier.to, later.to) - later.from;
      if (ms <= 0) return [];
      const takeover = later.type === `{takeover,${earlier.node}}`;
      return [{ text: `${earlier.node} and ${later.node} (${later.type}) for ${ms} ms`, ms, takeover }];
    }),
  );
}
