/** A disk that does not take what is written: told with its step, the old tree still serves, and no garbage is left. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../common/files.ts';
import { type Home, newFolder, siteOf, webHome } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
let undo: (() => void)[] = [];
afterEach(async () => {
  await home.end(() => {
    for (const one of undo.reverse()) one();
  });
  undo = [];
});

const names = Array.from({ length: 30 }, (_, at) => `s${at}.example`);
const lastReport = () => home.unitReports().at(-1);
const filesNow = () => readdirSync(home.unitFolder(), { recursive: true }).map(String).sort();

async function tryAndFail() {
  const before = filesNow();
  const digest = await home.shown();
  await home.declare(...(await Promise.all(names.map((name) => siteOf(home, name)))));
  await until('it is told', () => lastReport()?.error !== undefined);
  expect(lastReport()).toMatchObject({
    result: 'held',
    step: 'stage',
    error: { code: 'write-failed' },
    digest,
  });
  expect((await home.get('a.example')).body).toBe('a.example');
  return before;
}

async function recovers() {
  await until('all is served', async () => (await home.get('s29.example')).body === 's29.example', 20_000);
  expect(await home.settled()).toMatchObject({ held: [] });
}

describe('a disk', () => {
  it('[2 bad input] that fills in the middle of a stage', async () => {
    let room = Number.POSITIVE_INFINITY;
    home = await webHome({
      parts: {
        write: async (path, data, options) => {
          room -= 1;
          if (room < 0)
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          return writeFileAtomic(path, data, options);
        },
      },
    });
    await home.declare(await siteOf(home, 'a.example'));
    await home.settled();
    room = 7;
    const before = await tryAndFail();
    expect(lastReport()?.error?.message).toContain('ENOSPC');
    expect(filesNow()).toEqual(before);
    room = Number.POSITIVE_INFINITY;
    await recovers();
  });
});

describe.runIf(process.getuid?.() === 0)('a real file system', () => {
  let folder: string;

  function mounted(options: string): string {
    folder = newFolder();
    const units = join(folder, 'state', 'units');
    mkdirSync(units, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', units]);
    undo.push(() => execFileSync('umount', ['-l', units]));
    return units;
  }

  it('[2 bad input] that is full is told, and mended when there is room', async () => {
    const units = mounted('size=512k');
    home = await webHome({ folder });
    await home.declare(await siteOf(home, 'a.example'));
    await home.settled();
    const fill = join(units, 'fill');
    const used = Number(
      execFileSync('df', ['--output=avail', '-B1', units], { encoding: 'utf8' }).split('\n')[1],
    );
    writeFileSync(fill, Buffer.alloc(used - 40 * 1024));
    await tryAndFail();
    execFileSync('rm', [fill]);
    await recovers();
  });

  it('[2 bad input] that was made read-only is told, and mended when it can be written', async () => {
    const units = mounted('size=4m');
    home = await webHome({ folder });
    await home.declare(await siteOf(home, 'a.example'));
    await home.settled();
    execFileSync('mount', ['-o', 'remount,ro', units]);
    const before = await tryAndFail();
    expect(filesNow()).toEqual(before);
    execFileSync('mount', ['-o', 'remount,rw', units]);
    await recovers();
  });
});

describe.runIf(process.getuid?.() !== 0)('a folder', () => {
  it('[2 bad input] that was made read-only is told, and mended when it can be written', async () => {
    home = await webHome();
    await home.declare(await siteOf(home, 'a.example'));
    await home.settled();
    const sites = join(home.unitFolder(), 'files', 'sites');
    chmodSync(sites, 0o555);
    const before = await tryAndFail();
    expect(filesNow()).toEqual(before);
    chmodSync(sites, 0o755);
    await recovers();
  });
});
