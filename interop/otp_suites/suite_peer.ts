// What the cases of OTP's suites are played with: a visible BEAM node, and otpnode as its peer, in the test's own
// process, with functions that BEAM can spawn there as `suite:Name`.
import { readdirSync, readFileSync } from 'node:fs';
import type { Process } from '../../src/erts/process.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';
import { BareNode } from '../bare_node.js';
import { type Cluster, nodeName, type Peer } from '../cluster.js';
import { until } from '../processes.js';
import { type Suite, same } from '../suite.js';

/** Elixir for the questions to BEAM; `us` is the name of our node. */
const PRELUDE = `
  defmodule S do
    def up?(us), do: us in :erlang.nodes(:connected)
    # once global has greeted the nodes that are up: what it casts to one that is gone again connects it anew
    def greeted do
      :sys.get_state(:global_name_server)
      true
    end
    def down(us) do
      greeted()
      :erlang.disconnect_node(us)
      until(fn -> not up?(us) end)
    end
    def until(ask, left \\\\ 3000) do
      cond do
        ask.() -> true
        left == 0 -> exit(:not_so)
        true -> Process.sleep(10); until(ask, left - 1)
      end
    end
    def one(ms \\\\ 20_000) do
      receive do message -> message after ms -> :silence end
    end
    # whether the term comes back the same
    def echo(pid, term) do
      send(pid, {self(), term})
      receive do {^pid, back} -> back === term after 20_000 -> :silence end
    end
    # a process of that name that keeps the term of the first {:got, term} for who asks
    def keeper(name) do
      Process.register(spawn(fn ->
        term = receive do {:got, term} -> term end
        receive do {:ask, from} -> send(from, {name, term}) end
      end), name)
    end
    def kept(name) do
      send(name, {:ask, self()})
      receive do {^name, term} -> term after 20_000 -> :silence end
    end
    def spawn_echo(us), do: Node.spawn(us, :suite, :echo, [])
    # the pid of a process that our node knows by that name
    def named_pid(us, name) do
      ref = Process.monitor({:introducer, us})
      send({:introducer, us}, {self(), name})
      receive do
        {^name, pid} -> Process.demonitor(ref, [:flush]); pid
        {:DOWN, ^ref, _, _, reason} -> exit(reason)
      end
    end
    # sends until the connection is busy for good; the process that does it
    def fill(us) do
      :erlang.system_monitor(self(), [:busy_dist_port])
      filler = spawn(fn -> send_for_ever({:nobody, us}, :binary.copy("x", 100_000)) end)
      busy(filler, 10_000)
    end
    defp send_for_ever(to, term) do
      send(to, term)
      send_for_ever(to, term)
    end
    defp busy(filler, ms) do
      receive do
        {:monitor, ^filler, :busy_dist_port, _} -> busy(filler, 300)
      after
        ms -> filler
      end
    end
  end
  :ready`;

type RemoteFunction = (self: Process, args: readonly Term[], node: BareNode) => Promise<void> | void;

/** The next message, which is `{Pid, Term}`. */
async function nextPair(self: Process): Promise<readonly [Pid, Term]> {
  return ((await self.next()) as Tuple).elements as unknown as readonly [Pid, Term];
}

/** What BEAM spawns here: `Node.spawn(us, :suite, :echo, [])`. */
const FUNCTIONS: Readonly<Record<string, RemoteFunction>> = {
  /** `{From, Term}` is answered with `{Self, Term}`. */
  echo: async (self) => {
    for (;;) {
      const [from, term] = await nextPair(self);
      await self.sendAndDrain(from, tuple(self.pid, term));
    }
  },
  exit: (self, [reason]) => self.exit(reason as Term),
  wait: async (self) => {
    for (;;) await self.next();
  },
  /** Sends the next message to Dest and ends with it. */
  bounce: async (self, [dest]) => {
    const message = (await self.next()) as Term;
    self.send(dest as Pid, message);
    self.exit(message);
  },
  /** Counts `{term, Binary}`s and their bytes until `{done, From}`. */
  count: async (self) => {
    for (let terms = 0, bytes = 0; ; terms++) {
      const message = (await self.next()) as Tuple;
      const [, data] = message.elements;
      if (!(data instanceof Uint8Array)) return self.send(data as Pid, tuple(terms, bytes));
      bytes += data.length;
    }
  },
  /** Tells `{From, group_leader}` who is its group leader. */
  leader: async (self) => {
    for (;;) {
      const [from] = await nextPair(self);
      self.send(from, tuple(self.pid, self.groupLeader ?? []));
    }
  },
  /** Takes all that comes, exits as messages too; `{monitor, Pid}` is done and answered. */
  drop: async (self) => {
    self.trapExit = true;
    for (;;) {
      const message = await self.next();
      if (!(message instanceof Tuple) || message.elements[0] !== atom('monitor')) continue;
      self.monitor(message.elements[1] as Pid);
      self.send(message.elements[1] as Pid, atom('ok'));
    }
  },
  /** Disconnects whoever sends something; known by that name. */
  disconnect: async (self, [name], node) => {
    self.register(name as Atom);
    for (;;) {
      const [from] = await nextPair(self);
      node.netKernel.disconnect(from.node);
    }
  },
  /** Keeps what comes in its mailbox, exits as well; known by that name. */
  keep: async (self, [name]) => {
    self.trapExit = true;
    self.register(name as Atom);
    await new Promise(() => {});
  },
};

/** A case, and the first release that has what it is about. */
export type Case = readonly [name: string, body: (peer: SuitePeer) => Promise<void>, since?: number];

export class SuitePeer implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly suite: Suite;
  /** The BEAM node. */
  readonly beam: Peer;
  /** Ours. */
  readonly node: BareNode;

  private constructor(cluster: Cluster, suite: Suite, beam: Peer, node: BareNode) {
    this.cluster = cluster;
    this.suite = suite;
    this.beam = beam;
    this.node = node;
  }

  static async open(this: void, cluster: Cluster, suite: Suite): Promise<SuitePeer> {
    const beam = await cluster.start('beam', suite.release, { app: false, config: '[].\n' });
    const peer = new SuitePeer(cluster, suite, beam, await started(cluster, 'ours'));
    await cluster.registered(beam);
    await until('BEAM is ready', 20_000, async () => (await beam.eval(PRELUDE)) === ':ready');
    return peer;
  }

  /** The BEAM node's name. */
  get theirs(): Atom {
    return atom(this.beam.node);
  }

  /** Another node of ours. */
  another(role: string, options?: Parameters<typeof BareNode.start>[2]): Promise<BareNode> {
    return started(this.cluster, role, options);
  }

  /** Elixir evaluated by BEAM; `us` is our node, or the one of that role. */
  ask(code: string, role = 'ours'): Promise<string> {
    return this.beam.eval(`us = :"${nodeName(role)}"\n${code}`, 60_000);
  }

  /** Elixir evaluated by BEAM, and the value that is expected. */
  async says(code: string, answer: string, role = 'ours'): Promise<void> {
    same(await this.ask(code, role), answer, code);
  }

  /** Stops BEAM (SIGSTOP); returns when it stands still. SIGCONT lets it go on. */
  async freezeBeam(): Promise<void> {
    const { proc } = this.beam;
    proc.signal('SIGSTOP');
    await until('BEAM stands still', 20_000, () => {
      const threads = readdirSync(`/proc/${proc.pid}/task`);
      return threads.every((id) => /\) T /.test(readFileSync(`/proc/${proc.pid}/task/${id}/stat`, 'utf8')));
    });
  }

  /** Waits until a process of ours is known by that name. */
  named(name: string): Promise<Process> {
    return until(`${name} is there`, 20_000, () => this.node.system.whereis(atom(name)));
  }

  /** Waits until our side has noticed the end of the connection as well. */
  async disconnected(): Promise<void> {
    await this.says('S.down(us)', 'true');
    await until(
      'we are disconnected',
      20_000,
      () => !this.node.netKernel.nodes('connected').includes(this.theirs),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }
}

async function started(
  cluster: Cluster,
  role: string,
  options?: Parameters<typeof BareNode.start>[2],
): Promise<BareNode> {
  const node = await BareNode.start(cluster, role, options);
  node.system.remoteMain = (_module, fun, args) => (self) =>
    FUNCTIONS[format(fun)]?.(self, args, node) ?? self.exit(atom('undef'));
  node.serve('echo', async (self) => FUNCTIONS['echo']?.(self, [], node));
  node.serve('introducer', async (self) => {
    for (;;) {
      const [from, name] = await nextPair(self);
      const process = node.system.whereis(name as Atom);
      self.send(from, tuple(name, process?.pid ?? atom('undefined')));
    }
  });
  return node;
}

/** The next message of a process that keeps them. */
export function next(self: Process, timeoutMs = 20_000): Promise<Term> {
  return until('a message', timeoutMs, () => self.poll());
}
