import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readTlsOptions, type TlsOptions } from '../../src/dist/tls_options.js';
import type { VerifyFun } from '../../src/dist/tls_verify.js';
import { atom } from '../../src/terms/atom.js';

function optfile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'otpnode-optfile-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ssl_dist.conf');
  writeFileSync(file, text);
  return file;
}

const read = (t: TestContext, text: string): TlsOptions => readTlsOptions({ optfile: optfile(t, text) });

test('the file of the ssl distribution guide, with comments, strings in pieces and binaries', (t) => {
  const options = read(
    t,
    `%% both sides verify
     [{server,
       [{certfile, "/etc/" "node.pem"},
        {cacertfile, <<"/etc/ca.pem">>},
        {secure_renegotiate, true},   % always so
        {verify, verify_peer}, {fail_if_no_peer_cert, true},
        {verify_fun, {fun inet_tls_dist:verify_client/3, []}},
        {versions, ['tlsv1.3', 'tlsv1.2']},
        {ciphers, ["TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"]},
        {depth, 2}, {dhfile, "/etc/dh.pem"}, {ktls, true}]},
      {client,
       [{certfile, "/etc/node.pem"}, {keyfile, "/etc/key.pem"}, {password, "secret"},
        {certfile, "/only/the/first/counts.pem"},
        {server_name_indication, disable}, {crl_check, false},
        {certs_keys, [#{certfile => "/a.pem", keyfile => "/a.key"}]}]}].`,
  );
  assert.deepEqual(options.server, {
    certificates: [{ certfile: '/etc/node.pem' }],
    cacertfile: '/etc/ca.pem',
    verify: 'verify_peer',
    failIfNoPeerCert: true,
    verifyClient: true,
    versions: ['tlsv1.3', 'tlsv1.2'],
    ciphers: 'TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384',
    depth: 2,
    dhfile: '/etc/dh.pem',
  });
  assert.deepEqual(options.client, {
    certificates: [
      { certfile: '/etc/node.pem', keyfile: '/etc/key.pem', password: 'secret' },
      { certfile: '/a.pem', keyfile: '/a.key' },
    ],
    serverName: 'disable',
  });
});

test('certificates and keys in DER become PEM', (t) => {
  const { server } = read(
    t,
    "[{server, [{cert, <<1,2,3>>}, {key, {'RSAPrivateKey', <<4>>}}, {cacerts, [<<5>>, <<6>>]}]}].",
  );
  assert.deepEqual(server.certificates, [
    {
      cert: '-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n',
      key: '-----BEGIN RSA PRIVATE KEY-----\nBA==\n-----END RSA PRIVATE KEY-----\n',
    },
  ]);
  assert.equal(server.cacerts?.match(/BEGIN CERTIFICATE/g)?.length, 2);
});

test('the words of the command line, which come before the file', (t) => {
  const file = optfile(t, '[{server, [{certfile, "file.pem"}, {depth, 3}]}].');
  const opts =
    'server_certfile a.pem client_verify verify_none server_fail_if_no_peer_cert true ' +
    'server_secure_renegotiate true client_password x server_verify_fun {inet_tls_dist,verify_client,[]} ' +
    'client_depth 1 server_ciphers TLS_AES_128_GCM_SHA256 server_versions tlsv1.3';
  assert.deepEqual(readTlsOptions({ optfile: file, opts: opts.split(' ') }), {
    server: {
      certificates: [{ certfile: 'a.pem' }],
      failIfNoPeerCert: true,
      verifyClient: true,
      ciphers: 'TLS_AES_128_GCM_SHA256',
      versions: ['tlsv1.3'],
      depth: 3,
    },
    client: { certificates: [], verify: 'verify_none', depth: 1 },
  });
});

test('revocation lists, functions of the program, groups and algorithms', (t) => {
  const fun: VerifyFun = (_certificate, _event, state) => ({ valid: state });
  const file = optfile(
    t,
    `[{server,
       [{crl_check, peer}, {crl_cache, {ssl_crl_hash_dir, {internal, [{dir, "/etc/crls"}]}}},
        {verify_fun, {fun mine:check/3, [1]}}, {client_renegotiation, false}, {protocol, tls},
        {supported_groups, [x25519, secp256r1]}, {signature_algs, [ecdsa_secp256r1_sha256, {sha256, rsa}]}]},
      {client, [{crl_check, best_effort}, {crl_cache, {ssl_crl_cache, {internal, []}}}]}].`,
  );
  const { server, client } = readTlsOptions({ optfile: file, verifyFuns: { 'mine:check': fun } });
  assert.deepEqual(server, {
    certificates: [],
    crlCheck: 'peer',
    crlFolder: '/etc/crls',
    verifyFun: { name: 'mine:check', fun, state: [1] },
    clientRenegotiation: false,
    groups: 'X25519:P-256',
    signatureAlgorithms: 'ecdsa_secp256r1_sha256:RSA+SHA256',
  });
  assert.deepEqual(client, { certificates: [], crlCheck: 'best_effort' });
  const words = [
    'client_crl_check',
    'true',
    'client_crl_cache',
    '{ssl_crl_hash_dir,{internal,[{dir,"/c"}]}}',
  ];
  assert.deepEqual(readTlsOptions({ opts: words }).client, {
    certificates: [],
    crlCheck: true,
    crlFolder: '/c',
  });
  const own = ['server_verify_fun', '{mine,check,first}'];
  assert.deepEqual(readTlsOptions({ opts: own, verifyFuns: { 'mine:check': fun } }).server.verifyFun, {
    name: 'mine:check',
    fun,
    state: atom('first'),
  });
});

test('nothing given means nothing set', () => {
  const empty = { certificates: [] };
  assert.deepEqual(readTlsOptions({}), { server: empty, client: empty });
});

const badFiles: readonly [string, RegExp][] = [
  ['[{server, [{certfil, "x"}]}].', /the TLS option certfil cannot be used: it is not known here$/],
  ['[{server, [{constructor, "x"}]}].', /the TLS option constructor cannot be used: it is not known/],
  [
    '[{server, [{certfile, 5}]}].',
    /the TLS option certfile cannot be used: its value is not of the right kind/,
  ],
  ['[{server, [{verify, maybe}]}].', /the TLS option verify cannot/],
  ['[{server, [{depth, -1}]}].', /the TLS option depth cannot/],
  ["[{server, [{versions, ['tlsv1.1']}]}].", /the TLS option versions cannot be used: known are 'tlsv1.2'/],
  ['[{server, [{versions, []}]}].', /the TLS option versions cannot/],
  ['[{server, [{ciphers, [#{cipher => aes}]}]}].', /ciphers cannot be used: it takes OpenSSL names/],
  [
    '[{server, [{crl_check, true}]}].',
    /crl_check needs the folder of the lists: \{crl_cache, \{ssl_crl_hash_dir/,
  ],
  [
    '[{server, [{crl_check, sometimes}]}].',
    /crl_check cannot be used: it takes true, false, peer or best_effort/,
  ],
  [
    '[{server, [{crl_cache, {ssl_crl_cache, {internal, [{http, 5000}]}}}]}].',
    /crl_cache cannot be used: lists are read from a folder, not fetched/,
  ],
  ['[{client, [{verify_fun, {fun mine:check/3, []}}]}].', /verify_fun cannot be used: .*\(verifyFuns\)/],
  ['[{client, [{verify_fun, {toString, call, []}}]}].', /verify_fun cannot be used/],
  ['[{client, [{verify_fun, {fun mine:check/2, []}}]}].', /verify_fun cannot be used/],
  ['[{server, [{stapling, staple}]}].', /stapling cannot be used: this node cannot check it/],
  ['[{server, [{sni_fun, x}]}].', /sni_fun cannot be used: it takes a function or a module of Erlang/],
  [
    '[{server, [{early_data, enabled}]}].',
    /early_data cannot be used: connections of the distribution do not/,
  ],
  ['[{server, [{protocol, dtls}]}].', /protocol cannot be used: the distribution runs over tls only/],
  ['[{server, [{supported_groups, x25519}]}].', /supported_groups cannot be used/],
  ['[{both, []}].', /both is neither server nor client/],
  ['[{server, [certfile]}].', /an option \{Key, Value\} of server was expected/],
  ['[{server, certfile}].', /server must be a list/],
  ['{server, []}.', /the file must be a list/],
  ['[]. [].', /must hold one list/],
  ['', /must hold one list/],
  [
    '[{server, [{certfile, filename:join("a", "b")}]}].',
    /ssl_dist\.conf:1:\d+: .*only literal terms can be read here/,
  ],
  [
    '[{server, [{certfile, os:getenv("CERT")}]}].',
    /only literal terms can be read here, no calls and no variables/,
  ],
  ['[{server,\n [{certfile, File}]}].', /ssl_dist\.conf:2:14: .*File is a variable/],
  ['[{server, []}]', /only literal terms/],
];
for (const [text, message] of badFiles) {
  test(`the file ${JSON.stringify(text)} is refused`, (t) => {
    assert.throws(() => read(t, text), { name: 'ConfigError', message });
  });
}

test('a file that is not there is named', () => {
  assert.throws(() => readTlsOptions({ optfile: '/nowhere/x.conf' }), {
    code: 'not_found',
    message: /cannot read the ssl_dist_optfile \/nowhere\/x\.conf/,
  });
});

const badWords: readonly [string, RegExp][] = [
  ['certfile x', /the option certfile of -ssl_dist_opt must begin with server_ or client_/],
  ['server_certfile', /the option server_certfile of -ssl_dist_opt has no value/],
  ['server_cert x', /-ssl_dist_opt does not take server_cert$/],
  ['client_depth x', /the TLS option depth cannot be used/],
  ['client_toString x', /-ssl_dist_opt does not take client_toString$/],
];
for (const [words, message] of badWords) {
  test(`the words ${words} are refused`, () => {
    assert.throws(() => readTlsOptions({ opts: words.split(' ') }), { code: 'bad_option', message });
  });
}
