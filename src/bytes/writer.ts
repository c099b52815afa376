// A growing buffer, big-endian. What `take` gives away is never written again.

/** Bytes that are part of what is written, but were not copied. */
interface External {
  /** Where they stand, in bytes of the buffer since the last `take`. */
  readonly at: number;
  readonly bytes: Buffer;
}

export class Writer {
  /** What `reserve` gave an offset of; valid until the next `reserve`. Only for those who reserved. */
  buffer: Buffer;
  #start = 0;
  #offset = 0;
  readonly #size: number;
  readonly #externalFrom: number;
  #externals: External[] = [];
  #externalBytes = 0;

  /** Values of `bytes` from `externalFrom` bytes on are not copied: `takeParts` gives them as they are. */
  constructor(size = 8192, externalFrom: number = Number.POSITIVE_INFINITY) {
    this.#size = size;
    this.#externalFrom = externalFrom;
    this.buffer = Buffer.allocUnsafe(size);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#offset - this.#start + this.#externalBytes;
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
    const grown = Buffer.allocUnsafe(Math.max(used * 2, used + count + this.#size));
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
    if (value.length >= this.#externalFrom) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#externals.push({ at: this.#offset - this.#start, bytes });
      this.#externalBytes += bytes.length;
      return;
    }
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
  }

  latin1(value: string): void {
    const at = this.reserve(value.length);
    this.buffer.write(value, at, 'latin1');
  }

  /** Overwrites a u32 at `position`, counted from the last `take`: for lengths known afterwards. */
  patchU32(position: number, value: number): void {
    this.buffer.writeUInt32BE(value, this.#start + this.#inBuffer(position));
  }

  /** Drops everything after `position`, counted from the last `take`. */
  truncate(position: number): void {
    const at = this.#inBuffer(position);
    this.#offset = this.#start + at;
    let before = position - at;
    this.#externalBytes = before;
    this.#externals = this.#externals.filter(({ bytes }) => {
      before -= bytes.length;
      return before >= 0;
    });
  }

  /** What was written since the last `take`, as a view that is not written again. Not for a writer of parts. */
  take(): Buffer {
    const taken = this.buffer.subarray(this.#start, this.#offset);
    this.#start = this.#offset;
    return taken;
  }

  /** `take`, in the parts that were copied and those that were not. */
  takeParts(): Buffer[] {
    const externals = this.#externals;
    const taken = this.take();
    if (externals.length === 0) return [taken];
    this.#externals = [];
    this.#externalBytes = 0;
    const parts: Buffer[] = [];
    let from = 0;
    for (const { at, bytes } of externals) {
      if (at > from) parts.push(taken.subarray(from, at));
      parts.push(bytes);
      from = at;
    }
    if (from < taken.length) parts.push(taken.subarray(from));
    return parts;
  }

  /** Where `position` is in the buffer, without what was not copied. */
  #inBuffer(position: number): number {
    let before = 0;
    for (const { at, bytes } of this.#externals) {
      if (at + before >= position) break;
      before += bytes.length;
    }
    return position - before;
  }
}
