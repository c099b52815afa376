// The supervisor process: children in order of their start, restarts, shutdowns, reports in OTP's form.
import type { LogOrigin } from '../erts/log.js';
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { ExportFun } from '../terms/fun.js';
import { map } from '../terms/map.js';
import { keyOf } from '../terms/order.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import { isOrderly } from './crash_report.js';
import { cast } from './gen.js';
import { type GenServer, type Init, type Step, startLink as startServer } from './gen_server.js';
import type { StartResult } from './proc_lib.js';
import type { AutoShutdown, ChildSpec, SpecDesk, SupervisorFlags, SupervisorOptions } from './supervisor.js';
import {
  type Child,
  childSpecTerm,
  modulesOf,
  offender,
  pidTerm,
  restartIntensity,
  shutdownChildren,
  specFault,
  specsFault,
  startOf,
  startTerm,
  supervisorName,
} from './supervisor_child.js';

const OK = atom('ok');
const ERROR = atom('error');
const UNDEFINED = atom('undefined');
const RESTARTING = atom('restarting');
const RUNNING = atom('running');
const NOT_FOUND = atom('not_found');
const SIMPLE = atom('simple_one_for_one');
const SHUTDOWN = atom('shutdown');
const EXIT = atom('EXIT');
const SUPERVISOR = atom('supervisor');
/** What shows a supervisor's report on BEAM. */
const REPORT_CALLBACK = new ExportFun(SUPERVISOR, atom('format_log'), 2);
const TRY_AGAIN = atom('try_again_restart');
const WHICH_CHILDREN = atom('which_children');
const COUNT_CHILDREN = atom('count_children');
const START_CHILD = atom('start_child');
const TERMINATE_CHILD = atom('terminate_child');
const RESTART_CHILD = atom('restart_child');
const DELETE_CHILD = atom('delete_child');
const GET_CHILDSPEC = atom('get_childspec');

/** Starts a supervisor and its children, in order; if one fails the others are ended and the start fails. */
export function startLink(
  parent: Process,
  flags: SupervisorFlags,
  children: readonly ChildSpec[],
  options: SupervisorOptions = {},
): Promise<StartResult> {
  const callbacks: GenServer<Supervisor> = {
    module: SUPERVISOR,
    initialCall: [SUPERVISOR, options.module ?? SUPERVISOR, 1],
    init: (self) => new Supervisor(self, flags, children, options).init(),
    handleCall: async (request, _from, state) => ({ state, reply: await state.answer(request) }),
    handleCast: (message, state) => state.tryAgain(message),
    handleInfo: (message, state) => state.info(message),
    terminate: (_reason, state) => state.endAll(),
    formatState: (state) => state.describe(),
  };
  return startServer(parent, callbacks, [], options.name === undefined ? {} : { name: options.name });
}

class Supervisor implements SpecDesk {
  readonly #self: Process;
  readonly #name: Term;
  readonly #simple: boolean;
  readonly #strategy: NonNullable<SupervisorFlags['strategy']>;
  /** In order of their start. Of a `simple_one_for_one` the dynamic ones. */
  readonly #children = new Set<Child>();
  readonly #byPid = new Map<string, Child>();
  readonly #autoShutdown: AutoShutdown;
  readonly #template: ChildSpec | undefined;
  readonly #first: readonly ChildSpec[];
  /** Children whose restart failed, by the reference of the message that tries again. */
  readonly #again = new Map<string, Child>();
  readonly #deposits = new Map<string, ChildSpec>();
  readonly #mayRestart: () => boolean;

  constructor(
    self: Process,
    flags: SupervisorFlags,
    children: readonly ChildSpec[],
    options: SupervisorOptions,
  ) {
    this.#self = self;
    this.#strategy = flags.strategy ?? 'one_for_one';
    this.#autoShutdown = flags.autoShutdown ?? 'never';
    this.#simple = this.#strategy === 'simple_one_for_one';
    this.#template = this.#simple ? children[0] : undefined;
    this.#first = this.#simple ? [] : children;
    this.#name = supervisorName(self, options);
    this.#mayRestart = restartIntensity(self.system.clock, flags.intensity ?? 1, flags.periodMs ?? 5000);
  }

  async init(): Promise<Init<Supervisor>> {
    this.#self.trapExit = true;
    this.#self.behaviour = this;
    if (this.#simple && this.#template === undefined) return { stop: tuple(atom('bad_start_spec'), []) };
    const specs = this.#template === undefined ? this.#first : [this.#template];
    const fault = specsFault(specs, this.#autoShutdown);
    if (fault !== undefined) return { stop: tuple(atom('start_spec'), fault) };
    for (const spec of this.#first) {
      const child: Child = { spec, args: [], pid: undefined, restarting: false };
      const result = await this.#start(child);
      if ('error' in result) {
        this.#report('start_error', result.error, child);
        await this.endAll();
        return { stop: tuple(SHUTDOWN, tuple(atom('failed_to_start_child'), spec.id, result.error)) };
      }
      if (child.pid !== undefined || child.spec.restart !== 'temporary') this.#children.add(child);
    }
    return { state: this };
  }

  deposit(spec: ChildSpec): Reference {
    const ref = this.#self.makeRef();
    this.#deposits.set(ref.key, spec);
    return ref;
  }

  describe(): Term {
    return tuple(atom('state'), this.#name, atom(this.#strategy), this.#whichChildren());
  }

  // --- requests -----------------------------------------------------------------------------------------------

  async answer(request: Term): Promise<Term> {
    if (request === WHICH_CHILDREN) return this.#whichChildren();
    if (request === COUNT_CHILDREN) return this.#countChildren();
    if (!(request instanceof Tuple) || request.elements.length !== 2) return tuple(ERROR, atom('badarg'));
    const [what, arg] = request.elements as [Term, Term];
    switch (what) {
      case START_CHILD:
        return this.#simple ? this.#startDynamic(arg) : this.#startNew(arg);
      case TERMINATE_CHILD:
        return this.#terminateChild(arg);
      case RESTART_CHILD:
        return this.#restartChild(arg);
      case DELETE_CHILD:
        return this.#deleteChild(arg);
      case GET_CHILDSPEC: {
        const child = this.#find(arg);
        return child === undefined ? tuple(ERROR, NOT_FOUND) : tuple(OK, childSpecTerm(child.spec));
      }
      default:
        return tuple(ERROR, atom('badarg'));
    }
  }

  #whichChildren(): Term {
    return [...this.#children].reverse().map((child) => {
      const { spec } = child;
      const id = this.#simple ? UNDEFINED : spec.id;
      return tuple(id, pidTerm(child), atom(spec.type ?? 'worker'), modulesOf(spec));
    });
  }

  #countChildren(): Term {
    const children = [...this.#children];
    const supervisors = children.filter((child) => child.spec.type === 'supervisor').length;
    return [
      tuple(atom('specs'), this.#simple ? 1 : children.length),
      tuple(atom('active'), children.filter((child) => child.pid !== undefined && !child.restarting).length),
      tuple(atom('supervisors'), supervisors),
      tuple(atom('workers'), children.length - supervisors),
    ];
  }

  async #startDynamic(args: Term): Promise<Term> {
    if (!Array.isArray(args)) return tuple(ERROR, atom('badarg'));
    const spec = this.#template as ChildSpec;
    const child: Child = { spec, args: args as readonly Term[], pid: undefined, restarting: false };
    const result = await this.#start(child);
    if (child.pid !== undefined) this.#children.add(child);
    return startTerm(result);
  }

  async #startNew(arg: Term): Promise<Term> {
    const spec = arg instanceof Reference ? this.#deposits.get(arg.key) : undefined;
    // a specification from another node names code that is not here
    if (spec === undefined) return tuple(ERROR, tuple(EXIT, tuple(atom('undef'), [])));
    this.#deposits.delete((arg as Reference).key);
    const fault = specFault(spec, this.#autoShutdown);
    if (fault !== undefined) return tuple(ERROR, fault);
    const known = this.#find(spec.id);
    if (known !== undefined) {
      const running = known.pid !== undefined && !known.restarting;
      return tuple(
        ERROR,
        running ? tuple(atom('already_started'), known.pid as Pid) : atom('already_present'),
      );
    }
    const child: Child = { spec, args: [], pid: undefined, restarting: false };
    const result = await this.#start(child);
    if ('error' in result) this.#report('start_error', result.error, child);
    else if (child.pid !== undefined || spec.restart !== 'temporary') this.#children.add(child);
    return startTerm(result);
  }

  async #terminateChild(id: Term): Promise<Term> {
    if (this.#simple && !(id instanceof Pid)) return tuple(ERROR, SIMPLE);
    const child = this.#find(id);
    if (child === undefined) return tuple(ERROR, NOT_FOUND);
    await this.#end([child]);
    if (this.#simple || child.spec.restart === 'temporary') this.#children.delete(child);
    return OK;
  }

  async #restartChild(id: Term): Promise<Term> {
    const child = this.#idle(id);
    if (child instanceof Tuple) return child;
    const result = await this.#start(child);
    if ('error' in result) this.#report('start_error', result.error, child);
    return startTerm(result);
  }

  #deleteChild(id: Term): Term {
    const child = this.#idle(id);
    if (child instanceof Tuple) return child;
    this.#children.delete(child);
    return OK;
  }

  /** The child of that id if it does not run, else the refusal. */
  #idle(id: Term): Child | Tuple {
    if (this.#simple) return tuple(ERROR, SIMPLE);
    const child = this.#find(id);
    if (child === undefined) return tuple(ERROR, NOT_FOUND);
    if (child.restarting) return tuple(ERROR, RESTARTING);
    return child.pid === undefined ? child : tuple(ERROR, RUNNING);
  }

  #find(id: Term): Child | undefined {
    if (id instanceof Pid && (this.#simple || this.#byPid.has(id.key))) return this.#byPid.get(id.key);
    const key = keyOf(id);
    for (const child of this.#children) if (keyOf(child.spec.id) === key) return child;
    return undefined;
  }

  // --- ends and restarts --------------------------------------------------------------------------------------

  async info(message: Term): Promise<Step<Supervisor>> {
    if (!isTagged(message, EXIT, 3) || !(message.elements[1] instanceof Pid)) {
      this.#self.system.log('error', `Supervisor received unexpected message: ${format(message, 2000)}`);
      return { state: this };
    }
    const child = this.#byPid.get(message.elements[1].key);
    return child === undefined ? { state: this } : this.#ended(child, message.elements[2] as Term);
  }

  async #ended(child: Child, reason: Term): Promise<Step<Supervisor>> {
    const { restart = 'permanent' } = child.spec;
    const again = restart === 'permanent' || (restart === 'transient' && !isOrderly(reason));
    if (again || (restart === 'temporary' && !isOrderly(reason)))
      this.#report('child_terminated', reason, child);
    if (again) return this.#restart(child);
    this.#forgetPid(child);
    if (this.#simple || restart === 'temporary') this.#children.delete(child);
    return this.#endsWith(child) ? { state: this, stop: SHUTDOWN } : { state: this };
  }

  /** Whether the supervisor ends now that this child has: by its own wish, so that nothing is reported. */
  #endsWith(child: Child): boolean {
    if (this.#autoShutdown === 'never' || child.spec.significant !== true) return false;
    if (this.#autoShutdown === 'any_significant') return true;
    return ![...this.#children].some((other) => other.pid !== undefined && other.spec.significant === true);
  }

  async #restart(child: Child): Promise<Step<Supervisor>> {
    if (!this.#mayRestart()) {
      this.#report('shutdown', atom('reached_max_restart_intensity'), child);
      this.#forgetPid(child);
      return { state: this, stop: SHUTDOWN };
    }
    this.#forgetPid(child);
    child.restarting = false;
    const failed = await this.#startAgain(await this.#stopFollowers(child));
    if (failed !== undefined) {
      failed.restarting = true;
      const id = this.#self.makeRef();
      this.#again.set(id.key, failed);
      // through the mailbox, so that a shutdown of the supervisor or of the child gets its turn
      cast(this.#self, this.#self.pid, tuple(TRY_AGAIN, id));
    }
    return { state: this };
  }

  async tryAgain(message: Term): Promise<Step<Supervisor>> {
    if (!isTagged(message, TRY_AGAIN, 2) || !(message.elements[1] instanceof Reference))
      return { state: this };
    const { key } = message.elements[1];
    const child = this.#again.get(key);
    this.#again.delete(key);
    if (child === undefined || !child.restarting || !this.#children.has(child)) return { state: this };
    return this.#restart(child);
  }

  /** Ends the children that the strategy restarts with `child`; resolves to all that are to be started, in order. */
  async #stopFollowers(child: Child): Promise<Child[]> {
    if (this.#strategy === 'one_for_one' || this.#simple) return [child];
    const all = [...this.#children];
    const group = this.#strategy === 'one_for_all' ? all : all.slice(all.indexOf(child));
    for (const other of [...group].reverse()) {
      if (other === child) continue;
      await this.#end([other]);
      if (other.spec.restart === 'temporary') this.#children.delete(other);
    }
    return group.filter((other) => this.#children.has(other));
  }

  /** Starts these children in order; resolves to the one that failed. */
  async #startAgain(children: readonly Child[]): Promise<Child | undefined> {
    for (const child of children) {
      const result = await this.#start(child);
      if ('error' in result) {
        this.#report('start_error', result.error, child);
        return child;
      }
    }
    return undefined;
  }

  async #start(child: Child): Promise<StartResult> {
    const result = await startOf(this.#self, child);
    child.restarting = false;
    if ('ok' in result) {
      child.pid = result.ok;
      this.#byPid.set(result.ok.key, child);
      const started = `id=${format(child.spec.id)},pid=${format(result.ok)}`;
      this.#self.system.log(
        'info',
        `Supervisor: ${format(this.#name)}. Started: ${started}.`,
        {},
        this.#origin('progress', undefined, child),
      );
    }
    return result;
  }

  #forgetPid(child: Child): void {
    if (child.pid !== undefined) this.#byPid.delete(child.pid.key);
    child.pid = undefined;
  }

  /** Ends all children, the latest first; dynamic ones all at once. */
  async endAll(): Promise<void> {
    const children = [...this.#children].reverse();
    if (this.#simple) await this.#end(children);
    else for (const child of children) await this.#end([child]);
  }

  async #end(children: readonly Child[]): Promise<void> {
    for (const child of children) child.restarting = false;
    for (const [child, reason] of await shutdownChildren(this.#self, children)) {
      this.#report('shutdown_error', reason, child);
    }
    for (const child of children) this.#forgetPid(child);
  }

  // --- reports ------------------------------------------------------------------------------------------------

  #report(context: string, reason: Term, child: Child): void {
    const offended = `id=${format(child.spec.id)},pid=${format(pidTerm(child))}`;
    this.#self.system.log(
      'error',
      `Supervisor: ${format(this.#name)}. Context: ${context}. Reason: ${format(reason, 2000)}. Offender: ${offended}.`,
      {},
      this.#origin(context, reason, child),
    );
  }

  #origin(context: string, reason: Term | undefined, child: Child): LogOrigin {
    const facts =
      reason === undefined
        ? [tuple(atom('started'), offender(child))]
        : [
            tuple(atom('errorContext'), atom(context)),
            tuple(atom('reason'), reason),
            tuple(atom('offender'), offender(child)),
          ];
    const report = map(
      [atom('label'), tuple(SUPERVISOR, atom(context))],
      [atom('report'), [tuple(SUPERVISOR, this.#name), ...facts]],
    );
    const { pid, groupLeader } = this.#self;
    return { pid, groupLeader, report, reportCallback: REPORT_CALLBACK };
  }
}
