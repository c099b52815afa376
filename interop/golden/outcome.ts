// What one play of a scenario came to, step by step, and how the plays with otpnode are compared with BEAM's own.

/** How much later than on BEAM alone something may happen on a machine that plays several clusters at once. */
const LATER_MS = 2500;

/** How much earlier: BEAM's own figure has the machine's load in it, too. */
const EARLIER_MS = 2500;

export class Outcome {
  readonly facts: Map<string, string> = new Map();
  readonly times: Map<string, number> = new Map();
  /** What Elixir nodes logged, without what differs from run to run. */
  readonly lines: Set<string> = new Set();
}

/** Fails unless a step came to the same as on BEAM alone. */
export function sameFact(step: string, fact: string, beam: Outcome): void {
  const expected = beam.facts.get(step);
  if (fact !== expected) throw new Error(`${step}:\n  BEAM alone: ${expected}\n  here:       ${fact}`);
}

/** Fails unless something took as long as on BEAM alone. */
export function sameTime(step: string, ms: number, beam: Outcome): void {
  const expected = beam.times.get(step);
  if (expected === undefined) throw new Error(`${step} was not measured on BEAM alone`);
  if (ms > expected + LATER_MS || ms < expected - EARLIER_MS)
    throw new Error(`${step}: ${ms} ms, on BEAM alone ${expected} ms`);
}

/** A line of a log without times, pids and the names of nodes. */
export function withoutAccidents(line: string): string {
  return line
    .replace(/^iex\(.*?\)\d+>\s*/, '')
    .replace(/#?\w*<[\d.]+>/g, 'PID')
    .replace(/#Ref<[\d.]+>/g, 'REF')
    .replace(/\w+@[\d.]+/g, 'NODE')
    .replace(/\d+(\.\d+)*/g, '0')
    .trim();
}
