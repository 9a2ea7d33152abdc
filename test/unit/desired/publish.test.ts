/** The publisher: what nodes may make a manager believe of its own store. */
import { expect, it } from 'vitest';
import { systemClock } from '../../../common/clock.ts';
import { createPublisher } from '../../../manager/desired/publish.ts';
import type { Status } from '../../../protocol/messages.ts';
import { log } from '../store/opened.ts';

const digest = '0'.repeat(64);

/** A publisher over a store at revision 7 of epoch 3, and the reasons for which that store was held. */
function published() {
  const head = { scope: 'cluster', epoch: 3, rev: 7, since: 6, count: 1, digest };
  const holds: string[] = [];
  const publisher = createPublisher({
    cluster: 'c',
    store: {
      heads: () => [head],
      head: () => head,
      meta: () => ({ epoch: 3, revision: 7, mode: holds.length > 0 ? 'held' : 'serving' }),
      hold: async (reason) => void holds.push(reason),
      onCommit: () => () => undefined,
    },
    publish: async () => undefined,
    seal: () => ({ p: '', s: '' }),
    clear: async () => undefined,
    clock: systemClock,
    log,
  });
  const shows = (epoch: number, rev: number) => {
    const status: Status = {
      ...{ session: 's', state: 'online', version: '1', protocol: 1 },
      scopes: { cluster: { epoch, rev, digest } },
    };
    publisher.noticed('web1', status);
  };
  return { publisher, shows, holds };
}

it('[2 bad input] a node that is ahead holds the manager', () => {
  for (const [epoch, rev] of [
    [3, 8],
    [4, 1],
    [900, 1],
  ] as const) {
    const { shows, holds, publisher } = published();
    shows(epoch, rev);
    expect([holds.length, publisher.ahead().length]).toEqual([1, 1]);
  }
});

it('[2.4] an epoch that never was neither holds the manager nor leads it past all numbers', () => {
  const { shows, holds, publisher } = published();
  for (const epoch of [2000, Number.MAX_SAFE_INTEGER, 1e300]) shows(epoch, 1);
  expect([holds, publisher.ahead()]).toEqual([[], []]);
});
