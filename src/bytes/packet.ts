// A stream of bytes cut into packets with a length in front (2 bytes in the handshake, 4 after it and over TLS).
import { DecodeError } from '../errors.js';

export class PacketReader {
  /** 2 or 4: may be changed between two packets. */
  lengthBytes: 2 | 4;
  readonly #maxLength: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(lengthBytes: 2 | 4, maxLength: number) {
    this.lengthBytes = lengthBytes;
    this.#maxLength = maxLength;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole packet without its length; undefined until it is complete. A view where no copy is needed. */
  next(): Buffer | undefined {
    if (this.#size < this.lengthBytes) return undefined;
    const head = this.#front(this.lengthBytes);
    const length = this.lengthBytes === 2 ? head.readUInt16BE(0) : head.readUInt32BE(0);
    if (length > this.#maxLength) {
      throw new DecodeError(
        'too_large',
        `a packet of ${length} bytes is over the limit of ${this.#maxLength}`,
        0,
      );
    }
    const whole = this.lengthBytes + length;
    if (this.#size < whole) return undefined;
    const packet = this.#front(whole).subarray(this.lengthBytes, whole);
    this.#drop(whole);
    return packet;
  }

  /** All bytes that came and were not taken as packets. */
  rest(): Buffer {
    const rest = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    return rest;
  }

  /** The first chunk, made to hold at least `count` bytes. */
  #front(count: number): Buffer {
    const first = this.#chunks[0] as Buffer;
    if (first.length >= count) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #drop(count: number): void {
    const first = this.#chunks[0] as Buffer;
    this.#size -= count;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
  }
}
