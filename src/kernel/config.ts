// A node's configuration, by OTP's rules: files, then flags of the command line, later ones winning per key.
//
// An application's environment has three layers: what the application brings (`env` of its specification), the files
// of `-config`, and `-Application Key Value`. Deviations from OTP, which hangs or leaves it to chance: a key given twice
// on the command line is refused, and what comes from there is checked like the files.
import { ConfigError } from '../errors.js';
import { parseTerm } from '../syntax/erl_parse.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { format } from '../terms/format.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import { type ConfigSource, readConfigSources } from './config_file.js';
import { validate } from './config_merge.js';
import { type KernelParameters, kernelParameters } from './kernel_parameters.js';

/** `-Application Key Value Key Value …`, each word still text. */
export interface ApplicationFlag {
  readonly application: string;
  readonly words: readonly string[];
}

export interface ConfigOptions {
  readonly sources?: readonly ConfigSource[];
  readonly flags?: readonly ApplicationFlag[];
  /** The current directory; relative file names start here. */
  readonly cwd?: string;
}

export type Environment = ReadonlyMap<Atom, Term>;

/** What a node boots with. */
export interface Config {
  /** What the files and flags say of an application, without what the application brings itself. */
  readonly environments: ReadonlyMap<Atom, Environment>;
  readonly kernel: KernelParameters;
  /** What will not do what its author thinks. */
  readonly warnings: readonly string[];
}

const KERNEL = atom('kernel');

/** Reads, merges and checks everything. Throws `ConfigError`. */
export function loadConfig(options: ConfigOptions = {}): Config {
  const warnings: string[] = [];
  const files = readConfigSources(options.sources ?? [], { cwd: options.cwd ?? process.cwd() });
  validate(files);
  const environments = new Map<Atom, Map<Atom, Term>>();
  for (const entry of files as readonly Tuple[]) {
    const [application, parameters] = entry.elements as readonly [Atom, readonly Tuple[]];
    environments.set(
      application,
      new Map(parameters.map(({ elements }) => elements as readonly [Atom, Term])),
    );
  }
  applyFlags(environments, options.flags ?? [], (text) => warnings.push(text));
  const kernel = kernelParameters(environments.get(KERNEL) ?? new Map(), (text) => warnings.push(text));
  return { environments, kernel, warnings };
}

/** The environment of an application: `env` is what its specification brings, the configuration overrides it. */
export function applicationEnvironment(config: Config, application: Atom, env: Environment): Map<Atom, Term> {
  return new Map([...env, ...(config.environments.get(application) ?? [])]);
}

function applyFlags(
  environments: Map<Atom, Map<Atom, Term>>,
  flags: readonly ApplicationFlag[],
  warn: (text: string) => void,
): void {
  const given = new Set<string>();
  for (const { application, words } of flags) {
    const name = atom(application);
    const environment = environments.get(name) ?? new Map<Atom, Term>();
    environments.set(name, environment);
    for (let i = 0; i + 1 < words.length; i += 2) {
      const key = flagKey(application, words[i] as string);
      const id = `${application} ${key.name}`;
      if (given.has(id)) throw twice(application, key.name);
      given.add(id);
      environment.set(key, flagTerm(words[i + 1] as string, application));
    }
    if (words.length % 2 === 1) warn(`-${application} … ${words.at(-1)}: a key without a value is ignored`);
  }
}

function flagKey(application: string, word: string): Atom {
  const key = flagTerm(word, application);
  if (key instanceof Atom) return key;
  const text = `invalid config data: application: ${application}; invalid parameter name: ${format(key)}`;
  throw new ConfigError('invalid_config', text, { hint: `given as -${application} ${word}` });
}

/** A word of the command line as a term; OTP's error is `{bad_environment_value, "word"}`. */
function flagTerm(word: string, application: string): Term {
  try {
    return parseTerm(word);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const text = format(tuple(atom('bad_environment_value'), charlist(word)));
    const quotes = 'text needs the quotes of Erlang, and those need quotes of the shell';
    throw new ConfigError('bad_environment_value', text, {
      hint: `-${application}: ${error.text} (${quotes})`,
    });
  }
}

function twice(application: string, key: string): ConfigError {
  const text = `invalid config data: application: ${application}; duplicate parameter: ${key}`;
  return new ConfigError('invalid_config', text, {
    key,
    hint: `-${application} ${key} is on the command line twice`,
  });
}
