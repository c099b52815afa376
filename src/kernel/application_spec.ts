// A loaded application, from an `AppSpec` or from the term `{application, Name, Keys}` of an `.app` file
// (OTP: application_controller:make_appl_i).
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { Application, AppSpec } from './application.js';

export interface Loaded {
  readonly name: Atom;
  readonly description: Term;
  readonly id: Term;
  readonly vsn: Term;
  readonly modules: Term;
  readonly registered: Term;
  readonly applications: readonly Atom[];
  readonly optional: readonly Atom[];
  readonly included: readonly Atom[];
  readonly env: ReadonlyMap<Atom, Term>;
  /** Undefined: a library, nothing to start. */
  readonly mod: { readonly module: Atom; readonly args: Term } | undefined;
  readonly phases: readonly { readonly phase: Atom; readonly args: Term }[] | undefined;
  /** Included applications run their start phases as well. */
  readonly phasesOfIncluded: boolean;
  readonly maxTimeMs: number | undefined;
  /** The callbacks. */
  readonly callbacks: Application | undefined;
}

/** A loaded application, or OTP's reason why it is none. */
export type Made = { readonly ok: Loaded } | { readonly error: Term };

const APPLICATION = atom('application');
const APPLICATION_STARTER = atom('application_starter');
const UNDEFINED = atom('undefined');
const INFINITY = atom('infinity');

function atoms(names: readonly string[] = []): Atom[] {
  if (Array.isArray(names)) return names.map((name: string) => atom(name));
  throw new TypeError(`${String(names)} in the specification is no list of names`);
}

export function fromSpec(callbacks: Application): Loaded {
  const spec: AppSpec = callbacks.spec;
  const starts = callbacks.start !== undefined;
  return {
    name: atom(spec.name),
    description: charlist(spec.description ?? ''),
    id: [],
    vsn: charlist(spec.vsn ?? ''),
    modules: [],
    registered: atoms(spec.registered),
    applications: atoms(spec.applications),
    optional: atoms(spec.optionalApplications),
    included: atoms(spec.includedApplications),
    env: new Map(Object.entries(spec.env ?? {}).map(([key, value]) => [atom(key), value])),
    mod: starts ? { module: atom(spec.module ?? spec.name), args: spec.args ?? [] } : undefined,
    phases: spec.startPhases?.map(([phase, args]) => ({ phase: atom(phase), args })),
    phasesOfIncluded: spec.phasesOfIncluded === true,
    maxTimeMs: spec.maxTimeMs,
    callbacks,
  };
}

/** From `{application, Name, Keys}`; `find` gives the callbacks of a module. */
export function fromTerm(term: Term, find: (module: Atom) => Application | undefined): Made {
  if (!isTagged(term, APPLICATION, 3)) return { error: tuple(atom('bad_application'), term) };
  const [, name, options] = term.elements as readonly [Atom, Term, Term];
  if (!Array.isArray(options)) return { error: tuple(atom('invalid_options'), options) };
  if (!(name instanceof Atom)) return { error: tuple(atom('invalid_name'), name) };
  const keys = new Map<Term, Term>(pairs(options).reverse());
  const get = (key: string, otherwise: Term = []): Term => keys.get(atom(key)) ?? otherwise;
  const mod = get('mod');
  const starts = mod instanceof Tuple && mod.elements.length === 2 && mod.elements[0] instanceof Atom;
  if (!starts && !(Array.isArray(mod) && mod.length === 0))
    return { error: tuple(atom('badstartspec'), mod) };
  const callback = starts ? callbackOf(mod) : undefined;
  const phases = get('start_phases', UNDEFINED);
  const maxTime = get('maxT', INFINITY);
  return {
    ok: {
      name,
      description: get('description'),
      id: get('id'),
      vsn: get('vsn'),
      modules: get('modules'),
      registered: get('registered'),
      applications: atomsOf(get('applications')),
      optional: atomsOf(get('optional_applications')),
      included: atomsOf(get('included_applications')),
      env: new Map(pairs(get('env')).filter((pair): pair is [Atom, Term] => pair[0] instanceof Atom)),
      mod: callback && { module: callback.module, args: callback.args },
      phases:
        phases === UNDEFINED
          ? undefined
          : pairs(phases).flatMap(([phase, args]) => (phase instanceof Atom ? { phase, args } : [])),
      phasesOfIncluded: callback?.starter === true,
      maxTimeMs: typeof maxTime === 'number' ? maxTime : undefined,
      callbacks: callback && find(callback.module),
    },
  };
}

/** `{Module, Args}` or `{application_starter, [Module, Args]}`. */
function callbackOf(mod: Tuple): { readonly module: Atom; readonly args: Term; readonly starter: boolean } {
  const [module, args] = mod.elements as readonly [Atom, Term];
  if (module !== APPLICATION_STARTER || !Array.isArray(args)) return { module, args, starter: false };
  const [inner, innerArgs] = args as readonly Term[];
  return { module: inner instanceof Atom ? inner : module, args: innerArgs ?? [], starter: true };
}

function pairs(term: Term): [Term, Term][] {
  if (!Array.isArray(term)) return [];
  return (term as readonly Term[]).flatMap((pair) =>
    pair instanceof Tuple && pair.elements.length === 2
      ? [[pair.elements[0] as Term, pair.elements[1] as Term] as [Term, Term]]
      : [],
  );
}

function atomsOf(term: Term): Atom[] {
  return Array.isArray(term) ? (term as readonly Term[]).filter((name) => name instanceof Atom) : [];
}

/** `{Name, Description, Vsn}`, as `which_applications` and `loaded_applications` list it. */
export function summary(loaded: Loaded): Tuple {
  return tuple(loaded.name, loaded.description, loaded.vsn);
}

/** The value of a key as `application:get_key/2` gives it; `env` is read elsewhere. */
export function keyOfSpec(loaded: Loaded, key: string): Term | undefined {
  switch (key) {
    case 'description':
      return loaded.description;
    case 'id':
      return loaded.id;
    case 'vsn':
      return loaded.vsn;
    case 'modules':
      return loaded.modules;
    case 'maxP':
      return INFINITY;
    case 'maxT':
      return loaded.maxTimeMs ?? INFINITY;
    case 'registered':
      return loaded.registered;
    case 'included_applications':
      return [...loaded.included];
    case 'optional_applications':
      return [...loaded.optional];
    case 'applications':
      return [...loaded.applications];
    case 'mod':
      return loaded.mod === undefined ? [] : modOf(loaded.mod, loaded.phasesOfIncluded);
    case 'start_phases':
      return loaded.phases?.map(({ phase, args }) => tuple(phase, args)) ?? UNDEFINED;
    default:
      return undefined;
  }
}

function modOf(mod: NonNullable<Loaded['mod']>, starter: boolean): Tuple {
  return starter ? tuple(APPLICATION_STARTER, [mod.module, mod.args]) : tuple(mod.module, mod.args);
}
