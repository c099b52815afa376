// What an EPMD says is registered, asked with its own NAMES_REQ; and free ports for one.
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** The registered names (without host) and their ports; undefined if no EPMD answers. */
export function epmdNames(port: number, host = '127.0.0.1'): Promise<Map<string, number> | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const chunks: Buffer[] = [];
    socket.setTimeout(3000, () => socket.destroy());
    socket.on('connect', () => socket.write(Buffer.from([0, 1, 110])));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      const answer = Buffer.concat(chunks);
      if (answer.length < 4) return resolve(undefined);
      const names = new Map<string, number>();
      for (const [, name, at] of answer.toString('utf8', 4).matchAll(/^name (\S+) at port (\d+)$/gm)) {
        names.set(name as string, Number(at));
      }
      resolve(names);
    });
  });
}

const LOWEST_PORT = 10_000;
/** Linux says here from where on it chooses. */
const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

/** Ports that were given out: who asked has not listened yet, perhaps. */
const given = new Set<number>();

/**
 * A port of loopback that nobody listens on. Not one that the kernel may take for a connection in the meantime, as it
 * would those that it chooses by itself.
 */
export async function freePort(): Promise<number> {
  const low = existsSync(RANGE) ? Number.parseInt(readFileSync(RANGE, 'utf8'), 10) : 32_768;
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (low - LOWEST_PORT));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
