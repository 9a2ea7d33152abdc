/** A sandbox of its own for end-to-end tests: started by the command a person would use, and always taken down. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, createClient } from '../../cli/client.ts';
import { findManager } from '../../cli/find.ts';
import { layoutOf } from '../../cli/sandbox/layout.ts';
import { tailOf } from '../../cli/sandbox/logs.ts';
import { readUp, type Up } from '../../cli/sandbox/settings.ts';

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const cliBundle = join(checkout, 'dist', 'cli.js');

/** How a command of the CLI ended. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** What came back through the balancer. */
export interface Answer {
  status: number;
  node: string | undefined;
  body: string;
}

export interface TestSandbox {
  dir: string;
  up(): Up;
  /** The API, as the CLI speaks to it. */
  client(): Client;
  /** Runs the CLI against this sandbox. */
  cli(args: string[], input?: string): Promise<Ran>;
  get(host: string, path?: string): Promise<Answer>;
  /** The absolute form of a path in up.json. */
  path(shown: string): string;
  /** The last lines of every log, for a failed test. */
  tails(): string;
  down(): Promise<Ran>;
  /** Takes it down and removes it. */
  remove(): Promise<void>;
}

interface Running {
  input?: string | undefined;
  timeout?: number;
  /** Variables that it and all that it starts get beside ours. */
  env?: Record<string, string>;
}

export function runCli(
  args: string[],
  { input = '', timeout = 120_000, env = {} }: Running = {},
): Promise<Ran> {
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [cliBundle, ...args],
      { timeout, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env } },
      (err, stdout, stderr) => done({ code: err ? Number(err.code ?? 1) : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

export async function startSandbox(
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<TestSandbox> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-e2e-'));
  // As root, nginx's workers are somebody else, and they serve files from in here.
  chmodSync(folder, 0o755);
  const sandbox = sandboxIn(join(folder, 'var'), env);
  const ran = await runCli(['up', '--detach', '--dir', sandbox.dir, ...args], { env });
  if (ran.code === 0) return sandbox;
  const words = `up ended with ${ran.code}\n${ran.stdout}${ran.stderr}\n${sandbox.tails()}`;
  await sandbox.remove();
  throw new Error(words);
}

function sandboxIn(dir: string, env: Record<string, string>): TestSandbox {
  const layout = layoutOf(dir);
  const up = () => {
    const found = readUp(layout);
    if (!found) throw new Error(`there is no ${layout.upFile}`);
    return found;
  };
  const down = () => runCli(['down', '--dir', dir]);
  return {
    dir,
    up,
    client: () => createClient(findManager({ up: layout.upFile }, { cwd: dir, env: {} })),
    cli: (args, input) => runCli(['--up', layout.upFile, ...args], { input, env }),
    get: (host, path = '/') => getThrough(up().balancer, host, path),
    path: (shown) => resolve(dirname(dir), shown),
    tails: () => tailsIn(join(dir, 'log')),
    down,
    remove: async () => {
      const ran = await down();
      if (ran.code !== 0) throw new Error(`down failed: ${ran.stdout}${ran.stderr}`);
      rmSync(dirname(dir), { recursive: true, force: true });
    },
  };
}

function tailsIn(folder: string): string {
  if (!existsSync(folder)) return '(no logs)';
  const names = readdirSync(folder);
  return names.map((name) => `--- ${name}\n${tailOf(join(folder, name))}`).join('\n');
}

/** One request on a connection of its own. */
export function getThrough(base: string, host: string, path: string): Promise<Answer> {
  return new Promise((done, reject) => {
    const sent = request(`${base}${path}`, { agent: false, headers: { host }, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.once('end', () => {
        const node = response.headers['x-evenkeel-node'];
        done({ status: response.statusCode ?? 0, node: node as string | undefined, body });
      });
      response.once('error', reject);
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer within 5 s')));
    sent.once('error', reject);
    sent.end();
  });
}

/** The processes that a process has started and that still live. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => candidate > 1 && parentOf(candidate) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // it ended meanwhile
  }
}
