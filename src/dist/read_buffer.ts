// One buffer for everything that a connection reads.
//
// Node allocates 64 KiB for each read of a socket, and more than a third of the time of a busy connection goes into
// freeing them. It can read into a buffer that is given to it once (`onread` of `net.Socket`), but says how only for
// sockets that dial. What is used here for accepted ones, too, is not documented: where it does not exist, the
// socket stays as it is.
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { TLSSocket } from 'node:tls';

const SIZE = 256 * 1024;

/** What `net.Socket` keeps to itself: the connection of the operating system. */
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

/**
 * Moves a connection to a socket that reads into one buffer: a chunk of its 'data' is overwritten after the listener
 * returns. The new socket is paused, the old one of no use any more. Whatever the old one has read is in `rest`.
 */
export function withReadBuffer(socket: Socket): { socket: Socket; rest: Buffer } {
  const old = socket as Socket & { _handle?: Handle | null };
  const handle = old._handle;
  if (socket instanceof TLSSocket || socket.destroyed || handle?.useUserBuffer === undefined) {
    return { socket, rest: Buffer.alloc(0) };
  }
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) break;
    chunks.push(chunk);
  }
  const options: SocketConstructorOpts & { handle: Handle; pauseOnCreate: true; onread: OnReadOpts } = {
    handle,
    pauseOnCreate: true,
    onread: {
      buffer: Buffer.allocUnsafeSlow(SIZE),
      callback: (length, buffer) => {
        moved.emit('data', Buffer.from(buffer.buffer, 0, length));
        return true;
      },
    },
  };
  old._handle = null;
  const moved = new Socket(options);
  return { socket: moved, rest: Buffer.concat(chunks) };
}
