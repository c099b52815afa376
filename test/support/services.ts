// A node with the services that remote callers reach, supervised as `kernel_sup` does.
import type { System } from '../../src/erts/system.js';
import type { CodeServer } from '../../src/kernel/code.js';
import { remoteServices } from '../../src/kernel/remote_services.js';
import { startLink } from '../../src/stdlib/supervisor.js';
import { atom } from '../../src/terms/atom.js';
import type { Pid } from '../../src/terms/pid.js';
import { inProcess, ok } from './process.js';

/** Starts them; the pid of their supervisor. */
export function startServices(system: System, code: CodeServer): Promise<Pid> {
  const children = remoteServices(system, { code, node: { netTicktime: () => 60 } });
  return inProcess(system, async (self) => {
    const pid = await ok(startLink(self, {}, children, { name: atom('kernel_sup') }));
    self.unlink(pid);
    return pid;
  });
}
