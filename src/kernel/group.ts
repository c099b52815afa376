// A group leader: what answers the I/O requests of processes, here and on other nodes, as OTP's group.erl.
//
// `{io_request, From, ReplyAs, Request}` is answered by `{io_reply, ReplyAs, Reply}`. There is output and no
// input: whoever reads gets `eof`. What we cannot format as OTP would, the sender's node is asked to.
import { BadArg } from '../errors.js';
import type { Process } from '../erts/process.js';
import { start } from '../stdlib/gen_server.js';
import { type Formatted, format } from '../stdlib/io_lib.js';
import { Atom, atom } from '../terms/atom.js';
import { binary, text } from '../terms/binary.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import * as erpc from './erpc.js';

/** Where the output goes. */
export type Output = (text: string) => void;

const IO_REQUEST = atom('io_request');
const IO_REPLY = atom('io_reply');
const REX_STDOUT = atom('rex_stdout');
const STOP = atom('stop');
const OK = atom('ok');
const ERROR = atom('error');
const EOF = atom('eof');
const LATIN1 = atom('latin1');
const UNICODE = atom('unicode');
const ENOTSUP = atom('enotsup');
const REQUEST = atom('request');
const REQUESTS = atom('requests');
const IO_LIB = atom('io_lib');
/** How long the sender's node may take to format; then our own text goes out. */
const FORMAT_TIMEOUT_MS = 5000;

/** Answers a message if it is an I/O request; false if it is another message. */
export async function handleIo(self: Process, message: Term, output: Output): Promise<boolean> {
  if (!isTagged(message, IO_REQUEST, 4)) return false;
  const [, from, replyAs, request] = message.elements as [Term, Term, Term, Term];
  if (!(from instanceof Pid)) return true;
  const answer = await ioRequest(self, from, request, output);
  self.system.send(self.pid, from, tuple(IO_REPLY, replyAs, answer));
  return true;
}

async function ioRequest(self: Process, from: Pid, request: Term, output: Output): Promise<Term> {
  if (request instanceof Atom) return request.name === 'getopts' ? OPTIONS : BAD_REQUEST;
  const { elements } = request instanceof Tuple ? request : tuple();
  const [what] = elements;
  if (!(what instanceof Atom)) return BAD_REQUEST;
  switch (what.name) {
    case 'put_chars':
      return putChars(self, from, elements.slice(1), output);
    case 'get_chars':
    case 'get_line':
    case 'get_until':
    case 'get_password':
      return elements.length > 1 ? EOF : BAD_REQUEST;
    case 'setopts':
      return elements.length === 2 ? OK : BAD_REQUEST;
    case 'get_geometry':
      return tuple(ERROR, ENOTSUP);
    case 'requests':
      return requests(self, from, elements[1], output);
    default:
      return BAD_REQUEST;
  }
}

const BAD_REQUEST = tuple(ERROR, REQUEST);
const OPTIONS: Term = [tuple(atom('binary'), false), tuple(atom('encoding'), UNICODE)];

/**
 * One after the other, also those of lists in the list, however deep; the answer is that of the last, or the first
 * error.
 */
async function requests(self: Process, from: Pid, list: Term | undefined, output: Output): Promise<Term> {
  let answer: Term = OK;
  const open = [{ list, next: 0 }];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    if (!Array.isArray(last.list)) return BAD_REQUEST;
    const request = (last.list as readonly Term[])[last.next++];
    if (request === undefined) open.pop();
    else if (isTagged(request, REQUESTS, 2)) open.push({ list: request.elements[1], next: 0 });
    else answer = await ioRequest(self, from, request, output);
    if (isTagged(answer, ERROR, 2)) return answer;
  }
  return answer;
}

/** `Encoding, Chars` or `Encoding, M, F, Args`; the old forms without encoding are Latin-1. */
async function putChars(self: Process, from: Pid, given: readonly Term[], output: Output): Promise<Term> {
  const encoded = given.length === 2 || given.length === 4;
  const encoding = encoded ? given[0] : LATIN1;
  const args = encoded ? given.slice(1) : given;
  if (args.length === 1) return write(encoding as Term, args[0] as Term, output);
  if (args.length !== 3) return BAD_REQUEST;
  const [module, fun, list] = args as [Term, Term, Term];
  const formatted = formatHere(module, fun, list);
  if (formatted?.exact !== true) {
    const remote = await formatThere(self, from, module, fun, list);
    if (remote !== undefined) return write(encoding as Term, remote, output);
  }
  if (formatted === undefined) return tuple(ERROR, fun);
  output(formatted.text);
  return OK;
}

function write(encoding: Term, chars: Term, output: Output): Term {
  try {
    const latin1 = encoding === LATIN1 && chars instanceof Uint8Array;
    output(latin1 ? Buffer.from(chars).toString('latin1') : text(chars));
    return OK;
  } catch (error) {
    if (!(error instanceof BadArg)) throw error;
    return tuple(ERROR, tuple(atom('put_chars'), encoding, chars));
  }
}

/** What `io_lib:Fun(Args)` gives, if we know how; undefined if we do not, or the arguments do not fit. */
function formatHere(module: Term, fun: Term, args: Term): Formatted | undefined {
  if (module !== IO_LIB || !(fun instanceof Atom) || !Array.isArray(args)) return undefined;
  const [first, second] = args as readonly Term[];
  try {
    if (fun.name === 'nl') return { text: '\n', exact: true };
    if (fun.name === 'write' && first !== undefined) return format('~w', [first]);
    if (fun.name === 'print' && first !== undefined) return format('~p', [first]);
    if ((fun.name !== 'format' && fun.name !== 'fwrite') || !Array.isArray(second)) return undefined;
    return format(first instanceof Atom ? first.name : text(first as Term), second as readonly Term[]);
  } catch (error) {
    if (!(error instanceof BadArg)) throw error;
    return undefined;
  }
}

async function formatThere(
  self: Process,
  from: Pid,
  module: Term,
  fun: Term,
  args: Term,
): Promise<Term | undefined> {
  if (
    from.node === self.node ||
    !(module instanceof Atom) ||
    !(fun instanceof Atom) ||
    !Array.isArray(args)
  ) {
    return undefined;
  }
  try {
    return await erpc.call(self, from.node, module, fun, args as readonly Term[], FORMAT_TIMEOUT_MS);
  } catch {
    return undefined;
  }
}

// --- leaders ----------------------------------------------------------------------------------------------------

/** Starts a group leader that writes to `output`; it answers system messages too. */
export function startLeader(
  parent: Process,
  output: Output,
  options: { readonly name?: Atom; readonly module?: Atom } = {},
): ReturnType<typeof start> {
  return start<null>(
    parent,
    {
      module: options.module ?? atom('group'),
      init: () => ({ state: null }),
      handleCall: (_request, _from, state) => ({ state }),
      handleCast: (_message, state) => ({ state }),
      handleInfo: async (message, state, self) => {
        await handleIo(self, message, output);
        return { state };
      },
    },
    [],
    options.name === undefined ? {} : { name: options.name },
  );
}

/**
 * A group leader that sends what is written to a C node's process as `{rex_stdout, Text}`, until it is told
 * `{stop, Pid, LastMessage}`: so the result of a call comes after all of its output.
 */
export function stdoutLeader(parent: Process, caller: Pid): Pid {
  return parent.spawnLink(async (self) => {
    const output = (chars: string): void =>
      self.system.send(self.pid, caller, tuple(REX_STDOUT, binary(chars)));
    for (;;) {
      const message = (await self.next()) as Term;
      if (await handleIo(self, message, output)) continue;
      if (!isTagged(message, STOP, 3)) continue;
      self.system.send(self.pid, caller, message.elements[2] as Term);
      return;
    }
  });
}
