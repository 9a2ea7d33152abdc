/** Rows: one change reaching every agent, and how many bytes that takes. */
import { sha256 } from '../../common/digest.ts';
import { canonical, keyOf } from '../../protocol/resource.ts';
import type { JournalEntry } from '../../protocol/views.ts';
import type { Bench } from '../bench.ts';
import { median, percentile } from '../figures.ts';
import { siteOf } from '../sites.ts';
import { sharedNow } from '../worker.ts';
import type { Api } from './api.ts';
import { credentialOf } from './cluster.ts';
import type { Arrival } from './emulated.ts';
import { type BrokerFloor, brokerFloor } from './fleet-floors.ts';
import type { Scene } from './scene.ts';

export const SITES = 1000;
const SCOPE = 'role/web';
const TURNS = 20;
/** The first changes meet code that has not run yet. */
const WARM_UP = 3;

interface Change {
  /** Milliseconds from the moment in the journal to each agent's new state. */
  applied: number[];
  /** How long before that moment the request had left. */
  before: number;
  bytes: number[];
}

/** Returns what a plain broker has in memory for each client, in kB. */
export async function measureChange(bench: Bench, scene: Scene): Promise<number> {
  const { agents, cluster } = scene;
  bench.say(`${agents} agents: ${TURNS} changes of one site, from the API to all`);
  const changes: Change[] = [];
  for (let turn = 1; turn <= TURNS + WARM_UP; turn += 1) {
    const change = await changeOne(scene, turn);
    if (turn > WARM_UP) changes.push(change);
    await bench.clock.sleep(100);
  }
  const bytes = changes.flatMap((change) => change.bytes);
  const payload = Math.round(median(bytes));
  bench.say(`${agents} agents: the same payload through a plain broker`);
  const floor = await brokerFloor({
    credential: credentialOf(cluster),
    server: cluster.server,
    count: agents,
    payload,
    turns: TURNS,
  });
  addChange(bench, agents, changes, floor);
  bench.add({
    row: 'bytes to each agent for one change',
    size: agents,
    value: percentile(bytes, 0.99),
    unit: 'bytes',
    floor: Buffer.byteLength(canonical(siteOf(0).spec)),
    floorName: 'the site itself',
    budget: 2048,
    budgetOf: 'value',
    runs: [Math.min(...bytes), median(bytes), Math.max(...bytes)],
    note: 'MQTT packets before TLS; runs are least, median and most',
  });
  return floor.kbEach;
}

async function changeOne({ fleet, api }: Scene, turn: number): Promise<Change> {
  const index = turn % SITES;
  const before = siteOf(index);
  const after = siteOf(index, turn);
  await fleet.call('applied', { key: keyOf(before), rev: 0, digest: sha256(canonical(before.spec)) });
  const begun = sharedNow();
  const { revision } = await api.apply([after]);
  const arrivals = await fleet.call<Arrival[]>('at', { scope: SCOPE, rev: revision });
  const accepted = await acceptedAt(api, revision);
  const applied = arrivals.map(({ at, work }) => at + work - accepted);
  return { applied, before: accepted - begun, bytes: arrivals.map((arrival) => arrival.bytes) };
}

/** The moment in the journal, which knows whole milliseconds, on the clock that all processes share. */
async function acceptedAt(api: Api, revision: number): Promise<number> {
  const page = await api.call<{ items: JournalEntry[] }>(
    'GET',
    `/api/v1/journal?since=${revision - 1}&limit=1`,
  );
  const at = page.items[0]?.at;
  if (at === undefined) throw new Error(`the journal has no entry ${revision}`);
  return Date.parse(at) + sharedNow() - Date.now();
}

/** Of each change its slowest hundredth; of those the median, so that one hiccup of the machine does not decide. */
const typicalP99 = (turns: readonly number[][]) =>
  median(turns.map((latencies) => percentile(latencies, 0.99)));

function addChange(bench: Bench, agents: number, changes: Change[], floor: BrokerFloor): void {
  const before = median(changes.map((change) => change.before));
  const applied = changes.map((change) => change.applied);
  const runs = applied.map((latencies) => percentile(latencies, 0.99));
  const base = {
    row: 'one change to all agents, p99',
    size: agents,
    value: typicalP99(applied),
    unit: 'ms',
    runs,
  };
  const plain = { floor: typicalP99(floor.tcp), floorName: 'aedes alone, TCP' };
  const secure = { floor: typicalP99(floor.tls), floorName: 'aedes alone, mutual TLS' };
  const note =
    'from the moment in the journal; median of the p99 of each change. The request had left ' +
    `${before.toFixed(1)} ms before that at ${agents} agents`;
  bench.add({ ...base, ...plain, budget: 2, note });
  bench.add({ ...base, ...secure });
}
