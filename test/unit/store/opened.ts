/** Stores for tests: a real SQLite file in a folder of its own, closed and removed when the test ends. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sqlite3 from 'sqlite3';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { createLog } from '../../../common/log.ts';
import { rules } from '../../../manager/desired/rules.ts';
import { openStore, type StoreOptions } from '../../../manager/store/open.ts';
import type { Store } from '../../../manager/store/store.ts';

export const log = createLog('test', 'silent');

export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'evenkeel-store-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Opens a store, or the same one again: give its file. */
export async function opened(options: Partial<StoreOptions> = {}): Promise<{ store: Store; file: string }> {
  const file = options.file ?? join(await folder(), 'store.sqlite');
  const store = await openStore({
    rules,
    clock: systemClock,
    log,
    create: options.file === undefined,
    ...options,
    file,
  });
  onTestFinished(() => store.close().catch(() => undefined));
  return { store, file };
}

/** Does to the database what no part of the program would. */
export async function tamper(file: string, sql: string): Promise<void> {
  const handle = new sqlite3.Database(file);
  await new Promise<void>((resolve, reject) => handle.exec(sql, (err) => (err ? reject(err) : resolve())));
  await new Promise<void>((resolve) => handle.close(() => resolve()));
}

/** Everything that the store shows of what is declared, to compare before and after. */
export const contents = async (store: Store) => ({
  meta: store.meta(),
  heads: store.heads(),
  journal: await store.journal({ since: 0, limit: 10_000 }),
  sites: await store.list('Site', { limit: 1000 }),
  domains: [...store.view().domains.keys()].sort(),
});

/** The code and the problems of a refusal. */
export async function refusal(
  work: Promise<unknown>,
): Promise<{ code: string; problems: { code: string; path: string; fix?: string }[] }> {
  const thrown: unknown = await work.then(
    () => undefined,
    (err: unknown) => err,
  );
  if (thrown === undefined) throw new Error('it was not refused');
  return thrown as never;
}
