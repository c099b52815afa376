// How Erlang writes atoms and strings so that they can be read back (`io_lib:write_atom/1`, `io_lib:write_string/1`).

/** The reserved words: an atom of that name is written in quotes. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    'after begin case try cond catch andalso orelse end fun if let of receive when bnot not div rem ' +
    'band and bor bxor bsl bsr or xor'
  ).split(' '),
);

/** Reserved since OTP 27, which writes them in quotes; older releases read them either way. */
const RESERVED_LATER: ReadonlySet<string> = new Set(['else', 'maybe']);

const PLAIN_ATOM = /^[a-zß-öø-ÿ][A-Za-z0-9_@À-ÖØ-öø-ÿ]*$/;

/** An atom's name as source text: quoted where it has to be. Not `unicode`: beyond Latin-1 as `\x{…}`. */
export function quoteAtom(name: string, unicode = true): string {
  const plain = PLAIN_ATOM.test(name) && !RESERVED_WORDS.has(name) && !RESERVED_LATER.has(name);
  return plain ? name : quoteString(name, "'", unicode);
}

/** Text as an Erlang string literal, or in other quotes. */
export function quoteString(text: string, quote = '"', unicode = true): string {
  let out = quote;
  for (const c of text) out += c === quote ? `\\${c}` : (ESCAPES[c] ?? character(c, unicode));
  return out + quote;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\b': '\\b',
  '\f': '\\f',
  '\x1b': '\\e',
  '\x7f': '\\d',
  '\\': '\\\\',
};

function character(c: string, unicode: boolean): string {
  const code = c.codePointAt(0) as number;
  if (code < 32 || (code >= 0x80 && code < 0xa0)) return `\\${code.toString(8).padStart(3, '0')}`;
  return code > 255 && !unicode ? `\\x{${code.toString(16).toUpperCase()}}` : c;
}
