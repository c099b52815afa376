// How the bytes of an Erlang source file become text (`epp:read_encoding/1`).

const CODING = /coding *[:=] *([A-Za-z0-9-]+)/;

/**
 * The text of a file: UTF-8, or what a comment `%% coding: latin-1` in its first two lines says. Undefined if
 * the bytes are not in that encoding.
 */
export function sourceText(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1').split('\n').slice(0, 2);
  const named = head
    .map((line) => (line.includes('%') ? CODING.exec(line.slice(line.indexOf('%')))?.[1] : undefined))
    .find((name) => name);
  if (named !== undefined && /^latin-1(?:-|$)/i.test(named)) return Buffer.from(bytes).toString('latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
