// Scenarios of takeover and permit by hand.
import type { Scenario } from './play.js';

export const BY_HAND: readonly Scenario[] = [
  {
    name: 'takeover by hand: to def and back, and what is refused',
    play: async (play) => {
      await play.coldStart();
      await play.asks('def', 'takeover', ':distro, :permanent', ':ok');
      await play.runs('def took it', 'def');
      await play.asks(
        'def',
        'takeover',
        ':distro, :permanent',
        '{:error, {:already_running_locally, :distro}}',
      );
      await play.asks(
        'bcd',
        'takeover',
        ':distro, :sometimes',
        '{:error, {:invalid_restart_type, :sometimes}}',
      );
      await play.asks(
        'bcd',
        'takeover',
        ':nothing, :temporary',
        '{:error, {:not_running_distributed, :nothing}}',
      );
      await play.asks('abc', 'takeover', ':distro, :temporary', ':ok');
      await play.runs('abc took it back', 'abc');
      await play.asks('bcd', 'takeover', ':distro, :temporary', ':ok');
      await play.runs('bcd took it', 'bcd');
    },
  },
  {
    name: 'permit by hand: it moves from node to node, until nobody may run it',
    play: async (play) => {
      await play.coldStart();
      await play.asks('abc', 'permit', ':distro, false', ':ok');
      await play.runs('not abc', 'bcd');
      await play.asks('abc', 'permit', ':distro, true', ':ok');
      await play.runs('abc again', 'abc');
      await play.asks('bcd', 'permit', ':distro, false', ':ok');
      await play.runs('not bcd', 'abc');
      await play.asks('abc', 'permit', ':distro, false', ':ok');
      await play.runs('neither abc nor bcd', 'def');
      await play.asks('def', 'permit', ':distro, false', ':ok');
      await play.runs('nobody', []);
      await play.asks('def', 'permit', ':distro, true', ':ok');
      await play.runs('def again', 'def');
      await play.asks('bcd', 'permit', ':distro, true', ':ok');
      await play.runs('bcd may, but does not', 'def');
      await play.asks('abc', 'permit', ':distro, true', ':ok');
      await play.runs('all again', 'abc');
      await play.asks('abc', 'permit', ':nothing, true', '{:error, {:not_loaded, :nothing}}');
    },
  },
  {
    name: "takeover by hand with the tutorial's own code",
    play: async (play) => {
      await play.coldStart({ variant: 'tutorial' });
      const got = await play.application('def', 'takeover', ':distro, :temporary');
      if (play.ours('abc', 'def')) {
        // Elixir's server finds the name taken, unless otpnode has hidden it; otpnode's takes it over (D16)
        play.expects('takeover', got, ':ok');
        await play.runs('def took it', 'def', 'D16');
      } else {
        play.expects(
          'takeover',
          got.replace(/\{:already_started, .*/, ''),
          '{:error, {{:shutdown, {:failed_to_start_child, Distro.DistroCal, ',
        );
        // a standby of ours keeps to abc (D4)
        await play.runs('it runs nowhere', [], 'D4');
      }
    },
  },
];
