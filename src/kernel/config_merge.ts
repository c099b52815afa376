// How configuration layers are merged and validated: `[{Application, [{Key, Value}]}]`, later values replace earlier
// ones whole, per application and key. The texts are those of `application_controller`.
import { ConfigError } from '../errors.js';
import { Atom } from '../terms/atom.js';
import { format } from '../terms/format.js';
import { isInteger } from '../terms/number.js';
import { equals } from '../terms/order.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';

/** Merges two lists of `{Application, Parameters}`. What has another shape is kept, for the validation to tell. */
export function mergeEnvironments(earlier: readonly Term[], later: readonly Term[]): readonly Term[] {
  return mergePairs(earlier, later, (old, now) => {
    if (!Array.isArray(old) || !Array.isArray(now)) return Array.isArray(old) ? now : old;
    return mergePairs(old as readonly Term[], now as readonly Term[], (_, value) => value) as readonly Term[];
  });
}

/** In OTP's order, so that of several faults the same one is told first. */
function mergePairs(
  earlier: readonly Term[],
  later: readonly Term[],
  merge: (old: Term, now: Term) => Term,
): readonly Term[] {
  if (earlier.length === 0) return later;
  const rest = [...later];
  const merged = earlier.map((item) => {
    const at = isPair(item) ? rest.findIndex((other) => isPair(other) && equals(key(other), key(item))) : -1;
    if (at < 0) return item;
    const [now] = rest.splice(at, 1) as [Tuple];
    return new Tuple([key(item as Tuple), merge(value(item as Tuple), value(now))]);
  });
  return [...rest, ...merged.reverse()];
}

function isPair(term: Term): term is Tuple {
  return term instanceof Tuple && term.elements.length === 2;
}

function key(pair: Tuple): Term {
  return pair.elements[0] as Term;
}

function value(pair: Tuple): Term {
  return pair.elements[1] as Term;
}

/** Throws `ConfigError` `invalid_config`, with OTP's text, if the merged configuration has a wrong shape. */
export function validate(environment: readonly Term[]): void {
  environment.forEach((entry, i) => {
    if (!isPair(entry)) throw invalid(`invalid application config: ${format(entry)}`);
    const name = key(entry);
    const parameters = value(entry);
    if (!Array.isArray(parameters)) throw invalid(`application: ${format(name)}; parameters must be a list`);
    if (!(name instanceof Atom))
      throw invalid(`application: ${format(name)}; application name must be an atom`);
    if (has(environment, name, i + 1)) throw invalid(`duplicate application config: ${name.name}`);
    validateParameters(name, parameters as readonly Term[]);
  });
}

function validateParameters(application: Atom, parameters: readonly Term[]): void {
  const prefix = `application: ${application.name};`;
  parameters.forEach((parameter, i) => {
    if (!isPair(parameter)) throw invalid(`${prefix} invalid parameter: ${format(parameter)}`);
    const name = key(parameter);
    if (!(name instanceof Atom)) throw invalid(`${prefix} invalid parameter name: ${format(name)}`);
    if (has(parameters, name, i + 1)) throw invalid(`${prefix} duplicate parameter: ${name.name}`, name.name);
    if (application.name === 'kernel' && name.name === 'distributed') validateDistributed(value(parameter));
  });
}

function has(pairs: readonly Term[], name: Atom, from: number): boolean {
  return pairs.slice(from).some((pair) => pair instanceof Tuple && pair.elements[0] === name);
}

/** `[{App, Nodes}]`, `[{App, Time, Nodes}]` or `[{App, infinity, Nodes}]`; contents of the lists are not looked at. */
export function validateDistributed(list: Term): void {
  const fault = Array.isArray(list) ? (list as readonly Term[]).find((entry) => !isDistributed(entry)) : list;
  if (fault !== undefined) throw erroneous('distributed', `${format(fault, 200)} is not {App, [Ms,] [Node]}`);
}

function isDistributed(entry: Term): boolean {
  if (!(entry instanceof Tuple) || !(entry.elements[0] instanceof Atom)) return false;
  const { elements } = entry;
  if (!Array.isArray(elements.at(-1))) return false;
  if (elements.length === 2) return true;
  const time = elements[1] as Term;
  return elements.length === 3 && (isInteger(time) || (time instanceof Atom && time.name === 'infinity'));
}

/** The error of a kernel parameter whose value is wrong, in the words that OTP has for `distributed`. */
export function erroneous(parameter: string, hint: string): ConfigError {
  return invalid(`application: kernel; erroneous parameter: ${parameter}`, parameter, hint);
}

function invalid(text: string, parameter?: string, hint?: string): ConfigError {
  const where = {
    ...(parameter === undefined ? {} : { key: parameter }),
    ...(hint === undefined ? {} : { hint }),
  };
  return new ConfigError('invalid_config', `invalid config data: ${text}`, where);
}
