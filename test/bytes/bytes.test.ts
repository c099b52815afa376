import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketReader } from '../../src/bytes/packet.js';
import { Reader } from '../../src/bytes/reader.js';
import { Writer } from '../../src/bytes/writer.js';

test('what is written is read', () => {
  const writer = new Writer(4);
  writer.u8(200);
  writer.u16(60_000);
  writer.u32(4_000_000_000);
  writer.i32(-2);
  writer.u64(2n ** 63n);
  writer.f64(-0.5);
  writer.latin1('ü');
  writer.bytes(Uint8Array.of(1, 2, 3));
  const reader = new Reader(writer.take());
  assert.deepEqual([reader.u8(), reader.u16(), reader.u32(), reader.i32()], [200, 60_000, 4_000_000_000, -2]);
  assert.deepEqual([reader.u64(), reader.f64(), reader.latin1(1)], [2n ** 63n, -0.5, 'ü']);
  assert.deepEqual([...reader.rest()], [1, 2, 3]);
  assert.equal(reader.remaining, 0);
});

test('reading beyond the end is refused with the offset', () => {
  for (const read of [
    (r: Reader) => r.u32(),
    (r: Reader) => r.u64(),
    (r: Reader) => r.f64(),
    (r: Reader) => r.view(3),
  ]) {
    const reader = new Reader(Uint8Array.of(9, 1, 2), 1);
    assert.throws(() => read(reader), { code: 'truncated', offset: 1 });
  }
  assert.throws(() => new Reader(new Uint8Array()).u8(), { code: 'truncated', offset: 0 });
});

test('what was taken is not written again, and a length can be filled in later', () => {
  const writer = new Writer(16);
  writer.u8(1);
  const first = writer.take();
  writer.u32(0);
  writer.bytes(new Uint8Array(100).fill(7));
  writer.patchU32(0, writer.length);
  writer.truncate(5);
  assert.deepEqual([...writer.take()], [0, 0, 0, 104, 7]);
  assert.deepEqual([...first], [1]);
});

test('packets come whole, however the stream is cut', () => {
  for (const lengthBytes of [2, 4] as const) {
    const stream = Buffer.from(
      lengthBytes === 2 ? '0001ff00000002aabb' : '00000001ff0000000000000002aabb',
      'hex',
    );
    for (let size = 1; size <= stream.length; size++) {
      const packets = new PacketReader(lengthBytes, 100);
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        packets.push(stream.subarray(at, at + size));
        for (let next = packets.next(); next !== undefined; next = packets.next())
          found.push(next.toString('hex'));
      }
      assert.deepEqual(found, ['ff', '', 'aabb']);
    }
  }
});

test('a packet over the limit is refused by its length alone', () => {
  const packets = new PacketReader(4, 100);
  packets.push(Buffer.from('00000065', 'hex'));
  assert.throws(() => packets.next(), { code: 'too_large' });
});
