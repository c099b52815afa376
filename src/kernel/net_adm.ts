// Questions to other nodes and their hosts (OTP: net_adm.erl).
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type EpmdAddress, names as epmdNames } from '../dist/erl_epmd.js';
import { CallError, ConfigError, OtpnodeError } from '../errors.js';
import type { Process } from '../erts/process.js';
import type { System } from '../erts/system.js';
import { callAs } from '../stdlib/gen.js';
import type { CallOptions } from '../stdlib/limits.js';
import { parseTerms } from '../syntax/erl_parse.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { format } from '../terms/format.js';
import { tuple } from '../terms/tuple.js';
import type { CodeServer } from './code.js';
import { unlessGivenUp } from './giving_up.js';
import { task } from './task.js';

const GEN_CALL = atom('$gen_call');
const NET_KERNEL = atom('net_kernel');
const IS_AUTH = atom('is_auth');
const YES = atom('yes');
const HOST_FILE = '.hosts.erlang';

/**
 * `net_adm:ping/1`: connects if need be, and asks. True: pong. On anything but the right answer, or none within
 * `timeoutMs` (unlimited unless told otherwise), the node is disconnected.
 */
export async function ping(
  self: Process,
  node: Atom,
  disconnect: (node: Atom) => void,
  timeoutMs: number = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const request = tuple(IS_AUTH, self.node);
  const response = await callAs(self, GEN_CALL, tuple(NET_KERNEL, node), request, timeoutMs);
  if ('reply' in response && response.reply === YES) return true;
  disconnect(node);
  return false;
}

/** What questions to other nodes need of this one. */
export interface NetAdmOptions {
  /** Where EPMD is; false: there is none. */
  readonly epmd: EpmdAddress | false;
  readonly shortNames: boolean;
  /** Where `.hosts.erlang` is looked for, in this order. */
  readonly hostFileFolders: readonly string[];
  readonly disconnect: (node: Atom) => void;
}

/** `net_adm` of one node, for plain code. */
export class NetAdm {
  readonly #system: System;
  readonly #options: NetAdmOptions;

  constructor(system: System, options: NetAdmOptions) {
    this.#system = system;
    this.#options = options;
  }

  /**
   * `net_adm:ping/1`: connects if need be, and asks whether we are let in; false (`pang`): the node is not connected any
   * more. Rejects with `CallError` when the node does not answer: after 5000 ms unless told otherwise.
   */
  ping(node: string | Atom, limits?: CallOptions): Promise<boolean> {
    const peer = typeof node === 'string' ? atom(node) : node;
    if (peer === this.#system.node) return Promise.resolve(true);
    return task(this.#system, (self) => ping(self, peer, this.#options.disconnect), limits);
  }

  /** `net_adm:names/0,1`: the nodes registered with EPMD on a host, this one by default. Rejects with `EpmdError`. */
  async names(
    host?: string,
    limits?: CallOptions,
  ): Promise<readonly { readonly name: string; readonly port: number }[]> {
    const { epmd } = this.#options;
    if (epmd === false) return [];
    const address = host === undefined ? epmd : { ...epmd, host };
    const wait = { node: this.#system.node, server: `net_adm:names/${host === undefined ? 0 : 1}` };
    return unlessGivenUp(this.#system, wait, () => epmdNames(address), limits);
  }

  /** `net_adm:localhost/0`: this host's name. */
  localhost(): string {
    return hostname();
  }

  /**
   * `net_adm:host_file/0`: the hosts of the first `.hosts.erlang`, each an atom and a full stop, in the current folder or the
   * home folder; undefined if there is none. Throws `ConfigError` for one that is malformed.
   */
  hostFile(): string[] | undefined {
    for (const folder of this.#options.hostFileFolders) {
      const file = join(folder, HOST_FILE);
      if (!existsSync(file)) continue;
      return parseTerms(readFileSync(file, 'utf8')).map(({ term: host }) => {
        if (host instanceof Atom) return host.name;
        throw new ConfigError('syntax', `${file}: ${format(host, 100)} is no host: write 'a.b.c'.`, { file });
      });
    }
    return undefined;
  }

  /**
   * `net_adm:world/0`, `world_list/1`: pings every node registered on these hosts, by default those of the host file, and
   * resolves to those that answered; `timeoutMs` is for each question. Rejects with `ConfigError` if there is no host file,
   * and with `CallError` when the signal is aborted.
   */
  async world(hosts: readonly string[] | undefined = this.hostFile(), limits?: CallOptions): Promise<Atom[]> {
    if (hosts === undefined) {
      const where = this.#options.hostFileFolders.join(' and ');
      throw new ConfigError('not_found', `there is no ${HOST_FILE} in ${where}`, { hint: 'name the hosts' });
    }
    const found: Atom[] = [];
    for (const host of hosts) {
      const nodeHost = this.#options.shortNames ? host.replace(/\..*/, '') : host;
      for (const name of await this.#namesOrNone(host, limits)) {
        const node = atom(`${name}@${nodeHost}`);
        if (await this.ping(node, limits).catch(passOver)) found.push(node);
      }
    }
    return found;
  }

  async #namesOrNone(host: string, limits?: CallOptions): Promise<readonly string[]> {
    try {
      return (await this.names(host, limits)).map(({ name }) => name);
    } catch (error) {
      passOver(error);
      return [];
    }
  }
}

/** False for a failure that says something of one node or host; the signal ends all. */
function passOver(error: unknown): false {
  if (error instanceof OtpnodeError && !(error instanceof CallError && error.code === 'aborted'))
    return false;
  throw error;
}

const OK = atom('ok');

/** Lets remote callers ask which nodes are on this host. */
export function offerNetAdm(code: CodeServer, netAdm: NetAdm): void {
  code.define('net_adm', 'names', 0, async () => {
    try {
      const names = await netAdm.names();
      return tuple(
        OK,
        names.map(({ name, port }) => tuple(charlist(name), port)),
      );
    } catch (error) {
      if (error instanceof OtpnodeError) return tuple(atom('error'), atom('address'));
      throw error;
    }
  });
}
