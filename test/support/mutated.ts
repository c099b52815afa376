// Valid bytes with something wrong in them.
import fc from 'fast-check';

/** The bytes with some changed, cut, doubled or inserted; now and then as they were. */
export function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat(Math.max(bytes.length - 1, 0));
  const some = fc.uint8Array({ minLength: 1, maxLength: 6 });
  return fc.oneof(
    fc.constant(bytes),
    fc.tuple(at, fc.nat(255)).map(([i, byte]) => {
      const changed = Buffer.from(bytes);
      changed[i] = byte;
      return changed;
    }),
    fc.tuple(at, fc.nat(7)).map(([i, bit]) => {
      const flipped = Buffer.from(bytes);
      flipped[i] = (bytes[i] ?? 0) ^ (1 << bit);
      return flipped;
    }),
    at.map((i) => bytes.subarray(0, i)),
    at.map((i) => bytes.subarray(i)),
    fc.tuple(at, some).map(([i, more]) => Buffer.concat([bytes.subarray(0, i), more, bytes.subarray(i)])),
    fc.constant(Buffer.concat([bytes, bytes])),
  );
}
