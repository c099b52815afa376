// Start phases: after `start`, `startPhase` is called for each phase of the application, and in it for those
// included applications that have it (OTP: application_starter.erl).

import { reasonOf } from '../erts/exception.js';
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { FindLoaded } from './application_master.js';
import type { Loaded } from './application_spec.js';

const START_PHASE = atom('start_phase');
const START_PHASES_UNDEFINED = atom('start_phases_undefined');

/** Runs all phases in order; the reason of the first failure, which ends it. */
export async function runPhases(
  self: Process,
  loaded: Loaded,
  type: Term,
  find: FindLoaded,
): Promise<Term | undefined> {
  for (const { phase } of loaded.phases ?? []) {
    const failure = await runPhase(self, loaded, phase.name, type, find);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

async function runPhase(
  self: Process,
  loaded: Loaded,
  phase: string,
  type: Term,
  find: FindLoaded,
): Promise<Term | undefined> {
  if (loaded.phases === undefined) return tuple(START_PHASES_UNDEFINED, loaded.name);
  const own = loaded.phases.find((entry) => entry.phase.name === phase);
  if (own !== undefined) {
    try {
      await loaded.callbacks?.startPhase?.(phase, type, own.args, self);
    } catch (error) {
      const call = tuple(loaded.mod?.module ?? loaded.name, START_PHASE, [own.phase, type, own.args]);
      return tuple(reasonOf(error), call);
    }
  }
  if (!loaded.phasesOfIncluded) return undefined;
  for (const name of loaded.included) {
    const included = find(name);
    const failure = included && (await runPhase(self, included, phase, type, find));
    if (failure !== undefined) return failure;
  }
  return undefined;
}
