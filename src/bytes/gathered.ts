// Bytes that come in parts, copied into one buffer as they come.

const EMPTY = Buffer.alloc(0);

export class Gathered {
  #buffer = EMPTY;
  #length = 0;
  /** How many bytes are announced. More may come. */
  readonly expected: number;

  constructor(expected: number) {
    this.expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  /** Memory held, in bytes. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** What has come, as a view. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Where room must be made, it is made for `ahead` times what has come, but not for more than is expected. */
  add(part: Uint8Array, ahead = 2): void {
    const length = this.#length + part.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(length * ahead, this.expected)));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#length);
    this.#length = length;
  }
}
