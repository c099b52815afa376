// What the application controller lets everybody read at once: loaded applications, their environment, their
// masters (OTP: the table `ac_tab`).
import type { Atom } from '../terms/atom.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import { keyOfSpec, type Loaded, summary } from './application_spec.js';

export class ApplicationTables {
  readonly loaded: Map<Atom, Loaded> = new Map();
  readonly env: Map<Atom, Map<Atom, Term>> = new Map();
  /** Application masters: group leaders of the running applications. */
  readonly masters: Map<Atom, Pid> = new Map();

  getEnv(app: Atom, key: Atom): Term | undefined {
    return this.env.get(app)?.get(key);
  }

  /** `[{Key, Value}]` */
  getAllEnv(app: Atom): Tuple[] {
    return [...(this.env.get(app) ?? [])].map(([key, value]) => tuple(key, value));
  }

  setEnv(app: Atom, key: Atom, value: Term): void {
    const env = this.env.get(app) ?? new Map<Atom, Term>();
    env.set(key, value);
    this.env.set(app, env);
  }

  unsetEnv(app: Atom, key: Atom): void {
    this.env.get(app)?.delete(key);
  }

  /** The value of a key of the `.app` file. */
  getKey(app: Atom, key: string): Term | undefined {
    const loaded = this.loaded.get(app);
    if (loaded === undefined) return undefined;
    return key === 'env' ? this.getAllEnv(app) : keyOfSpec(loaded, key);
  }

  /** The application whose processes have that group leader. */
  applicationOf(leader: Pid | undefined): Atom | undefined {
    for (const [app, master] of this.masters) if (master.key === leader?.key) return app;
    return undefined;
  }

  /** `[{Name, Description, Vsn}]` */
  loadedApplications(): Tuple[] {
    return [...this.loaded.values()].map(summary);
  }
}
