// The Elixir side of the demo: a real `iex` if there is one, with the tutorial's own code.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('../../../interop/distro/lib', import.meta.url));
const VERSION = 'IO.write("Elixir " <> System.version() <> " on OTP " <> System.otp_release())';
const COMPILE_MS = 60_000;

export interface Elixir {
  readonly iex: string;
  /** `Elixir 1.14.0 on OTP 25`. */
  readonly version: string;
  /** Where the compiled application is. */
  readonly ebin: string;
}

/** The `iex` on PATH with the tutorial's project compiled into `folder`, or why there is none. */
export async function findElixir(folder: string): Promise<Elixir | { readonly why: string }> {
  const bin = (process.env['PATH'] ?? '').split(delimiter).find((each) => existsSync(join(each, 'iex')));
  if (bin === undefined) return { why: 'no iex on this machine, so all three are otpnode' };
  if (!existsSync(SOURCES)) return { why: "the tutorial's Elixir project is not in this package" };
  const options = { timeout: COMPILE_MS };
  try {
    const { stdout } = await run(join(bin, 'elixir'), ['-e', VERSION], options);
    const ebin = join(folder, 'ebin');
    mkdirSync(ebin, { recursive: true });
    await run(join(bin, 'elixirc'), ['-o', ebin, ...sourceFiles()], options);
    writeFileSync(join(ebin, 'distro.app'), appFile(ebin));
    return { iex: join(bin, 'iex'), version: stdout, ebin };
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    return { why: `the iex of this machine cannot be used (${why}), so all three are otpnode` };
  }
}

function sourceFiles(): string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ex'))
    .map((file) => join(SOURCES, file));
}

function appFile(ebin: string): string {
  const modules = readdirSync(ebin).flatMap((file) =>
    file.endsWith('.beam') ? `'${file.slice(0, -5)}'` : [],
  );
  return (
    `{application, distro, [{description, "distro"}, {vsn, "0.1.0"}, {modules, [${modules.join(', ')}]},\n` +
    " {registered, []}, {applications, [kernel, stdlib, elixir, logger]}, {mod, {'Elixir.Distro', []}}]}.\n"
  );
}
