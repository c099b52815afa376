// The nodes of a test of `global`: otpnode (member.ts) or a bare Elixir of some release, asked the same questions.
import { join } from 'node:path';
import { type Cluster, type Kind, nodeName } from '../cluster.js';
import { type Proc, until } from '../processes.js';
import { ROOT } from '../releases.js';

const MEMBER = [process.execPath, join(ROOT, 'build', 'interop', 'global', 'member.js')];

/** Code of a BEAM node that does as `traffic` of member.ts does. */
const TRAFFIC = `fn rounds ->
  for i <- 0..(rounds - 1) do
    key = {node(), i}
    pid = spawn(fn -> Process.sleep(:infinity) end)
    :yes = :global.register_name(key, pid)
    if rem(i, 3) == 0, do: Process.exit(pid, :kill)
    if rem(i, 3) == 1, do: :global.unregister_name(key)
    :global.trans({:shared, self()}, fn -> Process.sleep(1) end)
  end
  :ok
end`;

export class Member {
  readonly role: string;
  readonly kind: Kind;
  readonly proc: Proc;
  readonly node: string;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, role: string, kind: Kind, proc: Proc) {
    this.#cluster = cluster;
    this.role = role;
    this.kind = kind;
    this.proc = proc;
    this.node = nodeName(role);
  }

  get atom(): string {
    return `:"${this.node}"`;
  }

  /** The inspected value of the command on otpnode, or of the Elixir code on BEAM. */
  async #either(command: string, code: string, timeoutMs = 20_000): Promise<string> {
    return this.kind === 'otpnode'
      ? this.#cluster.ask(`GenServer.call({:control, ${this.atom}}, ${command}, ${timeoutMs})`)
      : this.eval(code, timeoutMs);
  }

  /** Evaluates Elixir code there (BEAM only). */
  eval(code: string, timeoutMs = 20_000): Promise<string> {
    return this.#cluster.ask(`Observer.eval(${this.atom}, ${JSON.stringify(code)}, ${timeoutMs})`);
  }

  /** A call to its name server: `:get_known`. */
  async server(request: string): Promise<string> {
    return this.#cluster.ask(
      `:gen_server.call({:global_name_server, ${this.atom}}, ${request}) |> Enum.sort()`,
    );
  }

  /** Registers a process of that node; `true` or `false`. */
  async register(key: string, method = 'random_exit_name'): Promise<string> {
    const resolve = method === 'keep_second' ? 'fn _name, _pid1, pid2 -> pid2 end' : `&:global.${method}/3`;
    return this.#either(
      `{:register, ${key}, :${method}}`,
      `Process.whereis(:told) || Process.register(elem(Agent.start(fn -> [] end), 1), :told)
       loop = fn loop -> receive do told -> Agent.update(:told, &[told | &1]); loop.(loop) end end
       :global.register_name(${key}, spawn(fn -> loop.(loop) end), ${resolve}) == :yes`,
    );
  }

  async reRegister(key: string): Promise<string> {
    return this.#either(
      `{:re_register, ${key}}`,
      `:global.re_register_name(${key}, spawn(fn -> Process.sleep(:infinity) end)) == :yes`,
    );
  }

  unregister(key: string): Promise<string> {
    return this.#either(`{:unregister, ${key}}`, `:global.unregister_name(${key}) == :ok`);
  }

  /** Ends the process of that name, which is on this node. */
  end(key: string): Promise<string> {
    return this.#either(`{:end, ${key}}`, `Process.exit(:global.whereis_name(${key}), :kill)`);
  }

  /** The messages that its registered processes got. */
  told(): Promise<string> {
    return this.#either(':told', 'Agent.get(:told, & &1)');
  }

  /** All names with the node of their process, sorted. */
  names(): Promise<string> {
    const name = '{name, case :global.whereis_name(name) do :undefined -> false; pid -> node(pid) end}';
    return this.#either(':names', `for name <- Enum.sort(:global.registered_names()), do: ${name}`);
  }

  nodes(): Promise<string> {
    return this.#either(':nodes', 'Enum.sort(Node.list())');
  }

  locks(): Promise<string> {
    return this.#either(':locks', ':ets.tab2list(:global_locks)');
  }

  sync(): Promise<string> {
    return this.#either(':sync', ':global.sync()');
  }

  connect(other: Member): Promise<string> {
    return this.#either(`{:connect, ${other.atom}}`, `Node.connect(${other.atom})`);
  }

  disconnect(other: Member): Promise<string> {
    return this.#either(`{:disconnect, ${other.atom}}`, `Node.disconnect(${other.atom})`);
  }

  /** Hides a name of that otpnode from another node; `true` when that has dropped it. */
  conceal(key: string, other: Member): Promise<string> {
    return this.#cluster.ask(
      `GenServer.call({:control, ${this.atom}}, {:conceal, ${key}, ${other.atom}}, 20000)`,
    );
  }

  /** Ends the concealments of that otpnode. */
  reveal(): Promise<string> {
    return this.#cluster.ask(`GenServer.call({:control, ${this.atom}}, :reveal, 20000)`);
  }

  /** Closes its connections without parting the others from one another. */
  leave(): Promise<string> {
    return this.#either(':leave', ':global.disconnect()');
  }

  traffic(rounds: number): Promise<string> {
    return this.#either(`{:traffic, ${rounds}}`, `(${TRAFFIC}).(${rounds})`, 60_000);
  }
}

/** Starts nodes; `kinds` by role. */
export async function members(
  cluster: Cluster,
  kinds: Readonly<Record<string, Kind>>,
  prevent = true,
): Promise<Member[]> {
  const started = Object.entries(kinds).map(async ([role, kind]) => {
    if (kind !== 'otpnode') {
      const config = `[{kernel, [{prevent_overlapping_partitions, ${prevent}}]}].\n`;
      const peer = await cluster.start(role, kind, { app: false, config });
      await cluster.registered(peer);
      await peer.proc.line(/Interactive Elixir/, 15_000);
      return new Member(cluster, role, kind, peer.proc);
    }
    const proc = cluster.run(`${role} (otpnode)`, [
      ...MEMBER,
      nodeName(role),
      cluster.cookie,
      String(prevent),
    ]);
    await proc.line(/^ready$/, 15_000);
    return new Member(cluster, role, kind, proc);
  });
  return Promise.all(started);
}

/** Waits until each of these nodes knows exactly the others, is in sync with them, and has no lock. */
export async function settled(nodes: readonly Member[], timeoutMs = 30_000): Promise<void> {
  await until(`${nodes.map((node) => node.role).join(' ')} are one network`, timeoutMs, async () => {
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node).map((other) => other.atom);
      const all = `[${others.sort().join(', ')}]`;
      for (const [what, seen] of [
        ['knows', await node.server(':get_known')],
        ['is in sync with', await node.server(':get_synced')],
        ['is connected to', await node.nodes()],
      ]) {
        if (seen !== all) throw new Error(`${node.role} ${what} ${seen}`);
      }
      const locks = await node.locks();
      if (locks !== '[]') throw new Error(`${node.role} has locks ${locks}`);
    }
    return true;
  });
}

/** Waits until all have the same names; gives them. */
export async function agreed(nodes: readonly Member[], timeoutMs = 10_000): Promise<string> {
  return until('all have the same names', timeoutMs, async () => {
    const seen = await Promise.all(nodes.map((node) => node.names()));
    const differing = seen.findIndex((names) => names !== seen[0]);
    if (differing > 0) {
      throw new Error(`${nodes[0]?.role}: ${seen[0]}\n${nodes[differing]?.role}: ${seen[differing]}`);
    }
    return seen[0] as string;
  });
}
