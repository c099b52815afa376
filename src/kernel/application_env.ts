// A changed configuration: which parameters changed, and who is told (OTP: application_controller:config_change).
import { reasonOf } from '../erts/exception.js';
import { Atom, atom } from '../terms/atom.js';
import { equals } from '../terms/order.js';
import type { Term } from '../terms/term.js';
import { Tuple, tuple } from '../terms/tuple.js';
import type { ApplicationTables } from './application_tables.js';

const OK = atom('ok');
const ERROR = atom('error');

/** Tells each running application what differs from `before`, a list `[{App, [{Key, Value}]}]`. */
export async function changedEnvironment(
  tables: ApplicationTables,
  running: readonly Atom[],
  before: Term,
): Promise<Term> {
  const was = new Map(pairs(before).map(([app, env]) => [app, new Map(pairs(env))]));
  const errors: Term[] = [];
  for (const app of running) {
    const change = difference(was.get(app) ?? new Map(), tables.env.get(app) ?? new Map());
    const callbacks = tables.loaded.get(app)?.callbacks;
    if (change === undefined) continue;
    try {
      await callbacks?.configChange?.(change.changed, change.added, change.removed);
    } catch (error) {
      errors.push(reasonOf(error));
    }
  }
  return errors.length === 0 ? OK : tuple(ERROR, errors);
}

interface Change {
  readonly changed: ReadonlyMap<string, Term>;
  readonly added: ReadonlyMap<string, Term>;
  readonly removed: readonly string[];
}

function difference(was: ReadonlyMap<Term, Term>, now: ReadonlyMap<Atom, Term>): Change | undefined {
  const changed = new Map<string, Term>();
  const added = new Map<string, Term>();
  for (const [key, value] of now) {
    const old = was.get(key);
    if (old === undefined) added.set(key.name, value);
    else if (!equals(old, value)) changed.set(key.name, value);
  }
  const removed = [...was.keys()].flatMap((key) => (key instanceof Atom && !now.has(key) ? key.name : []));
  return changed.size + added.size + removed.length === 0 ? undefined : { changed, added, removed };
}

function pairs(term: Term): [Term, Term][] {
  if (!Array.isArray(term)) return [];
  return (term as readonly Term[]).flatMap((pair) =>
    pair instanceof Tuple && pair.elements.length === 2 ? [pair.elements as unknown as [Term, Term]] : [],
  );
}
