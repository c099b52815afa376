import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DistChannel } from '../../src/erts/dist_entry.js';
import { forwarding } from '../../src/kernel/logger_proxy.js';
import { otpRelease } from '../../src/stdlib/otp_release.js';
import { atom } from '../../src/terms/atom.js';
import { Pid } from '../../src/terms/pid.js';
import { MemoryCluster } from '../support/memory_cluster.js';
import { inProcess } from '../support/process.js';

const ELSEWHERE = atom('elsewhere@127.0.0.1');

test('nodes that are not connected are not remembered for being asked or logged to', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    assert.equal(await otpRelease(self, ELSEWHERE), undefined);
    const groupLeader = new Pid(ELSEWHERE, 1, 0, 1);
    forwarding(system, () => {})('error', 'text', {}, { pid: self.pid, groupLeader });
    assert.equal(system.findEntry(ELSEWHERE), undefined);
  });
});

test('an event that the node of the group leader cannot be told is logged here', async () => {
  const system = new MemoryCluster().start('a');
  await inProcess(system, async (self) => {
    const deaf = {
      busy: false,
      regSend: () => {
        throw new Error('cannot be encoded');
      },
    };
    system.distEntry(ELSEWHERE).channel = deaf as unknown as DistChannel;
    const here: string[] = [];
    const log = forwarding(system, (_level, text) => void here.push(text));
    log('error', 'text', {}, { pid: self.pid, groupLeader: new Pid(ELSEWHERE, 1, 0, 1) });
    assert.deepEqual(here, ['text']);
  });
});
