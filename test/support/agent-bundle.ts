/** The agent's bundle as a process of its own: a box that has joined a manager which nobody reaches. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeConfig } from '../../agent/config.ts';
import { newKey, requestFor } from '../../agent/identity/csr.ts';
import { createAuthority } from './courier.ts';
import { NODE } from './home.ts';

const bundle = join(import.meta.dirname, '..', '..', 'dist', 'agent.js');

/** Nothing listens there: a port that only root opens, on an address of its own. */
const manager = { address: '127.0.0.99', ports: { api: 2, machines: 2, broker: 2 } };

/** Writes what a join leaves on disk. @param folder that of a home */
export async function joined(folder: string, address = '127.0.0.31'): Promise<void> {
  const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
  await writeConfig(paths.state, { address, paths });
  const pki = await createAuthority(join(folder, 'pki'));
  const key = await newKey();
  const { certificate, ca } = await pki.issueNode(NODE, await requestFor(NODE, key));
  const files = {
    'key.pem': key,
    'cert.pem': certificate,
    'ca.pem': ca,
    'cluster.pub': pki.signingKey,
    'manager.json': JSON.stringify({ node: NODE, cluster: 'test', ...manager }),
  };
  const identity = join(paths.state, 'identity');
  await mkdir(identity, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(identity, name), text);
}

/** Runs the agent of a box that has joined. @param killAt `step:begin|end[:nth]`, where it kills itself */
export function spawnAgent(folder: string, killAt?: string): ChildProcess {
  const env = { ...process.env, ...(killAt === undefined ? {} : { EVENKEEL_KILL_AT: killAt }) };
  return spawn(process.execPath, [bundle, 'run', '--state', join(folder, 'state')], {
    env,
    stdio: ['ignore', process.env.EVENKEEL_TEST_LOG ? 'inherit' : 'ignore', 'pipe'],
    timeout: 20_000,
    killSignal: 'SIGTERM',
  });
}

/** How an agent ended, and what it said last. */
export async function endOf(
  agent: ChildProcess,
): Promise<{ status: number | null; signal: string | null; said: string }> {
  let said = '';
  agent.stderr?.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  const [status, signal] = (await once(agent, 'close')) as [number | null, string | null];
  return { status, signal, said };
}
