// What we use of the package `erlang-term-format` (and of `dissolve`, which it extends); it has no types of its own.
declare module 'erlang-term-format' {
  interface Field {
    impl: (name: string, ...args: never[]) => unknown;
    name: string;
    /** Fields read before whose values are given as arguments. */
    varsArgs?: readonly string[];
    args?: readonly unknown[];
  }

  interface TagReader {
    impl: (name: string, ...args: never[]) => unknown;
    name: string;
    def?: Field[];
  }

  export default class Parser {
    /** What the tag being read has so far, by name. */
    vars: Record<string, unknown>;
    /** What is still to be read. */
    jobs: readonly unknown[];
    setupTagMap(): Record<number, TagReader>;
    start(): this;
    tag(): this;
    tagList(name: string, limit: number): this;
    complexTag(name: string, def: readonly Field[]): this;
    uint32beLoop(name: string, length: number, sofar?: number[]): this;
    uint8(name: string): this;
    uint16be(name: string): this;
    uint32be(name: string): this;
    int32be(name: string): this;
    doublebe(name: string): this;
    buffer(name: string, length: number): this;
    string(name: string, length: number): this;
    tap(then: () => void): this;
    write(bytes: Uint8Array): boolean;
    on(event: 'error', listener: (error: Error) => void): this;
  }
}
