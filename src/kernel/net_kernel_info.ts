// What net_kernel tells of itself and of its connections (OTP: net_kernel:node_info/1,2, nodes_info/0, get_state/0).
import type { System } from '../erts/system.js';
import { Atom, atom } from '../terms/atom.js';
import { charlist } from '../terms/binary.js';
import { map } from '../terms/map.js';
import type { Term } from '../terms/term.js';
import { type Tuple, tuple } from '../terms/tuple.js';
import type { CodeServer } from './code.js';

/** One connection. */
export interface NodeInfo {
  readonly state: 'up' | 'pending';
  readonly type: 'normal' | 'hidden';
  /** Bytes read and written, in larger units than messages. */
  readonly in: number;
  readonly out: number;
}

/** What this needs of net_kernel. */
export interface InformedNetKernel {
  readonly system: System;
  readonly nameMode: 'longnames' | 'shortnames';
  /** The nodes that are connected or being connected. */
  connectionNodes(): Atom[];
  /** Undefined for a node that is neither connected nor being connected. */
  nodeInfo(node: Atom): NodeInfo | undefined;
}

const OK = atom('ok');
const ERROR = atom('error');
const BAD_NODE = tuple(ERROR, atom('bad_node'));
const UNDEFINED = atom('undefined');

/** Lets remote callers ask what is harmless. */
export function offerNetKernelInfo(code: CodeServer, netKernel: InformedNetKernel): void {
  const { system } = netKernel;
  const infoOf = (node: Term | undefined): Tuple[] | undefined => {
    const info = node instanceof Atom ? netKernel.nodeInfo(node) : undefined;
    return info === undefined ? undefined : terms(system, node as Atom, info);
  };
  code.define('net_kernel', 'node_info', 1, ([node]) => {
    const info = infoOf(node);
    return info === undefined ? BAD_NODE : tuple(OK, info);
  });
  code.define('net_kernel', 'node_info', 2, ([node, key]) => {
    const info = infoOf(node);
    if (info === undefined) return BAD_NODE;
    const found = info.find(({ elements }) => elements[0] === key);
    return found === undefined ? tuple(ERROR, atom('invalid_key')) : tuple(OK, found.elements[1] as Term);
  });
  code.define('net_kernel', 'nodes_info', 0, () =>
    tuple(
      OK,
      netKernel.connectionNodes().map((node) => tuple(node, infoOf(node) ?? [])),
    ),
  );
  code.define('net_kernel', 'longnames', 0, () => netKernel.nameMode === 'longnames');
  code.define('net_kernel', 'get_state', 0, () =>
    map(
      [atom('started'), atom('static')],
      [atom('name_type'), atom('static')],
      [atom('name'), system.node],
      [atom('name_domain'), atom(netKernel.nameMode)],
    ),
  );
}

/** The list of `node_info/1`; the connection's owner is net_kernel itself, its address is not kept. */
function terms(system: System, node: Atom, info: NodeInfo): Tuple[] {
  const host = charlist(node.name.slice(node.name.indexOf('@') + 1));
  const address = tuple(atom('net_address'), UNDEFINED, host, atom('tcp'), atom('inet'));
  return [
    tuple(atom('owner'), system.whereis(atom('net_kernel'))?.pid ?? UNDEFINED),
    tuple(atom('state'), atom(info.state)),
    tuple(atom('address'), address),
    tuple(atom('type'), atom(info.type)),
    tuple(atom('in'), info.in),
    tuple(atom('out'), info.out),
  ];
}
