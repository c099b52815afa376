// A growing buffer, big-endian. What `take` gives away is never written again.

export class Writer {
  #buffer: Buffer;
  #start = 0;
  #offset = 0;

  constructor(size = 8192) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#offset - this.#start;
  }

  /** Makes room for `count` bytes and returns where to write them; the caller writes into `buffer`. */
  reserve(count: number): number {
    if (this.#offset + count > this.#buffer.length) this.#grow(count);
    const at = this.#offset;
    this.#offset += count;
    return at;
  }

  /** The buffer that `reserve` gave an offset of; valid until the next `reserve`. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  #grow(count: number): void {
    const used = this.#offset - this.#start;
    const grown = Buffer.allocUnsafe(Math.max((used + count) * 2, 8192));
    this.#buffer.copy(grown, 0, this.#start, this.#offset);
    this.#buffer = grown;
    this.#start = 0;
    this.#offset = used;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.#buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.#buffer.writeUInt16BE(value, at);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.#buffer.writeUInt32BE(value, at);
  }

  i32(value: number): void {
    const at = this.reserve(4);
    this.#buffer.writeInt32BE(value, at);
  }

  u64(value: bigint): void {
    const at = this.reserve(8);
    this.#buffer.writeBigUInt64BE(value, at);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.#buffer.writeDoubleBE(value, at);
  }

  bytes(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.#buffer.set(value, at);
  }

  latin1(value: string): void {
    const at = this.reserve(value.length);
    this.#buffer.write(value, at, 'latin1');
  }

  /** Overwrites a u32 at `position`, counted from the last `take`: for lengths known afterwards. */
  patchU32(position: number, value: number): void {
    this.#buffer.writeUInt32BE(value, this.#start + position);
  }

  /** Drops everything after `position`, counted from the last `take`. */
  truncate(position: number): void {
    this.#offset = this.#start + position;
  }

  /** What was written since the last `take`, as a view that is not written again. */
  take(): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#offset);
    this.#start = this.#offset;
    return taken;
  }
}
