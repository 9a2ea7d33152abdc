/** A witness that is a file: the daemon makes it when it has loaded, and what an earlier load has left shows nothing. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { awaitLoaded, takeAway } from '../../agent/converge/witness.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { temporaryFolder } from '../support/courier.ts';

const digest = 'a'.repeat(64);
const earlier = 'b'.repeat(64);
const patience = {
  deadline: 200,
  steady: 0,
  isAlive: () => true,
  clock,
  signal: new AbortController().signal,
};

it('[3.2] a daemon shows its tree by a file, and files of earlier loads are taken away before', async () => {
  const { folder, remove } = await temporaryFolder();
  onTestFinished(remove);
  const loaded = { type: 'file', file: join(folder, `loaded.${digest}`), expect: digest } as const;
  const others = ['loaded.conf', 'web@n1.down', `loaded.${'c'.repeat(63)}`];
  for (const name of [`loaded.${digest}`, `loaded.${earlier}`, ...others])
    await writeFile(join(folder, name), '');
  await takeAway(loaded);
  expect((await readdir(folder)).sort()).toEqual(others.sort());
  await expect(awaitLoaded(loaded, patience)).rejects.toMatchObject({ code: 'not-loaded' });
  await writeFile(loaded.file, '');
  await awaitLoaded(loaded, patience);
});
