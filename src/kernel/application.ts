// What an application is to its author (OTP: the behaviour `application` and the `.app` file).
import type { Process } from '../erts/process.js';
import type { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import type { RemoteFunction } from './code.js';

/** What OTP's `.app` file says. Names are those of atoms. */
export interface AppSpec {
  readonly name: string;
  readonly description?: string;
  readonly vsn?: string;
  /** The callback module as other nodes and error terms name it; the application's name by default. */
  readonly module?: string;
  /** The argument of `start`; `[]` by default. */
  readonly args?: Term;
  /** Must be started before this one. */
  readonly applications?: readonly string[];
  /** Those of `applications` that need not exist. */
  readonly optionalApplications?: readonly string[];
  /** Loaded with this one, started by it. */
  readonly includedApplications?: readonly string[];
  /** Names that its processes register. */
  readonly registered?: readonly string[];
  /** Configuration parameters and their values unless configured otherwise. */
  readonly env?: Readonly<Record<string, Term>>;
  /**
   * `startPhase` is called for each after `start` returned. With the key, even empty, a start after the death of a
   * node has the type `{failover, Node}`; without it `normal`.
   */
  readonly startPhases?: readonly (readonly [phase: string, args: Term])[];
  /** Included applications run their start phases as well (`{mod, {application_starter, …}}`). */
  readonly phasesOfIncluded?: boolean;
  /** Ends the application, with reason `normal`, after so long. */
  readonly maxTimeMs?: number;
}

/** What `start` comes to: the pid of the top supervisor and a state for the other callbacks, or an error. */
export type ApplicationStart = { readonly ok: Pid; readonly state?: unknown } | { readonly error: Term };

/**
 * An application. `start` runs in a process of its own, `self`, which the supervisor it starts has to be linked
 * to; the other callbacks run there, too.
 */
export interface Application {
  readonly spec: AppSpec;
  /**
   * `type` is the atom `normal`, or `{takeover, Node}`: it runs on that node until this start has succeeded, or
   * `{failover, Node}`: that node died. Throwing is the same as an error.
   */
  start?(type: Term, args: Term, self: Process): ApplicationStart | Promise<ApplicationStart>;
  /** After `start`, once per phase; throwing fails the start. */
  startPhase?(phase: string, type: Term, args: Term, self: Process): void | Promise<void>;
  /** Before the supervisor is told to end; gives the state for `stop`. */
  prepStop?(state: unknown, self: Process): unknown;
  /** After all processes of the supervision tree have ended. */
  stop?(state: unknown, self: Process): void | Promise<void>;
  /**
   * What other nodes reach by rpc once the application is known to the node, by Module:Function/Arity:
   * `{ 'Elixir.Distro.DistroCal:add/2': ([x, y], self) => … }`.
   */
  readonly functions?: Readonly<Record<string, RemoteFunction>>;
  /** Parameters changed by `changeConfig`. */
  configChange?(
    changed: ReadonlyMap<string, Term>,
    added: ReadonlyMap<string, Term>,
    removed: readonly string[],
  ): void | Promise<void>;
}

/** What becomes of the node when the application ends: `permanent`: it ends, `transient`: unless it ended `normal`. */
export type RestartType = 'permanent' | 'transient' | 'temporary';
