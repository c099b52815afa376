// Links and monitors made and broken at random by both sides, by thousands, while the connection is cut again and again: in
// the end both sides have the same, and nothing is left of what was lost.
import type { Process } from '../../src/erts/process.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Reference } from '../../src/terms/reference.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import { BareNode } from '../bare_node.js';
import { type Cluster, nodeName } from '../cluster.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const OBSERVER: Atom = atom(nodeName('observer'));
const OURS = 30;
const THEIRS = 40;
const CUTS = 30;
/** What each side does on a connection before it is cut. */
const ACTIONS = 400;

/** Elixir: workers of BEAM, which link and monitor ours and undo it until they are told to stop. */
const WORKERS = (us: string): string => `
  defmodule Churn do
    def worker(ours) do
      Process.flag(:trap_exit, true)
      churn(ours, [])
    end
    defp churn(ours, refs) do
      case flush() do
        :stop -> idle()
        :go_on ->
          p = Enum.random(ours)
          refs = case :rand.uniform(5) do
            1 -> Process.link(p); refs
            2 -> Process.unlink(p); refs
            3 -> undo(refs)
            _ -> [Process.monitor(p) | refs]
          end
          Process.sleep(:rand.uniform(4) - 1)
          churn(ours, refs)
      end
    end
    defp undo([]), do: []
    defp undo([ref | refs]) do
      Process.demonitor(ref)
      refs
    end
    defp flush do
      receive do
        :stop -> :stop
        {:sync, from} -> send(from, {:synced, self()}); flush()
        _ -> flush()
      after 0 -> :go_on end
    end
    defp idle do
      receive do
        {:sync, from} -> send(from, {:synced, self()})
        _ -> :ok
      end
      idle()
    end
    def start do
      ours = for i <- 1..${OURS} do
        receive do {:pid, ^i, p} -> p end
      end
      workers = for _ <- 1..${THEIRS}, do: spawn(fn -> worker(ours) end)
      for p <- ours, do: send(p, {:workers, workers})
      serve(ours, workers)
    end
    defp serve(ours, workers) do
      receive do
        {:stop, from} -> for(w <- workers, do: send(w, :stop)); send(from, :stopped)
        {:links, from} ->
          links = for {w, j} <- Enum.with_index(workers), {p, i} <- Enum.with_index(ours), p in elem(Process.info(w, :links), 1), do: "#{j}-#{i}"
          send(from, {:links, Enum.join(Enum.sort(links), " ")})
        {:counts, from} ->
          watching = for w <- workers, {:process, p} <- elem(Process.info(w, :monitors), 1), p in ours, do: p
          watched = for w <- workers, p <- elem(Process.info(w, :monitored_by), 1), p in ours, do: p
          send(from, {:counts, {length(watching), length(watched)}})
      end
      serve(ours, workers)
    end
    def ask(what) do
      send(:churn, {what, self()})
      receive do
        {^what, answer} -> answer
        :stopped -> :stopped
      after 20_000 -> :silence end
    end
  end
  Process.register(spawn(fn -> Churn.start() end), :churn)
  ${us}`;

/** One of ours: does the same as theirs. */
class Churner {
  readonly #workers: Pid[] = [];
  readonly #refs: Reference[] = [];
  #stopped = false;
  /** How often it did something. */
  actions = 0;
  /** Workers that have answered since. */
  readonly synced = new Set<string>();

  get workers(): readonly Pid[] {
    return this.#workers;
  }

  async main(self: Process, index: number): Promise<void> {
    self.trapExit = true;
    self.send(tuple(atom('churn'), OBSERVER), tuple(atom('pid'), index + 1, self.pid));
    const first = (await self.next()) as Tuple;
    this.#workers.push(...(first.elements[1] as Pid[]));
    while (!this.#stopped) {
      this.#flush(self);
      this.#act(self, this.#workers[Math.floor(Math.random() * THEIRS)] as Pid);
      this.actions++;
      await new Promise(setImmediate);
    }
    for (;;) this.#note((await self.next()) as Tuple);
  }

  #act(self: Process, worker: Pid): void {
    const ref = this.#refs.at(-1);
    const which = Math.floor(Math.random() * 5);
    if (which === 0) self.link(worker);
    else if (which === 1) self.unlink(worker);
    else if (which < 4) this.#refs.push(self.monitor(worker));
    else if (ref !== undefined) self.demonitor(this.#refs.pop() as Reference);
  }

  #flush(self: Process): void {
    while (self.poll() !== undefined);
  }

  #note(message: Tuple): void {
    const [tag, worker] = message.elements;
    if (tag === atom('synced')) this.synced.add((worker as Pid).key);
  }

  stop(): void {
    this.#stopped = true;
  }
}

async function churn(cluster: Cluster, suite: Suite): Promise<void> {
  await using node = await BareNode.start(cluster, 'ours');
  const ours = Array.from({ length: OURS }, () => new Churner());
  try {
    await played(cluster, suite, node, ours);
  } finally {
    for (const one of ours) one.stop();
  }
}

async function played(
  cluster: Cluster,
  suite: Suite,
  node: BareNode,
  ours: readonly Churner[],
): Promise<void> {
  same(await cluster.ask(WORKERS(node.atom)), node.atom, 'start');
  const processes = ours.map((one, i) => node.system.spawn((self) => one.main(self, i)));
  const actions = (): number => ours.reduce((sum, one) => sum + one.actions, 0);
  for (let cut = 0; cut <= CUTS; cut++) {
    await until('it is up', 20_000, () => node.system.findEntry(OBSERVER)?.channel !== undefined);
    const before = actions();
    await until('all do something', 20_000, () => actions() >= before + ACTIONS);
    if (cut === CUTS) break;
    if (cut % 2 === 0) node.netKernel.disconnect(OBSERVER);
    else await cluster.ask(`:erlang.disconnect_node(${node.atom})`);
  }
  for (const one of ours) one.stop();
  same(await cluster.ask('Churn.ask(:stop)'), ':stopped', 'stop');
  await until('it is up', 20_000, async () => await node.netKernel.connectNode(OBSERVER));
  // whatever was said before these messages, on either side, has been heard when they are answered
  for (const [i, process] of processes.entries()) {
    for (const worker of ours[i]?.workers ?? []) process.send(worker, tuple(atom('sync'), process.pid));
  }
  await until('all have heard all', 20_000, () => ours.every(({ synced }) => synced.size === THEIRS));
  const entry = node.system.distEntry(OBSERVER);
  if (Number(suite.release.otp) >= 25) {
    // before, nobody acknowledged an unlink, and one that crosses a link may leave half of it
    const links = [...entry.links.values()].filter(({ active }) => active);
    const [first] = ours as readonly [Churner, ...Churner[]];
    const number = new Map(first.workers.map((worker, j) => [worker.key, j]));
    const text = links.map(({ local, remote }) => `${number.get(remote.key)}-${processes.indexOf(local)}`);
    same(`"${text.sort().join(' ')}"`, await cluster.ask('Churn.ask(:links)'), 'links');
    check([...entry.links.values()].length === links.length, 'unlinks are not acknowledged');
  }
  const counts = `{${entry.watchers.size}, ${entry.monitors.size}}`;
  same(counts, await cluster.ask('Churn.ask(:counts)'), 'monitors');
  suite.tell(`${actions()} actions of ours, ${entry.links.size} links and ${counts} monitors in the end`);
  node.netKernel.disconnect(OBSERVER);
  const { links, monitors, watchers, spawns } = entry;
  await until(
    'nothing is left',
    20_000,
    () => links.size + monitors.size + watchers.size + spawns.size === 0,
  );
  check(!node.log.some((line) => line.startsWith('error')), node.log.join('\n'));
}

export function run(suite: Suite): void {
  suite.test(
    'distribution: links and monitors of both sides at random while the connection is cut',
    (cluster) => churn(cluster, suite),
  );
}
