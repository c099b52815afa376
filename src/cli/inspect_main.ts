// `otpnode inspect [FILE | HEX | BASE64]`: bytes of the external term format or of a connection, as a tree.
import { existsSync, readFileSync } from 'node:fs';
import { inspect } from './inspect_frames.js';

const INSPECT_USAGE = `usage: otpnode inspect [FILE | HEX | BASE64 | -]

Shows bytes of the external term format, or of a connection between nodes, as a tree of tags, offsets and values.
The bytes are a file's, standard input's (-, or no argument), or given as hex, as base64 or as <<131,97,1>>. A file may hold them
as text too. Of damaged bytes it shows what can be read, and where it broke.

Exit code 1 if the bytes are damaged.
`;

export interface InspectOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs `otpnode inspect`; returns the exit code. */
export function inspectMain(
  argv: readonly string[],
  output: InspectOutput,
  standardInput: () => Buffer = () => readFileSync(0),
): number {
  if (argv.some((word) => /^--?(help|h)$/.test(word))) {
    output.out(INSPECT_USAGE);
    return 0;
  }
  const word = argv.length === 0 ? '-' : argv.join('');
  const isPath = argv.length === 1 && argv[0] !== '-' && existsSync(word);
  let bytes: Buffer | undefined;
  try {
    if (isPath) bytes = fromFile(readFileSync(word));
    else bytes = word === '-' ? fromFile(standardInput()) : fromText(word);
  } catch (error) {
    output.err(`otpnode inspect: cannot read ${word}: ${(error as Error).message}\n`);
    return 1;
  }
  if (bytes === undefined) {
    const what = word === '' ? 'an empty word' : word;
    output.err(`otpnode inspect: ${what} is no file, no hex, no base64 and no list of bytes\n`);
    return 1;
  }
  const { text, whole } = inspect(bytes);
  output.out(text);
  return whole ? 0 : 1;
}

/** Binary files begin with a byte that no text has; others hold the bytes as text. */
function fromFile(content: Buffer): Buffer {
  return (
    (/^[\x09-\x0d\x20-\x7e]*$/.test(content.toString('latin1')) && fromText(content.toString('latin1'))) ||
    content
  );
}

/** Hex with or without spaces or colons, bytes as Erlang prints them (`<<131,97,1>>`, `[131,97,1]`), or base64. */
function fromText(text: string): Buffer | undefined {
  const erlang = /^\s*(?:<<|\[|(?=\d+\s*,))([\d,\s]*)(?:>>|\])?\s*\.?\s*$/.exec(text)?.[1];
  if (erlang !== undefined) {
    const numbers = erlang.split(',').map((number) => Number(number));
    return numbers.every((n) => Number.isInteger(n) && n < 256) ? Buffer.from(numbers) : undefined;
  }
  const plain = text.replace(/\s|0x|:/g, '');
  if (plain !== '' && plain.length % 2 === 0 && /^[\da-fA-F]+$/.test(plain)) return Buffer.from(plain, 'hex');
  // A term begins with 131, a frame with 131 or 112, a stream of frames with the high byte of a length.
  const bytes = /^[A-Za-z\d+/_-]+={0,2}$/.test(plain) ? Buffer.from(plain, 'base64') : undefined;
  return bytes !== undefined && [131, 112, 0].includes(bytes[0] ?? -1) ? bytes : undefined;
}
