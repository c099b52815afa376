// A node's registration with EPMD, for as long as the node lives (OTP: erl_epmd's process).
import type { Socket } from 'node:net';
import { EpmdError } from '../errors.js';
import { type Log, silent } from '../erts/log.js';
import { type Clock, realClock } from '../erts/timer.js';
import { alive, type EpmdAddress, randomCreation, where } from './erl_epmd.js';

/** Between two attempts to register again. */
const RETRY_MS = 2000;

export interface RegisterOptions {
  /** The part of the node name before the `@`. */
  readonly name: string;
  /** Where the node listens. */
  readonly port: number;
  readonly epmd?: EpmdAddress;
  readonly log?: Log;
  readonly clock?: Clock;
}

/**
 * A node's registration. It lives as long as its connection, on which nothing is ever written again: any byte
 * would unregister the node. When EPMD goes away it is made again, every 2 s for as long as it takes; the creation
 * stays, since pids with it exist.
 */
export class Registration {
  /** What EPMD gave to this start of the name. */
  readonly creation: number;
  readonly #options: RegisterOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #timer: unknown;
  #closed = false;
  #complained: string | undefined;

  /** Made by {@link registerNode}. */
  constructor(options: RegisterOptions, socket: Socket | undefined, creation: number) {
    this.creation = creation;
    this.#options = options;
    this.#log = options.log ?? silent;
    this.#clock = options.clock ?? realClock;
    if (socket === undefined) this.#later();
    else this.#keep(socket);
  }

  /** Whether EPMD has the name now. */
  get registered(): boolean {
    return this.#socket !== undefined;
  }

  /** Gives the name back, and does not try again. */
  close(): void {
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #keep(socket: Socket): void {
    this.#socket = socket;
    this.#complained = undefined;
    socket.setKeepAlive(true);
    socket.once('close', () => {
      this.#socket = undefined;
      if (this.#closed) return;
      this.#complain(
        'closed',
        `EPMD at ${where(this.#options.epmd)} is gone; connections stay, the name is registered again when it is back`,
      );
      this.#later();
    });
    // The daemon sends nothing; what comes anyway is dropped, so that the close is seen.
    socket.resume();
  }

  #later(): void {
    this.#timer = this.#clock.setTimeout(() => void this.#again(), RETRY_MS);
  }

  async #again(): Promise<void> {
    try {
      const { name, port, epmd = {} } = this.#options;
      const { socket } = await alive(name, port, epmd);
      if (this.#closed) {
        socket.destroy();
        return;
      }
      this.#keep(socket);
      this.#log(
        'notice',
        `registered again as ${this.#options.name} with EPMD at ${where(this.#options.epmd)}`,
      );
    } catch (error) {
      if (this.#closed) return;
      // Once per kind of failure, not every 2 s.
      if (error instanceof EpmdError && error.code !== 'unreachable')
        this.#complain(error.code, error.message);
      this.#later();
    }
  }

  #complain(code: string, text: string): void {
    if (this.#complained === code) return;
    this.#complained = code;
    this.#log('warning', text, { node: this.#options.name });
  }
}

/** Registers a node. Throws `EpmdError`: `unreachable`, `timeout`, `closed`, `bad_answer`, or `duplicate_name`. */
export async function registerNode(options: RegisterOptions): Promise<Registration> {
  const { socket, creation } = await alive(options.name, options.port, options.epmd ?? {});
  return new Registration(options, socket, creation === 0 ? randomCreation() : creation);
}

/** A node with a fixed port goes on without EPMD, and registers when there is one. */
export function registerLater(options: RegisterOptions): Registration {
  return new Registration(options, undefined, randomCreation());
}
