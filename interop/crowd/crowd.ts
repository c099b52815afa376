// A crowd: many bare nodes, BEAM and otpnode, that do the same things when asked over their standard input. No observer
// takes part, so that they can be frozen, cut off and put into network namespaces. Several otpnodes share a process.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Cluster, HOST, type Kind } from '../cluster.js';
import { type Proc, pause, until } from '../processes.js';
import { type Release, ROOT } from '../releases.js';
import { check, same } from '../suite.js';
import type { CrowdNodeOptions } from './crowd_node.js';

const SOURCE = join(ROOT, 'interop', 'crowd', 'crowd.erl');
const OURS = [process.execPath, join(ROOT, 'build', 'interop', 'crowd', 'crowd_node.js')];

export interface CrowdOptions {
  /** `prevent_overlapping_partitions`; true by default. */
  readonly prevent?: boolean;
  /** `connect_all`; true by default. */
  readonly connectAll?: boolean;
  /** Seconds; OTP's 60 by default. */
  readonly netTicktime?: number;
  /** Otpnodes in one Node.js process; 3 by default. */
  readonly shared?: number;
  readonly place?: (role: string) => Place;
}

/** Where a node lives: its host, and what its command begins with. */
export interface Place {
  readonly host: string;
  readonly command: readonly string[];
}

/** One process: a BEAM node, or some otpnodes. */
class Voice {
  readonly proc: Proc;
  readonly #answers = new Map<number, (text: string) => void>();
  #next = 0;
  #read = 0;

  constructor(proc: Proc) {
    this.proc = proc;
    proc.onLine = () => this.#look();
  }

  /** The answer to a line made with a number of its own. */
  ask(line: (id: number) => string): Promise<string> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, resolve);
      void this.proc.exited.then(() => reject(new Error(`${this.proc.name} ended`)));
      this.proc.type(`${line(id)}\n`);
    });
  }

  #look(): void {
    for (; this.#read < this.proc.lines.length; this.#read++) {
      const [, id, text = ''] = /^@(\d+) (.*)$/.exec(this.proc.lines[this.#read]?.text ?? '') ?? [];
      if (id === undefined) continue;
      this.#answers.get(Number(id))?.(text);
      this.#answers.delete(Number(id));
    }
  }
}

export class CrowdMember {
  readonly role: string;
  readonly kind: Kind;
  /** As Erlang writes it: `'a@127.0.0.1'`. */
  readonly node: string;
  readonly #voice: Voice;

  constructor(role: string, kind: Kind, host: string, voice: Voice) {
    this.role = role;
    this.kind = kind;
    this.node = `'${role}@${host}'`;
    this.#voice = voice;
  }

  get proc(): Proc {
    return this.#voice.proc;
  }

  /** The result of a request as Erlang text; see crowd.erl for what there is. */
  ask(request: string): Promise<string> {
    return this.#voice.ask((id) =>
      this.kind === 'otpnode' ? `{${this.node}, ${id}, ${request}}.` : `{${id}, ${request}}.`,
    );
  }

  connect(other: CrowdMember): Promise<string> {
    return this.ask(`{connect, ${other.node}}`);
  }

  disconnect(other: CrowdMember): Promise<string> {
    return this.ask(`{disconnect, ${other.node}}`);
  }

  register(name: string, method = 'random_exit_name'): Promise<string> {
    return this.ask(`{register, ${name}, ${method}}`);
  }

  /** What it logged that an operator sees: levels from notice on. */
  logged(): string[] {
    const lines = this.proc.lines.map((line) => line.text);
    if (this.kind !== 'otpnode') return lines.filter((line) => !/^(@\d+ .*|ready|)$/.test(line));
    const own = `${this.node.slice(1, -1)}: `;
    return lines.flatMap((line) => {
      const [, level, text] =
        /^\[(\w+)\] (.*)$/.exec(line.startsWith(own) ? line.slice(own.length) : '') ?? [];
      return level === undefined || level === 'debug' || level === 'info' ? [] : [text as string];
    });
  }
}

/** Starts the nodes; `kinds` by role. */
export async function crowd(
  cluster: Cluster,
  kinds: Readonly<Record<string, Kind>>,
  options: CrowdOptions = {},
): Promise<CrowdMember[]> {
  const {
    prevent = true,
    connectAll = true,
    netTicktime,
    shared = 3,
    place = () => ({ host: HOST, command: [] }),
  } = options;
  const voices = new Map<string, Voice>();
  const beams = new Set(Object.values(kinds).filter((kind): kind is Release => kind !== 'otpnode'));
  const ebin = new Map(
    await Promise.all([...beams].map(async (of) => [of, await compiled(cluster, of)] as const)),
  );
  const ours: { readonly host: string; readonly command: readonly string[]; readonly roles: string[] }[] = [];
  for (const [role, kind] of Object.entries(kinds)) {
    const { host, command } = place(role);
    if (kind === 'otpnode') {
      const open = ours.find((group) => group.host === host && group.roles.length < shared);
      if (open === undefined) ours.push({ host, command, roles: [role] });
      else open.roles.push(role);
      continue;
    }
    const words = [
      ...[join(kind.bin, 'erl'), '-noshell', '-pa', ebin.get(kind) as string, '-start_epmd', 'false'],
      ...['-name', `${role}@${host}`, '-setcookie', cluster.cookie, '-connect_all', String(connectAll)],
      ...(kind.otp === '23' ? [] : ['-kernel', 'prevent_overlapping_partitions', String(prevent)]),
      ...(netTicktime === undefined ? [] : ['-kernel', 'net_ticktime', String(netTicktime)]),
      ...['-s', 'crowd'],
    ];
    voices.set(role, new Voice(cluster.run(`${role} (OTP ${kind.otp})`, [...command, ...words])));
  }
  for (const { host, command, roles } of ours) {
    const node: CrowdNodeOptions = {
      ...{ host, cookie: cluster.cookie, preventOverlappingPartitions: prevent, connectAll },
      ...(netTicktime === undefined ? {} : { netTicktime }),
    };
    const names = roles.map((role) => `${role}@${host}`);
    const words = [...command, ...OURS, JSON.stringify(node), ...names];
    const voice = new Voice(cluster.run(`${roles.join(' ')} (otpnode)`, words));
    for (const role of roles) voices.set(role, voice);
  }
  await Promise.all([...new Set(voices.values())].map(({ proc }) => proc.line(/^ready$/, 60_000)));
  return Object.entries(kinds).map(
    ([role, kind]) => new CrowdMember(role, kind, place(role).host, voices.get(role) as Voice),
  );
}

const run = promisify(execFile);

const made = new WeakMap<Cluster, Map<string, Promise<string>>>();

/** The folder with crowd.erl compiled by that release; made once in a cluster, while no node reads it. */
function compiled(cluster: Cluster, of: Release): Promise<string> {
  const folders = made.get(cluster) ?? new Map<string, Promise<string>>();
  made.set(cluster, folders);
  const folder = folders.get(of.otp) ?? compile(cluster, of);
  folders.set(of.otp, folder);
  return folder;
}

async function compile(cluster: Cluster, of: Release): Promise<string> {
  const ebin = cluster.folder(`crowd${of.otp}`);
  await run(join(of.bin, 'erlc'), ['-o', ebin, SOURCE], {
    env: cluster.env(),
  }).catch((error: { stdout?: string }) => {
    throw new Error(`${SOURCE} does not compile on OTP ${of.otp}:\n${error.stdout}`);
  });
  return ebin;
}

/** That the names of a member are those that the first one has. */
export type Agreement = (names: string, first: string, what: string) => void;

/** Waits until these nodes are one network in order: in sync, no lock left, no message waiting, the same names. */
export async function atRest(
  members: readonly CrowdMember[],
  timeoutMs = 60_000,
  agreement: (one: CrowdMember) => Agreement = () => same,
): Promise<string> {
  await until(`${members.map((one) => one.role).join(' ')} are at rest`, timeoutMs, async () => {
    await pause(100); // asking all of many is work
    const seen = await Promise.all(
      members.map(async (one) => {
        const others = members.filter((other) => other !== one).map((other) => other.node);
        const all = `[${others.sort().join(',')}]`;
        for (const what of ['nodes', 'known', 'synced'])
          same(await one.ask(what), all, `${one.role}: ${what}`);
        same(await one.ask('locks'), '[]', `${one.role}: locks`);
        same(await one.ask('waiting'), '[]', `${one.role}: waiting`);
        return one.ask('names');
      }),
    );
    for (const [i, names] of seen.entries()) {
      const [first, here] = [members[0] as CrowdMember, members[i] as CrowdMember];
      agreement(here)(names, seen[0] as string, `the names of ${here.role} are those of ${first.role}`);
    }
    return true;
  });
  return (members[0] as CrowdMember).ask('names');
}

/** Kinds of log lines: without what differs from run to run, such as nodes, pids, numbers. */
function logKinds(members: readonly CrowdMember[]): Map<string, string> {
  const kinds = new Map<string, string>();
  for (const one of members) {
    for (const line of one.logged()) {
      if (/^=\w+ REPORT==== /.test(line)) continue;
      const kind = line
        .trim()
        .replaceAll(/<[^<>]*\.\d+\.\d+>/g, 'PID')
        .replaceAll(/'?[\w.]+@[\w.]+'?/g, 'NODE')
        .replaceAll(/\d+/g, 'N');
      kinds.set(kind, `${one.role}: ${line.trim()}`);
    }
  }
  return kinds;
}

/** Fails if one of `members` logged a line of a kind that none of `beams` logged, but for those that are allowed. */
export function saysNoMore(
  members: readonly CrowdMember[],
  beams: readonly CrowdMember[],
  allowed: RegExp = /^$/,
): void {
  const known = logKinds(beams);
  const more = [...logKinds(members)]
    .filter(([kind]) => !known.has(kind) && !allowed.test(kind))
    .map(([, line]) => line);
  check(more.length === 0, `logged here, not by BEAM alone:\n${more.join('\n')}`);
}
