import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { CrlFolder, decodeCrl, revocationProblem } from '../../src/dist/crl.js';
import { DecodeError } from '../../src/errors.js';
import { type TestCertificate, type TestCrls, tlsFile } from '../support/tls_files.js';

const certificates = (name: TestCertificate): X509Certificate[] =>
  (readFileSync(tlsFile(name), 'utf8').match(/-----BEGIN CERT[^-]*-----[^-]*-----END[^-]*-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
const [ca] = certificates('revoking_ca.pem') as [X509Certificate];
const path = (name: TestCertificate): X509Certificate[] => [...certificates(name), ca];
const lists = (name: TestCrls) => new CrlFolder(tlsFile(name)).current();
const only = (name: TestCrls): string => join(tlsFile(name), readdirSync(tlsFile(name))[0] as string);

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'otpnode-crls-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

test('a list tells what its issuer revoked, in PEM and in DER', () => {
  const pem = readFileSync(only('crls'));
  const crl = decodeCrl(pem);
  assert.deepEqual([...crl.revoked], ['2002']);
  assert.equal(crl.nextUpdate, Date.UTC(2120, 0, 1));
  assert.equal(crl.algorithm, '1.2.840.10045.4.3.2');
  assert.equal(crl.critical, undefined);
  const base64 = pem.toString().replaceAll(/-----[^-]*-----|\s/g, '');
  assert.deepEqual(decodeCrl(Buffer.from(base64, 'base64')), crl);
});

test('a revoked certificate is refused in every mode, one that is not in none', () => {
  for (const check of [true, 'peer', 'best_effort'] as const) {
    assert.match(
      revocationProblem(path('revoked.pem'), check, lists('crls')) ?? '',
      /^the certificate "CN=revoked" \(serial 2002\) was revoked by its issuer$/,
    );
    assert.equal(revocationProblem(path('valid.pem'), check, lists('crls')), undefined);
  }
});

test('an intermediate certificate is looked up but for peer', () => {
  const below = path('below.pem');
  assert.equal(revocationProblem(below, 'peer', lists('crls_sub')), undefined);
  for (const check of [true, 'best_effort'] as const) {
    assert.match(revocationProblem(below, check, lists('crls_sub')) ?? '', /"CN=sub CA" .* was revoked/);
  }
});

test('without a list that can be used only best_effort lets a certificate pass', () => {
  const below = path('below.pem');
  assert.equal(revocationProblem(below, 'best_effort', lists('crls')), undefined);
  for (const check of [true, 'peer'] as const) {
    assert.match(
      revocationProblem(below, check, lists('crls')) ?? '',
      /whether the certificate "CN=below" .* is revoked cannot be told: there is no list of its issuer in the folder/,
    );
  }
  assert.match(
    revocationProblem(path('valid.pem'), true, lists('crls_expired')) ?? '',
    /cannot be told: the list expired on 2020-01-02T/,
  );
  const nowhere = new CrlFolder('/nowhere').current();
  assert.match(revocationProblem(path('valid.pem'), true, nowhere) ?? '', /cannot be told: ENOENT/);
});

test('a list that somebody else signed, or that was changed, does not count', () => {
  const crl = decodeCrl(readFileSync(only('crls')));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const forged = { ...crl, revoked: new Set<string>(), signature: sign('sha256', crl.signed, privateKey) };
  const changed = { ...crl, signed: Buffer.concat([crl.signed, Buffer.of(0)]) };
  const strange = { ...crl, algorithm: '1.2.3' };
  const critical = { ...crl, critical: '2.5.29.28' };
  for (const [list, why] of [
    [forged, /not signed by its issuer/],
    [changed, /not signed by its issuer/],
    [strange, /signed in a way not known here \(1\.2\.3\)/],
    [critical, /the critical extension 2\.5\.29\.28/],
  ] as const) {
    const found = { lists: [list], problems: [] };
    assert.match(revocationProblem(path('revoked.pem'), true, found) ?? '', why);
  }
});

test('files are read again when they change, and a broken one is told', (t) => {
  const made = folder(t);
  const crls = new CrlFolder(made);
  assert.match(revocationProblem(path('revoked.pem'), true, crls.current()) ?? '', /cannot be told/);
  cpSync(tlsFile('crls'), made, { recursive: true });
  assert.match(revocationProblem(path('revoked.pem'), true, crls.current()) ?? '', /was revoked/);
  const [name] = readdirSync(made) as [string];
  writeFileSync(join(made, name), 'nonsense');
  assert.match(
    revocationProblem(path('revoked.pem'), true, crls.current()) ?? '',
    /cannot be told: .*\.r0: /,
  );
  rmSync(join(made, name));
  writeFileSync(join(made, 'README'), 'no list');
  assert.deepEqual(crls.current(), { lists: [], problems: [] });
});

test('bytes that are no list throw DecodeError and nothing else', () => {
  const base64 = readFileSync(only('crls'), 'utf8').replaceAll(/-----[^-]*-----|\s/g, '');
  const der = Buffer.from(base64, 'base64');
  const holds = (bytes: Buffer): void => {
    try {
      decodeCrl(bytes);
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error));
    }
  };
  for (let i = 0; i < der.length; i++) {
    holds(der.subarray(0, i));
    const flipped = Buffer.from(der);
    flipped[i] = 255 - (der[i] as number);
    holds(flipped);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => holds(Buffer.from(bytes))),
    { seed: 1 },
  );
});
