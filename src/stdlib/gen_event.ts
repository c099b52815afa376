// An event manager as far as other nodes know it: `notify`, `sync_notify`, `which_handlers`, as OTP's gen_event.erl.
//
//   {notify, Event}                                      to every handler
//   {Caller, {Caller, Tag}, {sync_notify, Event}}        the same, answered by ok
//   {Caller, {Caller, Tag}, which_handlers}              their names
// Handlers are functions of this node; code of others cannot be added.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { callAs, parseFrom, reply, type ServerRef } from './gen.js';
import { type GenServer, startLink as startServer } from './gen_server.js';
import { type Limits, unlimited } from './limits.js';
import type { StartResult } from './proc_lib.js';

/** Gets each event. What it throws removes it. */
export type EventHandler = (event: Term) => void;

const NOTIFY = atom('notify');
const SYNC_NOTIFY = atom('sync_notify');
const WHICH_HANDLERS = atom('which_handlers');
const ADD_HANDLER = atom('add_handler');
const DELETE_HANDLER = atom('delete_handler');
const CALL = atom('call');
const OK = atom('ok');
const ERROR = atom('error');
const EXIT = atom('EXIT');
const UNDEF = atom('undef');
const GEN_EVENT = atom('gen_event');

/** Starts an event manager with these handlers. */
export function startLink(
  parent: Process,
  handlers: ReadonlyMap<Atom, EventHandler>,
  options: { readonly name?: Atom } = {},
): Promise<StartResult> {
  return startServer(parent, manager(new Map(handlers)), [], options);
}

function manager(handlers: Map<Atom, EventHandler>): GenServer<null> {
  return {
    module: GEN_EVENT,
    init: () => ({ state: null }),
    // what is meant for a gen_server is nothing to an event manager
    handleCall: (_request, _from, state) => ({ state }),
    handleCast: (_message, state) => ({ state }),
    handleInfo(message, state, self) {
      if (isTagged(message, NOTIFY, 2)) notifyAll(self, handlers, message.elements[1] as Term);
      else if (message instanceof Tuple) answer(self, handlers, message);
      return { state };
    },
    formatState: () => [...handlers.keys()],
  };
}

function notifyAll(self: Process, handlers: Map<Atom, EventHandler>, event: Term): void {
  for (const [name, handler] of handlers) {
    try {
      handler(event);
    } catch (error) {
      handlers.delete(name);
      self.system.log('error', `** gen_event handler ${name.name} crashed: ${String(error)}`);
    }
  }
}

/** A request has its caller as label. */
function answer(self: Process, handlers: Map<Atom, EventHandler>, message: Tuple): void {
  const [label, client, request] = message.elements;
  const from = client === undefined ? undefined : parseFrom(client);
  if (message.elements.length !== 3 || !(label instanceof Pid) || from === undefined) return;
  reply(self, from, answerTo(self, handlers, request as Term));
}

function answerTo(self: Process, handlers: Map<Atom, EventHandler>, request: Term): Term {
  if (request === WHICH_HANDLERS) return [...handlers.keys()];
  if (isTagged(request, SYNC_NOTIFY, 2)) {
    notifyAll(self, handlers, request.elements[1] as Term);
    return OK;
  }
  if (isTagged(request, CALL, 3)) return tuple(ERROR, atom('bad_module'));
  if (isTagged(request, DELETE_HANDLER, 3)) return tuple(ERROR, atom('module_not_found'));
  if (isTagged(request, ADD_HANDLER, 3)) return tuple(EXIT, tuple(UNDEF, []));
  return tuple(ERROR, atom('badarg'));
}

/** Tells an event manager, here or elsewhere, of an event. */
export function notify(self: Process, server: Atom | Pid | Tuple, event: Term): void {
  self.send(server, tuple(NOTIFY, event));
}

/** `notify`, done when all handlers have had the event. False: there is no such manager, or the wait was given up. */
export async function syncNotify(
  self: Process,
  server: ServerRef,
  event: Term,
  limits?: Limits,
): Promise<boolean> {
  const asked = await callAs(self, self.pid, server, tuple(SYNC_NOTIFY, event), unlimited(limits));
  return 'reply' in asked;
}

/** The names of a manager's handlers; undefined: there is no such manager, or the wait was given up. */
export async function whichHandlers(
  self: Process,
  server: ServerRef,
  limits?: Limits,
): Promise<Term | undefined> {
  const asked = await callAs(self, self.pid, server, WHICH_HANDLERS, unlimited(limits));
  return 'reply' in asked ? asked.reply : undefined;
}
