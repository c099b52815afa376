import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_DFLAGS,
  DFLAG_ALIAS,
  DFLAG_HANDSHAKE_23,
  DFLAG_MANDATORY_25_DIGEST,
  DFLAG_NAME_ME,
  DFLAG_PUBLISHED,
  DFLAG_UNLINK_ID,
  DFLAG_V4_NC,
  flagNames,
  HIDDEN_DFLAGS,
  MANDATORY_DFLAGS,
  missingFlags,
} from '../../src/dist/dflags.js';
import {
  type Handshake,
  handshakeOtherStarted,
  handshakeWeStarted,
  type OtherStartedPolicy,
  type Verdict,
  type WeStartedOptions,
} from '../../src/dist/dist_util.js';
import * as message from '../../src/dist/handshake.js';
import type { HandshakeError } from '../../src/errors.js';
import { atom } from '../../src/terms/atom.js';
import { MemoryIo, memoryPair } from '../support/handshake_pair.js';

const A = atom('a@h');
const B = atom('b@h');

const dial = (more: Partial<WeStartedOptions> = {}): WeStartedOptions => ({
  node: B,
  ourName: 'a@h',
  flags: DEFAULT_DFLAGS,
  creation: 7,
  cookie: () => 'secret',
  ...more,
});
const answering = (more: Partial<OtherStartedPolicy> = {}): OtherStartedPolicy => ({
  ourName: 'b@h',
  flags: DEFAULT_DFLAGS,
  creation: 9,
  cookie: () => 'secret',
  accept: () => 'ok',
  ...more,
});

/** Runs both ends; an end that fails closes the connection, as `net_kernel` does. */
async function both(
  a: WeStartedOptions,
  b: OtherStartedPolicy,
): Promise<{ a: Handshake | HandshakeError; b: Handshake | HandshakeError; aIo: MemoryIo; bIo: MemoryIo }> {
  const [aIo, bIo] = memoryPair();
  const [ra, rb] = await Promise.all([
    handshakeWeStarted(aIo, a).catch((error: HandshakeError) => {
      bIo.close();
      return error;
    }),
    handshakeOtherStarted(bIo, b).catch((error: HandshakeError) => {
      aIo.close();
      return error;
    }),
  ]);
  return { a: ra, b: rb, aIo, bIo };
}

const ok = (result: Handshake | HandshakeError): Handshake => {
  if (result instanceof Error) throw result;
  return result;
};
const failure = (result: Handshake | HandshakeError): HandshakeError => {
  assert.ok(result instanceof Error, 'the handshake succeeded');
  return result;
};

test('our flags are those of OTP 29, bit 26 and the bits that it stands for together', () => {
  assert.equal(DEFAULT_DFLAGS, 0x6d07df7fbdn);
  assert.equal(HIDDEN_DFLAGS, 0x6d07df7fbcn);
  assert.deepEqual(flagNames(MANDATORY_DFLAGS | (1n << 50n)).slice(-2), ['HANDSHAKE_23', 'bit 50']);
  assert.deepEqual(missingFlags(0x101df7fbdn), [], 'OTP 23 has all that we require');
  assert.deepEqual(missingFlags(0x407074f9cn), [], 'so has a C node of OTP 25');
});

test('two nodes with one cookie agree on flags, creations and names', async () => {
  const result = await both(dial({ flags: DEFAULT_DFLAGS & ~DFLAG_ALIAS }), answering());
  const a = ok(result.a);
  const b = ok(result.b);
  assert.equal(a.node, B);
  assert.equal(b.node, A);
  assert.equal(a.creation, 9);
  assert.equal(b.creation, 7);
  assert.equal(a.flags, DEFAULT_DFLAGS & ~DFLAG_ALIAS);
  assert.equal(b.flags, a.flags);
  assert.equal(a.peerFlags, DEFAULT_DFLAGS);
  assert.ok(a.visible && b.visible);
  assert.equal(a.ourName, undefined);
});

test('a connection is hidden when either side is', async () => {
  const one = await both(dial({ flags: HIDDEN_DFLAGS }), answering());
  const other = await both(dial(), answering({ flags: HIDDEN_DFLAGS }));
  for (const result of [one.a, one.b, other.a, other.b]) assert.equal(ok(result).visible, false);
});

test('ok_simultaneous goes on like ok', async () => {
  const result = await both(dial(), answering({ accept: () => 'ok_simultaneous' }));
  assert.equal(ok(result.a).node, B);
  assert.equal(ok(result.b).node, A);
});

const refusals: readonly [Verdict, HandshakeError['code'], HandshakeError['code']][] = [
  ['nok', 'nok', 'nok'],
  ['not_allowed', 'not_allowed', 'not_allowed'],
  ['close', 'closed', 'alive'],
];
for (const [verdict, codeOfA, codeOfB] of refusals) {
  test(`${verdict} ends the attempt on both sides`, async () => {
    const result = await both(dial(), answering({ accept: () => verdict }));
    assert.equal(failure(result.a).code, codeOfA);
    assert.equal(failure(result.b).code, codeOfB);
    assert.equal(failure(result.b).node, 'a@h');
    assert.match(failure(result.b).message, /^connection attempt from node a@h rejected: /);
  });
}

test('alive is answered true by whoever really connects, and the handshake goes on', async () => {
  const result = await both(dial(), answering({ accept: () => 'alive' }));
  assert.equal(ok(result.a).node, B);
  assert.equal(ok(result.b).node, A);
  assert.equal(result.aIo.sent[1]?.toString(), 'strue');
});

test('alive is answered false by whoever does not connect any more', async () => {
  const result = await both(dial({ isPending: () => false }), answering({ accept: () => 'alive' }));
  assert.equal(failure(result.a).code, 'alive');
  assert.equal(failure(result.b).code, 'alive');
  assert.equal(result.aIo.sent[1]?.toString(), 'sfalse');
});

test('different cookies are noticed by the node that was dialled, and told to both', async () => {
  const result = await both(dial({ cookie: () => 'other' }), answering());
  assert.equal(failure(result.b).code, 'bad_cookie');
  assert.match(
    failure(result.b).message,
    /rejected: invalid challenge reply: start both nodes with the same/,
  );
  assert.equal(failure(result.a).code, 'bad_cookie');
  assert.match(
    failure(result.a).message,
    /^connection attempt to node b@h failed: .* most likely the cookies differ/,
  );
  assert.equal(result.bIo.sent.length, 2, 'no ack was sent');
});

test('the cookie is asked for by node name on both sides', async () => {
  const asked: string[] = [];
  const cookie = (node: { name: string }): string => {
    asked.push(node.name);
    return 'pair';
  };
  await both(dial({ cookie }), answering({ cookie }));
  assert.deepEqual(asked.sort(), ['a@h', 'b@h']);
});

test('a peer that bears our own name is not allowed', async () => {
  const result = await both(dial({ ourName: 'b@h' }), answering());
  assert.equal(failure(result.a).code, 'not_allowed');
  assert.match(failure(result.b).message, /it bears our own name/);
});

test('a peer that lacks mandatory flags gets not_allowed, and our line names them', async () => {
  const result = await both(
    dial({ flags: DEFAULT_DFLAGS & ~(1n << 17n) & ~DFLAG_MANDATORY_25_DIGEST }),
    answering(),
  );
  assert.equal(failure(result.b).code, 'missing_flags');
  assert.match(failure(result.b).message, /it cannot handle MAP_TAG/);
  assert.equal(failure(result.a).code, 'not_allowed');
});

test('required flags beyond the mandatory ones are checked in both roles', async () => {
  const old = DEFAULT_DFLAGS & ~DFLAG_V4_NC & ~DFLAG_UNLINK_ID;
  const asServer = await both(dial({ flags: old }), answering({ requireFlags: DFLAG_V4_NC }));
  assert.match(failure(asServer.b).message, /cannot handle V4_NC/);
  const asClient = await both(dial({ requireFlags: DFLAG_UNLINK_ID }), answering({ flags: old }));
  assert.equal(failure(asClient.a).code, 'missing_flags');
  assert.match(
    failure(asClient.a).message,
    /^connection attempt to node b@h failed: it cannot handle UNLINK_ID/,
  );
});

test('bit 26 alone stands for all flags of OTP 25', async () => {
  const result = await both(dial({ flags: DFLAG_MANDATORY_25_DIGEST }), answering());
  assert.equal(ok(result.b).flags, MANDATORY_DFLAGS | DFLAG_MANDATORY_25_DIGEST);
});

test('a client without a name gets one, and the connection is hidden on both sides', async () => {
  const result = await both(
    dial({ ourName: 'h', nameMe: true }),
    answering({ nameClient: (host) => ({ node: atom(`XYZ@${host}`), creation: 5 }) }),
  );
  const a = ok(result.a);
  const b = ok(result.b);
  assert.deepEqual([a.ourName?.node.name, a.ourName?.creation], ['XYZ@h', 5]);
  assert.equal(b.node.name, 'XYZ@h');
  assert.equal(b.creation, 5);
  assert.ok(b.namedByUs);
  assert.ok(!a.visible && !b.visible);
  const name = message.decodeName(result.aIo.sent[0] as Buffer);
  assert.equal(name.name, 'h');
  assert.equal(name.creation, 0);
  assert.equal(name.flags, (DEFAULT_DFLAGS | DFLAG_NAME_ME) & ~DFLAG_PUBLISHED);
  const challenge = message.decodeChallenge(result.bIo.sent[1] as Buffer);
  assert.equal(challenge.flags, (DEFAULT_DFLAGS | DFLAG_NAME_ME) & ~DFLAG_PUBLISHED);
});

test('a client without a name is refused where none is given', async () => {
  const result = await both(dial({ ourName: 'h', nameMe: true }), answering());
  assert.equal(failure(result.a).code, 'not_allowed');
  assert.match(failure(result.b).message, /\(nameless\) on h rejected: it asks for a name/);
});

test('a name is taken only from whom we asked, and only on our host', async () => {
  const named = (name: string): Buffer => message.encodeStatus({ status: 'named', name, creation: 4 });
  const unasked = new MemoryIo('x:1');
  unasked.push(named('q@h'));
  await assert.rejects(handshakeWeStarted(unasked, dial()), /it gave us a name, though we have one/);
  const otherHost = new MemoryIo('x:1');
  otherHost.push(named('q@g'));
  await assert.rejects(
    handshakeWeStarted(otherHost, dial({ ourName: 'h', nameMe: true })),
    /named us "q@g", which is not a name on h/,
  );
  const plain = new MemoryIo('x:1');
  plain.push(message.encodeStatus({ status: 'ok' }));
  await assert.rejects(
    handshakeWeStarted(plain, dial({ ourName: 'h', nameMe: true })),
    /answered ok instead of giving us a name/,
  );
});

test('an old name message is answered with a new challenge, and its complement is waited for', async () => {
  const io = new MemoryIo('x:1');
  const flags = DEFAULT_DFLAGS & ~DFLAG_MANDATORY_25_DIGEST;
  const done = handshakeOtherStarted(io, answering());
  io.push(message.encodeOldName(flags, 'a@h'));
  io.push(message.encodeComplement(flags, 77));
  while (io.sent.length < 2) await new Promise(setImmediate);
  const challenge = message.decodeChallenge(io.sent[1] as Buffer);
  io.push(message.encodeReply(1, message.digest('secret', challenge.challenge)));
  const result = await done;
  assert.equal(result.flags, flags);
  assert.equal(result.creation, 77);
  assert.equal(result.node, A);
});

test('an old name message without HANDSHAKE_23 is refused: its sender is older than OTP 23', async () => {
  const io = new MemoryIo('x:1');
  io.push(message.encodeOldName(DEFAULT_DFLAGS & ~DFLAG_HANDSHAKE_23 & ~DFLAG_MANDATORY_25_DIGEST, 'a@h'));
  await assert.rejects(handshakeOtherStarted(io, answering()), /cannot handle HANDSHAKE_23/);
  assert.equal(io.sent[0]?.toString(), 'snot_allowed');
});

test('bytes behind the name are ignored in name, challenge and named messages', () => {
  const more = Buffer.from('more');
  const name = message.encodeName({ flags: 3n, creation: 4, name: 'a@h' });
  assert.equal(message.decodeName(Buffer.concat([name, more])).name, 'a@h');
  const challenge = message.encodeChallenge({ flags: 3n, challenge: 1, creation: 4, name: 'a@h' });
  assert.equal(message.decodeChallenge(Buffer.concat([challenge, more])).name, 'a@h');
  const named = message.encodeStatus({ status: 'named', name: 'x@h', creation: 4 });
  assert.deepEqual(message.decodeStatus(Buffer.concat([named, more])), {
    status: 'named',
    name: 'x@h',
    creation: 4,
  });
});

for (const name of ['noat', 'a@b@c', '@x', 'x@', '', 'ü@h', 'a@h\n', `${'x'.repeat(300)}@h`]) {
  test(`the name ${JSON.stringify(name.slice(0, 20))} is refused`, async () => {
    const io = new MemoryIo('x:1');
    io.push(message.encodeName({ flags: DEFAULT_DFLAGS, creation: 4, name }));
    await assert.rejects(handshakeOtherStarted(io, answering()), { code: 'bad_message' });
    assert.equal(io.sent.length, 0);
  });
}

test('each message cut short is refused as such', async () => {
  const whole = message.encodeName({ flags: DEFAULT_DFLAGS, creation: 4, name: 'a@h' });
  for (let end = 0; end < whole.length; end++) {
    const io = new MemoryIo('x:1');
    io.push(whole.subarray(0, end));
    await assert.rejects(handshakeOtherStarted(io, answering()), { code: 'bad_message' });
  }
});

test('a peer that calls itself otherwise than we dialled is refused', async () => {
  const io = new MemoryIo('x:1');
  io.push(message.encodeStatus({ status: 'ok' }));
  io.push(message.encodeChallenge({ flags: DEFAULT_DFLAGS, challenge: 1, creation: 4, name: 'c@h' }));
  await assert.rejects(handshakeWeStarted(io, dial()), /the node there is called "c@h"/);
});

test('a wrong ack is refused: the peer does not know the cookie', async () => {
  const io = new MemoryIo('x:1');
  io.push(message.encodeStatus({ status: 'ok' }));
  io.push(message.encodeChallenge({ flags: DEFAULT_DFLAGS, challenge: 1, creation: 4, name: 'b@h' }));
  io.push(message.encodeAck(Buffer.alloc(16)));
  await assert.rejects(handshakeWeStarted(io, dial()), { code: 'bad_cookie' });
});

for (const status of ['true', 'false', 'fine', '', 'OK', 'ok\0', 'named:']) {
  test(`the status ${JSON.stringify(status)} is refused`, async () => {
    const io = new MemoryIo('x:1');
    io.push(Buffer.from(`s${status}`));
    await assert.rejects(handshakeWeStarted(io, dial()), { name: 'HandshakeError' });
  });
}

test('an old challenge says that the peer is too old', async () => {
  const io = new MemoryIo('x:1');
  io.push(message.encodeStatus({ status: 'ok' }));
  io.push(Buffer.from('6e0005000000000000000062406800', 'hex'));
  await assert.rejects(handshakeWeStarted(io, dial()), /OTP 22 or older/);
});

test('a silent peer is given up after the setup time of a step, in both roles', async () => {
  await assert.rejects(handshakeWeStarted(new MemoryIo('x:1'), dial({ setupTimeMs: 5 })), {
    code: 'timeout',
  });
  const io = new MemoryIo('x:1');
  io.push(message.encodeName({ flags: DEFAULT_DFLAGS, creation: 4, name: 'a@h' }));
  await assert.rejects(
    handshakeOtherStarted(io, answering({ setupTimeMs: 5 })),
    /5 ms passed while we waited/,
  );
});

test('random bytes instead of any message never do more than fail the attempt', async () => {
  for (let i = 0; i < 300; i++) {
    const noise = Buffer.from(Array.from({ length: i % 40 }, () => Math.floor(Math.random() * 256)));
    const a = new MemoryIo('x:1');
    const b = new MemoryIo('x:1');
    for (const io of [a, b]) {
      io.push(noise);
      io.close();
    }
    await assert.rejects(handshakeWeStarted(a, dial()), { name: 'HandshakeError' });
    await assert.rejects(handshakeOtherStarted(b, answering()), { name: 'HandshakeError' });
  }
});
