// The calculator: a server that is known on all nodes as `{global, 'Elixir.Distro.DistroCal'}` and adds numbers.
//
// When the application moves to this node, the old calculator still runs elsewhere and has the name. Registering it
// in the usual way would fail; so the last step of `init` takes the name over: every node has the one or the other,
// never none. Until the old one has ended, an end of this one gives the name back.
import {
  type Atom,
  atom,
  call,
  ErlangError,
  type From,
  type GenServer,
  genServer,
  globalOf,
  type Init,
  isTagged,
  map,
  type Pid,
  type Process,
  type Reference,
  type StartResult,
  type Step,
  add as sum,
  type Term,
  type Tuple,
  tuple,
} from '../index.js';

/** The module's name on the wire: what Elixir calls `Distro.DistroCal`. */
export const MODULE: Atom = atom('Elixir.Distro.DistroCal');
/** Where clients reach it. */
export const NAME: Tuple = tuple(atom('global'), MODULE);

const CAL = atom('cal');
const DOWN = atom('DOWN');
const EXIT = atom('EXIT');
const NORMAL = atom('normal');
const SHUTDOWN = atom('shutdown');

/** Who had the name before; undefined once it has ended. */
type State = { readonly pid: Pid; readonly monitor: Reference } | undefined;

/** Starts the calculator under its supervisor; with `takeOver` it takes the name from whoever has it. */
export function startLink(parent: Process, options: { readonly takeOver: boolean }): Promise<StartResult> {
  return genServer.startLink(parent, calculator(options.takeOver), []);
}

/** `Distro.DistroCal.add/2`: asks the calculator, wherever it runs. */
export function add(self: Process, x: Term, y: Term): Promise<Term> {
  return call(self, NAME, tuple(CAL, x, y));
}

function calculator(takeOver: boolean): GenServer<State> {
  return {
    module: MODULE,
    init: (self) => init(self, takeOver),
    handleCall,
    handleCast: (message) => {
      throw functionClause('handle_cast', [message, []]);
    },
    handleInfo,
    terminate,
    formatState: () => [],
  };
}

async function init(self: Process, takeOver: boolean): Promise<Init<State>> {
  // The order to stop waits behind the calls that came before it, and `terminate` is called.
  self.trapExit = true;
  const global = globalOf(self);
  if (!takeOver) {
    if (await global.registerName(self, MODULE, self.pid)) return { state: undefined };
    return { stop: tuple(atom('already_started'), global.whereisName(MODULE) ?? atom('undefined')) };
  }
  // A node that has just come knows no names yet, and others would keep the old one: first all agree. The old
  // calculator answers meanwhile.
  await global.sync();
  const holder = global.whereisName(MODULE);
  const state = holder && { pid: holder, monitor: self.monitor(holder) };
  await global.reRegisterName(self, MODULE, self.pid);
  return { state };
}

function handleCall(request: Term, from: From, state: State): Step<State> {
  if (!isTagged(request, CAL, 3))
    throw functionClause('handle_call', [request, tuple(from.pid, from.tag), []]);
  const [, x, y] = request.elements as readonly [Term, Term, Term];
  try {
    return { state, reply: sum(x, y) };
  } catch (error) {
    if (!(error instanceof ErlangError)) throw error;
    // The frame that Elixir reads `bad argument in arithmetic expression: "a" + 1` from.
    const info = tuple(atom('error_info'), map([atom('module'), atom('erl_erts_errors')]));
    const plus = tuple(atom('erlang'), atom('+'), [x, y], [info]);
    throw new ErlangError(error.reason, [plus, tuple(MODULE, atom('handle_call'), 3, [])]);
  }
}

function handleInfo(message: Term, state: State): Step<State> {
  if (isTagged(message, EXIT, 3)) return exited(message.elements[2] as Term, state);
  const ended = isTagged(message, DOWN, 5) && state?.monitor.key === (message.elements[1] as Reference).key;
  return { state: ended ? undefined : state };
}

/** Somebody else than the supervisor wants it to end: as for a process that does not trap exits. */
function exited(reason: Term, state: State): Step<State> {
  return reason === NORMAL ? { state } : { state, stop: reason };
}

/** The start is undone after all: who had the name and still lives, gets it back. */
async function terminate(reason: Term, state: State, self: Process): Promise<void> {
  const orderly = reason === NORMAL || reason === SHUTDOWN || isTagged(reason, SHUTDOWN, 2);
  if (state !== undefined && orderly) await globalOf(self).reRegisterName(self, MODULE, state.pid);
}

/** No clause of the function takes these arguments: the server ends, and the caller is told. */
function functionClause(fun: string, args: readonly Term[]): ErlangError {
  return new ErlangError(atom('function_clause'), [tuple(MODULE, atom(fun), args, [])]);
}
