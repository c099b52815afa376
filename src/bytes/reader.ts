// A cursor over bytes, big-endian. Every read checks what is left and throws `DecodeError` `truncated`.
import { DecodeError } from '../errors.js';

export class Reader {
  readonly bytes: Buffer;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Throws unless `count` bytes are left: called before anything of a claimed size is allocated. */
  need(count: number): void {
    if (count > this.end - this.offset) this.#truncated(count);
  }

  #truncated(count: number): never {
    throw new DecodeError(
      'truncated',
      `${count} bytes expected at offset ${this.offset}, ${this.end - this.offset} are left`,
      this.offset,
    );
  }

  u8(): number {
    if (this.offset >= this.end) this.#truncated(1);
    return this.bytes[this.offset++] as number;
  }

  u16(): number {
    this.need(2);
    const { bytes, offset } = this;
    this.offset = offset + 2;
    return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    this.need(4);
    const { bytes, offset } = this;
    this.offset = offset + 4;
    return (
      ((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)
    );
  }

  u64(): bigint {
    this.need(8);
    const value = this.bytes.readBigUInt64BE(this.offset);
    this.offset += 8;
    return value;
  }

  f64(): number {
    this.need(8);
    const value = this.bytes.readDoubleBE(this.offset);
    this.offset += 8;
    return value;
  }

  /** The next `count` bytes as a view: copy it if it must outlive the input. */
  view(count: number): Buffer {
    this.need(count);
    this.offset += count;
    return this.bytes.subarray(this.offset - count, this.offset);
  }

  latin1(count: number): string {
    this.need(count);
    this.offset += count;
    return this.bytes.toString('latin1', this.offset - count, this.offset);
  }

  /** All that is left, as a view. */
  rest(): Buffer {
    return this.view(this.remaining);
  }
}
