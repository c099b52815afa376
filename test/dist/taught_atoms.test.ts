import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MANY_ATOMS, TaughtAtoms } from '../../src/dist/taught_atoms.js';
import { atom } from '../../src/terms/atom.js';
import { eventually } from '../support/memory_cluster.js';
import { join, loggedSystem } from '../support/wire.js';

test('a connection warns once when it has taught its peer many different atoms', async () => {
  const [a, b] = [loggedSystem('a@127.0.0.1'), loggedSystem('b@127.0.0.1')];
  join(a.system, b.system);
  const receiver = b.system.spawn(() => new Promise(() => {}));
  const sender = a.system.spawn(() => new Promise(() => {}));
  const atoms = (from: number, count: number) =>
    [...Array(count).keys()].map((i) => atom(`user_${from + i}`));
  const warnings = () => a.lines.filter((line) => line.text.includes('different atoms'));
  let sent = 0;
  // the same ones again and again, and more in one message than a header holds
  while (sent < MANY_ATOMS - 300) {
    sender.send(receiver.pid, atoms(sent, 300));
    sender.send(receiver.pid, atoms(0, 300));
    sent += 300;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(warnings().length, 0);
  for (let i = 0; i < 5; i++) sender.send(receiver.pid, atoms(sent + i * 300, 300));
  await eventually('all came', () => receiver.mailbox.size === Math.ceil((MANY_ATOMS - 300) / 300) * 2 + 5);
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0]?.text ?? '', /node b@127.0.0.1 has been sent 10000 different atoms .* "user_/);
  assert.equal(b.lines.filter((line) => line.text.includes('different atoms')).length, 0);
});

test('the same atoms are counted once', () => {
  const samples: string[] = [];
  const taught = new TaughtAtoms((sample) => samples.push(sample));
  for (let i = 0; i < 3; i++) for (let n = 1; n < MANY_ATOMS; n++) taught.note(atom(`a${n}`));
  taught.note(true);
  assert.deepEqual(samples, ['true']);
  taught.note(atom('more'));
  assert.equal(samples.length, 1);
});
