// Where a process comes from: what proc_lib.erl keeps in the dictionary as `$ancestors` and `$initial_call`.
import type { Process } from '../erts/process.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';

/** Module, function and arity, as `$initial_call` tells them. */
export type InitialCall = readonly [module: Atom, fun: Atom, arity: number];

export const ANCESTORS: Atom = atom('$ancestors');
export const INITIAL_CALL: Atom = atom('$initial_call');

/** Who started this process, and who started that one, and so on. */
export function ancestorsOf(process: Process): readonly Term[] {
  const ancestors = process.dictionary.get(ANCESTORS);
  return Array.isArray(ancestors) ? (ancestors as readonly Term[]) : [];
}

/** `$initial_call` of a process started here, else what it was spawned with (`translate_initial_call`). */
export function initialCallOf(process: Process): InitialCall {
  const call = process.dictionary.get(INITIAL_CALL);
  if (!(call instanceof Tuple)) return process.initialCall;
  const [module, fun, arity] = call.elements;
  if (!(module instanceof Atom) || !(fun instanceof Atom) || typeof arity !== 'number') {
    return process.initialCall;
  }
  return [module, fun, arity];
}
