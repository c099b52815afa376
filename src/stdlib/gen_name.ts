// The name of a behaviour's process: local, `{global, Name}` or `{via, Module, Name}` (OTP: gen.erl, `register_name/1`).
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import { nameServiceOf, whereisServer } from './gen.js';
import type { StartResult } from './proc_lib.js';

const ALREADY_STARTED = atom('already_started');

/** Gives the process its name, in OTP's way of refusing: `{already_started, Pid}`. */
export async function registerName(self: Process, name: Atom | Tuple): Promise<StartResult | undefined> {
  const { system } = self;
  if (name instanceof Atom) {
    if (system.registered.register(name, self)) return undefined;
  } else {
    const known = nameServiceOf(system, name);
    if (known?.service === undefined) return { error: tuple(atom('badarg'), name) };
    if (await known.service.registerName(self, known.name, self.pid)) return undefined;
  }
  return {
    error: tuple(ALREADY_STARTED, (whereisServer(system, name) as Pid | undefined) ?? atom('undefined')),
  };
}

/** Takes the name back before the start is known to have failed, so that a new start finds it free. */
export async function unregisterName(self: Process, name: Atom | Tuple | undefined): Promise<void> {
  // it went with the process, and may be another's by now
  if (!self.alive) return;
  if (name instanceof Atom) self.system.registered.unregister(name);
  else if (name !== undefined) {
    const known = nameServiceOf(self.system, name);
    await known?.service?.unregisterName(self, known.name);
  }
}
