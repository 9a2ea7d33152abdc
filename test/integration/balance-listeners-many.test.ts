/** Many services on the same members: with the manager gone, every opinion is still heard, each question asked once. */
import { afterEach, expect, it } from 'vitest';
import { createListeners, type QuietPool } from '../../agent/balance/listeners.ts';
import { createListener } from '../../agent/listener/listener.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { resource, serviceOf } from '../support/lvs.ts';
import { until } from '../support/until.ts';
import { freePort } from './web-nodes.ts';

const log = createLog('test', 'silent');
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

it('[3.6] a director of three hundred services hears of each of them, and asks no member more often than that answers', async () => {
  const port = await freePort();
  const addresses = ['127.0.77.1', '127.0.77.2'];
  let questions = 0;
  for (const [index, address] of addresses.entries())
    stops.push(
      createListener({
        place: () => ({ address, port }),
        answer: () => {
          questions += 1;
          return index === 0 ? { status: 200, line: 'up' } : { status: 503, line: 'data is down' };
        },
        failed: () => undefined,
        ...{ clock: systemClock, log },
      }).start(),
    );
  const members = addresses.map((address, index) =>
    resource('Node', `w${index + 1}`, { roles: ['web'], address }),
  );
  const pools = Array.from({ length: 300 }, (_, index) => ({
    service: serviceOf(`web${index}`, {}),
    members,
  })) as unknown as QuietPool[];
  const listeners = createListeners({
    ...{ quiet: () => pools, port: () => port, changed: () => undefined, clock: systemClock, log },
  });
  stops.push(listeners.start());
  const opinions = () =>
    pools.map(({ service }) =>
      listeners
        .of(service.name)
        ?.state.members.map(({ opinion }) => opinion)
        .join(),
    );
  await until('all are judged', () => opinions().every((said) => said === 'up,down'), 20_000);
  const before = questions;
  await systemClock.sleep(3_000);
  expect(questions - before).toBeLessThan(12);
  expect(new Set(opinions())).toEqual(new Set(['up,down']));
});
