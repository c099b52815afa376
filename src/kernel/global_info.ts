// The state of the name server as Erlang terms, in the shape of OTP 25's record: what `info` and `sys` show.
import { type Atom, atom } from '../terms/atom.js';
import { TermMap } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { NameServer } from './global_name_server.js';

/** `{state, {conf, ConnectAll, Prevent}, Known, Synced, Resolvers, Syncers, Node, Locker, Registrar, Trace, LockDown}` */
export function stateToTerm(
  server: NameServer,
  sessions: readonly { readonly node: Atom; readonly tag: number }[],
  syncers: number,
): Term {
  const { options, peers, self } = server;
  return tuple(
    atom('state'),
    tuple(atom('conf'), options.connectAll, options.preventOverlappingPartitions),
    knownToTerm(server),
    [...peers.synced],
    sessions.map(({ node, tag }) => tuple(node, tag, self.pid)),
    new Array<Term>(syncers).fill(self.pid),
    self.node,
    server.locker.process.pid,
    server.registrar.process.pid,
    atom('no_trace'),
    server.locks.globalLockDown,
  );
}

/** `#{Node => Vsn, {pending, Node} => Vsn, {removing, Node} => yes, {connection_id, Node} => Id}` */
function knownToTerm({ peers }: NameServer): TermMap {
  const entries: [Term, Term][] = [...peers.known];
  for (const [node, version] of peers.pending) entries.push([tuple(atom('pending'), node), version]);
  for (const node of peers.removing) entries.push([tuple(atom('removing'), node), atom('yes')]);
  for (const [node, id] of peers.connections) entries.push([tuple(atom('connection_id'), node), id]);
  return new TermMap(entries);
}
