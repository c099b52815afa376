// The exit reasons that the runtime itself gives or looks at.
import { type Atom, atom } from '../terms/atom.js';

export const NORMAL: Atom = atom('normal');
export const KILL: Atom = atom('kill');
export const KILLED: Atom = atom('killed');
export const NOPROC: Atom = atom('noproc');
export const NOCONNECTION: Atom = atom('noconnection');
