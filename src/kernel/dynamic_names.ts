// Names for nodes that connect without one (`-sname undefined`; OTP: net_kernel's dyn_name_pool). A name that is
// free again goes to the next client of that host, with the next creation.
import { randomBytes, randomInt } from 'node:crypto';
import type { GivenName } from '../dist/dist_util.js';
import { type Atom, atom } from '../terms/atom.js';

/** Free names kept for each host, and hosts that names are kept for. */
const MAX_FREE = 100;
const MAX_HOSTS = 1000;

export class DynamicNames {
  readonly #free = new Map<string, GivenName[]>();
  readonly #given = new Map<Atom, GivenName>();

  /** A name on that host that nobody bears; `taken` tells which are borne by others. */
  give(host: string, taken: (node: Atom) => boolean): GivenName {
    const pool = this.#free.get(host) ?? [];
    let given = pool.pop();
    while (given === undefined || taken(given.node)) {
      given = { node: atom(`${randomName()}@${host}`), creation: randomInt(4, 2 ** 32) };
    }
    this.#given.set(given.node, given);
    return given;
  }

  /** That node is gone. Names that were not given here are ignored. */
  release(node: Atom): void {
    const given = this.#given.get(node);
    if (given === undefined) return;
    this.#given.delete(node);
    const host = node.name.slice(node.name.indexOf('@') + 1);
    const pool = this.#free.get(host) ?? [];
    if (pool.length >= MAX_FREE || (pool.length === 0 && this.#free.size >= MAX_HOSTS)) return;
    pool.push({ node, creation: given.creation === 2 ** 32 - 1 ? 4 : given.creation + 1 });
    this.#free.set(host, pool);
  }
}

function randomName(): string {
  return randomBytes(8).readBigUInt64BE().toString(36).toUpperCase();
}
