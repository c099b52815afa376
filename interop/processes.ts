// The operating system's processes of a test: started, watched line by line, paused, killed by pid; none survives.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One line of a process's output and when it came (ms since the epoch). */
export interface Line {
  readonly at: number;
  readonly text: string;
}

export interface Command {
  /** What the process is called in messages. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly at: number;
}

const living = new Set<Proc>();

// Also when this process dies of an error or a signal: nothing stays behind.
process.on('exit', () => {
  for (const proc of living) proc.signal('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(130));
}

/** A process started by a test. */
export class Proc {
  readonly name: string;
  readonly command: string;
  readonly startedAt: number = Date.now();
  readonly lines: Line[] = [];
  readonly exited: Promise<Ended>;
  ended: Ended | undefined;
  /** Called for each line, after it is in `lines`. */
  onLine: () => void = () => {};
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(command: Command) {
    this.name = command.name;
    this.command = [command.file, ...command.args].map(quoted).join(' ');
    const child = spawn(command.file, command.args, {
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
      env: command.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    living.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (text) =>
        this.#line(text),
      );
    }
    child.stdin.on('error', () => {}); // it may end while we write
    this.exited = new Promise((resolve) => {
      let at = 0;
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        if (this.ended !== undefined) return;
        this.ended = { code, signal, at: at === 0 ? Date.now() : at };
        for (const look of this.#waiting) look();
        resolve(this.ended);
      };
      child.on('error', (error) => {
        living.delete(this);
        this.#line(String(error));
        end(127, null);
      });
      child.on('exit', (code, signal) => {
        at = Date.now();
        living.delete(this);
        // its last lines come with `close`, which a grandchild that holds the pipe can delay
        setTimeout(() => end(code, signal), 500).unref();
      });
      child.on('close', end);
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Sends a signal; false if the process is gone. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal);
  }

  /** kill -9; returns when it was sent (ms since the epoch), after the process is gone. */
  async kill(): Promise<number> {
    const at = Date.now();
    this.signal('SIGKILL');
    await this.exited;
    return at;
  }

  /** Writes to its standard input. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The end of its standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /** The output as one text. */
  output(from = 0): string {
    return this.lines
      .slice(from)
      .map((line) => line.text)
      .join('\n');
  }

  /** The first line that matches, from line number `from` on; fails when the process ends or after the time. */
  line(pattern: Pick<RegExp, 'test'>, timeoutMs: number, from = 0): Promise<Line> {
    return new Promise((resolve, reject) => {
      let next = from;
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const fail = (why: string) => {
        done();
        reject(new Error(`${this.name} did not print ${pattern}: ${why}`));
      };
      const timer = setTimeout(() => fail(`waited ${timeoutMs} ms`), timeoutMs);
      const look = () => {
        for (; next < this.lines.length; next++) {
          const line = this.lines[next] as Line;
          if (!pattern.test(line.text)) continue;
          done();
          resolve(line);
          return;
        }
        if (this.ended !== undefined) {
          fail(`it ended with ${this.ended.signal ?? `exit code ${this.ended.code}`}`);
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  #line(text: string): void {
    this.lines.push({ at: Date.now(), text });
    this.onLine();
    for (const look of [...this.#waiting]) look();
  }
}

/** Asks again and again until the answer is not undefined or false; fails with `what` after the time. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (Date.now() > end) throw new Error(`${what}: not so after ${timeoutMs} ms${last}`);
    await pause(15);
  }
}

/** A pause between two questions. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
