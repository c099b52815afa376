// The otpnodes of a crowd, all in one Node.js process, asked as crowd.erl is: lines {Node, Id, Request}. of the standard
// input, answered with "@Id Result". Arguments: OPTIONS (JSON) NODE…; what node N logs is a line "N: [level] text".
import { createInterface } from 'node:readline';
import type { Process } from '../../src/erts/process.js';
import {
  NOTIFY_ALL_NAME,
  RANDOM_EXIT_NAME,
  RANDOM_NOTIFY_NAME,
  type ResolveFunction,
} from '../../src/kernel/global.js';
import * as rpc from '../../src/kernel/rpc.js';
import { type Node, startNode } from '../../src/node.js';
import type { NodeOptions } from '../../src/node_options.js';
import { call } from '../../src/stdlib/gen.js';
import { parseTerm } from '../../src/syntax/erl_parse.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { compare, equals } from '../../src/terms/order.js';
import { Pid } from '../../src/terms/pid.js';
import type { Term } from '../../src/terms/term.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';

/** What a crowd's otpnodes are started with beside their names. */
export type CrowdNodeOptions = Pick<
  NodeOptions,
  'cookie' | 'netTicktime' | 'preventOverlappingPartitions'
> & {
  readonly host: string;
};

type Step = (self: Process) => Promise<Tuple[]>;

const KILL = atom('kill');
const GLOBAL_NAME_SERVER = atom('global_name_server');

class CrowdNode {
  readonly #node: Node;
  readonly #methods: Readonly<Record<string, Term>>;
  /** Who holds locks, by resource, and which ones with their nodes. */
  readonly #holders = new Map<string, { readonly self: Process; locked: (readonly [Tuple, Atom[]])[] }>();

  constructor(node: Node) {
    this.#node = node;
    const keepGreater: ResolveFunction = (_self, _name, pid1, pid2) =>
      compare(pid1.node, pid2.node) > 0 ? pid1 : pid2;
    this.#methods = {
      random_exit_name: RANDOM_EXIT_NAME,
      random_notify_name: RANDOM_NOTIFY_NAME,
      notify_all_name: NOTIFY_ALL_NAME,
      keep_greater: node.global.resolver('keep_greater', keepGreater),
      none: node.global.resolver('none', () => atom('none')),
      bad: node.global.resolver('bad', () => atom('bad_answer')),
      crash: node.global.resolver('crash', (self) => self.exit(atom('crash'))),
    };
  }

  /** The result of a request, made in a process of its own. */
  request(request: Term): Promise<Term> {
    return new Promise((resolve) => {
      this.#node.spawn(async (self) => {
        const [what, ...args] = request instanceof Tuple ? request.elements : [request];
        resolve(await this.#do(self, (what as Atom).name, args as Term[]));
      });
    });
  }

  async #do(self: Process, what: string, args: readonly Term[]): Promise<Term> {
    const { system, global, netKernel, auth } = this.#node;
    switch (what) {
      case 'connect':
        return this.#node.connect(args[0] as Atom);
      case 'disconnect':
        return netKernel.disconnect(args[0] as Atom);
      case 'cookie':
        auth.setDefaultCookie((args[0] as Atom).name);
        return true;
      case 'rpc':
        return rpc.call(self, ...(args as [Atom, Atom, Atom, Term[]]));
      case 'nodes':
        return system.nodes().sort(compare);
      case 'known':
      case 'synced':
        return [...((await call(self, GLOBAL_NAME_SERVER, atom(`get_${what}`))) as Term[])].sort(compare);
      case 'names':
        return global
          .registeredNames()
          .map((name) => tuple(name, place(global.whereisName(name))))
          .sort(compare);
      case 'locks':
        return global.locks();
      case 'waiting':
        return system
          .processes()
          .filter((process) => process !== self && process.mailbox.size > 0)
          .map((process) => tuple(process.pid, process.registeredName ?? [], process.mailbox.size));
      case 'register':
        return this.#register(self, args[0] as Term, (args[1] as Atom).name);
      case 'step':
        return this.#step(args[0] as Term)(self);
      case 'leave':
        return global.disconnect();
      case 'lock':
        return this.#lock(args[0] as Tuple, args[1] as Atom[]);
      case 'unlock':
        return this.#unlock(args[0] as Tuple);
      case 'kill_locker':
        self.exitSignal(this.#holder(args[0] as Tuple).self.pid, KILL);
        return true;
      case 'traffic':
        return this.#traffic(self, args[0] as number, args[1] as Tuple[][]);
      default:
        return atom('undef');
    }
  }

  /** A process holds the locks of a resource; it tries once. */
  async #lock(id: Tuple, nodes: readonly Atom[]): Promise<boolean> {
    const holder = this.#holder(id);
    holder.locked.push([id, [...nodes]]);
    return this.#node.global.setLock(holder.self, id, nodes, 0);
  }

  async #unlock(id: Tuple): Promise<boolean> {
    const holder = this.#holder(id);
    const own = holder.locked.filter(([other]) => equals(other, id));
    for (const [, nodes] of own) await this.#node.global.delLock(holder.self, id, nodes);
    holder.locked = holder.locked.filter((lock) => !own.includes(lock));
    return true;
  }

  #holder(id: Tuple) {
    const resource = format(id.elements[0] as Term);
    let holder = this.#holders.get(resource);
    if (holder?.self.alive !== true) {
      holder = { self: this.#node.system.spawn(() => new Promise(() => {})), locked: [] };
      this.#holders.set(resource, holder);
    }
    return holder;
  }

  async #register(self: Process, name: Term, method: string): Promise<boolean> {
    const pid = this.#live();
    const registered = await this.#node.global.registerName(self, name, pid, this.#methods[method]);
    if (!registered) self.exitSignal(pid, KILL);
    return registered;
  }

  /** A process that takes every message. */
  #live(): Pid {
    return this.#node.spawn(async (self) => {
      for (;;) await self.next();
    });
  }

  /** Runs each program again and again in a process of its own, until the time is over; the locks that were held. */
  async #traffic(self: Process, ms: number, programs: readonly (readonly Term[])[]): Promise<Term> {
    const end = performance.now() + ms;
    const workers = programs.map(
      (program) =>
        new Promise<Tuple[]>((resolve) => {
          self.spawn(async (worker) => {
            const held: Tuple[] = [];
            for (let i = 0; performance.now() < end; i = (i + 1) % program.length) {
              held.push(...(await this.#step(program[i] as Term)(worker)));
            }
            resolve(held);
          });
        }),
    );
    return (await Promise.all(workers)).flat();
  }

  #step(step: Term): Step {
    const { global } = this.#node;
    const [what, key, ms] = (step instanceof Tuple ? step.elements : [step]) as [Atom, Term, Term];
    const none = <T>(work: (self: Process) => T): Step => {
      return async (self) => {
        await work(self);
        return [];
      };
    };
    const everywhere = () => [this.#node.name, ...this.#node.system.nodes()];
    switch (what.name) {
      case 'register':
        return none((self) => this.#register(self, key, 'random_exit_name'));
      case 're_register':
        return none((self) => global.reRegisterName(self, key, this.#live()));
      case 'unregister':
        return none((self) => global.unregisterName(self, key));
      case 'kill':
        return none((self) => {
          const pid = global.whereisName(key);
          if (pid !== undefined) self.exitSignal(pid, KILL);
        });
      case 'send':
        return none((self) => {
          if (global.whereisName(key) !== undefined) global.send(self, key, atom('hello'));
        });
      case 'sync':
        return none(() => global.sync());
      case 'pause':
        return none((self) => self.next(key as number));
      case 'trans':
        return async (self) => {
          const held = await global.trans(self, tuple(key, self.pid), () => hold(self, key, ms as number));
          return held === 'aborted' ? [] : held;
        };
      case 'try_lock':
        return async (self) => {
          const [id, nodes] = [tuple(key, self.pid), everywhere()];
          if (!(await global.setLock(self, id, nodes, 0))) return [];
          const held = await hold(self, key, ms as number);
          await global.delLock(self, id, nodes);
          return held;
        };
      case 'die_locked':
        return none(
          () =>
            new Promise<void>((resolve) => {
              this.#node.system
                .spawn(async (self) => {
                  await global.setLock(self, tuple(key, self.pid), everywhere(), 1);
                })
                .signal.addEventListener('abort', () => resolve());
            }),
        );
      default:
        throw new Error(`${format(step)} is no step`);
    }
  }
}

async function hold(self: Process, resource: Term, ms: number): Promise<Tuple[]> {
  const from = now();
  await self.next(ms);
  return [tuple(resource, from, now())];
}

/** Microseconds since the epoch. */
function now(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** Where a process is, the same text on every node. */
function place(pid: Pid | undefined): Term {
  return pid instanceof Pid ? tuple(pid.node, pid.number, pid.serial) : atom('undefined');
}

const [options = '{}', ...names] = process.argv.slice(2);
const { host, ...node } = JSON.parse(options) as CrowdNodeOptions;
const nodes = new Map<string, CrowdNode>();
for (const name of names) {
  const started = await startNode({
    ...node,
    name,
    // one that we started would outlive a test that fails at its start
    epmd: { port: Number(process.env['ERL_EPMD_PORT']), start: false },
    listen: { host },
    log: (level, text, fields) => {
      for (const line of `${text} ${String(fields?.['error'] ?? '')}`.trimEnd().split('\n')) {
        console.log(`${name}: [${level}] ${line}`);
      }
    },
  });
  nodes.set(name, new CrowdNode(started));
}
createInterface({ input: process.stdin }).on('line', async (line) => {
  const [name, id, request] = (parseTerm(line) as Tuple).elements as [Atom, number, Term];
  const result = await (nodes.get(name.name) as CrowdNode).request(request);
  console.log(`@${id} ${format(result, { style: 'w' })}`);
});
process.stdin.on('end', () => process.exit(0));
console.log('ready');
