import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  appLoaded,
  appStarted,
  appStopped,
  appUnloaded,
  newNode,
  newPermission,
  type PeerMessage,
  peerMessage,
  weightOf,
} from '../../src/kernel/dist_ac_messages.js';
import type { Appl } from '../../src/kernel/dist_ac_state.js';
import { type Atom, atom } from '../../src/terms/atom.js';
import { format } from '../../src/terms/format.js';
import { Tuple, tuple } from '../../src/terms/tuple.js';

const [a, b, c, app] = ['a', 'b', 'c', 'd1'].map((name) => atom(name)) as [Atom, Atom, Atom, Atom];
const appl: Appl = {
  name: app,
  id: { distributed: b },
  restartTime: 5000,
  nodes: [a, [b, c]],
  run: new Map([
    [a, true],
    [b, undefined],
    [c, false],
  ]),
};

test('dist_ac 23: an introduction carries the version, the node and its table', () => {
  assert.equal(
    format(newNode(a, [appl], [])),
    '{dist_ac_new_node,1,a,[{appl,d1,{distributed,b},5000,[a,{b,c}],[{a,true},{b,undefined},{c,false}]}],[]}',
  );
});

test('every message is read back as it was meant', () => {
  const read = (message: Tuple): PeerMessage | undefined => peerMessage(message);
  assert.deepEqual(read(newNode(b, [appl], [app])), {
    type: 'new_node',
    node: b,
    appls: [{ name: app, nodes: appl.nodes, run: appl.run, local: false, starting: false }],
    started: [app],
  });
  assert.deepEqual(read(appLoaded(a, app, appl.nodes, true, false)), {
    type: 'app_loaded',
    node: a,
    app,
    nodes: appl.nodes,
    permission: true,
    heKnowsMe: false,
  });
  assert.deepEqual(read(appUnloaded(a, app)), { type: 'app_unloaded', node: a, app });
  assert.deepEqual(read(weightOf(app, 6, b)), { type: 'weight', app, weight: 6, node: b });
  assert.deepEqual(read(appStarted(b, app, undefined)), {
    type: 'app_started',
    node: b,
    app,
    error: undefined,
  });
  assert.deepEqual(read(appStarted(b, app, { reason: c })), {
    type: 'app_started',
    node: b,
    app,
    error: { reason: c },
  });
  assert.deepEqual(read(appStopped(app)), { type: 'app_stopped', app });
  assert.deepEqual(read(newPermission(a, app, false, true)), {
    type: 'new_permission',
    node: a,
    app,
    permission: false,
    isHis: true,
  });
});

test('dist_ac 98: whatever has another shape is no message', () => {
  const good = newNode(b, [appl], []).elements;
  const bad = [
    a,
    tuple(),
    tuple(atom('dist_ac_app_stopped')),
    tuple(atom('dist_ac_app_stopped'), 1),
    tuple(atom('dist_ac_weight'), app, a, b),
    tuple(atom('dist_ac_app_started'), b, app, atom('maybe')),
    tuple(atom('dist_ac_app_loaded'), a, app, [1], true, false),
    tuple(atom('dist_ac_new_permission'), a, app, atom('yes'), false),
    new Tuple([...good.slice(0, 3), atom('table'), []]),
  ];
  for (const message of bad) assert.equal(peerMessage(message), undefined, format(message));
});

test('an entry of an introduction that is no record is passed over', () => {
  const message = tuple(atom('dist_ac_new_node'), 1, b, [tuple(atom('appl'), app), atom('x')], [atom('y')]);
  assert.deepEqual(peerMessage(message), { type: 'new_node', node: b, appls: [], started: [] });
});
