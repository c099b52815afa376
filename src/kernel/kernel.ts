// The kernel application's supervision tree (OTP: kernel.erl): `init` is the root, `kernel_sup` holds the services.
//
// A service that ends takes all others down, as in OTP: a node without one of them is none. The root then tells
// the reason; what happens to the node is decided by whoever started it.
import { Exit } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { type ChildSpec, startLink } from '../stdlib/supervisor.js';
import { type Atom, atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged } from '../terms/tuple.js';

const INIT: Atom = atom('init');
const KERNEL_SUP: Atom = atom('kernel_sup');
const BOOT = atom('boot');
const KERNEL = atom('kernel');
const EXIT = atom('EXIT');
const SHUTDOWN = atom('shutdown');

export interface Kernel {
  /** The supervisor `kernel_sup`. */
  readonly supervisor: Pid;
  /** Ends all services, the last one first. */
  stop(): Promise<void>;
}

/**
 * Starts the services in order; rejects with `Exit` if one does not start. `onEnd` is told when they ended later
 * without having been asked to.
 */
export async function startKernel(
  system: System,
  children: readonly ChildSpec[],
  onEnd: (reason: Term) => void,
): Promise<Kernel> {
  let ended!: (reason: Term) => void;
  const end = new Promise<Term>((resolve) => {
    ended = resolve;
  });
  let root!: Process;
  const started = await new Promise<StartResult>((resolve) => {
    root = system.spawn((self) => run(self, children, resolve, ended), {
      name: INIT,
      initialCall: [INIT, BOOT, 1],
    });
  });
  if (!('ok' in started)) {
    const reason = 'error' in started ? started.error : SHUTDOWN;
    throw new Exit(reason, `a kernel service did not start: ${format(reason)}`);
  }
  let stopping = false;
  void end.then((reason) => {
    if (!stopping) onEnd(reason);
  });
  return {
    supervisor: started.ok,
    stop: async () => {
      stopping = true;
      if (root.alive) root.exitSignal(started.ok, SHUTDOWN);
      await end;
    },
  };
}

/** The root process: starts the supervisor, then waits for its end. */
async function run(
  self: Process,
  children: readonly ChildSpec[],
  started: (result: StartResult) => void,
  ended: (reason: Term) => void,
): Promise<void> {
  self.trapExit = true;
  const flags = { strategy: 'one_for_all', intensity: 0, periodMs: 1000 } as const;
  const result = await startLink(self, flags, [...children], { name: KERNEL_SUP, module: KERNEL });
  started(result);
  while ('ok' in result) {
    const message = await self.next();
    if (!isTagged(message, EXIT, 3)) continue;
    const [, from, reason] = message.elements;
    if (!(from instanceof Pid) || from.key !== result.ok.key) continue;
    ended(reason as Term);
    return;
  }
}
