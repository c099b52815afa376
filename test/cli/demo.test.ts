import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoMain } from '../../src/cli/demo.js';

test('the demo says how it is used', async () => {
  const said: string[] = [];
  const output = {
    out: (text: string) => said.push(`out ${text}`),
    err: (text: string) => said.push(`err ${text}`),
  };
  assert.deepEqual([await demoMain(['--help'], output), await demoMain(['--fast'], output)], [0, 1]);
  assert.match(said[0] as string, /^out usage: otpnode demo \[--keep\]/);
  assert.match(said[1] as string, /^err otpnode demo: unknown option --fast\nusage:/);
});
