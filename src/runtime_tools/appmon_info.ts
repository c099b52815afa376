// The applications page of observers on other nodes (OTP: runtime_tools, appmon_info.erl).
//
//   start_link2(Starter, Client, Options)               {ok, Server}; it ends with its last client
//   cast {From, app_ctrl, Node, true | false, Options}  {delivery, Server, app_ctrl, Node, [{Master, App, {App, Text, Vsn}}]}
//   cast {From, app, App, true | false, Options}        {delivery, Server, app, App, {Root, Processes, Links, OtherLinks}}
// A subscription is delivered at once, then whenever it has changed. The tree of an application is what is linked,
// from its master on: a link to a process's first ancestor is a branch, any other is shown beside the tree.
import { ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { CodeServer } from '../kernel/code.js';
import { type GenServer, start } from '../stdlib/gen_server.js';
import { groupLeaderOf } from '../stdlib/io.js';
import { ancestorsOf } from '../stdlib/proc_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { equals, keyOf } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';

/** One subscription: what was delivered last, and the timer of the next look. */
interface Task {
  readonly from: Pid;
  readonly command: Atom;
  readonly about: Term;
  readonly intervalMs: number | undefined;
  last: Term | undefined;
  timer: unknown;
}

interface State {
  readonly clients: Map<string, Pid>;
  readonly tasks: Map<unknown, Task>;
  readonly starter: Pid;
}

const APPMON_INFO = atom('appmon_info');
const OK = atom('ok');
const APP_CTRL = atom('app_ctrl');
const APP = atom('app');
const LOAD = atom('load');
const DELIVERY = atom('delivery');
const DO_IT = atom('do_it');
const EXIT = atom('EXIT');
const TIMEOUT = atom('timeout');
const AT_MOST_ONCE = atom('at_most_once');
const REGISTER_CLIENT = atom('register_client');
const NORMAL = atom('normal');
const KERNEL = atom('kernel');
const KERNEL_SUP = atom('kernel_sup');
const ALREADY_STARTED = atom('already_started');
const DEFAULT_INTERVAL_MS = 2000;
const MIN_INTERVAL_MS = 200;
const MAX_TASKS = 1000;
const MAX_PROCESSES = 20_000;
/** Linked to everything, part of no application. */
const AVOIDED: ReadonlySet<string> = new Set(['application_controller', 'init', 'appmon_info']);

/** Lets observers of other nodes see the applications of this one. */
export function defineAppmonInfo(code: CodeServer): void {
  code.define('appmon_info', 'start_link2', 3, async ([starter, client], self) => {
    if (!(starter instanceof Pid) || !(client instanceof Pid)) throw new ErlangError(atom('badarg'));
    const started = await start(self, server(code, starter, client), [], { name: APPMON_INFO });
    if ('ok' in started) return tuple(OK, started.ok);
    if (!('error' in started) || !isTagged(started.error, ALREADY_STARTED, 2)) {
      throw new ErlangError(atom('badarg'));
    }
    const running = started.error.elements[1] as Pid;
    self.system.process(running)?.deliver(tuple(REGISTER_CLIENT, client));
    return tuple(OK, running);
  });
}

function server(code: CodeServer, starter: Pid, client: Pid): GenServer<State> {
  return {
    module: APPMON_INFO,
    init(self) {
      self.trapExit = true;
      self.link(client);
      return { state: { clients: new Map([[client.key, client]]), tasks: new Map(), starter } };
    },
    handleCall(request, _from, state, self) {
      if (isTagged(request, REGISTER_CLIENT, 2)) addClient(self, state, request.elements[1] as Term);
      return { state, reply: OK };
    },
    async handleCast(message, state, self) {
      await subscribe(code, self, state, message);
      return { state };
    },
    async handleInfo(message, state, self) {
      if (isTagged(message, EXIT, 3)) return clientEnded(self, state, message);
      if (isTagged(message, REGISTER_CLIENT, 2)) addClient(self, state, message.elements[1] as Term);
      if (isTagged(message, DO_IT, 2)) await look(code, self, state, message.elements[1] as Term);
      return { state };
    },
    formatState: (state) => [...state.clients.values()],
  };
}

function addClient(self: Process, state: State, client: Term): void {
  if (!(client instanceof Pid) || state.clients.has(client.key)) return;
  self.link(client);
  state.clients.set(client.key, client);
}

function clientEnded(self: Process, state: State, message: Tuple): { state: State; stop?: Term } {
  const from = message.elements[1] as Pid;
  if (from.key === state.starter.key) return { state, stop: NORMAL };
  for (const [key, task] of state.tasks) if (task.from.key === from.key) forget(self, state, key);
  state.clients.delete(from.key);
  return state.clients.size === 0 ? { state, stop: NORMAL } : { state };
}

/** `{From, Command, About, true | false, Options}`. */
async function subscribe(code: CodeServer, self: Process, state: State, message: Term): Promise<void> {
  if (!(message instanceof Tuple) || message.elements.length !== 5) return;
  const [from, command, about, on, options] = message.elements as [Term, Term, Term, Term, Term];
  if (!(from instanceof Pid) || !(command instanceof Atom)) return;
  const key = keyOf(tuple(command, about, from));
  forget(self, state, key);
  if (on !== true || state.tasks.size >= MAX_TASKS) return;
  const intervalMs = intervalOf(options);
  state.tasks.set(key, { from, command, about, intervalMs, last: undefined, timer: undefined });
  await look(code, self, state, tuple(command, about, from));
}

function forget(self: Process, state: State, key: unknown): void {
  const task = state.tasks.get(key);
  if (task?.timer !== undefined) self.cancelTimer(task.timer);
  state.tasks.delete(key);
}

/** Undefined: delivered only once. */
function intervalOf(options: Term): number | undefined {
  const list = Array.isArray(options) ? (options as readonly Term[]) : [];
  const wanted = list.find((option) => isTagged(option, TIMEOUT, 2)) as Tuple | undefined;
  const ms = wanted?.elements[1];
  if (ms === AT_MOST_ONCE) return undefined;
  return Math.max(MIN_INTERVAL_MS, typeof ms === 'number' ? ms : DEFAULT_INTERVAL_MS);
}

async function look(code: CodeServer, self: Process, state: State, what: Term): Promise<void> {
  const key = keyOf(what);
  const task = state.tasks.get(key);
  if (task === undefined) return;
  const result = await resultOf(code, self, task);
  if (task.last === undefined || !equals(task.last, result)) {
    await self.sendAndDrain(task.from, tuple(DELIVERY, self.pid, task.command, task.about, result));
  }
  task.last = result;
  if (task.intervalMs === undefined) state.tasks.delete(key);
  else task.timer = self.sendAfter(task.intervalMs, self.pid, tuple(DO_IT, what));
}

async function resultOf(code: CodeServer, self: Process, task: Task): Promise<Term> {
  if (task.command === APP_CTRL) return applications(code, self);
  if (task.command === LOAD) return tuple(0, 0);
  if (task.command !== APP) return [];
  const master = await masterOf(code, self, task.about);
  const process = master === undefined ? undefined : self.system.process(master);
  return process === undefined ? tuple([], [], [], []) : tree(self.system, process);
}

async function applications(code: CodeServer, self: Process): Promise<Term> {
  const which = code.find('application', 'which_applications', 0);
  const running = which === undefined ? [] : await which([], self);
  const told: Term[] = [];
  for (const entry of Array.isArray(running) ? (running as readonly Term[]) : []) {
    const name = entry instanceof Tuple ? entry.elements[0] : undefined;
    const master = name === undefined ? undefined : await masterOf(code, self, name);
    if (master !== undefined) told.push(tuple(master, name as Term, entry));
  }
  return told;
}

async function masterOf(code: CodeServer, self: Process, app: Term): Promise<Pid | undefined> {
  const get = code.find('application_controller', 'get_master', 1);
  const master = get === undefined || !(app instanceof Atom) ? undefined : await get([app], self);
  if (master instanceof Pid) return master;
  return app === KERNEL ? self.system.whereis(KERNEL_SUP)?.pid : undefined; // it has no master here
}

// --- the tree of an application -----------------------------------------------------------------------------------

function tree(system: System, root: Process): Term {
  const leader = groupLeaderOf(root);
  const found = new Set<Process>([root]);
  const links: Term[] = [];
  const others: Term[] = [];
  // a Set goes on to what is added while it is walked
  for (const parent of found) {
    for (const child of [...parent.links].reverse()) {
      if (found.has(child) || AVOIDED.has(child.registeredName?.name ?? '')) continue;
      const link = tuple(nameOf(parent), nameOf(child));
      const branch = isBranch(system, parent, child, leader);
      if (branch === undefined) continue;
      if (!branch) others.push(link);
      else if (found.size < MAX_PROCESSES) {
        links.push(link);
        found.add(child);
      }
    }
    for (const { remote } of parent.remoteLinks) {
      others.push(tuple(nameOf(parent), charlist(`${shown(remote)} ${remote.node.name}`)));
    }
  }
  return tuple(
    nameOf(root),
    [...found].map((process) => tuple(process.pid, nameOf(process))),
    links,
    others,
  );
}

/** Whether the child belongs under the parent; undefined: it is of another application. */
function isBranch(system: System, parent: Process, child: Process, leader: Pid): boolean | undefined {
  const [first] = ancestorsOf(child);
  if (first === undefined) return groupLeaderOf(child).key === leader.key ? true : undefined;
  const above =
    first instanceof Atom ? system.whereis(first) : first instanceof Pid ? system.process(first) : undefined;
  return above === parent;
}

function nameOf(process: Process): Term {
  return charlist(process.registeredName?.name ?? shown(process.pid));
}

function shown(pid: Pid): string {
  return `<0.${pid.number}.${pid.serial}>`;
}
