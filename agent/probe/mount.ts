/** The mount check: the path is a mount point, and a stat of it answers. A dead file server can hang the child, never the agent. */
import { readFile } from 'node:fs/promises';
import { runChild } from './child.ts';
import { type CheckResult, failed, passed } from './result.ts';
import { createLook } from './statfs.ts';

export type MountCheck = (target: { path: string }, signal: AbortSignal) => Promise<CheckResult>;

/** @param stat the command that touches the path, which is added to it */
export function createMountCheck(
  stat: readonly string[] = ['stat', '--file-system', '--'],
  run = runChild,
): MountCheck {
  const look = createLook(stat, run);
  return async ({ path }, signal) => {
    if (!(await mountPoints(signal)).has(path)) return failed(`${path} is not mounted`);
    const { status, output } = await look(path, signal);
    return status === 0 ? passed(`${path} answers`) : failed(output);
  };
}

/** Read from the kernel's own list, which answers whatever the file servers do. */
async function mountPoints(signal: AbortSignal): Promise<Set<string>> {
  const table = await readFile('/proc/self/mountinfo', { encoding: 'utf8', signal });
  return new Set(table.split('\n').map((line) => unescapeOctal(line.split(' ')[4] ?? '')));
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
