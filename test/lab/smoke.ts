/** The smallest proof of the whole: one director, two web nodes, a hundred requests, a power cut, and a hundred more. */
import { until } from '../support/until.ts';
import { failedFolder } from './boxes.ts';
import { createLab, type Lab } from './cluster.ts';
import { taking, watchTable } from './table.ts';
import { splitOf, type Visits, visit } from './visit.ts';
import { director, furnish, site, VIP, webNode, webService } from './web.ts';

const URL = `http://${VIP}/`;
const STAYS = 'w1';
const GOES = 'w2';
const COUNT = 100;
/** With two nodes and round robin; other requests may come between, such as a check. */
const FAIR = 0.4;
const POOL_MS = 30_000;
/** Boxes are slow and a machine may be busy; what takes longer is no removal. */
const REMOVAL_MS = 15_000;

/** What was seen. */
export interface Seen {
  /** A hundred requests with all on. */
  first: Visits;
  /** From the power cut to the director's table without the node; undefined when that did not come. */
  removedAfter: number | undefined;
  /** Of the second hundred, those that were sent before that, and after. */
  during: Visits;
  after: Visits;
}

/** Runs it in a lab of its own, and says what it sees; returns in words what was wrong. */
export async function smoke(say: (line: string) => void): Promise<string[]> {
  const began = performance.now();
  const lab = await createLab({
    nodes: [director('d1'), webNode(STAYS), webNode(GOES)],
    documents: [site, webService()],
  });
  try {
    await furnish([lab.box(STAYS), lab.box(GOES)], lab.folder);
    await lab.settled();
    const pool = await watchPool(lab);
    await until('both are in the pool', () => pool().length === 2, POOL_MS);
    say(`a manager, a director and two web nodes serve after ${seconds(performance.now() - began)}`);
    const seen = await cutInTheMiddle(lab, pool);
    report(seen, say);
    const wrong = judge(seen);
    for (const line of wrong) say(`WRONG: ${line}`);
    if (wrong.length === 0) say('right');
    else await lab.saveLogs(failedFolder('smoke'));
    return wrong;
  } finally {
    await lab.stop();
  }
}

/** Whom the director's kernel gives new connections to, by their addresses. */
async function watchPool(lab: Lab): Promise<() => string[]> {
  const seen = await watchTable(lab.box('d1'));
  return () => taking(seen().at(-1)?.rows ?? [], `TCP ${VIP}:80`);
}

async function cutInTheMiddle(lab: Lab, pool: () => string[]): Promise<Seen> {
  const first = await visit({ url: URL, count: COUNT });
  const cutAt = performance.now();
  await lab.box(GOES).powerCut();
  let removedAfter: number | undefined;
  const removal = until('it is out', () => pool().length === 1, REMOVAL_MS).then(
    () => {
      removedAfter = performance.now() - cutAt;
    },
    () => undefined, // it stays undefined, and that is wrong
  );
  const during: Visits[] = [];
  const isOver = () => removedAfter !== undefined || performance.now() - cutAt > REMOVAL_MS;
  while (!isOver() && during.length < COUNT) during.push(await visit({ url: URL, timeout: 1000 }));
  await removal;
  const after = await visit({ url: URL, count: COUNT - during.length });
  return { first, removedAfter, during: sumOf(during), after };
}

const sumOf = (visits: Visits[]): Visits => ({
  answers: visits.flatMap(({ answers }) => answers),
  failed: visits.flatMap(({ failed }) => failed),
  split: splitOf(visits.flatMap(({ answers }) => answers)),
});

/** In words, what is not as it has to be; nothing when all is. */
export function judge({ first, removedAfter, after }: Seen): string[] {
  const wrong: string[] = [];
  if (first.failed.length > 0) wrong.push(`${first.failed.length} of the first failed: ${first.failed[0]}`);
  for (const node of [STAYS, GOES])
    if ((first.split[node] ?? 0) < COUNT * FAIR)
      wrong.push(`${node} answered fewer than ${COUNT * FAIR} of the first ${COUNT}`);
  if (removedAfter === undefined) wrong.push(`${GOES} was not removed within ${seconds(REMOVAL_MS)}`);
  if (after.failed.length > 0)
    wrong.push(`${after.failed.length} failed after the removal: ${after.failed[0]}`);
  const others = Object.keys(after.split).filter((node) => node !== STAYS);
  if (others.length > 0) wrong.push(`${others.join(', ')} answered after the removal`);
  if (after.answers.length === 0) wrong.push('nothing was answered after the removal');
  return wrong;
}

function report({ first, removedAfter, during, after }: Seen, say: (line: string) => void): void {
  const second = sumOf([during, after]);
  const early = during.answers.length + during.failed.length;
  say(`${COUNT} requests: ${told(first)}`);
  say(
    `power cut of ${GOES}: out of /proc/net/ip_vs after ${removedAfter === undefined ? 'never' : seconds(removedAfter)}`,
  );
  say(`${COUNT} more: ${told(second)} (${early} were sent before the removal)`);
}

const told = ({ split, failed }: Visits): string =>
  [...Object.entries(split).map(([node, count]) => `${node} ${count}`), `failed ${failed.length}`].join(', ');

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
