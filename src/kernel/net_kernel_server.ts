// The registered process `net_kernel`: what nodes ask of each other's (OTP: net_kernel.erl, handle_call).
//
//   {'$gen_call', From, {is_auth, Node}}                       yes: this is what net_adm:ping/1 asks
//   {'$gen_call', From, {spawn | spawn_link, M, F, A, GL}}     a pid; only from nodes of OTP 24 and older, and
//   {'$gen_call', From, {spawn_opt, M, F, A, O, L, GL}}        only if a side lacks spawn requests
//   {From, registered_send, Name, Message}                     Message to the local process Name
// Everything else in OTP's is meant for the node itself; here those are methods of `NetKernel`.
import type { Process } from '../erts/process.js';
import { type From, reply } from '../stdlib/gen.js';
import type { GenServer, Step } from '../stdlib/gen_server.js';
import { Atom, atom, isAtom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

export const NET_KERNEL: Atom = atom('net_kernel');
const IS_AUTH = atom('is_auth');
const YES = atom('yes');
const SPAWN = atom('spawn');
const SPAWN_LINK = atom('spawn_link');
const SPAWN_OPT = atom('spawn_opt');
const LINK = atom('link');
const EXIT = atom('EXIT');
const SYSTEM_LIMIT = atom('system_limit');
const REGISTERED_SEND = atom('registered_send');

export const netKernelServer: GenServer<null> = {
  module: NET_KERNEL,
  init: () => ({ state: null }),
  handleCall(request, from, state, self): Step<null> {
    if (isTagged(request, IS_AUTH, 2)) return { state, reply: YES };
    if (request instanceof Tuple) spawnFor(self, from, request.elements);
    return { state };
  },
  handleCast: (_message, state) => ({ state }),
  handleInfo(message, state, self): Step<null> {
    if (message instanceof Tuple && message.elements[1] === REGISTERED_SEND) {
      const [, , to, what] = message.elements;
      if (to instanceof Atom && what !== undefined) self.system.whereis(to)?.deliver(what);
    }
    return { state };
  },
};

/** The new process answers itself, after it has linked to the caller: then the caller needs no link of its own. */
function spawnFor(self: Process, from: From, request: readonly Term[]): void {
  const [tag, module, fun, args] = request;
  const known =
    ((tag === SPAWN || tag === SPAWN_LINK) && request.length === 5) ||
    (tag === SPAWN_OPT && request.length === 7);
  if (!known || !isAtom(module) || !isAtom(fun) || !Array.isArray(args)) return;
  const leader = request[request.length - 1];
  const link = tag === SPAWN_LINK || (tag === SPAWN_OPT && request[5] === LINK);
  const { system } = self;
  if (system.fullForPeers) {
    reply(self, from, tuple(EXIT, tuple(SYSTEM_LIMIT, [])));
    return;
  }
  const main = system.remoteMain(module, fun, args as readonly Term[]);
  system.spawn(
    (child) => {
      if (link) child.link(from.pid);
      reply(child, from, child.pid);
      return main(child);
    },
    leader instanceof Pid ? { groupLeader: leader } : {},
  );
}
