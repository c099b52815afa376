// An otpnode whose `global` the tests use by calls to its server `control`. Arguments: NODE COOKIE PREVENT.
import type { Process } from '../../src/erts/process.js';
import {
  type Concealment,
  NOTIFY_ALL_NAME,
  RANDOM_EXIT_NAME,
  RANDOM_NOTIFY_NAME,
} from '../../src/kernel/global.js';
import { startNode } from '../../src/node.js';
import { reply } from '../../src/stdlib/gen.js';
import { type GenServer, start } from '../../src/stdlib/gen_server.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { compare } from '../../src/terms/order.js';
import type { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';

const [name = '', cookie = '', prevent = 'true'] = process.argv.slice(2);
const node = await startNode({
  name,
  cookie,
  epmd: { port: Number(process.env['ERL_EPMD_PORT']) },
  listen: { host: '127.0.0.1' },
  preventOverlappingPartitions: prevent === 'true',
  log: (level, text, fields) => console.log(`[${level}] ${text} ${String(fields?.['error'] ?? '')}`),
});
const { global, system } = node;

const METHODS: Record<string, Term> = {
  random_exit_name: RANDOM_EXIT_NAME,
  random_notify_name: RANDOM_NOTIFY_NAME,
  notify_all_name: NOTIFY_ALL_NAME,
  keep_second: global.resolver('keep_second', (_self, _name, _pid1, pid2) => pid2),
};

const concealed: Concealment[] = [];

/** What registered processes of this node were told. */
const told: Term[] = [];

function named(): Process {
  return system.spawn(async (self) => {
    for (;;) told.push((await self.next()) as Term);
  });
}

function pidOf(term: Term): Pid {
  return global.whereisName(term) as Pid;
}

const commands: Record<string, (self: Process, ...args: Term[]) => Term | Promise<Term>> = {
  register: (self, key, method) =>
    global.registerName(
      self,
      key as Term,
      named().pid,
      METHODS[(method as Atom | undefined)?.name ?? 'random_exit_name'],
    ),
  re_register: (self, key) => global.reRegisterName(self, key as Term, named().pid).then(() => true),
  unregister: (self, key) => global.unregisterName(self, key as Term).then(() => true),
  end: (self, key) => {
    self.exitSignal(pidOf(key as Term), atom('kill'));
    return true;
  },
  names: () =>
    [...global.registeredNames()]
      .sort(compare)
      .map((key) => tuple(key, global.whereisName(key)?.node ?? false)),
  nodes: () => system.nodes().sort(compare),
  locks: () => global.locks(),
  told: () => told,
  sync: () => global.sync().then(() => atom('ok')),
  connect: (_self, peer) => node.connect(peer as Atom),
  disconnect: (_self, peer) => node.netKernel.disconnect(peer as Atom),
  /** Hides the name from a node; `true` when that has dropped it. */
  conceal: (_self, key, peer) => {
    const hidden = global.conceal(peer as Atom, pidOf(key as Term), 5000);
    concealed.push(hidden);
    return hidden.dropped;
  },
  reveal: async () => {
    for (const hidden of concealed.splice(0)) await hidden.reveal();
    return true;
  },
  leave: () => global.disconnect(),
  /** Registers and removes names, and takes locks, that many times. */
  traffic: async (self, rounds) => {
    for (let i = 0; i < (rounds as number); i++) {
      const key = tuple(system.node, i);
      await global.registerName(self, key, named().pid);
      if (i % 3 === 0) self.exitSignal(pidOf(key), atom('kill'));
      else if (i % 3 === 1) await global.unregisterName(self, key);
      await global.trans(self, tuple(atom('shared'), self.pid), () => self.yield());
    }
    return atom('ok');
  },
  block: (_self, ms) => {
    const end = performance.now() + (ms as number);
    while (performance.now() < end);
    return atom('ok');
  },
};

const control: GenServer<null> = {
  init: () => ({ state: null }),
  handleCall(request, from, state, self) {
    const [command, ...args] = request instanceof Tuple ? request.elements : [request];
    self.system.spawn(async (worker) => {
      const run = commands[(command as Atom).name];
      reply(self, from, run === undefined ? atom('undef') : await run(worker, ...args));
    });
    return { state };
  },
};

node.spawn(async (self) => {
  await start(self, control, [], { name: atom('control') });
  console.log('ready');
});
process.on('SIGTERM', () => void node.stop().then(() => process.exit(0)));
