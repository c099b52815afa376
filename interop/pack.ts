// What npm publishes can be installed in an empty folder with nothing but the registry, and works there.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './releases.js';
import { check, type Suite, same } from './suite.js';

const execute = promisify(execFile);

async function packAndInstall(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'otpnode-pack-'));
  try {
    await execute('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
    });
    const [tarball] = await readdir(folder);
    check(tarball?.endsWith('.tgz') === true, 'npm pack made no tarball');
    await writeFile(join(folder, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
    await execute('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`], { cwd: folder });
    const bin = join(folder, 'node_modules', '.bin', 'otpnode');
    const { stdout: tree } = await execute(bin, ['inspect', '8361 07'], { cwd: folder });
    check(tree.includes('97 SMALL_INTEGER_EXT 7'), tree);
    const { stdout: version } = await execute(bin, ['--version'], { cwd: folder });
    check(version.startsWith('otpnode '), version);
    const program = "import * as otpnode from 'otpnode'; console.log(typeof otpnode.startNode);";
    const { stdout: library } = await execute(process.execPath, ['--input-type=module', '-e', program], {
      cwd: folder,
    });
    same(library.trim(), 'function', 'the library in the folder where it is installed');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function run(suite: Suite): void {
  if (suite.whole)
    suite.test('the packed package installs in an empty folder', packAndInstall, { epmd: 'none' });
  else suite.without('once');
}
