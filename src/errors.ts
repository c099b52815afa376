// The errors of otpnode: one class per kind of failure, each with a literal `code` per cause.
// Codes are stable; texts are for people and may change. A text says what was done, what was expected,
// what came, and the cure where there is one.
import type { Term } from './terms/term.js';

/** What every error of this library is: an `Error` with a stable `code`. */
export abstract class OtpnodeError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** A caller gave a non-term or a bad argument. Only that call fails. */
export class BadArg extends OtpnodeError {
  readonly code: 'badarg' | 'badarith' | 'not_a_term' | 'system_limit' | 'noproc';
  constructor(message: string, code: BadArg['code'] = 'badarg') {
    super(message);
    this.code = code;
  }
}

/** Bytes are not what the specification says. `offset` counts from the first byte of the input. */
export class DecodeError extends OtpnodeError {
  readonly code: 'truncated' | 'bad_tag' | 'bad_value' | 'too_large' | 'trailing_bytes' | 'unsafe';
  readonly offset: number;
  readonly tag: number | undefined;
  constructor(code: DecodeError['code'], message: string, offset: number, tag?: number) {
    super(message);
    this.code = code;
    this.offset = offset;
    this.tag = tag;
  }
}

/** A term cannot be written in the external term format (or not for this peer). */
export class EncodeError extends OtpnodeError {
  readonly code: 'not_a_term' | 'too_large' | 'unsupported_by_peer';
  constructor(code: EncodeError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The peer refused or broke the handshake. The attempt fails, nothing else. */
export class HandshakeError extends OtpnodeError {
  readonly code:
    | 'not_allowed'
    | 'nok'
    | 'alive'
    | 'bad_cookie'
    | 'bad_status'
    | 'bad_message'
    | 'missing_flags'
    | 'timeout'
    | 'closed';
  readonly node: string;
  constructor(code: HandshakeError['code'], node: string, message: string) {
    super(message);
    this.code = code;
    this.node = node;
  }
}

/** EPMD could not be reached, refused, or does not know the name. */
export class EpmdError extends OtpnodeError {
  readonly code: 'unreachable' | 'timeout' | 'duplicate_name' | 'unknown_name' | 'bad_answer' | 'closed';
  readonly address: string;
  constructor(code: EpmdError['code'], address: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.address = address;
  }
}

/** A connection to a node could not be made, was lost, or is over its limits. */
export class ConnectionError extends OtpnodeError {
  readonly code:
    | 'unreachable'
    | 'timeout'
    | 'closed'
    | 'busy_dist_port'
    | 'bad_option'
    | 'bad_name'
    | 'noconnection';
  readonly address: string;
  constructor(code: ConnectionError['code'], address: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.address = address;
  }
}

/**
 * A configuration file or flag is wrong. `line` and `column` count from 1. `text` is what OTP says, `hint` what helps
 * beyond it; the message is both. The start fails.
 */
export class ConfigError extends OtpnodeError {
  readonly code:
    | 'not_found'
    | 'syntax'
    | 'no_dot'
    | 'not_one_list'
    | 'bad_encoding'
    | 'invalid_config'
    | 'bad_option'
    | 'bad_environment_value';
  readonly text: string;
  readonly hint: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly key: string | undefined;
  constructor(
    code: ConfigError['code'],
    text: string,
    where: { file?: string; line?: number; column?: number; key?: string; hint?: string } = {},
  ) {
    super(where.hint === undefined ? text : `${text}; ${where.hint}`);
    this.code = code;
    this.text = text;
    this.hint = where.hint;
    this.file = where.file;
    this.line = where.line;
    this.column = where.column;
    this.key = where.key;
  }
}

/** Erlang's `exit(Reason)`: ends the process with that reason. Thrown to a caller, it is the exit of its call. */
export class Exit extends OtpnodeError {
  readonly code = 'exit';
  readonly reason: Term;
  constructor(reason: Term, message = 'the process exits') {
    super(message);
    this.reason = reason;
  }
}

/** Erlang's `error(Reason)`: ends the process with `{Reason, Stacktrace}`. */
export class ErlangError extends OtpnodeError {
  readonly code = 'error';
  readonly reason: Term;
  readonly stacktrace: Term;
  constructor(reason: Term, stacktrace: Term = [], message = 'an Erlang error') {
    super(message);
    this.reason = reason;
    this.stacktrace = stacktrace;
  }
}

/** Erlang's `throw(Value)`. */
export class Thrown extends OtpnodeError {
  readonly code = 'throw';
  readonly value: Term;
  constructor(value: Term, message = 'a thrown Erlang value') {
    super(message);
    this.value = value;
  }
}

/** A call from plain code got no answer. `reason` is what a process would have exited with. */
export class CallError extends OtpnodeError {
  /**
   * `exit`: the server ended before it answered; `noproc`: nobody has the name; `aborted`: by the caller's signal;
   * `bad_reply`: a typed client does not know what to make of the reply, which is in `reason`.
   */
  readonly code: 'timeout' | 'noproc' | 'nodedown' | 'exit' | 'notsup' | 'aborted' | 'bad_reply';
  readonly reason: Term;
  /** The node that was asked. */
  readonly node: string;
  /** The server or function that was asked, as Erlang writes it. */
  readonly server: string;
  /** From the call to its failure. */
  readonly elapsedMs: number;
  /** Whether the request was handed to the server or its connection: if not, nothing can have been done. */
  readonly sent: boolean;
  constructor(
    code: CallError['code'],
    message: string,
    facts: Pick<CallError, 'reason' | 'node' | 'server' | 'elapsedMs' | 'sent'>,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.code = code;
    this.reason = facts.reason;
    this.node = facts.node;
    this.server = facts.server;
    this.elapsedMs = facts.elapsedMs;
    this.sent = facts.sent;
  }
}

/** Every error that this library makes: `switch (error.code)` narrows. */
export type AnyError =
  | BadArg
  | DecodeError
  | EncodeError
  | HandshakeError
  | EpmdError
  | ConnectionError
  | ConfigError
  | CallError
  | Exit
  | ErlangError
  | Thrown;
