// A handshake over two real sockets, and the first bytes of the connection behind it.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { handshakeOtherStarted, handshakeWeStarted } from '../../src/dist/dist_util.js';
import { atom } from '../../src/terms/atom.js';

/** What both ends of a handshake have in common. */
export const side: { flags: bigint; creation: number; cookie: () => string } = {
  flags: DEFAULT_DFLAGS,
  creation: 5,
  cookie: () => 'c',
};

/**
 * Shakes hands; the end that accepted writes `first frame` in the turn of its ack, so that TCP puts both into one segment.
 * Gives what the other end read behind the ack, and the end that accepted as `look` saw it while it was open.
 */
export async function firstFrame<T>(
  dialled: DistSocket,
  accepted: DistSocket,
  look: (accepted: Socket) => T,
): Promise<{ received: string; seen: T }> {
  const answered = handshakeOtherStarted(accepted, { ...side, ourName: 'b@h', accept: () => 'ok' }).then(
    () => {
      const { socket } = accepted.handOver();
      socket.write('first frame');
      return socket;
    },
  );
  await handshakeWeStarted(dialled, { ...side, ourName: 'a@h', node: atom('b@h') });
  const { socket, rest } = dialled.handOver();
  let received = rest.toString();
  socket.on('data', (chunk) => {
    received += chunk.toString();
  });
  socket.resume();
  const peer = await answered;
  const seen = look(peer);
  peer.end();
  await once(socket, 'close');
  return { received, seen };
}
