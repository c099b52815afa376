import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  candidates,
  compareNames,
  type Decision,
  decide,
  type View,
} from '../../src/kernel/dist_ac_decision.js';
import { equalNodes, type NodeList } from '../../src/kernel/dist_ac_state.js';
import { type Atom, atom } from '../../src/terms/atom.js';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => atom(name)) as [Atom, Atom, Atom, Atom];

interface Given {
  readonly nodes: NodeList;
  readonly up: readonly Atom[];
  readonly known?: readonly Atom[];
  readonly distributedAt?: Atom;
  readonly remoteStartedAt?: Atom;
  readonly weights?: readonly (readonly [Atom, number])[];
}

function decideAt(self: Atom, given: Given): Decision {
  const view: View = {
    self,
    nodes: given.nodes,
    all: candidates(given.nodes, given.up),
    distributedAt: given.distributedAt,
    remoteStartedAt: given.remoteStartedAt,
    known: new Set(given.known ?? given.up),
    weights: new Map(given.weights ?? []),
  };
  return decide(view);
}

test('the first permitted node of a plain list is chosen, even while it runs at a later one', () => {
  const up = [a, b, c];
  assert.deepEqual(decideAt(b, { nodes: [a, b, c], up }), { kind: 'choose', node: a, byWeight: false });
  assert.deepEqual(decideAt(b, { nodes: [a, b, c], up: [b, c] }), {
    kind: 'choose',
    node: b,
    byWeight: false,
  });
  assert.deepEqual(decideAt(a, { nodes: [a, b, c], up, remoteStartedAt: c }), {
    kind: 'choose',
    node: a,
    byWeight: false,
  });
  assert.deepEqual(decideAt(b, { nodes: [a, b, c], up, distributedAt: a }), { kind: 'runs_at', node: a });
});

test('dist_ac 63: inside a tuple the lowest weight wins among the introduced nodes, then the smaller name', () => {
  const nodes = [a, [b, c, d]];
  const up = [b, c, d];
  const weights = (x: number, y: number, z: number): (readonly [Atom, number])[] => [
    [b, x],
    [c, y],
    [d, z],
  ];
  const chosen = (given: Partial<Given>): Decision => decideAt(b, { nodes, up, ...given });
  assert.deepEqual(chosen({ weights: weights(6, 6, 6) }), { kind: 'choose', node: b, byWeight: true });
  assert.deepEqual(chosen({ weights: weights(6, 5, 6) }), { kind: 'choose', node: c, byWeight: true });
  assert.deepEqual(chosen({ weights: weights(6, 5, 5), known: [b, d] }), {
    kind: 'choose',
    node: d,
    byWeight: true,
  });
});

test('weights are asked of all permitted nodes of the list, not only of those in the tuple', () => {
  const decision = decideAt(a, { nodes: [[a, b], c], up: [a, b, c], weights: [[a, 6]] });
  assert.deepEqual(decision, { kind: 'ask', nodes: [b, c] });
});

test('an application that runs is not moved inside its tuple', () => {
  const nodes = [[b, c]];
  assert.deepEqual(decideAt(b, { nodes, up: [b, c], remoteStartedAt: c }), { kind: 'runs_at', node: c });
  assert.deepEqual(decideAt(b, { nodes, up: [b, c], distributedAt: c }), { kind: 'runs_at', node: c });
});

test('a node outside the list is a standby of whoever runs it, waits for anybody, or finds nobody permitted', () => {
  assert.deepEqual(decideAt(d, { nodes: [a, b], up: [a, b], remoteStartedAt: b }), {
    kind: 'runs_at',
    node: b,
  });
  assert.deepEqual(decideAt(d, { nodes: [a, b], up: [a, b] }), { kind: 'anybody' });
  assert.deepEqual(decideAt(d, { nodes: [a, b], up: [] }), { kind: 'no_permission' });
});

test('dist_ac 34: node lists are equal when their tuples hold the same nodes in any order', () => {
  assert.ok(equalNodes([a, [b, c]], [a, [c, b]]));
  assert.ok(!equalNodes([a, [b, c]], [a, b, c]));
  assert.ok(!equalNodes([a, b], [b, a]));
  assert.ok(!equalNodes([a, [b, b]], [a, [b, c]]));
});

test('names are ordered by code points', () => {
  assert.ok(compareNames(atom('abc'), atom('abd')) < 0);
  assert.ok(compareNames(atom('ab'), atom('abc')) < 0);
  assert.ok(compareNames(atom('\u{1f600}'), atom('\uffff')) > 0);
});
