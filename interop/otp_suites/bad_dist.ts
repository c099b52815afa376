// The cases of OTP's distribution_SUITE in which a node sends what is malformed: each time our node closes the
// connection, says why, and goes on; what came before and after is delivered.

import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { until } from '../processes.js';
import { check, same } from '../suite.js';
import { type Case, next, type SuitePeer } from './suite_peer.js';

/** Elixir: bytes to our node past all that BEAM would check. `p` is a process of ours, `me` the one that sends. */
const TOOLS = `
  :erts_debug.set_internal_state(:available_internal_state, true)
  :pong = :net_adm.ping(us)
  me = self()
  p = S.named_pid(us, :victim)
  ext = fn term -> <<131, rest::binary>> = :erlang.term_to_binary(term); rest end
  header = <<131, ?D, 0>>
  raw = fn bytes ->
    Process.put(:up, S.up?(us))
    :ok = :prim_inet.send(:erts_debug.get_internal_state({:dist_ctrl, us}), bytes)
  end
  down = fn -> {Process.get(:up), S.until(fn -> not S.up?(us) end)} end
  _ = {me, p, ext, header, raw, down}
`;

/** The line that tells why a connection was closed. */
const TOLD = /^error connection to .*: malformed message/;

/** Sends `bytes` (Elixir) and expects that our node closes the connection, with one line that tells why. */
async function refused(peer: SuitePeer, bytes: string): Promise<void> {
  const { log } = peer.node;
  const lines = log.length;
  const answer = await peer.ask(`${TOOLS} raw.(${bytes}); down.()`).catch((error: Error) => error.message);
  same(answer, '{true, true}', bytes);
  await until('a line tells why', 20_000, () => log.slice(lines).some((line) => TOLD.test(line)));
  const errors = log.slice(lines).filter((line) => TOLD.test(line));
  check(errors.length === 1, `${bytes}: ${errors.join('\n') || 'no line tells why'}`);
}

/** A process of ours gets `one`, then malformed messages come, then `two`: it gets the two, and nothing else. */
async function between(peer: SuitePeer, malformed: () => Promise<void>): Promise<void> {
  await peer.says('Node.spawn(us, :suite, :keep, [:victim]); :ok', ':ok');
  const victim = await peer.named('victim');
  victim.trapExit = true;
  await peer.says('send({:victim, us}, :one); :ok', ':ok');
  same(format(await next(victim)), 'one', 'before');
  await malformed();
  await peer.says(
    'S.until(fn -> :net_kernel.connect_node(us) end); send({:victim, us}, :two); S.echo(S.spawn_echo(us), 1)',
    'true',
  );
  const came: string[] = [];
  for (let message = victim.poll(); message !== undefined; message = victim.poll())
    came.push(format(message));
  const others = came.filter((text) => !/^\{'(EXIT|DOWN)',.*noconnection\}$/.test(text));
  same(others.join(), 'two', 'what the process of ours got');
  victim.end(atom('kill'));
}

/** Control messages that are terms, but no control messages; and whether a message comes behind them. */
const STRUCTURES: readonly (readonly [string, boolean?])[] = [
  ['{21, me, p, :normal}'],
  ['{21, me, p, :normal, :normal}'],
  ['{1}'],
  ['{4, me}'],
  ['{4, make_ref(), p}'],
  ['{4, :normal, :normal}'],
  ['{19, me, p}'],
  ['{19, me, p, :normal}'],
  ['{20, me, p}'],
  ['{20, me, p, :normal}'],
  ['{3, me, p}'],
  ['{3, make_ref(), :normal, :normal}'],
  ['{13, me, :token, p}'],
  ['{13, make_ref(), :token, :normal, :normal}'],
  ['{8, me, p}'],
  ['{8, make_ref(), :normal, :normal}'],
  ['{18, me, :token, p}'],
  ['{18, make_ref(), :token, :normal, :normal}'],
  ['{7, me}'],
  ['{7, me, :atomic}'],
  ['{7, :replace, p}'],
  ['{16, me, :"", :name}', true],
  ['{16, :replace, :"", :name, :token}', true],
  ['{6, me, :""}', true],
  ['{6, :replace, :"", p}', true],
  ['{6, :replace, :"", :name}', true],
  ['{6, me, :"", :name, {:token}}', true],
  ['{12, :"", p}', true],
  ['{12, :"", :name, :token}', true],
  ['{2, :""}', true],
  ['{2, :"", :name}', true],
  ['{2, :"", p, {:token}}', true],
];

async function structures(peer: SuitePeer): Promise<void> {
  await between(peer, async () => {
    for (const [control, payload] of STRUCTURES) {
      await refused(peer, `[header, ext.(${control})${payload === true ? ', ext.({:message})' : ''}]`);
    }
  });
}

/** Pieces of messages that do not belong together, or stop in the middle. */
async function fragments(peer: SuitePeer): Promise<void> {
  const send = (to: string) => `ext.({2, :"", ${to}})`;
  const first = (id: number, bytes: string) => `<<131, ?E, 4711::64, ${id}::64, 0, ${bytes}::binary>>`;
  const later = (id: number, bytes: string) => `<<131, ?F, 4711::64, ${id}::64, ${bytes}::binary>>`;
  const list = 'ext.(List.duplicate(255, 255))';
  const head = `(${send('p')} <> :binary.part(${list}, 0, 10))`;
  const rest = `:binary.part(${list}, 10, byte_size(${list}) - 10)`;
  // each element of a list is a frame of its own
  const frames = (all: readonly string[]) =>
    `for frame <- [${all.join(', ')}], do: raw.(frame)
     Process.put(:up, true)
     down.()`;
  const closes = async (...all: string[]) => {
    const lines = peer.node.log.length;
    same(await peer.ask(`${TOOLS} ${frames(all)}`), '{true, true}', all.join());
    await until('a line tells why', 20_000, () => peer.node.log.slice(lines).some((line) => TOLD.test(line)));
  };
  await between(peer, async () => {
    await closes(later(1, rest));
    await closes(first(3, head), later(1, rest));
    await closes(first(3, head), first(3, head));
    await closes(first(1, `(ext.({2, :"", p, :broken}) <> ${rest})`));
    // the end of the connection in the middle of a message
    await peer.says(
      `${TOOLS} raw.(${first(3, head)}); :erlang.port_close(:erts_debug.get_internal_state({:dist_ctrl, us})); down.()`,
      '{true, true}',
    );
    for (const [op, bad] of [
      [24, '<<131>>'],
      [26, '<<132>>'],
    ] as const) {
      await closes(first(1, `(ext.({${op}, me, p}) <> ${bad})`));
    }
    await closes(first(1, '(ext.({28, me, p, make_ref()}) <> <<133>>)'));
  });
}

/** Messages, headers, control messages and lists of arguments whose bytes are no terms. */
async function externals(peer: SuitePeer): Promise<void> {
  await between(peer, async () => {
    for (const bytes of [
      '[header, ext.({2, :"", p}), <<?R, 137>>]',
      '[header, ext.({2, :"", p}), <<??, 66>>]',
      '<<131, ?D, 255>>',
      '[<<131, ?D, 3, 0x88, 0x08, 0, 18>>, "fake header atom 1", <<1, 6>>, "atom 2", <<2, 6>>, "atom 3", <<104, 4, 97, 6>>, ext.(me), ext.(:""), <<?R, 137>>, ext.({:a, :message})]',
      '[header, ext.({29, make_ref(), me, me, {:suite, :wait, 1}, []}), <<?R, 137>>]',
    ]) {
      await refused(peer, bytes);
    }
    // the same requests, well formed, are served
    await peer.says(
      `${TOOLS} raw.([header, ext.({29, make_ref(), me, me, {:suite, :bounce, 1}, []}), ext.([me])])
       raw.([header, ext.({2, :"", S.spawn_echo(us)}), ext.({me, :well_formed})])
       {_, :well_formed} = S.one()
       S.up?(us)`,
      'true',
    );
  });
}

/** A message that is malformed does not harm the connection that comes after the one on which it came. */
async function connectionId(peer: SuitePeer): Promise<void> {
  await between(peer, async () => {
    await peer.says(
      `${TOOLS} raw.([header, ext.({2, :"", p}), <<?R, 137>>]); S.down(us)
       :pong = :net_adm.ping(us)
       {S.echo(S.spawn_echo(us), 1), S.up?(us)}`,
      '{true, true}',
    );
  });
}

// A message that cannot be decoded closes the connection as it comes, where BEAM waits until its receiver looks.
export const CASES: readonly Case[] = [
  ['bad_dist_structure', structures],
  ['bad_dist_fragments', fragments],
  ['bad_dist_ext_receive, _process_info, _size, _control, _spawn_request_arg_list', externals],
  ['bad_dist_ext_connection_id', connectionId],
];
