// Cases of OTP's own test suites with otpnode as the peer, written anew; docs/otp-suites.md lists all of them.
import { CASES as DISTRIBUTION } from '../otp_suites/distribution_suite.js';
import { SuitePeer } from '../otp_suites/suite_peer.js';
import type { Suite } from '../suite.js';

export function run(suite: Suite): void {
  suite.sharing(
    SuitePeer.open,
    DISTRIBUTION.map(([name, body]) => [`distribution_SUITE ${name}`, body] as const),
  );
}
