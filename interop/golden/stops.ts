// Scenarios in which the application ends while its node stays up: stopped by hand, or crashed.
import type { Role } from '../cluster.js';
import { ENDS_BY_ITSELF, type Play, RESTART_MS, type Scenario } from './play.js';

/** Sends a signal to the application's top supervisor. */
async function endSupervisor(play: Play, role: Role, reason: 'killed' | 'normal'): Promise<void> {
  const pid = `:erpc.call(${play.peer(role).atom}, :erlang, :whereis, [Distro.Supervisor])`;
  const end = reason === 'killed' ? 'Process.exit(pid, :kill)' : ':sys.terminate(pid, :normal)';
  await play.cluster.ask(`pid = ${pid}; ${end}`);
}

/** Starts it on abc with a restart type, after it has ended everywhere. */
async function startAs(play: Play, type: string, step = `${type} on abc`): Promise<void> {
  await play.asks('abc', 'start', `:distro, :${type}`, ':ok');
  await play.runs(step, 'abc');
}

export const STOPS: readonly Scenario[] = [
  {
    name: 'stopped and started by hand, on the node that runs it and on standbys',
    play: async (play) => {
      await play.coldStart();
      await play.asks('abc', 'stop', ':distro', ':ok');
      await play.runs('stopped on abc', []);
      await play.asks('bcd', 'start', ':distro', '{:error, {:already_started, :distro}}');
      await play.asks('abc', 'start', ':distro', ':ok');
      await play.runs('started on abc', 'abc');
      await play.asks('bcd', 'stop', ':distro', ':ok');
      await play.runs('stopped on bcd', 'abc');
      await play.asks('bcd', 'start', ':distro', ':ok');
      await play.runs('started on bcd', 'abc');
      // a standby's start waits for abc's
      await play.asks('abc', 'stop', ':distro', ':ok');
      await play.runs('stopped on abc again', []);
      await play.asks('bcd', 'stop', ':distro', ':ok');
      await play.runs('stopped on both', []);
      const waiting = play.asks('bcd', 'start', ':distro', ':ok');
      waiting.catch(() => {}); // looked at below
      await play.starting('bcd');
      await play.asks('abc', 'start', ':distro', ':ok');
      await waiting;
      await play.runs('both started it again', 'abc');
      await play.answers('abc dies', await play.kill('abc'), RESTART_MS);
      await play.runs('abc died', 'bcd');
    },
  },
  {
    name: 'crashed as temporary: the server is restarted where it was; without its supervisor it runs nowhere',
    play: async (play) => {
      await play.coldStart();
      const refused = await play.cluster.ask(
        `try do :erpc.call(${play.peer('bcd').atom}, Distro.DistroCal, :add, ["a", 1]) catch
           :exit, {:exception, {{:badarith, [_ | _]}, {_, :call, [{:global, Distro.DistroCal} | _]}}} -> :badarith
           kind, reason -> {kind, reason}
         end`,
      );
      play.same('add("a", 1)', refused.replace(/#PID<[\d.]+>/g, 'PID'));
      await play.runs('the server crashed', 'abc');
      await endSupervisor(play, 'abc', 'killed');
      await play.runs('its supervisor was killed', []);
      await startAs(play, 'temporary');
    },
  },
  {
    name: 'crashed as transient: by an error the node ends, and nobody fails over; normally it lives',
    play: async (play) => {
      await play.coldStart({ config: ENDS_BY_ITSELF });
      await play.asks('abc', 'stop', ':distro', ':ok');
      await startAs(play, 'transient');
      await endSupervisor(play, 'abc', 'normal');
      await play.runs('it ended normally', []);
      await startAs(play, 'transient', 'transient again');
      await endSupervisor(play, 'abc', 'killed');
      await play.ends('abc', 1);
      await play.runs('it was killed', []);
    },
  },
  {
    name: 'crashed as permanent: the node ends however it ended, and nobody fails over; back, abc runs it',
    play: async (play) => {
      await play.coldStart({ config: ENDS_BY_ITSELF });
      await play.asks('abc', 'stop', ':distro', ':ok');
      await startAs(play, 'permanent');
      await endSupervisor(play, 'abc', 'normal');
      await play.ends('abc', 1);
      await play.runs('it ended normally', []);
      await play.start('abc', { config: ENDS_BY_ITSELF });
      await play.runs('abc is back', 'abc');
    },
  },
];
