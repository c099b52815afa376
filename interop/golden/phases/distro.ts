// The tutorial's application of otpnode with start phases: what interop/variants/phases is for Elixir.
import distro from '../../../src/distro/application.js';
import { type Application, atom, format, type Term } from '../../../src/index.js';

const phased: Application = {
  ...distro,
  spec: {
    ...distro.spec,
    startPhases: [
      ['warm_up', []],
      ['open', [atom('now')]],
    ],
  },
  startPhase(phase: string, type: Term, args: Term, self) {
    self.system.log('info', `Distro phase :${phase} in ${format(type)} mode with ${format(args)}`);
  },
};
export default phased;
