// Our codec and a real erl exchange random terms both ways, and must agree on every one: values by =:=, bytes where
// the release writes the same forms as we do (OTP 26 and later), the order of all terms, texts, and what is refused.
//
// On its own: node build/interop/codec_differential.js PATH_OF_ERL…
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { Writer } from '../src/bytes/writer.js';
import { DecodeError } from '../src/errors.js';
import { decode } from '../src/etf/decode.js';
import { type EncodeOptions, encode, encodeInto } from '../src/etf/encode.js';
import { atom } from '../src/terms/atom.js';
import { charlist, text } from '../src/terms/binary.js';
import { format } from '../src/terms/format.js';
import { OpaqueFun } from '../src/terms/fun.js';
import { partsOf } from '../src/terms/key.js';
import { TermMap } from '../src/terms/map.js';
import { compare, equals, exactCompare, keyOf } from '../src/terms/order.js';
import { LocalTerm } from '../src/terms/record.js';
import type { Term } from '../src/terms/term.js';
import { Tuple, tuple } from '../src/terms/tuple.js';
import { arbitraryTerm } from '../test/support/arbitrary_term.js';
import type { Cluster } from './cluster.js';
import { EtfPeer } from './etf/peer.js';
import { check, type Suite, same } from './suite.js';

const BAD = atom('bad');
const COUNT = 3000;

interface Erl {
  readonly peer: EtfPeer;
  readonly otp: number;
}

/** Our encoding as this release can read it. */
function encodeFor({ otp }: Erl, term: Term): Buffer {
  const writer = new Writer();
  writer.u8(131);
  encodeInto(writer, term, { v4nc: otp >= 24 });
  return writer.take();
}

function sameBytes(ours: Uint8Array, theirs: Uint8Array, what: string): void {
  if (Buffer.compare(ours, theirs) === 0 || hasMapInKey(decode(theirs), false)) return;
  const [a, b] = [ours, theirs].map((bytes) => Buffer.from(bytes).toString('hex'));
  throw new Error(`${what}: we write ${a}, erl ${b}, for ${format(decode(theirs), 300)}`);
}

/** Maps that are keys, or in keys, erl orders by its numbers of atoms, even in its deterministic form. */
function hasMapInKey(term: Term, inKey: boolean): boolean {
  if (term instanceof TermMap) {
    return (
      inKey ||
      term.keys().some((k) => hasMapInKey(k, true)) ||
      term.values().some((v) => hasMapInKey(v, inKey))
    );
  }
  return partsOf(term as Exclude<Term, TermMap>).some((part) => hasMapInKey(part, inKey));
}

function randomTerms({ otp }: Erl, count: number): Term[] {
  const kinds = { narrow: otp < 24, records: otp >= 29, negativeZero: otp >= 27, funs: false };
  return fc.sample(arbitraryTerm(kinds), count);
}

/** What erl writes with the options of random/2 in etf_peer.erl, and what these are here. */
const OPTIONS: readonly (readonly [string, EncodeOptions])[] = [
  ['{minor_version, 0}', { minorVersion: 0 }],
  ['{minor_version, 1}', { minorVersion: 1 }],
  ['{minor_version, 2}', { minorVersion: 2 }],
  ['compressed', { compressed: true }],
  ['deterministic', { deterministic: true }],
];

/** Terms of erl come here and go back. */
async function theirs(erl: Erl): Promise<void> {
  const seed = Math.trunc(Math.random() * 1e9);
  const answers = (await erl.peer.call('random', seed, COUNT)) as Uint8Array[][];
  const back = answers.map(([plain]) => encodeFor(erl, decode(plain as Uint8Array)));
  const wrong = (await erl.peer.call('check', back)) as number[];
  check(wrong.length === 0, `seed ${seed}: not the same after the way here and back: ${wrong}`);
  for (const [plain, ...others] of answers) {
    const term = decode(plain as Uint8Array);
    if (erl.otp >= 26) sameBytes(encode(term), plain as Uint8Array, `seed ${seed}`);
    for (const [i, [name, options]] of OPTIONS.entries()) {
      const other = others[i] as Uint8Array;
      if (other.length === 0) continue;
      check(equals(decode(other), term), `seed ${seed}, ${name}: ${format(decode(other), 300)}`);
      if (erl.otp >= 26 && name !== 'compressed') {
        sameBytes(encode(term, options), other, `seed ${seed}, ${name}`);
      }
    }
  }
}

/** Our terms go to erl in several encodings and come back. */
async function ours(erl: Erl): Promise<void> {
  const terms = randomTerms(erl, COUNT);
  const encodings = terms.map((term) => [
    encodeFor(erl, term),
    ...(erl.otp < 24
      ? []
      : [
          encode(term, { minorVersion: 1 }),
          encode(term, { compressed: true }),
          encode(term, { deterministic: true }),
        ]),
  ]);
  const options = erl.otp >= 26 ? [atom('deterministic')] : [];
  const answers = (await erl.peer.call('echo', encodings, options)) as Tuple[];
  answers.forEach((answer, i) => {
    const [agree, bytes] = answer.elements as readonly [Term, Uint8Array];
    const term = terms[i] as Term;
    check(agree === true, `erl takes our encodings for different terms: ${format(term, 300)}`);
    check(equals(decode(bytes), term), `${format(term, 300)} came back as ${format(decode(bytes), 300)}`);
    if (erl.otp >= 26) sameBytes(encode(term, { deterministic: true }), bytes, 'deterministic');
  });
}

/** The funs among erl's random terms can be called after the way here and back. */
async function funs(erl: Erl): Promise<void> {
  const answers = (await erl.peer.call('random', 1, COUNT)) as Uint8Array[][];
  const found = answers.map(([plain]) => decode(plain as Uint8Array)).filter((t) => t instanceof OpaqueFun);
  check(found.length > 50, `only ${found.length} funs among the terms`);
  const results = (await erl.peer.call(
    'call_funs',
    found.map((fun) => encodeFor(erl, fun)),
  )) as Term[];
  results.forEach((result, i) => {
    const { free } = found[i] as OpaqueFun;
    const expected =
      free.length === 0
        ? 1
        : free.length === 1
          ? tuple(1, free[0] as Term)
          : tuple(free[0] as Term, 1, free[1] as Term);
    const swapped = free.length === 2 ? tuple(free[1] as Term, 1, free[0] as Term) : expected;
    check(
      equals(result, expected) || equals(result, swapped),
      `a fun gave ${format(result, 200)}, its variables are ${format(free, 200)}`,
    );
  });
}

/** Thousands of terms in the order of lists:sort/1. */
async function order(erl: Erl): Promise<void> {
  const terms = [...randomTerms(erl, 4000), ...numbers()];
  const sorted = (await erl.peer.call(
    'sort',
    terms.map((term) => encodeFor(erl, term)),
  )) as number[];
  const mine = terms.map((_, i) => i).sort((a, b) => compare(terms[a] as Term, terms[b] as Term) || a - b);
  for (const [i, theirs] of sorted.entries()) {
    const [a, b] = [terms[theirs] as Term, terms[mine[i] as number] as Term];
    if (theirs === mine[i]) continue;
    throw new Error(`place ${i}: erl has ${format(a, 300)}, we have ${format(b, 300)}`);
  }
}

/** Integers and floats at the places where their comparison is hard. */
function numbers(): Term[] {
  return fc
    .sample(
      fc.tuple(
        fc.constantFrom(52, 53, 54, 60, 64, 70, 1023),
        fc.constantFrom(-3, -2, -1, 0, 1, 2, 3),
        fc.boolean(),
      ),
      1000,
    )
    .map(([power, near, isFloat]) => {
      const exact = (1n << BigInt(power)) + BigInt(near);
      return isFloat ? decode(encodedFloat(Number(exact))) : decode(encode(exact));
    });
}

function encodedFloat(value: number): Buffer {
  const bytes = Buffer.from([131, 70, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeDoubleBE(value, 2);
  return bytes;
}

/** Maps with many kinds of keys, written deterministically. */
async function mapKeys(erl: Erl): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const terms = randomTerms(erl, 100).filter((term) => !hasMapInKey(term, true));
    const keys = new Map(terms.map((term) => [keyOf(term), term]));
    const bytes = (await erl.peer.call(
      'keys',
      [...keys.values()].map((key) => encodeFor(erl, key)),
    )) as Uint8Array;
    const map = new TermMap([...keys.values()].map((key) => [key, []] as const));
    sameBytes(encode(map, { deterministic: true }), bytes, 'a map of many keys');
    const sorted = [...map.keys()].sort(exactCompare);
    check(equals(sorted, [...(decode(bytes) as TermMap).keys()]), 'the order of keys');
  }
}

/** Terms as text. */
async function texts(erl: Erl): Promise<void> {
  const terms = fc
    .sample(arbitraryTerm({ records: erl.otp >= 29, funs: false, identifiers: false }), 2000)
    .filter((term) => !isOwnWay(format(term)));
  const encoded = terms.map((term) => encode(term, { deterministic: true }));
  for (const style of ['p', 'tp', 'w', 'tw'] as const) {
    const shown = (await erl.peer.call(
      'show',
      encoded,
      charlist(style.endsWith('p') ? `~0${style}` : `~${style}`),
    )) as Uint8Array[];
    terms.forEach((_, i) => {
      const ours = format(decode(encoded[i] as Buffer), { style, range: 'latin1' });
      same(ours, text(shown[i] as Uint8Array), `~${style}`);
    });
  }
}

/**
 * Maps print in an order that only the node knows. Names in external funs print by rules of their own where they
 * need quotes, and OTP 29 has its own about bytes that are no UTF-8.
 */
function isOwnWay(shown: string): boolean {
  return shown.includes('#{') || /fun .*('|[^\0-\x7f])/s.test(shown) || /<<".*[^\0-\x7f]/s.test(shown);
}

/**
 * Damaged bytes: refused by both, or read by both as the same. Without the bytes 73 and 75: as tags, which are
 * internal to the BEAM, it reads them from anywhere as numbers of atoms.
 */
async function damage(erl: Erl): Promise<void> {
  const valid = arbitraryTerm({ records: erl.otp >= 29, funs: false }).map((term) => encode(term));
  const damaged = fc
    .sample(fc.tuple(valid, fc.nat(), fc.nat(255), fc.boolean()), COUNT * 3)
    .map(([bytes, place, byte, cut]) => {
      const at = 1 + (place % (bytes.length - 1));
      if (cut) return bytes.subarray(0, at);
      bytes[at] = byte;
      return bytes;
    })
    .filter((bytes) => !bytes.includes(73) && !bytes.includes(75));
  const answers = (await erl.peer.call('read', damaged)) as Term[];
  for (const [i, answer] of answers.entries()) compareDamage(damaged[i] as Buffer, answer);
}

function compareDamage(bytes: Buffer, answer: Term): void {
  let term: Term | undefined;
  try {
    term = decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    check(
      answer === BAD,
      `${bytes.toString('hex')}: we refuse it (${error.message}), erl reads ${format(answer, 300)}`,
    );
    return;
  }
  if (term instanceof LocalTerm) return;
  const shown = format(term, 300);
  check(answer instanceof Tuple, `${bytes.toString('hex')}: we read ${shown}, erl refuses it`);
  check(equals(decode(answer.elements[0] as Uint8Array), term), `${bytes.toString('hex')}: read differently`);
}

/** What is compared, and since which release that can be. */
const PARTS: readonly (readonly [string, (erl: Erl) => Promise<void>, number])[] = [
  ["erl's random terms come here and go back", theirs, 23],
  ['our random terms go to erl and come back', ours, 23],
  ['funs of erl are carried unharmed', funs, 23],
  ['terms are sorted as by lists:sort/1', order, 23],
  ['maps are written as by term_to_binary(_, [deterministic])', mapKeys, 27],
  ['terms are printed as by io_lib:format', texts, 27],
  ['damaged bytes are refused by both or read alike', damage, 29],
];

async function compareAll(path: string, report: (line: string) => void): Promise<void> {
  const peer = new EtfPeer(path);
  try {
    const erl = { peer, otp: (await peer.call('release')) as number };
    for (const [name, part, since] of PARTS) {
      if (erl.otp < since) continue;
      const started = Date.now();
      await part(erl).catch((error: Error) => {
        throw new Error(`${name}: ${error.message}`);
      });
      report(`otp ${erl.otp}: ${name} (${Date.now() - started} ms)`);
    }
  } finally {
    await peer.close();
  }
}

export function run(suite: Suite): void {
  const body = (cluster: Cluster): Promise<void> => compareAll(join(cluster.release.bin, 'erl'), () => {});
  suite.test('the codec and erl agree on thousands of random terms', body, { epmd: 'none' });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const path of process.argv.slice(2)) await compareAll(path, console.log);
}
