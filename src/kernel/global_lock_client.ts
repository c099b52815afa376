// Asking for locks (OTP: `global:set_lock/3`, `del_lock/2`, `trans/4`): the same call to the name servers of all nodes
// concerned. Who refuses makes the others give theirs back; then a random pause, longer each time.
//
// No answer because there is no such process, or no such node any more, counts as agreement.
import type { Process } from '../erts/process.js';
import { receiveResponse, sendRequest } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { LockTable } from './global_locks.js';
import { GLOBAL_NAME_SERVER } from './global_messages.js';

const SET_LOCK = atom('set_lock');
const DEL_LOCK = atom('del_lock');

/** Answers by node: `'gone'` where there was nobody to answer. */
export type Answers = ReadonlyMap<Atom, { readonly reply: Term } | 'gone' | 'timeout'>;

/** Asks the name servers of these nodes and waits for all: without limit unless told otherwise. */
export async function askAll(
  self: Process,
  nodes: readonly Atom[],
  request: Term,
  timeoutMs: number = Number.POSITIVE_INFINITY,
): Promise<Answers> {
  const { clock } = self.system;
  const deadline = clock.now() + timeoutMs;
  const ids = nodes.map((node) => sendRequest(self, tuple(GLOBAL_NAME_SERVER, node), request));
  const answers = new Map<Atom, { readonly reply: Term } | 'gone' | 'timeout'>();
  for (const [i, id] of ids.entries()) {
    const response = await receiveResponse(self, id, Math.max(0, deadline - clock.now()));
    const answer = 'reply' in response ? response : 'timeout' in response ? 'timeout' : 'gone';
    answers.set(nodes[i] as Atom, answer);
  }
  return answers;
}

/** The result of one round: with `silent` the nodes that did not answer in time. */
export type Round = { readonly set: true } | { readonly set: false; readonly silent: readonly Atom[] };

/** One round: sets the lock on all these nodes or on none. */
export async function setLockOnce(
  self: Process,
  table: LockTable,
  id: Tuple,
  nodes: readonly Atom[],
  timeoutMs?: number,
): Promise<Round> {
  if (nodes.length === 0) return { set: true };
  // Our own table tells early whether it is worth asking the others.
  if (nodes.length > 1 && nodes.includes(self.node) && !table.canSet(id)) return { set: false, silent: [] };
  const answers = [...(await askAll(self, nodes, tuple(SET_LOCK, id), timeoutMs))];
  const silent = answers.filter(([, answer]) => answer === 'timeout').map(([node]) => node);
  const refused = answers.some(([, answer]) => typeof answer === 'object' && answer.reply !== true);
  if (silent.length === 0 && !refused) return { set: true };
  // A silent node may grant the lock yet: it has to hear that nobody wants it any more.
  const granted = answers.filter(([, answer]) => typeof answer === 'object' && answer.reply === true);
  await delLock(self, id, [...granted.map(([node]) => node), ...silent], silent.length > 0 ? 0 : timeoutMs);
  return { set: false, silent };
}

/** Gives the lock back on those of the nodes that are connected; the others lost it with the connection. */
export async function delLock(
  self: Process,
  id: Tuple,
  nodes: readonly Atom[],
  timeoutMs?: number,
): Promise<void> {
  const { system } = self;
  const connected = nodes.filter((node) => system.isUp(node));
  await askAll(self, connected, tuple(DEL_LOCK, id), timeoutMs);
}

/** Sets the lock on all nodes, trying again up to `retries` times. */
export async function setLock(
  self: Process,
  table: LockTable,
  id: Tuple,
  nodes: readonly Atom[],
  retries: number,
): Promise<boolean> {
  for (let times = 1; ; times++) {
    if ((await setLockOnce(self, table, id, nodes)).set) return true;
    if (times > retries) return false;
    await randomSleep(self, times);
  }
}

/** Up to a quarter of a second the first time, doubling to eight seconds. */
export async function randomSleep(self: Process, times: number): Promise<void> {
  const most = times > 5 ? 8000 : (2 ** times * 1000) / 8;
  await self.receive(() => undefined, 1 + Math.floor(Math.random() * most));
}
