// Registered names of local processes.
import type { Atom } from '../terms/atom.js';
import type { Process } from './process.js';

export class Register {
  readonly #byName = new Map<Atom, Process>();

  whereis(name: Atom): Process | undefined {
    return this.#byName.get(name);
  }

  /** False when the name is taken, or the process has one already. */
  register(name: Atom, process: Process): boolean {
    if (this.#byName.has(name) || process.registeredName !== undefined) return false;
    this.#byName.set(name, process);
    process.registeredName = name;
    return true;
  }

  unregister(name: Atom): boolean {
    const process = this.#byName.get(name);
    if (process === undefined) return false;
    this.#byName.delete(name);
    process.registeredName = undefined;
    return true;
  }

  names(): Atom[] {
    return [...this.#byName.keys()];
  }
}
