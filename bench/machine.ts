/** What the figures were measured on, since they say little without it. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export interface Machine {
  cpus: number;
  model: string;
  memoryGb: number;
  kernel: string;
  node: string;
  /** Of the folder in which files are written. */
  filesystem: string;
}

export function machineOf(folder: string): Machine {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    filesystem: filesystemOf(folder, readFileSync('/proc/self/mounts', 'utf8')),
  };
}

/** The type of the mount that a folder lies on: the longest mount point that leads to it. */
export function filesystemOf(folder: string, mounts: string): string {
  const candidates = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => point === '/' || folder === point || folder.startsWith(`${point}/`))
    .sort(([, a = ''], [, b = '']) => b.length - a.length);
  return candidates[0]?.[2] ?? 'unknown';
}

export const machineLine = (machine: Machine): string =>
  `${machine.cpus} CPUs (${machine.model}), ${machine.memoryGb} GB, Linux ${machine.kernel}, ` +
  `${machine.filesystem}, Node ${machine.node}`;
