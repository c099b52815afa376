// What changes this node when other nodes call it: offered only where the configuration says so (`remoteControl`).
import { ErlangError } from '../errors.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { CodeServer } from './code.js';
import type { TicktimeChange } from './ticktime.js';

export interface Controlled {
  /** Begins the orderly stop of the node. */
  stop(): void;
  connect(node: Atom): Promise<boolean>;
  disconnect(node: Atom): boolean;
  /** `erlang:set_cookie/2` */
  setCookie(node: Atom, cookie: string): void;
  /** `net_kernel:set_net_ticktime/2`, in seconds. */
  setNetTicktime(seconds: number, transitionSeconds?: number): TicktimeChange;
}

const OK = atom('ok');

/** Lets remote callers stop the node, connect and disconnect it, and change its cookies and its ticktime. */
export function offerControl(code: CodeServer, node: Controlled): void {
  const stop = (): Term => {
    setImmediate(() => node.stop()); // the answer leaves first
    return OK;
  };
  code.define('init', 'stop', 0, stop);
  code.define('init', 'stop', 1, stop);
  code.define('erlang', 'halt', 0, stop);
  code.define('erlang', 'halt', 1, stop);
  code.define('net_kernel', 'connect_node', 1, ([peer]) => node.connect(atomIn(peer)));
  code.define('erlang', 'disconnect_node', 1, ([peer]) => node.disconnect(atomIn(peer)));
  code.define('net_kernel', 'disconnect', 1, ([peer]) => node.disconnect(atomIn(peer)));
  code.define('erlang', 'set_cookie', 2, ([peer, cookie]) => {
    node.setCookie(atomIn(peer), atomIn(cookie).name);
    return true;
  });
  code.define('net_kernel', 'set_net_ticktime', 1, ([seconds]) =>
    ticktimeTerm(node.setNetTicktime(positive(seconds))),
  );
  code.define('net_kernel', 'set_net_ticktime', 2, ([seconds, transition]) =>
    ticktimeTerm(node.setNetTicktime(positive(seconds), transition === 0 ? 0 : positive(transition))),
  );
}

function ticktimeTerm(change: TicktimeChange): Term {
  return typeof change === 'string' ? atom(change) : tuple(atom('ongoing_change_to'), change.ongoingChangeTo);
}

function positive(term: Term | undefined): number {
  if (typeof term === 'number' && term > 0) return term;
  throw new ErlangError(atom('badarg'), [], 'a time is a positive integer of seconds');
}

function atomIn(term: Term | undefined): Atom {
  if (term instanceof Atom) return term;
  throw new ErlangError(atom('badarg'), [], 'a node and a cookie are atoms');
}
