// Where in a text something is, for error messages.
import { ConfigError } from '../errors.js';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Line and column (both from 1, columns in characters) of an offset in a text. */
export function position(text: string, offset: number): Position {
  let line = 1;
  let start = 0;
  for (let nl = text.indexOf('\n'); nl >= 0 && nl < offset; nl = text.indexOf('\n', start)) {
    line++;
    start = nl + 1;
  }
  return { line, column: [...text.slice(start, offset)].length + 1 };
}

/** The error of a text at an offset. */
export function syntaxError(text: string, offset: number, message: string): ConfigError {
  return new ConfigError('syntax', message, position(text, offset));
}
