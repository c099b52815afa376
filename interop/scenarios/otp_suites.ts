// Cases of OTP's own test suites with otpnode as the peer, written anew; docs/otp-suites.md lists all of them.

import { CASES as BAD_DIST } from '../otp_suites/bad_dist.js';
import { CASES as DISTRIBUTION } from '../otp_suites/distribution_suite.js';
import { CASES as EI_CONNECT } from '../otp_suites/ei_connect_suite.js';
import { CASES as ERL_DISTRIBUTION } from '../otp_suites/erl_distribution_suite.js';
import { type Case, SuitePeer } from '../otp_suites/suite_peer.js';
import type { Suite } from '../suite.js';

export function run(suite: Suite): void {
  const named = (of: string, cases: readonly Case[]) =>
    cases
      .filter(([, , since]) => Number(suite.release.otp) >= (since ?? 0))
      .map(([name, body]) => [`${of} ${name}`, body] as const);
  suite.sharing(SuitePeer.open, [
    ...named('distribution_SUITE', DISTRIBUTION),
    ...named('distribution_SUITE', BAD_DIST),
    ...named('erl_distribution_SUITE', ERL_DISTRIBUTION),
    ...named('ei_connect_SUITE', EI_CONNECT),
  ]);
}
