// What an EPMD says is registered, asked with its own NAMES_REQ; and free ports for one.
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

/** A port of the loopback that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
