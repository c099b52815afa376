// The otpnode side of the benchmark: the same gen_server as bench/server.exs. Arguments: NODE COOKIE.
import { startNode } from '../../src/node.js';
import { type GenServer, start } from '../../src/stdlib/gen_server.js';
import { atom } from '../../src/terms/atom.js';
import { Tuple } from '../../src/terms/tuple.js';

const bench: GenServer<number> = {
  init: () => ({ state: 0 }),
  handleCall(request, _from, count) {
    if (request instanceof Tuple) return { state: count, reply: request.elements[1] ?? [] };
    return { state: 0, reply: count };
  },
  handleInfo: (_message, count) => ({ state: count + 1 }),
};

const [name = '', cookie = ''] = process.argv.slice(2);
const port = Number(process.env['ERL_EPMD_PORT']);
const node = await startNode({ name, cookie, epmd: { port }, listen: { host: '127.0.0.1' } });
node.spawn(async (self) => {
  await start(self, bench, [], { name: atom('bench') });
});
process.on('SIGTERM', () => void node.stop().then(() => process.exit(0)));
