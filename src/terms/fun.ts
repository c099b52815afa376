// Funs: external ones (`fun M:F/A`) and the local ones of peers, which are carried but never called.
import type { Atom } from './atom.js';
import type { Pid } from './pid.js';
import type { Term } from './term.js';

/** `fun Module:Function/Arity`. Module and function may be the atoms `true` and `false`, as any atom. */
export class ExportFun {
  readonly module: Atom | boolean;
  readonly function: Atom | boolean;
  readonly arity: number;
  constructor(module: Atom | boolean, fun: Atom | boolean, arity: number) {
    this.module = module;
    this.function = fun;
    this.arity = arity;
  }
}

/** A local fun of a peer (`NEW_FUN_EXT`): its fields and free variables, re-encoded when it is sent back. */
export class OpaqueFun {
  readonly arity: number;
  /** 16 bytes: the MD5 of the module. */
  readonly uniq: Uint8Array;
  readonly index: number;
  readonly module: Atom | boolean;
  readonly oldIndex: number;
  readonly oldUniq: number;
  /** The creator. Equality ignores it: OTP 27 and later forget it. */
  readonly pid: Pid;
  readonly free: readonly Term[];
  constructor(fields: Omit<OpaqueFun, never>) {
    this.arity = fields.arity;
    this.uniq = fields.uniq;
    this.index = fields.index;
    this.module = fields.module;
    this.oldIndex = fields.oldIndex;
    this.oldUniq = fields.oldUniq;
    this.pid = fields.pid;
    this.free = fields.free;
  }
}
