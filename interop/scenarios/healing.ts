// A torn network: abc is cut off from bcd and def, both sides run the application, then the network is whole again.
// Beside otpnode there are only BEAM nodes, which know nothing of healing. A cookie that is wrong for a while is the
// cut: no attempt of either side to connect succeeds.
import { type Cluster, type Config, type Kind, nodeName, type Peer, ROLES, type Role } from '../cluster.js';
import { until } from '../processes.js';
import { check, kindName, type Suite } from '../suite.js';

/**
 * The first of the list ranks highest. With OTP's default, overlapping partitions are prevented: then bcd and def part
 * as well, and all three run it.
 */
function config(list: readonly Role[]): Config {
  const nodes = list.map((role) => `'${nodeName(role)}'`).join(', ');
  return {
    distributed: `[{distro, 500, [${nodes}]}]`,
    more: list === ROLES ? ['{prevent_overlapping_partitions, false}'] : [],
  };
}

/** abc ranks above bcd, and has the smaller name; or only the latter, for which global lets its processes survive. */
const LISTS: readonly (readonly Role[])[] = [ROLES, ['bcd', 'abc', 'def']];
/** `rejoin` dials every 5 s. */
const HEALED_MS = 15_000;

export function run(suite: Suite): void {
  // only the matrix has the time for all of them, and then with one release
  const all = suite.whole && suite.product;
  for (const list of all ? LISTS : LISTS.slice(0, 1)) {
    for (const ours of ['abc', 'bcd'] as const) {
      suite.test(
        `healing: otpnode=${ours} with heal rejoin: ${list[0]}, which ranks higher, keeps the application`,
        (cluster) => rejoins(cluster, suite, ours, list),
      );
    }
  }
  if (!all) return;
  suite.test(
    `healing: otpnode=abc with heal off: nobody dials, both keep it as ${kindName(suite.release)} does`,
    (cluster) => staysTorn(cluster, suite),
  );
}

/** Starts the three, cuts abc off, and waits until both sides run it. */
async function torn(
  cluster: Cluster,
  suite: Suite,
  ours: Role,
  heal: string,
  list: readonly Role[] = ROLES,
): Promise<Peer> {
  const kind = (role: Role): Kind => (role === ours ? 'otpnode' : suite.release);
  await suite.busily(async () => {
    for (const role of ROLES) {
      const args = role === ours ? ['-otpnode', 'heal', heal] : [];
      await cluster.start(role, kind(role), { config: config(list), args });
    }
    await cluster.runsOn(list[0] as Role);
    for (const role of ROLES) await cluster.peer(role).started();
  });
  await cookies(cluster, ':wrong', true);
  for (const role of ['abc', 'bcd'] as const) {
    await until(`${role} runs it`, 10_000, () => cluster.peer(role).runs());
  }
  return cluster.peer(ours);
}

/** Sets what the BEAM nodes of one side take for the cookie of the nodes of the other side. */
async function cookies(cluster: Cluster, cookie: string, disconnect: boolean): Promise<void> {
  const abc = cluster.peer('abc');
  for (const other of [cluster.peer('bcd'), cluster.peer('def')]) {
    const [beam, far] = abc.kind === 'otpnode' ? [other, abc] : [abc, other];
    await beam.eval(`:erlang.set_cookie(${far.atom}, ${cookie})`);
    if (disconnect) await beam.eval(`:erlang.disconnect_node(${far.atom})`);
  }
}

function warnings(peer: Peer, pattern: RegExp): number {
  return peer.proc.lines.filter(({ text }) => text.includes('"warning"') && pattern.test(text)).length;
}

async function rejoins(cluster: Cluster, suite: Suite, ours: Role, list: readonly Role[]): Promise<void> {
  const [first, second] = list as [Role, Role];
  const healer = await torn(cluster, suite, ours, 'rejoin', list);
  await cookies(cluster, `:${cluster.cookie}`, false);
  const from = Date.now();
  await cluster.runsOn(first, HEALED_MS);
  suite.tell(`healed ${Date.now() - from} ms after the network`);
  const said = warnings(
    healer,
    new RegExp(`distro ran on \\S+ and on \\S+, which did not know of each other: it goes on on ${first}@`),
  );
  check(
    list === ROLES ? said === 1 : said >= 1,
    `${healer.node} said ${said} times what became of the application`,
  );
  // where bcd and def had parted, too, they do not know each other: nothing of ours can heal that
  if (list !== ROLES) return;
  // and the other one is its standby again
  await cluster.peer(first).kill();
  await cluster.runsOn(second, 10_000);
}

async function staysTorn(cluster: Cluster, suite: Suite): Promise<void> {
  const abc = await torn(cluster, suite, 'abc', 'off');
  await cookies(cluster, `:${cluster.cookie}`, false);
  // longer than `rejoin` waits between two attempts
  const end = Date.now() + 6000;
  await until('the time of a redial is over', 8000, async () => {
    const nodes = await abc.nodes();
    check(nodes === '', `abc has connected to ${nodes}`);
    return Date.now() > end;
  });
  await cluster.peer('bcd').eval(`:net_kernel.connect_node(${abc.atom})`);
  await abc.proc.line(/bcd@\S+ is back after the connection was lost, and neither node has restarted/, 5000);
}
