// What an Elixir node may say in these scenarios; any other line was caused by us.
import type { Peer } from './cluster.js';

const EXPECTED: readonly RegExp[] = [
  /^\s*$/,
  /^(\u001b\[\S+)?(Erlang\/OTP|Interactive Elixir|Eshell)/,
  /^(iex\(\w+@[\d.]+\)\d+>\s*)+$/,
  /\[info\]\s+Distro application (in .+ mode|about to stop|stopped)$/,
  /\[(info|notice)\]\s+Application distro exited: :stopped$/,
  // a race between two nodedowns that BEAM nodes have among themselves
  /\[warning\]\s+'global' at node \S+ (requested disconnect from|disconnected) node \S+ in order to prevent overlapping partitions$/,
];

/** The lines of a peer that no all-BEAM run has. otpnode's own log is not looked at. */
export function unexpectedLines(peer: Peer): string[] {
  if (peer.kind === 'otpnode') return [];
  return peer.proc.lines.map((line) => line.text).filter((text) => !EXPECTED.some((one) => one.test(text)));
}
