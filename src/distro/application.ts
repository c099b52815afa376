// The tutorial's application `distro`, as a user would write it: one calculator for the whole cluster, under a
// supervisor. Only `otpnode` itself is imported.
import {
  type Application,
  type ApplicationStart,
  Atom,
  atom,
  type Process,
  supervisor,
  type Term,
  Tuple,
} from '../index.js';
import * as DistroCal from './distro_cal.js';

const distro: Application = {
  spec: {
    name: 'distro',
    description: 'distro',
    vsn: '0.1.0',
    module: 'Elixir.Distro',
    applications: ['kernel', 'stdlib'],
    registered: ['Elixir.Distro.Supervisor'],
  },

  async start(type: Term, _args: Term, self: Process): Promise<ApplicationStart> {
    self.system.log('info', `Distro application in ${inspect(type)} mode`);
    // Only the first start takes the name over; when the supervisor restarts the calculator, the name is free.
    let takeOver = isTakeover(type);
    const calculator: supervisor.ChildSpec = {
      id: DistroCal.MODULE,
      start: async (parent) => {
        const started = await DistroCal.startLink(parent, { takeOver });
        if ('ok' in started) takeOver = false;
        return started;
      },
      modules: [DistroCal.MODULE],
    };
    const started = await supervisor.startLink(
      self,
      { strategy: 'one_for_one', intensity: 3, periodMs: 5000 },
      [calculator],
      { name: atom('Elixir.Distro.Supervisor') },
    );
    if ('ok' in started) return { ok: started.ok };
    return { error: 'error' in started ? started.error : atom('ignore') };
  },

  prepStop(state: unknown, self: Process): unknown {
    self.system.log('info', 'Distro application about to stop');
    return state;
  },

  stop(_state: unknown, self: Process): void {
    self.system.log('info', 'Distro application stopped');
  },

  // What other nodes reach with rpc: Distro.DistroCal.add(1, 2).
  functions: {
    [`${DistroCal.MODULE.name}:add/2`]: ([x, y], self) => DistroCal.add(self, x as Term, y as Term),
  },
};

export default distro;

/** `{takeover, Node}`: the application still runs on that node, and ends there once it has started here. */
function isTakeover(type: Term): boolean {
  return type instanceof Tuple && type.elements[0] === atom('takeover');
}

/** A start type as Elixir shows it: `:normal`, `{:takeover, :"abc@127.0.0.1"}`. */
function inspect(type: Term): string {
  if (type instanceof Tuple) return `{${type.elements.map(inspect).join(', ')}}`;
  if (!(type instanceof Atom)) return String(type);
  return /^[a-z_]\w*$/.test(type.name) ? `:${type.name}` : `:${JSON.stringify(type.name)}`;
}
