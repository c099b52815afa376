// `otpnode check -config F…`: reads the configuration files of all nodes of a cluster and says what will go wrong.
import { lookup } from 'node:dns/promises';
import { resolve } from 'node:path';
import { ConfigError, loadConfig } from '../index.js';
import { checkCluster, type Finding, hostsOf, type NodeConfig, withNames } from '../kernel/config_check.js';
import { finalLine } from './final_line.js';
import { isFile } from './find_application.js';

const CHECK_USAGE = `usage: otpnode check [--json] -config FILE… | NODE=FILE…

Reads the configuration files of all nodes of a cluster, one per node, and says what will go wrong.
Whose file is whose is found out from the lists in them; NODE=FILE says it: abc@127.0.0.1=config/a

  --json   one JSON object: {"nodes": [...], "findings": [{"severity", "code", "text", "files"}]}

Exit code 1 if there are errors, 0 if there are none or only warnings.
`;

export interface CheckOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs `otpnode check`; resolves to the exit code. `resolves` is asked about hosts. */
export async function checkMain(
  argv: readonly string[],
  output: CheckOutput,
  cwd: string = process.cwd(),
  resolves: (host: string) => Promise<boolean> = resolvesHere,
): Promise<number> {
  const words = argv.filter((word) => !/^--?(config|json)$/.test(word));
  const unknown = words.find((word) => word.startsWith('-') && !/^--?help$/.test(word));
  if (unknown !== undefined) output.err(`otpnode check: unknown option ${unknown}\n`);
  if (words.length === 0 || unknown !== undefined || words.some((word) => /^--?help$/.test(word))) {
    const asked = unknown === undefined && argv.some((word) => /^--?help$/.test(word));
    (asked ? output.out : output.err)(CHECK_USAGE);
    return asked ? 0 : 1;
  }
  const { configs, findings } = read(words, cwd);
  const named = withNames(configs);
  const hosts = await Promise.all(hostsOf(named).map(async (host) => ((await resolves(host)) ? [] : [host])));
  findings.push(...checkCluster(named, hosts.flat()));
  const failed = findings.some(({ severity }) => severity === 'error');
  if (argv.some((word) => /^--?json$/.test(word))) output.out(`${JSON.stringify(asJson(named, findings))}\n`);
  else output.out(asText(named, findings));
  return failed ? 1 : 0;
}

function read(words: readonly string[], cwd: string): { configs: NodeConfig[]; findings: Finding[] } {
  const configs: NodeConfig[] = [];
  const findings: Finding[] = [];
  for (const word of words) {
    const [, node, file = word] = /^([^=@]+@[^=@]+)=(.*)$/.exec(word) ?? [];
    try {
      const config = loadConfig({ sources: [{ config: file }], cwd });
      configs.push({ file, node, config });
      if (!file.endsWith('.config') && isFile(resolve(cwd, file))) findings.push(suffixFinding(file));
      const warnings = config.warnings.filter((text) => !/sync_nodes_timeout|is not distributed/.test(text));
      findings.push(
        ...warnings.map((text): Finding => ({ severity: 'warning', code: 'config', text, files: [file] })),
      );
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const text = `the node does not start: ${finalLine(error)}`;
      findings.push({ severity: 'error', code: error.code, text, files: [file] });
    }
  }
  return { configs, findings };
}

/** `-config x` reads `x.config`, whatever `x` is. */
function suffixFinding(file: string): Finding {
  const text = `${file} is there, but -config ${file} reads ${file}.config`;
  return { severity: 'warning', code: 'suffix', text, files: [file] };
}

async function resolvesHere(host: string): Promise<boolean> {
  try {
    await lookup(host);
    return true;
  } catch {
    return false;
  }
}

function asJson(configs: readonly NodeConfig[], findings: readonly Finding[]): unknown {
  return { nodes: configs.map(({ file, node }) => ({ file, node: node ?? null })), findings };
}

function asText(configs: readonly NodeConfig[], findings: readonly Finding[]): string {
  const nodes = configs.map(({ file, node }) => `${file}: ${node ?? 'node unknown, say NODE=FILE'}\n`);
  const lines = findings.map(({ severity, text }) => `${severity}: ${text}\n`);
  const count = (severity: string): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const sum =
    findings.length === 0
      ? 'no problems found\n'
      : `${count('error')} errors, ${count('warning')} warnings\n`;
  return [...nodes, ...lines, sum].join('');
}
