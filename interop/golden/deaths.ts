// Scenarios of death and return: nodes that are killed, that freeze, that are stopped, and that come back.
import { pause } from '../processes.js';
import { check } from '../suite.js';
import { ENDS_BY_ITSELF, RESTART_MS, type Scenario } from './play.js';

export const DEATHS: readonly Scenario[] = [
  {
    name: 'one is killed and comes back: failover, takeover; a standby that dies and returns moves nothing',
    play: async (play) => {
      await play.coldStart();
      await play.answers('abc dies', await play.kill('abc'), RESTART_MS);
      await play.runs('abc died', 'bcd');
      await play.start('abc');
      await play.runs('abc is back', 'abc');
      await play.kill('def');
      await play.runs('def died', 'abc');
      await play.start('def');
      await play.runs('def is back', 'abc');
    },
  },
  {
    name: 'two are killed, bcd is back first: def keeps it; then abc takes over from def',
    play: async (play) => {
      await play.coldStart();
      await play.answers('abc dies', await play.kill('abc'), RESTART_MS);
      await play.runs('abc died', 'bcd');
      await play.answers('bcd dies', await play.kill('bcd'), RESTART_MS);
      await play.runs('bcd died', 'def');
      await play.start('bcd', { config: { mandatory: ['def'] } });
      await play.runs('bcd is back', 'def');
      await play.start('abc');
      await play.runs('abc is back', 'abc');
    },
  },
  {
    name: 'two are killed at once, abc is back first: it takes over from def; then bcd is standby',
    play: async (play) => {
      await play.coldStart();
      await play.answers('both die', await play.kill('abc', 'bcd'), RESTART_MS);
      await play.runs('both died', 'def');
      await play.start('abc', { config: { mandatory: ['def'] } });
      await play.runs('abc is back', 'abc');
      await play.start('bcd');
      await play.runs('bcd is back', 'abc');
    },
  },
  {
    name: "bcd dies within abc's restart time: def starts it when that is over",
    play: async (play) => {
      const config = { restartMs: 1500 };
      await play.coldStart({ config });
      const killed = await play.kill('abc');
      await pause(500); // in the middle of the restart time
      await play.kill('bcd');
      await play.answers('bcd died as well', killed, 1500);
      await play.runs('def has it', 'def');
    },
  },
  {
    name: 'nodes are stopped gracefully: exit code 0, and the next one starts it a restart time later',
    play: async (play) => {
      await play.coldStart({ config: ENDS_BY_ITSELF });
      const asked = Date.now();
      play.peer('abc').proc.signal('SIGTERM');
      await play.ends('abc', 0);
      const took = (play.peer('abc').proc.ended?.at ?? asked) - asked;
      check(took < 3000, `abc took ${took} ms to stop`);
      await play.answers('abc stops', asked, RESTART_MS);
      await play.runs('abc stopped', 'bcd');
      const again = Date.now();
      await play.peer('bcd').rpc(':init', ':stop');
      await play.ends('bcd', 0);
      await play.answers('bcd stops', again, RESTART_MS);
      await play.runs('bcd stopped', 'def');
    },
  },
  {
    name: 'abc freezes: bcd starts it after ticks and restart time; thawed, abc keeps its own',
    play: async (play) => {
      await play.cluster.ask(':net_kernel.set_net_ticktime(4, 0)');
      await play.coldStart({ config: { more: ['{net_ticktime, 4}'] } });
      const frozen = Date.now();
      play.peer('abc').proc.signal('SIGSTOP');
      const line = await play.peer('bcd').startLine(15_000);
      // a tick is noticed missing up to a quarter of the time earlier or later
      const after = line.at - frozen;
      check(after >= 3000 + RESTART_MS && after <= 7000 + RESTART_MS, `bcd started it after ${after} ms`);
      play.peer('abc').proc.signal('SIGCONT');
      await play.runs('abc is thawed', ['abc', 'bcd']);
    },
  },
];
