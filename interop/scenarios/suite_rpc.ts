// Cases of OTP's rpc_SUITE and erpc_SUITE with otpnode as the node that is called; docs/otp-suites.md has the list.
import { setTimeout as pause } from 'node:timers/promises';
import { ErlangError, Exit, Thrown } from '../../src/errors.js';
import { atom } from '../../src/terms/atom.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Reference } from '../../src/terms/reference.js';
import type { Term } from '../../src/terms/term.js';
import { tuple } from '../../src/terms/tuple.js';
import type { Cluster } from '../cluster.js';
import { type Suite, same } from '../suite.js';
import { SuitePeer } from '../suite_peer.js';

/** The node that is called: functions for what the suites call on their peers. */
async function called(cluster: Cluster): Promise<SuitePeer> {
  const peer = await SuitePeer.start(cluster);
  const { code } = peer.node;
  code.define('peer', 'f', 1, async ([ms]) => {
    await pause(ms as number);
    return tuple(atom('hej'), peer.node.name);
  });
  code.define('peer', 'throw', 1, ([value]) => {
    throw new Thrown(value as Term);
  });
  code.define('peer', 'exit', 1, ([reason]) => {
    throw new Exit(reason as Term);
  });
  code.define('peer', 'error', 1, ([reason]) => {
    throw new ErlangError(reason as Term, [tuple(atom('peer'), atom('error'), [reason as Term], [])]);
  });
  code.define('peer', 'send', 2, ([to, message], self) => {
    self.send(to as Pid, message as Term);
    return message as Term;
  });
  // the process that runs the call is ended from outside, or by a link
  code.define('peer', 'suicide', 2, async ([how, reason], self) => {
    if (how === atom('link'))
      self.spawnLink(() => self.system.process(self.pid) && throwExit(reason as Term));
    else self.system.spawn((other) => other.exitSignal(self.pid, reason as Term));
    await pause(300);
    return atom('timeout');
  });
  code.define('peer', 'forever', 0, () => new Promise<Term>(() => {}));
  code.define('peer', 'stop', 0, () => {
    void peer.node.stop();
    return new Promise<Term>(() => {});
  });
  code.define('peer', 'make_ref', 0, (_, self) => self.makeRef() as Reference);
  return peer;
}

function throwExit(reason: Term): never {
  throw new Exit(reason);
}

type Case = readonly [name: string, body: (peer: SuitePeer) => Promise<void>];

/** Elixir: the class and value of what the code throws. */
const caught = (code: string) =>
  `try do ${code} catch :error, {:exception, r, s} -> {:error, r, is_list(s)}; k, v -> {k, v} end`;
/** Elixir: what the asking process was sent beside. */
const FLUSHED = 'receive do message -> message after 0 -> [] end';

const RPC: readonly Case[] = [
  [
    'call',
    async (peer) => {
      await peer.gives(`:rpc.call(PEER, :peer, :f, [30])`, '{:hej, PEER}');
      await peer.gives(`:rpc.call(PEER, :peer, :f, [30], 2000)`, '{:hej, PEER}');
      // the late answer goes nowhere
      await peer.gives(
        `r = :rpc.call(PEER, :peer, :f, [150], 20); Process.sleep(250); {r, ${FLUSHED}}`,
        '{{:badrpc, :timeout}, []}',
      );
    },
  ],
  [
    'call_reqtmo, timeout_limit',
    async (peer) => {
      await peer.gives(
        `{t, r} = :timer.tc(fn -> :rpc.call(PEER, :peer, :forever, [], 100) end)
         {r, t >= 100_000 and t < 600_000}`,
        '{{:badrpc, :timeout}, true}',
      );
      await peer.gives(`:rpc.call(PEER, :peer, :f, [1], 0xffffffff)`, '{:hej, PEER}');
    },
  ],
  [
    'block_call',
    async (peer) => {
      await peer.gives(`:rpc.block_call(PEER, :peer, :f, [10])`, '{:hej, PEER}');
      await peer.gives(`:rpc.block_call(PEER, :peer, :f, [10], 2000)`, '{:hej, PEER}');
      await peer.gives(
        `r = :rpc.block_call(PEER, :peer, :f, [150], 20); Process.sleep(250); {r, ${FLUSHED}}`,
        '{{:badrpc, :timeout}, []}',
      );
      // one at a time
      await peer.gives(
        `{t, r} = :timer.tc(fn ->
           1..3 |> Enum.map(fn _ -> Task.async(fn -> :rpc.block_call(PEER, :peer, :f, [60]) end) end) |> Enum.map(&Task.await/1)
         end)
         {length(r), t >= 180_000}`,
        '{3, true}',
      );
    },
  ],
  [
    'multicall, multicall_timeout',
    async (peer) => {
      await peer.gives(
        `:rpc.multicall([PEER, node()], :erlang, :node, [])`,
        '{[PEER, :"observer@127.0.0.1"], []}',
      );
      await peer.gives(
        `r = :rpc.multicall([PEER, node()], :peer, :f, [200], 50); Process.sleep(300)
         {elem(r, 1), ${FLUSHED}}`,
        '{[PEER], []}',
      );
    },
  ],
  [
    'multicall_dies, called_dies',
    async (peer) => {
      for (const [fun, args, result] of [
        [':exit', '[:normal]', '{:EXIT, :normal}'],
        [':exit', '[:abnormal]', '{:EXIT, :abnormal}'],
        [':error', '[:badarith]', '{:EXIT, :badarith}'],
        [':suicide', '[]', '{:EXIT, :undef}'],
        [':suicide', '[:link, :abnormal]', '{:EXIT, :abnormal}'],
        [':suicide', '[:exit, :abnormal]', '{:EXIT, :abnormal}'],
        [':suicide', '[:exit, :kill]', '{:EXIT, :killed}'],
      ] as const) {
        const short = `case r do {:badrpc, {:EXIT, {reason, [_ | _]}}} -> {:EXIT, reason}; {:badrpc, r} -> r; r -> r end`;
        for (const call of ['call(PEER,', 'call_infinity(PEER,', 'multicall([PEER],']) {
          const code = call.startsWith('call_infinity')
            ? `:rpc.call(PEER, :peer, ${fun}, ${args}, :infinity)`
            : `:rpc.${call} :peer, ${fun}, ${args})`;
          const one = call.startsWith('multi') ? `{[r], []} = ${code}` : `r = ${code}`;
          await peer.gives(`${one}; {${short}, ${FLUSHED}}`, `{${result}, []}`);
        }
        if (fun !== ':suicide' || args === '[]') {
          await peer.gives(`r = :rpc.block_call(PEER, :peer, ${fun}, ${args}); ${short}`, result);
        }
      }
      for (const how of [':link', ':exit']) {
        await peer.gives(`:rpc.call(PEER, :peer, :suicide, [${how}, :normal])`, ':timeout');
        // rex traps exits, as OTP's
        await peer.gives(`:rpc.block_call(PEER, :peer, :suicide, [${how}, :abnormal])`, ':timeout');
      }
    },
  ],
  [
    'called_throws',
    async (peer) => {
      for (const call of ['call', 'block_call']) {
        await peer.gives(`:rpc.${call}(PEER, :peer, :throw, [:up])`, ':up');
        await peer.gives(
          `:rpc.${call}(PEER, :peer, :throw, [{:EXIT, :reason}])`,
          '{:badrpc, {:EXIT, :reason}}',
        );
      }
    },
  ],
  [
    'async_call',
    async (peer) => {
      await peer.gives(
        `[slow, fast] = for ms <- [150, 1], do: :rpc.async_call(PEER, :peer, :f, [ms])
         {:rpc.yield(fast), :rpc.nb_yield(slow, 10), :rpc.nb_yield(slow, :infinity), ${FLUSHED}}`,
        '{{:hej, PEER}, :timeout, {:value, {:hej, PEER}}, []}',
      );
    },
  ],
  [
    'multicall_mix',
    async (peer) => {
      await peer.gives(
        `:rpc.multicall([:nodot, PEER, :"gone@127.0.0.1"], :peer, :throw, [:ball])`,
        '{[:ball], [:nodot, :"gone@127.0.0.1"]}',
      );
    },
  ],
  [
    'called_node_dies, multicall_node_dies',
    async (peer) => {
      const other = await SuitePeer.start(peer.cluster, 'dying');
      other.node.code.define('peer', 'stop', 0, () => {
        void other.node.stop();
        return new Promise<Term>(() => {});
      });
      await other.gives(`:rpc.call(PEER, :peer, :stop, [])`, '{:badrpc, :nodedown}');
      await other.gives(`{:rpc.multicall([PEER], :peer, :stop, []), ${FLUSHED}}`, '{{[], [PEER]}, []}');
    },
  ],
];

const ERPC: readonly Case[] = [
  [
    'call',
    async (peer) => {
      for (const timeout of ['10_000', ':infinity']) {
        const call = (fun: string, args: string) =>
          caught(`:erpc.call(PEER, :peer, ${fun}, ${args}, ${timeout})`);
        await peer.gives(`:erpc.call(PEER, :erlang, :node, [], ${timeout})`, 'PEER');
        await peer.gives(call(':error', '[:oops]'), '{:error, :oops, true}');
        await peer.gives(call(':exit', '[:oops]'), '{:exit, {:exception, :oops}}');
        await peer.gives(call(':throw', '[:oops]'), '{:throw, :oops}');
        await peer.gives(call(':suicide', '[:exit, :oops]'), '{:exit, {:signal, :oops}}');
        await peer.gives(call(':error', '[:a | :b]'), '{:error, :badarg, true}');
        // through apply/2,3, which re-enter what is allowed
        await peer.gives(
          caught(`:erpc.call(PEER, :erlang, :apply, [:peer, :throw, [:oops]], ${timeout})`),
          '{:throw, :oops}',
        );
      }
      await peer.gives(
        caught(`:erpc.call(PEER, :peer, :error, [:oops])`).replace('is_list(s)', 'hd(s)'),
        '{:error, :oops, {:peer, :error, [:oops], []}}',
      );
      await peer.gives(caught(':erpc.call(PEER, :peer, :f, [200], 10)'), '{:error, {:erpc, :timeout}}');
      await peer.gives(
        caught(':erpc.call(:badnodename, :erlang, :node, [])'),
        '{:error, {:erpc, :noconnection}}',
      );
      // a fun of the caller's code cannot run here: its process ends, which is no answer
      await peer.gives(
        `case (${caught('pid = self(); :erpc.call(PEER, fn -> pid end)')}) do {:error, {:badfun, _}, true} -> :badfun; o -> o end`,
        ':badfun',
      );
    },
  ],
  [
    'call_reqtmo, timeout_limit',
    async (peer) => {
      await peer.gives(
        `{t, r} = :timer.tc(fn -> ${caught(':erpc.call(PEER, :peer, :forever, [], 100)')} end)
         {r, t >= 100_000 and t < 600_000}`,
        '{{:error, {:erpc, :timeout}}, true}',
      );
      await peer.gives(':erpc.call(PEER, :peer, :f, [1], 0xffffffff)', '{:hej, PEER}');
    },
  ],
  [
    'cast, multicast',
    async (peer) => {
      for (const cast of ['cast(PEER,', 'multicast([PEER],']) {
        await peer.gives(
          `:ok = :erpc.${cast} :peer, :send, [self(), :sent]); receive do m -> m after 2000 -> :silence end`,
          ':sent',
        );
      }
      // what fails there is told nobody
      await peer.gives(
        `:ok = :erpc.cast(PEER, :peer, :error, [:x]); :ok = :erpc.cast(PEER, :no_such, :f, [])
         :erpc.call(PEER, :erlang, :node, []); ${FLUSHED}`,
        '[]',
      );
    },
  ],
  [
    'send_request',
    async (peer) => {
      await peer.gives(
        `[one, two, three] = [:erpc.send_request(PEER, :peer, :f, [1]), :erpc.send_request(PEER, :peer, :f, [150]),
                              :erpc.send_request(PEER, :peer, :error, [:bang])]
         {${caught(':erpc.receive_response(three, 1000)')}, :erpc.wait_response(two), :erpc.wait_response(two, 10),
          :erpc.receive_response(one), :erpc.wait_response(two, :infinity), ${FLUSHED}}`,
        '{{:error, :bang, true}, :no_response, :no_response, {:hej, PEER}, {:response, {:hej, PEER}}, []}',
      );
      await peer.gives(
        `id = :erpc.send_request(PEER, :peer, :f, [1])
         receive do m -> {:erpc.check_response(:other, id), :erpc.check_response(m, id)} after 2000 -> :silence end`,
        '{:no_response, {:response, {:hej, PEER}}}',
      );
    },
  ],
  [
    'send_request_receive_reqtmo, _wait_reqtmo, _check_reqtmo',
    async (peer) => {
      await peer.gives(
        `id = :erpc.send_request(PEER, :peer, :send, [self(), :here])
         slow = :erpc.send_request(PEER, :peer, :forever, [])
         {${caught(':erpc.receive_response(slow, 50)')}, :erpc.receive_response(id), ${FLUSHED}}`,
        '{{:error, {:erpc, :timeout}}, :here, :here}',
      );
    },
  ],
  [
    'multicall, multicall_reqtmo, multicall_recv_opt',
    async (peer) => {
      await peer.gives(
        `for r <- [:erpc.multicall([PEER, :"gone@127.0.0.1"], :peer, :exit, [:out]),
                   :erpc.multicall([PEER], :peer, :throw, [:up]),
                   :erpc.multicall(List.duplicate(PEER, 300), :peer, :f, [0]) |> Enum.uniq(),
                   :erpc.multicall([PEER], :peer, :forever, [], 50)], do: r`,
        '[[exit: {:exception, :out}, error: {:erpc, :noconnection}], [throw: :up], [ok: {:hej, PEER}], [error: {:erpc, :timeout}]]',
      );
    },
  ],
];

/** Since OTP 25: collections of requests. */
const COLLECTIONS: Case = [
  'send_request_receive_reqid_collection, _wait_, _check_',
  async (peer) => {
    await peer.gives(
      `ids = :erpc.reqids_new()
       ids = Enum.reduce([a: 120, b: 1], ids, fn {label, ms}, ids -> :erpc.send_request(PEER, :peer, :f, [ms], label, ids) end)
       {r1, l1, ids} = :erpc.receive_response(ids, 2000, true)
       {{:response, r2}, l2, ids} = :erpc.wait_response(ids, 2000, true)
       {l1, r1, l2, r2, :erpc.reqids_size(ids)}`,
      '{:b, {:hej, PEER}, :a, {:hej, PEER}, 0}',
    );
  },
];

export function run(suite: Suite): void {
  const named = (name: string, cases: readonly Case[]) =>
    cases.map(([of, body]): Case => [`${name}: ${of}`, body]);
  const otp = Number(suite.release.otp);
  suite.sharing(called, [
    ...named('rpc_SUITE', RPC),
    ...named('erpc_SUITE', otp >= 25 ? [...ERPC, COLLECTIONS] : ERPC),
    ['erpc_SUITE: calls of otpnode to BEAM, as call_against_ei_node has them', calling],
  ]);
}

/** The other way round: what otpnode calls on BEAM. */
async function calling(peer: SuitePeer): Promise<void> {
  const observer = atom('observer@127.0.0.1');
  const { client } = peer.node;
  const said = async (fun: string, ...args: Term[]) => {
    try {
      const value = await client.apply(observer, atom('erlang'), atom(fun), args, { timeoutMs: 5000 });
      return value === observer ? 'node' : 'a value';
    } catch (error) {
      if (error instanceof Thrown) return 'thrown';
      if (error instanceof Exit) return 'exit';
      return error instanceof ErlangError ? 'error' : String(error);
    }
  };
  same(await said('node'), 'node', 'node/0');
  same(await said('throw', atom('x')), 'thrown', 'throw/1');
  same(await said('exit', atom('x')), 'exit', 'exit/1');
  same(await said('error', atom('x')), 'error', 'error/1');
  same(await said('no_such_function'), 'error', 'undef');
  const late = client.apply(observer, atom('timer'), atom('sleep'), [1000], { timeoutMs: 50 });
  const code = await late.then(
    () => 'an answer',
    (error: { code?: string }) => error.code,
  );
  same(String(code), 'timeout', 'a call that takes too long');
}
