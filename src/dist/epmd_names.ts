// What an EPMD knows: registered names, and the creations of names that were registered before (epmd_srv.c).

/** A registered node. */
export interface Entry {
  readonly name: string;
  readonly port: number;
  readonly type: number;
  readonly protocol: number;
  readonly highest: number;
  readonly lowest: number;
  readonly extra: Buffer;
  /** Number of the connection that keeps it registered; printed as `fd` in dumps. */
  readonly connection: number;
  /** Counts the registrations of this name, beginning with the time of the first. */
  readonly counter: number;
}

/** Names kept after their node went, for the sake of their creation. */
const MAX_UNUSED = 1000;
/** 0 is reserved, 1 to 3 are those of old daemons. */
const FIRST_CREATION = 4;

export class EpmdNames {
  readonly #active = new Map<string, Entry>();
  /** Oldest first. */
  readonly #unused = new Map<string, Entry>();
  readonly #nowSeconds: () => number;

  constructor(nowSeconds: () => number = () => Math.floor(Date.now() / 1000)) {
    this.#nowSeconds = nowSeconds;
  }

  get size(): number {
    return this.#active.size;
  }

  find(name: string): Entry | undefined {
    return this.#active.get(name);
  }

  /** Registers the name and returns its creation; undefined if it is taken. */
  register(node: Omit<Entry, 'counter'>): number | undefined {
    if (this.#active.has(node.name)) return undefined;
    const before = this.#unused.get(node.name);
    this.#unused.delete(node.name);
    const counter = before === undefined ? this.#nowSeconds() : next(before.counter);
    this.#active.set(node.name, { ...node, counter });
    // Version 5 has room for 1, 2 and 3 only.
    return node.highest >= 6 ? counter : (counter % 3) + 1;
  }

  /** Ends the registration that the connection keeps; without one, whoever has the name. Returns what ended. */
  unregister(name: string, connection?: number): Entry | undefined {
    const entry = this.#active.get(name);
    if (entry === undefined || (connection !== undefined && entry.connection !== connection))
      return undefined;
    this.#active.delete(name);
    this.#unused.set(name, entry);
    const oldest = this.#unused.keys().next();
    if (this.#unused.size > MAX_UNUSED && oldest.done !== true) this.#unused.delete(oldest.value);
    return entry;
  }

  /** Newest first, as the daemon of BEAM lists them. */
  active(): Entry[] {
    return [...this.#active.values()].reverse();
  }

  unused(): Entry[] {
    return [...this.#unused.values()];
  }
}

/** The creation of the next registration: one more, skipping 0 to 3 when it wraps. */
function next(counter: number): number {
  return counter + 1 >= 2 ** 32 ? FIRST_CREATION : counter + 1;
}
