// Two ends of a handshake in memory.
import type { HandshakeIo } from '../../src/dist/dist_util.js';
import { ConnectionError } from '../../src/errors.js';

/** One end: what the other sends is queued. `closed` makes pending and later reads fail. */
export class MemoryIo implements HandshakeIo {
  readonly address: string;
  readonly sent: Buffer[] = [];
  readonly #queue: Buffer[] = [];
  #waiting: { resolve: (message: Buffer) => void; reject: (error: Error) => void } | undefined;
  #closed = false;
  /** The other end; a scripted peer has none. */
  peer: MemoryIo | undefined;

  constructor(address: string) {
    this.address = address;
  }

  send(message: Buffer): void {
    this.sent.push(message);
    this.peer?.push(message);
  }

  /** Makes `message` arrive here. */
  push(message: Buffer): void {
    if (this.#waiting === undefined) this.#queue.push(message);
    else {
      this.#waiting.resolve(message);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting?.reject(new ConnectionError('closed', this.address, 'the peer closed the connection'));
    this.#waiting = undefined;
  }

  recv(): Promise<Buffer> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#closed) {
      return Promise.reject(new ConnectionError('closed', this.address, 'the peer closed the connection'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }
}

/** Both ends of one connection. */
export function memoryPair(): [MemoryIo, MemoryIo] {
  const a = new MemoryIo('127.0.0.1:1');
  const b = new MemoryIo('127.0.0.1:2');
  a.peer = b;
  b.peer = a;
  return [a, b];
}
