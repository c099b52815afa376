// What `global_group` answers to calls, of this node and of others (OTP: global_group.erl, handle_call/3).
import type { Process } from '../erts/process.js';
import { call, type From } from '../stdlib/gen.js';
import { Atom, atom } from '../terms/atom.js';
import type { Term } from '../terms/term.js';
import { isTagged, Tuple, tuple } from '../terms/tuple.js';
import type { CodeServer } from './code.js';
import type { GlobalGroup } from './global_group.js';
import type { GroupConfig } from './global_group_config.js';

const GLOBAL_GROUP = atom('global_group');
const NODE = atom('node');
const GROUP = atom('group');
const NORMAL = atom('normal');
const UNDEFINED = atom('undefined');
const OK = atom('ok');
const ERROR = atom('error');

/** The answer to a call. */
export function answerCall(group: GlobalGroup, request: Term, from: From): Term | Promise<Term> {
  const [what, ...args] = request instanceof Tuple ? request.elements : [request];
  const [a, b, c] = args as [Term, Term, Term];
  const where = isWhere(a) ? a : undefined;
  const illegal = tuple(atom('illegal_message'), request);
  switch (what instanceof Atom ? `${what.name}/${args.length}` : '') {
    case 'global_groups/0':
      return group.globalGroups();
    case 'own_nodes/0':
      return group.ownNodes();
    case 'info/0':
      return group.info();
    case 'sync/0':
      group.sync();
      return OK;
    case 'monitor_nodes/1':
      if (typeof a !== 'boolean') return ERROR;
      group.monitorNodes(from.pid, a);
      return OK;
    case 'whereis_name/1':
      return group.search.whereisName(a).then((pid) => pid ?? UNDEFINED);
    case 'whereis_name/2':
      return where ? group.search.whereisName(b, where).then((pid) => pid ?? UNDEFINED) : illegal;
    case 'registered_names/1':
      return where ? group.search.registeredNames(where) : illegal;
    case 'send/2':
      return group.search.send(from.pid, a, b);
    case 'send/3':
      return where ? group.search.send(from.pid, b, c, where) : illegal;
    case 'ng_add_check/2':
      return group.addCheck(a, NORMAL, b);
    case 'ng_add_check/3':
      return group.addCheck(a, b, c);
    default:
      return illegal;
  }
}

/** Lets remote callers ask what members, and people, ask of a node; nobody is disconnected by it. */
export function offerGlobalGroup(code: CodeServer, { ownNodes }: GroupConfig): void {
  code.define('global_group', 'get_own_nodes', 0, () => ownNodes);
  const functions = [
    ['global_groups', 0],
    ['own_nodes', 0],
    ['info', 0],
    ['monitor_nodes', 1],
    ['whereis_name', 1],
    ['whereis_name', 2],
    ['registered_names', 1],
    ['ng_add_check', 2],
    ['ng_add_check', 3],
  ] as const;
  for (const [fun, arity] of functions) {
    code.define('global_group', fun, arity, (args, self) => {
      const request = arity === 0 ? atom(fun) : tuple(atom(fun), ...args);
      return ask(self, request);
    });
  }
}

function ask(self: Process, request: Term): Promise<Term> {
  return call(self, GLOBAL_GROUP, request, Number.POSITIVE_INFINITY);
}

function isWhere(term: Term | undefined): term is Tuple {
  if (term === undefined) return false;
  return (isTagged(term, NODE, 2) || isTagged(term, GROUP, 2)) && term.elements[1] instanceof Atom;
}
