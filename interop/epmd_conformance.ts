// Our EPMD against BEAM's: the same bytes are sent to both, and the answers must be the same; then BEAM's own
// clients ask ours. Alone: node build/interop/run.js --only EPMD
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type EpmdServer, startEpmdServer } from '../src/dist/epmd.js';
import type { Cluster } from './cluster.js';
import { freePort } from './epmd_names.js';
import { until } from './processes.js';
import { check, type Suite, same } from './suite.js';

// --- requests ----------------------------------------------------------------------------------------------------

function request(body: Buffer | string): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return Buffer.concat([u16(bytes.length), bytes]);
}

interface Alive2 {
  readonly name: string | Buffer;
  readonly type?: number;
  readonly protocol?: number;
  readonly highest?: number;
  readonly lowest?: number;
  readonly extra?: Buffer;
  /** Bytes behind the extra field. */
  readonly more?: string;
  /** Told instead of the true lengths. */
  readonly nameLength?: number;
  readonly extraLength?: number;
}

function alive2(node: Alive2): Buffer {
  const name = Buffer.from(node.name as string);
  const extra = node.extra ?? Buffer.alloc(0);
  return request(
    Buffer.concat([
      Buffer.of(120, 0x12, 0x34, node.type ?? 77, node.protocol ?? 0),
      u16(node.highest ?? 6),
      u16(node.lowest ?? 5),
      u16(node.nameLength ?? name.length),
      name,
      u16(node.extraLength ?? extra.length),
      extra,
      Buffer.from(node.more ?? ''),
    ]),
  );
}

function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255);
}

// --- one conversation --------------------------------------------------------------------------------------------

/** What was said to one server, and what it answered, without what may differ. */
class Transcript {
  readonly lines: string[] = [];
  readonly #port: number;
  readonly #kept: Socket[] = [];
  /** By name: the first creation is the time, later ones are told as what they are more. */
  readonly #first = new Map<string, number>();

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends, in as many writes as there are chunks; notes the answer and whether the connection is open afterwards. */
  async ask(what: string, ...chunks: Buffer[]): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    socket.setNoDelay(true);
    this.#kept.push(socket);
    const { answer, end } = await this.#talk(socket, chunks);
    this.lines.push(`${what}: ${this.#plain(what, answer)} ${end}`);
    return socket;
  }

  /** Says more on a connection. */
  async more(what: string, socket: Socket, ...chunks: Buffer[]): Promise<void> {
    const { answer, end } = await this.#talk(socket, chunks);
    this.lines.push(`${what}: ${this.#plain(what, answer)} ${end}`);
  }

  /** Ends a connection and waits until its name is gone. */
  async leave(name: string, socket: Socket, how: 'end' | 'reset' = 'end'): Promise<void> {
    if (how === 'end') socket.end();
    else socket.resetAndDestroy();
    await until(`${name} is gone`, 20_000, async () => {
      const known = connect(this.#port, '127.0.0.1');
      const { answer } = await this.#talk(known, [request(`z${name}`)]);
      return answer.equals(Buffer.of(119, 1));
    });
    this.lines.push(`${name} left`);
  }

  close(): void {
    for (const socket of this.#kept) socket.destroy();
  }

  /** Sends; all that is answered, and whether the connection is still open when the server has done what it does. */
  async #talk(socket: Socket, chunks: readonly Buffer[]): Promise<{ answer: Buffer; end: string }> {
    const answer: Buffer[] = [];
    const take = (chunk: Buffer): void => void answer.push(chunk);
    const closed = new Promise<string>((resolve) => {
      if (socket.closed) resolve('closed');
      else socket.once('close', () => resolve('closed'));
    });
    socket.on('data', take);
    socket.on('error', () => {});
    for (const chunk of chunks) {
      socket.write(chunk);
      await turn();
    }
    const end = await Promise.race([
      closed,
      this.#quiet(socket, answer).then(() => closedOrOpen(socket, closed)),
    ]);
    socket.off('data', take);
    return { answer: Buffer.concat(answer), end };
  }

  /**
   * Resolves when the server has read all that was sent and answered it: a server that serves one connection after
   * the other has done so when it has answered two later requests of others.
   */
  async #quiet(socket: Socket, answer: readonly Buffer[]): Promise<void> {
    for (let seen = -1; seen !== answer.length && !socket.destroyed; ) {
      seen = answer.length;
      for (let i = 0; i < 2; i++) await asked(this.#port);
      for (let i = 0; i < 3; i++) await turn();
    }
  }

  #plain(what: string, answer: Buffer): string {
    const tag = answer[0];
    if (tag === 118 && answer[1] === 0 && answer.length === 6) {
      const creation = answer.readUInt32BE(2);
      const first = this.#first.get(what) ?? creation;
      this.#first.set(what, first);
      return `118 0 first+${creation - first}`;
    }
    if (tag === 121 && answer[1] === 0 && answer.length === 4) {
      // 1, 2 or 3, which follow from the creation that version 6 would have given.
      const first = this.#first.get(what);
      const creation = answer.readUInt16BE(2);
      const told = first === undefined ? creation > 0 && creation < 4 : (3 + creation - (first % 3)) % 3;
      return `121 0 ${told}`;
    }
    // The port of the server itself, and the numbers of its sockets.
    if (answer.length >= 4 && answer.readUInt32BE(0) === this.#port) {
      return `PORT ${JSON.stringify(answer.toString('latin1', 4).replaceAll(/fd = \d+/g, 'fd = N'))}`;
    }
    return answer.toString('hex');
  }
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** `closed` if the other side has closed, when this side has noticed as well. */
async function closedOrOpen(socket: Socket, closed: Promise<string>): Promise<string> {
  return socket.readableEnded || socket.destroyed ? closed : 'open';
}

/** Asks for the names, on a connection of its own, and waits until that is over. */
function asked(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(NAMES_REQ));
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
}

// --- the conversations -------------------------------------------------------------------------------------------

const LONG = 'x'.repeat(255);
const NAMES_REQ = request('n');
const DUMP_REQ = request('d');

type Conversation = (to: Transcript) => Promise<void>;

const conversations: Readonly<Record<string, Conversation>> = {
  'registers, looks up, lists': async (to) => {
    await to.ask('names of nobody', NAMES_REQ);
    await to.ask('dump of nobody', DUMP_REQ);
    await to.ask('unknown', request('znobody'));
    await to.ask('a', alive2({ name: 'a' }));
    await to.ask('hidden', alive2({ name: 'b', type: 72, protocol: 3, extra: Buffer.from([1, 0, 255]) }));
    await to.ask('bytes behind', alive2({ name: 'c', more: 'more' }));
    await to.ask('taken', alive2({ name: 'a' }));
    await to.ask('taken, version 5', alive2({ name: 'a', highest: 5 }));
    for (const name of ['a', 'a\0', 'b', 'c', 'A', '']) await to.ask(`look up ${name}`, request(`z${name}`));
    await to.ask('names', NAMES_REQ);
    await to.ask('names, with more', request('nmore'));
    await to.ask('dump', DUMP_REQ);
    await to.ask('kill', request('k'));
    await to.ask('stop', request('sa'));
  },
  'what a registered connection may do': async (to) => {
    const one = await to.ask('a', alive2({ name: 'a' }));
    await to.more('a byte', one, Buffer.of(0));
    await to.ask('gone', request('za'));
    const two = await to.ask('a', alive2({ name: 'a' }));
    await to.leave('a', two);
    const three = await to.ask('a', alive2({ name: 'a' }));
    await to.leave('a', three, 'reset');
    const refused = await to.ask('invalid', alive2({ name: Buffer.of(0xff, 0xfe) }));
    await to.more('a byte after a refusal', refused, Buffer.of(0));
    await to.ask('names', NAMES_REQ);
    await to.ask('dump', DUMP_REQ);
  },
  'creations of one name': async (to) => {
    for (let start = 0; start < 3; start++) await to.leave('a', await to.ask('a', alive2({ name: 'a' })));
    for (const name of ['b', 'c', 'd']) await to.leave(name, await to.ask(name, alive2({ name })));
    await to.leave('b', await to.ask('b', alive2({ name: 'b' })));
    await to.ask('dump', DUMP_REQ);
    await to.ask('a', alive2({ name: 'a' }));
    await to.ask('names', NAMES_REQ);
    await to.ask('dump', DUMP_REQ);
  },
  versions: async (to) => {
    for (const highest of [0, 4, 6, 7, 65535])
      await to.ask(`n${highest}`, alive2({ name: `n${highest}`, highest }));
    for (const highest of [6, 5, 5, 5, 6, 4]) {
      await to.leave('v', await to.ask('v', alive2({ name: 'v', highest })));
    }
    await to.ask('lowest', alive2({ name: 'low', lowest: 7 }));
    for (const name of ['n0', 'n4', 'n7', 'n65535', 'low'])
      await to.ask(`look up ${name}`, request(`z${name}`));
  },
  'names of every kind': async (to) => {
    await to.ask('255', alive2({ name: LONG }));
    await to.ask('256', alive2({ name: `${LONG}y` }));
    await to.ask('255 of two bytes', alive2({ name: 'ü'.repeat(255) }));
    await to.ask('256 of two bytes', alive2({ name: 'ü'.repeat(256) }));
    await to.ask('255 of four bytes', alive2({ name: '😀'.repeat(255) }));
    await to.ask('no UTF-8', alive2({ name: Buffer.of(97, 0xff) }));
    await to.ask('half a character', alive2({ name: Buffer.of(97, 0xc3) }));
    await to.ask('overlong', alive2({ name: Buffer.of(0xc0, 0x80) }));
    await to.ask('surrogate', alive2({ name: Buffer.of(0xed, 0xa0, 0x80) }));
    await to.ask('beyond Unicode', alive2({ name: Buffer.of(0xf4, 0x90, 0x80, 0x80) }));
    await to.ask('NUL', alive2({ name: 'a\0b' }));
    await to.ask('blank', alive2({ name: 'a b' }));
    await to.ask('with host', alive2({ name: 'a@b' }));
    await to.ask('none', alive2({ name: '' }));
    await to.ask('none, bytes behind', alive2({ name: '', more: 'x' }));
    await to.ask('look up 255', request(`z${LONG}`));
    await to.ask('look up 256', request(`z${LONG}y`));
    await to.ask('look up two bytes', request(Buffer.from(`z${'ü'.repeat(255)}`)));
    await to.ask('look up no UTF-8', request(Buffer.of(122, 97, 0xff)));
    await to.ask('look up NUL', request('za\0b'));
    await to.ask('look up two NULs', request('za\0\0'));
    await to.ask('look up only NUL', request('z\0'));
    await to.ask('look up BOM', request(Buffer.from('z\ufeffa')));
    await to.ask('names', NAMES_REQ);
  },
  'lengths that lie': async (to) => {
    await to.ask('name longer', alive2({ name: 'abc', nameLength: 4 }));
    await to.ask('name much longer', alive2({ name: 'abc', nameLength: 60000 }));
    await to.ask('name shorter', alive2({ name: 'abc', nameLength: 2 }));
    await to.ask('extra longer', alive2({ name: 'abd', extraLength: 1 }));
    await to.ask('extra shorter', alive2({ name: 'abe', extra: Buffer.from('xyz'), extraLength: 1 }));
    for (const size of [1019, 1020, 1021, 1500]) {
      await to.ask(`extra of ${size}`, alive2({ name: `e${size}`, extra: Buffer.alloc(size, 1) }));
    }
    await to.ask('names', NAMES_REQ);
    await to.ask('look up abe', request('zabe'));
    for (const size of [0, 3054, 3055, 3056, 3057, 3058, 3059, 3060, 3061, 4000, 65535]) {
      await to.ask(`request of ${size}`, Buffer.concat([u16(size), Buffer.alloc(size, 'n')]));
    }
    await to.ask('only a code', request('x'), request('y'));
    for (const size of [1, 12, 13, 14]) await to.ask(`ALIVE2 of ${size}`, request(Buffer.alloc(size, 120)));
  },
  'pieces and pairs': async (to) => {
    const whole = alive2({ name: 'abc' });
    await to.ask('byte by byte', ...Array.from(whole, (byte) => Buffer.of(byte)));
    await to.ask('two requests in one', Buffer.concat([NAMES_REQ, NAMES_REQ]));
    await to.ask('a request and a byte', Buffer.concat([alive2({ name: 'abd' }), Buffer.of(0)]));
    await to.ask('half a request', whole.subarray(0, 9));
    await to.ask('one byte', Buffer.of(0));
    for (const code of [0, 1, 97, 113, 119, 255]) await to.ask(`code ${code}`, request(Buffer.of(code, 97)));
    await to.ask('names', NAMES_REQ);
  },
};

const relaxed: Readonly<Record<string, Conversation>> = {
  'the relaxed commands': async (to) => {
    const one = await to.ask('a', alive2({ name: 'a' }));
    await to.ask('b', alive2({ name: 'b' }));
    await to.ask('stop nobody', request('snobody'));
    await to.ask('stop nothing', request('s'));
    await to.ask('stop', request('sa'));
    await to.more('the stopped connection', one);
    await to.ask('stop again', request('sa'));
    await to.ask('names', NAMES_REQ);
    await to.ask('kill', request('k'));
  },
};

// --- the tests -----------------------------------------------------------------------------------------------------

/** Starts BEAM's epmd, has the conversation with it and with ours, and compares. */
async function compare(cluster: Cluster, conversation: Conversation, isRelaxed: boolean): Promise<void> {
  const port = await freePort();
  const words = ['-port', String(port), ...(isRelaxed ? ['-relaxed_command_check'] : [])];
  const beam = cluster.run('epmd', [join(cluster.release.bin, 'epmd'), ...words]);
  await until('epmd listens', 20_000, () => answers(port));
  const ours = await startEpmdServer({
    port: 0,
    addresses: ['127.0.0.1'],
    relaxedCommandCheck: isRelaxed,
  });
  const transcripts = [new Transcript(port), new Transcript(ours.port)] as const;
  try {
    await Promise.all(transcripts.map((transcript) => conversation(transcript)));
    const [theirs, own] = transcripts;
    for (const [i, line] of theirs.lines.entries()) same(own.lines[i] ?? 'nothing', line, `line ${i}`);
    check(own.lines.length === theirs.lines.length, 'ours said more');
  } finally {
    for (const transcript of transcripts) transcript.close();
    ours.close();
    await beam.kill();
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** BEAM's programs against our server. */
async function beamClients(cluster: Cluster): Promise<void> {
  const server: EpmdServer = await startEpmdServer({ port: 0, addresses: ['127.0.0.1'] });
  const env = { ERL_EPMD_PORT: String(server.port) };
  const run = async (...command: string[]): Promise<string> => {
    const [program, ...args] = command;
    const proc = cluster.run(command.join(' '), [join(cluster.release.bin, program as string), ...args], env);
    await proc.exited;
    return proc.output();
  };
  const erl = (name: string, code: string): Promise<string> =>
    run('erl', '-noinput', '-start_epmd', 'false', '-name', `${name}@127.0.0.1`, '-eval', `${code}, halt().`);
  try {
    const print =
      'io:format("~p ~p ~p~n", [element(1, net_adm:names()), erl_epmd:names("127.0.0.1"), erlang:system_info(creation)])';
    const first = await erl('abc', print);
    check(/^ok \{ok,\[\{"abc",\d+\}\]\} \d+$/.test(first), `the node saw ${first}`);
    const second = await erl('abc', print);
    const creation = (text: string): number => Number(/(\d+)$/.exec(text)?.[1]);
    check(creation(second) === creation(first) + 1, `creations ${creation(first)} and ${creation(second)}`);

    const node = cluster.run(
      'def',
      [join(cluster.release.bin, 'erl'), '-noinput', '-start_epmd', 'false', '-name', 'def@127.0.0.1'],
      env,
    );
    await until('def is registered', 20_000, async () =>
      (await run('epmd', '-names')).includes('name def at port'),
    );
    check((await run('epmd', '-kill')).includes('Killing not allowed'), 'a kill was allowed');
    const names = await run('epmd', '-names');
    check(
      new RegExp(`^epmd: up and running on port ${server.port} with data:\nname def at port \\d+$`).test(
        names,
      ),
      names,
    );
    const twin = await erl('def', 'ok');
    check(/seems to be in use|duplicate_name/.test(twin), `a second node of the name said ${twin}`);
    await node.kill();
    await until('def is gone', 20_000, async () => !(await run('epmd', '-names')).includes('def'));
    check((await run('epmd', '-dump')).includes('old/unused name <def>'), 'the dump does not tell what was');
    same(await run('epmd', '-kill'), 'Killed', 'epmd -kill');
    await server.ended;
  } finally {
    server.close();
  }
}

export function run(suite: Suite): void {
  for (const [name, conversation] of Object.entries(conversations)) {
    suite.test(`EPMD: ${name}`, (cluster) => compare(cluster, conversation, false), { epmd: 'none' });
  }
  for (const [name, conversation] of Object.entries(relaxed)) {
    suite.test(`EPMD: ${name}`, (cluster) => compare(cluster, conversation, true), { epmd: 'none' });
  }
  suite.test("EPMD: BEAM's own programs ask ours", beamClients, { epmd: 'none' });
}
