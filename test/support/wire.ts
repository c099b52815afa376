// Connections of tests over an in-memory stream: two systems joined by real channels, and a scripted peer that
// speaks bytes.
import { Duplex } from 'node:stream';
import { Writer } from '../../src/bytes/writer.js';
import { Channel, type ChannelOptions } from '../../src/dist/channel.js';
import { capabilities } from '../../src/dist/control.js';
import { DEFAULT_DFLAGS, DFLAG_PUBLISHED } from '../../src/dist/dflags.js';
import { DIST_HEADER, VERSION_MAGIC } from '../../src/dist/dist_header.js';
import { FrameReader } from '../../src/dist/frame_reader.js';
import { System } from '../../src/erts/system.js';
import { encodeInto } from '../../src/etf/encode.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import type { Tuple } from '../../src/terms/tuple.js';

class End extends Duplex {
  other!: End;
  /** With it nothing arrives at the other end, as if its reader stood still. */
  stalled: (() => void)[] | undefined;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const deliver = (): void => {
      if (!this.other.destroyed) this.other.push(chunk);
      done();
    };
    if (this.stalled !== undefined) this.stalled.push(deliver);
    else deliver();
  }
  override _final(done: () => void): void {
    if (!this.other.destroyed) this.other.push(null);
    done();
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.other.destroyed) this.other.destroy();
    done(error);
  }
}

/** Two ends of a stream. */
export function duplexPair(): [End, End] {
  const [a, b] = [new End(), new End()];
  a.other = b;
  b.other = a;
  return [a, b];
}

export interface LogLine {
  readonly level: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** A system that keeps its log lines. */
export function loggedSystem(name: string, creation = 1000): { system: System; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const system = new System({
    node: atom(name),
    creation,
    log: (level, text, fields) => lines.push({ level, text, fields }),
  });
  return { system, lines };
}

let connections = 0;

/** A live channel of that system over that stream. */
export function openChannel(
  system: System,
  stream: Duplex,
  node: Atom,
  creation: number,
  flags: bigint,
  options: ChannelOptions = {},
): Channel {
  const visible = (flags & DFLAG_PUBLISHED) !== 0n;
  const channel = new Channel(system, stream, { node, creation, flags, visible }, ++connections, options);
  channel.onClosed = (closed, reason) => system.connectionDown(closed, reason);
  system.connectionUp(channel);
  channel.start(Buffer.alloc(0));
  return channel;
}

/** Joins two systems by channels with those flags. */
export function join(
  a: System,
  b: System,
  flags: bigint = DEFAULT_DFLAGS,
  options: ChannelOptions = {},
): { a: Channel; b: Channel; streams: [End, End] } {
  const streams = duplexPair();
  return {
    a: openChannel(a, streams[0], b.node, b.creation, flags, options),
    b: openChannel(b, streams[1], a.node, a.creation, flags, options),
    streams,
  };
}

/** A peer made of bytes: sends what it is told, keeps the control messages that come (ticks as `tick`). */
export class ScriptedPeer {
  readonly channel: Channel;
  readonly node: Atom;
  readonly creation: number;
  readonly received: { control: Term; payload: Term | undefined }[] = [];
  ticks = 0;
  readonly stream: End;

  constructor(
    system: System,
    options: { flags?: bigint; name?: string; creation?: number; channel?: ChannelOptions } = {},
  ) {
    const flags = options.flags ?? DEFAULT_DFLAGS;
    const [ours, theirs] = duplexPair();
    this.node = atom(options.name ?? 'peer@127.0.0.1');
    this.creation = options.creation ?? 77;
    this.stream = theirs;
    const reader = new FrameReader(
      capabilities(flags),
      { maxFrameBytes: 2 ** 30 },
      (control, payload) => this.received.push({ control, payload: ifAny(() => payload.decode()) }),
      () => this.ticks++,
    );
    theirs.on('data', (chunk: Buffer) => reader.push(chunk));
    theirs.on('error', () => {});
    this.channel = openChannel(system, ours, this.node, this.creation, flags, options.channel ?? {});
  }

  /** Sends a frame of these bytes, its length in front. */
  frame(...parts: readonly (Buffer | readonly number[])[]): void {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.stream.write(Buffer.concat([length, body]));
  }

  /** Sends a control message behind an empty header, with a payload if there is one. */
  say(control: Tuple | Term, payload?: Term): void {
    this.frame([VERSION_MAGIC, DIST_HEADER, 0], terms(control), payload === undefined ? [] : terms(payload));
  }
}

function ifAny<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

/** A term as it stands behind a header: without version, atoms spelled out. */
export function terms(...all: readonly Term[]): Buffer {
  const writer = new Writer();
  for (const term of all) encodeInto(writer, term, { v4nc: true });
  return writer.take();
}
