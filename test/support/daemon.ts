/** A real daemon of the test's own: its own configuration and loopback port, in the foreground, ended by the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from './until.ts';

export interface Daemon {
  child: ChildProcess;
  stop(): Promise<void>;
}

/** @param ports accept connections once it is up @throws with what it said, when it ends before */
export async function startDaemon(
  [command = '', ...args]: readonly string[],
  ports: readonly number[],
): Promise<Daemon> {
  // Debian has daemons where the PATH of somebody who is not root does not lead.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part;
    });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    await ended;
  };
  try {
    await until(`${command} accepts connections`, async () => {
      if (child.exitCode !== null) throw new Error(`${command} ended: ${said}`);
      return (await Promise.all(ports.map(accepts))).every(Boolean);
    });
    return { child, stop };
  } catch (err) {
    await stop();
    throw err;
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
