import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { DEFAULT_DFLAGS } from '../../src/dist/dflags.js';
import type { DistSocket } from '../../src/dist/dist_socket.js';
import { encodeName } from '../../src/dist/handshake.js';
import { connect as tcpConnect, listen as tcpListen } from '../../src/dist/inet_tcp_dist.js';
import { listen, TlsDialler, type TlsListenOptions } from '../../src/dist/inet_tls_dist.js';
import type { TlsOptions, TlsSide } from '../../src/dist/tls_options.js';
import { TlsVerifier, type VerifyFun } from '../../src/dist/tls_verify.js';
import { atom } from '../../src/terms/atom.js';
import type { Term } from '../../src/terms/term.js';
import { firstFrame } from '../support/first_frame.js';
import { type TestCertificate, tlsFile } from '../support/tls_files.js';

const LOOPBACK = '127.0.0.1';
const certificates = (name: TestCertificate) => [{ certfile: tlsFile(name) }];
const cacertfile = tlsFile('ca.pem');
const SERVER: TlsSide = { certificates: certificates('node.pem'), cacertfile };
const CLIENT: TlsSide = { certificates: certificates('node2.pem'), cacertfile };
const MUTUAL: TlsSide = { ...SERVER, verify: 'verify_peer', failIfNoPeerCert: true };

interface Server {
  readonly port: number;
  /** The next connection that was let in. */
  next(): Promise<DistSocket>;
  readonly lines: string[];
}

async function server(t: TestContext, side: TlsSide, more: Partial<TlsListenOptions> = {}): Promise<Server> {
  const lines: string[] = [];
  const listener = await listen({
    host: LOOPBACK,
    tls: { server: side, client: CLIENT },
    log: (_, text) => void lines.push(text),
    ...more,
  });
  const ready: DistSocket[] = [];
  const waiting: ((socket: DistSocket) => void)[] = [];
  listener.accept((socket) => {
    const resolve = waiting.shift();
    if (resolve === undefined) ready.push(socket);
    else resolve(socket);
  });
  const all: DistSocket[] = [];
  t.after(async () => {
    for (const socket of [...ready, ...all]) socket.close();
    listener.close();
  });
  const next = async (): Promise<DistSocket> => {
    const socket = ready.shift() ?? (await new Promise<DistSocket>((resolve) => waiting.push(resolve)));
    all.push(socket);
    return socket;
  };
  return { port: listener.port, next, lines };
}

async function dial(
  t: TestContext,
  port: number,
  side: TlsSide = CLIENT,
  host = LOOPBACK,
): Promise<DistSocket> {
  const options: TlsOptions = { server: SERVER, client: side };
  const socket = await new TlsDialler(options).connect(host, port, { timeoutMs: 3000 });
  t.after(() => socket.close());
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

for (const versions of [['tlsv1.2'], ['tlsv1.3'], ['tlsv1.2', 'tlsv1.3']] as const) {
  test(`a handshake with mutual verification over ${versions.join(' or ')}, and frames behind it`, async (t) => {
    const { port, next } = await server(t, { ...MUTUAL, versions });
    const dialled = await dial(t, port);
    const accepted = await next();
    const { received, seen } = await firstFrame(dialled, accepted, (socket) =>
      (socket as TLSSocket).getProtocol(),
    );
    assert.equal(received, 'first frame');
    assert.equal(seen, versions.includes('tlsv1.3' as never) ? 'TLSv1.3' : 'TLSv1.2');
  });
}

test('handshake messages have four bytes of length', async (t) => {
  const { port, next } = await server(t, SERVER);
  const dialled = await dial(t, port);
  dialled.send(Buffer.from('hello'));
  const accepted = await next();
  assert.equal((await accepted.recv()).toString(), 'hello');
});

test('a server whose certificate is by a strange authority, or for another host, is refused by name', async (t) => {
  const strange = await server(t, { certificates: certificates('stranger.pem') });
  await assert.rejects(dial(t, strange.port), {
    name: 'ConnectionError',
    message: /TLS: the server's certificate is not valid \(\w+\): its authority must be in our cacertfile/,
  });
  const elsewhere = await server(t, { certificates: certificates('elsewhere.pem') });
  await assert.rejects(
    dial(t, elsewhere.port),
    /the server's certificate is for "DNS:elsewhere.example", not for 127.0.0.1/,
  );
  await dial(t, elsewhere.port, { ...CLIENT, serverName: 'elsewhere.example' });
  await dial(t, elsewhere.port, { ...CLIENT, serverName: 'disable' });
  await dial(t, strange.port, { certificates: [], verify: 'verify_none' });
  await dial(t, (await server(t, SERVER)).port, CLIENT, 'localhost');
  await dial(t, (await server(t, { certificates: certificates('dns_only.pem') })).port);
});

test('a client without a certificate, or with a strange one, is refused, and both sides say why', async (t) => {
  const { port, lines } = await server(t, MUTUAL);
  for (const client of [
    { certificates: [], cacertfile },
    { ...CLIENT, certificates: certificates('stranger.pem') },
  ] satisfies TlsSide[]) {
    const dialled = await dial(t, port, client);
    await assert.rejects(dialled.recv(), /it may not accept our certificate/);
  }
  await until(() => lines.length === 2);
  assert.match(
    lines[0] as string,
    /^connection attempt from 127\.0\.0\.1:\d+ rejected: TLS: it presents no certificate, and fail_if_no_peer_cert/,
  );
  assert.match(lines[1] as string, /rejected: TLS: its certificate is not valid \(\w+\)/);
});

test('a certificate that has expired, or does not count yet, is refused on both sides, and the line says since when', async (t) => {
  const dated = tlsFile('dated_ca.pem');
  for (const [file, why] of [
    ['expired.pem', /\(CERT_HAS_EXPIRED\): it expired on Jan +1 00:00:00 2021 GMT, renew it/],
    ['early.pem', /\(CERT_NOT_YET_VALID\): it counts from Jan +1 00:00:00 2110 GMT on; look at the clocks/],
  ] as const) {
    const bad = await server(t, { certificates: certificates(file) });
    await assert.rejects(dial(t, bad.port, { ...CLIENT, cacertfile: dated }), why);
    const { port, lines } = await server(t, { ...MUTUAL, cacertfile: dated });
    const dialled = await dial(t, port, { ...CLIENT, certificates: certificates(file) });
    await assert.rejects(dialled.recv(), { code: 'closed' });
    await until(() => lines.length === 1);
    assert.match(lines[0] as string, why);
  }
});

test('verify_peer alone lets clients in that have no certificate, not those with a bad one', async (t) => {
  const { port, next, lines } = await server(t, { ...SERVER, verify: 'verify_peer' });
  await dial(t, port, { certificates: [], cacertfile });
  await next();
  const dialled = await dial(t, port, { ...CLIENT, certificates: certificates('stranger.pem') });
  await assert.rejects(dialled.recv(), { code: 'closed' });
  assert.equal(lines.length, 1);
});

test('verify_client checks that the certificate is for an allowed host', async (t) => {
  const checking: TlsSide = { ...MUTUAL, verifyClient: true };
  const { port, next, lines } = await server(t, checking, { allowedHosts: () => ['elsewhere.example'] });
  await dial(t, port, { ...CLIENT, certificates: certificates('elsewhere.pem') });
  await next();
  await dial(t, port);
  await next();
  const other = await server(t, checking, { allowedHosts: () => ['localhost'] });
  const refused = await dial(t, other.port, { ...CLIENT, certificates: certificates('elsewhere.pem') });
  await assert.rejects(refused.recv(), { code: 'closed' });
  assert.match(
    other.lines[0] as string,
    /its certificate is for "DNS:elsewhere.example", which is no allowed host/,
  );
  assert.deepEqual(lines, []);
});

test('revoked certificates are refused on both sides, and lists count as soon as they are there', async (t) => {
  const crlFolder = mkdtempSync(join(tmpdir(), 'otpnode-crls-'));
  t.after(() => rmSync(crlFolder, { recursive: true }));
  const revoking = { cacertfile: tlsFile('revoking_ca.pem'), crlCheck: true, crlFolder } as const;
  const of = (name: TestCertificate): TlsSide => ({ ...revoking, certificates: certificates(name) });
  const { port, next, lines } = await server(t, { ...of('valid.pem'), verify: 'verify_peer' });
  await assert.rejects(dial(t, port, of('valid.pem')), /is revoked cannot be told: there is no list/);
  cpSync(tlsFile('crls'), crlFolder, { recursive: true });
  await dial(t, port, of('valid.pem'));
  await next();
  const refused = await dial(t, port, of('revoked.pem'));
  await assert.rejects(refused.recv(), { code: 'closed' });
  const told = /rejected: TLS: the certificate "CN=revoked" \(serial 2002\) was revoked/;
  await until(() => lines.some((line) => told.test(line)));
  const other = await server(t, of('revoked.pem'));
  await assert.rejects(
    dial(t, other.port, of('valid.pem')),
    /TLS: the certificate "CN=revoked" .* was revoked/,
  );
});

test('a function of the user sees each certificate, and may refuse', async (t) => {
  const seen: string[] = [];
  const fun: VerifyFun = (certificate, event, state) => {
    seen.push(`${event} ${certificate.subject} ${state}`);
    return { valid: atom('next') };
  };
  const side = (state: Term): TlsSide => ({
    certificates: certificates('below.pem'),
    cacertfile: tlsFile('revoking_ca.pem'),
    verifyFun: { name: 'mine:check', fun, state },
  });
  const { port } = await server(t, side([]));
  await dial(t, port, side(atom('first')));
  assert.deepEqual(seen, ['valid CN=sub CA first', 'valid_peer CN=below next']);
  const refusing: VerifyFun = (_, event) =>
    event === 'valid_peer' ? { fail: atom('too_old') } : { valid: [] };
  await assert.rejects(
    dial(t, port, { ...side([]), verifyFun: { name: 'mine:check', fun: refusing, state: [] } }),
    /TLS: mine:check refuses it: too_old/,
  );
  const throwing: VerifyFun = () => {
    throw new Error('out of order');
  };
  await assert.rejects(
    dial(t, port, { ...side([]), verifyFun: { name: 'mine:check', fun: throwing, state: [] } }),
    /TLS: mine:check failed: Error: out of order/,
  );
});

test('depth counts the certificates between', async (t) => {
  const side = { certificates: certificates('below.pem'), cacertfile: tlsFile('revoking_ca.pem') };
  const { port } = await server(t, side);
  await dial(t, port, { ...side, depth: 1 });
  await assert.rejects(dial(t, port, { ...side, depth: 0 }), /1 intermediate ones, depth allows 0/);
});

test('a client with a certificate tells for which hosts it is, one without does not', async (t) => {
  const { port, next } = await server(t, { ...SERVER, verify: 'verify_peer' });
  await dial(t, port);
  const { certified } = await next();
  assert.deepEqual(
    ['127.0.0.1', 'localhost', 'elsewhere.example'].map((host) => certified?.isFor(host)),
    [true, true, false],
  );
  assert.equal(certified?.address, '127.0.0.1');
  await dial(t, port, { certificates: [], cacertfile });
  assert.equal((await next()).certified, undefined);
});

test('a client that is gone before it is looked at harms nobody', async () => {
  const gone = {
    getPeerCertificate: () => ({ raw: new X509Certificate(readFileSync(tlsFile('node.pem'))).raw }),
  };
  const verifier = new TlsVerifier({ ...SERVER, verify: 'verify_peer' }, () => []);
  const certified = verifier.certified(gone as TLSSocket);
  assert.deepEqual([certified?.address, certified?.isFor('localhost')], [undefined, true]);
  assert.match(verifier.clientProblem(gone as TLSSocket, []) ?? '', /its certificate is not valid/);
});

test('groups and signature algorithms in common are needed', async (t) => {
  const { port } = await server(t, { ...SERVER, groups: 'P-256', signatureAlgorithms: 'ECDSA+SHA256' });
  await dial(t, port, { ...CLIENT, groups: 'X25519:P-256' });
  await assert.rejects(dial(t, port, { ...CLIENT, groups: 'P-384' }), /cannot connect to .*TLS: /);
  await assert.rejects(dial(t, port, { ...CLIENT, signatureAlgorithms: 'RSA+SHA256' }), /cannot connect/);
  await assert.rejects(server(t, { ...SERVER, groups: 'nonsense' }), {
    name: 'ConfigError',
    message: /of the server side cannot be used/,
  });
});

test('no version in common ends in an error', async (t) => {
  const { port, lines } = await server(t, { ...SERVER, versions: ['tlsv1.3'] });
  await assert.rejects(dial(t, port, { ...CLIENT, versions: ['tlsv1.2'] }), /cannot connect to .*TLS: /);
  await until(() => lines.length === 1);
});

test('a node without TLS and one with it tell each other apart', async (t) => {
  const { port, lines } = await server(t, SERVER);
  const plain = await tcpConnect(LOOPBACK, port);
  plain.send(encodeName({ flags: DEFAULT_DFLAGS, creation: 4, name: 'a@h' }));
  await assert.rejects(plain.recv(), { code: 'closed' });
  await until(() => lines.length === 1);
  assert.match(lines[0] as string, /it does not speak TLS: it must be started with -proto_dist inet_tls/);

  const listener = await tcpListen({ host: LOOPBACK });
  t.after(() => listener.close());
  const refused = new Promise<Error>((resolve) =>
    listener.accept((socket) => {
      socket.recv().catch((error: Error) => resolve(error));
    }),
  );
  await assert.rejects(dial(t, listener.port), { name: 'ConnectionError' });
  assert.match((await refused).message, /it speaks TLS, and this node does not/);
});

test('a client that says nothing is closed after the setup time', async (t) => {
  const { port, lines } = await server(t, SERVER, { setupTimeMs: 30 });
  const raw = netConnect(port, LOOPBACK);
  raw.on('error', () => {});
  await once(raw, 'close');
  await until(() => lines.length === 1);
  assert.match(lines[0] as string, /^connection attempt from 127\.0\.0\.1:\d+ rejected: TLS: .*timeout/i);
});

test('over the limit of handshakes connections are closed, and those that are handed over do not count', async (t) => {
  const { port, next } = await server(t, SERVER, { maxHandshakes: 1 });
  await dial(t, port);
  await assert.rejects(dial(t, port), { name: 'ConnectionError' });
  const { socket } = (await next()).handOver();
  await dial(t, port);
  socket.destroy();
});

test('new certificates count for the next connection; broken ones leave the old in use', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'otpnode-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const certfile = join(folder, 'own.pem');
  const put = (name: TestCertificate | undefined): void => {
    if (name === undefined) writeFileSync(`${certfile}.new`, 'nonsense');
    else copyFileSync(tlsFile(name), `${certfile}.new`);
    renameSync(`${certfile}.new`, certfile);
  };
  put('node.pem');
  const { port, lines } = await server(t, { certificates: [{ certfile }] });
  const subject = async (): Promise<string | readonly string[] | undefined> => {
    const socket = (await dial(t, port)).handOver().socket as TLSSocket;
    t.after(() => socket.destroy());
    return socket.getPeerCertificate().subject.CN;
  };
  assert.equal(await subject(), 'node');
  put('node2.pem');
  assert.equal(await subject(), 'node2');
  put(undefined);
  assert.equal(await subject(), 'node2');
  put('node.pem');
  assert.equal(await subject(), 'node');
  assert.equal(lines.length, 3);
  assert.match(
    lines[1] as string,
    /^TLS: the old certificates stay in use: TLS: the certificates of the server side/,
  );

  // The same for the client, whose certificate is what changes.
  const checking = await server(t, MUTUAL);
  const dialler = new TlsDialler({ server: SERVER, client: { certificates: [{ certfile }], cacertfile } });
  for (const name of ['node', 'node2'] as const) {
    put(`${name}.pem`);
    const dialled = await dialler.connect(LOOPBACK, checking.port);
    t.after(() => dialled.close());
    const socket = (await checking.next()).handOver().socket as TLSSocket;
    t.after(() => socket.destroy());
    assert.equal(socket.getPeerCertificate().subject.CN, name);
  }
});

test('an encrypted key needs its password', async (t) => {
  const certificate = { certfile: tlsFile('node.pem'), keyfile: tlsFile('node_encrypted.key') };
  const { port } = await server(t, { certificates: [{ ...certificate, password: 'sesame' }] });
  await dial(t, port);
  await assert.rejects(server(t, { certificates: [{ ...certificate, password: 'wrong' }] }), {
    name: 'ConfigError',
    message: /^TLS: the certificates of the server side cannot be used \(.*node_encrypted\.key\): /,
  });
});

test('a listener without a certificate, and a verifying one without an authority, do not start', async (t) => {
  await assert.rejects(server(t, { certificates: [] }), /a node that listens with TLS needs a certificate/);
  await assert.rejects(
    server(t, { certificates: certificates('node.pem'), verify: 'verify_peer' }),
    /verifies its clients \(verify_peer\) by no authority: set cacertfile/,
  );
  const missing: TlsSide = { certificates: [{ certfile: '/nowhere.pem' }] };
  await assert.rejects(server(t, missing), /cannot read the certfile \/nowhere.pem/);
});
