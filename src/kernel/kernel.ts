// What a node consists of (OTP: init and kernel.erl): `init` is the root; `application_controller` runs the
// applications; `kernel_sup` holds the services.
//
// A service that ends takes all others down, as in OTP: a node without one of them is none. So does an application
// whose end is the end of its node. Whoever started the node is told the reason and decides what then.
import { Exit } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { type ChildSpec, startLink } from '../stdlib/supervisor.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';

const INIT: Atom = atom('init');
const KERNEL_SUP: Atom = atom('kernel_sup');
const BOOT = atom('boot');
const KERNEL = atom('kernel');
const START = atom('start');
const NORMAL = atom('normal');
const EXIT = atom('EXIT');
const SHUTDOWN = atom('shutdown');
const APPLICATION_TERMINATED = atom('application_terminated');
const APPLICATION_START_FAILURE = atom('application_start_failure');

export interface KernelOptions {
  /** Starts the application controller, linked to `init`. */
  readonly controller: (init: Process) => Promise<StartResult>;
  /** The services in their order. */
  readonly children: readonly ChildSpec[];
  /** Told why the node cannot go on; not when it was asked to stop. */
  readonly onEnd: (reason: Term) => void;
}

export interface Kernel {
  /** The supervisor `kernel_sup`. */
  readonly supervisor: Pid;
  /** Stops all applications, the latest first. */
  stopApplications(): Promise<void>;
  /** Ends all services, the last one first. */
  stop(): Promise<void>;
}

/** Starts everything in order; rejects with `Exit`, whose reason is OTP's, if a service does not start. */
export async function startKernel(system: System, options: KernelOptions): Promise<Kernel> {
  const root = new Root(system, options);
  const started = await root.started;
  if ('error' in started) {
    const reason = tuple(
      APPLICATION_START_FAILURE,
      KERNEL,
      tuple(started.error, tuple(KERNEL, START, [NORMAL, []])),
    );
    throw new Exit(reason, `a kernel service did not start: ${format(reason)}`);
  }
  return {
    supervisor: started.ok,
    stopApplications: () => root.stop('controller'),
    stop: () => root.stop('supervisor'),
  };
}

type Part = 'controller' | 'supervisor';

/** The process `init`: starts both parts and waits for their ends. */
class Root {
  readonly started: Promise<{ readonly ok: Pid } | { readonly error: Term }>;
  readonly #options: KernelOptions;
  readonly #process: Process;
  readonly #pids = new Map<Part, Pid>();
  readonly #ended = new Map<Part, { readonly promise: Promise<void>; readonly resolve: () => void }>();
  #stopping = false;

  constructor(system: System, options: KernelOptions) {
    this.#options = options;
    for (const part of ['controller', 'supervisor'] as const) {
      let resolve!: () => void;
      const promise = new Promise<void>((ended) => {
        resolve = ended;
      });
      this.#ended.set(part, { promise, resolve });
    }
    let tell!: (result: { readonly ok: Pid } | { readonly error: Term }) => void;
    this.started = new Promise((resolve) => {
      tell = resolve;
    });
    this.#process = system.spawn((self) => this.#run(self, tell), {
      name: INIT,
      initialCall: [INIT, BOOT, 1],
    });
  }

  async #run(
    self: Process,
    tell: (result: { readonly ok: Pid } | { readonly error: Term }) => void,
  ): Promise<void> {
    self.trapExit = true;
    const controller = await this.#options.controller(self);
    if (!('ok' in controller)) {
      tell({ error: 'error' in controller ? controller.error : SHUTDOWN });
      return;
    }
    this.#pids.set('controller', controller.ok);
    const flags = { strategy: 'one_for_all', intensity: 0, periodMs: 1000 } as const;
    const children = [...this.#options.children];
    const services = await startLink(self, flags, children, { name: KERNEL_SUP, module: KERNEL });
    if (!('ok' in services)) {
      this.#stopping = true;
      self.exitSignal(controller.ok, SHUTDOWN);
      tell({ error: 'error' in services ? services.error : SHUTDOWN });
    } else {
      this.#pids.set('supervisor', services.ok);
      tell({ ok: services.ok });
    }
    for (let left = this.#pids.size; left > 0; ) {
      const message = await self.next();
      if (
        isTagged(message, EXIT, 3) &&
        this.#exited(self, message.elements[1] as Pid, message.elements[2] as Term)
      ) {
        left--;
      }
    }
  }

  /** Whether one of the two parts ended. Without the services there are no applications either. */
  #exited(self: Process, pid: Pid, reason: Term): boolean {
    const part = [...this.#pids].find(([, known]) => known.key === pid.key)?.[0];
    if (part === undefined) return false;
    this.#ended.get(part)?.resolve();
    if (this.#stopping) return true;
    this.#stopping = true;
    const controller = this.#pids.get('controller') as Pid;
    if (part === 'supervisor') self.exitSignal(controller, SHUTDOWN);
    const why = isTagged(reason, SHUTDOWN, 2) ? (reason.elements[1] as Term) : reason;
    this.#options.onEnd(part === 'supervisor' ? tuple(APPLICATION_TERMINATED, KERNEL, reason) : why);
    return true;
  }

  async stop(part: Part): Promise<void> {
    this.#stopping = true;
    const pid = this.#pids.get(part);
    if (pid === undefined) return;
    if (this.#process.alive) this.#process.exitSignal(pid, SHUTDOWN);
    await this.#ended.get(part)?.promise;
  }
}
