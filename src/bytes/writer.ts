// A growing buffer, big-endian. What `take` gives away is never written again.

export class Writer {
  /** What `reserve` gave an offset of; valid until the next `reserve`. Only for those who reserved. */
  buffer: Buffer;
  #start = 0;
  #offset = 0;

  constructor(size = 8192) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#offset - this.#start;
  }

  /** Makes room for `count` bytes and returns where to write them; the caller writes into `buffer`. */
  reserve(count: number): number {
    const at = this.#offset;
    if (at + count > this.buffer.length) return this.#grow(count);
    this.#offset = at + count;
    return at;
  }

  /** A new buffer of at least twice what is in use: bytes are copied a bounded number of times each. */
  #grow(count: number): number {
    const used = this.#offset - this.#start;
    const grown = Buffer.allocUnsafe(Math.max(used * 2, used + count + 4096));
    this.buffer.copy(grown, 0, this.#start, this.#offset);
    this.buffer = grown;
    this.#start = 0;
    this.#offset = used + count;
    return used;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.buffer[at] = value >>> 24;
    this.buffer[at + 1] = value >>> 16;
    this.buffer[at + 2] = value >>> 8;
    this.buffer[at + 3] = value;
  }

  i32(value: number): void {
    this.u32(value);
  }

  u64(value: bigint): void {
    const at = this.reserve(8);
    this.buffer.writeBigUInt64BE(value, at);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.buffer.writeDoubleBE(value, at);
  }

  bytes(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
  }

  latin1(value: string): void {
    const at = this.reserve(value.length);
    this.buffer.write(value, at, 'latin1');
  }

  /** Overwrites a u32 at `position`, counted from the last `take`: for lengths known afterwards. */
  patchU32(position: number, value: number): void {
    this.buffer.writeUInt32BE(value, this.#start + position);
  }

  /** Drops everything after `position`, counted from the last `take`. */
  truncate(position: number): void {
    this.#offset = this.#start + position;
  }

  /** What was written since the last `take`, as a view that is not written again. */
  take(): Buffer {
    const taken = this.buffer.subarray(this.#start, this.#offset);
    this.#start = this.#offset;
    return taken;
  }
}
