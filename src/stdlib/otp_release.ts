// Which OTP release a connected node is: the handshake does not tell, and a few answers differ between releases.
//
// The node is asked once per connection, by an `erpc` call of `erlang:system_info(otp_release)`.
import type { Process } from '../erts/process.js';
import { type Atom, atom } from '../terms/atom.js';
import { text } from '../terms/binary.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple } from '../terms/tuple.js';

const DOWN = atom('DOWN');
const SPAWN_REPLY = atom('spawn_reply');
const RETURN = atom('return');
const TIMEOUT_MS = 2000;

/** The release of a connected node; undefined if it does not tell in time, as C nodes do not. */
export async function otpRelease(self: Process, node: Atom): Promise<number | undefined> {
  const entry = self.system.findEntry(node);
  const channel = entry?.channel;
  if (entry === undefined || channel === undefined) return undefined;
  if (entry.release?.connectionId === channel.connectionId) return entry.release.number;
  const number = await ask(self, node);
  if (number !== undefined) entry.release = { connectionId: channel.connectionId, number };
  return number;
}

async function ask(self: Process, node: Atom): Promise<number | undefined> {
  const res = self.makeRef();
  const args = [res, atom('erlang'), atom('system_info'), [atom('otp_release')]];
  const ref = self.spawnRequest(node, atom('erpc'), atom('execute_call'), args, {
    monitor: true,
    reply: 'error_only',
  });
  const answer = await self.receive((message) => (isAnswer(message, ref) ? message : undefined), TIMEOUT_MS);
  if (answer === undefined && !self.abandonSpawn(node, ref)) self.demonitor(ref, { flush: true });
  const result = (answer as Tuple | undefined)?.elements[4];
  if (!(result instanceof Tuple) || result.elements[1] !== RETURN) return undefined;
  return Number.parseInt(textOf(result.elements[2]), 10) || undefined;
}

function isAnswer(message: Term, ref: Reference): boolean {
  if (!isTagged(message, DOWN, 5) && !isTagged(message, SPAWN_REPLY, 4)) return false;
  const found = message.elements[1];
  return found instanceof Reference && found.key === ref.key;
}

function textOf(term: Term | undefined): string {
  try {
    return text(term ?? []);
  } catch {
    return '';
  }
}
