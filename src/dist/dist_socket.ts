// A socket during the handshake: whole messages in and out, then handed over to the connection with every byte
// that already came. Used over TCP (2-byte lengths) and TLS (4-byte lengths).
//
// Nothing is read while nobody waits for a message: whatever a peer sends, at most two reads of the socket (128 KiB)
// are held of it until the connection is used.
import type { Socket } from 'node:net';
import { PacketReader } from '../bytes/packet.js';
import { ConnectionError } from '../errors.js';
import type { HandshakeIo } from './dist_util.js';
import type { Certified } from './node_name.js';
import { withReadBuffer } from './read_buffer.js';

/** Far above any handshake message: a name has at most 255 bytes. */
const MAX_MESSAGE = 4096;

export class DistSocket implements HandshakeIo {
  readonly address: string;
  /** Set where the peer showed a valid certificate. */
  certified: Certified | undefined;
  /** Called when the connection is handed over or gone. */
  onDone: () => void = () => {};
  readonly #socket: Socket;
  /** Why a peer that says nothing at all may have closed. */
  readonly #closedHint: string;
  #silent = true;
  readonly #packets: PacketReader;
  #waiting: { resolve: (message: Buffer) => void; reject: (error: Error) => void } | undefined;
  #socketError: Error | undefined;
  #failure: ConnectionError | undefined;
  #handedOver = false;

  /** `socket` must be connected, and nothing read from it. */
  constructor(socket: Socket, lengthBytes: 2 | 4, closedHint = '') {
    this.#closedHint = closedHint;
    this.#socket = socket;
    this.#packets = new PacketReader(lengthBytes, MAX_MESSAGE);
    this.address = addressOf(socket);
    socket.pause();
    socket.on('data', this.#data);
    socket.on('close', this.#closed);
    // Stays for good: without a listener an error of the socket would end the whole process.
    socket.on('error', (error) => {
      this.#socketError ??= error;
    });
    if (socket.destroyed) this.#closed();
  }

  send(message: Buffer): void {
    if (this.#socket.destroyed) return;
    const length = Buffer.alloc(this.#packets.lengthBytes);
    length.writeUIntBE(message.length, 0, length.length);
    this.#socket.write(Buffer.concat([length, message]));
  }

  /** One at a time. Nothing is read from the socket while nobody waits. */
  recv(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#serve();
      if (this.#waiting !== undefined) this.#socket.resume();
    });
  }

  /**
   * Ends the handshake: the connection as a paused socket that reads as `withReadBuffer` says, and the bytes that
   * came after the last message. The first frames often share a segment with the ack, so `rest` comes before
   * anything that the socket still reads.
   */
  handOver(): { socket: Socket; rest: Buffer } {
    this.#handedOver = true;
    this.#socket.pause();
    this.#socket.off('data', this.#data);
    this.#socket.off('close', this.#closed);
    this.onDone();
    const { socket, rest } = withReadBuffer(this.#socket);
    return { socket, rest: Buffer.concat([this.#packets.rest(), rest]) };
  }

  /** Closes it at once, after what was sent. */
  close(): void {
    this.#socket.destroySoon();
  }

  #data = (chunk: Buffer): void => {
    if (this.#silent && this.#packets.lengthBytes === 2 && isTlsHello(chunk)) {
      this.#fail('it speaks TLS, and this node does not');
      this.#socket.destroy();
      return;
    }
    this.#silent = false;
    this.#packets.push(chunk);
    this.#serve();
  };

  #closed = (): void => {
    const hint = this.#silent ? this.#closedHint : '';
    const error = this.#socketError;
    if (error === undefined) this.#fail(`the peer closed the connection${hint}`);
    else this.#fail(`the connection broke: ${error.message}${hint}`, error);
  };

  /** The connection is of no use any more. Messages that came before are still read. */
  #fail(why: string, cause?: Error): void {
    if (this.#failure !== undefined || this.#handedOver) return;
    this.#failure = new ConnectionError('closed', this.address, why, cause);
    this.onDone();
    this.#serve();
  }

  /** Gives the waiting reader its message, or tells it why none will come. */
  #serve(): void {
    if (this.#waiting === undefined) return;
    const { resolve, reject } = this.#waiting;
    try {
      const message = this.#packets.next();
      if (message !== undefined) resolve(message);
      else if (this.#failure !== undefined) reject(this.#failure);
      else return;
    } catch (error) {
      reject(error as Error);
    }
    this.#waiting = undefined;
    this.#socket.pause();
  }
}

/** The first bytes of a TLS handshake; as a length they would be more than any message has. */
function isTlsHello(chunk: Buffer): boolean {
  return chunk[0] === 0x16 && chunk[1] === 0x03;
}

/** `host:port` of the other end; IPv6 in brackets. */
export function addressOf(socket: Socket): string {
  const host = socket.remoteAddress ?? 'unknown';
  return `${host.includes(':') ? `[${host}]` : host}:${socket.remotePort ?? 0}`;
}
