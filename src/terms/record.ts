// Native records (OTP 29) and local terms (OTP 26).
import type { Atom } from './atom.js';
import type { Term } from './term.js';

/** A native record of OTP 29 (`RECORD_EXT`). */
export class NativeRecord {
  readonly exported: boolean;
  readonly module: Atom | boolean;
  readonly name: Atom | boolean;
  readonly fields: readonly (Atom | boolean)[];
  readonly values: readonly Term[];
  constructor(
    exported: boolean,
    module: Atom | boolean,
    name: Atom | boolean,
    fields: readonly (Atom | boolean)[],
    values: readonly Term[],
  ) {
    this.exported = exported;
    this.module = module;
    this.name = name;
    this.fields = fields;
    this.values = values;
  }
}

/** What `term_to_binary(T, [local])` made (`LOCAL_EXT`): opaque bytes, meaningful only to the node that made them. */
export class LocalTerm {
  /** Everything behind the tag 121. */
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
