// The files of `-config`: which file a name means, what may be in it, includes (`application_controller:check_conf/0`).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { ConfigError } from '../errors.js';
import { sourceText } from '../syntax/epp.js';
import { parseForm, scanForm } from '../syntax/erl_parse.js';
import { Scanner } from '../syntax/erl_scan.js';
import { text } from '../terms/binary.js';
import { ImproperList } from '../terms/list.js';
import { quoteString } from '../terms/quote.js';
import type { Term } from '../terms/term.js';
import { mergeEnvironments } from './config_merge.js';

/** One `-config NAME` or `-configfd NUMBER`. */
export type ConfigSource = { readonly config: string } | { readonly configfd: string };

/** Where relative names are looked for. */
export interface ConfigPlace {
  /** The current directory. */
  readonly cwd: string;
  /** `-configfd`'s includes are looked for here first. */
  readonly bootDir?: string;
}

/** The merged content of all files, in order: a later one overrides an earlier one per application and key. */
export function readConfigSources(sources: readonly ConfigSource[], place: ConfigPlace): readonly Term[] {
  return sources.reduce<readonly Term[]>(
    (merged, source) => mergeEnvironments(merged, read(source, place)),
    [],
  );
}

function read(source: ConfigSource, place: ConfigPlace): readonly Term[] {
  if ('configfd' in source) {
    const content = readDescriptor(source.configfd);
    return includeFiles(content, place.bootDir ?? '', place.cwd);
  }
  const name = configFileName(source.config);
  const content = readConfigFile(name, place.cwd);
  return baseName(name) === 'sys.config' ? includeFiles(content, dirName(name), place.cwd) : content;
}

/** The file that `-config NAME` means: `x` and `x.config` are the same file, `x.cfg` is `x.cfg.config`. */
function configFileName(name: string): string {
  const base = baseName(name);
  const stem = base.endsWith('.config') ? base.slice(0, -'.config'.length) : base;
  const dir = dirName(name);
  return `${dir.endsWith('/') ? dir : `${dir}/`}${stem}.config`;
}

function baseName(path: string): string {
  return path.replace(/\/+$/, '').replace(/^.*\//, '');
}

function dirName(path: string): string {
  const cut = path.replace(/\/+$/, '').lastIndexOf('/');
  return cut < 0 ? '.' : path.slice(0, cut).replace(/\/+$/, '') || '/';
}

/** The strings of a `sys.config` are names of further files, merged where they stand. They include nothing. */
function includeFiles(content: readonly Term[], sysDir: string, cwd: string): readonly Term[] {
  let merged: readonly Term[] = [];
  for (const element of content) {
    const included = Array.isArray(element)
      ? readIncluded(text(element as readonly Term[]), sysDir, cwd)
      : [element];
    merged = mergeEnvironments(merged, included);
  }
  return merged;
}

function readIncluded(include: string, sysDir: string, cwd: string): readonly Term[] {
  const name = configFileName(include);
  const besideSys = name.startsWith('/') ? name : `${sysDir}/${name}`;
  return readConfigFile(isFile(besideSys, cwd) ? besideSys : name, cwd);
}

function resolve(path: string, cwd: string): string {
  return path.startsWith('/') ? path : `${cwd}/${path}`;
}

function isFile(path: string, cwd: string): boolean {
  return statSync(resolve(path, cwd), { throwIfNoEntry: false })?.isFile() === true;
}

/** The list in a configuration file. `name` is as it appears in error texts. */
function readConfigFile(name: string, cwd: string): readonly Term[] {
  const where = `config file ${quoteString(name)}`;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(resolve(name, cwd));
  } catch {
    throw new ConfigError('not_found', `error in ${where} (none): configuration file not found`, {
      file: name,
      hint: filesNearby(name, cwd),
    });
  }
  return parseConfig(bytes, where, name);
}

function readDescriptor(descriptor: string): readonly Term[] {
  const where = `config read from file descriptor ${quoteString(descriptor)}`;
  const number = /^(\d+)(?:\.config)?$/.exec(descriptor)?.[1];
  if (number === undefined) {
    const expected = 'The format should be "FileDescId[.FileType]". Examples: 3 or 3.config';
    throw new ConfigError('not_found', `error in ${where} (invalid_file_desc): ${expected}`);
  }
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(Number(number));
  } catch {
    throw new ConfigError(
      'not_found',
      `error in ${where} (none): Could not read from file descriptor: ${number}`,
    );
  }
  return parseConfig(bytes, where, descriptor);
}

const NOT_ONE_LIST = 'configuration file must contain ONE list ended by <dot>';

function parseConfig(bytes: Uint8Array, where: string, file: string): readonly Term[] {
  const source = sourceText(bytes);
  if (source === undefined) {
    const hint = 'the file is not UTF-8; a first line `%% coding: latin-1` makes it Latin-1';
    throw new ConfigError('bad_encoding', `error in ${where} (none): bad encoding`, { file, hint });
  }
  try {
    const scanner = new Scanner(source);
    const form = scanForm(scanner);
    if (form === undefined) throw new ConfigError('no_dot', 'no ending <dot> found');
    const content = parseForm(source, form);
    if (content instanceof ImproperList) throw improperList(file);
    if (!Array.isArray(content)) throw new ConfigError('not_one_list', NOT_ONE_LIST);
    if (!onlyBlanksAndComments(source.slice(scanner.offset)))
      throw new ConfigError('not_one_list', NOT_ONE_LIST);
    return content as readonly Term[];
  } catch (error) {
    throw error instanceof ConfigError && error.file === undefined ? located(error, where, file) : error;
  }
}

function improperList(file: string): ConfigError {
  const text = 'invalid config data: configuration must be a list ended by <dot><whitespace>';
  return new ConfigError('invalid_config', text, { file });
}

function onlyBlanksAndComments(rest: string): boolean {
  return /^[\0- ]*$/.test(rest.replace(/%[^\n]*/g, ''));
}

/** The error as OTP words it, with what OTP leaves out as a hint. */
function located(error: ConfigError, where: string, file: string): ConfigError {
  const { line, column } = error;
  const at = line === undefined ? {} : { line, column: column as number };
  if (error.code !== 'syntax')
    return new ConfigError(error.code, `error in ${where} (none): ${error.text}`, { file });
  if (error.text.startsWith('unterminated')) {
    const hint = `line ${line}, column ${column}: ${error.text}`;
    return new ConfigError('no_dot', `error in ${where} (none): no ending <dot> found`, {
      file,
      ...at,
      hint,
    });
  }
  const [text = '', detail] = error.text.split(/(?<=^bad term): /);
  const hint = `column ${column}${detail === undefined ? '' : `: ${detail}`}`;
  return new ConfigError('syntax', `error in ${where} (${line}): ${text}`, { file, ...at, hint });
}

/** Names a person may have meant. */
function filesNearby(name: string, cwd: string): string {
  const asGiven = name.slice(0, -'.config'.length);
  if (isFile(asGiven, cwd)) return `${asGiven} is there, but -config reads only names that end in .config`;
  const directories = [
    dirName(name),
    '.',
    ...entries(cwd)
      .filter((entry) => entry.isDirectory)
      .map((e) => e.name),
  ];
  const found = new Set<string>();
  for (const directory of directories) {
    for (const entry of entries(resolve(directory, cwd))) {
      if (!entry.isDirectory && entry.name.endsWith('.config')) {
        found.add(directory === '.' ? entry.name : `${directory}/${entry.name}`);
      }
    }
  }
  const some = [...found].slice(0, 12).join(', ');
  return some === '' ? `no *.config file is in ${dirName(name)} or near ${cwd}` : `nearby are ${some}`;
}

function entries(directory: string): { name: string; isDirectory: boolean }[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((x, y) => (x.name < y.name ? -1 : 1));
  } catch {
    return [];
  }
}
