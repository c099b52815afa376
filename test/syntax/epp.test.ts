import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceText } from '../../src/syntax/epp.js';

test('a file is UTF-8', () => {
  assert.equal(sourceText(Buffer.from('[λ].')), '[λ].');
  assert.equal(sourceText(Buffer.from('[é].', 'latin1')), undefined);
});

test('a comment in the first two lines may say Latin-1', () => {
  const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  assert.equal(sourceText(latin1('%% -*- coding: latin-1 -*-\n[é].')), '%% -*- coding: latin-1 -*-\n[é].');
  assert.ok(sourceText(latin1('[\n% coding = latin-1\né].')) !== undefined);
  assert.equal(sourceText(latin1('\n\n% coding: latin-1\n[é].')), undefined);
  assert.equal(sourceText(latin1('% coding: iso-8859-15\n[é].')), undefined);
});
