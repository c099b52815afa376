// Which module `--app NAME` means: one of the user's, found through `-pa`, or the built-in `distro`.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Application, ConfigError } from '../index.js';

/** The application of that name. Throws `ConfigError` `bad_option` with what was looked for. */
export async function findApplication(
  name: string,
  paths: readonly string[],
  cwd: string,
): Promise<Application> {
  const found = await lookForApplication(name, paths, cwd);
  if (found !== undefined) return found;
  const looked =
    paths.length === 0
      ? 'no -pa DIR is given'
      : `-pa ${paths.join(' ')} has no ${name}.js, .mjs, .cjs or package`;
  throw new ConfigError('bad_option', `there is no application ${name}`, { key: 'app', hint: looked });
}

/** The application of that name, or undefined if no folder has it. Throws `ConfigError` for a module that is none. */
export async function lookForApplication(
  name: string,
  paths: readonly string[],
  cwd: string,
): Promise<Application | undefined> {
  // a name that another node may have sent leads nowhere else
  if (!/^[\w@-]+$/.test(name)) return undefined;
  for (const path of paths) {
    const file = moduleFile(resolve(cwd, path), name);
    if (file !== undefined) return await loadModule(name, file);
  }
  if (name === 'distro') return (await import('../distro/application.js')).default;
  return undefined;
}

/** `DIR/NAME.js` and its kin, the package `DIR/NAME`, or the package `DIR` of that name. */
function moduleFile(directory: string, name: string): string | undefined {
  const files = ['.js', '.mjs', '.cjs'].map((extension) => join(directory, `${name}${extension}`));
  return files.find(isFile) ?? packageFile(join(directory, name)) ?? ownPackageFile(directory, name);
}

/** Whether there is a file of that path. */
export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function ownPackageFile(directory: string, name: string): string | undefined {
  return packageName(directory) === name ? packageFile(directory) : undefined;
}

/** The entry of a package: what `package.json` says, or `index.js`. */
function packageFile(directory: string): string | undefined {
  const { main, exports } = packageJson(directory);
  const named = [entryOf(exports), main, 'index.js', 'index.mjs', 'index.cjs'];
  return named.flatMap((entry) => (entry === undefined ? [] : [join(directory, entry)])).find(isFile);
}

interface PackageJson {
  readonly name?: string;
  readonly main?: string;
  readonly exports?: unknown;
}

function packageJson(directory: string): PackageJson {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PackageJson;
  } catch (error) {
    throw new ConfigError('bad_option', `${file} is no JSON: ${(error as Error).message}`, { file });
  }
}

function packageName(directory: string): string | undefined {
  return packageJson(directory).name;
}

const ENTRY_CONDITIONS = ['.', 'node', 'import', 'default', 'require'];

/** The file of `exports`: a string, or the first of `import`, `default` and `require` under `.`. */
function entryOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const conditions = exports as Record<string, unknown>;
  return entryOf(
    ENTRY_CONDITIONS.map((condition) => conditions[condition]).find((entry) => entry !== undefined),
  );
}

async function loadModule(name: string, file: string): Promise<Application> {
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (error) {
    const why = reasonIn(error);
    throw new ConfigError('bad_option', `the application ${name} cannot be loaded from ${file}: ${why}`, {
      file,
    });
  }
  // A CommonJS module that was compiled from TypeScript has its default export one level deeper.
  const exported = [module.default, (module.default as { default?: unknown } | undefined)?.default];
  const application = exported.find(isApplication);
  if (application === undefined) {
    const text = `${file} is no application: its default export has no spec with a name`;
    throw new ConfigError('bad_option', text, { file, hint: 'see Application in the documentation' });
  }
  if (application.spec.name !== name) {
    throw new ConfigError('bad_option', `${file} is the application ${application.spec.name}, not ${name}`, {
      file,
    });
  }
  return application;
}

/** One line; for a syntax error with its place, which may be in a file that the module imports. */
function reasonIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message.split('\n', 1)[0] ?? '';
  const place =
    error instanceof SyntaxError ? /^(?:file:\/\/)?(\/\S+:\d+)\n/.exec(error.stack ?? '')?.[1] : undefined;
  return place === undefined ? text : `${text} at ${place}`;
}

function isApplication(value: unknown): value is Application {
  const spec = (value as { spec?: { name?: unknown } } | null | undefined)?.spec;
  return typeof spec === 'object' && spec !== null && typeof spec.name === 'string';
}
