/** The bundles that ship, run as processes, with their log in a file. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandOf } from '../common/programs.ts';

export type BundleName = 'manager' | 'agent';

export interface Running {
  pid: number;
  /** Throws, with its last words, when it has ended by itself. */
  mustRun(): void;
  stop(): Promise<void>;
}

const bundle = (name: BundleName) => join(process.cwd(), 'dist', `${name}.js`);

export function runBundle(name: BundleName, args: string[], logFile: string): Running {
  const log = openSync(logFile, 'a');
  const [node = process.execPath, ...rest] = commandOf(name, bundle(name), args);
  const child = spawn(node, rest, { stdio: ['ignore', log, log] });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`${name} did not start`);
  const mustRun = () => {
    if (child.exitCode === null && child.signalCode === null) return;
    const last = readFileSync(logFile, 'utf8').trim().split('\n').at(-1);
    throw new Error(`${name} has ended: ${last}`);
  };
  return { pid: child.pid, mustRun, stop: () => stopped(child) };
}

/** Runs a bundle to its end. */
export async function bundleOnce(name: BundleName, args: string[], timeout = 30_000): Promise<void> {
  await promisify(execFile)(process.execPath, [bundle(name), ...args], { timeout });
}

const GRACE = 15_000;

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), GRACE);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
