// A server whose answers take time, and that serves others meanwhile: it returns no reply, and answers later.
import {
  atom,
  type GenServer,
  genServer,
  isTagged,
  type Process,
  reply,
  type StartResult,
  tuple,
} from 'otpnode';

const FETCH = atom('fetch');
const OK = atom('ok');
const ERROR = atom('error');

/** Answers `{fetch, Key}` with `{ok, Value}` when the value is there; `look` may take as long as it likes. */
export function startLink(parent: Process, look: (key: string) => Promise<number>): Promise<StartResult> {
  const server: GenServer<null> = {
    init: () => ({ state: null }),
    handleCall(request, from, state, self) {
      if (!isTagged(request, FETCH, 2)) return { state, reply: ERROR };
      // A process of its own does the work: if it fails, the caller is told, and this server lives.
      self.spawn(async (worker) => {
        try {
          reply(worker, from, tuple(OK, await look(String(request.elements[1]))));
        } catch {
          reply(worker, from, ERROR);
        }
      });
      return { state };
    },
  };
  return genServer.startLink(parent, server, []);
}
