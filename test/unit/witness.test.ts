/** The witness: it remembers less than was rather than more, and doubts only what cannot be. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openWitness } from '../../manager/witness.ts';
import { createManualClock } from '../support/clock.ts';
import { quiet, temporaryFolder } from '../support/courier.ts';
import { until } from '../support/until.ts';

async function witnessed(text?: string) {
  const { folder, remove } = await temporaryFolder();
  onTestFinished(remove);
  const file = join(folder, 'witness.json');
  if (text !== undefined) await writeFile(file, text);
  const clock = createManualClock();
  const listeners = new Set<() => void>();
  const meta = { cluster: 'c', epoch: 2, revision: 10, damaged: false };
  return {
    meta,
    clock,
    witness: await openWitness({ file, clock, log: quiet }),
    store: {
      meta: () => ({ ...meta }),
      onCommit: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    commit: (revision: number) => {
      meta.revision = revision;
      for (const listener of listeners) listener();
    },
    kept: async () => JSON.parse(await readFile(file, 'utf8')) as unknown,
  };
}

const seen = JSON.stringify({ cluster: 'c', epoch: 2, revision: 20 });

it('[2.3] a lower revision or epoch is doubted; the same, a higher one, and a store after a new epoch are not', async () => {
  const { witness } = await witnessed(seen);
  const doubted = (epoch: number, revision: number) =>
    witness.doubts({ cluster: 'c', epoch, revision }) !== undefined;
  expect([doubted(2, 19), doubted(1, 90)]).toEqual([true, true]);
  expect([doubted(2, 20), doubted(2, 21), doubted(3, 1)]).toEqual([false, false, false]);
});

it('[2 bad input] a witness that is missing or makes no sense is none', async () => {
  for (const text of [undefined, '', 'null', '{"cluster":"c","epoch":-1,"revision":2}']) {
    const { witness, meta } = await witnessed(text);
    expect(witness.seen()).toBeUndefined();
    expect(witness.doubts(meta)).toBeUndefined();
  }
});

it('[2.3] it follows commits a second later, and to the last when it ends', async () => {
  const { witness, store, commit, clock, kept } = await witnessed();
  const end = await witness.follow(store);
  expect(await kept()).toEqual({ cluster: 'c', epoch: 2, revision: 10 });
  commit(11);
  commit(12);
  expect(await kept()).toMatchObject({ revision: 10 });
  await clock.advance(1000);
  await until('it is kept', async () => JSON.stringify(await kept()).includes('"revision":12'));
  commit(13);
  await end();
  expect(await kept()).toMatchObject({ revision: 13 });
});

it('[2.3] a store that is older or damaged never lowers what was seen', async () => {
  const { witness, store, meta, commit, kept } = await witnessed(seen);
  const end = await witness.follow(store);
  commit(11);
  await end();
  expect(await kept()).toMatchObject({ revision: 20 });
  Object.assign(meta, { epoch: 9, revision: 0, damaged: true });
  await (await witness.follow(store))();
  expect(await kept()).toMatchObject({ epoch: 2, revision: 20 });
});
