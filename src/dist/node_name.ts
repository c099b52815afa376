// Node names: `Name@Host`, which of them a system of short or of long names may dial, and the allow list.
import { isIP } from 'node:net';

/** Whether hosts are written without a dot (`-sname`) or with one (`-name`). */
export type NameMode = 'shortnames' | 'longnames';

export interface NameParts {
  /** What EPMD knows. */
  readonly name: string;
  readonly host: string;
}

/** What the handshake can carry: printable ASCII. Latin-1 and UTF-8 peers read anything else differently. */
const PRINTABLE = /^[!-~]+$/;
/** What OTP lets a node call itself. */
const NAME_HEAD = /^[0-9A-Za-z_-]+$/;
/** `MAX_ATOM_CHARACTERS`: a node name is an atom. */
const MAX_NAME = 255;

/** The two parts of a node name; undefined unless there is exactly one `@` with something printable on each side. */
export function splitNode(node: string): NameParts | undefined {
  const [name, host, more] = node.split('@');
  if (more !== undefined || !name || !host || node.length > MAX_NAME || !PRINTABLE.test(node))
    return undefined;
  return { name, host };
}

/** Whether it can stand before the `@` of a name of our own. */
export function isNameHead(name: string): boolean {
  return NAME_HEAD.test(name);
}

/** Whether it can stand behind the `@`. */
export function isHost(host: string): boolean {
  return host.length <= MAX_NAME && PRINTABLE.test(host) && !host.includes('@');
}

/** Why a system of that mode cannot reach the host, with the cure; undefined if it can. */
export function hostProblem(host: string, mode: NameMode): string | undefined {
  if (mode === 'shortnames' && host.includes('.')) {
    return `this node uses short names (-sname), the host ${host} has a dot: start both nodes with -name`;
  }
  if (mode === 'longnames' && !host.includes('.') && isIP(host) === 0) {
    return `this node uses long names (-name), the host ${host} has no dot: start both nodes with -sname, or use a full host name`;
  }
  return undefined;
}

/** What a certificate says of the peer that proved to have it. */
export interface Certified {
  isFor(host: string): boolean;
  /** The peer's IP address, if the certificate is for that. */
  readonly address: string | undefined;
}

/** Who may connect (`net_kernel:allow/1`): nodes, hosts, and names with an `@` behind; everybody while it is empty. */
export class AllowList {
  #entries: readonly string[];

  constructor(entries: readonly string[] = []) {
    this.#entries = entries;
  }

  /** From now on these, too. */
  add(entries: readonly string[]): void {
    this.#entries = [...this.#entries, ...entries];
  }

  /** The hosts that are named. */
  get hosts(): string[] {
    return [...new Set(this.#entries.map(hostOf))].filter((host) => host !== '');
  }

  /**
   * `node` may be a host alone, as a peer sends that asks for a name. Of a peer with a certificate only the entries
   * count whose host that is for; the address that it is for counts as an entry, too (`inet_tls_dist`).
   */
  has(node: string, certified?: Certified): boolean {
    if (this.#entries.length === 0) return true;
    const entries =
      certified === undefined
        ? this.#entries
        : [...this.#entries.filter((entry) => certified.isFor(hostOf(entry))), certified.address ?? ''];
    return isAllowed(node, entries);
  }
}

function hostOf(entry: string): string {
  return entry.slice(entry.indexOf('@') + 1);
}

function isAllowed(node: string, entries: readonly string[]): boolean {
  const host = hostOf(node);
  const at = node.indexOf('@');
  const name = at < 0 ? undefined : node.slice(0, at);
  return entries.some(
    (entry) => entry === node || entry === host || (name !== undefined && entry === `${name}@`),
  );
}
