/** A newer schema: what it starts from is kept, and an upgrade can be undone to exactly that. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { placesOf } from '../../../manager/config.ts';
import { undoUpgrade } from '../../../manager/setup/undo-upgrade.ts';
import { copyOf, SCHEMA_VERSION, schemaOf } from '../../../manager/store/schema.ts';
import { openWitness } from '../../../manager/witness.ts';
import { basics, puts, site } from './declared.ts';
import { contents, folder, log, opened, refusal, tamper } from './opened.ts';

const BEFORE = SCHEMA_VERSION - 1;

/** A manager's folder with a store of the schema before this one. */
async function older() {
  const data = await folder();
  const { store: file } = placesOf(data);
  const ports = { api: 1, machines: 2, broker: 3, fallback: 4 };
  await writeFile(
    join(data, 'manager.json'),
    JSON.stringify({ address: '127.0.0.99', ports, logLevel: 'silent' }),
  );
  const { store } = await opened({ file, create: true });
  await store.write({ actor: 'test', edits: puts(...basics(), site('a.example.org')) });
  await store.close();
  // What the newest migration has made.
  await tamper(file, `DROP TABLE scheduled; DROP INDEX runs_by_actor; PRAGMA user_version = ${BEFORE}`);
  return { data, file };
}

it('[4.6] a store that is made newer is kept beside itself as it was, and holds what it held', async () => {
  const { file } = await older();
  const { store } = await opened({ file });
  expect(store.meta().mode).toBe('serving');
  expect((await store.list('Site', { limit: 10 })).map(({ name }) => name)).toEqual(['a.example.org']);
  await store.close();
  expect([await schemaOf(file), await schemaOf(copyOf(file, BEFORE))]).toEqual([SCHEMA_VERSION, BEFORE]);
});

it('[4.6] an upgrade that a newer version began is undone to the very store of before', async () => {
  const { data, file } = await older();
  const { store } = await opened({ file });
  const before = await contents(store);
  await store.close();
  // What a version of the future would have made of it.
  await tamper(file, 'PRAGMA user_version = 1000');
  const { schema, taken, aside } = await undoUpgrade(data, systemClock);
  expect(Date.now() - Date.parse(taken ?? '')).toBeLessThan(600_000);
  expect([schema, await schemaOf(join(aside ?? '', 'store.sqlite'))]).toEqual([BEFORE, 1000]);
  const { store: again } = await opened({ file });
  expect(await contents(again)).toEqual(before);
});

it('[4.6] what the newer version has committed meanwhile is missed: the manager starts in doubt, and says so', async () => {
  const { data, file } = await older();
  const { store } = await opened({ file });
  const witness = await openWitness({ file: placesOf(data).witness, clock: systemClock, log });
  const stop = await witness.follow(store);
  await store.write({ actor: 'test', edits: puts(site('b.example.org')) });
  await stop();
  await store.close();
  await tamper(file, 'PRAGMA user_version = 1000');
  await undoUpgrade(data, systemClock);
  const { store: again } = await opened({ file });
  const seen = await openWitness({ file: placesOf(data).witness, clock: systemClock, log });
  expect(seen.doubts(again.meta())).toMatch(/older/);
});

it('[4.6] there is nothing to undo for a store of this version, and nothing without the copy', async () => {
  const { data, file } = await older();
  const { store } = await opened({ file });
  await store.close();
  expect((await refusal(undoUpgrade(data, systemClock))).code).toBe('bad-request');
  const bare = await older();
  await tamper(bare.file, 'PRAGMA user_version = 1000');
  expect((await refusal(undoUpgrade(bare.data, systemClock))).code).toBe('not-found');
  expect(await schemaOf(bare.file)).toBe(1000);
});
