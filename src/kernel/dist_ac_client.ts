// Moving applications by hand: `dist_ac:takeover_application/2` and `permit_application/2`.
//
// Both run under a global lock, so that they exclude each other and nodes that are just being introduced. The lock
// is held by a process of its own: dist_ac gives it back early when the caller only waits for a start. Where OTP tries without end,
// we go on without it after a while: on a BEAM node a caller can wait for ever, and keep the lock of all nodes.
import type { Process } from '../erts/process.js';
import { call } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, type Tuple, tuple } from '../terms/tuple.js';
import { DIST_AC, RELEASE } from './dist_ac_options.js';

const EXIT = atom('EXIT');
const LOCKED = atom('dist_ac_locked');
const ERROR = atom('error');
const GET_NODES = atom('get_nodes');
const TAKEOVER_APPLICATION = atom('takeover_application');
const PERMIT_APPLICATION = atom('permit_application');
const LOAD_APPLICATION = atom('load_application');
const STARTED = atom('started');
const ONLY_LOADED = atom('only_loaded');
const KILL = atom('kill');
const NOT_RUNNING_DISTRIBUTED = atom('not_running_distributed');

/** After so long without the lock a call goes on without. */
const LOCK_WITHIN_MS = 30_000;

export interface LockClient {
  /** `global:set_lock`, tried without end. */
  readonly setLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
  readonly delLock: (self: Process, id: Tuple, nodes: readonly Atom[]) => Promise<void>;
}

/** Answers `ok` when the application runs here, or `{error, Reason}`. The restart type is checked by the caller. */
export async function takeoverApplication(
  self: Process,
  locks: LockClient,
  app: Atom,
  restartType: Atom,
): Promise<Term> {
  if (self.system.whereis(DIST_AC) === undefined) return tuple(ERROR, tuple(NOT_RUNNING_DISTRIBUTED, app));
  const nodes = await ask(self, tuple(GET_NODES, app));
  return withLock(self, locks, atoms(nodes), () => ask(self, tuple(TAKEOVER_APPLICATION, app, restartType)));
}

/** Answers `ok` when what the permission moves has been moved. `onlyLoaded`: it is not started here. */
export function permitApplication(
  self: Process,
  locks: LockClient,
  app: Atom,
  bool: boolean,
  onlyLoaded: boolean,
): Promise<Term> {
  const nodes = [self.node, ...self.system.nodes()];
  return withLock(self, locks, nodes, (lockId) =>
    ask(self, tuple(PERMIT_APPLICATION, app, bool, lockId, onlyLoaded ? ONLY_LOADED : STARTED)),
  );
}

/** Tells dist_ac the node list of `application:load/2`. */
export function loadDistributed(self: Process, app: Atom, spec: Term): Promise<Term> {
  return ask(self, tuple(LOAD_APPLICATION, app, spec));
}

function ask(self: Process, request: Term): Promise<Term> {
  return call(self, DIST_AC, request, Number.POSITIVE_INFINITY);
}

async function withLock(
  self: Process,
  locks: LockClient,
  nodes: readonly Atom[],
  work: (lockId: Tuple) => Promise<Term>,
): Promise<Term> {
  const holder = self.spawn((process) => holdLock(process, self.pid, locks, nodes));
  const ref = self.monitor(holder);
  const locked = (message: Term): true | undefined => {
    const [, about] = isTagged(message, LOCKED, 2) ? message.elements : [];
    return about instanceof Pid && about.key === holder.key ? true : undefined;
  };
  if ((await self.receive(locked, LOCK_WITHIN_MS)) === undefined) {
    const seconds = LOCK_WITHIN_MS / 1000;
    const text = `dist_ac: the lock for takeovers and permissions was not free for ${seconds} s: its holder waits for somebody. Going on without it`;
    self.system.log('warning', text);
    self.unlink(holder);
    self.exitSignal(holder, KILL);
  }
  try {
    return await work(tuple(DIST_AC, holder));
  } finally {
    self.demonitor(ref, { flush: true });
    self.send(holder, RELEASE);
  }
}

/** Holds the lock until told to give it back, or until the caller has ended. */
async function holdLock(
  self: Process,
  caller: Pid,
  locks: LockClient,
  nodes: readonly Atom[],
): Promise<void> {
  const id = tuple(DIST_AC, self.pid);
  self.trapExit = true;
  self.link(caller);
  await locks.setLock(self, id, nodes);
  self.send(caller, tuple(LOCKED, self.pid));
  await self.receive((message) => (message === RELEASE || isTagged(message, EXIT, 3) ? true : undefined));
  await locks.delLock(self, id, nodes);
}

function atoms(term: Term): Atom[] {
  return Array.isArray(term) ? (term as readonly Term[]).filter((node) => node instanceof Atom) : [];
}
