// An Erlang that answers requests of the codec's tests on its standard input and output.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { PacketReader } from '../../src/bytes/packet.js';
import { decode } from '../../src/etf/decode.js';
import { encode } from '../../src/etf/encode.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { ROOT } from '../releases.js';

const SOURCE = join(ROOT, 'interop', 'etf', 'etf_peer');
const LOAD = `{ok, M, B} = compile:file("${SOURCE}", [binary]), {module, M} = code:load_binary(M, "", B), M:start().`;
const OK = atom('ok');

interface Waiting {
  readonly resolve: (answer: Term) => void;
  readonly reject: (error: Error) => void;
}

export class EtfPeer {
  readonly #child: ChildProcess;
  readonly #packets = new PacketReader(4, 1 << 30);
  readonly #waiting: Waiting[] = [];
  readonly #closed: Promise<void>;
  #said = '';

  /** Starts the `erl` of that path. */
  constructor(erl: string) {
    this.#child = spawn(erl, ['-noinput', '-boot', 'no_dot_erlang', '-eval', LOAD], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ERL_CRASH_DUMP: '/dev/null', ERL_CRASH_DUMP_SECONDS: '0' },
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#arrived(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#said += chunk;
    });
    this.#closed = new Promise((resolve) => this.#child.on('close', () => resolve()));
    void this.#closed.then(() => {
      for (const { reject } of this.#waiting) reject(new Error(`erl ended: ${this.#said.slice(0, 2000)}`));
    });
  }

  /** The result of a function of etf_peer. */
  call(name: string, ...args: readonly Term[]): Promise<Term> {
    const request = encode(tuple(atom(name), args));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(request.length);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(Buffer.concat([length, request]));
    });
  }

  /** Ends it, and waits until it is gone. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }

  #arrived(chunk: Buffer): void {
    this.#packets.push(chunk);
    for (let packet = this.#packets.next(); packet !== undefined; packet = this.#packets.next()) {
      const { resolve, reject } = this.#waiting.shift() as Waiting;
      const answer = decode(packet);
      if (answer instanceof Tuple && answer.elements[0] === OK) resolve(answer.elements[1] as Term);
      else reject(new Error(`erl answered ${format(answer, 500)}`));
    }
  }
}
