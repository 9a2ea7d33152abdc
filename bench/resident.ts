/** What a process holds and uses, read from /proc. */
import { readFileSync } from 'node:fs';

/** Resident memory in kB. */
export function residentKb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (!line) throw new Error(`process ${pid} has no memory`);
  return Number(line[1]);
}

const TICKS_PER_SECOND = 100;

/** Seconds of CPU, its own and of the children that it waited for. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks / TICKS_PER_SECOND;
}
