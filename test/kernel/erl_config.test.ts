// The tutorial's configuration files, as they ship.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/kernel/config.js';
import { flatNodes } from '../../src/kernel/kernel_parameters.js';

const NODES = ['abc@127.0.0.1', 'bcd@127.0.0.1', 'def@127.0.0.1'];

for (const [file, node] of [
  ['a', NODES[0]],
  ['b', NODES[1]],
  ['c', NODES[2]],
  ['abc', NODES[0]],
  ['bcd', NODES[1]],
  ['def', NODES[2]],
]) {
  test(`erl-config/${file} makes ${node} wait for the other two and run distro by rank`, () => {
    const { kernel, warnings } = loadConfig({ sources: [{ config: `erl-config/${file}` }] });
    const [distro] = kernel.distributed ?? [];
    assert.deepEqual([distro?.application.name, distro?.restartMs], ['distro', 5000]);
    assert.deepEqual(
      flatNodes(distro?.nodes ?? []).map((n) => n.name),
      NODES,
    );
    assert.deepEqual(
      kernel.syncNodesMandatory.map((n) => n.name),
      NODES.filter((n) => n !== node),
    );
    assert.deepEqual([kernel.syncNodesTimeoutMs, warnings], [30000, []]);
  });
}
