// A program that uses otpnode as a library. What it has seen it tells its parent; what otpnode prints would be on its output.
import distro from '../../src/distro/application.js';
import { atom, format, startNode } from '../../src/index.js';

const [port] = process.argv.slice(2).map(Number);
const options = { cookie: 'C', epmd: { port, start: false }, listen: {} };

/** How many listeners of each event the process has. */
function listeners(): Record<string, number> {
  return Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
}

const before = listeners();
const events: string[] = [];
let during: Record<string, number>;
{
  await using node = await startNode({ ...options, name: 'used@127.0.0.1' });
  node.events.on('stopped', () => events.push('stopped'));
  during = listeners();
  await node.connect('nobody@127.0.0.1');
}
events.push('left');

const node = await startNode({ ...options, name: 'fatal@127.0.0.1' });
const stopped = new Promise<void>((done) => node.events.once('stopped', done));
node.events.on('fatal', (reason) => events.push(`fatal: ${format(reason)}`));
node.application.add(distro);
await node.application.start('distro', 'permanent');
const supervisor = node.system.whereis(atom('Elixir.Distro.Supervisor'));
node.spawn((self) => supervisor && self.exitSignal(supervisor.pid, atom('kill')));
await stopped;
// a turn later the process still lives
await new Promise(setImmediate);
process.send?.({ before, during, after: listeners(), events });
process.disconnect?.();
