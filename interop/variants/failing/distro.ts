// The tutorial's application with a fault: it cannot take over.
import distro from '../../../src/distro/application.js';
import {
  type Application,
  type ApplicationStart,
  atom,
  isTagged,
  type Process,
  type Term,
} from '../../../src/index.js';

const start = distro.start as NonNullable<Application['start']>;

const failing: Application = {
  ...distro,
  start(type: Term, args: Term, self: Process): ApplicationStart | Promise<ApplicationStart> {
    if (isTagged(type, atom('takeover'), 2)) return { error: atom('cannot_take_over') };
    return start(type, args, self);
  },
};

export default failing;
