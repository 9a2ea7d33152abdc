/** What somebody wants of a daemon: for the next pass of its unit, and taken back as long as none has begun it. */
import { beforeEach, expect, it } from 'vitest';
import type { Pass, Renewal, Unit } from '../../../agent/converge/pass.ts';
import { createRenewals } from '../../../agent/converge/renewals.ts';
import { renew as renewNow } from '../../../agent/converge/serving.ts';

let renewals: Renewal[];
let stop: AbortController;
beforeEach(() => {
  [renewals, stop] = [[], new AbortController()];
});
const { renew } = createRenewals(
  (name) =>
    name === 'web' ? ({ renewals, record: { read: () => ({ running: {} }) } } as unknown as Unit) : undefined,
  () => undefined,
);

it('[5.1] what was asked for and not begun is taken back when its asker is told to stop: no pass does it later', async () => {
  const [one, other] = [renew('web', 'restarted', stop.signal), renew('web', 'reloaded')];
  stop.abort(new Error('cancelled'));
  await expect(one).rejects.toThrow('cancelled');
  expect(renewals.map(({ wish }) => wish)).toEqual(['reloaded']);
  renewals[0]?.done();
  await other;
  await expect(renew('web', 'restarted', stop.signal)).rejects.toThrow('cancelled');
  expect(renewals).toHaveLength(1);
});

it('[5.1] what a pass has begun ends as the pass says, whoever is told to stop', async () => {
  const one = renew('web', 'restarted', stop.signal);
  const [begun] = renewals.splice(0);
  stop.abort(new Error('cancelled'));
  begun?.failed(new Error('it does not start'));
  await expect(one).rejects.toThrow('it does not start');
});

it('[5.1] what was asked for of a daemon that is gone by now is refused, and nobody waits for it', async () => {
  const one = renew('web', 'restarted');
  const unit = { name: 'web', record: { read: () => ({ running: null }) } };
  await renewNow({ unit, daemon: {} } as unknown as Pass, renewals);
  await expect(one).rejects.toMatchObject({ code: 'not-found' });
});
