// What a thrown JavaScript value is in Erlang: a class (error, exit, throw), a reason, a stack trace.
import { BadArg, ErlangError, Exit, OtpnodeError, Thrown } from '../errors.js';
import { atom } from '../terms/atom.js';
import { binary, charlist } from '../terms/binary.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';

export interface Exception {
  readonly kind: 'error' | 'exit' | 'throw';
  readonly reason: Term;
  /** `[{Module, Function, Arity, [{file, _}, {line, _}]}]`; empty for exits and throws. */
  readonly stacktrace: Term;
}

const MAX_FRAMES = 8;
const NOCATCH = atom('nocatch');
const JAVASCRIPT = atom('javascript');
const FILE = atom('file');
const LINE = atom('line');

/** The Erlang exception that a thrown value stands for. */
export function exceptionOf(error: unknown): Exception {
  if (error instanceof Exit) return { kind: 'exit', reason: error.reason, stacktrace: [] };
  if (error instanceof Thrown) return { kind: 'throw', reason: error.value, stacktrace: [] };
  const stacktrace = error instanceof Error ? framesOf(error) : [];
  if (error instanceof ErlangError) {
    const { stacktrace: own } = error;
    const given = !Array.isArray(own) || own.length > 0;
    return { kind: 'error', reason: error.reason, stacktrace: given ? own : stacktrace };
  }
  if (error instanceof BadArg) return { kind: 'error', reason: atom(error.code), stacktrace };
  if (error instanceof OtpnodeError) {
    return { kind: 'error', reason: tuple(atom(error.code), binary(error.message)), stacktrace };
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: 'error', reason: tuple(JAVASCRIPT, binary(what)), stacktrace };
}

/** The exit reason of a process in which this was thrown. */
export function reasonOf(error: unknown): Term {
  const { kind, reason, stacktrace } = exceptionOf(error);
  if (kind === 'exit') return reason;
  return tuple(kind === 'throw' ? tuple(NOCATCH, reason) : reason, stacktrace);
}

/** The frames of a JavaScript error, without those of Node.js itself; files by the end of their path only. */
function framesOf(error: Error): Term {
  const frames: Term[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const found = /^ {4}at (?:async )?(?:(.+?) \()?(?:file:\/\/)?(.+?):(\d+):\d+\)?$/.exec(line);
    if (found === null || found[2]?.startsWith('node:') === true) continue;
    const name = (found[1] ?? 'anonymous').slice(0, 100);
    const file = (found[2] as string).split('/').slice(-2).join('/');
    const where = [tuple(FILE, charlist(file)), tuple(LINE, Number(found[3]))];
    frames.push(tuple(JAVASCRIPT, atom(name), 0, where));
    if (frames.length === MAX_FRAMES) break;
  }
  return frames;
}
