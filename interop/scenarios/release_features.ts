// What one release has and another lacks: identifiers wider than OTP 23 reads, messages with priority from OTP 28 on.
import type { Process } from '../../src/erts/process.js';
import * as gen from '../../src/stdlib/gen.js';
import { atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { type Tuple, tuple } from '../../src/terms/tuple.js';
import type { Cluster } from '../cluster.js';
import { Network, printed } from '../network.js';
import { until } from '../processes.js';
import { check, type Suite, same } from '../suite.js';

const WIDE = atom('wide');
/** A pid as OTP 27 may have it, and OTP 23 cannot read. */
const WIDE_PID = new Pid(atom('third@127.0.0.1'), 2 ** 30, 2 ** 20, 5);

async function answerer(self: Process): Promise<void> {
  for (;;) {
    const call = gen.parseCall((await self.next()) as Term);
    if (call !== undefined) gen.reply(self, call.from, call.request === WIDE ? WIDE_PID : call.request);
  }
}

/** The caller learns at once that the connection is gone; the server lives, and answers on the next one. */
async function wideAnswer(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ts = await network.node('ts@127.0.0.1');
  const server = ts.system.spawn(answerer, { name: atom('server') });
  const erl = network.erl(
    'erl@127.0.0.1',
    `S = {server, 'ts@127.0.0.1'}, P(gen_server:call(S, 1)),
     {'EXIT', {Why, _}} = (catch gen_server:call(S, wide, infinity)), P(Why), P(gen_server:call(S, 2))`,
  );
  same(await printed(erl), '1', 'the first answer');
  await erl.line(/^P: \{nodedown,'ts@127\.0\.0\.1'\}$/, 20_000);
  await erl.line(/^P: 2$/, 20_000);
  check(server.alive, 'the server ended');
  await network.told(/a message cannot be sent: .* older than OTP 24/);
}

/** Only what comes with priority to an alias made for it comes first. */
async function priority(cluster: Cluster): Promise<void> {
  await using network = await Network.open(cluster);
  const ts = await network.node('ts@127.0.0.1');
  const taken: string[] = [];
  ts.spawn(async (self) => {
    self.register(atom('receiver'));
    self.trapExit = true;
    const hello = (await self.next()) as Tuple;
    const aliases = [self.alias({ priority: true }), self.alias()];
    self.send(hello.elements[1] as Pid, tuple(self.pid, ...aliases));
    while (self.mailbox.size < 6) await self.yield();
    for (let message = self.poll(); message !== undefined; message = self.poll()) taken.push(format(message));
  });
  network.erl(
    'erl@127.0.0.1',
    `{receiver, 'ts@127.0.0.1'} ! {hello, self()},
     receive {Pid, Urgent, Plain} ->
       Pid ! one, erlang:send(Plain, two, [priority]), erlang:send(Urgent, three),
       erlang:send(Urgent, first, [priority]), exit(Urgent, why, [priority]), erlang:send(Urgent, third, [priority])
     end`,
  );
  await until('all are taken', 20_000, () => taken.length === 6);
  const [first, second = '', ...rest] = taken;
  check(first === 'first' && /^\{'EXIT',<erl@.*>,why\}$/.test(second), taken.join(' '));
  same(rest.join(' '), 'third one two three', 'the rest');
}

export function run(suite: Suite): void {
  const otp = Number(suite.release.otp);
  const test = (name: string, body: (cluster: Cluster) => Promise<void>): void =>
    suite.test(`distribution: ${name}`, body, { epmd: 'none' });
  if (otp === 23) test('an answer that the peer cannot read ends the connection only', wideAnswer);
  if (otp >= 28) test('messages and exits with priority', priority);
}
