// Who resolves `{global, Name}` and `{via, Module, Name}`: `global`, `pg`-like modules and users register here.
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import type { Process } from './process.js';

/** What OTP asks of the module of `{via, Module, Name}`. */
export interface NameService {
  whereisName(name: Term): Pid | undefined;
  /** Resolves to whether the name is now `pid`'s. `self` is the process that asks. */
  registerName(self: Process, name: Term, pid: Pid): Promise<boolean>;
  unregisterName(self: Process, name: Term): Promise<void>;
}
