/** `up --detach`: a supervisor in a session of its own, whose words are relayed until it serves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Layout, Product } from './layout.ts';
import { openLog } from './logs.ts';
import type { Say } from './say.ts';

/** What the supervisor tells the one who started it. */
export type Relayed = { say: string } | { up: true } | { ended: number };

/** Starts a supervisor and returns when it serves (0) or has ended (its exit code). If the caller dies before that, it stops. */
export async function detach(
  { layout, product, nodes }: { layout: Layout; product: Product; nodes: number },
  say: Say,
): Promise<number> {
  await mkdir(layout.dir, { recursive: true });
  const log = await openLog(layout.log('supervisor'));
  const args = ['up', '--supervise', '--dir', layout.dir, '--nodes', String(nodes)];
  const child = spawn(process.execPath, [product.bundle('cli'), ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const code = await relay(child, say);
  if (child.connected) child.disconnect();
  child.unref();
  return code;
}

function relay(child: ChildProcess, say: Say): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: Relayed) => {
      if ('say' in message) say(message.say);
      else resolve('up' in message ? 0 : message.ended);
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** The other end: tells the starter while it listens. */
export function tell(message: Relayed): void {
  if (process.connected) process.send?.(message);
}
