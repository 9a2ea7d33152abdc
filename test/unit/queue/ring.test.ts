/** The doorbell of a queue: rung where there is something to come for, and not for each command that waits behind another. */
import { expect, it } from 'vitest';
import type { Run } from '../../../common/queue/run.ts';
import { createLive } from '../../../manager/queue/live.ts';
import { createQueue } from '../../../manager/queue/queue.ts';
import { createManualClock } from '../../support/clock.ts';
import { waitingCommand } from '../../support/command.ts';
import { log, opened } from '../store/opened.ts';

const AT = '2026-01-01T00:00:00.000Z';
const runOf = (id: string): Run => ({
  ...{ id, action: 'act', digest: 'd', values: {}, actor: 'ann', at: AT, selector: 'all' },
  spec: { run: ['true'] } as unknown as Run['spec'],
  options: { jitter: 0 },
});
const commandOf = (run: string, node: string) => waitingCommand({ run, node, at: AT });

it('[5.3] rings where a command can begin, not where another is under way or the queue is paused', async () => {
  const { store } = await opened();
  let rung: string[] = [];
  const queue = createQueue({
    ...{ rows: store.queue, cluster: 'c', held: () => false, ring: (node) => void rung.push(node) },
    ...{ isNode: () => true, emit: () => undefined },
    ...{ live: createLive(() => true), clock: createManualClock(), log },
  });
  const add = async (run: string, ...nodes: string[]) => {
    rung = [];
    queue.added(
      await store.queue.add(
        runOf(run),
        nodes.map((node) => commandOf(run, node)),
      ),
    );
    return rung;
  };
  await queue.pause({ node: 'web2', reason: 'look', owner: 'ann', since: AT });
  expect(await add('aaaaaaaaaaaa', 'web1', 'web2')).toEqual(['web1']);
  const pull = { ledger: '11111111-1111-4111-8111-111111111111', results: [], working: null };
  expect((await queue.pull('web1', pull)).next).toMatchObject({ run: 'aaaaaaaaaaaa' });
  expect(await add('bbbbbbbbbbbb', 'web1', 'web2', 'web3')).toEqual(['web3']);
  rung = [];
  await queue.resume('web2');
  expect(rung).toEqual(['web2']);
});
