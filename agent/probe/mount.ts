/** The mount check: the path is a mount point, and a stat of it answers. A dead file server can hang the child, never the agent. */
import { readFile } from 'node:fs/promises';
import { MOUNTS, mountsIn } from '../../common/mounts.ts';
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

async function mountPoints(signal: AbortSignal): Promise<Set<string>> {
  const table = await readFile(MOUNTS, { encoding: 'utf8', signal });
  return new Set(mountsIn(table).map(({ point }) => point));
}
