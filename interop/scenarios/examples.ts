// The examples that are programs, run as their first lines say.
import { join } from 'node:path';
import type { Cluster } from '../cluster.js';
import { until } from '../processes.js';
import { ROOT } from '../releases.js';
import { check, type Suite, same } from '../suite.js';

export function run(suite: Suite): void {
  suite.test('examples: the typed client of the calculator adds up', (cluster) => calculator(cluster, suite));
}

async function calculator(cluster: Cluster, suite: Suite): Promise<void> {
  const abc = await cluster.start('abc', suite.release, { config: '[].\n' });
  await cluster.registered(abc);
  await until('the calculator answers', 15_000, async () => {
    same(await abc.add(20, 22), '42', 'abc');
    return true;
  });
  const example = join(ROOT, 'build', 'docs', 'examples', 'calculator_client.js');
  const ask = async (...words: string[]): Promise<string> => {
    const client = cluster.run('client', [process.execPath, example, abc.node, cluster.cookie, ...words]);
    await client.exited;
    return client.output();
  };
  check(/^42$/m.test(await ask('1', '2', '39')), 'the sum');
  await abc.eval(':global.unregister_name(Distro.DistroCal)');
  const failed = await ask('1');
  check(
    /the call of .* failed after \d+ ms: noproc; the request was not sent \(nothing was done\)/.test(failed),
    failed,
  );
}
