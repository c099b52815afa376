// The launcher's side of observer.exs: asks a hidden BEAM node of the cluster to evaluate Elixir code.
import { createServer, type Server, type Socket } from 'node:net';

/** A connection to the observer node. */
export class Observer {
  readonly #server: Server;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (text: string) => void; readonly reject: (error: Error) => void }
  >();
  readonly #connected: Promise<Socket>;
  #next = 0;
  #received: Buffer = Buffer.alloc(0);

  private constructor(server: Server) {
    this.#server = server;
    this.#connected = new Promise((resolve) => {
      server.once('connection', (socket) => {
        socket.setNoDelay(true);
        socket.on('data', (bytes) => this.#data(bytes));
        socket.on('error', () => {});
        socket.on('close', () => this.#closed());
        resolve(socket);
      });
    });
  }

  /** Listens for the observer; its node is told the port in `OTPNODE_OBSERVER`. */
  static async listen(): Promise<Observer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Observer(server);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Settles when the observer node has connected. */
  async ready(): Promise<void> {
    await this.#connected;
  }

  /** The inspected value of Elixir code, evaluated on the observer node; fails with the formatted error. */
  async ask(code: string): Promise<string> {
    const socket = await this.#connected;
    const id = this.#next++;
    const body = Buffer.from(code);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 4, 0);
    head.writeUInt32BE(id, 4);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      if (socket.destroyed) this.#closed();
      else socket.write(Buffer.concat([head, body]));
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    const socket = await Promise.race([this.#connected, Promise.resolve(undefined)]);
    socket?.destroy();
  }

  #data(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      if (this.#received.length < 4) return;
      const length = this.#received.readUInt32BE(0);
      if (this.#received.length < 4 + length) return;
      const id = this.#received.readUInt32BE(4);
      const failed = this.#received[8] === 1;
      const text = this.#received.toString('utf8', 9, 4 + length);
      this.#received = this.#received.subarray(4 + length);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failed) waiting?.reject(new Error(text));
      else waiting?.resolve(text);
    }
  }

  #closed(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the observer node is gone'));
    this.#waiting.clear();
  }
}
