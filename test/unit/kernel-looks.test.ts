/** What one look at very many lines costs: what the kernel says is read and understood once, not once for each line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { differingOf } from '../../agent/kernel/differing.ts';
import { createEyes } from '../../agent/kernel/hands.ts';
import { createKernel } from '../../agent/kernel/kernel.ts';
import { parseLines } from '../../agent/kernel/lines.ts';
import type { Look } from '../../agent/kernel/thing.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';

const MOST = 4_096;
const many = <T>(length: number, of: (index: number) => T): T[] => Array.from({ length }, (_, at) => of(at));
const linesOf = (text: string[]) => parseLines(text.join('\n')).lines;

/** Of this process alone, however busy the machine is. */
async function spent(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** The files of a box, and how often each was read. */
function reading(files: Record<string, string>) {
  const reads: Record<string, number> = {};
  const eyes = createEyes(async () => ({ status: 0, output: '' }), clock, new Map());
  const read = (file: string) => {
    reads[file] = (reads[file] ?? 0) + 1;
    return files[file] ?? null;
  };
  const look: Look = { ...eyes, read };
  return { look, reads };
}

it('[3.7] a look at 4,096 quotas of 20,000 users does not take the agent seconds, nor does the pass that finds them right', async () => {
  const row = (user: number) => `user${user},ok,ok,123456,1048576,2097152,,1234,0,0,`;
  const listing = ['User,BlockStatus', ...many(20_000, row)].join('\n');
  const run = async ([command]: readonly string[]) => ({
    status: 0,
    output: command === 'repquota' ? listing : '',
  });
  const folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  const allowed = { sysctls: ['*'], modules: ['*'], devices: ['*'], folders: ['*'] };
  const log = createLog('agent', 'silent');
  const kernel = createKernel({ folder, aside: folder, allowed, run, clock, log, isRoot: true });
  const lines = linesOf(many(MOST, (user) => `quota user${user} /data/home 1g 2g`));
  expect(lines).toHaveLength(MOST);
  try {
    expect(await spent(() => kernel.differing(lines))).toBeLessThan(2_000);
    expect(await spent(() => kernel.apply('server', lines))).toBeLessThan(4_000);
    expect(await kernel.differing(lines)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('[3.7] the tables of mounts and exports are read once a look', async () => {
  const mount = (at: number) => `${at + 30} 1 0:${at} / /data/${at} rw - ext4 /dev/sd${at} rw`;
  const bind = (at: number) => `${at + 9_000} 1 0:${at} / /nfs/${at} rw - ext4 /dev/sd${at} rw`;
  const files = {
    '/proc/self/mountinfo': [...many(1_000, mount), ...many(1_000, bind)].join('\n'),
    '/var/lib/nfs/etab': many(1_000, (at) => `/data/${at}\t10.0.0.12/32(rw,fsid=${at})`).join('\n'),
  };
  const { look, reads } = reading(files);
  const lines = linesOf([
    ...many(1_000, (at) => `bind /data/${at} /nfs/${at}`),
    ...many(1_000, (at) => `export /data/${at} 10.0.0.12 rw,fsid=${at}`),
  ]);
  const cpu = await spent(async () => expect(await differingOf(lines, look)).toEqual([]));
  expect(reads).toEqual({ '/proc/self/mountinfo': 1, '/var/lib/nfs/etab': 1 });
  expect(cpu).toBeLessThan(2_000);
});
