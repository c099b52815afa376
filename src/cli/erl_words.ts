// The command lines of `erl` and `iex` rewritten for a parser that knows only `--option=value`.
//
// `erl` words have one dash and take every word up to the next dash: `-kernel K V K2 V2`, `-config a b`. Numbers that
// are negative count as values. `--` ends an option's values, what follows `-extra` belongs to the application.
import { ConfigError } from '../errors.js';

export interface Rewritten {
  /** Words for the option parser: `--option=value`, `--option` and what begins with no dash. */
  readonly words: readonly string[];
  /** What stands behind `-extra` or `--`: it belongs to no option. */
  readonly plain: readonly string[];
  /** What is understood but has no effect here. */
  readonly ignored: readonly string[];
}

/** How many values an option takes; `pairs` are `Key Value Key Value …`. */
type Values = 'none' | 'one' | 'some' | 'pairs' | 'cookie' | 'maybe';

/** The options that have a meaning here, by their name without dashes. */
const OPTIONS: ReadonlyMap<string, Values> = new Map([
  ['name', 'one'],
  ['sname', 'one'],
  ['setcookie', 'cookie'],
  ['cookie', 'one'],
  ['nocookie', 'none'],
  ['hidden', 'none'],
  ['config', 'some'],
  ['configfd', 'some'],
  ['app', 'some'],
  ['pa', 'some'],
  ['pz', 'some'],
  ['join', 'some'],
  ['start_epmd', 'one'],
  ['epmd_port', 'one'],
  ['erl_epmd_port', 'one'],
  ['dist_listen', 'one'],
  ['proto_dist', 'one'],
  ['ssl_dist_opt', 'pairs'],
  ['ssl_dist_optfile', 'one'],
  ['connect_all', 'one'],
  ['log-level', 'one'],
  ['log-format', 'one'],
  ['help', 'none'],
  ['version', 'none'],
]);

/** Words of `erl` and `iex` that change nothing here, so that a command line can be used as it is. */
const WITHOUT_EFFECT: ReadonlyMap<string, Values> = new Map([
  ['noshell', 'none'],
  ['noinput', 'none'],
  ['no-halt', 'none'],
  ['heart', 'none'],
  ['smp', 'maybe'],
  ['boot', 'one'],
  ['mode', 'one'],
  ['kernel_poll', 'one'],
  ['emu_flavor', 'one'],
]);

/** Words that ask for something that only a BEAM has. */
const IMPOSSIBLE: ReadonlyMap<string, string> = new Map([
  ['s', 'runs Erlang code'],
  ['run', 'runs Erlang code'],
  ['eval', 'runs Erlang code'],
  ['e', 'runs Elixir code'],
  ['S', 'runs an Elixir script'],
  ['r', 'loads Elixir code'],
  ['remsh', 'opens a shell'],
  ['epmd_module', 'names a module of Erlang: to live without EPMD use -erl_epmd_port and -start_epmd false'],
  ['detached', 'runs in the background: use your service manager, or & of the shell'],
]);

/** Applications whose environment can be set by `-Application Key Value`, beside those of `--app`. */
const APPLICATIONS = ['kernel', 'stdlib', 'sasl', 'logger', 'ssl', 'elixir', 'otpnode', 'distro'];

/** The commands beside running a node. */
export const COMMANDS = ['epmd', 'inspect', 'check', 'status', 'demo'] as const;

/** Rewrites the words of a command line. Throws `ConfigError` `bad_option` with a suggestion. */
export function rewriteErlWords(argv: readonly string[]): Rewritten {
  const words: string[] = [];
  const plain: string[] = [];
  const ignored: string[] = [];
  const queue = [...argv];
  const applications = new Set(APPLICATIONS.concat(applicationNames(argv)));

  while (queue.length > 0) {
    const word = queue.shift() as string;
    if (word === '-extra') {
      plain.push(...queue.splice(0));
    } else if (word === '--') {
      while (queue.length > 0 && !isOption(queue[0] as string)) plain.push(queue.shift() as string);
    } else if (word.startsWith('+') && word.length > 1) {
      ignored.push([word, ...takeValues(queue)].join(' '));
    } else if (!isOption(word)) {
      throw strayWord(word, word === argv[0]);
    } else {
      const [name, inline] = splitOption(word);
      const values = inline === undefined ? [] : [inline];
      if (name === 'erl') queue.unshift(...splitErlFlags(inline ?? required(name, queue.shift())));
      else if (OPTIONS.has(name)) words.push(...rewrite(name, OPTIONS.get(name) as Values, values, queue));
      else if (WITHOUT_EFFECT.has(name)) {
        const taken = WITHOUT_EFFECT.get(name) === 'none' ? [] : takeValues(queue, 1);
        ignored.push([word, ...taken].join(' '));
      } else if (applications.has(name)) {
        words.push(`--env=${JSON.stringify([name, ...values, ...takeValues(queue)])}`);
      } else throw unknownOption(word, name);
    }
  }
  return { words, plain, ignored };
}

function rewrite(name: string, kind: Values, values: string[], queue: string[]): string[] {
  if (kind === 'none') {
    if (values.length > 0) throw new ConfigError('bad_option', `--${name} takes no value`, { key: name });
    return [`--${name}`];
  }
  if (kind === 'one') {
    const value = values[0] ?? required(name, isOption(queue[0] ?? '-') ? undefined : queue.shift());
    return [`--${name}=${value}`];
  }
  const all = [...values, ...takeValues(queue, kind === 'cookie' ? 2 : undefined)];
  if (kind === 'pairs' || kind === 'cookie') {
    if (all.length === 0) required(name, undefined);
    return [`--${name}=${JSON.stringify(all)}`];
  }
  // `-config` with nothing behind it means the file `.config`, as for erl.
  if (all.length === 0 && name !== 'config') required(name, undefined);
  return (all.length === 0 ? [''] : all).map((value) => `--${name}=${value}`);
}

function required(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new ConfigError('bad_option', `the option ${name} needs a value`, { key: name });
}

/** Begins an option: one or two dashes and a letter, so that negative numbers are values. */
function isOption(word: string): boolean {
  return word === '--' || /^--?[A-Za-z]/.test(word);
}

function splitOption(word: string): [name: string, value: string | undefined] {
  const [, name = '', value] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  return [name, value];
}

function takeValues(queue: string[], most: number = Number.POSITIVE_INFINITY): string[] {
  const values: string[] = [];
  while (values.length < most && queue.length > 0 && !isOption(queue[0] as string)) {
    if ((queue[0] as string).startsWith('+') && (queue[0] as string).length > 1) break;
    values.push(queue.shift() as string);
  }
  return values;
}

/** The names given to `--app`, wherever on the line. */
function applicationNames(argv: readonly string[]): string[] {
  return argv.flatMap((word, i) =>
    /^--?app$/.test(word) && argv[i + 1] !== undefined ? [argv[i + 1] as string] : [],
  );
}

/**
 * Splits a string into words by the rules that `erl` has for `ERL_FLAGS`: blanks part words, quotes of either kind keep
 * what is between them as it is, elsewhere a backslash keeps the next character.
 */
export function splitErlFlags(flags: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < flags.length; i++) {
    const c = flags[i] as string;
    if (quote !== '') {
      if (c === quote) quote = '';
      else word = (word ?? '') + c;
    } else if (c === '\\') {
      word = (word ?? '') + (flags[++i] ?? '');
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (quote !== '')
    throw new ConfigError('bad_option', `the quote ${quote} of --erl is not closed: ${flags}`);
  return word === undefined ? words : [...words, word];
}

function strayWord(word: string, first: boolean): ConfigError {
  if (!first) {
    const hint = 'quote values that have blanks';
    return new ConfigError('bad_option', `${word} is the value of no option`, { hint });
  }
  const near = nearest(word, COMMANDS);
  const hint = near === undefined ? `there are ${COMMANDS.join(', ')}` : `did you mean ${near}?`;
  return new ConfigError('bad_option', `unknown command ${word}`, { hint });
}

function unknownOption(word: string, name: string): ConfigError {
  const reason = IMPOSSIBLE.get(name);
  if (reason !== undefined) {
    return new ConfigError('bad_option', `${word} ${reason}, which otpnode does not`, { key: name });
  }
  const near = nearest(name, [...OPTIONS.keys(), 'erl', 'kernel']);
  const hint =
    near === undefined ? 'otpnode --help lists the options' : `did you mean ${dashes(word)}${near}?`;
  return new ConfigError('bad_option', `unknown option ${word}`, { key: name, hint });
}

function dashes(word: string): string {
  return word.startsWith('--') ? '--' : '-';
}

/** The name that is most like `name`, if any is alike enough to be meant. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const ranked = names.map((known) => ({ known, distance: editDistance(name, known) }));
  ranked.sort((x, y) => x.distance - y.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(1, Math.floor(name.length / 3))
    ? best.known
    : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = swap ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1, swapped));
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
