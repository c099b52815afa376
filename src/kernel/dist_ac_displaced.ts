// Applications that run at a node although one that ranks higher is there: moved by hand, or never started at the other one.
//
// Whoever starts such an application waits, in OTP, until the higher node starts it, which is nobody's turn, and takes
// nothing else meanwhile. No message says so; while there is such an application, its nodes are asked every few seconds,
// and one that waits is told that the others have started it, and last where it runs: it goes on as a standby.
import { Atom } from '../terms/atom.js';
import type { Place } from './dist_ac_circles.js';
import { type Appl, distributedAt, flatNodes, type State } from './dist_ac_state.js';

/** Where such applications run, each with the nodes that may wait for another one. */
export function displaced(s: State): Place[] {
  return [...s.appls.values()].flatMap((appl) => {
    const at = appl.id === 'local' ? s.self : distributedAt(appl.id);
    const there = at === undefined ? undefined : ranksAhead(s, appl, at);
    if (at === undefined || there === undefined) return [];
    return [{ app: appl.name, nodes: [...new Set(flatNodes(appl.nodes))], at, ahead: there }];
  });
}

/** The nodes that may wait for one of these. */
export function mayWait(s: State, places: readonly Place[]): Atom[] {
  const nodes = places.flatMap(({ nodes, at, ahead }) =>
    // the highest one alone waits for nobody
    nodes.filter((node) => node !== at && node !== s.self && !(ahead?.length === 1 && node === ahead[0])),
  );
  return [...new Set(nodes)].filter((node) => s.known.includes(node));
}

/** The permitted nodes of the first element that has some, if that comes before the one where it runs. */
function ranksAhead(s: State, appl: Appl, at: Atom): readonly Atom[] | undefined {
  for (const entry of appl.nodes) {
    const members = entry instanceof Atom ? [entry] : entry;
    if (members.includes(at)) return undefined;
    const there = members.filter((node) => appl.run.get(node) === true && s.known.includes(node));
    if (there.length > 0) return there;
  }
  return undefined;
}
