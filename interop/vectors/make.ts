// Makes test/etf/vectors.json with a real erl: node build/interop/vectors/make.js PATH_OF_ERL
//
// `terms`: Erlang expressions, the bytes of their values, and their text. `accepted`: bytes that only decoders meet,
// and the bytes of what erl reads. `refused`: bytes that erl refuses. `sorted`: terms in the order of lists:sort/1.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { decode } from '../../src/etf/decode.js';
import { encode } from '../../src/etf/encode.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { binary, charlist, text } from '../../src/terms/binary.js';
import type { Term } from '../../src/terms/term.js';
import type { Tuple } from '../../src/terms/tuple.js';
import { arbitraryTerm } from '../../test/support/arbitrary_term.js';
import { EtfPeer } from '../etf/peer.js';
import { ROOT } from '../releases.js';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const powers = [8, 15, 16, 31, 32, 53, 63, 64, 2032, 2040, 2048].flatMap((bits) =>
  ['- 1', '', '+ 1'].flatMap((near) => [`(1 bsl ${bits}) ${near}`, `-(1 bsl ${bits}) ${near}`]),
);

const EXPRESSIONS: readonly string[] = [
  ...['0', '255', '256', '-1', ...powers],
  ...['0.0', '-0.0', '1.0', '0.1', '-1.0e-5', '1.0e22', '5.0e-324', '1.7976931348623157e308', '123456.789'],
  ...[
    "''",
    'ok',
    'true',
    "'ünï'",
    "'\\x{3a9}'",
    'list_to_atom(lists:duplicate(255, $a))',
    "'Elixir.Distro'",
    "'it\\'s'",
  ],
  ...['233', '16#3a9', '16#20ac', '16#1f600'].map((c) => `list_to_atom(lists:duplicate(255, ${c}))`),
  ...['[]', '""', '"abc"', '[1, 256]', '[a | b]', '[1, 2 | 3]', '[[], [[]]]'],
  ...['[<<"a">> | <<"b">>]', '[$a, 16#3a9]'],
  ...['{}', '{a}', '{a, {b, [c]}}', 'list_to_tuple(lists:seq(1, 255))', 'list_to_tuple(lists:seq(1, 256))'],
  ...['<<>>', '<<"hi">>', '<<0, 255>>', '<<1:1>>', '<<5:3>>', '<<255, 1:7>>', 'binary:copy(<<0>>, 300)'],
  ...['#{}', '#{a => 1}', '#{1 => i, 1.0 => f}', '#{{a, 1} => <<"x">>, [k] => #{b => []}}'],
  ...[
    'maps:from_list([{I, I} || I <- lists:seq(1, 32)])',
    'maps:from_list([{{I}, I} || I <- lists:seq(1, 33)])',
  ],
  ...['fun lists:map/2', "fun 'A b':'C'/0", 'fun m:f/255'],
  ...['{bad_return, {distro_app, {error, [{reason, "x"}]}}}'],
];

/** What a decoder must read: in the order of the tags. */
const ACCEPTED: readonly string[] = [
  '4d00000001 08 07', // a bitstring of whole bytes
  '4d00000001 03 bf', // unused bits set
  '58 770361406200000001 00000002 00000003',
  '59 7703614062 00000005 00000003',
  '5a 0000 7703614062 00000003',
  '5a 0001 7703614062 00000003 00000001',
  '5a 0005 7703614062 00000003 0000000100000002000000030000000400000005',
  `63 ${Buffer.from('1.50000000000000000000e+00').toString('hex')}0000000000`,
  '64 0002 c3bc', // Latin-1
  '64 0000',
  '65 7703614062 00000001 01',
  '66 7703614062 00000001 01',
  '67 7703614062 00000001 00000002 03',
  '69 00000001 6101',
  '6b 0000',
  '6c 00000000 6105', // just the tail
  '6c 00000001 6105 6c 00000001 6106 6a',
  '6c 00000001 6105 6b 0002 0102',
  '6e 00 01', // a zero with a sign
  '6e 04 00 01000000', // padded
  '6e 08 01 0100000000000000',
  '6f 00000002 01 0100',
  '72 0001 64000361406201 00000001',
  '72 0003 7703614062 01 00000001 00000002 00000003',
  '73 03 61fc62',
  '74 00000000',
  '76 0003 c3bc61',
  '78 7703614062 0000000100000002 00000003',
  '43 00000002 01 77016d 770172 770161 770162 6101 6102',
  '43 00000000 00 77016d 770172',
];

const REFUSED: readonly string[] = [
  '',
  '00',
  '50 00000005 789c',
  '52 00',
  '75 00000000',
  '83 6101',
  '46 7ff0000000000000',
  '46 7ff8000000000000',
  '4d 00000001 00 01',
  '4d 00000001 09 01',
  '4d 00000000 01',
  '5a 0006 7703614062 00000003 000000010000000200000003000000040000000500000006',
  '58 6a 00000001 00000002 00000003',
  '63 6e616e 00000000000000000000000000000000000000000000000000000000',
  '67 7703614062 00000001 00000002 04',
  '69 ffffffff 6101',
  '6c ffffffff 6101',
  '6d ffffffff 01',
  '6f ffffffff 00 01',
  '74 00000001 6101',
  '74 00000002 6101 6101 6101 6102',
  '74 7fffffff 6101',
  '77 02 c3',
  '77 01 ff',
  '77 03 eda080',
  `76 0100 ${'61'.repeat(256)}`,
  '43 00000001 02 77016d 770172 770161 6101',
  '43 00000002 01 77016d 770172 770161 770161 6101 6102',
];

const bytesOf = (hex: string): Buffer => Buffer.from(`83${hex.replaceAll(' ', '')}`, 'hex');

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('give the path of an erl');
const peer = new EtfPeer(path);
try {
  const values = (await peer.call(
    'evaluate',
    EXPRESSIONS.map((source) => binary(`${source}.`)),
  )) as Tuple[];
  const encoded = values.map((value) => value.elements[1] as Uint8Array);
  const shown = (await peer.call('show', encoded, charlist('~tw'))) as Uint8Array[];
  const terms = EXPRESSIONS.map((source, i) => {
    const bytes = encoded[i] as Uint8Array;
    const written = text(shown[i] as Uint8Array);
    // The order of maps is the node's own, and names in external funs print as the bytes of their UTF-8.
    return {
      source,
      hex: hexOf(bytes),
      ...(bytes.length > 300 || /#\{.+=>|fun '/.test(written) ? {} : { text: written }),
    };
  });
  const read = async (list: readonly string[]): Promise<{ hex: string; read: string | null }[]> => {
    const answers = (await peer.call('read', list.map(bytesOf))) as (Atom | Tuple)[];
    return list.map((hex, i) => {
      const answer = answers[i] as Atom | Tuple;
      const read = answer === atom('bad') ? null : hexOf((answer as Tuple).elements[0] as Uint8Array);
      return { hex: hexOf(bytesOf(hex)), read };
    });
  };
  const sample = fc.sample(arbitraryTerm({ records: false, funs: false }), { numRuns: 300, seed: 1 });
  const order = (await peer.call(
    'sort',
    sample.map((term) => encode(term)),
  )) as number[];
  const vectors = {
    otp: (await peer.call('release')) as number,
    terms,
    accepted: await read(ACCEPTED),
    refused: await read(REFUSED),
    sorted: order.map((i) => hexOf(encode(sample[i] as Term))),
  };
  for (const { hex, read } of vectors.accepted) if (read === null) throw new Error(`erl refuses ${hex}`);
  for (const { hex, read } of vectors.refused) {
    if (read !== null) throw new Error(`erl reads ${hex} as ${decode(Buffer.from(read, 'hex'))}`);
  }
  writeFileSync(join(ROOT, 'test', 'etf', 'vectors.json'), `${JSON.stringify(vectors, null, 1)}\n`);
} finally {
  await peer.close();
}
