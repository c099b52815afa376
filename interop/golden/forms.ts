// Scenarios of what `distributed` can say, start phases and weights.
import { ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { check } from '../suite.js';
import { startLibrary } from './libraries.js';
import { type Play, RESTART_MS, type Scenario } from './play.js';

const ABC = "'abc@127.0.0.1'";
const BCD = "'bcd@127.0.0.1'";
const DEF = "'def@127.0.0.1'";

/** After it nothing is decided any more. */
const LONGEST_MS = 1500;

/**
 * Libraries in every form of an entry, beside distro. Only one has a tuple: two in one tuple are a trap of OTP. Its nodes run one
 * application each when abc dies, and no other is started before a second is over: bcd has it, by its name.
 */
const FORMS: Readonly<Record<string, string>> = {
  at_once: `{at_once, [${ABC}, {${BCD}, ${DEF}}]}`,
  never: `{never, infinity, [${ABC}, ${BCD}, ${DEF}]}`,
  backwards: `{backwards, 1000, [${DEF}, ${BCD}, ${ABC}]}`,
  later: `{later, 1500, [${ABC}, ${DEF}, ${BCD}]}`,
  two: `{two, 1000, [${ABC}, ${BCD}]}`,
};

export const FORMS_SCENARIOS: readonly Scenario[] = [
  {
    name: 'every form of an entry: no time, a time, infinity; plain lists and tuples; a node that is in none',
    play: async (play) => {
      const names = Object.keys(FORMS);
      const entries = Object.values(FORMS).join(', ');
      const config = {
        distributed: `[{distro, ${LONGEST_MS}, [${BCD}, ${ABC}, ${DEF}]}, ${entries}]`,
      };
      await play.coldStart({ config }, 'bcd');
      play.apps = ['distro', ...names];
      for (const name of names) {
        await Promise.all(ROLES.map((role) => startLibrary(play, role, name)));
      }
      await play.runs('all started', 'bcd');
      const killed = await play.kill('abc');
      await until('later is at def', 8000, async () => / later runs/.test(await lineOf(play, 'def')));
      check(Date.now() - killed >= 1500, `later was at def after ${Date.now() - killed} ms`);
      await play.runs('abc died', 'bcd');
      await play.answers('bcd dies', await play.kill('bcd'), LONGEST_MS);
      await play.runs('bcd died', 'def');
    },
  },
  {
    name: 'no time in the entry: bcd starts it at once',
    play: async (play) => {
      await play.coldStart({ config: { distributed: `[{distro, [${ABC}, {${BCD}, ${DEF}}]}]` } });
      await play.answers('abc dies', await play.kill('abc'), 0);
      await play.runs('abc died', 'bcd');
    },
  },
  {
    name: 'inside a tuple the node that runs fewer applications is chosen',
    play: async (play) => {
      await play.coldStart();
      play.apps = ['distro', 'one', 'two'];
      for (const name of ['one', 'two']) await startLibrary(play, 'bcd', name);
      await play.runs('bcd runs more', 'abc');
      await play.answers('abc dies', await play.kill('abc'), RESTART_MS);
      await play.runs('abc died', 'def');
    },
  },
  {
    name: 'start phases: a failover is told to the application as one, a takeover as well',
    play: async (play) => {
      await play.coldStart({ variant: 'phases' });
      await play.answers('abc dies', await play.kill('abc'), RESTART_MS);
      await play.runs('abc died', 'bcd');
      play.same('the phases of bcd', await phases(play, 'bcd'));
      await play.asks('def', 'takeover', ':distro, :temporary', ':ok');
      await play.runs('def took it', 'def');
      play.same('the phases of def', await phases(play, 'def'));
    },
  },
];

async function lineOf(play: Play, role: Role): Promise<string> {
  return (await play.view()).split('\n').find((line) => line.startsWith(`${role}:`)) ?? '';
}

/** What the application said of its two start phases. */
async function phases(play: Play, role: Role): Promise<string> {
  const { proc } = play.peer(role);
  await proc.line(/Distro phase :open/, 5000);
  const said = proc.lines.flatMap(({ text }) => /Distro phase .* with \[[^\]]*\]/.exec(text)?.[0] ?? []);
  return said.join('; ').replace(/[:"'\\ ]/g, '');
}
