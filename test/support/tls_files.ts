// Certificates for tests, valid until 2120: `node` and `node2` are for 127.0.0.1, ::1 and localhost, `elsewhere` is for
// another host, `dns_only` has 127.0.0.1 among its DNS names only, all by `ca`; `stranger` is by `other_ca`. A .pem
// holds the certificate and its key.
//
// `expired` (2021) and `early` (2110) are for the same hosts as `node`, by `dated_ca`.
//
// `valid`, `revoked` and an intermediate authority are by `revoking_ca`, `below` is by that intermediate, which is in its
// file. In the folder `crls` revoking_ca's list has `revoked`; in `crls_sub` the intermediate, too, and there is
// the intermediate's own; in `crls_expired` the list is of 2020.
import { join } from 'node:path';

const FOLDER: string = join(import.meta.dirname, '..', '..', '..', 'test', 'support', 'tls');

export type TestCertificate =
  | 'ca.pem'
  | 'other_ca.pem'
  | 'node.pem'
  | 'node2.pem'
  | 'elsewhere.pem'
  | 'stranger.pem'
  | 'dns_only.pem'
  | 'node_encrypted.key'
  | 'revoking_ca.pem'
  | 'dated_ca.pem'
  | 'expired.pem'
  | 'early.pem'
  | 'valid.pem'
  | 'revoked.pem'
  | 'below.pem';

export type TestCrls = 'crls' | 'crls_sub' | 'crls_expired';

export function tlsFile(name: TestCertificate | TestCrls): string {
  return join(FOLDER, name);
}
