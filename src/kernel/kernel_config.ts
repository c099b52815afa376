// The last step of kernel's boot: waits for other nodes as `sync_nodes_mandatory`, `sync_nodes_optional` and
// `sync_nodes_timeout` say, then lets dist_ac go (OTP: kernel_config.erl).
//
// Each listed node is pinged once, one after the other; one that comes up later must connect to us. Unlike OTP a
// node that accepts the connection and then does not answer holds nobody up: the next one is pinged meanwhile, and
// the time limit holds.
import type { Process } from '../erts/process.js';
import type { NodeEvent } from '../erts/system.js';
import { type GenServer, type Init, startLink } from '../stdlib/gen_server.js';
import type { StartResult } from '../stdlib/proc_lib.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';
import { DIST_AC } from './dist_ac.js';

const GO = atom('go');
const TOOK_CONTROL = atom('dist_ac_took_control');
const NODEUP = atom('nodeup');
const PINGED = atom('pinged');
const NEXT = atom('next');
const TIMEOUT = atom('timeout');
const DOWN = atom('DOWN');
const MANDATORY_NODES_DOWN = atom('mandatory_nodes_down');

/** A node that has not answered for so long is not waited for before the next is pinged. */
const NEXT_PING_MS = 5000;

export interface KernelConfigOptions {
  readonly mandatory: readonly Atom[];
  readonly optional: readonly Atom[];
  /** Undefined: nobody is waited for. */
  readonly timeoutMs: number | 'infinity' | undefined;
  /** `net_adm:ping/1`, run in a process of its own. */
  readonly ping: (self: Process, node: Atom) => Promise<boolean>;
}

/** Resolves when the nodes are there; `{error, {mandatory_nodes_down, Nodes}}` if they are not in time. */
export function startKernelConfig(supervisor: Process, options: KernelConfigOptions): Promise<StartResult> {
  const server: GenServer<null> = {
    module: atom('kernel_config'),
    init: (self) => init(self, options),
    handleCall: () => ({ state: null }),
    handleCast: () => ({ state: null }),
    handleInfo: () => ({ state: null }),
  };
  return startLink(supervisor, server, [], { timeoutMs: Number.POSITIVE_INFINITY });
}

async function init(self: Process, options: KernelConfigOptions): Promise<Init<null>> {
  self.trapExit = true;
  if (options.timeoutMs !== undefined) {
    const missing = await syncNodes(self, options, options.timeoutMs);
    if (missing.length > 0) return { stop: tuple(MANDATORY_NODES_DOWN, missing) };
  }
  await letDistAcGo(self);
  return { state: null };
}

/** The mandatory nodes that did not come in time, in the order of the configuration. */
async function syncNodes(
  self: Process,
  options: KernelConfigOptions,
  timeoutMs: number | 'infinity',
): Promise<readonly Atom[]> {
  const listener = (event: NodeEvent): void => {
    if (event.type === 'up' && event.channel.visible) self.deliver(tuple(NODEUP, event.node));
  };
  self.system.nodeListeners.add(listener);
  if (timeoutMs !== 'infinity') self.sendAfter(timeoutMs, self.pid, TIMEOUT);
  try {
    return await waitForNodes(self, options);
  } finally {
    self.system.nodeListeners.delete(listener);
  }
}

async function waitForNodes(self: Process, options: KernelConfigOptions): Promise<readonly Atom[]> {
  const { ping } = options;
  const mandatory = [...options.mandatory];
  const optional = [...options.optional];
  const toPing = [...mandatory, ...optional];
  let asked = 0;
  const pingNext = (): void => {
    const node = toPing.shift();
    if (node === undefined) return;
    const number = ++asked;
    self.spawnLink(async (pinger) => {
      const up = await ping(pinger, node).catch(() => false);
      pinger.send(self.pid, tuple(PINGED, node, up, number));
    });
    self.sendAfter(NEXT_PING_MS, self.pid, tuple(NEXT, number));
  };
  pingNext();
  while (mandatory.length > 0 || optional.length > 0) {
    const message = (await self.next()) as Term;
    if (message === TIMEOUT) return mandatory;
    if (isTagged(message, NODEUP, 2)) cameUp(message.elements[1] as Atom, mandatory, optional);
    if (isTagged(message, PINGED, 4) && message.elements[2] === true) {
      cameUp(message.elements[1] as Atom, mandatory, optional);
    }
    const answered = isTagged(message, PINGED, 4) ? message.elements[3] : undefined;
    const late = isTagged(message, NEXT, 2) ? message.elements[1] : undefined;
    if (answered === asked || late === asked) pingNext();
  }
  return [];
}

/** Takes one occurrence of the node out of the lists. A node that goes away again counts as up all the same. */
function cameUp(node: Atom, mandatory: Atom[], optional: Atom[]): void {
  const list = mandatory.includes(node) ? mandatory : optional;
  const at = list.indexOf(node);
  if (at >= 0) list.splice(at, 1);
}

async function letDistAcGo(self: Process): Promise<void> {
  const distAc = self.system.whereis(DIST_AC);
  if (distAc === undefined) return;
  const ref = self.monitor(distAc.pid);
  self.send(distAc.pid, tuple(GO, self.pid));
  await self.receive((message) => {
    if (message === TOOK_CONTROL) return true;
    return isTagged(message, DOWN, 5) && (message.elements[1] as Reference).key === ref.key
      ? true
      : undefined;
  });
  self.demonitor(ref, { flush: true });
}
