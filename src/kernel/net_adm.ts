// Asking whether a node is there and lets us in (OTP: net_adm.erl).
import type { Process } from '../erts/process.js';
import { callAs } from '../stdlib/gen.js';
import { type Atom, atom } from '../terms/atom.js';
import { tuple } from '../terms/tuple.js';

const GEN_CALL = atom('$gen_call');
const NET_KERNEL = atom('net_kernel');
const IS_AUTH = atom('is_auth');
const YES = atom('yes');

/**
 * `net_adm:ping/1`: connects if need be, and asks. True: pong. On anything but the right answer, or none within
 * `timeoutMs` (unlimited unless told otherwise), the node is disconnected.
 */
export async function ping(
  self: Process,
  node: Atom,
  disconnect: (node: Atom) => void,
  timeoutMs: number = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const request = tuple(IS_AUTH, self.node);
  const response = await callAs(self, GEN_CALL, tuple(NET_KERNEL, node), request, timeoutMs);
  if ('reply' in response && response.reply === YES) return true;
  disconnect(node);
  return false;
}
