// Scenarios with applications that have no code: loaded by their term, on BEAM and on otpnode alike.
import { ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import type { Play, Scenario } from './play.js';

/** `{application, Name, Keys}`, in Elixir. */
export function library(name: string, more: Readonly<Record<string, string>> = {}): string {
  const keys = { description: '~c"x"', vsn: '~c"1"', modules: '[]', registered: '[]', ...more };
  const all = { applications: '[:kernel, :stdlib]', ...keys };
  const list = Object.entries(all).map(([key, value]) => `${key}: ${value}`);
  return `{:application, :${name}, [${list.join(', ')}]}`;
}

/** Loads a library on a node, without any file, and starts it. */
export async function startLibrary(play: Play, role: Role, name: string): Promise<void> {
  await play.asks(role, 'load', library(name), ':ok');
  await play.asks(role, 'start', `:${name}`, ':ok');
}

const ALL = "'abc@127.0.0.1', 'bcd@127.0.0.1', 'def@127.0.0.1'";
const ENTRIES: Readonly<Record<string, string>> = {
  plain: `{plain, 300, [${ALL}]}`,
  outside: `{outside, 300, ['abc@127.0.0.1', 'bcd@127.0.0.1']}`,
  forbidden: `{forbidden, 300, [${ALL}]}`,
  unloaded: `{unloaded, 300, [${ALL}]}`,
  failing: `{failing, 300, [${ALL}]}`,
};

const load = (play: Play, name: string, spec: string, roles: readonly Role[] = ROLES): Promise<unknown> =>
  Promise.all(roles.map((role) => play.asks(role, 'load', spec, ':ok').then(() => name)));

export const LIBRARIES: readonly Scenario[] = [
  {
    name: 'starts that wait, fail, are forbidden or come from outside of the list',
    play: async (play) => {
      const config = {
        distributed: `[{distro, 300, [${ALL}]}, ${Object.values(ENTRIES).join(', ')}]`,
        more: ['{permissions, [{forbidden, false}]}'],
      };
      await play.coldStart({ config });
      play.apps = ['distro', ...Object.keys(ENTRIES), 'needs'];
      // a start outside of the list, and one behind another node, wait for whoever starts it
      for (const name of ['plain', 'outside']) await load(play, name, library(name));
      const waiting = Promise.all([
        play.asks('def', 'start', ':outside', ':ok'),
        play.asks('bcd', 'start', ':plain', ':ok'),
      ]);
      waiting.catch(() => {}); // looked at below
      for (const name of ['outside', 'plain'] as const) {
        await until(`${name} is waited for`, 5000, async () => {
          const info = await play.peer(name === 'plain' ? 'bcd' : 'def').rpc(':application', ':info');
          return new RegExp(`starting: \\[[^\\]]*${name}`).test(info);
        });
      }
      await play.asks('abc', 'start', ':outside', ':ok');
      await play.asks('abc', 'start', ':plain', ':ok');
      await waiting;
      await play.runs('those that waited are standbys', 'abc');
      // what another application needs may run elsewhere
      await load(play, 'needs', library('needs', { applications: '[:plain]' }), ['bcd', 'def']);
      await play.asks('bcd', 'start', ':needs', ':ok');
      await play.asks('def', 'start', ':needs', '{:error, {:not_started, :plain}}');
      await play.asks('def', 'start', ':plain', ':ok');
      await play.asks('def', 'start', ':needs', ':ok');
      await play.runs('what is needed runs at abc', 'abc');
      // nobody may run it; then one may
      await load(play, 'forbidden', library('forbidden'));
      for (const role of ROLES) await play.asks(role, 'start', ':forbidden', ':ok');
      await play.runs('forbidden everywhere', 'abc');
      await play.asks('bcd', 'permit', ':forbidden, true', ':ok');
      await play.runs('permitted on bcd', 'abc');
      // a connected node has unloaded it
      await load(play, 'unloaded', library('unloaded'));
      await play.asks('def', 'unload', ':unloaded', ':ok');
      await until('abc knows that it is not loaded on def', 5000, async () =>
        /^abc: .*unloaded [^=]*run=(\{\w+, \w+\})*\{def, :undefined\}/m.test(await play.view()),
      );
      await play.asks('abc', 'start', ':unloaded', '{:error, {:app_not_loaded, :unloaded, [def]}}');
      await play.asks('def', 'load', library('unloaded'), ':ok');
      await until(
        'abc starts it',
        5000,
        async () => (await play.application('abc', 'start', ':unloaded')) === ':ok',
      );
      await play.runs('loaded again', 'abc');
      // the error of the node that is waited for is that of who waits
      await load(play, 'failing', library('failing', { mod: '{:no_such_module, []}' }));
      const fails = play.application('bcd', 'start', ':failing');
      await until('bcd waits', 5000, async () =>
        /starting: \[[^\]]*failing/.test(await play.peer('bcd').rpc(':application', ':info')),
      );
      await play.application('abc', 'start', ':failing');
      play.same('the error of abc', (await fails).replace(/, \{.*/, ''));
      await play.runs('failing fails', 'abc');
    },
  },
];
