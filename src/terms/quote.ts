// How Erlang writes atoms and strings so that they can be read back (`io_lib:write_atom/1`, `io_lib:write_string/1`).

/** The reserved words: an atom of that name is written in quotes. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    'after begin case try cond catch andalso orelse end fun if let of receive when bnot not div rem ' +
    'band and bor bxor bsl bsr or xor'
  ).split(' '),
);

const PLAIN_ATOM = /^[a-zß-öø-ÿ][A-Za-z0-9_@À-ÖØ-öø-ÿ]*$/;

/** An atom's name as source text: quoted where it has to be. */
export function quoteAtom(name: string): string {
  return PLAIN_ATOM.test(name) && !RESERVED_WORDS.has(name) ? name : `'${escaped(name, "'")}'`;
}

/** Text as an Erlang string literal, or in other quotes. */
export function quoteString(text: string, quote = '"'): string {
  return `${quote}${escaped(text, quote)}${quote}`;
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

function escaped(text: string, quote: string): string {
  let out = '';
  for (const c of text) {
    const code = c.codePointAt(0) as number;
    if (c === quote) out += `\\${c}`;
    else if (ESCAPES[c] !== undefined) out += ESCAPES[c];
    else if (code < 32) out += `\\${code.toString(8).padStart(3, '0')}`;
    else if (code >= 0x80 && code < 0xa0) out += `\\${code.toString(8)}`;
    else out += c;
  }
  return out;
}
