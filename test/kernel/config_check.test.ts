import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/kernel/config.js';
import { checkCluster, type NodeConfig, withNames } from '../../src/kernel/config_check.js';

/** The configuration of a node with these kernel parameters, each `name value` in Erlang. */
function config(file: string, parameters: Readonly<Record<string, string>>, node?: string): NodeConfig {
  const words = Object.entries(parameters).flat();
  return { file, node, config: loadConfig({ flags: [{ application: 'kernel', words }] }) };
}

const ALL = ['a@h.x', 'b@h.x', 'c@h.x'];
const quoted = (nodes: readonly string[]): string => `[${nodes.map((node) => `'${node}'`).join()}]`;

/** Three sound configurations, changed for one test. */
function cluster(change: (name: string) => Readonly<Record<string, string>> = () => ({})): NodeConfig[] {
  return ALL.map((node) => {
    const name = node[0] as string;
    const sound = {
      distributed: "[{distro,5000,['a@h.x',{'b@h.x','c@h.x'}]}]",
      sync_nodes_mandatory: quoted(ALL.filter((other) => other !== node)),
      sync_nodes_timeout: '30000',
    };
    const merged = { ...sound, ...change(name) };
    return config(name, Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== '')), node);
  });
}

const codes = (configs: readonly NodeConfig[], unresolved?: readonly string[]): string[] =>
  checkCluster(configs, unresolved).map(({ severity, code }) => `${severity} ${code}`);

test('a sound cluster has no findings', () => {
  assert.deepEqual(codes(cluster()), []);
});

test('whose file is whose is found out from the lists', () => {
  const unnamed = cluster().map((own) => ({ ...own, node: undefined }));
  assert.deepEqual(
    withNames(unnamed).map(({ node }) => node),
    ALL,
  );
  assert.deepEqual(codes(unnamed), []);
});

test('node lists that differ; the order in a tuple is free', () => {
  const other = (list: string) => (name: string) =>
    name === 'c' ? { distributed: `[{distro,5000,${list}}]` } : {};
  assert.deepEqual(codes(cluster(other("['a@h.x',{'c@h.x','b@h.x'}]"))), []);
  assert.deepEqual(codes(cluster(other("['a@h.x','b@h.x','c@h.x']"))), ['error lists_differ']);
});

test('an application that one node does not distribute', () => {
  assert.deepEqual(codes(cluster((name) => (name === 'b' ? { distributed: '' } : {}))), [
    'error missing_entry',
  ]);
});

test('restart times that differ', () => {
  const slow = (name: string) =>
    name === 'b'
      ? { distributed: "[{distro,1000,['a@h.x',{'b@h.x','c@h.x'}]}]" }
      : ({} as Record<string, string>);
  assert.deepEqual(codes(cluster(slow)), ['warning times_differ']);
});

test('a negative time disables distribution', () => {
  const negative = { distributed: "[{distro,-1,['a@h.x',{'b@h.x','c@h.x'}]}]" };
  assert.deepEqual([...new Set(codes(cluster(() => negative)))], ['error negative_time']);
});

test('a timeout missing makes the lists mean nothing', () => {
  const found = codes(cluster(() => ({ sync_nodes_timeout: '' })));
  assert.ok(found.includes('error no_sync_timeout'));
  assert.ok(found.includes('error not_introduced'));
});

test("a node in nobody's lists is never introduced", () => {
  const lists: Record<string, string> = { a: quoted(['b@h.x']), b: quoted(['a@h.x']), c: '[]' };
  const found = checkCluster(cluster((name) => ({ sync_nodes_mandatory: lists[name] as string })));
  assert.deepEqual([...new Set(found.map(({ code }) => code))], ['not_introduced']);
  assert.match(found[0]?.text as string, /a@h\.x and c@h\.x may both run distro/);
  const absent = cluster().slice(0, 2);
  assert.deepEqual(codes(absent), [], 'the file of c is not there, but a and b name it');
});

test('a wait that only one side knows of', () => {
  const lists: Record<string, string> = { b: '[]' };
  const found = codes(
    cluster((name) => (name in lists ? { sync_nodes_mandatory: lists[name] as string } : {})),
  );
  assert.deepEqual([...new Set(found)], ['error one_sided_wait']);
});

test('own name, and a name twice, in the own lists', () => {
  const own = codes(cluster((name) => (name === 'a' ? { sync_nodes_mandatory: quoted(ALL) } : {})));
  assert.deepEqual(own, ['warning waits_for_itself']);
  const twice = cluster((name) => (name === 'a' ? { sync_nodes_optional: quoted(['b@h.x']) } : {}));
  assert.deepEqual(codes(twice), ['error waits_twice']);
});

test('two applications in one tuple, and crossed lists', () => {
  const two = (second: string) => () => ({
    distributed: `[{d1,1000,['a@h.x',{'b@h.x','c@h.x'}]},{d2,${second}}]`,
  });
  const unique = (second: string): string[] => [...new Set(codes(cluster(two(second))))];
  assert.deepEqual(unique("1000,['a@h.x',{'b@h.x','c@h.x'}]"), ['error deadlock_tuple']);
  assert.deepEqual(unique("1500,['a@h.x',{'b@h.x','c@h.x'}]"), []);
  assert.deepEqual(unique("1000,['b@h.x','a@h.x','c@h.x']"), ['error deadlock_order']);
});

test('lists with odd nodes', () => {
  const list = (nodes: string) => codes(cluster(() => ({ distributed: `[{distro,0,${nodes}}]` })));
  assert.ok(list("['a@h.x',{'b@h.x'},'c@h.x']").includes('warning single_node_tuple'));
  assert.ok(list("['a@h.x','a@h.x']").includes('error node_twice'));
  assert.ok(list('[]').includes('error no_nodes'));
  assert.ok(list("['a@h.x','b@h.x']").includes('warning not_in_own_list'));
  assert.ok(list("['a@h.x','b@h.x',c]").includes('error bad_node_name'));
  assert.ok(list("['a@h.x','b@h.x','c@h']").includes('error mixed_names'));
  assert.ok(list("['a@h.x','b@h.x','a@i.x']").includes('warning similar_names'));
});

test('hosts that do not resolve', () => {
  const found = checkCluster(cluster(), ['h.x']);
  assert.deepEqual(
    found.map(({ code }) => code),
    ['unknown_host', 'unknown_host', 'unknown_host'],
  );
});

test('settings beside the lists', () => {
  assert.deepEqual([...new Set(codes(cluster(() => ({ start_dist_ac: 'false' }))))], ['error no_dist_ac']);
  assert.deepEqual(codes(cluster((name) => (name === 'a' ? { permissions: '[{distro,false}]' } : {}))), [
    'warning not_permitted',
  ]);
  const differ = cluster((name) =>
    name === 'a' ? { net_ticktime: '8', prevent_overlapping_partitions: 'false' } : {},
  );
  assert.deepEqual(codes(differ), ['warning settings_differ', 'warning settings_differ']);
});

test('global groups that are not the same everywhere', () => {
  const groups = (of: Readonly<Record<string, string>>): string[] => [
    ...new Set(codes(cluster((name) => (of[name] === undefined ? {} : { global_groups: of[name] })))),
  ];
  const all = `[{g,${quoted(ALL)}}]`;
  assert.deepEqual(groups({ a: all, b: all, c: all }), []);
  assert.deepEqual(groups({ a: all, b: all }), ['error groups_differ', 'warning in_no_group']);
  const two = `[{g,${quoted(ALL.slice(0, 2))}},{f,${quoted(ALL.slice(2))}}]`;
  assert.deepEqual(groups({ a: two, b: two, c: two }), ['warning application_across_groups']);
  assert.deepEqual(groups({ a: all, b: two, c: all }), [
    'error groups_differ',
    'warning application_across_groups',
  ]);
  const twice = `[{g,${quoted(ALL)}},{f,${quoted(ALL)}}]`;
  assert.deepEqual(groups({ a: twice, b: twice, c: twice }), ['error in_two_groups']);
  const others = "[{g,['x@h.x']}]";
  assert.deepEqual(groups({ a: others, b: others, c: others }), ['warning in_no_group']);
});
