// The program that `startEpmd` runs as a process of its own: serves until it is killed, and tells its parent once
// whether it listens. It loads nothing but the server.

import { startEpmdServer } from '../dist/epmd.js';
import { type DaemonReport, isInUse } from '../dist/epmd_start.js';
import { parseEpmd } from './epmd_main.js';

function report(what: DaemonReport): void {
  // The parent may be gone already, which is no reason not to serve.
  process.send?.(what, undefined, undefined, () => {
    if (process.connected) process.disconnect();
  });
}

try {
  const server = await startEpmdServer(parseEpmd(process.argv.slice(2), {}).server);
  report({ listening: server.port });
  await server.ended;
} catch (error) {
  report({ error: (error as Error).message, inUse: isInUse(error) });
}
