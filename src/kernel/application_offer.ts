// What other nodes may ask about our applications by `rpc` and `erpc`; what changes something only when allowed.

import { ErlangError } from '../errors.js';
import type { Process } from '../erts/process.js';
import { call } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import { Pid } from '../terms/pid.js';
import type { Term } from '../terms/term.js';
import { tuple } from '../terms/tuple.js';
import type { ApplicationModule } from './applications.js';
import type { CodeServer } from './code.js';
import { DIST_AC } from './dist_ac.js';

const OK = atom('ok');
const UNDEFINED = atom('undefined');
const BADARG = atom('badarg');

/** Defines the functions of `application`, `application_controller` and `dist_ac` that remote callers may reach. */
export function offerApplications(code: CodeServer, module: ApplicationModule, control: boolean): void {
  const { controller } = module;
  const { tables } = controller;
  const ok = (value: Term | undefined): Term => (value === undefined ? UNDEFINED : tuple(OK, value));
  for (const name of ['application', 'application_controller']) {
    code.define(name, 'which_applications', 0, () => controller.whichApplications());
    code.define(name, 'which_applications', 1, () => controller.whichApplications());
    code.define(name, 'loaded_applications', 0, () => tables.loadedApplications());
    code.define(name, 'info', 0, () => controller.info());
    code.define(name, 'get_env', 2, ([app, key]) => ok(tables.getEnv(nameIn(app), nameIn(key))));
    code.define(name, 'get_all_env', 1, ([app]) => tables.getAllEnv(nameIn(app)));
    code.define(name, 'get_key', 2, ([app, key]) => ok(tables.getKey(nameIn(app), nameIn(key).name)));
  }
  code.define('application', 'get_env', 3, ([app, key, otherwise]) => {
    return tables.getEnv(nameIn(app), nameIn(key)) ?? (otherwise as Term);
  });
  code.define('application', 'get_application', 1, ([pid], self) => {
    const process = pid instanceof Pid ? self.system.process(pid) : undefined;
    return ok(tables.applicationOf(process?.groupLeader));
  });
  code.define(
    'application_controller',
    'get_master',
    1,
    ([app]) => tables.masters.get(nameIn(app)) ?? UNDEFINED,
  );
  code.define('application_controller', 'is_running', 1, ([app]) => controller.isListed(nameIn(app)));
  // how other nodes find our dist_ac when they introduce themselves
  code.define('erlang', 'whereis', 1, ([name], self) => self.system.whereis(nameIn(name))?.pid ?? UNDEFINED);
  for (const request of ['info', 'get_known_nodes']) {
    code.define('dist_ac', request, 0, (_args, self) => call(self, DIST_AC, atom(request)));
  }
  if (control) offerControl(code, module);
}

function offerControl(code: CodeServer, module: ApplicationModule): void {
  const define = (
    name: string,
    arities: readonly number[],
    body: (self: Process, args: readonly Term[]) => Promise<Term>,
  ): void => {
    for (const arity of arities) code.define('application', name, arity, (args, self) => body(self, args));
  };
  define('load', [1, 2], (self, [app, nodes]) => module.load(self, app as Term, nodes));
  define('unload', [1], (self, [app]) => module.unload(self, app as Term));
  define('start', [1, 2], (self, [app, type]) => module.start(self, app as Term, type));
  define('ensure_started', [1, 2], (self, [app, type]) => module.ensureStarted(self, app as Term, type));
  define('ensure_all_started', [1, 2], (self, [app, type]) =>
    module.ensureAllStarted(self, nameIn(app), type));
  define('stop', [1], (self, [app]) => module.stop(self, app as Term));
  define('takeover', [2], (self, [app, type]) => module.takeover(self, nameIn(app), type as Term));
  define('permit', [2], (self, [app, bool]) => module.permit(self, nameIn(app), boolean(bool)));
  define('set_env', [3, 4], (self, [app, key, value]) =>
    module.setEnv(self, nameIn(app), nameIn(key), value as Term));
  define('unset_env', [2, 3], (self, [app, key]) => module.unsetEnv(self, nameIn(app), nameIn(key)));
}

function nameIn(term: Term | undefined): Atom {
  if (term instanceof Atom) return term;
  throw new ErlangError(BADARG, [], 'the name of an application or a parameter is an atom');
}

function boolean(term: Term | undefined): boolean {
  if (typeof term === 'boolean') return term;
  throw new ErlangError(BADARG, [], 'a permission is true or false');
}
