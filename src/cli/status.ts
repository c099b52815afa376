// `otpnode status --name NODE`: asks a running node, BEAM or otpnode, who runs what.
import {
  atom,
  ConfigError,
  format,
  isTagged,
  type Node,
  Pid,
  startNode,
  type Term,
  Tuple,
} from '../index.js';
import { readFlags } from './flags.js';
import { configOf, nodeName, nodeOptions, surroundings } from './node_options.js';

const STATUS_USAGE = `usage: otpnode status --name NODE@HOST [--cookie C] [--json]

Connects to a running node, BEAM or otpnode, as a hidden one and prints what its application_controller, dist_ac and
global know: which applications run where and who stands by, in which order; which restart times are running; who is
known to whom; what is waited for; who holds which lock.
`;

export interface StatusOutput {
  out(text: string): void;
  err(text: string): void;
}

/** What a node said; undefined where it gave no answer. */
export interface Status {
  readonly node: string;
  readonly connected: readonly string[];
  readonly applications: readonly ApplicationStatus[];
  /** Undefined: no dist_ac runs there, or it does not answer: it waits for another node. */
  readonly distributed: readonly DistributedStatus[] | undefined;
  /** Nodes that this one was introduced to, itself included. */
  readonly known: readonly string[];
  /** Restart times that are running: when one is over, the application is started on the next node. */
  readonly timers: readonly TimerStatus[];
  /** Requests that dist_ac has not answered, as Erlang terms. */
  readonly pending: readonly string[];
  /** Locks of `global` that are set on this node. */
  readonly locks: readonly LockStatus[] | undefined;
}

interface ApplicationStatus {
  readonly name: string;
  /** `here`, `starting`, `loaded`, or the node where it runs. */
  readonly where: string;
  readonly type: string | undefined;
}

interface DistributedStatus {
  readonly name: string;
  /** What dist_ac thinks: `local`, `{distributed,Node}`, `{failover,Node}`, `undefined`… */
  readonly state: string;
  readonly restartMs: string;
  /** The node list: one rank after the other, those of a tuple together. */
  readonly ranks: readonly (readonly string[])[];
  readonly permitted: readonly string[];
  /** Who may take its place, in the order of the ranks: introduced, permitted, and not where it runs. */
  readonly standbys: readonly string[];
}

interface TimerStatus {
  readonly application: string;
  /** The node that died. */
  readonly since: string;
  readonly restartMs: string;
}

interface LockStatus {
  readonly resource: string;
  readonly requester: string;
  /** Pids. */
  readonly holders: readonly string[];
}

const TIMEOUT = { timeoutMs: 5000 };

/** Runs `otpnode status`; resolves to the exit code. */
export async function statusMain(argv: readonly string[], output: StatusOutput): Promise<number> {
  if (argv.length === 0 || argv.some((word) => /^--?help$/.test(word))) {
    (argv.length === 0 ? output.err : output.out)(STATUS_USAGE);
    return argv.length === 0 ? 1 : 0;
  }
  const flags = readFlags(argv.filter((word) => !/^--?json$/.test(word)));
  const where = surroundings();
  const target = nodeName(flags, where);
  const options = nodeOptions(flags, configOf(flags, where), where, () => {});
  const host = target.name.split('@')[1];
  const asker = await startNode({
    ...options,
    name: `status-${process.pid}@${host}`,
    hidden: true,
    listen: false,
  });
  try {
    if (!(await asker.connect(target.name))) {
      throw new ConfigError(
        'bad_option',
        `no connection to ${target.name}: is it running, is the cookie right?`,
      );
    }
    const status = await ask(asker, target.name);
    output.out(argv.some((word) => /^--?json$/.test(word)) ? `${JSON.stringify(status)}\n` : asText(status));
    return 0;
  } finally {
    await asker.stop();
  }
}

async function ask(asker: Node, name: string): Promise<Status> {
  const node = atom(name);
  const apply = (module: string, fun: string): Promise<Term | undefined> =>
    asker.client.apply(node, atom(module), atom(fun), [], TIMEOUT).catch(() => undefined);
  const table = asker.client.apply(node, atom('ets'), atom('tab2list'), [atom('global_locks')], TIMEOUT);
  const [nodes, info, locks, distAc] = await Promise.all([
    apply('erlang', 'nodes'),
    apply('application', 'info'),
    table.catch(() => undefined),
    asker.client.call(new Tuple([atom('dist_ac'), node]), atom('info'), TIMEOUT).catch(() => undefined),
  ]);
  return {
    node: name,
    connected: names(nodes),
    applications: applications(info),
    ...distributed(distAc, name),
    locks: locks === undefined ? undefined : locksIn(locks),
  };
}

/** `[{ResourceId, Requester, [{Pid, Monitor}]}]` */
function locksIn(table: Term): LockStatus[] {
  return list(table).flatMap((lock) => {
    if (!(lock instanceof Tuple) || lock.elements.length !== 3) return [];
    const [resource, requester, holders] = lock.elements as readonly [Term, Term, Term];
    const pids = list(holders).map((each) =>
      format(each instanceof Tuple ? (each.elements[0] as Term) : each),
    );
    return { resource: format(resource, 200), requester: format(requester, 200), holders: pids };
  });
}

function list(term: Term | undefined): readonly Term[] {
  return Array.isArray(term) ? (term as readonly Term[]) : [];
}

function names(term: Term | undefined): string[] {
  return list(term).map((node) => String(node));
}

/** A list of pairs by key. */
function pairs(term: Term | undefined): Map<string, Term> {
  const tuples = list(term).filter((each): each is Tuple => each instanceof Tuple);
  return new Map(tuples.map(({ elements }) => [String(elements[0]), elements[1] as Term]));
}

function applications(info: Term | undefined): ApplicationStatus[] {
  const [loaded, started, running, starting] = ['loaded', 'started', 'running', 'starting'].map((key) =>
    pairs(pairs(info).get(key)),
  ) as [Map<string, Term>, Map<string, Term>, Map<string, Term>, Map<string, Term>];
  return [...new Set([...loaded.keys(), ...running.keys(), ...starting.keys()])].sort().map((name) => {
    const type = started.get(name);
    const at = running.get(name);
    const otherwise = starting.has(name) ? 'starting' : 'loaded';
    return {
      name,
      where: at === undefined ? otherwise : place(at),
      type: type === undefined ? undefined : String(type),
    };
  });
}

function place(running: Term): string {
  if (!isTagged(running, atom('distributed'), 2)) return running instanceof Pid ? 'here' : 'here (library)';
  const [, node] = running.elements;
  return Array.isArray(node) ? 'nowhere permitted' : String(node);
}

/** `{state, Appls, TmpLocals, RemoteStarted, Known, Started, TmpWeights, DistLoaded, TReqs, SReqs, PReqs}`. */
function distributed(
  state: Term | undefined,
  node: string,
): Pick<Status, 'distributed' | 'known' | 'timers' | 'pending'> {
  if (!isTagged(state, atom('state'), 11))
    return { distributed: undefined, known: [], timers: [], pending: [] };
  const [, appls, , , introduced, , , , ...requests] = state.elements;
  const known = names(introduced);
  const records = list(appls).filter((appl): appl is Tuple => isTagged(appl, atom('appl'), 6));
  return {
    distributed: records.map((appl) => distributedStatus(appl, known, node)),
    known,
    timers: records.flatMap(timer),
    pending: requests.flatMap(list).map((each) => format(each, 200)),
  };
}

/** `{appl, Name, Id, RestartTime, Nodes, [{Node, Permitted}]}` */
function distributedStatus({ elements }: Tuple, known: readonly string[], node: string): DistributedStatus {
  const [, name, id, time, nodes, run] = elements as readonly [Term, Term, Term, Term, Term, Term];
  const ranks = list(nodes).map((rank) =>
    rank instanceof Tuple ? rank.elements.map(String) : [String(rank)],
  );
  const permitted = [...pairs(run)].flatMap(([each, allowed]) => (allowed === true ? each : []));
  const here = id === atom('local') ? node : undefined;
  const at = isTagged(id, atom('distributed'), 2) ? String(id.elements[1]) : here;
  const standbys = ranks.flat().filter((each) => permitted.includes(each) && known.includes(each));
  return {
    name: String(name),
    state: format(id),
    restartMs: String(time),
    ranks,
    permitted,
    standbys: standbys.filter((each) => each !== at),
  };
}

/** A node died that ran it, and its restart time is not over. */
function timer({ elements }: Tuple): TimerStatus[] {
  const [, name, id, time] = elements as readonly [Term, Term, Term, Term];
  if (!isTagged(id, atom('failover'), 2)) return [];
  return [{ application: String(name), since: String(id.elements[1]), restartMs: String(time) }];
}

function asText(status: Status): string {
  const lines = [status.node, `  connected to  ${status.connected.join(', ') || 'nobody'}`];
  for (const { name, where, type } of status.applications) {
    lines.push(`  ${name.padEnd(12)}  ${where}${type === undefined ? '' : `, ${type}`}`);
  }
  if (status.distributed === undefined) lines.push('  dist_ac       does not answer, or is not there');
  else lines.push(`  dist_ac       knows ${status.known.join(', ') || 'nobody'}`);
  for (const { name, state, restartMs, ranks, permitted, standbys } of status.distributed ?? []) {
    const nodes = ranks.map((rank) => rank.join(' or ')).join(', then ');
    lines.push(`    ${name}: ${state}; ${nodes}; restart after ${restartMs} ms`);
    lines.push(
      `      permitted on ${permitted.join(', ') || 'no node'}; standbys ${standbys.join(', ') || 'none'}`,
    );
  }
  for (const { application, since, restartMs } of status.timers) {
    lines.push(`    timer: ${application} is started ${restartMs} ms after the death of ${since}`);
  }
  for (const waiting of status.pending) lines.push(`    waiting: ${waiting}`);
  if (status.locks === undefined) lines.push('  locks         no answer');
  for (const { resource, requester, holders } of status.locks ?? []) {
    lines.push(`  lock          ${resource} for ${requester}, held by ${holders.join(', ')}`);
  }
  if (status.locks?.length === 0) lines.push('  locks         none');
  return `${lines.join('\n')}\n`;
}
