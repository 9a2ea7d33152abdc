/** A place of its own for boxes: network, processes and mounts that nobody else sees, and that all end together. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { join } from 'node:path';
import { PATH } from './host.ts';

const MARK = 'EVENKEEL_LAB';

/** The name of the place that this process is in; nothing when it is in the machine's own namespaces. */
export const placeName = (): string | undefined => process.env[MARK] || undefined;

/** The same program of ours with other arguments, as a command. */
export const ourselves = (args: string[]): string[] => [
  process.execPath,
  ...process.execArgv,
  join(import.meta.dirname, 'main.ts'),
  ...args,
];

/** Boxes made outside would leave bridges and taps in the machine's own network. */
export function refuseOutside(): void {
  if (placeName() === undefined)
    throw new Error(
      'boxes live in namespaces of their own: use npm test, npm run lab, or test/lab/run-suites.ts',
    );
}

/**
 * Starts a command inside. Only SIGKILL of what is returned ends it before its time, and then all within ends too:
 * unshare heeds no other signal, and PID 1 of a namespace cannot kill itself.
 */
export function spawnInside(name: string, command: string[], options: SpawnOptions): ChildProcess {
  const namespaces = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return spawn('unshare', [...namespaces, 'sh', join(import.meta.dirname, 'inside.sh'), ...command], {
    ...options,
    env: { ...process.env, ...options.env, PATH, [MARK]: name },
  });
}
