// Capability flags of the distribution protocol (`DFLAG_*`, dist.h; erl_dist_protocol "Distribution flags").
//
// Both sides send theirs in the handshake; a connection uses the intersection. They are 64 bits wide, so bigints.

export const DFLAG_PUBLISHED: bigint = 1n << 0n;
export const DFLAG_EXTENDED_REFERENCES: bigint = 1n << 2n;
export const DFLAG_DIST_MONITOR: bigint = 1n << 3n;
export const DFLAG_FUN_TAGS: bigint = 1n << 4n;
export const DFLAG_DIST_MONITOR_NAME: bigint = 1n << 5n;
export const DFLAG_NEW_FUN_TAGS: bigint = 1n << 7n;
export const DFLAG_EXTENDED_PIDS_PORTS: bigint = 1n << 8n;
export const DFLAG_EXPORT_PTR_TAG: bigint = 1n << 9n;
export const DFLAG_BIT_BINARIES: bigint = 1n << 10n;
export const DFLAG_NEW_FLOATS: bigint = 1n << 11n;
export const DFLAG_UNICODE_IO: bigint = 1n << 12n;
export const DFLAG_DIST_HDR_ATOM_CACHE: bigint = 1n << 13n;
export const DFLAG_SMALL_ATOM_TAGS: bigint = 1n << 14n;
export const DFLAG_UTF8_ATOMS: bigint = 1n << 16n;
export const DFLAG_MAP_TAG: bigint = 1n << 17n;
export const DFLAG_BIG_CREATION: bigint = 1n << 18n;
export const DFLAG_SEND_SENDER: bigint = 1n << 19n;
export const DFLAG_BIG_SEQTRACE_LABELS: bigint = 1n << 20n;
export const DFLAG_EXIT_PAYLOAD: bigint = 1n << 22n;
export const DFLAG_FRAGMENTS: bigint = 1n << 23n;
export const DFLAG_HANDSHAKE_23: bigint = 1n << 24n;
export const DFLAG_UNLINK_ID: bigint = 1n << 25n;
/** Stands for all of `MANDATORY_DFLAGS_25`. Bit 26, as dist.h and running nodes have it; the protocol page prints 36. */
export const DFLAG_MANDATORY_25_DIGEST: bigint = 1n << 26n;
export const DFLAG_SPAWN: bigint = 1n << 32n;
/** Not a capability: "give me a name". */
export const DFLAG_NAME_ME: bigint = 1n << 33n;
export const DFLAG_V4_NC: bigint = 1n << 34n;
export const DFLAG_ALIAS: bigint = 1n << 35n;
export const DFLAG_ALTACT_SIG: bigint = 1n << 37n;
export const DFLAG_NATIVE_RECORDS: bigint = 1n << 38n;

const NAMES: readonly (readonly [bigint, string])[] = [
  [DFLAG_PUBLISHED, 'PUBLISHED'],
  [DFLAG_EXTENDED_REFERENCES, 'EXTENDED_REFERENCES'],
  [DFLAG_DIST_MONITOR, 'DIST_MONITOR'],
  [DFLAG_FUN_TAGS, 'FUN_TAGS'],
  [DFLAG_DIST_MONITOR_NAME, 'DIST_MONITOR_NAME'],
  [DFLAG_NEW_FUN_TAGS, 'NEW_FUN_TAGS'],
  [DFLAG_EXTENDED_PIDS_PORTS, 'EXTENDED_PIDS_PORTS'],
  [DFLAG_EXPORT_PTR_TAG, 'EXPORT_PTR_TAG'],
  [DFLAG_BIT_BINARIES, 'BIT_BINARIES'],
  [DFLAG_NEW_FLOATS, 'NEW_FLOATS'],
  [DFLAG_UNICODE_IO, 'UNICODE_IO'],
  [DFLAG_DIST_HDR_ATOM_CACHE, 'DIST_HDR_ATOM_CACHE'],
  [DFLAG_SMALL_ATOM_TAGS, 'SMALL_ATOM_TAGS'],
  [DFLAG_UTF8_ATOMS, 'UTF8_ATOMS'],
  [DFLAG_MAP_TAG, 'MAP_TAG'],
  [DFLAG_BIG_CREATION, 'BIG_CREATION'],
  [DFLAG_SEND_SENDER, 'SEND_SENDER'],
  [DFLAG_BIG_SEQTRACE_LABELS, 'BIG_SEQTRACE_LABELS'],
  [DFLAG_EXIT_PAYLOAD, 'EXIT_PAYLOAD'],
  [DFLAG_FRAGMENTS, 'FRAGMENTS'],
  [DFLAG_HANDSHAKE_23, 'HANDSHAKE_23'],
  [DFLAG_UNLINK_ID, 'UNLINK_ID'],
  [DFLAG_MANDATORY_25_DIGEST, 'MANDATORY_25_DIGEST'],
  [DFLAG_SPAWN, 'SPAWN'],
  [DFLAG_NAME_ME, 'NAME_ME'],
  [DFLAG_V4_NC, 'V4_NC'],
  [DFLAG_ALIAS, 'ALIAS'],
  [DFLAG_ALTACT_SIG, 'ALTACT_SIG'],
  [DFLAG_NATIVE_RECORDS, 'NATIVE_RECORDS'],
];

/** What `MANDATORY_25_DIGEST` stands for: what OTP 25 requires, and every release from 23 on has. */
const MANDATORY_DFLAGS_25: bigint =
  DFLAG_EXTENDED_REFERENCES |
  DFLAG_FUN_TAGS |
  DFLAG_NEW_FUN_TAGS |
  DFLAG_EXTENDED_PIDS_PORTS |
  DFLAG_EXPORT_PTR_TAG |
  DFLAG_BIT_BINARIES |
  DFLAG_NEW_FLOATS |
  DFLAG_UTF8_ATOMS |
  DFLAG_MAP_TAG |
  DFLAG_BIG_CREATION |
  DFLAG_HANDSHAKE_23;

/** What we require of a peer. UNLINK_ID and V4_NC, which OTP 26 requires, are not in it: OTP 23 has neither. */
export const MANDATORY_DFLAGS: bigint = MANDATORY_DFLAGS_25;

/** What a visible node of ours offers: all that OTP 29 offers, each bit's duty being done here. */
export const DEFAULT_DFLAGS: bigint =
  MANDATORY_DFLAGS_25 |
  DFLAG_PUBLISHED |
  DFLAG_DIST_MONITOR |
  DFLAG_DIST_MONITOR_NAME |
  DFLAG_UNICODE_IO |
  DFLAG_DIST_HDR_ATOM_CACHE |
  DFLAG_SMALL_ATOM_TAGS |
  DFLAG_SEND_SENDER |
  DFLAG_BIG_SEQTRACE_LABELS |
  DFLAG_EXIT_PAYLOAD |
  DFLAG_FRAGMENTS |
  DFLAG_UNLINK_ID |
  DFLAG_MANDATORY_25_DIGEST |
  DFLAG_SPAWN |
  DFLAG_V4_NC |
  DFLAG_ALIAS |
  DFLAG_ALTACT_SIG |
  DFLAG_NATIVE_RECORDS;

/** What a hidden node of ours offers. */
export const HIDDEN_DFLAGS: bigint = DEFAULT_DFLAGS & ~DFLAG_PUBLISHED;

/** A peer's flags with `MANDATORY_25_DIGEST` written out. */
export function expandMandatory25(flags: bigint): bigint {
  return (flags & DFLAG_MANDATORY_25_DIGEST) === 0n ? flags : flags | MANDATORY_DFLAGS_25;
}

/** The names of the flags that are set, in bit order; bits without a name as `bit N`. */
export function flagNames(flags: bigint): string[] {
  const names: string[] = [];
  for (let bit = 0n; flags >> bit !== 0n; bit++) {
    if (((flags >> bit) & 1n) === 0n) continue;
    names.push(NAMES.find(([flag]) => flag === 1n << bit)?.[1] ?? `bit ${bit}`);
  }
  return names;
}

/** The names of those of the `required` flags that (expanded) `flags` lacks. */
export function missingFlags(flags: bigint, required: bigint = MANDATORY_DFLAGS): string[] {
  return flagNames(required & ~flags);
}
