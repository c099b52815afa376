// The public API of otpnode, written by hand: what is not listed here may change without notice.

// --- a node

export {
  readTlsOptions,
  type TlsCertificate,
  type TlsOptions,
  type TlsSide,
  type TlsSources,
  type TlsVersion,
} from './dist/tls_options.js';
export type { VerifyFun } from './dist/tls_verify.js';
export type { NodeEvents } from './kernel/node_events.js';
export { type Node, startNode } from './node.js';
export type { NodeOptions } from './node_options.js';

// --- errors

export {
  type AnyError,
  BadArg,
  CallError,
  ConfigError,
  ConnectionError,
  DecodeError,
  EncodeError,
  EpmdError,
  ErlangError,
  Exit,
  HandshakeError,
  OtpnodeError,
  Thrown,
} from './errors.js';

// --- terms: one Erlang term, one JavaScript value

export { abs, add, div, divide, multiply, negate, rem, subtract } from './terms/arith.js';
export { Atom, atom, atomName, atomOrBoolean } from './terms/atom.js';
export { BitString, binary, charlist, text } from './terms/binary.js';
export { type FromOptions, from, type JsValue, type ToJsOptions, toJs } from './terms/convert.js';
export { type FormatOptions, format } from './terms/format.js';
export { ExportFun, OpaqueFun } from './terms/fun.js';
export { cons, ImproperList } from './terms/list.js';
export { map, TermMap } from './terms/map.js';
export { Float, float, integer } from './terms/number.js';
export { compare, equals, exactCompare, keyOf } from './terms/order.js';
export { Pid } from './terms/pid.js';
export { Port } from './terms/port.js';
export type { Reader } from './terms/read.js';
export * as read from './terms/read.js';
export { LocalTerm, NativeRecord } from './terms/record.js';
export { Reference } from './terms/reference.js';
export type { Term } from './terms/term.js';
export { isTagged, Tuple, tuple } from './terms/tuple.js';

// --- terms as bytes (the external term format) and as Erlang text

export { type DecodeLimits, type DecodeOptions, decode, decodeUsed } from './etf/decode.js';
export { type EncodeOptions, encode } from './etf/encode.js';
export { parseTerm, parseTerms } from './syntax/erl_parse.js';
export { pattern, term } from './syntax/template.js';

// --- processes

export type { Log, LogLevel } from './erts/log.js';
export type { Process, ProcessMain, SpawnOptions } from './erts/process.js';
export {
  abandon,
  call,
  cast,
  checkResponse,
  type From,
  type MultiCallResult,
  multiCall,
  parseCall,
  parseCast,
  type RequestId,
  type Response,
  receiveResponse,
  reply,
  type ServerRef,
  sendRequest,
} from './stdlib/gen.js';

// --- behaviours

export * as genEvent from './stdlib/gen_event.js';
export type { GenServer, Init, Step } from './stdlib/gen_server.js';
export * as genServer from './stdlib/gen_server.js';
export * as io from './stdlib/io.js';
export type { CallOptions, Limits } from './stdlib/limits.js';
export type { StartResult } from './stdlib/proc_lib.js';
export * as procLib from './stdlib/proc_lib.js';
export type { AutoShutdown, ChildSpec, Strategy, SupervisorFlags } from './stdlib/supervisor.js';
export * as supervisor from './stdlib/supervisor.js';
export * as sys from './stdlib/sys.js';

// --- the network: joining, names and locks, TLS, remote calls

export type { Client } from './kernel/client.js';
export type { CodeServer, RemoteFunction } from './kernel/code.js';
export * as erpc from './kernel/erpc.js';
export {
  type Global,
  globalOf,
  NOTIFY_ALL_NAME,
  RANDOM_EXIT_NAME,
  RANDOM_NOTIFY_NAME,
  type ResolveFunction,
} from './kernel/global.js';
export type { GlobalGroup } from './kernel/global_group.js';
export type { Joining, JoinOptions } from './kernel/join.js';
export type { NetAdm } from './kernel/net_adm.js';
export type { NodeInfo } from './kernel/net_kernel_info.js';
export type { Pg } from './kernel/pg.js';
export type { GroupListener, PgScope } from './kernel/pg_scope.js';
export * as rpc from './kernel/rpc.js';
export {
  AgentProtocol,
  type Message,
  message,
  type Protocol,
  type Request,
  request,
  type TypedClient,
  typedClient,
} from './kernel/typed_client.js';
export { aliasing, connecting, type Held, membership, monitoring } from './kernel/using.js';

// --- applications

export type { Application, ApplicationStart, AppSpec, RestartType } from './kernel/application.js';
export type { ApplicationInfo, Applications } from './kernel/applications.js';

// --- configuration

export { applicationEnvironment, type Config, type ConfigOptions, loadConfig } from './kernel/config.js';
export type { KernelParameters } from './kernel/kernel_parameters.js';
