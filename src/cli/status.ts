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

export const STATUS_USAGE = `usage: otpnode status --name NODE@HOST [--cookie C] [--json]

Connects to a running node as a hidden one and prints what its application_controller and dist_ac know: which
applications run where, who is known to whom, what is waited for.
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
  /** Undefined: no dist_ac runs there. */
  readonly distributed: readonly DistributedStatus[] | undefined;
  /** Nodes that this one was introduced to. */
  readonly known: readonly string[];
  /** Requests and timers of dist_ac that are not done, as Erlang terms. */
  readonly pending: readonly string[];
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
  readonly nodes: string;
  readonly permitted: readonly string[];
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
  const [nodes, info, distAc] = await Promise.all([
    apply('erlang', 'nodes'),
    apply('application', 'info'),
    asker.client.call(new Tuple([atom('dist_ac'), node]), atom('info'), TIMEOUT).catch(() => undefined),
  ]);
  return { node: name, connected: names(nodes), applications: applications(info), ...distributed(distAc) };
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
function distributed(state: Term | undefined): Pick<Status, 'distributed' | 'known' | 'pending'> {
  if (!isTagged(state, atom('state'), 11)) return { distributed: undefined, known: [], pending: [] };
  const [, appls, , , known, , , , ...requests] = state.elements;
  const found = list(appls).flatMap((appl) => {
    if (!isTagged(appl, atom('appl'), 6)) return [];
    const [, name, id, time, nodes, run] = appl.elements as readonly Term[];
    const permitted = [...pairs(run)].flatMap(([node, allowed]) => (allowed === true ? node : []));
    const entry = { name: String(name), state: format(id as Term), restartMs: String(time) };
    return [{ ...entry, nodes: format(nodes as Term), permitted }];
  });
  return {
    distributed: found,
    known: names(known),
    pending: requests.flatMap(list).map((each) => format(each, 200)),
  };
}

function asText(status: Status): string {
  const lines = [status.node, `  connected to  ${status.connected.join(', ') || 'nobody'}`];
  for (const { name, where, type } of status.applications) {
    lines.push(`  ${name.padEnd(12)}  ${where}${type === undefined ? '' : `, ${type}`}`);
  }
  if (status.distributed === undefined) lines.push('  dist_ac       does not answer, or is not there');
  else lines.push(`  dist_ac       knows ${status.known.join(', ') || 'nobody'}`);
  for (const { name, state, restartMs, nodes, permitted } of status.distributed ?? []) {
    lines.push(
      `    ${name}: ${state}; restart after ${restartMs} ms; ${nodes}; permitted on ${permitted.join(', ')}`,
    );
  }
  for (const waiting of status.pending) lines.push(`    waiting: ${waiting}`);
  return `${lines.join('\n')}\n`;
}
