/** Row: accepted changes a second at the store, durable, through group commit, against one transaction each. */
import { join } from 'node:path';
import { createLog } from '../../common/log.ts';
import { rules } from '../../manager/desired/rules.ts';
import { loadShipped } from '../../manager/shipped.ts';
import { openStore } from '../../manager/store/open.ts';
import type { Store } from '../../manager/store/store.ts';
import { canonical } from '../../protocol/resource.ts';
import type { Bench } from '../bench.ts';
import { median } from '../figures.ts';
import { transactionFloor } from '../floors/transactions.ts';
import { siteOf } from '../sites.ts';

const CHANGES = 10_000;
/** Requests that wait for their answer at one time. */
const AT_ONCE = 500;
const FLOOR_CHANGES = 5_000;
/** 10,000 changes a second where one transaction each gives 5,300. */
const BUDGET = 10_000 / 5_300;

export async function measureAccepted(bench: Bench): Promise<void> {
  const { options, say, add } = bench;
  const values: number[] = [];
  const floors: number[] = [];
  const bodies = Array.from({ length: FLOOR_CHANGES }, (_, index) => canonical(siteOf(index).spec));
  for (let turn = 0; turn < options.runs; turn += 1) {
    say(`store: ${CHANGES} changes, each a request of its own, run ${turn + 1}`);
    floors.push(await transactionFloor(await bench.folder('floor'), bodies));
    values.push(await acceptedASecond(bench));
  }
  add({
    row: 'accepted changes at the store',
    value: median(values),
    unit: '/s',
    floor: median(floors),
    floorName: 'sqlite3 FULL, one transaction each',
    better: 'higher',
    budget: BUDGET,
    runs: values,
    layout: `${AT_ONCE} at once`,
  });
}

async function acceptedASecond(bench: Bench): Promise<number> {
  const file = join(await bench.folder('store'), 'store.sqlite');
  const log = createLog('bench', 'silent');
  const store = await openStore({ file, rules, create: true, clock: bench.clock, log });
  const shipped = await loadShipped(process.cwd());
  const resources = Array.from({ length: CHANGES }, (_, index) => siteOf(index));
  try {
    await store.write({
      actor: 'bench',
      edits: shipped.map((resource) => ({ op: 'put', resource, where: resource.name })),
    });
    const begun = bench.clock.monotonic();
    await writeAll(store, resources);
    return CHANGES / ((bench.clock.monotonic() - begun) / 1000);
  } finally {
    await store.close();
  }
}

async function writeAll(store: Store, resources: ReturnType<typeof siteOf>[]): Promise<void> {
  const waiting = [...resources];
  const lane = async () => {
    for (let resource = waiting.pop(); resource; resource = waiting.pop())
      await store.write({ actor: 'bench', edits: [{ op: 'put', resource, where: 'document' }] });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
