// Output of a process to its group leader, and input from it, here or on another node: the asking side of the I/O protocol.
import { Exit } from '../errors.js';
import type { Process } from '../erts/process.js';
import { atom } from '../terms/atom.js';
import { binary, charlist, text } from '../terms/binary.js';
import { Pid } from '../terms/pid.js';
import { Reference } from '../terms/reference.js';
import type { Term } from '../terms/term.js';
import { isTagged, tuple } from '../terms/tuple.js';

const USER = atom('user');
const IO_REQUEST = atom('io_request');
const IO_REPLY = atom('io_reply');
const DOWN = atom('DOWN');
const PUT_CHARS = atom('put_chars');
const UNICODE = atom('unicode');
const ERROR = atom('error');
const EOF = atom('eof');
const TERMINATED = atom('terminated');

/** Writes text; resolves when the group leader has taken it. Throws `Exit` when it cannot. */
export async function putChars(self: Process, chars: string): Promise<void> {
  await output(self, tuple(PUT_CHARS, UNICODE, binary(chars)));
}

/** `io:format`: the group leader formats, as on BEAM. */
export async function format(self: Process, fmt: string, args: readonly Term[]): Promise<void> {
  const formatting = [charlist(fmt), args];
  await output(self, tuple(PUT_CHARS, UNICODE, atom('io_lib'), atom('format'), formatting));
}

/**
 * The next line from the group leader (`io:get_line`), with its newline; undefined at the end of the input. Throws `Exit` when
 * it cannot be read.
 */
export function getLine(self: Process, prompt = ''): Promise<string | undefined> {
  return input(self, tuple(atom('get_line'), UNICODE, binary(prompt)));
}

/** The next `count` characters (`io:get_chars`), fewer at the end of the input, undefined behind it. */
export function getChars(self: Process, count: number, prompt = ''): Promise<string | undefined> {
  return input(self, tuple(atom('get_chars'), UNICODE, binary(prompt), count));
}

async function input(self: Process, what: Term): Promise<string | undefined> {
  const answer = await request(self, what);
  if (answer === EOF) return undefined;
  if (isTagged(answer, ERROR, 2)) throw new Exit(answer.elements[1] as Term, 'nothing can be read');
  return text(answer);
}

async function output(self: Process, what: Term): Promise<void> {
  const answer = await request(self, what);
  if (isTagged(answer, ERROR, 2))
    throw new Exit(answer.elements[1] as Term, 'the group leader refused output');
}

/** Sends one I/O request to the group leader; resolves to its answer, `{error, terminated}` if it is gone. */
export async function request(self: Process, what: Term): Promise<Term> {
  const leader = self.groupLeader ?? self.system.whereis(USER)?.pid;
  if (leader === undefined) return tuple(ERROR, TERMINATED);
  const ref = self.monitor(leader);
  await self.sendAndDrain(leader, tuple(IO_REQUEST, self.pid, ref, what));
  const answer = await self.receive((message) => {
    if (isTagged(message, IO_REPLY, 3))
      return isSame(message.elements[1], ref) ? message.elements[2] : undefined;
    if (!isTagged(message, DOWN, 5)) return undefined;
    return isSame(message.elements[1], ref) ? tuple(ERROR, TERMINATED) : undefined;
  });
  self.demonitor(ref, { flush: true });
  return answer as Term;
}

function isSame(term: Term | undefined, ref: Reference): boolean {
  return term instanceof Reference && term.key === ref.key;
}

/** The group leader of a process: its own, else this node's `user`. */
export function groupLeaderOf(process: Process): Pid {
  const leader = process.groupLeader ?? process.system.whereis(USER)?.pid;
  return leader instanceof Pid ? leader : process.pid;
}
