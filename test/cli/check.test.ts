import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkMain } from '../../src/cli/check.js';

async function check(
  argv: readonly string[],
  cwd?: string,
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const output = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  const code = await checkMain(argv, output, cwd, () => Promise.resolve(true));
  return { code, out, err };
}

test("the tutorial's files are sound", async () => {
  const { code, out } = await check(['-config', 'erl-config/a', 'erl-config/b', 'erl-config/c']);
  assert.equal(code, 0);
  assert.match(out, /^erl-config\/a: abc@127\.0\.0\.1\n.*\n.*def@127\.0\.0\.1\nno problems found\n$/);
});

test('errors give exit code 1, as text and as JSON', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'otpnode-check-'));
  try {
    writeFileSync(join(cwd, 'a.config'), "[{kernel, [{distributed, [{d, ['a@h', 'b@h']}]}]}].");
    writeFileSync(join(cwd, 'b.config'), '[{kernel, [a b]}].');
    const text = await check(['-config', 'a', '-config', 'b'], cwd);
    assert.equal(text.code, 1);
    assert.match(
      text.out,
      /error: the node does not start: could not start kernel pid .*\(1\): syntax error before: b/,
    );
    const json = JSON.parse((await check(['--json', 'a@h=a', 'b@h=b'], cwd)).out) as Record<
      string,
      unknown[]
    >;
    assert.deepEqual(json['nodes'], [{ file: 'a', node: 'a@h' }]);
    assert.match(JSON.stringify(json['findings']), /"code":"syntax"/);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});

test('which file -config means: the suffix is added to whatever does not have it', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'otpnode-check-'));
  try {
    for (const name of ['x.cfg', 'y', 'y.config']) writeFileSync(join(cwd, name), '[].');
    const cfg = await check(['-config', 'x.cfg'], cwd);
    assert.equal(cfg.code, 1);
    assert.match(
      cfg.out,
      /x\.cfg\.config" \(none\): configuration file not found\); \S*x\.cfg is there, but/,
    );
    const both = await check(['-config', 'y'], cwd);
    assert.equal(both.code, 0);
    assert.match(both.out, /^warning: y is there, but -config y reads y\.config$/m);
    const json = JSON.parse((await check(['--json', 'y'], cwd)).out) as { findings: { code: string }[] };
    assert.deepEqual(
      json.findings.map(({ code }) => code),
      ['suffix'],
    );
    assert.doesNotMatch((await check(['-config', 'y.config'], cwd)).out, /warning/);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});

test('without files, and with an unknown option, it tells how it is used', async () => {
  assert.deepEqual(
    [(await check([])).code, (await check(['--help'])).code, (await check(['-x'])).code],
    [1, 0, 1],
  );
});
