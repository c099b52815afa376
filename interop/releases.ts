// The Erlang/OTP releases to test against, and the Elixir project of the tutorial compiled for each.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The project's folder. All commands are run from there. */
export const ROOT: string = resolve(import.meta.dirname, '..', '..');

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'otpnode');
const TREES = process.env['OTPNODE_OTP_DIR'] ?? join(CACHE, 'otp');

/** All releases of the matrix. */
export const ALL_RELEASES: readonly string[] = ['23', '25', '27', '29'];

/** One Erlang/OTP release with its Elixir. */
export interface Release {
  readonly otp: string;
  readonly elixir: string;
  /** The folder of `erl`, `iex`, `elixir`, `epmd`. */
  readonly bin: string;
  /** What the script said of it. */
  readonly line: string;
}

/**
 * The release of that number: the machine's own, or one in the cache, which is made if it is not there.
 * Fails with the script's words if it cannot be had.
 */
export async function release(otp: string): Promise<Release> {
  const { stdout } = await run(join(ROOT, 'interop', 'otp_matrix.sh'), ['-d', TREES, otp], {
    maxBuffer: 1 << 24,
  }).catch((error: { stderr?: string; message: string }) => {
    throw new Error((error.stderr ?? '').trim() || error.message);
  });
  const line = stdout.trim();
  return { otp, elixir: /Elixir ([\d.]+)/.exec(line)?.[1] ?? '', bin: join(TREES, otp, 'bin'), line };
}

/** The release of `erl` and `iex` on PATH; undefined if they are not there. */
export async function releaseOnPath(): Promise<Release | undefined> {
  const bin = (process.env['PATH'] ?? '').split(':').find((folder) => existsSync(join(folder, 'erl')));
  if (bin === undefined || !existsSync(join(bin, 'iex'))) return undefined;
  const { stdout: otp } = await run(join(bin, 'erl'), [
    '-noinput',
    '-eval',
    'io:put_chars(erlang:system_info(otp_release)), halt().',
  ]);
  const { stdout: elixir } = await run(join(bin, 'elixir'), ['-e', 'IO.write(System.version())']);
  return { otp, elixir, bin, line: `otp ${otp}: from PATH (Elixir ${elixir})` };
}

/** Which Elixir code a node runs: the tutorial's, with a takeover-capable server, or that with start phases. */
export type Variant = 'tutorial' | 'tk' | 'phases';

const LIB = join(ROOT, 'interop', 'distro', 'lib');
const VARIANTS = join(ROOT, 'interop', 'variants');
const SOURCES: Record<Variant, readonly string[]> = {
  tutorial: [join(LIB, 'distro.ex'), join(LIB, 'distro', 'distro_cal.ex')],
  tk: [join(LIB, 'distro.ex'), join(VARIANTS, 'tk', 'distro_cal.ex')],
  phases: [join(VARIANTS, 'phases', 'distro.ex'), join(VARIANTS, 'tk', 'distro_cal.ex')],
};

const compiled = new Map<string, Promise<string>>();

/** The folder with the compiled application `distro` for a release; made once for each content of its sources. */
export function distroEbin(of: Release, variant: Variant): Promise<string> {
  const key = `${of.otp}/${variant}`;
  let folder = compiled.get(key);
  if (folder === undefined) {
    folder = compile(of, variant);
    compiled.set(key, folder);
  }
  return folder;
}

async function compile(of: Release, variant: Variant): Promise<string> {
  const sources = SOURCES[variant];
  const hash = createHash('sha256');
  for (const file of sources) hash.update(readFileSync(file));
  const folder = join(
    CACHE,
    'distro',
    `${variant}-${of.otp}-${of.elixir}-${hash.digest('hex').slice(0, 12)}`,
  );
  const ebin = join(folder, 'ebin');
  if (existsSync(join(ebin, 'distro.app'))) return ebin;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  await run(join(of.bin, 'elixirc'), ['--warnings-as-errors', '-o', making, ...sources], {
    env: { ...process.env, OTP_BIND: binds() },
  }).catch((error: { stdout?: string; stderr?: string; message: string }) => {
    throw new Error(
      `interop/distro does not compile on Elixir ${of.elixir}:\n${error.stdout ?? ''}${error.stderr ?? ''}`,
    );
  });
  const modules = readdirSync(making)
    .filter((file) => file.endsWith('.beam'))
    .map((file) => `'${file.replace('.beam', '')}'`);
  writeFileSync(join(making, 'distro.app'), appFile(modules, variant));
  mkdirSync(folder, { recursive: true });
  if (existsSync(ebin)) rmSync(making, { recursive: true });
  else renameSync(making, ebin);
  return ebin;
}

function appFile(modules: readonly string[], variant: Variant): string {
  const phases = variant === 'phases' ? ',{start_phases,[{warm_up,[]},{open,[now]}]}' : '';
  return (
    `{application,distro,[{description,"distro"},{vsn,"0.1.0"},{modules,[${modules.join(',')}]},` +
    `{registered,[]},{applications,[kernel,stdlib,elixir,logger]},{mod,{'Elixir.Distro',[]}}${phases}]}.\n`
  );
}

/** The folders that a release's own root tree must see besides /tmp. */
export function binds(...more: readonly string[]): string {
  mkdirSync(CACHE, { recursive: true });
  return [ROOT, CACHE, ...more].join(' ');
}
