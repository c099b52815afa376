// The registered process `rex`: how OTP before 23, C nodes and `erl_call` ask for function calls, as OTP's rpc.erl.
//
// Requests: `{call, M, F, A, Leader}` as a gen call or as `{Pid, {call, …}}` (answered by `{rex, Result}`),
// `block_call` (one at a time, in this process), `cast`, `{Pid, {sbcast, Name, Msg}}`, `{Pid, {send, Name, Msg}}`,
// `{Pid, features_request}`. Anything else is ignored.
import { Exit } from '../errors.js';
import { NORMAL } from '../erts/exit_reason.js';
import type { Process } from '../erts/process.js';
import * as gen from '../stdlib/gen.js';
import { type GenServer, startLink as startServer } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { type CodeServer, isName, type Name } from './code.js';
import { run } from './erpc_server.js';
import { stdoutLeader } from './group.js';
import { badrpc } from './rpc.js';

export const REX: Atom = atom('rex');
const CALL = atom('call');
const BLOCK_CALL = atom('block_call');
const CAST = atom('cast');
const SBCAST = atom('sbcast');
const SEND = atom('send');
const DOWN = atom('DOWN');
/** No process is started for other nodes any more. */
const FULL = { kind: 'error', reason: atom('system_limit'), stacktrace: [] } as const;
const USER = atom('user');
const FEATURES_REQUEST = atom('features_request');
const FEATURES_REPLY = atom('features_reply');
const NONEXISTING_NAME = atom('nonexisting_name');
const SEND_STDOUT = atom('send_stdout_to_caller');

/** Who is to get the result of a call: a gen caller, or a C node's process. */
type Caller = { readonly from: gen.From } | { readonly pid: Pid };

interface Request {
  readonly module: Name;
  readonly fun: Name;
  readonly args: readonly Term[];
  readonly leader: Term;
}

interface State {
  readonly code: CodeServer;
  /** Who waits for the result of which execution, by its monitor. */
  readonly running: Map<string, Caller>;
}

/** Starts `rex`, which runs what `code` allows. */
export function startLink(parent: Process, code: CodeServer): Promise<StartResult> {
  return startServer(parent, rex(code), [], { name: REX });
}

function rex(code: CodeServer): GenServer<State> {
  return {
    module: atom('rpc'),
    init(self) {
      // what a function that is called here links to this process must not end it
      self.trapExit = true;
      return { state: { code, running: new Map() } };
    },
    handleCall(request, from, state, self) {
      const called = parse(request, CALL);
      if (called !== undefined) {
        execute(self, state, called, { from });
        return { state };
      }
      const blocking = parse(request, BLOCK_CALL);
      if (blocking === undefined) return { state };
      return resultOf(state.code, self, blocking).then((reply) => ({ state, reply }));
    },
    handleCast(message, state, self) {
      const cast = parse(message, CAST);
      if (cast !== undefined) execute(self, state, cast, undefined);
      return { state };
    },
    handleInfo(message, state, self) {
      if (message instanceof Tuple) info(self, state, message);
      return { state };
    },
    formatState: (state) => state.running.size,
  };
}

/** `{What, M, F, A, GroupLeader}`. */
function parse(request: Term, what: Atom): Request | undefined {
  if (!isTagged(request, what, 5)) return undefined;
  const [, module, fun, args, leader] = request.elements;
  if (!isName(module) || !isName(fun) || !Array.isArray(args)) return undefined;
  return { module, fun, args: args as readonly Term[], leader: leader as Term };
}

async function resultOf(code: CodeServer, self: Process, request: Request): Promise<Term> {
  const result = await run(code, self, request.module, request.fun, request.args);
  return 'value' in result ? result.value : badrpc(result);
}

/** Runs a request in a process of its own; the result goes to the caller, whatever happens to that process. */
function execute(self: Process, state: State, request: Request, caller: Caller | undefined): void {
  if (self.system.fullForPeers) {
    if (caller !== undefined) answer(self, caller, badrpc(FULL));
    return;
  }
  const stdout = request.leader === SEND_STDOUT && caller !== undefined && 'pid' in caller;
  const leader = stdout ? stdoutLeader(self, caller.pid) : leaderOf(self, request.leader);
  const child = self.spawn(
    async (own) => {
      const result = await resultOf(state.code, own, request);
      if (caller === undefined) return;
      // through the leader, so that the result comes after all output
      if (stdout) own.send(leader as Pid, tuple(atom('stop'), caller.pid, tuple(REX, result)));
      else answer(own, caller, result);
    },
    leader === undefined ? {} : { groupLeader: leader },
  );
  if (caller !== undefined) state.running.set(self.monitor(child).key, caller);
}

function leaderOf(self: Process, leader: Term): Pid | undefined {
  if (leader instanceof Pid) return leader;
  return leader === USER ? self.system.whereis(USER)?.pid : undefined;
}

function answer(self: Process, caller: Caller, result: Term): void {
  if ('from' in caller) gen.reply(self, caller.from, result);
  else self.system.send(self.pid, caller.pid, tuple(REX, result));
}

function info(self: Process, state: State, message: Tuple): void {
  const [first, second] = message.elements;
  if (first === DOWN && second instanceof Reference && message.elements.length === 5) {
    const caller = state.running.get(second.key);
    state.running.delete(second.key);
    const reason = message.elements[4] as Term;
    if (caller !== undefined && reason !== NORMAL) answer(self, caller, badrpc(new Exit(reason)));
    return;
  }
  if (!(first instanceof Pid) || message.elements.length !== 2) return;
  const reply = (value: Term): void => self.system.send(self.pid, first, value);
  if (second === FEATURES_REQUEST) {
    reply(tuple(FEATURES_REPLY, self.node, [atom('erpc')]));
    return;
  }
  const called = parse(second as Term, CALL);
  if (called !== undefined) execute(self, state, called, { pid: first });
  else if (isTagged(second, SBCAST, 3)) {
    const [, name, payload] = second.elements as [Term, Term, Term];
    const done = deliver(self, name, payload);
    reply(tuple(REX, self.node, done ? self.node : tuple(NONEXISTING_NAME, name)));
  } else if (isTagged(second, SEND, 3)) {
    const [, name, payload] = second.elements as [Term, Term, Term];
    const done = deliver(self, name, tuple(first, payload));
    if (!done) reply(tuple(REX, self.node, tuple(NONEXISTING_NAME, name)));
  }
}

/** Sends to a local name; false when nobody has it. */
function deliver(self: Process, name: Term, message: Term): boolean {
  if (!(name instanceof Atom) || self.system.whereis(name) === undefined) return false;
  self.system.send(self.pid, name, message);
  return true;
}
