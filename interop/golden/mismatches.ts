// Scenarios of configurations that do not agree, or say nothing sensible.
import { ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { check } from '../suite.js';
import { type Play, RESTART_MS, type Scenario } from './play.js';

const LIST = (nodes: string): string => `[{distro, ${RESTART_MS}, [${nodes}]}]`;
const USUAL = LIST("'abc@127.0.0.1', {'bcd@127.0.0.1', 'def@127.0.0.1'}");
const OTHER = LIST("'abc@127.0.0.1', 'bcd@127.0.0.1', 'def@127.0.0.1'");

async function upWithoutIt(play: Play, distributed: (role: Role) => string): Promise<void> {
  for (const role of play.order.roles)
    await play.start(role, { app: false, config: { distributed: distributed(role) }, variant: 'tutorial' });
  for (const role of ROLES) {
    await play.connected(role);
    await play.canLoad(role);
  }
}

export const MISMATCHES: readonly Scenario[] = [
  {
    name: 'another node list on def: loading it there ends the BEAM nodes that see the difference',
    play: async (play) => {
      await upWithoutIt(play, (role) => (role === 'def' ? OTHER : USUAL));
      await play.asks('def', 'load', ':distro', ':ok');
      if (!play.ours('def')) {
        // who is told of the other list ends, unless it is otpnode (D13)
        for (const role of ['abc', 'bcd'] as const) if (!play.ours(role)) await play.ends(role, 1);
        for (const role of ['abc', 'bcd'] as const) {
          if (!play.ours(role)) continue;
          const got = await play.application(role, 'ensure_all_started', ':distro');
          check(got.includes(`{:distribution_mismatch, :distro, `), `${role} starts it: ${got}`);
        }
      } else {
        // otpnode has seen the difference at the introduction: it tells nobody of its load, and starts nothing (D13)
        const got = await play.application('def', 'start', ':distro');
        check(
          /^\{:error, \{:distribution_mismatch, :distro, (abc|bcd)\}\}$/.test(got),
          `def starts it: ${got}`,
        );
      }
      await play.runs('nobody runs it', [], 'D13');
    },
  },
  {
    name: 'another restart time on def: the tuple waits for the slowest of its nodes',
    play: async (play) => {
      const config = (role: Role) => ({ restartMs: role === 'def' ? 300 : 1500 });
      for (const role of play.order.roles) await play.start(role, { config: config(role) });
      await play.runs('cold start', 'abc');
      await play.answers('abc dies', await play.kill('abc'), 1500);
      await play.runs('abc died', 'bcd');
    },
  },
  {
    name: 'def does not distribute it: it starts its own, and finds the name taken',
    play: async (play) => {
      for (const role of play.order.roles)
        await play.start(role, {
          app: role !== 'def',
          config: role === 'def' ? { distributed: '[]', more: ['{start_dist_ac, false}'] } : {},
          variant: 'tutorial',
        });
      // what other nodes can call of it, otpnode knows from its load on, which its boot comes before
      if (play.ours('def')) {
        await until(
          'def has loaded it',
          15_000,
          async () => (await play.application('def', 'load', ':distro')) === ':ok',
        );
      }
      await play.runs('abc and bcd', 'abc');
      await play.canLoad('def');
      const got = await play.application('def', 'ensure_all_started', ':distro');
      check(/^\{:error, \{:distro, .*:already_started/s.test(got), `def starts it: ${got}`);
      await play.runs('def could not', 'abc');
    },
  },
  {
    name: 'malformed or negative: the node does not start, or does not distribute it',
    play: async (play) => {
      const wrong = await play.begin('abc', { config: { distributed: '[{distro, later}]' } });
      await play.ends('abc', 1);
      const text =
        'could not start kernel pid (application_controller) (invalid config data: application: kernel; erroneous parameter: distributed';
      check(
        wrong.proc
          .output()
          .replace(/\{?"|\\?"/g, '')
          .replace(/\s+/g, ' ')
          .toLowerCase()
          .includes(text),
        `abc says ${wrong.proc.output()}`,
      );
      const nodes = "['bcd@127.0.0.1', 'def@127.0.0.1']";
      await play.start('def', { config: { distributed: `[{distro, -1, ${nodes}}]`, mandatory: [] } });
      await play.runs('def runs it as its own', 'def');
    },
  },
];
