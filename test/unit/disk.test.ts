/** The disk check: against the real file system, and against looks that say what no file system here would. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunCheck, type RunCheck } from '../../agent/probe/check.ts';
import { createDiskCheck } from '../../agent/probe/disk.ts';
import { systemClock } from '../../common/clock.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { until } from '../support/until.ts';

const timing = { name: 'check', interval: 1000, fall: 2, rise: 3 };
const looking = (stat?: string[]) =>
  createRunCheck({ clock: systemClock, resolve: (command) => [...command], disk: createDiskCheck(stat) });
const run = (check: ResolvedCheck, how: RunCheck = looking()) =>
  how(check, { signal: new AbortController().signal });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-disk-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('[3.5] the disk check', () => {
  const room = { freeBytes: 0, freePercent: 0, freeInodesPercent: 0 };
  const disk = (more: Partial<typeof room> & { path?: string; timeout?: number } = {}): ResolvedCheck => ({
    ...timing,
    timeout: 2000,
    type: 'disk',
    path: folder,
    ...room,
    ...more,
  });

  it('passes while there is room, and says how much', async () => {
    const { bavail, bsize } = await statfs(folder);
    const { ok, detail } = await run(disk({ freeBytes: 1 }));
    expect(ok).toBe(true);
    const [, size, unit = ''] = / has ([0-9.]+) ([KMGT]iB) /.exec(detail) ?? [];
    const free = Number(size) * 1024 ** (1 + 'KMGT'.indexOf(unit[0] ?? ''));
    expect(Math.abs(free - bavail * bsize)).toBeLessThan(bsize * bavail * 0.2);
  });

  /** A hundred blocks of 4096 bytes; 30 are free, of which 10 are kept for root: 20 of 90 are left. */
  const printing = (line: string) => looking(['sh', '-c', `echo ${line}`]);

  it('leaves to root what is kept for root, and asks no inodes of a file system that has none', async () => {
    const detail = `${folder} has 80.0 KiB (22 %) and 100 % of its inodes free`;
    const asked = { freeBytes: 81_920, freePercent: 22, freeInodesPercent: 100 };
    expect(await run(disk(asked), printing('4096 100 30 20 0 0'))).toEqual({ ok: true, detail });
  });

  it.each([
    ['bytes', { freeBytes: 98_304 }, 'wanted 96.0 KiB'],
    ['a share', { freePercent: 23 }, 'wanted 23 %'],
    ['inodes', { freeInodesPercent: 21 }, 'wanted 21 % of the inodes'],
    ['all of them', { freePercent: 23, freeInodesPercent: 21 }, 'wanted 23 % and 21 % of the inodes'],
  ])('fails while it has too few: %s', async (_, more, wanted) => {
    expect(await run(disk(more), printing('4096 100 30 20 50 10'))).toEqual({
      ok: false,
      detail: `${folder} has 80.0 KiB (22 %) and 20 % of its inodes free, ${wanted}`,
    });
  });

  it('fails for a path that is not there, and for a look that is not understood', async () => {
    const gone = await run(disk({ path: join(folder, 'gone') }));
    expect(gone).toEqual({ ok: false, detail: expect.stringMatching(/No such file/) });
    expect(await run(disk(), printing('a b c d e f'))).toEqual({ ok: false, detail: 'a b c d e f' });
  });

  it('that hangs fails in time, and what hung is gone', async () => {
    const pid = join(folder, 'pid');
    const hanging = looking(['sh', '-c', `echo $$ > ${pid}; exec sleep 60`]);
    expect(await run(disk({ timeout: 300 }), hanging)).toEqual({
      ok: false,
      detail: 'no answer within 300 ms',
    });
    const hung = Number(await readFile(pid, 'utf8'));
    await until('what hung is gone', () => !existsSync(`/proc/${hung}`));
  });
});
