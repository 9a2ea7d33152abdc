/** The watch where the kernel gives no more watches: the sweep looks after the rest, and that is said once. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createWatch } from '../../agent/drift/watch.ts';
import type { Expected } from '../../agent/state/disk.ts';
import { systemClock as clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('[2 bad input] folders that the kernel does not watch are told once, and once more when that is over', async () => {
  const said: string[] = [];
  const note = (_: unknown, message: string) => void said.push(message);
  const log = { info: note, warn: note, error: note } as unknown as Log;
  let full = true;
  const watch = createWatch({
    clock,
    log,
    open: () => {
      if (full) throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'));
      return { on: () => undefined, close: () => undefined };
    },
  });
  const expected = Array.from({ length: 5 }, (_, at): Expected => {
    mkdirSync(join(folder, `${at}`));
    return { kind: 'file', path: `${at}/a`, place: join(folder, `${at}`, 'a'), hash: '', mode: 0o644 };
  });
  const stop = watch.start(() => undefined);
  const look = () => watch.set('u', expected, { differs: () => false });
  for (let time = 0; time < 3; time += 1) look();
  expect(said).toEqual(['folders cannot be watched; the sweep looks after them']);
  full = false;
  for (let time = 0; time < 3; time += 1) look();
  expect(said.slice(1)).toEqual(['all folders are watched again']);
  await stop();
});
