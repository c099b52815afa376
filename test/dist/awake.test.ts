import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awake } from '../../src/dist/awake.js';
import { turnsAwake } from '../support/turns.js';

test('the more has come the longer is waited awake for the rest, but not for ever', async () => {
  const awake = new Awake();
  awake.expect(65_536);
  const many = await turnsAwake();
  assert.ok(many >= 64 && many <= 256, `${many} turns`);
  awake.expect(4096);
  const few = await turnsAwake();
  assert.ok(few >= 4 && few <= 16, `${few} turns`);
  awake.expect(100);
  assert.equal(await turnsAwake(), 0);
});

test('what comes meanwhile begins a new wait in the place of the old one', async () => {
  const awake = new Awake();
  for (let i = 0; i < 10; i++) awake.expect(65_536);
  const turns = await turnsAwake();
  assert.ok(turns <= 256, `${turns} turns`);
});

test('nobody waits awake for what has come', async () => {
  const awake = new Awake();
  awake.expect(65_536);
  awake.rest();
  assert.ok((await turnsAwake()) <= 1);
});
