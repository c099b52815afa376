// Terms and patterns in Erlang's own syntax, parsed once for each place in the source that has one:
//
//   term`{cal, ${x}, [${y} | Rest]}` …      a term; ${…} is a term
//   pattern`{cal, X, _}`(message)           {X: …} if it matches, else undefined
import { BadArg } from '../errors.js';
import { cons, ImproperList } from '../terms/list.js';
import { TermMap } from '../terms/map.js';
import { equals } from '../terms/order.js';
import type { Term } from '../terms/term.js';
import { Tuple } from '../terms/tuple.js';
import { type Builder, parseTemplate } from './erl_parse.js';

/** Makes a term of the values of a template. */
type Make = (values: readonly Term[]) => Term;

const makeBuilder: Builder<Make> = {
  constant: (value) => () => value,
  list: (items, tail) => (values) => {
    const made = items.map((item) => item(values));
    return tail === undefined ? made : cons(made, tail(values));
  },
  tuple: (elements) => (values) => new Tuple(elements.map((element) => element(values))),
  map: (entries) => (values) =>
    new TermMap(entries.map(([key, value]) => [key(values), value(values)] as const)),
  hole: (index) => (values) => values[index] as Term,
};

const terms = new WeakMap<TemplateStringsArray, Make>();

/**
 * The term that is written in Erlang's syntax; `${…}` are terms. Throws `ConfigError` `syntax` for what is no term.
 *
 *     term`{ok, #{<<"sum">> => ${add(x, y)}}}`
 */
export function term(strings: TemplateStringsArray, ...values: readonly Term[]): Term {
  let make = terms.get(strings);
  if (make === undefined) {
    make = parseTemplate(strings, makeBuilder);
    terms.set(strings, make);
  }
  return make(values);
}

type Bound = Record<string, Term>;

interface Matcher {
  match(value: Term, values: readonly Term[], bound: Bound): boolean;
  /** What a key of a map is; undefined for what has a value only when it matched. */
  readonly key?: Make;
}

const matchBuilder: Builder<Matcher> = {
  constant: matchConstant,
  list: matchList,
  tuple: (elements) => ({
    match: (value, values, bound) =>
      value instanceof Tuple &&
      value.elements.length === elements.length &&
      elements.every((element, i) => element.match(value.elements[i] as Term, values, bound)),
  }),
  map: matchMap,
  variable: matchVariable,
  hole: (index) => ({
    match: (value, values) => equals(value, values[index] as Term),
    key: (values) => values[index] as Term,
  }),
};

/** `#{}` matches every map, as in Erlang. */
function matchConstant(constant: Term): Matcher {
  if (constant instanceof TermMap && constant.size === 0)
    return { match: (value) => value instanceof TermMap };
  return { match: (value) => equals(value, constant), key: () => constant };
}

function matchVariable(name: string): Matcher {
  if (name === '_') return { match: () => true };
  return {
    match: (value, _values, bound) => {
      if (Object.hasOwn(bound, name)) return equals(bound[name] as Term, value);
      bound[name] = value;
      return true;
    },
  };
}

function matchList(items: readonly Matcher[], tail: Matcher | undefined): Matcher {
  return {
    match: (value, values, bound) => {
      const improper = value instanceof ImproperList;
      if (!improper && !Array.isArray(value)) return false;
      const elements = improper ? value.items : (value as readonly Term[]);
      if (elements.length < items.length) return false;
      if (!items.every((item, i) => item.match(elements[i] as Term, values, bound))) return false;
      const rest = cons(elements.slice(items.length), improper ? value.tail : []);
      return tail === undefined ? Array.isArray(rest) && rest.length === 0 : tail.match(rest, values, bound);
    },
  };
}

/** The keys must be there, others may be. */
function matchMap(entries: readonly (readonly [Matcher, Matcher])[]): Matcher {
  const parts = entries.map(([{ key }, value]) => {
    if (key === undefined)
      throw new BadArg('the key of a map in a pattern must be a constant or a given value');
    return [key, value] as const;
  });
  return {
    match: (value, values, bound) =>
      value instanceof TermMap &&
      parts.every(([key, part]) => {
        const found = value.get(key(values));
        return found !== undefined && part.match(found, values, bound);
      }),
  };
}

const patterns = new WeakMap<TemplateStringsArray, Matcher>();

/**
 * A function that matches terms as Erlang does: what the variables are bound to, or undefined. `_` matches anything,
 * a variable that stands twice the same term twice, `${…}` that very term (Elixir's pin). Name the variables as the
 * type argument to have them checked.
 *
 *     const cal = pattern<'X' | 'Y'>`{cal, X, Y}`(request);
 *     if (cal !== undefined) return add(cal.X, cal.Y);
 */
export function pattern<Name extends string = string>(
  strings: TemplateStringsArray,
  ...values: readonly Term[]
): (value: Term) => Readonly<Record<Name, Term>> | undefined {
  let matcher = patterns.get(strings);
  if (matcher === undefined) {
    matcher = parseTemplate(strings, matchBuilder);
    patterns.set(strings, matcher);
  }
  const { match } = matcher;
  return (value) => {
    const bound: Bound = {};
    return match(value, values, bound) ? (bound as Record<Name, Term>) : undefined;
  };
}
