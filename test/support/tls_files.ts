// Certificates for tests, valid until 2120: `node` and `node2` are for 127.0.0.1, ::1 and localhost, `elsewhere` is for
// another host, `dns_only` has 127.0.0.1 among its DNS names only, all by `ca`; `stranger` is by `other_ca`. A .pem
// holds the certificate and its key.
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
  | 'node_encrypted.key';

export function tlsFile(name: TestCertificate): string {
  return join(FOLDER, name);
}
