// Questions to other nodes and their hosts (OTP: net_adm.erl).
import { hostname } from 'node:os';
import { type EpmdAddress, names as epmdNames } from '../dist/erl_epmd.js';
import { OtpnodeError } from '../errors.js';
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

/** `net_adm:names/1`: the nodes registered with EPMD on a host, this one by default. Throws `EpmdError`. */
export function names(
  host?: string,
  epmd: EpmdAddress = {},
): Promise<readonly { readonly name: string; readonly port: number }[]> {
  return epmdNames(host === undefined ? epmd : { ...epmd, host });
}

/** `net_adm:world_list/1`: pings every node registered on these hosts; those that answered. */
export async function world(
  self: Process,
  hosts: readonly string[],
  disconnect: (node: Atom) => void,
  epmd: EpmdAddress = {},
): Promise<Atom[]> {
  const found: Atom[] = [];
  for (const host of hosts) {
    for (const name of await namesOrNone(host, epmd)) {
      const node = atom(`${name}@${host}`);
      if (await ping(self, node, disconnect)) found.push(node);
    }
  }
  return found;
}

async function namesOrNone(host: string, epmd: EpmdAddress): Promise<readonly string[]> {
  try {
    return (await names(host, epmd)).map(({ name }) => name);
  } catch (error) {
    if (error instanceof OtpnodeError) return [];
    throw error;
  }
}

/** `net_adm:localhost/0`: this host's name. */
export function localhost(): string {
  return hostname();
}
