// Keeps the memory of large messages from being collected at the highest price.
//
// Their bytes are outside of V8's heap. V8 marks the whole heap when some 10 MB of them have come since it did so
// last, if the heap is small as a node's is; dead or not, and however young they are. To collect the young alone
// before that takes a tenth of the time and keeps less memory. Node has no call for it but the one of --expose-gc.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of large messages between two collections. */
const INTERVAL = 4 * 2 ** 20;
/** Messages with fewer bytes are not counted: their objects make V8 collect the young soon enough. */
export const LARGE = 16384;

let read = 0;
let collect: ((options: { type: 'minor' }) => void) | undefined;

/** `bytes` of large messages were read and delivered. They are collected when the answers to them have left. */
export function largeMessageRead(bytes: number): void {
  read += bytes;
  if (read < INTERVAL) return;
  read = 0;
  setImmediate(() => setImmediate(collectYoung)); // the first one writes what was said
}

function collectYoung(): void {
  collect ??= youngCollector();
  collect({ type: 'minor' });
}

function youngCollector(): typeof collect & object {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? (gc as typeof collect & object) : () => {};
}
